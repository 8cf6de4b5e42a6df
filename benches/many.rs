//! A site of 5,000 torrents of 1 MiB: how soon after its start `everseed serve` sends the first block and offers all of
//! them, with an empty database and after a restart; what it holds in memory; and what it costs while nobody comes. A
//! site without torrents in the same run tells how much of that any server takes.
//!
//! `cargo bench --bench many` (under three minutes), on Linux: memory and processor time are read from `/proc`. Most of
//! the time both servers are idle, next to each other, and are watched at it.

use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread::{self, sleep};
use std::time::{Duration, Instant};

#[path = "shared/memory.rs"]
mod memory;
#[path = "shared/processor.rs"]
mod processor;

use everseed::id::InfoHash;
use everseed::manifest::{self, Entry, Manifest};
use everseed::release::{self, Cache, Order, Origin};
use everseed::sitepath::SitePath;

const TORRENTS: usize = 5000;
const BYTES: u64 = 1 << 20;
/// The bytes of each file that differ from those of every other; the rest is a hole.
const OWN_BYTES: usize = 64;
const IDLE: Duration = Duration::from_secs(60);
/// What follows a start is over by then: the time series has its first point of every torrent within a minute.
const SETTLED_AFTER: Duration = Duration::from_secs(70);
/// How long reading all of it for the first time may take.
const VERIFIED_WITHIN: Duration = Duration::from_secs(300);
/// As many hashes as fit into a request line.
const SCRAPED_AT_A_TIME: usize = 64;
const BLOCK_BYTES: u32 = 16 * 1024;

/// What is measured, as it is wanted at most.
const FIRST_BLOCK_MAX: Duration = Duration::from_secs(2);
const OFFERED_MAX: Duration = Duration::from_secs(10);
const ANON_KB_MAX: u64 = 10 * 1024;
const IDLE_MAX: Duration = Duration::from_millis(60);

fn main() -> io::Result<()> {
    let folder = tempfile::tempdir()?;
    let (begun, below) = (now(), |name: &str| folder.path().join(name));
    let said = |what: &str| eprintln!("{:>5.1} s  {what}", begun.elapsed().as_secs_f64());
    let empty = start_empty(&below("empty"), &below("empty-data"))?;
    let (site, data) = (below("site"), below("data"));
    let hashes = publish(&site);
    said("the site is made");

    let cold = Served::start(&site, &data);
    let (cold_block, cold_offered) = (cold.first_block(hashes[TORRENTS / 2])?, cold.all_offered(&hashes)?);
    let cold_anon = cold.anon_kb()?;
    said("all torrents are offered after the first start");
    cold.wait_until_verified()?;
    let verified_anon = cold.anon_kb()?;
    cold.stop()?;
    said("all files were read once");

    let warm = Served::start(&site, &data);
    let (warm_block, warm_offered) = (warm.first_block(hashes[TORRENTS / 3])?, warm.all_offered(&hashes)?);
    let warm_anon = warm.anon_kb()?;
    said("all torrents are offered after a restart; what follows a start settles");
    sleep(SETTLED_AFTER.saturating_sub(warm.started.elapsed()));
    said("both servers are idle");
    let before = [warm.processor_time()?, empty.processor_time()?];
    sleep(IDLE);
    let idle = warm.processor_time()?.saturating_sub(before[0]);
    let empty_idle = empty.processor_time()?.saturating_sub(before[1]);
    let [idle_anon, empty_idle_anon] = [warm.anon_kb()?, empty.anon_kb()?];
    for served in [&warm, &empty] {
        served.status_page()?;
    }
    let [asked_anon, empty_asked_anon] = [warm.anon_kb()?, empty.anon_kb()?];
    let [peak_kb, empty_peak_kb] = [warm.peak_kb()?, empty.peak_kb()?];
    warm.stop()?;
    empty.stop()?;
    said("it is over");

    println!("| {TORRENTS} torrents of 1 MiB, a file each | measured | no torrents | at most |");
    println!("|---|---:|---:|---:|");
    let secs = |what: &str, took: Duration, most: Duration| {
        println!("| {what} | {:.2} s | | {:.0} s |", took.as_secs_f64(), most.as_secs_f64());
    };
    secs("first start to first block", cold_block, FIRST_BLOCK_MAX);
    secs("first start to all offered", cold_offered, OFFERED_MAX);
    secs("restart to first block", warm_block, FIRST_BLOCK_MAX);
    secs("restart to all offered", warm_offered, OFFERED_MAX);
    #[expect(clippy::cast_precision_loss, reason = "megabytes with one digit")]
    let mb = |kb: u64| format!("{:.1} MiB", kb as f64 / 1024.0);
    let memory = |what: &str, kb: u64, floor: String| {
        println!("| memory {what} | {} | {floor} | {} |", mb(kb), mb(ANON_KB_MAX));
    };
    memory("after the first start", cold_anon, String::new());
    memory("when all was read once", verified_anon, String::new());
    memory("after a restart", warm_anon, String::new());
    memory("idle", idle_anon, mb(empty_idle_anon));
    memory("after the status page and all of its JSON", asked_anon, mb(empty_asked_anon));
    println!("| peak with the program's own pages | {} | {} | |", mb(peak_kb), mb(empty_peak_kb));
    #[expect(clippy::cast_precision_loss, reason = "a percentage with two digits")]
    let share = |time: Duration| format!("{:.3} %", 100.0 * time.as_nanos() as f64 / IDLE.as_nanos() as f64);
    println!(
        "| of a core, {} s idle | {} | {} | {} |",
        IDLE.as_secs(),
        share(idle),
        share(empty_idle),
        share(IDLE_MAX)
    );
    Ok(())
}

/// A server without torrents.
fn start_empty(site: &Path, data: &Path) -> io::Result<Served> {
    fs::create_dir_all(site)?;
    let manifest = Manifest { base_url: "https://show.example.org/".into(), ..Manifest::default() };
    fs::write(site.join(manifest::FILE_NAME), manifest.to_json())?;
    Ok(Served::start(site, data))
}

/// Writes the site, and returns its info-hashes.
fn publish(site: &Path) -> Vec<InfoHash> {
    fs::create_dir_all(site.join("media")).expect("a folder");
    fs::create_dir_all(site.join("torrents")).expect("a folder");
    let below = |path: String| SitePath::new(path).expect("below the root");
    let entry = |number: usize| {
        let name = format!("episode-{number:04}.mp3");
        let medium = below(format!("media/{name}"));
        let mut file = File::create(medium.below(site)).expect("made");
        file.write_all(&[u8::try_from(number % 251).expect("small"); OWN_BYTES]).expect("written");
        file.set_len(BYTES).expect("made longer");
        let order = Order {
            trackers: vec![vec!["https://show.example.org/announce".into()]],
            web_seeds: vec![format!("https://show.example.org/{medium}")],
            ..Order::of_file(&name, Origin::File(medium.below(site)))
        };
        let made = release::make(&order, &mut Cache::none(), &()).expect("a torrent");
        let torrent = below(format!("torrents/{name}.torrent"));
        fs::write(torrent.below(site), made.torrent.bytes()).expect("written");
        Entry {
            info_hashes: made.torrent.info_hashes,
            title: format!("Episode {number}, in which nothing is said at some length"),
            torrent,
            magnet: made.magnet,
            bytes: BYTES,
            files: vec![manifest::File { path: medium, bytes: BYTES, url: None }],
            page: Some(format!("https://show.example.org/episodes/episode-{number:04}/")),
            published: Some("2026-05-01".into()),
            retired: None,
            name,
        }
    };
    let workers = thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let torrents = thread::scope(|scope| {
        let part = |worker: usize| worker * TORRENTS / workers..(worker + 1) * TORRENTS / workers;
        let parts = (0..workers).map(|worker| scope.spawn(move || part(worker).map(entry).collect::<Vec<_>>()));
        let parts: Vec<_> = parts.collect();
        parts.into_iter().flat_map(|part| part.join().expect("the site is made")).collect()
    });
    let manifest = Manifest {
        generator: everseed::GENERATOR.into(),
        title: "A show".into(),
        base_url: "https://show.example.org/".into(),
        torrents,
    };
    fs::write(site.join(manifest::FILE_NAME), manifest.to_json()).expect("written");
    manifest.torrents.iter().map(|entry| entry.info_hashes.main()).collect()
}

/// A server that runs.
struct Served {
    child: Child,
    started: Instant,
    web: String,
    peers: String,
}

impl Served {
    /// Starts it, and reads from its greeting where it is to be found.
    fn start(site: &Path, data: &Path) -> Self {
        let started = now();
        let mut child = Command::new(env!("CARGO_BIN_EXE_everseed"))
            .args(["serve", "--listen", "127.0.0.1:0", "--udp-listen", "127.0.0.1:0", "--peer-listen", "127.0.0.1:0"])
            .args(["--site".as_ref(), site, "--data".as_ref(), data])
            .stdout(Stdio::piped())
            .spawn()
            .expect("the program starts");
        let (mut web, mut peers) = (None, None);
        for line in BufReader::new(child.stdout.take().expect("piped")).lines() {
            let line = line.expect("text");
            match line.split_whitespace().collect::<Vec<_>>()[..] {
                ["site", url] => web = Some(url.trim_start_matches("http://").trim_end_matches('/').to_owned()),
                ["peers", address, ..] => peers = Some(address.to_owned()),
                _ => {}
            }
            if web.is_some() && peers.is_some() {
                break;
            }
        }
        let told = "the greeting names it";
        Self { child, started, web: web.expect(told), peers: peers.expect(told) }
    }

    /// How long after the start the first block of a torrent was there.
    fn first_block(&self, info_hash: InfoHash) -> io::Result<Duration> {
        let mut peer = TcpStream::connect(&self.peers)?;
        let mut hello = b"\x13BitTorrent protocol\0\0\0\0\0\0\0\0".to_vec();
        hello.extend_from_slice(&info_hash.0);
        hello.extend_from_slice(b"-XX0000-abcdefghijkl");
        peer.write_all(&hello)?;
        peer.read_exact(&mut [0; 68])?;
        // Interested, and a request for the first block (BEP 3).
        peer.write_all(&[0, 0, 0, 1, 2])?;
        peer.write_all(&[0, 0, 0, 13, 6, 0, 0, 0, 0, 0, 0, 0, 0])?;
        peer.write_all(&BLOCK_BYTES.to_be_bytes())?;
        loop {
            let mut length = [0; 4];
            peer.read_exact(&mut length)?;
            let mut message = vec![0; u32::from_be_bytes(length) as usize];
            peer.read_exact(&mut message)?;
            if message.first() == Some(&7) {
                assert_eq!(message.len(), 9 + BLOCK_BYTES as usize, "a whole block");
                return Ok(self.started.elapsed());
            }
        }
    }

    /// How long after the start the tracker names a seed of every torrent.
    fn all_offered(&self, hashes: &[InfoHash]) -> io::Result<Duration> {
        for some in hashes.chunks(SCRAPED_AT_A_TIME) {
            let asked: Vec<String> = some
                .iter()
                .map(|hash| {
                    let bytes = percent_encoding::percent_encode(&hash.0, percent_encoding::NON_ALPHANUMERIC);
                    format!("info_hash={bytes}")
                })
                .collect();
            let path = format!("/scrape?{}", asked.join("&"));
            while count(&self.get(&path)?, b"8:completei1e") < some.len() {
                assert!(self.started.elapsed() < VERIFIED_WITHIN, "all torrents are offered");
                sleep(Duration::from_millis(50));
            }
        }
        Ok(self.started.elapsed())
    }

    fn wait_until_verified(&self) -> io::Result<()> {
        let wanted = format!("everseed_seed_torrents{{health=\"verified\"}} {TORRENTS}\n");
        while count(&self.get("/metrics")?, wanted.as_bytes()) == 0 {
            assert!(self.started.elapsed() < VERIFIED_WITHIN, "all torrents are verified");
            sleep(Duration::from_secs(1));
        }
        Ok(())
    }

    fn status_page(&self) -> io::Result<()> {
        ["/swarms", "/api/swarms.json", "/metrics"].iter().try_for_each(|path| self.get(path).map(drop))
    }

    fn get(&self, path: &str) -> io::Result<Vec<u8>> {
        let mut web = TcpStream::connect(&self.web)?;
        write!(web, "GET {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n")?;
        let mut answer = Vec::new();
        web.read_to_end(&mut answer)?;
        assert!(answer.starts_with(b"HTTP/1.1 200"), "{path}: {}", String::from_utf8_lossy(&answer));
        Ok(answer)
    }

    /// Memory that is no page of a file, in KiB.
    fn anon_kb(&self) -> io::Result<u64> {
        memory::anon_kib(self.child.id())
    }

    /// The most that it has held at a time, with its own pages, in KiB.
    fn peak_kb(&self) -> io::Result<u64> {
        memory::kib(self.child.id(), "VmHWM:")
    }

    fn processor_time(&self) -> io::Result<Duration> {
        processor::time(self.child.id())
    }

    fn stop(mut self) -> io::Result<()> {
        let status = Command::new("kill").arg(self.child.id().to_string()).status()?;
        assert!(status.success() && self.child.wait()?.success(), "it ends when it is asked to");
        Ok(())
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        // Where a measurement failed; one that was stopped is gone already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn count(text: &[u8], wanted: &[u8]) -> usize {
    text.windows(wanted.len()).filter(|window| *window == wanted).count()
}

#[expect(clippy::disallowed_methods, reason = "a benchmark reads the clock")]
fn now() -> Instant {
    Instant::now()
}
