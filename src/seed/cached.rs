//! Verified reads that wait for nothing: blocks of pieces that were hashed, in files that look as they did, whose bytes
//! are in the system's cache. Whatever else is [`super::disk`]'s, beside the threads that speak with peers.
//!
//! To hand each batch to a thread and back costs more than to read it from the cache. To let the system send it from
//! there (`sendfile`) would cost less still, and is turned down: what it sends is looked up when it leaves, after the
//! look at the file that vouches for it, and a byte that changes in between would go out.

use std::fs::File;
use std::io::IoSliceMut;

use super::torrents::Entry;
use crate::fingerprint::Fingerprint;
use crate::fsx::cached;
use crate::wire::{Block, PIECE_HEADER_BYTES, piece_header};

/// Pieces of memory that are filled by one call; Linux takes 1024.
const PARTS_MAX: usize = 256;

/// Reads `blocks` into `out` with their headers, as they go onto the wire; nothing where that can't be done at once.
/// What stood in `out` before is overwritten.
pub(super) fn read_blocks(entry: &Entry, blocks: &[Block], out: &mut Vec<u8>) -> Option<()> {
    out.resize(blocks.iter().map(|block| PIECE_HEADER_BYTES + block.bytes as usize).sum(), 0);
    let mut rest = &mut out[..];
    let mut opened: Option<Opened> = None;
    for block in blocks {
        let (header, behind) = rest.split_first_chunk_mut::<PIECE_HEADER_BYTES>()?;
        *header = piece_header(*block);
        let (mut data, behind) = behind.split_at_mut(block.bytes as usize);
        rest = behind;
        let (piece_start, _) = entry.content.piece(block.piece);
        let mut at = 0;
        for span in entry.content.spans(piece_start + u64::from(block.begin), block.bytes.into()) {
            // What no span covers is padding (BEP 47).
            let (padding, behind) = data.split_at_mut(usize::try_from(span.at - at).ok()?);
            padding.fill(0);
            let (part, behind) = behind.split_at_mut(usize::try_from(span.bytes).ok()?);
            data = behind;
            at = span.at + span.bytes;
            #[cfg(test)]
            entry.content.slots[span.slot].place.folder().obstacle.is_free()?;
            let wanted = entry.hashed_as(block.piece, span.slot)?;
            let mut file = match opened.take() {
                Some(file) if file.slot == span.slot && file.wanted == wanted => file,
                other => {
                    other.map_or(Some(()), Opened::close)?;
                    let file = cached::open(&entry.content.slots[span.slot].place.path()).ok()?;
                    Opened { slot: span.slot, wanted, file, run: Vec::new(), from: 0, to: 0 }
                }
            };
            file.read(span.offset, part)?;
            opened = Some(file);
        }
        data.fill(0);
    }
    opened.map_or(Some(()), Opened::close)
}

/// A file, and what is to be read of it next.
struct Opened<'a> {
    slot: usize,
    /// How it looks if it is the one whose pieces were hashed.
    wanted: Fingerprint,
    file: File,
    /// Where bytes that stand one behind the other in the file, from `from` to `to`, are to go.
    run: Vec<IoSliceMut<'a>>,
    from: u64,
    to: u64,
}

impl<'a> Opened<'a> {
    fn read(&mut self, offset: u64, part: &'a mut [u8]) -> Option<()> {
        if offset != self.to || self.run.len() == PARTS_MAX {
            self.flush()?;
            self.from = offset;
        }
        self.to = offset + part.len() as u64;
        self.run.push(IoSliceMut::new(part));
        Some(())
    }

    fn flush(&mut self) -> Option<()> {
        if self.run.is_empty() {
            return Some(());
        }
        let read = cached::read(&self.file, &mut self.run, self.from).ok()?;
        self.run.clear();
        (read as u64 == self.to - self.from).then_some(())
    }

    /// Reads what is left, and then looks at the file. That it looks as it did when it was hashed vouches for what was
    /// read before: whoever changes it changes its look first, as seen after a tick of the clock, see [`super::disk`].
    /// Not before the reading: a file system that has to be asked over a network has refused that.
    fn close(mut self) -> Option<()> {
        self.flush()?;
        let look = Fingerprint::of(&self.file.metadata().ok()?);
        (look == self.wanted).then_some(())
    }
}

#[cfg(test)]
#[path = "cached_tests.rs"]
mod tests;
