//! The side that is called: a stranger's hello, read and answered.

use super::keys::{self, Shared, Side};
use super::{
    Ciphers, Established, Fault, INITIAL_BYTES_MAX, KEY_BYTES, PADDING_BYTES_MAX, PLAIN, RC4, SECRET_BYTES,
    VERIFICATION, established, pass_to, take, u16_at, u32_at,
};
use crate::id::InfoHash;

/// A hello that is being read.
pub struct Accepting {
    stage: Stage,
    output: Vec<u8>,
    /// PadD is zeros; how many is anybody's choice.
    zeros: u16,
}

enum Stage {
    /// Waiting for the public key, with what ours is made of.
    Key {
        secret: [u8; SECRET_BYTES],
        padding: Vec<u8>,
    },
    /// Passing over PadA.
    Sync {
        shared: Shared,
        passed: usize,
    },
    /// Waiting for the name of the torrent.
    Torrent {
        shared: Shared,
    },
    /// Waiting for VC, `crypto_provide` and len(PadC).
    Provide {
        info_hash: InfoHash,
        ciphers: Ciphers,
    },
    /// Waiting for PadC and len(IA).
    Padding {
        info_hash: InfoHash,
        ciphers: Ciphers,
        selected: u32,
        bytes: usize,
    },
    /// Waiting for IA.
    Initial {
        info_hash: InfoHash,
        ciphers: Ciphers,
        selected: u32,
        bytes: usize,
    },
    Done,
}

impl Accepting {
    /// Waits for a hello, to be answered with `secret`, which is random, and with `padding`, which is random and of a
    /// random length up to [`PADDING_BYTES_MAX`]; what is beyond it is not sent.
    pub fn new(secret: [u8; SECRET_BYTES], padding: &[u8]) -> Self {
        let padding = padding[..padding.len().min(PADDING_BYTES_MAX)].to_vec();
        Self { stage: Stage::Key { secret, padding }, output: Vec::new(), zeros: 0 }
    }

    /// Takes what came off `inbox`, as far as something can be done with it; the rest is to be passed again, with what
    /// comes behind it. `find` tells which torrent has a [`super::torrent_key`]. Once established, the inbox is empty.
    pub fn receive(
        &mut self,
        inbox: &mut Vec<u8>,
        find: impl Fn(&[u8; 20]) -> Option<InfoHash>,
    ) -> Result<Option<Established>, Fault> {
        loop {
            match std::mem::replace(&mut self.stage, Stage::Done) {
                Stage::Key { secret, padding } => {
                    let Some(theirs) = inbox.first_chunk::<KEY_BYTES>() else {
                        self.stage = Stage::Key { secret, padding };
                        return Ok(None);
                    };
                    let shared = keys::shared(&secret, theirs)?;
                    inbox.drain(..KEY_BYTES);
                    self.output.extend_from_slice(&keys::public(&secret));
                    self.output.extend_from_slice(&padding);
                    self.stage = Stage::Sync { shared, passed: 0 };
                }
                Stage::Sync { shared, mut passed } => {
                    if !pass_to(&shared.sync(), inbox, &mut passed)? {
                        self.stage = Stage::Sync { shared, passed };
                        return Ok(None);
                    }
                    self.stage = Stage::Torrent { shared };
                }
                Stage::Torrent { shared } => {
                    let Some(&masked) = inbox.first_chunk::<20>() else {
                        self.stage = Stage::Torrent { shared };
                        return Ok(None);
                    };
                    inbox.drain(..masked.len());
                    let info_hash = find(&shared.mask(masked)).ok_or(Fault::UnknownTorrent)?;
                    let ciphers = shared.ciphers(Side::Called, &info_hash);
                    self.stage = Stage::Provide { info_hash, ciphers };
                }
                Stage::Provide { info_hash, mut ciphers } => {
                    let Some(bytes) = take(VERIFICATION.len() + 4 + 2, inbox, &mut ciphers) else {
                        self.stage = Stage::Provide { info_hash, ciphers };
                        return Ok(None);
                    };
                    if !bytes.starts_with(&VERIFICATION) {
                        return Err(Fault::NotVerified);
                    }
                    let selected = select(u32_at(&bytes, VERIFICATION.len()))?;
                    let bytes = u16_at(&bytes, VERIFICATION.len() + 4);
                    if bytes > PADDING_BYTES_MAX {
                        return Err(Fault::PaddingTooLong);
                    }
                    self.stage = Stage::Padding { info_hash, ciphers, selected, bytes };
                }
                Stage::Padding { info_hash, mut ciphers, selected, bytes } => {
                    let Some(padding) = take(bytes + 2, inbox, &mut ciphers) else {
                        self.stage = Stage::Padding { info_hash, ciphers, selected, bytes };
                        return Ok(None);
                    };
                    let bytes = u16_at(&padding, bytes);
                    if bytes > INITIAL_BYTES_MAX {
                        return Err(Fault::InitialTooLong);
                    }
                    self.stage = Stage::Initial { info_hash, ciphers, selected, bytes };
                }
                Stage::Initial { info_hash, mut ciphers, selected, bytes } => {
                    // IA is encrypted also where the stream goes on in the clear.
                    let Some(initial) = take(bytes, inbox, &mut ciphers) else {
                        self.stage = Stage::Initial { info_hash, ciphers, selected, bytes };
                        return Ok(None);
                    };
                    self.answer(&mut ciphers, selected);
                    return Ok(Some(established(info_hash, ciphers, selected, initial, inbox)));
                }
                Stage::Done => return Ok(None),
            }
        }
    }

    /// Moves what is to be sent to the end of `out`.
    pub fn take_output(&mut self, out: &mut Vec<u8>) {
        out.append(&mut self.output);
    }

    /// With PadD of given length.
    #[cfg(test)]
    pub(super) fn with_zeros(self, zeros: u16) -> Self {
        Self { zeros, ..self }
    }

    fn answer(&mut self, ciphers: &mut Ciphers, selected: u32) {
        let from = self.output.len();
        self.output.extend_from_slice(&VERIFICATION);
        self.output.extend_from_slice(&selected.to_be_bytes());
        self.output.extend_from_slice(&self.zeros.to_be_bytes());
        self.output.resize(self.output.len() + usize::from(self.zeros), 0);
        ciphers.encrypt(&mut self.output[from..]);
    }
}

/// Who takes plain bytes gets them, as from libtorrent: the hello has hidden what it is to hide, and RC4, of which a core
/// does some 560 MiB a second, costs a seed more than all else that it does with a byte. Who insists on encryption
/// provides RC4 alone.
fn select(provided: u32) -> Result<u32, Fault> {
    [PLAIN, RC4].into_iter().find(|bit| provided & bit != 0).ok_or(Fault::NoCipher)
}
