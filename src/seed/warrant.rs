//! Files that leave by another way than to peers: whether their bytes are as their torrents say, and reading them only
//! where they are.
//!
//! A piece that matched counts for as long as its file looks as it did, also where it matched in a former run: to hash
//! it once more is kept for peers, who ban whoever sends them a bad one. A piece of which nothing is known is hashed
//! before a byte of it leaves. What nobody can tell, since a neighbour in the same piece is damaged, leaves as it is.

use std::fmt;
use std::fs::{File, Metadata};
use std::io::{self, IoSliceMut};
use std::os::unix::fs::{FileExt, MetadataExt};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use tokio::time::{Instant, sleep};

use super::Seed;
use super::content::Content;
use super::disk::{self, FileFault, Refused};
use super::disks::ANSWER_WITHIN;
use super::torrents::Entry;
use crate::fingerprint::Fingerprint;
use crate::fsx::cached;
use crate::id::InfoHash;

/// The most torrents of one file that are asked about it.
const HOLDERS_MAX: usize = 8;
/// How often bytes are tried again that are not to be had just now, since the file changes or has just been hashed.
const AGAIN_MAX: u32 = 20;
/// How long it takes until they are.
const AGAIN_AFTER: Duration = Duration::from_millis(200);

/// Those who can tell whether the bytes of a file are right: the torrents that have it.
#[derive(Clone)]
pub struct Warrant {
    seed: Arc<Seed>,
    holders: Arc<[Holder]>,
}

struct Holder {
    entry: Arc<Entry>,
    slot: usize,
}

/// An open file of which bytes leave.
#[derive(Debug)]
pub struct Reading {
    warrant: Warrant,
    file: File,
    /// How it looked, and by how many names it was known, when all that is read of it was known to be right.
    begun: Option<(Fingerprint, u64)>,
    /// What was hashed for this reading alone.
    proved: Mutex<Option<Proved>>,
}

/// That bytes of a file matched one torrent, while another one says that they are bad.
#[derive(Debug)]
struct Proved {
    holder: usize,
    looks: Fingerprint,
    at: u64,
    end: u64,
}

/// What a torrent says of bytes of a file that looks in some way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Standing {
    Good,
    Bad,
    Unknown,
    /// The file at its place looks otherwise.
    Another,
}

/// What all of its torrents say together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Verdict {
    Good,
    /// Not one of them says that they are right.
    Bad,
    /// This one is to hash them first.
    Unknown(usize),
    /// This one says that they are right, and another that they are not.
    Contested(usize),
    /// They are those of a file that is no longer at its place.
    Another,
}

enum Tried {
    Read(Bytes),
    Bad,
    Changing,
    /// This holder is to hash them first, whatever is known of them where it is `contested`.
    Unproved {
        holder: usize,
        contested: bool,
    },
}

impl Seed {
    /// What tells whether the bytes of a file are right, by those of `torrents` that have it, each with what it calls
    /// the file.
    pub fn warrant(self: &Arc<Self>, torrents: &[(InfoHash, &str)]) -> Option<Warrant> {
        let holder = |(info_hash, name): &(InfoHash, &str)| {
            let entry = self.entry(info_hash)?;
            let slot = entry.content.slots.iter().position(|slot| slot.place.is_called(name))?;
            Some(Holder { entry, slot })
        };
        let holders: Arc<[Holder]> = torrents.iter().take(HOLDERS_MAX).filter_map(holder).collect();
        (!holders.is_empty()).then(|| Warrant { seed: Arc::clone(self), holders })
    }
}

impl Warrant {
    /// Takes the file, of which so many bytes from `start` on are to leave; where it is known that some of these are not
    /// right, it says what is wrong. It blocks.
    pub fn open(&self, file: File, start: u64, bytes: u64) -> Result<Reading, String> {
        let metadata = file.metadata().map_err(|error| error.to_string())?;
        let looks = Fingerprint::of(&metadata);
        let begun = match self.weigh(looks, start, bytes) {
            Verdict::Good => Some((looks, metadata.nlink())),
            Verdict::Bad => return Err(self.fault(looks)),
            Verdict::Unknown(_) | Verdict::Contested(_) | Verdict::Another => None,
        };
        Ok(Reading { warrant: self.clone(), file, begun, proved: Mutex::default() })
    }

    /// Does `work`, which touches the file, beside the threads that speak with clients, in its turn among the reads for
    /// peers; where its disk does not answer it says so (`TimedOut`), and a thread that hangs there takes no place that
    /// other torrents need.
    pub async fn supervise<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> io::Result<T> {
        let Holder { entry, slot } = &self.holders[0];
        let working = self.seed.read_for_peer(entry, move |entry| {
            let done = work();
            entry.beat();
            done
        });
        working.await.map_err(|refused| match refused {
            Refused::Silent => io::Error::new(
                io::ErrorKind::TimedOut,
                format!(
                    "{} does not answer: reading takes more than {} s",
                    entry.content.slots[*slot].place.name(),
                    ANSWER_WITHIN.as_secs()
                ),
            ),
            _ => io::Error::other("a thread has ended before its work"),
        })
    }

    /// What its torrents say of bytes of the file that looks so. It blocks.
    fn weigh(&self, looks: Fingerprint, start: u64, bytes: u64) -> Verdict {
        let standing = |Holder { entry, slot }: &Holder| {
            let standing = entry.standing(*slot, looks, start, bytes);
            if standing != Standing::Another {
                return standing;
            }
            disk::look_at(entry, *slot);
            self.seed.verify_wanted.notify_one();
            entry.standing(*slot, looks, start, bytes)
        };
        let standings: Vec<_> = self.holders.iter().map(standing).collect();
        let first = |wanted| standings.iter().position(|standing| *standing == wanted);
        match (first(Standing::Good), first(Standing::Bad), first(Standing::Unknown)) {
            (Some(_), None, _) => Verdict::Good,
            (Some(holder), Some(_), _) => Verdict::Contested(holder),
            (None, _, Some(holder)) => Verdict::Unknown(holder),
            (None, Some(_), None) => Verdict::Bad,
            (None, None, None) => Verdict::Another,
        }
    }

    /// What is wrong with the file that looks so.
    fn fault(&self, looks: Fingerprint) -> String {
        let Holder { entry, slot } = &self.holders[0];
        let slot = &entry.content.slots[*slot];
        let name = slot.place.name();
        if looks.bytes != slot.bytes {
            return format!("{name} {}", FileFault::Size(looks.bytes).said_of(slot.bytes));
        }
        let faults = entry.faults(&entry.state());
        let own = faults.into_iter().find(|fault| fault.strip_prefix(&name).is_some_and(|rest| rest.starts_with(' ')));
        own.unwrap_or_else(|| format!("{name} is not as its torrent says"))
    }

    /// Where the pieces begin and end, in the file, that hold a run of its bytes.
    fn whole_pieces(&self, holder: usize, start: u64, bytes: u64) -> (u64, u64) {
        let Holder { entry, slot } = &self.holders[holder];
        let pieces = entry.content.pieces_between(*slot, start, bytes);
        let at = |piece: u32| {
            (u64::from(piece) * u64::from(entry.content.piece_length().bytes()))
                .saturating_sub(entry.content.slots[*slot].start)
        };
        (at(pieces.start), at(pieces.end))
    }

    /// Hashes the pieces of a run of bytes: those of which nothing is known, or all of them.
    async fn prove(&self, holder: usize, start: u64, bytes: u64, all: bool) -> Result<(), Refused> {
        let Holder { entry, slot } = &self.holders[holder];
        if let Some(rest) = entry.settles_in(Instant::now()) {
            // What is hashed before can't be relied upon.
            sleep(rest).await;
        }
        let pieces = entry.content.pieces_between(*slot, start, bytes);
        let hashing = self.seed.read_for_peer(entry, move |entry| {
            pieces.filter(|&piece| all || !entry.state().knows(piece)).try_for_each(|it| disk::verify_piece(entry, it))
        });
        hashing.await?
    }
}

impl Reading {
    /// Reads `bytes` bytes from `at` on where that waits for nothing: they are known to be right, and the system has them
    /// in its cache. To hand them to a thread and back costs more than to read them from there.
    pub fn read_at_once(&self, at: u64, bytes: usize) -> Option<Bytes> {
        let (looks, _) = self.begun?;
        let is_good = |Holder { entry, slot }: &Holder| {
            #[cfg(test)]
            let is_free = entry.content.slots[*slot].place.folder().obstacle.is_free().is_some();
            #[cfg(not(test))]
            let is_free = true;
            is_free && entry.standing(*slot, looks, at, bytes as u64) == Standing::Good
        };
        if !self.warrant.holders.iter().all(is_good) {
            return None;
        }
        let mut read = vec![0; bytes];
        let is_whole = cached::read(&self.file, &mut [IoSliceMut::new(&mut read)], at).ok()? == bytes;
        // Behind the reading, see [`super::cached`].
        (is_whole && Fingerprint::of(&self.file.metadata().ok()?) == looks).then(|| read.into())
    }

    /// Reads `bytes` bytes from `at` on, where they are right; an error says why nothing is to be had of them.
    pub async fn read(self: Arc<Self>, at: u64, bytes: usize) -> io::Result<Bytes> {
        let mut last = None;
        for _ in 0..AGAIN_MAX {
            let own = Arc::clone(&self);
            let (looks, tried) = self.warrant.supervise(move || own.attempt(at, bytes)).await??;
            last = Some(looks);
            let again_after = match tried {
                Tried::Read(read) => return Ok(read),
                Tried::Bad => break,
                Tried::Changing => AGAIN_AFTER,
                Tried::Unproved { holder, contested } => {
                    match self.warrant.prove(holder, at, bytes as u64, contested).await {
                        Ok(()) => {
                            let (at, end) = self.warrant.whole_pieces(holder, at, bytes as u64);
                            let proved = Proved { holder, looks, at, end };
                            *self.proved.lock().unwrap_or_else(PoisonError::into_inner) = Some(proved);
                            Duration::ZERO
                        }
                        // What is known of it now is that.
                        Err(Refused::Bad) => Duration::ZERO,
                        Err(Refused::Changing | Refused::Busy) => AGAIN_AFTER,
                        Err(Refused::Unknown | Refused::Silent) => break,
                    }
                }
            };
            if !again_after.is_zero() {
                sleep(again_after).await;
            }
        }
        let fault = last.map(|looks| self.warrant.fault(looks)).unwrap_or_default();
        Err(io::Error::new(io::ErrorKind::InvalidData, fault))
    }

    /// How the file looks, and what came of reading it so.
    fn attempt(&self, at: u64, bytes: usize) -> io::Result<(Fingerprint, Tried)> {
        let before = self.file.metadata()?;
        let looks = Fingerprint::of(&before);
        let tried = |tried| Ok((looks, tried));
        match self.warrant.weigh(looks, at, bytes as u64) {
            Verdict::Good => {}
            Verdict::Bad => return tried(Tried::Bad),
            Verdict::Unknown(holder) => return tried(Tried::Unproved { holder, contested: false }),
            Verdict::Contested(holder) if self.is_proved(holder, looks, at, bytes as u64) => {}
            Verdict::Contested(holder) => return tried(Tried::Unproved { holder, contested: true }),
            Verdict::Another if self.was_good(&before) => {}
            Verdict::Another => return tried(Tried::Changing),
        }
        #[cfg(test)]
        self.warrant
            .holders
            .iter()
            .try_for_each(|Holder { entry, slot }| entry.content.slots[*slot].place.folder().obstacle.on_read())?;
        let mut read = vec![0; bytes];
        self.file.read_exact_at(&mut read, at)?;
        // Whoever changes it changes its look first, as seen after a tick of the clock, see [`super::disk`].
        let is_unchanged = Fingerprint::of(&self.file.metadata()?) == looks;
        tried(if is_unchanged { Tried::Read(read.into()) } else { Tried::Changing })
    }

    fn is_proved(&self, holder: usize, looks: Fingerprint, at: u64, bytes: u64) -> bool {
        let proved = self.proved.lock().unwrap_or_else(PoisonError::into_inner);
        proved.as_ref().is_some_and(|proved| {
            (proved.holder, proved.looks) == (holder, looks)
                && (proved.at..=proved.end).contains(&at)
                && at + bytes <= proved.end
        })
    }

    /// Whether it is the file that was right when the reading began, and another one has taken its name since, which
    /// changes nothing of it but the number of its names and the time of that. Whoever downloads it gets it to the end.
    fn was_good(&self, now: &Metadata) -> bool {
        let looks = Fingerprint::of(now);
        self.begun.is_some_and(|(then, names)| {
            (then.bytes, then.mtime_ns, then.inode) == (looks.bytes, looks.mtime_ns, looks.inode) && now.nlink() < names
        })
    }
}

impl Entry {
    fn standing(&self, slot: usize, looks: Fingerprint, start: u64, bytes: u64) -> Standing {
        if looks.bytes != self.content.slots[slot].bytes {
            return Standing::Bad;
        }
        let state = self.state();
        if state.files[slot].looks() != Some(looks) {
            return Standing::Another;
        }
        let mut standing = Standing::Good;
        if state.good.is_all() {
            return standing;
        }
        for piece in self.content.pieces_between(slot, start, bytes) {
            if state.bad.has(piece) {
                if self.is_to_blame(&state, piece, slot) {
                    return Standing::Bad;
                }
            } else if !state.good.has(piece) {
                standing = Standing::Unknown;
            }
        }
        standing
    }
}

impl Content {
    /// The pieces that hold a byte of a run of bytes of a file.
    fn pieces_between(&self, slot: usize, start: u64, bytes: u64) -> std::ops::Range<u32> {
        let from = self.slots[slot].start + start;
        let length = u64::from(self.piece_length().bytes());
        let piece = |n: u64| u32::try_from(n).unwrap_or(u32::MAX).min(self.pieces());
        piece(from / length)..piece((from + bytes).div_ceil(length))
    }
}

impl fmt::Debug for Warrant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Holder { entry, slot } = &self.holders[0];
        write!(f, "Warrant({:?})", entry.content.slots[*slot].place)
    }
}

#[cfg(test)]
#[path = "warrant_tests.rs"]
mod tests;
