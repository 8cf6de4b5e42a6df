//! MPEG-4 and QuickTime: boxes as they pass, wherever the index (`moov`) stands, and in fragments.
//!
//! Only the boxes that tell something are kept, one at a time: of an audio book's index of many megabytes a few hundred
//! bytes. Texts that stand before the index that tells where they are can be found at the start of the data alone.

use std::collections::VecDeque;

use super::container::Container;
use super::mp4_track::{Sample, Track, text};
use super::scanner::{End, Reader, Step, WINDOW_BYTES_MAX};
use super::seen::{CHAPTERS_MAX, Seen, TEXT_BYTES_MAX, be16, be32, be64};

/// How many tracks are looked at.
const TRACKS_MAX: usize = 32;
/// How large a box can be whose content is read, in bytes.
const BOX_BYTES_MAX: u64 = WINDOW_BYTES_MAX as u64;
/// How much of the data is kept for an index that follows it, in bytes.
const DATA_HEAD_BYTES: u64 = 1 << 16;
/// How long the title of a chapter can be in a track, in bytes.
const SAMPLE_BYTES_MAX: usize = 2 * TEXT_BYTES_MAX;
/// What the files are named that are made of the same boxes and hold pictures.
const PICTURES: [&[u8; 4]; 7] = [b"heic", b"heix", b"heim", b"mif1", b"msf1", b"avif", b"crx "];

/// Reads MPEG-4.
#[derive(Debug, Default)]
pub struct Mp4 {
    /// The boxes around what comes next.
    open: Vec<Open>,
    tracks: Vec<Track>,
    /// Units a second of the movie, and how many it is long.
    scale: u32,
    units: u64,
    /// The units of its fragments, where they are told in front.
    fragments_units: u64,
    /// The index of the track that the fragment at hand belongs to, and the units of its samples.
    fragment: Option<(usize, u32)>,
    index: bool,
    picture: bool,
    /// Chapters of a list.
    listed: Vec<(u64, String)>,
    /// Texts that are still to come, in the order in which they stand.
    wanted: VecDeque<Sample>,
    /// Chapters of a track.
    told: Vec<(u64, String)>,
    /// The start of the first data.
    head: Option<(u64, Vec<u8>)>,
    /// Where the data at hand ends.
    data_end: Option<u64>,
}

#[derive(Debug, Clone, Copy)]
struct Open {
    kind: [u8; 4],
    end: u64,
}

/// What is done with a box.
enum Fate {
    /// What is in it is looked at.
    Open,
    /// Its content is read.
    Read,
    /// It is passed over.
    Pass,
}

impl Reader for Mp4 {
    fn step(&mut self, at: u64, window: &[u8], seen: &mut Seen) -> Step {
        if let Some(end) = self.data_end {
            if at < end {
                return self.data(at, end, window, seen);
            }
            self.data_end = None;
        }
        while self.open.last().is_some_and(|open| open.end <= at) {
            self.close(seen);
        }
        let around = self.open.last().map_or(u64::MAX, |open| open.end);
        if around - at < 8 {
            return Step::Take(around - at);
        }
        let (Some(size), Some(kind)) = (be32(window, 0), window.get(4..8)) else { return Step::More(8) };
        let kind = <[u8; 4]>::try_from(kind).expect("four bytes");
        let (head, size) = match size {
            0 => (8, around - at),
            1 => match be64(window, 8) {
                Some(size) => (16, size),
                None => return Step::More(16),
            },
            size => (8, u64::from(size)),
        };
        let end = at.saturating_add(size);
        if size < head || end > around {
            seen.warn("it is damaged: a box is longer than what is around it, or has no length");
            // What follows in there can't be told apart.
            return Step::Take(around - at);
        }
        let parent = self.open.last().map(|open| open.kind);
        if parent.is_none() && &kind == b"mdat" && size > head {
            self.data_end = Some(end);
            return Step::Take(head);
        }
        match fate(parent, kind) {
            // One index is all that there can be.
            Fate::Open if &kind == b"moov" && self.index => Step::Take(size),
            Fate::Open => {
                // In QuickTime `meta` is a plain box, in MPEG-4 it has a version.
                let meta = &kind == b"meta" && size >= 16;
                if meta && window.len() < 16 {
                    return Step::More(16);
                }
                let version = meta && window.get(12..16) != Some(b"hdlr");
                self.open(Open { kind, end });
                Step::Take(head + if version { 4 } else { 0 })
            }
            Fate::Read => {
                // Of a picture only its kind is looked at.
                let cover = parent == Some(*b"covr");
                let whole = if cover { size.min(head + 8) } else { size };
                if whole > BOX_BYTES_MAX {
                    seen.warn("a table of it is too large, and is passed over");
                    return Step::Take(size);
                }
                let whole = usize::try_from(whole).expect("no more than the maximum");
                let Some(content) = window.get(..whole) else { return Step::More(whole) };
                let content = &content[usize::try_from(head).expect("8 or 16")..];
                if cover {
                    tell_cover(content, size - head, seen);
                } else if self.read(parent, kind, content, seen).is_none() {
                    seen.warn("it is damaged: a box is too short for what it tells");
                }
                Step::Take(size)
            }
            Fate::Pass => Step::Take(size),
        }
    }

    fn finish(mut self: Box<Self>, end: &End<'_>, seen: &mut Seen) {
        let inside = self.open.iter().any(|open| open.end != u64::MAX) && (end.is_cut() || !end.rest.is_empty());
        while !self.open.is_empty() {
            self.close(seen);
        }
        seen.container = Some(Container::Mp4);
        if !self.index {
            if self.picture {
                seen.container = None;
            } else {
                seen.warn("it is cut off or damaged: it has no index (`moov`)");
            }
            return;
        }
        if inside || end.is_cut() {
            seen.warn("it is cut off");
        }
        self.tell(seen);
    }
}

/// What is done with a box in `parent`, or in none.
fn fate(parent: Option<[u8; 4]>, kind: [u8; 4]) -> Fate {
    match (parent.as_ref(), &kind) {
        (None, b"moov" | b"moof")
        | (Some(b"moov"), b"trak" | b"udta" | b"meta" | b"mvex")
        | (Some(b"trak"), b"mdia" | b"edts" | b"tref")
        | (Some(b"mdia"), b"minf")
        | (Some(b"minf"), b"stbl")
        | (Some(b"moof"), b"traf")
        | (Some(b"udta"), b"meta")
        | (Some(b"meta"), b"ilst")
        | (Some(b"ilst"), b"\xa9nam" | b"covr") => Fate::Open,
        (None, b"ftyp")
        | (Some(b"moov"), b"mvhd")
        | (Some(b"mvex"), b"mehd" | b"trex")
        | (Some(b"trak"), b"tkhd")
        | (Some(b"mdia"), b"mdhd" | b"hdlr")
        | (Some(b"edts"), b"elst")
        | (Some(b"tref"), b"chap")
        | (Some(b"traf"), b"tfhd" | b"trun")
        | (Some(b"udta"), b"chpl" | b"\xa9nam")
        | (Some(b"\xa9nam" | b"covr"), b"data")
        // The tables of a text, which are small; those of sound and pictures are not wanted.
        | (Some(b"text"), b"stts" | b"stsz" | b"stsc" | b"stco" | b"co64") => Fate::Read,
        _ => Fate::Pass,
    }
}

impl Mp4 {
    fn open(&mut self, mut open: Open) {
        match &open.kind {
            b"moov" => self.index = true,
            b"trak" if self.tracks.len() < TRACKS_MAX => self.tracks.push(Track::default()),
            b"traf" => self.fragment = None,
            // Under this name its tables are wanted.
            b"stbl" if self.tracks.last().is_some_and(Track::is_text) => open.kind = *b"text",
            _ => {}
        }
        self.open.push(open);
    }

    /// The innermost box is over.
    fn close(&mut self, seen: &mut Seen) {
        if self.open.pop().is_some_and(|open| &open.kind == b"moov") {
            self.seek_chapters(seen);
        }
    }

    /// A box with this content; `None` where that is too short.
    fn read(&mut self, parent: Option<[u8; 4]>, kind: [u8; 4], content: &[u8], seen: &mut Seen) -> Option<()> {
        let long = content.first() == Some(&1);
        match (parent.as_ref(), &kind) {
            (_, b"ftyp") => {
                let brand: &[u8; 4] = content.first_chunk()?;
                self.picture = PICTURES.contains(&brand);
            }
            (_, b"mvhd") if long => (self.scale, self.units) = (be32(content, 20)?, be64(content, 24)?),
            (_, b"mvhd") => (self.scale, self.units) = (be32(content, 12)?, u64::from(be32(content, 16)?)),
            (_, b"mehd") => self.fragments_units = if long { be64(content, 4)? } else { u64::from(be32(content, 4)?) },
            (_, b"trex") => {
                let (id, units) = (be32(content, 4)?, be32(content, 12)?);
                if let Some(track) = self.tracks.iter_mut().find(|track| track.id == id) {
                    track.sample_units = units;
                }
            }
            (_, b"tfhd") => {
                let (flags, id) = (be32(content, 0)?, be32(content, 4)?);
                let index = self.tracks.iter().position(|track| track.id == id);
                let at = 8 + if flags & 1 == 0 { 0 } else { 8 } + if flags & 2 == 0 { 0 } else { 4 };
                let own = if flags & 8 == 0 { None } else { Some(be32(content, at)?) };
                self.fragment = index.map(|index| (index, own.unwrap_or(self.tracks[index].sample_units)));
            }
            (_, b"trun") => {
                if let Some((index, units)) = self.fragment {
                    self.tracks[index].read_run(content, units)?;
                }
            }
            (_, b"chpl") => self.listed = chapter_list(content),
            (Some(b"udta"), b"\xa9nam") => {
                let bytes = usize::from(be16(content, 0)?);
                let text = content.get(4..)?;
                seen.title(&String::from_utf8_lossy(&text[..bytes.min(text.len())]));
            }
            (Some(b"\xa9nam"), b"data") => seen.title(&String::from_utf8_lossy(content.get(8..)?)),
            _ => self.tracks.last_mut()?.read(kind, content)?,
        }
        Some(())
    }

    /// The index is known: the chapters that stand in a track are read when they pass, or have passed.
    fn seek_chapters(&mut self, seen: &mut Seen) {
        let is_chapters = |track: &&Track| {
            track.is_text() && self.tracks.iter().any(|other| other.chapter_tracks.contains(&track.id))
        };
        let Some(track) = self.tracks.iter().find(is_chapters) else { return };
        let Some(mut samples) = track.samples() else {
            return seen.warn("its chapters are damaged, and are passed over");
        };
        samples.retain(|sample| (2..=SAMPLE_BYTES_MAX).contains(&sample.bytes));
        samples.sort_by_key(|sample| sample.offset);
        for sample in samples {
            let passed = self.head.as_ref().and_then(|(offset, head)| {
                let begin = usize::try_from(sample.offset.checked_sub(*offset)?).ok()?;
                head.get(begin..begin.checked_add(sample.bytes)?)
            });
            match passed {
                Some(bytes) => self.told.extend(text(bytes).map(|title| (sample.start_ms, title))),
                None => self.wanted.push_back(sample),
            }
        }
    }

    /// In the data, which ends at `end`.
    fn data(&mut self, at: u64, end: u64, window: &[u8], seen: &mut Seen) -> Step {
        if !self.index && self.head.is_none() {
            let bytes = usize::try_from((end - at).min(DATA_HEAD_BYTES)).expect("no more than the maximum");
            let Some(head) = window.get(..bytes) else { return Step::More(bytes) };
            self.head = Some((at, head.to_vec()));
            return Step::Take(bytes as u64);
        }
        while let Some(sample) = self.wanted.front().copied() {
            if sample.offset < at {
                self.wanted.pop_front();
                seen.warn("some of its chapters stand where they are not looked for");
                continue;
            }
            if sample.offset.saturating_add(sample.bytes as u64) > end {
                break;
            }
            if sample.offset > at {
                return Step::Take(sample.offset - at);
            }
            let Some(bytes) = window.get(..sample.bytes) else { return Step::More(sample.bytes) };
            self.told.extend(text(bytes).map(|title| (sample.start_ms, title)));
            self.wanted.pop_front();
            return Step::Take(sample.bytes as u64);
        }
        Step::Take(end - at)
    }

    fn tell(self, seen: &mut Seen) {
        let media = |track: &&Track| matches!(&track.handler, b"soun" | b"vide");
        // Pictures that change with the chapters are no film.
        let of_chapters = |id: u32| self.tracks.iter().any(|track| track.chapter_tracks.contains(&id));
        let shown = || self.tracks.iter().filter(media).filter(|track| !of_chapters(track.id));
        seen.video |= shown().any(|track| &track.handler == b"vide");
        if shown().next().is_none() {
            seen.container = None;
        }
        let longest = shown()
            .filter_map(|track| track.duration(self.scale))
            .max_by_key(|&(units, scale)| u128::from(units) * 1_000_000 / u128::from(scale));
        let (units, scale) = longest.unwrap_or_else(|| {
            let movie = if self.units == u64::from(u32::MAX) || self.units == u64::MAX { 0 } else { self.units };
            (movie.max(self.fragments_units), self.scale)
        });
        seen.duration(u128::from(units), u64::from(scale));
        if !self.wanted.is_empty() {
            seen.warn("some of its chapters stand where they are not looked for");
        }
        // A list holds at most 255, a track as many as there are.
        let chapters = if self.told.len() > self.listed.len() { self.told } else { self.listed };
        for (start_ms, title) in chapters {
            seen.chapter(start_ms, &title);
        }
    }
}

/// Nero's chapters: a start in units of 100 ns and a title each.
fn chapter_list(content: &[u8]) -> Vec<(u64, String)> {
    let at = if content.first() == Some(&0) { 4 } else { 8 };
    let Some((&count, mut rest)) = content.get(at..).and_then(<[u8]>::split_first) else { return Vec::new() };
    let mut chapters = Vec::new();
    for _ in 0..usize::from(count).min(CHAPTERS_MAX) {
        let (Some(start), Some(&bytes)) = (be64(rest, 0), rest.get(8)) else { break };
        let Some(title) = rest.get(9..9 + usize::from(bytes)) else { break };
        chapters.push((start / 10_000, String::from_utf8_lossy(title).into_owned()));
        rest = &rest[9 + title.len()..];
    }
    chapters
}

/// A picture of so many bytes with their kind and locale in front.
fn tell_cover(head: &[u8], bytes: u64, seen: &mut Seen) {
    let mime = match be32(head, 0) {
        Some(13) => "image/jpeg",
        Some(14) => "image/png",
        Some(27) => "image/bmp",
        _ => return,
    };
    seen.cover(mime, bytes.saturating_sub(8), true);
}

#[cfg(test)]
#[path = "mp4_tests.rs"]
mod tests;
