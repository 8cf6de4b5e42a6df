//! A bit for each piece of a torrent, laid out as the `bitfield` message has it (BEP 3).

/// A bit for each piece, the first in the highest bit of the first byte; spare bits at the end are zero.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bitfield {
    bytes: Vec<u8>,
    len: u32,
}

impl Bitfield {
    /// `len` bits, none set.
    pub fn empty(len: u32) -> Self {
        Self { bytes: vec![0; len.div_ceil(8) as usize], len }
    }

    /// `len` bits, all set.
    pub fn full(len: u32) -> Self {
        let mut bytes = vec![0xff; len.div_ceil(8) as usize];
        if let Some(last) = bytes.last_mut() {
            *last = last_byte(len);
        }
        Self { bytes, len }
    }

    /// How many bits there are.
    #[expect(
        clippy::len_without_is_empty,
        reason = "`none` tells whether a bit is set; a torrent without pieces is rare"
    )]
    pub fn len(&self) -> u32 {
        self.len
    }

    /// Whether bit `index` is set; false beyond the end.
    pub fn get(&self, index: u32) -> bool {
        index < self.len && self.bytes[index as usize / 8] & mask(index) != 0
    }

    /// Sets bit `index`, or clears it; nothing beyond the end.
    pub fn put(&mut self, index: u32, value: bool) {
        if index >= self.len {
            return;
        }
        let byte = &mut self.bytes[index as usize / 8];
        if value {
            *byte |= mask(index);
        } else {
            *byte &= !mask(index);
        }
    }

    /// How many bits are set.
    pub fn count(&self) -> u32 {
        self.bytes.iter().map(|byte| byte.count_ones()).sum()
    }

    /// Whether every bit is set.
    pub fn all(&self) -> bool {
        self.count() == self.len
    }

    /// Whether no bit is set.
    pub fn none(&self) -> bool {
        self.bytes.iter().all(|&byte| byte == 0)
    }

    /// The same bits, each turned around.
    pub fn inverse(&self) -> Self {
        let mut inverse = Self { bytes: self.bytes.iter().map(|byte| !byte).collect(), len: self.len };
        if let Some(last) = inverse.bytes.last_mut() {
            *last &= last_byte(self.len);
        }
        inverse
    }

    /// The bits as the message carries them.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }
}

/// What byte `at` of a bitfield of `len` bits is when all its bits are set.
pub(super) fn full_byte(at: usize, len: u32) -> u8 {
    if at + 1 == len.div_ceil(8) as usize { last_byte(len) } else { 0xff }
}

fn last_byte(len: u32) -> u8 {
    match len % 8 {
        0 => 0xff,
        used => 0xff << (8 - used),
    }
}

fn mask(index: u32) -> u8 {
    0x80 >> (index % 8)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_piece_is_the_highest_bit_and_spare_bits_are_zero() {
        let mut bits = Bitfield::empty(10);
        bits.put(0, true);
        bits.put(9, true);
        bits.put(10, true);
        assert_eq!(bits.bytes(), [0x80, 0x40]);
        assert_eq!((bits.get(0), bits.get(1), bits.get(9), bits.get(10)), (true, false, true, false));
        bits.put(0, false);
        assert_eq!((bits.count(), bits.none(), bits.all()), (1, false, false));
        assert_eq!(bits.inverse().bytes(), [0xff, 0x80]);
        assert_eq!(bits.inverse().inverse(), bits);
    }

    #[test]
    fn a_full_one_has_all_its_bits_and_no_more() {
        for (len, bytes) in [(0, &[][..]), (1, &[0x80]), (8, &[0xff]), (9, &[0xff, 0x80])] {
            let bits = Bitfield::full(len);
            assert_eq!(bits.bytes(), bytes, "{len}");
            assert!(bits.all());
            assert!(bytes.iter().enumerate().all(|(at, &byte)| full_byte(at, len) == byte));
        }
    }
}
