//! The house of these tests: a feed from bytes, all that can be inserted into it, and the bytes that come of it.

use std::io::Cursor;

use super::{Alternate, Amendment, Foreign, ItemAmendment, read};
use crate::splice::{apply, changing};

/// The feed in `bytes`, which is one.
pub(super) fn feed(bytes: impl AsRef<[u8]>) -> Foreign {
    let bytes = bytes.as_ref();
    read(&mut Cursor::new(bytes)).unwrap_or_else(|error| panic!("{error:?} in {}", String::from_utf8_lossy(bytes)))
}

/// Something behind every enclosure, and the link.
pub(super) fn everything(feed: &Foreign, base: &str) -> Amendment {
    let alternate = |number: usize| Alternate {
        url: None,
        mime: "audio/mpeg".to_owned(),
        bytes: 1000 + number as u64,
        bitrate_bps: number.is_multiple_of(2).then_some(64_000),
        torrent_url: format!("{base}torrents/{number}.torrent"),
        magnet: format!("magnet:?xt=urn:btih:{number}&dn=a"),
        sha384: number.is_multiple_of(3).then_some([0; 48]),
    };
    let mut numbers = 0..;
    let mut item = |enclosures: usize| ItemAmendment {
        alternates: numbers.by_ref().take(enclosures).map(|number| Some(alternate(number))).collect(),
        ..ItemAmendment::default()
    };
    Amendment {
        torrents_feed: Some(format!("{base}torrents.xml")),
        items: feed.items.iter().map(|found| item(found.enclosures.len())).collect(),
    }
}

/// `bytes` with what `amendment` says of the feed in them; the second run must find nothing to change.
pub(super) fn amended(bytes: impl AsRef<[u8]>, amendment: impl Fn(&Foreign) -> Amendment) -> Vec<u8> {
    let once = run(bytes.as_ref(), &amendment);
    let found = feed(&once);
    let edits = changing(found.amend(&amendment(&found)), &mut Cursor::new(&once)).expect("read");
    let told: Vec<_> = edits.iter().map(|edit| (edit, String::from_utf8_lossy(&edit.bytes))).collect();
    assert!(edits.is_empty(), "a second run changes {told:?} in\n{}", String::from_utf8_lossy(&once));
    once
}

fn run(bytes: &[u8], amendment: impl Fn(&Foreign) -> Amendment) -> Vec<u8> {
    let found = feed(bytes);
    let mut out = Vec::new();
    apply(bytes, &found.amend(&amendment(&found)), &mut out).expect("edits in order");
    out
}

/// `bytes` with everything in them.
pub(super) fn with_everything(bytes: impl AsRef<[u8]>) -> Vec<u8> {
    amended(bytes, |feed| everything(feed, "https://a.example.org/"))
}

/// The same of a text as a text.
pub(super) fn text_with_everything(text: &str) -> String {
    String::from_utf8(with_everything(text)).expect("UTF-8")
}

/// `bytes` without anything of ours but declarations.
pub(super) fn without_ours(bytes: impl AsRef<[u8]>) -> Vec<u8> {
    amended(bytes, |_| Amendment::default())
}

/// What is read of `text`, to look at.
pub(super) fn summary(text: &str) -> String {
    let feed = feed(text);
    let mut lines = vec![
        format!("{:?} {:?} link {:?} self {:?}", feed.format, feed.title, feed.link, feed.self_url),
        format!("language {:?} description {:?}", feed.language, feed.description),
    ];
    for item in &feed.items {
        lines.push(format!("{}: {:?} link {:?} guid {:?}", item.line, item.title, item.link, item.guid));
        let duration = (item.has_duration, item.duration_secs);
        lines.push(format!("  date {:?} duration {duration:?} description {:?}", item.date, item.description));
        let enclosures = item.enclosures.iter();
        lines.extend(enclosures.map(|one| format!("  {}: {:?} {:?} {:?}", one.line, one.url, one.length, one.mime)));
    }
    lines.extend(feed.faults.iter().map(|(line, fault)| format!("{line}: {fault}")));
    lines.join("\n")
}
