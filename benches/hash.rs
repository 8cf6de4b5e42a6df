//! Hashing a file from the page cache, against the SHA-1 of the same bytes in memory on one core: the limit.
//!
//! `cargo bench --bench hash`

use std::hint::black_box;
use std::num::NonZeroUsize;
use std::time::{Duration, Instant};

use everseed::hash::{Order, Source, Wanted, hash};
use everseed::units::PieceLength;
use sha1::{Digest, Sha1};

const BYTES: u32 = 512 << 20;
const PIECE: u64 = 1 << 20;
const RUNS: usize = 5;

#[expect(clippy::disallowed_methods, reason = "a benchmark reads the clock")]
fn time(mut work: impl FnMut()) -> Duration {
    let mut took: Vec<_> = (0..RUNS)
        .map(|_| {
            let start = Instant::now();
            work();
            start.elapsed()
        })
        .collect();
    took.sort();
    took[RUNS / 2]
}

fn gb_per_s(took: Duration) -> f64 {
    f64::from(BYTES) / took.as_secs_f64() / 1e9
}

fn main() {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let path = dir.path().join("medium");
    let bytes: Vec<u8> =
        (0..u64::from(BYTES) / 8).flat_map(|n| n.wrapping_mul(0x9e37_79b9_7f4a_7c15).to_le_bytes()).collect();
    std::fs::write(&path, &bytes).expect("written");
    // Else the disk is still being written to while the file is read.
    std::fs::File::open(&path).and_then(|file| file.sync_all()).expect("on the disk");
    let mut source = [Source::open(&path).expect("a file")];
    let piece_length = PieceLength::new(PIECE).expect("a power of two");
    let cores = std::thread::available_parallelism().map_or(1, NonZeroUsize::get);

    let limit = gb_per_s(time(|| {
        for piece in bytes.chunks(1 << 20) {
            black_box(Sha1::digest(piece));
        }
    }));
    println!("512 MiB in pieces of {piece_length}, median of {RUNS} runs, {cores} cores");
    println!("{:<44} {:>9} {:>9}", "", "GB/s", "of limit");
    println!("{:<44} {limit:>9.2} {:>9.2}", "limit: SHA-1 of memory, one core", 1.0);
    let mut row = |label: &str, wanted: Wanted, threads: usize| {
        let rate = gb_per_s(time(|| {
            let mut order = Order::new(&mut source, piece_length, wanted, &());
            order.threads = NonZeroUsize::new(threads);
            black_box(hash(order).expect("hashed"));
        }));
        println!("{label:<44} {rate:>9.2} {:>9.2}", rate / limit);
    };
    let pieces = Wanted { v1: true, ..Wanted::default() };
    row("file, pieces, one hashing thread", pieces, 1);
    row("file, pieces, a thread a core", pieces, cores);
    row("file, pieces and SHA-384, a thread a core", Wanted { sha384: true, ..pieces }, cores);
}
