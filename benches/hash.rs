//! Making torrents: the kernel alone on one core, then whole programs on files in the page cache, and on a cold disk.
//!
//! `cargo bench --bench hash` makes 4 GiB of files below the target folder, and takes a few minutes. Programs that are
//! not installed are left out with a line that says so; `.ci/install-judges` brings most of them. All programs take
//! turns, so that a machine that slows down slows all of them.

#![expect(clippy::cast_precision_loss, reason = "rates have three digits")]

use std::fs::File;
use std::hint::black_box;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use everseed::hash::{Order, Source, Wanted, hash};
use everseed::lanes::Kernel;
use everseed::units::PieceLength;
use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::time::TimeValLike;

const BYTES: u64 = 2 << 30;
const SMALL_BYTES: u64 = 1 << 20;
const PIECE_BYTES: u64 = 1 << 20;
const RUNS: usize = 5;
const COLD_RUNS: usize = 3;

fn main() {
    let arguments: Vec<_> = std::env::args().skip(1).filter(|argument| argument != "--bench").collect();
    let arguments: Vec<_> = arguments.iter().map(String::as_str).collect();
    match arguments[..] {
        // The bench calls itself: a process of its own is measured from outside, and hashes as a program does.
        ["measure", program, ref arguments @ ..] => measure(program, arguments),
        ["hash", kind, path] => hash_path(kind, Path::new(path)),
        _ => bench(),
    }
}

fn bench() {
    kernels();
    let target = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let dir = tempfile::tempdir_in(target).expect("a temporary folder");
    let (large, small) = (dir.path().join("large"), dir.path().join("small"));
    fill(&large, 1, BYTES).expect("room for the large file");
    std::fs::create_dir(&small).expect("made");
    for n in 0..BYTES / SMALL_BYTES {
        fill(&small.join(format!("{n:04}")), n + 2, SMALL_BYTES).expect("room for the small files");
    }
    let out = dir.path().join("out.torrent");
    // Some make nothing where something stands.
    let make_room = || drop(std::fs::remove_file(&out));
    for (title, path) in [("one file of 2 GiB", &large), ("2048 files of 1 MiB", &small)] {
        for kind in ["v1", "hybrid", "v2"] {
            println!("\n{kind}, {title}, in the page cache, {RUNS} runs of each in turns");
            table(programs(kind, path, &out), RUNS, make_room);
        }
    }
    println!("\nv1 with SHA-384, one file of 2 GiB, in the page cache, {COLD_RUNS} runs");
    table(vec![Program::own("v1+sha384", &large)], COLD_RUNS, || ());
    for (title, path) in [("one file of 2 GiB", &large), ("2048 files of 1 MiB", &small)] {
        println!("\nv1, {title}, from a cold disk, {COLD_RUNS} runs of each in turns");
        let files = if path.is_dir() { small_files(path) } else { vec![path.clone()] };
        let cat = Program::new("cat (the disk)", "cat", files.iter().map(|path| path.display().to_string()));
        let programs = programs("v1", path, &out).into_iter().take(2);
        let before = || {
            make_room();
            files.iter().for_each(|path| forget(path));
        };
        table(programs.chain([cat]).collect(), COLD_RUNS, before);
    }
}

/// A core's rate for each kernel, in messages that stay in its cache.
fn kernels() {
    const MESSAGE: usize = 16 << 10;
    let bytes: Vec<u8> =
        (0..16 * MESSAGE / 8).flat_map(|n| n.wrapping_mul(0x9e37_79b9_7f4a_7c15).to_le_bytes()).collect();
    let messages: Vec<_> = bytes.chunks(MESSAGE).collect();
    let rate = |work: &dyn Fn()| {
        let turn = |_| {
            let (mut turns, mut took) = (0_u32, Duration::ZERO);
            while took < Duration::from_millis(100) {
                took += time(work);
                turns += 1;
            }
            f64::from(turns) * bytes.len() as f64 / took.as_secs_f64() / 1e9
        };
        (0..RUNS).map(turn).fold(0.0, f64::max)
    };
    println!("16 messages of 16 KiB on one core, GB/s, best of {RUNS}");
    println!("{:<30} {:>8} {:>8} {:>8}", "", "SHA-1", "SHA-256", "both");
    for kernel in Kernel::all() {
        let sha1 = || drop(black_box(kernel.sha1_many(&messages)));
        let sha256 = || drop(black_box(kernel.sha256_many(&messages)));
        let both = || {
            sha1();
            sha256();
        };
        let label = format!("{} lanes: {}", kernel.lanes(), kernel.name());
        println!("{label:<30} {:>8.2} {:>8.2} {:>8.2}", rate(&sha1), rate(&sha256), rate(&both));
    }
}

#[expect(clippy::disallowed_methods, reason = "a benchmark reads the clock")]
fn time(work: impl FnOnce()) -> Duration {
    let start = Instant::now();
    work();
    start.elapsed()
}

/// What is run to make a torrent.
struct Program {
    label: String,
    command: Vec<String>,
}

impl Program {
    fn new(label: &str, program: &str, arguments: impl IntoIterator<Item = String>) -> Self {
        let command = [program.to_owned()].into_iter().chain(arguments).collect();
        Self { label: label.to_owned(), command }
    }

    /// The library, as a process of its own.
    fn own(kind: &str, path: &Path) -> Self {
        let own = std::env::current_exe().expect("its own path").display().to_string();
        Self::new("everseed (library)", &own, ["hash".into(), kind.into(), path.display().to_string()])
    }
}

/// Who makes a torrent of this kind; the first is ours, the second the peer that ours is measured by.
fn programs(kind: &str, path: &Path, out: &Path) -> Vec<Program> {
    let (path_text, out) = (path.display().to_string(), out.display().to_string());
    let python = Path::new(env!("CARGO_TARGET_TMPDIR")).join("judges/venv/bin/python").display().to_string();
    let script = |label: &str, script: &str| {
        let arguments = ["-c", script, &path_text, &out, kind].map(str::to_owned);
        Program::new(label, &python, arguments)
    };
    let libtorrent = script("libtorrent", LIBTORRENT);
    let create = format!("torrent create --force --{kind} --piece-length 1MiB -o OUT PATH");
    let words = |text: &str| -> Vec<String> {
        text.split(' ').map(|word| word.replace("PATH", &path_text).replace("OUT", &out)).collect()
    };
    let ours = Program::new("everseed torrent create", env!("CARGO_BIN_EXE_everseed"), words(&create));
    if kind != "v1" {
        return vec![ours, libtorrent, Program::own(kind, path)];
    }
    vec![
        ours,
        Program::new("mktorrent -t 2", "mktorrent", words("-t 2 -l 20 -a http://tracker.example.org/ -o OUT PATH")),
        Program::own(kind, path),
        script("torf", TORF),
        libtorrent,
        Program::new("transmission-create", "transmission-create", words("-s 1024 -o OUT PATH")),
        Program::new("imdl", "imdl", words("torrent create --force --piece-length 1MiB --input PATH --output OUT")),
    ]
}

const TORF: &str = "
import sys, torf
torrent = torf.Torrent(path=sys.argv[1], trackers=['http://tracker.example.org/'], piece_size=1 << 20)
torrent.generate(threads=2)
torrent.write(sys.argv[2], overwrite=True)
";

const LIBTORRENT: &str = "
import os, sys, libtorrent
path, out, kind = sys.argv[1:]
files = libtorrent.list_files(path) if hasattr(libtorrent, 'list_files') else libtorrent.file_storage()
if not hasattr(libtorrent, 'list_files'):
    libtorrent.add_files(files, path)
maker = libtorrent.create_torrent
flags = {'v1': maker.v1_only, 'v2': maker.v2_only, 'hybrid': 0}[kind]
torrent = maker(files, 1 << 20, flags)
libtorrent.set_piece_hashes(torrent, os.path.dirname(path))
open(out, 'wb').write(libtorrent.bencode(torrent.generate()))
";

#[derive(Clone, Copy)]
struct Taken {
    wall_secs: f64,
    cpu_secs: f64,
    rss_bytes: f64,
}

/// Runs the programs in turns, `before` each, and prints a row for each: by the second, where there is one.
fn table(programs: Vec<Program>, runs: usize, before: impl Fn()) {
    let mut taken: Vec<(Program, Vec<Taken>)> = programs.into_iter().map(|program| (program, Vec::new())).collect();
    for run in 0..=runs {
        for (program, taken) in &mut taken {
            before();
            // The first run finds out whether the program is there, and brings it into memory.
            if (run == 0 || !taken.is_empty())
                && let Some(took) = run_once(program)
            {
                taken.push(took);
            }
        }
    }
    let peer: Option<Vec<Taken>> = taken.get(1).map(|(_, taken)| taken.clone()).filter(|taken| !taken.is_empty());
    let label = if peer.is_some() { taken[1].0.label.as_str() } else { "nobody" };
    println!("{:<26} {:>6} {:>6} {:>8} {:>8}   ratio to {label}: wall, CPU", "", "GB/s", "best", "CPU s", "RSS MB");
    for (program, taken) in &taken {
        let Some((_, taken)) = taken.split_first().filter(|(_, rest)| !rest.is_empty()) else {
            println!("{:<26} not there, or it failed", program.label);
            continue;
        };
        let of = |field: fn(&Taken) -> f64| median(taken.iter().map(field));
        let best = taken.iter().map(|taken| taken.wall_secs).fold(f64::MAX, f64::min);
        let ratio = |field: fn(&Taken) -> f64| {
            let peer = peer.as_ref().filter(|peer| peer.len() > 1)?;
            Some(median(peer[1..].iter().zip(taken).map(|(peer, own)| field(peer) / field(own))))
        };
        let ratios = ratio(|taken| taken.wall_secs).zip(ratio(|taken| 1.0 / taken.cpu_secs));
        println!(
            "{:<26} {:>6.2} {:>6.2} {:>8.2} {:>8.1}   {}",
            program.label,
            BYTES as f64 / of(|taken| taken.wall_secs) / 1e9,
            BYTES as f64 / best / 1e9,
            of(|taken| taken.cpu_secs),
            of(|taken| taken.rss_bytes) / 1e6,
            ratios.map_or(String::new(), |(wall, cpu)| format!("{wall:.2} x as fast, {cpu:.2} of the CPU seconds")),
        );
    }
}

fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<_> = values.collect();
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

/// What it took; `None` where it is not installed, or fails.
fn run_once(program: &Program) -> Option<Taken> {
    let own = std::env::current_exe().expect("its own path");
    let mut measure = Command::new(own);
    let output = measure.arg("measure").args(&program.command).stderr(Stdio::null()).output().ok()?;
    let text = String::from_utf8(output.stdout).ok().filter(|_| output.status.success())?;
    let numbers: Vec<f64> = text.split_whitespace().filter_map(|word| word.parse().ok()).collect();
    let [wall_secs, cpu_secs, rss_bytes] = numbers[..] else { return None };
    Some(Taken { wall_secs, cpu_secs, rss_bytes })
}

/// Runs a program and prints its seconds, its CPU seconds and the most bytes that it held in memory. It is done in a
/// process of its own, so that no other child counts.
fn measure(program: &str, arguments: &[&str]) {
    let mut status = None;
    let wall = time(|| status = Command::new(program).args(arguments).stdout(Stdio::null()).status().ok());
    let usage = getrusage(UsageWho::RUSAGE_CHILDREN).expect("the usage of children can be asked for");
    let cpu_micros = usage.user_time().num_microseconds() + usage.system_time().num_microseconds();
    println!("{} {} {}", wall.as_secs_f64(), cpu_micros as f64 / 1e6, usage.max_rss() * 1024);
    std::process::exit(i32::from(!status.is_some_and(|status| status.success())));
}

/// Hashes the file, or all files of the folder, and prints nothing.
fn hash_path(kind: &str, path: &Path) {
    let piece_length = PieceLength::new(PIECE_BYTES).expect("a power of two");
    let wanted = Wanted { v1: kind != "v2", v2: matches!(kind, "v2" | "hybrid"), sha384: kind == "v1+sha384" };
    let paths = if path.is_dir() { small_files(path) } else { vec![path.to_owned()] };
    let open = |path: PathBuf| {
        let source = Source::open(path).expect("a file");
        if kind == "hybrid" { source.padded(piece_length) } else { source }
    };
    let mut sources: Vec<_> = paths.into_iter().map(open).collect();
    black_box(hash(Order::new(&mut sources, piece_length, wanted, &())).expect("hashed"));
}

fn small_files(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).expect("a folder");
    let mut paths: Vec<_> = entries.map(|entry| entry.expect("an entry").path()).collect();
    paths.sort();
    paths
}

/// Writes bytes that no file system packs, and sends them to the disk: else it is still being written to while the file
/// is read, and its pages can't be forgotten.
fn fill(path: &Path, seed: u64, bytes: u64) -> io::Result<()> {
    let mut file = BufWriter::with_capacity(1 << 20, File::create(path)?);
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    for _ in 0..bytes / 8 {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        file.write_all(&state.to_le_bytes())?;
    }
    file.into_inner()?.sync_all()
}

/// Takes the file out of the page cache.
#[cfg(target_os = "linux")]
fn forget(path: &Path) {
    let file = File::open(path).expect("a file");
    rustix::fs::fadvise(&file, 0, None, rustix::fs::Advice::DontNeed).expect("a file can be forgotten");
}

/// The page cache of other systems is not ours to empty.
#[cfg(not(target_os = "linux"))]
fn forget(_path: &Path) {}
