//! The side that calls: our hello, and its answer read.

use super::keys::{self, Side};
use super::{
    Ciphers, Established, Fault, INITIAL_BYTES_MAX, KEY_BYTES, PADDING_BYTES_MAX, PLAIN, RC4, SECRET_BYTES,
    VERIFICATION, established, pass_to, take, torrent_key, u16_at, u32_at,
};
use crate::id::InfoHash;

/// What the stream may be behind the exchange; the called side selects.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Provide {
    /// Plain bytes alone.
    Plain,
    /// RC4 alone.
    Rc4,
    /// Either.
    Either,
}

/// A hello that is being said.
pub struct Dialling {
    stage: Stage,
    output: Vec<u8>,
    info_hash: InfoHash,
    provided: u32,
    /// PadC is zeros; how many is anybody's choice.
    zeros: u16,
}

enum Stage {
    /// Waiting for the public key, with what our answer to it is made of.
    Key {
        secret: [u8; SECRET_BYTES],
        initial: Vec<u8>,
    },
    /// Passing over PadB, up to VC as it looks encrypted.
    Sync {
        verification: [u8; 8],
        ciphers: Ciphers,
        passed: usize,
    },
    /// Waiting for `crypto_select` and len(PadD).
    Select {
        ciphers: Ciphers,
    },
    /// Waiting for PadD.
    Padding {
        ciphers: Ciphers,
        selected: u32,
        bytes: usize,
    },
    Done,
}

impl Dialling {
    /// Says hello for a torrent, with `secret`, which is random, with `padding`, which is random and of a random length
    /// up to [`PADDING_BYTES_MAX`], and with `initial`, the first of the peer protocol, up to [`INITIAL_BYTES_MAX`];
    /// what is beyond these is not sent.
    pub fn new(
        secret: [u8; SECRET_BYTES],
        padding: &[u8],
        info_hash: InfoHash,
        provide: Provide,
        initial: &[u8],
    ) -> Self {
        let mut output = keys::public(&secret).to_vec();
        output.extend_from_slice(&padding[..padding.len().min(PADDING_BYTES_MAX)]);
        let provided = match provide {
            Provide::Plain => PLAIN,
            Provide::Rc4 => RC4,
            Provide::Either => PLAIN | RC4,
        };
        let initial = initial[..initial.len().min(INITIAL_BYTES_MAX)].to_vec();
        Self { stage: Stage::Key { secret, initial }, output, info_hash, provided, zeros: 0 }
    }

    /// Takes what came off `inbox`, as far as something can be done with it; the rest is to be passed again, with what
    /// comes behind it. Once established, the inbox is empty.
    pub fn receive(&mut self, inbox: &mut Vec<u8>) -> Result<Option<Established>, Fault> {
        loop {
            match std::mem::replace(&mut self.stage, Stage::Done) {
                Stage::Key { secret, initial } => {
                    let Some(theirs) = inbox.first_chunk::<KEY_BYTES>() else {
                        self.stage = Stage::Key { secret, initial };
                        return Ok(None);
                    };
                    let shared = keys::shared(&secret, theirs)?;
                    inbox.drain(..KEY_BYTES);
                    let mut ciphers = shared.ciphers(Side::Caller, &self.info_hash);
                    self.output.extend_from_slice(&shared.sync());
                    self.output.extend_from_slice(&shared.mask(torrent_key(&self.info_hash)));
                    self.go_on(&mut ciphers, &initial);
                    let mut verification = VERIFICATION;
                    ciphers.decrypt(&mut verification);
                    self.stage = Stage::Sync { verification, ciphers, passed: 0 };
                }
                Stage::Sync { verification, ciphers, mut passed } => {
                    if !pass_to(&verification, inbox, &mut passed)? {
                        self.stage = Stage::Sync { verification, ciphers, passed };
                        return Ok(None);
                    }
                    self.stage = Stage::Select { ciphers };
                }
                Stage::Select { mut ciphers } => {
                    let Some(bytes) = take(4 + 2, inbox, &mut ciphers) else {
                        self.stage = Stage::Select { ciphers };
                        return Ok(None);
                    };
                    let selected = u32_at(&bytes, 0);
                    if !matches!(selected, PLAIN | RC4) || selected & self.provided == 0 {
                        return Err(Fault::NoCipher);
                    }
                    let bytes = u16_at(&bytes, 4);
                    if bytes > PADDING_BYTES_MAX {
                        return Err(Fault::PaddingTooLong);
                    }
                    self.stage = Stage::Padding { ciphers, selected, bytes };
                }
                Stage::Padding { mut ciphers, selected, bytes } => {
                    if take(bytes, inbox, &mut ciphers).is_none() {
                        self.stage = Stage::Padding { ciphers, selected, bytes };
                        return Ok(None);
                    }
                    return Ok(Some(established(self.info_hash, ciphers, selected, Vec::new(), inbox)));
                }
                Stage::Done => return Ok(None),
            }
        }
    }

    /// Moves what is to be sent to the end of `out`.
    pub fn take_output(&mut self, out: &mut Vec<u8>) {
        out.append(&mut self.output);
    }

    /// With PadC of given length.
    #[cfg(test)]
    pub(super) fn with_zeros(self, zeros: u16) -> Self {
        Self { zeros, ..self }
    }

    fn go_on(&mut self, ciphers: &mut Ciphers, initial: &[u8]) {
        let from = self.output.len();
        self.output.extend_from_slice(&VERIFICATION);
        self.output.extend_from_slice(&self.provided.to_be_bytes());
        self.output.extend_from_slice(&self.zeros.to_be_bytes());
        self.output.resize(self.output.len() + usize::from(self.zeros), 0);
        let bytes = u16::try_from(initial.len()).expect("it was cut to what INITIAL_BYTES_MAX allows");
        self.output.extend_from_slice(&bytes.to_be_bytes());
        self.output.extend_from_slice(initial);
        ciphers.encrypt(&mut self.output[from..]);
    }
}
