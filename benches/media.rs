//! How fast the scanner is: silent media in memory, pushed in blocks of a MiB.
//!
//! `cargo bench --bench media`

#![expect(clippy::disallowed_methods, reason = "a bench measures time")]

use std::time::Instant;

use everseed::media::Scanner;

/// How much is scanned of each, in bytes.
const BYTES: usize = 1 << 30;
/// How much is pushed at a time, in bytes.
const BLOCK_BYTES: usize = 1 << 20;

fn main() {
    let frame = |header: &[u8], bytes: usize| [header, &vec![0x55; bytes - header.len()]].concat();
    let cases = [
        ("MP3, 128 kbit/s", "a.mp3", frame(&[0xff, 0xfb, 0x90, 0x00], 417)),
        ("MP3, 32 kbit/s", "a.mp3", frame(&[0xff, 0xfb, 0x10, 0x00], 104)),
        ("AAC in ADTS, 74 kbit/s", "a.aac", frame(&[0xff, 0xf1, 0x50, 0x80, 0x1a, 0xdf, 0xfc], 214)),
        ("no MP3, by name alone", "a.mp3", (0..=255).collect()),
        ("no medium", "a.iso", vec![0; 100]),
    ];
    for (what, name, part) in cases {
        let bytes = part.repeat(BLOCK_BYTES);
        let bytes = &bytes[..bytes.len().min(BYTES)];
        let start = Instant::now();
        let mut scanner = Scanner::new(name, bytes.len() as u64);
        bytes.chunks(BLOCK_BYTES).for_each(|block| scanner.push(block));
        let found = scanner.finish();
        let gb = u32::try_from(bytes.len() >> 20).expect("at most a GiB");
        let gb_a_second = f64::from(gb) * 1.048_576e-3 / start.elapsed().as_secs_f64();
        println!("{what}: {gb_a_second:.1} GB/s, {:?} ms", found.facts.duration_ms);
    }
}
