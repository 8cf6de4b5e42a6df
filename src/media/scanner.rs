//! The stream in any cuts, handed to the reader of its format in windows that are as long as that asks for.

use super::container::{Container, judge};
use super::flac::Flac;
use super::frames::{self, Frames};
use super::id3::Id3;
use super::matroska::Matroska;
use super::mp4::Mp4;
use super::ogg::Ogg;
use super::seen::Seen;
use super::wav::Wav;
use super::{Facts, Found, Kind, mime};

/// How much of a stream a reader can ask to see at once, in bytes. A scanner keeps a few KiB of a usual medium; with
/// every list and table of a hostile one at its maximum less than 32 times this.
pub const WINDOW_BYTES_MAX: usize = 1 << 18;
/// How many bytes a window holds beyond what was asked for, where it has to be copied.
const SPARE_BYTES: usize = 1 << 10;
/// How many bytes tell the container.
const HEAD_BYTES: usize = 16;

/// What a reader does with its window.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// So many bytes are dealt with, or not wanted; it can be more than the window holds, and is never 0.
    Take(u64),
    /// The window is too short: at least so many bytes, at most [`WINDOW_BYTES_MAX`].
    More(usize),
}

/// A format's reader. What it sees does not depend on the length of the window beyond what it asked for.
pub trait Reader: Send {
    /// Looks at the stream from byte `at`; the window holds what was asked for, at least one byte.
    fn step(&mut self, at: u64, window: &[u8], seen: &mut Seen) -> Step;

    /// The stream ended.
    fn finish(self: Box<Self>, end: &End<'_>, seen: &mut Seen);
}

/// How a stream ended.
#[derive(Debug, Clone, Copy)]
pub struct End<'a> {
    /// What is left of it, less than the reader asked for.
    pub rest: &'a [u8],
    /// How many bytes there were in all.
    pub at: u64,
    /// How many bytes that the reader took were not there; what has no end takes all that there could be.
    pub missing: u64,
}

impl End<'_> {
    /// Whether what the reader took has an end, which was not there.
    pub fn is_cut(&self) -> bool {
        (1..u64::MAX / 2).contains(&self.missing)
    }
}

/// Finds the facts about a medium in its bytes, which are pushed in order and in any cuts.
///
/// It never fails: what can't be found out is absent.
pub struct Scanner {
    name: String,
    bytes: u64,
    seen: Seen,
    state: State,
    /// Where the next byte to look at stands in the stream.
    at: u64,
    /// How many more bytes are passed over.
    skip: u64,
    /// What the reader wants in its window.
    need: usize,
    /// The window, where it reaches over a cut.
    kept: Vec<u8>,
}

enum State {
    /// Nothing but ID3 tags so far.
    Front,
    /// In an ID3 tag in front.
    Tag(Box<Id3>),
    /// In the medium itself.
    Body(Box<dyn Reader>),
    /// What follows says nothing.
    Over,
}

impl std::fmt::Debug for Scanner {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Scanner").field("name", &self.name).field("at", &self.at).finish_non_exhaustive()
    }
}

impl Scanner {
    /// A scanner for a file that is published under `name`, whose extension is only a hint, and holds `bytes` bytes; 0
    /// where that is not known.
    pub fn new(name: &str, bytes: u64) -> Self {
        let (seen, kept) = (Seen::default(), Vec::new());
        Self { name: name.to_owned(), bytes, seen, state: State::Front, at: 0, skip: 0, need: HEAD_BYTES, kept }
    }

    /// The next bytes.
    pub fn push(&mut self, mut bytes: &[u8]) {
        loop {
            let passed = self.skip.min(bytes.len() as u64);
            self.pass(passed);
            bytes = &bytes[usize::try_from(passed).expect("no more than the slice holds")..];
            if self.skip > 0 {
                return;
            }
            if self.kept.is_empty() && bytes.len() >= self.need {
                let taken = self.step(bytes);
                bytes = &bytes[taken..];
                continue;
            }
            let before = self.kept.len();
            let lack = self.need.saturating_sub(before);
            // Some more than is asked for, so that the window leaves the cut behind.
            let lent = if lack == 0 { 0 } else { (lack + SPARE_BYTES).min(bytes.len()) };
            self.kept.extend_from_slice(&bytes[..lent]);
            if self.kept.len() < self.need {
                return;
            }
            let mut kept = std::mem::take(&mut self.kept);
            let taken = self.step(&kept);
            if let Some(of_lent) = taken.checked_sub(before) {
                // What is left of the window stands in `bytes`, too.
                bytes = &bytes[of_lent..];
                kept.clear();
            } else {
                bytes = &bytes[lent..];
                kept.drain(..taken);
            }
            self.kept = kept;
        }
    }

    /// Passes over so many bytes of those that it does not look at.
    fn pass(&mut self, bytes: u64) {
        let bytes = bytes.min(self.skip);
        self.skip -= bytes;
        self.at = self.at.saturating_add(bytes);
    }

    /// The stream has ended: what was found.
    pub fn finish(mut self) -> Found {
        if matches!(self.state, State::Front) && self.skip == 0 {
            let kept = std::mem::take(&mut self.kept);
            self.state = self.begin(&kept);
            self.need = 1;
            self.push(&kept);
        }
        let bytes = self.at.saturating_add(self.kept.len() as u64);
        let end = End { rest: &self.kept, at: bytes, missing: self.skip };
        match self.state {
            State::Body(reader) => reader.finish(&end, &mut self.seen),
            State::Tag(_) => self.seen.warn("it ends in its ID3 tag"),
            State::Front | State::Over => {}
        }
        let (mime, warning) = judge(&self.name, self.seen.container, self.seen.video);
        if let Some(warning) = warning.filter(|_| bytes > 0) {
            self.seen.warn(&warning);
        }
        let kind = Kind::of_mime(&mime);
        let duration_ms = self.seen.duration_ms().filter(|_| kind != Kind::Other);
        let bitrate_bps = duration_ms
            .and_then(|ms| (u128::from(self.bytes.max(bytes)) * 8 * 1000).checked_div(u128::from(ms)))
            .and_then(|bps| u32::try_from(bps).ok());
        let (title, cover, chapters, warnings) = self.seen.into_parts();
        Found { facts: Facts { mime, kind, duration_ms, bitrate_bps, title, cover, chapters }, warnings }
    }

    /// One step over `window`, which holds what was asked for; gives how much of it is dealt with.
    fn step(&mut self, window: &[u8]) -> usize {
        let step = match &mut self.state {
            State::Front => {
                let Some(step) = self.front(window) else {
                    // What was chosen looks at the same window.
                    self.need = 1;
                    return 0;
                };
                step
            }
            State::Tag(tag) => {
                let taken = tag.push(window, &mut self.seen);
                if tag.is_whole() {
                    tag.end(&mut self.seen);
                    self.state = State::Front;
                }
                Step::Take(taken as u64)
            }
            State::Body(reader) => reader.step(self.at, window, &mut self.seen),
            State::Over => Step::Take(u64::MAX),
        };
        match step {
            Step::Take(taken @ 1..) => {
                let inside = taken.min(window.len() as u64);
                self.skip = taken - inside;
                self.at = self.at.saturating_add(inside);
                self.need = if matches!(self.state, State::Front) { HEAD_BYTES } else { 1 };
                usize::try_from(inside).expect("no more than the window holds")
            }
            Step::More(need) if need > window.len() && need <= WINDOW_BYTES_MAX => {
                self.need = need;
                0
            }
            // A reader that does not move on would never end.
            _ => {
                debug_assert!(false, "{step:?} of {} bytes", window.len());
                self.state = State::Over;
                self.need = 1;
                0
            }
        }
    }

    /// Looks at what stands in front; `None` where the medium itself begins, for which a reader was chosen.
    fn front(&mut self, window: &[u8]) -> Option<Step> {
        if let Some(tag) = Id3::begin(window) {
            if !tag.is_whole() {
                self.state = State::Tag(Box::new(tag));
            }
            return Some(Step::Take(frames::ID3_HEADER_BYTES as u64));
        }
        let content = Container::of_content(window);
        if content.is_none() && frames::may_begin(window) && window.len() < frames::SURE_BYTES {
            return Some(Step::More(frames::SURE_BYTES));
        }
        self.state = self.begin(window);
        None
    }

    /// The reader of what begins with `head`.
    fn begin(&mut self, head: &[u8]) -> State {
        let content = Container::of_content(head);
        self.seen.container = content;
        match content {
            Some(Container::Mp4) => State::Body(Box::<Mp4>::default()),
            Some(Container::Ogg) => State::Body(Box::<Ogg>::default()),
            Some(Container::Flac) => State::Body(Box::<Flac>::default()),
            Some(Container::Wav) => State::Body(Box::<Wav>::default()),
            Some(Container::Matroska | Container::WebM) => State::Body(Box::<Matroska>::default()),
            Some(Container::Mpeg | Container::Adts) | None => {
                let named = Container::of_mime(&mime::of(&self.name));
                let hinted = matches!(named, Some(Container::Mpeg | Container::Adts)) || self.at > 0;
                if hinted || frames::begins(head) { State::Body(Box::<Frames>::default()) } else { State::Over }
            }
        }
    }
}
