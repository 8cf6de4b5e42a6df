//! What comes before a conversation: whether the stream is plain or encrypted (MSE), as its first bytes say, and the
//! exchange of keys where it is.

use std::io::{self, ErrorKind};

use super::Seed;
use super::stream::Stream;
use crate::id::InfoHash;
use crate::wire::mse::{self, Accepting, Ciphers, Dialling, Established, Provide};

/// Exchanges of keys at a time. Each computes two powers, which takes a tenth of a millisecond or two: too short for a
/// thread of its own, and too long for thousands to take all threads at once.
pub(super) const EXCHANGES_MAX: usize = 1;

/// What names each torrent in an encrypted hello, by its first bytes; the others are computed again where these match.
#[derive(Debug, Default)]
pub(super) struct Keys(Box<[([u8; KEY_BEGIN_BYTES], InfoHash)]>);

const KEY_BEGIN_BYTES: usize = 4;

impl Keys {
    pub fn of<'a>(torrents: impl ExactSizeIterator<Item = &'a InfoHash>) -> Self {
        let mut keys: Box<[_]> = torrents.map(|torrent| (begin(&mse::torrent_key(torrent)), *torrent)).collect();
        keys.sort_unstable();
        Self(keys)
    }

    /// The torrent that is named by `key`.
    pub fn find(&self, key: &[u8; 20]) -> Option<InfoHash> {
        let wanted = begin(key);
        let first = self.0.partition_point(|(begin, _)| *begin < wanted);
        let alike = self.0[first..].iter().take_while(|(begin, _)| *begin == wanted);
        alike.map(|(_, torrent)| *torrent).find(|torrent| mse::torrent_key(torrent) == *key)
    }
}

fn begin(key: &[u8; 20]) -> [u8; KEY_BEGIN_BYTES] {
    *key.first_chunk().expect("20 bytes begin with a few")
}

/// A stream on which the peer protocol begins.
pub(super) struct Hello {
    /// What of it has come, in the clear.
    pub inbox: Vec<u8>,
    /// What the stream is encrypted with.
    pub ciphers: Option<Box<Ciphers>>,
}

impl From<Established> for Hello {
    fn from(established: Established) -> Self {
        Self { inbox: established.initial, ciphers: established.ciphers.map(Box::new) }
    }
}

/// Reads the hello of a peer that comes, of which `inbox` has come already.
pub(super) async fn accept(seed: &Seed, stream: &mut Stream, inbox: Vec<u8>) -> io::Result<Hello> {
    let mut inbox = inbox;
    let is_plain = loop {
        if let Some(is_plain) = mse::is_plain(&inbox).filter(|_| !inbox.is_empty()) {
            break is_plain;
        }
        stream.read(&mut inbox).await?;
    };
    if is_plain {
        return Ok(Hello { inbox, ciphers: None });
    }
    until_key(stream, &mut inbox).await?;
    let (secret, padding) = randomness()?;
    let find = |key: &[u8; 20]| seed.keys().find(key);
    let mut accepting = Accepting::new(secret, &padding);
    let place = seed.exchanges.acquire().await.map_err(io::Error::other)?;
    let mut established = accepting.receive(&mut inbox, find).map_err(refused)?;
    drop(place);
    loop {
        let mut output = Vec::new();
        accepting.take_output(&mut output);
        stream.write_all(&output).await?;
        if let Some(established) = established {
            return Ok(established.into());
        }
        stream.read(&mut inbox).await?;
        established = accepting.receive(&mut inbox, find).map_err(refused)?;
    }
}

/// Says an encrypted hello to a peer that is called, with `initial` as the first bytes of the peer protocol.
pub(super) async fn dial(seed: &Seed, stream: &mut Stream, info_hash: InfoHash, initial: &[u8]) -> io::Result<Hello> {
    let (secret, padding) = randomness()?;
    let place = seed.exchanges.acquire().await.map_err(io::Error::other)?;
    let mut dialling = Dialling::new(secret, &padding, info_hash, Provide::Either, initial);
    drop(place);
    let mut inbox = Vec::new();
    let mut output = Vec::new();
    dialling.take_output(&mut output);
    stream.write_all(&output).await?;
    until_key(stream, &mut inbox).await?;
    let place = seed.exchanges.acquire().await.map_err(io::Error::other)?;
    let mut established = dialling.receive(&mut inbox).map_err(refused)?;
    drop(place);
    loop {
        output.clear();
        dialling.take_output(&mut output);
        stream.write_all(&output).await?;
        if let Some(established) = established {
            return Ok(established.into());
        }
        stream.read(&mut inbox).await?;
        established = dialling.receive(&mut inbox).map_err(refused)?;
    }
}

async fn until_key(stream: &mut Stream, inbox: &mut Vec<u8>) -> io::Result<()> {
    while inbox.len() < mse::KEY_BYTES {
        stream.read(inbox).await?;
    }
    Ok(())
}

/// A secret number, and a padding of a random length.
fn randomness() -> io::Result<([u8; mse::SECRET_BYTES], Vec<u8>)> {
    let (mut secret, mut length) = ([0; mse::SECRET_BYTES], [0; 2]);
    getrandom::fill(&mut secret)?;
    getrandom::fill(&mut length)?;
    let mut padding = vec![0; usize::from(u16::from_be_bytes(length)) % (mse::PADDING_BYTES_MAX + 1)];
    getrandom::fill(&mut padding)?;
    Ok((secret, padding))
}

fn refused(fault: mse::Fault) -> io::Error {
    io::Error::new(ErrorKind::InvalidData, fault)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_torrent_is_found_by_all_of_its_key_alone() {
        let torrents: Vec<InfoHash> = (0..100).map(|byte| InfoHash([byte; 20])).collect();
        let keys = Keys::of(torrents.iter());
        for torrent in &torrents {
            let mut key = mse::torrent_key(torrent);
            assert_eq!(keys.find(&key), Some(*torrent));
            key[19] ^= 1;
            assert_eq!(keys.find(&key), None);
        }
        assert_eq!(keys.find(&mse::torrent_key(&InfoHash([200; 20]))), None);
        assert_eq!(Keys::default().find(&[0; 20]), None);
    }
}
