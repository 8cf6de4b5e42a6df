//! A track of an MPEG-4 movie: how long it is, and where its samples stand if they are the titles of chapters.

use super::seen::{CHAPTERS_MAX, be16, be32, be64};

/// How many other tracks a track can name.
const REFERENCES_MAX: usize = 16;
/// How much of a table is kept, in bytes: more than so many chapters take.
const TABLE_BYTES_MAX: usize = 16 * CHAPTERS_MAX;

/// What is kept of a track.
#[derive(Debug, Default)]
pub struct Track {
    /// Its number, by which other tracks and fragments name it.
    pub id: u32,
    /// What it holds: `soun`, `vide`, `text` and others.
    pub handler: [u8; 4],
    /// Units a second.
    scale: u32,
    /// Units of its samples in the movie's own tables.
    units: u64,
    /// Units of its samples in fragments.
    pub fragment_units: u64,
    /// The units of a sample in a fragment that does not say it.
    pub sample_units: u32,
    /// What the edit list shows of it, in units of the movie.
    edit_units: u64,
    /// The first unit that is shown.
    edit_start: u64,
    /// The tracks that hold its chapters.
    pub chapter_tracks: Vec<u32>,
    /// The tables of its samples, which are kept of texts alone.
    tables: Vec<([u8; 4], Vec<u8>)>,
}

/// A sample that is the title of a chapter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sample {
    /// Where it stands in the file.
    pub offset: u64,
    pub bytes: usize,
    /// When it begins.
    pub start_ms: u64,
}

impl Track {
    /// Whether it is a text, which chapters are.
    pub fn is_text(&self) -> bool {
        matches!(&self.handler, b"text" | b"sbtl" | b"subt")
    }

    /// A box of the track with this content; none that it does not know.
    pub fn read(&mut self, kind: [u8; 4], content: &[u8]) -> Option<()> {
        let long = content.first() == Some(&1);
        match &kind {
            b"tkhd" => self.id = be32(content, if long { 20 } else { 12 })?,
            b"mdhd" if long => (self.scale, self.units) = (be32(content, 20)?, be64(content, 24)?),
            b"mdhd" => (self.scale, self.units) = (be32(content, 12)?, u64::from(be32(content, 16)?)),
            b"hdlr" => self.handler = *content.get(8..)?.first_chunk()?,
            b"elst" => self.read_edits(content, long)?,
            b"chap" => {
                let ids = content.chunks_exact(4).take(REFERENCES_MAX).filter_map(|id| be32(id, 0));
                self.chapter_tracks = ids.collect();
            }
            // Those that lead to a text alone come here; a second one of a kind is none that can be meant.
            b"stts" | b"stsz" | b"stsc" | b"stco" | b"co64" if self.table(kind).is_none() => {
                self.tables.push((kind, content[..content.len().min(TABLE_BYTES_MAX)].to_vec()));
            }
            _ => {}
        }
        Some(())
    }

    /// ISO 14496-12, 8.6.6: an empty edit only waits, which no decoder gives.
    fn read_edits(&mut self, content: &[u8], long: bool) -> Option<()> {
        let entries = content.get(8..)?.chunks_exact(if long { 20 } else { 12 });
        let mut first = true;
        for entry in entries.take(be32(content, 4)? as usize) {
            let (units, start) = if long {
                (be64(entry, 0)?, be64(entry, 8)?)
            } else {
                (
                    u64::from(be32(entry, 0)?),
                    be32(entry, 4).map(|start| if start == u32::MAX { u64::MAX } else { u64::from(start) })?,
                )
            };
            if start == u64::MAX {
                continue;
            }
            self.edit_units = self.edit_units.saturating_add(units);
            if std::mem::take(&mut first) {
                self.edit_start = start;
            }
        }
        Some(())
    }

    /// A run of samples in a fragment (8.8.8), whose samples last so many units each where it does not say it.
    pub fn read_run(&mut self, content: &[u8], sample_units: u32) -> Option<()> {
        let flags = be32(content, 0)?;
        let count = be32(content, 4)? as usize;
        let units = if flags & 0x100 == 0 {
            u64::from(sample_units).saturating_mul(count as u64)
        } else {
            let at = 8 + [0x1, 0x4].iter().filter(|&bit| flags & bit != 0).count() * 4;
            let entry = [0x100, 0x200, 0x400, 0x800].iter().filter(|&bit| flags & bit != 0).count() * 4;
            let entries = content.get(at..)?.chunks_exact(entry).take(count);
            entries.filter_map(|entry| be32(entry, 0)).map(u64::from).sum()
        };
        self.fragment_units = self.fragment_units.saturating_add(units);
        Some(())
    }

    /// How long it is, in units and units a second; `None` where it does not tell.
    pub fn duration(&self, movie_scale: u32) -> Option<(u64, u32)> {
        let known = |units: u64| if matches!(units, 0xffff_ffff | u64::MAX) { 0 } else { units };
        let whole = known(self.units).saturating_add(self.fragment_units);
        let (units, scale) = if self.edit_units > 0 && self.fragment_units == 0 {
            (known(self.edit_units), movie_scale)
        } else {
            (whole.saturating_sub(self.edit_start), self.scale)
        };
        (units > 0 && scale > 0).then_some((units, scale))
    }

    fn table(&self, kind: [u8; 4]) -> Option<&[u8]> {
        self.tables.iter().find(|(known, _)| *known == kind).map(|(_, content)| content.as_slice())
    }

    /// Where its samples stand, in their order in time.
    pub fn samples(&self) -> Option<Vec<Sample>> {
        let sizes = self.table(*b"stsz")?;
        let (size, count) = (be32(sizes, 4)?, be32(sizes, 8)? as usize);
        let times = self.table(*b"stts")?;
        let mut times = times.get(8..)?.chunks_exact(8).flat_map(|entry| {
            let (count, units) = (be32(entry, 0).unwrap_or_default(), be32(entry, 4).unwrap_or_default());
            std::iter::repeat_n(units, count as usize)
        });
        let runs = self.table(*b"stsc")?.get(8..)?;
        let mut samples = Vec::new();
        let mut units = 0_u64;
        for (index, mut offset) in self.chunks()?.enumerate() {
            // The last run that begins with this chunk or one before it.
            let runs =
                runs.chunks_exact(12).take_while(|run| be32(run, 0).is_some_and(|first| first as usize <= index + 1));
            let in_chunk = runs.last().and_then(|run| be32(run, 4)).unwrap_or_default();
            for _ in 0..in_chunk {
                if samples.len() >= count.min(CHAPTERS_MAX) {
                    return Some(samples);
                }
                let bytes = if size == 0 { be32(sizes, 12 + 4 * samples.len())? } else { size };
                let start_ms = units.saturating_mul(1000).checked_div(u64::from(self.scale))?;
                samples.push(Sample { offset, bytes: bytes as usize, start_ms });
                offset = offset.saturating_add(u64::from(bytes));
                units = units.saturating_add(u64::from(times.next()?));
            }
            if index > CHAPTERS_MAX {
                break;
            }
        }
        Some(samples)
    }

    fn chunks(&self) -> Option<Box<dyn Iterator<Item = u64> + '_>> {
        if let Some(long) = self.table(*b"co64") {
            return Some(Box::new(long.get(8..)?.chunks_exact(8).filter_map(|entry| be64(entry, 0))));
        }
        let short = self.table(*b"stco")?.get(8..)?;
        Some(Box::new(short.chunks_exact(4).filter_map(|entry| be32(entry, 0).map(u64::from))))
    }
}

/// The text of a sample: its length, then UTF-8 or, with a mark, UTF-16.
pub fn text(sample: &[u8]) -> Option<String> {
    let bytes = usize::from(be16(sample, 0)?);
    let text = sample.get(2..)?;
    let text = &text[..bytes.min(text.len())];
    Some(match text {
        [0xfe, 0xff, units @ ..] => utf16(units, u16::from_be_bytes),
        [0xff, 0xfe, units @ ..] => utf16(units, u16::from_le_bytes),
        _ => String::from_utf8_lossy(text).into_owned(),
    })
}

fn utf16(bytes: &[u8], unit: fn([u8; 2]) -> u16) -> String {
    let units = bytes.chunks_exact(2).map(|pair| unit([pair[0], pair[1]]));
    char::decode_utf16(units).map(|c| c.unwrap_or(char::REPLACEMENT_CHARACTER)).collect()
}
