//! A feed of 2,000 items: reading it, amending it and writing it, against a plain pass of the same parser over the same
//! bytes; and what a feed of 200 MB takes.
//!
//! `cargo bench --bench attach`

use std::fmt::Write as _;
use std::fs::{self, File};
use std::io::{self, BufReader, BufWriter, Cursor, Write};
use std::time::{Duration, Instant};

use everseed::feed::foreign::{Alternate, Amendment, Foreign, ItemAmendment, read};
use everseed::splice::apply;
use quick_xml::Reader;
use quick_xml::events::Event;

const ITEMS: usize = 2000;
const LARGE_BYTES: usize = 200 << 20;
const RUNS: usize = 9;

#[expect(clippy::disallowed_methods, reason = "a benchmark reads the clock")]
fn time<T>(work: impl FnOnce() -> T) -> (Duration, T) {
    let start = Instant::now();
    let made = work();
    (start.elapsed(), made)
}

fn median<T>(mut work: impl FnMut() -> T) -> Duration {
    let mut took: Vec<_> = (0..RUNS).map(|_| time(&mut work).0).collect();
    took.sort();
    took[RUNS / 2]
}

fn item(number: usize) -> String {
    let notes = "A paragraph with &lt;b&gt;strong&lt;/b&gt; words and a link. ".repeat(20);
    let mut text = String::new();
    write!(
        text,
        "    <item>\n      <title>Episode {number}</title>\n      <link>https://show.example.org/{number}/</link>\n      \
         <pubDate>Fri, 01 May 2026 06:00:00 +0000</pubDate>\n      <guid>https://show.example.org/{number}/</guid>\n      \
         <description>{notes}</description>\n      <content:encoded><![CDATA[<p>{notes}</p>]]></content:encoded>\n      \
         <enclosure url=\"https://show.example.org/{number}.mp3\" length=\"12345\" type=\"audio/mpeg\" />\n      \
         <itunes:duration>1:02:03</itunes:duration>\n    </item>\n"
    )
    .expect("a String takes all that is written");
    text
}

const HEAD: &str = "<?xml version=\"1.0\" encoding=\"utf-8\"?>\n<rss version=\"2.0\" \
    xmlns:itunes=\"http://www.itunes.com/dtds/podcast-1.0.dtd\" xmlns:content=\"http://purl.org/rss/1.0/modules/content/\">\n  \
    <channel>\n    <title>A show</title>\n    <link>https://show.example.org/</link>\n";
const TAIL: &str = "  </channel>\n</rss>\n";

fn everything(feed: &Foreign) -> Amendment {
    let alternate = Alternate {
        url: None,
        mime: "audio/mpeg".to_owned(),
        bytes: 12345,
        bitrate_bps: Some(64_000),
        torrent_url: "https://show.example.org/torrents/one.torrent".to_owned(),
        magnet: format!("magnet:?xt=urn:btih:{}&dn=one.mp3", "0".repeat(40)),
        sha384: Some([7; 48]),
    };
    let item = ItemAmendment { alternates: vec![Some(alternate)], ..ItemAmendment::default() };
    Amendment {
        torrents_feed: Some("https://show.example.org/torrents.xml".to_owned()),
        items: vec![item; feed.items.len()],
    }
}

fn pass(bytes: &[u8]) -> usize {
    let mut reader = Reader::from_reader(bytes);
    let (mut events, mut buffer) = (0, Vec::new());
    loop {
        buffer.clear();
        match reader.read_event_into(&mut buffer).expect("well-formed") {
            Event::Eof => return events,
            _ => events += 1,
        }
    }
}

fn amended(bytes: &[u8]) -> Vec<u8> {
    let feed = read(&mut Cursor::new(bytes)).expect("a feed");
    let mut out = Vec::with_capacity(bytes.len());
    apply(bytes, &feed.amend(&everything(&feed)), &mut out).expect("written");
    out
}

/// The most memory that this process ever held, in MiB, where the system tells.
fn peak_mib() -> Option<usize> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    line.split_whitespace().next()?.parse::<usize>().ok().map(|kib| kib >> 10)
}

/// A feed of 200 MB, most of which is items without enclosures and the notes of 2,000 others.
fn large() -> io::Result<()> {
    let dir = tempfile::tempdir()?;
    let path = dir.path().join("feed.xml");
    let mut file = BufWriter::new(File::create(&path)?);
    file.write_all(HEAD.as_bytes())?;
    let (mut written, mut number) = (0, 0);
    while written < LARGE_BYTES {
        let text = item(number);
        let text = if number < ITEMS { text } else { text.replace("<enclosure", "<other") };
        written += text.len();
        number += 1;
        file.write_all(text.as_bytes())?;
    }
    file.write_all(TAIL.as_bytes())?;
    file.into_inner().map_err(io::IntoInnerError::into_error)?;
    let before = peak_mib();
    let (took, feed) = time(|| read(&mut File::open(&path).expect("a file")).expect("a feed"));
    let mut out = BufWriter::new(File::create(dir.path().join("out.xml"))?);
    apply(BufReader::new(File::open(&path)?), &feed.amend(&everything(&feed)), &mut out)?;
    println!("{} MiB, {number} items, {} of them with enclosures: read in {took:.1?}", written >> 20, feed.items.len());
    if let (Some(before), Some(after)) = (before, peak_mib()) {
        println!("most memory before it {before} MiB, after it {after} MiB");
    }
    Ok(())
}

fn main() {
    large().expect("a folder for it");
    let bytes = (HEAD.to_owned() + &(0..ITEMS).map(item).collect::<String>() + TAIL).into_bytes();
    let limit = median(|| pass(&bytes));
    let read_only = median(|| read(&mut Cursor::new(&bytes)).expect("a feed"));
    let first = median(|| amended(&bytes));
    let full = amended(&bytes);
    let second = median(|| amended(&full));
    assert!(amended(&full) == full, "a second run changes nothing");
    println!("{ITEMS} items, {} KiB, median of {RUNS} runs", bytes.len() >> 10);
    println!("{:<44} {:>9} {:>9}", "", "ms", "of limit");
    for (label, took) in [
        ("limit: a plain pass of the parser", limit),
        ("reading the feed", read_only),
        ("reading, amending, writing", first),
        ("the same of the amended feed", second),
    ] {
        println!("{label:<44} {:>9.2} {:>9.2}", took.as_secs_f64() * 1e3, took.as_secs_f64() / limit.as_secs_f64());
    }
}
