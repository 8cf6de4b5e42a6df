//! Blocks on their way from the disk to a peer: at their pace, in their turn, and beside the threads that speak with
//! peers, so that a disk that stalls keeps nobody waiting who does not read from it. What is in the system's cache is read
//! at once.

use std::num::NonZeroU64;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::time::{sleep, timeout};

use super::Seed;
use super::cached;
use super::disk::{self, Refused};
use super::torrents::Entry;
use crate::id::NodeHash;
use crate::wire::{Block, HashRequest, MetadataPiece, PIECE_HEADER_BYTES};

/// How often blocks are tried again that are not to be had just now, since a file changes or too many are open.
const AGAIN_MAX: u32 = 20;
/// How long it takes until they are.
const AGAIN_AFTER: Duration = Duration::from_millis(200);

/// Requests for hashes that are answered at a time: one costs its sender a packet, and may cost here the hashing of
/// [`super::hashes::HASHED_BYTES_MAX`].
pub(super) const HASHINGS_MAX: usize = 1;

/// At most how many bytes a second are hashed for all such requests together.
pub(super) const HASHED_BYTES_PER_SEC: NonZeroU64 = NonZeroU64::new(64 * 1024 * 1024).expect("it is not 0");
/// How long a request for hashes waits for those before it.
pub(super) const HASHED_WITHIN: Duration = Duration::from_secs(20);
/// When a job has hashed so many bytes for a peer, it ends, and what is left waits for another turn: whoever asks for
/// blocks of many pieces that were never hashed keeps no place that others wait for.
pub(super) const HASHED_OF_A_JOB_MAX: u64 = 4 * 1024 * 1024;

/// What came of reading blocks.
pub(super) struct Read {
    /// Their messages.
    pub bytes: Vec<u8>,
    /// How many bytes of content are in them.
    pub content: u64,
    /// Those that are not to be had.
    pub bad: Vec<Block>,
    /// Those that have not had their turn: the last ones, unread.
    pub rest: Vec<Block>,
}

/// What came of a job.
#[derive(Default)]
struct Done {
    /// How many of the blocks have had their turn.
    count: usize,
    /// Those of them that are not to be had.
    bad: Vec<Block>,
}

/// Reads `blocks` into `buffer`, whatever stands in it; at least the first one.
pub(super) async fn read(seed: Arc<Seed>, entry: Arc<Entry>, blocks: Vec<Block>, buffer: Vec<u8>) -> Read {
    let content = |blocks: &[Block]| blocks.iter().map(|block| u64::from(block.bytes)).sum::<u64>();
    let bytes = content(&blocks);
    // Before the disk is read: what waits for its pace waits as requests, and holds no bytes.
    let mut buffer = buffer;
    for pace in seed.paces(&entry) {
        if pace.bytes_per_sec().is_some() {
            buffer = Vec::new();
        }
        pace.take(bytes).await;
    }
    if cached::read_blocks(&entry, &blocks, &mut buffer).is_some() {
        return Read { bytes: buffer, content: bytes, bad: Vec::new(), rest: Vec::new() };
    }
    buffer.clear();
    let mut blocks = blocks;
    for _ in 0..AGAIN_MAX {
        match attempt(&seed, &entry, &blocks, std::mem::take(&mut buffer)).await {
            Some((bytes, Ok(Done { count, bad }))) => {
                let rest = blocks.split_off(count);
                return Read { bytes, content: content(&blocks) - content(&bad), bad, rest };
            }
            Some((bytes, Err(Later))) => buffer = bytes,
            None => break,
        }
        sleep(AGAIN_AFTER).await;
    }
    Read { bytes: Vec::new(), content: 0, bad: blocks, rest: Vec::new() }
}

/// A piece of the metadata, at the pace of blocks.
pub(super) async fn metadata(seed: Arc<Seed>, entry: Arc<Entry>, piece: MetadataPiece) -> Read {
    take_turns(&seed, &entry, piece.bytes()).await;
    seed.sent_beside.fetch_add(piece.bytes(), Ordering::Relaxed);
    let mut bytes = Vec::new();
    piece.write(&mut bytes);
    Read { bytes, content: 0, bad: Vec::new(), rest: Vec::new() }
}

/// Waits until so many bytes may leave.
async fn take_turns(seed: &Seed, entry: &Entry, bytes: u64) {
    for pace in seed.paces(entry) {
        pace.take(bytes).await;
    }
}

/// The hashes that a peer asks for (BEP 52), where there are such.
pub(super) async fn hashes(seed: Arc<Seed>, entry: Arc<Entry>, request: HashRequest) -> Option<Vec<NodeHash>> {
    let answer = u64::from(request.length + request.uncles()) * size_of::<NodeHash>() as u64;
    take_turns(&seed, &entry, answer).await;
    let hashes = find_hashes(&seed, &entry, request).await?;
    seed.sent_beside.fetch_add(size_of_val(&hashes[..]) as u64, Ordering::Relaxed);
    Some(hashes)
}

/// Where files are to be hashed for them, that is done beside the reads of blocks, whose places it does not take.
async fn find_hashes(seed: &Arc<Seed>, entry: &Arc<Entry>, request: HashRequest) -> Option<Vec<NodeHash>> {
    let finding = seed.read_for_peer(entry, move |entry| match super::hashes::bytes_to_hash(entry, &request) {
        Some(0) => Ok(super::hashes::hashes(entry, &request)),
        Some(bytes) => Err(bytes),
        None => Ok(None),
    });
    match finding.await.ok()? {
        Ok(hashes) => hashes,
        Err(bytes) => {
            let place = async {
                seed.hash_pace.take(bytes).await;
                Arc::clone(&seed.hashings).acquire_owned().await
            };
            let place = timeout(HASHED_WITHIN, place).await.ok()?.ok()?;
            let hashing = seed.hash_for_peer(entry, place, move |entry| super::hashes::hashes(entry, &request));
            hashing.await.ok()?
        }
    }
}

/// Blocks may be had later.
struct Later;

async fn attempt(
    seed: &Arc<Seed>,
    entry: &Arc<Entry>,
    blocks: &[Block],
    buffer: Vec<u8>,
) -> Option<(Vec<u8>, Result<Done, Later>)> {
    let (blocks, mut bytes) = (blocks.to_vec(), buffer);
    let reading = seed.read_for_peer(entry, move |entry| {
        let outcome = read_now(entry, &blocks, &mut bytes);
        (bytes, outcome)
    });
    reading.await.ok()
}

/// Reads what is good, and tells what is bad, as far as one job goes.
fn read_now(entry: &Entry, blocks: &[Block], out: &mut Vec<u8>) -> Result<Done, Later> {
    let (mut done, mut hashed) = (Done::default(), 0);
    // Exactly, as peers that do not read leave it lying.
    out.reserve_exact(blocks.iter().map(|block| PIECE_HEADER_BYTES + block.bytes as usize).sum());
    for run in blocks.chunk_by(|a, b| a.piece == b.piece) {
        if hashed >= HASHED_OF_A_JOB_MAX {
            break;
        }
        let piece = run[0].piece;
        let is_hashed = entry.content.slots_of(piece).next().is_none_or(|slot| entry.hashed_as(piece, slot).is_some());
        if !is_hashed {
            hashed += u64::from(entry.content.piece(piece).1);
        }
        match disk::read_blocks(entry, run, out) {
            Ok(()) => {}
            Err(Refused::Bad | Refused::Unknown | Refused::Silent) => done.bad.extend_from_slice(run),
            Err(Refused::Busy | Refused::Changing) if done.count == 0 => return Err(Later),
            Err(Refused::Busy | Refused::Changing) => break,
        }
        done.count += run.len();
    }
    Ok(done)
}

#[cfg(test)]
#[path = "reading_tests.rs"]
mod tests;
