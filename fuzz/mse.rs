//! Both sides of an encrypted stream's exchange, over lines that split it anywhere and turn bits of it around, and with
//! strangers that say anything at all.
//!
//! What must hold: nothing panics; little is left lying in an inbox; where nothing was turned around, both sides understand
//! each other. RC4 is an exclusive or, so a bit that is turned around on the line is the same bit of what is said: the
//! fuzzer reaches what stands behind the encryption.

#![no_main]

use everseed_fuzz::id::InfoHash;
use everseed_fuzz::wire::mse::{
    Accepting, Dialling, Established, INITIAL_BYTES_MAX, KEY_BYTES, PADDING_BYTES_MAX, PARTIAL_BYTES_MAX, Provide,
    torrent_key,
};
use libfuzzer_sys::fuzz_target;

const HASH: InfoHash = InfoHash([7; 20]);
/// What the dialling side says first, and the accepting one as soon as it may.
const HELLO: &[u8] = b"\x13BitTorrent protocol";
/// The most that a side has to say: a key and a padding, and then the hello with IA.
const OUTPUT_BYTES_MAX: usize = KEY_BYTES + 2 * PADDING_BYTES_MAX + 100 + INITIAL_BYTES_MAX;

fuzz_target!(|data: &[u8]| {
    let Some((&how, data)) = data.split_first() else { return };
    if how & 1 == 0 { exchange(how, data) } else { strangers(data) }
});

fn find(key: &[u8; 20]) -> Option<InfoHash> {
    (*key == torrent_key(&HASH)).then_some(HASH)
}

/// One direction of a line, with what the fuzzer does to it: after so many bytes one is changed.
struct Line<'a> {
    bytes: Vec<u8>,
    changes: std::slice::Chunks<'a, u8>,
    /// How many bytes pass before the next one that is changed, and how.
    next: Option<(usize, u8)>,
    changed: bool,
}

impl<'a> Line<'a> {
    fn new(changes: &'a [u8]) -> Self {
        let mut line = Self { bytes: Vec::new(), changes: changes.chunks(3), next: None, changed: false };
        line.wind();
        line
    }

    fn wind(&mut self) {
        self.next = match self.changes.next() {
            Some(&[high, low, change]) => Some((usize::from(u16::from_be_bytes([high, low])) % 1200, change)),
            _ => None,
        };
    }

    fn carry(&mut self, count: usize, inbox: &mut Vec<u8>) {
        for mut byte in self.bytes.drain(..count.min(self.bytes.len())).collect::<Vec<_>>() {
            match &mut self.next {
                Some((0, change)) => {
                    byte ^= *change;
                    self.changed |= *change != 0;
                    self.wind();
                }
                Some((passing, _)) => *passing -= 1,
                None => {}
            }
            inbox.push(byte);
        }
    }
}

fn exchange(how: u8, data: &[u8]) {
    let (sizes, changes) = data.split_at(data.len().min(5));
    let size = |at: usize| usize::from(sizes.get(at).copied().unwrap_or(0));
    let provide = [Provide::Plain, Provide::Rc4, Provide::Either][usize::from(how >> 1) % 3];
    let initial = &HELLO.repeat(10)[..if how & 8 == 0 { HELLO.len() } else { size(4) % 200 }];
    let mut dialling = Dialling::new([3; 20], &vec![b'a'; size(0) * 2], HASH, provide, initial);
    let mut accepting = Accepting::new([5; 20], &vec![b'b'; size(1) * 2]);
    // Either direction or both are disturbed.
    let (mut outward, mut inward) = match how >> 4 & 3 {
        0 => (Line::new(changes), Line::new(&[])),
        1 => (Line::new(&[]), Line::new(changes)),
        _ => (Line::new(&changes[..changes.len() / 2]), Line::new(&changes[changes.len() / 2..])),
    };
    let (mut to_dialling, mut to_accepting) = (Vec::new(), Vec::new());
    let (mut dialled, mut accepted): (Option<Established>, Option<Established>) = (None, None);
    loop {
        dialling.take_output(&mut outward.bytes);
        accepting.take_output(&mut inward.bytes);
        assert!(outward.bytes.len() <= OUTPUT_BYTES_MAX && inward.bytes.len() <= OUTPUT_BYTES_MAX);
        if outward.bytes.is_empty() && inward.bytes.is_empty() {
            break;
        }
        outward.carry(size(2) + 1, &mut to_accepting);
        inward.carry(size(3) + 1, &mut to_dialling);
        if accepted.is_none() {
            match accepting.receive(&mut to_accepting, find) {
                Ok(established) => accepted = established,
                Err(_) => break,
            }
            if let Some(accepted) = &mut accepted {
                let mut hello = HELLO.to_vec();
                accepted.ciphers.iter_mut().for_each(|ciphers| ciphers.encrypt(&mut hello));
                accepting.take_output(&mut inward.bytes);
                inward.bytes.append(&mut hello);
            }
        }
        if dialled.is_none() {
            match dialling.receive(&mut to_dialling) {
                Ok(established) => dialled = established,
                Err(_) => break,
            }
        }
        assert!(accepted.is_some() || to_accepting.len() < PARTIAL_BYTES_MAX);
        assert!(dialled.is_some() || to_dialling.len() < PARTIAL_BYTES_MAX);
    }
    for (established, inbox) in [(&mut accepted, &mut to_accepting), (&mut dialled, &mut to_dialling)] {
        if let Some(established) = established {
            established.ciphers.iter_mut().for_each(|ciphers| ciphers.decrypt(inbox));
            established.initial.append(inbox);
        }
    }
    if !outward.changed && !inward.changed {
        let (accepted, dialled) = (accepted.expect("established"), dialled.expect("established"));
        assert_eq!((accepted.info_hash, &accepted.initial[..]), (HASH, initial));
        assert_eq!((dialled.info_hash, &dialled.initial[..]), (HASH, HELLO));
        assert_eq!(accepted.ciphers.is_some(), provide == Provide::Rc4);
        assert_eq!(dialled.ciphers.is_some(), provide == Provide::Rc4);
    }
}

/// Each side hears what no other side says, in chunks of any size.
fn strangers(mut data: &[u8]) {
    let mut accepting = Some(Accepting::new([5; 20], b"padding"));
    let mut dialling = Some(Dialling::new([3; 20], b"padding", HASH, Provide::Either, HELLO));
    let (mut inboxes, mut out) = ([Vec::new(), Vec::new()], Vec::new());
    while let Some((&count, rest)) = data.split_first() {
        let (bytes, rest) = rest.split_at(rest.len().min(count.into()));
        data = rest;
        inboxes.iter_mut().for_each(|inbox| inbox.extend_from_slice(bytes));
        if let Some(side) = &mut accepting {
            side.take_output(&mut out);
            if !matches!(side.receive(&mut inboxes[0], find), Ok(None)) {
                accepting = None;
            }
        }
        if let Some(side) = &mut dialling {
            side.take_output(&mut out);
            if !matches!(side.receive(&mut inboxes[1]), Ok(None)) {
                dialling = None;
            }
        }
        assert!(accepting.is_none() || inboxes[0].len() < PARTIAL_BYTES_MAX);
        assert!(dialling.is_none() || inboxes[1].len() < PARTIAL_BYTES_MAX);
        assert!(out.len() <= 2 * OUTPUT_BYTES_MAX);
    }
}
