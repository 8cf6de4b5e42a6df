//! Blocks on their way from the disk to a peer: at their pace, in their turn, and beside the threads that speak with
//! peers, so that a disk that stalls keeps nobody waiting who does not read from it. What is in the system's cache is read
//! at once.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::sleep;

use super::Seed;
use super::cached;
use super::disk::{self, Refused};
use super::torrents::Entry;
use crate::id::NodeHash;
use crate::wire::{Block, HashRequest};

/// How often blocks are tried again that are not to be had just now, since a file changes or too many are open.
const AGAIN_MAX: u32 = 20;
/// How long it takes until they are.
const AGAIN_AFTER: Duration = Duration::from_millis(200);

/// Requests for hashes that are answered at a time: one costs its sender a packet, and may cost here the hashing of
/// [`super::hashes::HASHED_BYTES_MAX`].
pub(super) const HASHINGS_MAX: usize = 1;

/// What came of reading blocks.
pub(super) struct Read {
    /// Their messages.
    pub bytes: Vec<u8>,
    /// How many bytes of content are in them.
    pub content: u64,
    /// Those that are not to be had.
    pub bad: Vec<Block>,
}

/// Reads `blocks` into `buffer`, whatever stands in it.
pub(super) async fn read(seed: Arc<Seed>, entry: Arc<Entry>, blocks: Vec<Block>, buffer: Vec<u8>) -> Read {
    let bytes = blocks.iter().map(|block| u64::from(block.bytes)).sum();
    // Before the disk is read: what waits for its pace waits as requests, and holds no bytes.
    let mut buffer = buffer;
    for pace in seed.paces(&entry) {
        if pace.bytes_per_sec().is_some() {
            buffer = Vec::new();
        }
        pace.take(bytes).await;
    }
    if cached::read_blocks(&entry, &blocks, &mut buffer).is_some() {
        return Read { bytes: buffer, content: bytes, bad: Vec::new() };
    }
    buffer.clear();
    for _ in 0..AGAIN_MAX {
        match attempt(&seed, &entry, &blocks, std::mem::take(&mut buffer)).await {
            Some((bytes, Ok(bad))) => {
                let content = |blocks: &[Block]| blocks.iter().map(|block| u64::from(block.bytes)).sum::<u64>();
                return Read { bytes, content: content(&blocks) - content(&bad), bad };
            }
            Some((bytes, Err(Later))) => buffer = bytes,
            None => break,
        }
        sleep(AGAIN_AFTER).await;
    }
    Read { bytes: Vec::new(), content: 0, bad: blocks }
}

/// The hashes that a peer asks for (BEP 52), where there are such.
pub(super) async fn hashes(seed: Arc<Seed>, entry: Arc<Entry>, request: HashRequest) -> Option<Vec<NodeHash>> {
    let hashing = Arc::clone(&seed.hashings).acquire_owned().await.ok()?;
    let finding = seed.read_for_peer(&entry, move |entry| {
        // Its place is taken for as long as the thread is.
        let _hashing = hashing;
        super::hashes::hashes(entry, &request)
    });
    finding.await.ok()?
}

/// Blocks may be had later.
struct Later;

async fn attempt(
    seed: &Arc<Seed>,
    entry: &Arc<Entry>,
    blocks: &[Block],
    buffer: Vec<u8>,
) -> Option<(Vec<u8>, Result<Vec<Block>, Later>)> {
    let (blocks, mut bytes) = (blocks.to_vec(), buffer);
    let reading = seed.read_for_peer(entry, move |entry| {
        let outcome = read_now(entry, &blocks, &mut bytes);
        (bytes, outcome)
    });
    reading.await.ok()
}

/// Reads what is good, and tells what is bad.
fn read_now(entry: &Entry, blocks: &[Block], out: &mut Vec<u8>) -> Result<Vec<Block>, Later> {
    let mut bad = Vec::new();
    match disk::read_blocks(entry, blocks, out) {
        Ok(()) => return Ok(bad),
        Err(Refused::Bad | Refused::Unknown | Refused::Silent) => {}
        Err(Refused::Busy | Refused::Changing) => return Err(Later),
    }
    // One of them is not to be had, and the others are to be sent.
    for run in blocks.chunk_by(|a, b| a.piece == b.piece) {
        match disk::read_blocks(entry, run, out) {
            Ok(()) => {}
            Err(Refused::Bad | Refused::Unknown | Refused::Silent) => bad.extend_from_slice(run),
            Err(Refused::Busy | Refused::Changing) => {
                out.clear();
                return Err(Later);
            }
        }
    }
    Ok(bad)
}
