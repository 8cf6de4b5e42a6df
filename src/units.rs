//! Quantities with their units: piece lengths, byte counts and seconds, as types and as text for people.

use std::fmt;
use std::str::FromStr;

/// The smallest piece length a torrent is made with, in bytes: one block of the peer protocol (BEP 52 asks for it).
pub const PIECE_LENGTH_MIN: u32 = 16 * 1024;
/// The largest piece length a torrent is made with, in bytes; beyond it old clients fail.
pub const PIECE_LENGTH_MAX: u32 = 16 * 1024 * 1024;
/// The largest piece length read from a foreign torrent, in bytes; a piece is held in memory while it is hashed.
pub const PIECE_LENGTH_READ_MAX: u32 = 256 * 1024 * 1024;
/// The automatic piece length has a square of at least so many times the content, so that both grow alike: ten times
/// the bytes make three times the pieces, each three times as long. An hour of audio has some 220 pieces of 256 KiB, a
/// `.torrent` of 5 kB; a GiB has 1024 pieces of 1 MiB.
const PIECE_SQUARE: u128 = 1024;

/// The number of bytes in each piece of a torrent but the last (BEP 3 `piece length`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PieceLength(u32);

/// A number that can't be a piece length.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NotAPieceLength(String);

impl fmt::Display for NotAPieceLength {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "a piece length is a power of two from {PIECE_LENGTH_MIN} to {PIECE_LENGTH_MAX} bytes, not {}",
            self.0
        )
    }
}

impl std::error::Error for NotAPieceLength {}

impl PieceLength {
    /// A piece length to make a torrent with: a power of two from 16 KiB to 16 MiB.
    pub fn new(bytes: u64) -> Result<Self, NotAPieceLength> {
        match u32::try_from(bytes) {
            Ok(n) if n.is_power_of_two() && (PIECE_LENGTH_MIN..=PIECE_LENGTH_MAX).contains(&n) => Ok(Self(n)),
            _ => Err(NotAPieceLength(bytes.to_string())),
        }
    }

    /// A piece length as it stands in a foreign torrent: any positive number of bytes up to [`PIECE_LENGTH_READ_MAX`].
    pub fn foreign(bytes: i64) -> Option<Self> {
        let bytes = u32::try_from(bytes).ok()?;
        (1..=PIECE_LENGTH_READ_MAX).contains(&bytes).then_some(Self(bytes))
    }

    /// The automatic piece length for `total` bytes of content: the least power of two from 16 KiB to 16 MiB whose
    /// square is at least 1024 times `total`.
    pub fn automatic(total: u64) -> Self {
        let square = u128::from(total) * PIECE_SQUARE;
        let mut length = PIECE_LENGTH_MIN;
        while length < PIECE_LENGTH_MAX && u128::from(length).pow(2) < square {
            length *= 2;
        }
        Self(length)
    }

    /// The length in bytes.
    pub fn bytes(self) -> u32 {
        self.0
    }

    /// How many pieces `total` bytes make; none for an empty torrent.
    pub fn count(self, total: u64) -> u64 {
        total.div_ceil(u64::from(self.0))
    }

    /// The bytes of piece `index` of a torrent of `total` bytes: the last one may be shorter.
    /// `None` where there is no such piece.
    pub fn of_piece(self, index: u32, total: u64) -> Option<u32> {
        let start = u64::from(index) * u64::from(self.0);
        let rest = total.checked_sub(start).filter(|&rest| rest > 0)?;
        Some(u32::try_from(rest.min(u64::from(self.0))).unwrap_or(self.0))
    }
}

impl FromStr for PieceLength {
    type Err = NotAPieceLength;

    /// Reads bytes, or a number with `K`, `KiB`, `M` or `MiB` behind it (all binary).
    fn from_str(text: &str) -> Result<Self, NotAPieceLength> {
        let refuse = || NotAPieceLength(text.to_owned());
        let digits = text.trim_end_matches(|c: char| !c.is_ascii_digit());
        let scale: u64 = match text[digits.len()..].trim() {
            "" => 1,
            "K" | "KiB" => 1024,
            "M" | "MiB" => 1024 * 1024,
            _ => return Err(refuse()),
        };
        let number: u64 = digits.parse().map_err(|_| refuse())?;
        let bytes = number.checked_mul(scale).ok_or_else(refuse)?;
        Self::new(bytes).map_err(|_| refuse())
    }
}

impl fmt::Display for PieceLength {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            n if n % (1024 * 1024) == 0 => write!(f, "{} MiB", n / (1024 * 1024)),
            n if n % 1024 == 0 => write!(f, "{} KiB", n / 1024),
            n => write!(f, "{n} B"),
        }
    }
}

/// `bytes` for a person, in decimal units with one digit behind the point: `240.8 kB`.
pub fn size_text(bytes: u64) -> String {
    const UNITS: [(&str, u64); 4] = [("TB", 1_000_000_000_000), ("GB", 1_000_000_000), ("MB", 1_000_000), ("kB", 1000)];
    for (unit, scale) in UNITS {
        if bytes >= scale {
            // Tenths, rounded half up, in whole numbers: floating point would round 0.05 either way.
            let tenths = (u128::from(bytes) * 10 + u128::from(scale) / 2) / u128::from(scale);
            return format!("{}.{} {unit}", tenths / 10, tenths % 10);
        }
    }
    format!("{bytes} B")
}

/// Reads a number of bytes: bare, or with a unit behind it, decimal (`kB`, `MB`, `GB`, `TB`) or binary (`KiB`, `MiB`,
/// `GiB`, `TiB`), as `1.5 GB`.
pub fn parse_size(text: &str) -> Option<u64> {
    const UNITS: [(&str, u64); 10] = [
        ("", 1),
        ("B", 1),
        ("kB", 1000),
        ("MB", 1_000_000),
        ("GB", 1_000_000_000),
        ("TB", 1_000_000_000_000),
        ("KiB", 1 << 10),
        ("MiB", 1 << 20),
        ("GiB", 1 << 30),
        ("TiB", 1 << 40),
    ];
    let text = text.trim();
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic()).trim_end();
    let unit = text[digits.len()..].trim_start();
    let (_, scale) = UNITS.into_iter().find(|(name, _)| *name == unit)?;
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, "0"));
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    // Nine digits behind the point are a byte of a gigabyte; what is beyond them is dropped.
    let fraction = fraction.get(..9).unwrap_or(fraction);
    if !is_number(whole) || !is_number(fraction) {
        return None;
    }
    let tail = u128::from(scale) * fraction.parse::<u128>().ok()? / 10_u128.pow(u32::try_from(fraction.len()).ok()?);
    whole.parse::<u64>().ok()?.checked_mul(scale)?.checked_add(u64::try_from(tail).ok()?)
}

/// `count` and its noun: `1 piece`, `2 pieces`.
pub fn count_text(count: u64, noun: &str) -> String {
    format!("{count} {noun}{}", if count == 1 { "" } else { "s" })
}

/// Milliseconds in whole seconds, rounded.
pub fn whole_secs(ms: u64) -> u64 {
    ms.saturating_add(500) / 1000
}

/// `secs` seconds as `1:02:03` or `2:03`.
pub fn duration_text(secs: u64) -> String {
    let (hours, minutes, secs) = (secs / 3600, secs / 60 % 60, secs % 60);
    if hours > 0 { format!("{hours}:{minutes:02}:{secs:02}") } else { format!("{minutes}:{secs:02}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_automatic_piece_length_grows_with_the_content_between_its_limits() {
        const MIB: u64 = 1 << 20;
        let cases: [(u64, u32); 12] = [
            (0, 16 * 1024),
            (256 * 1024, 16 * 1024),
            (256 * 1024 + 1, 32 * 1024),
            (MIB, 32 * 1024),
            // An hour of audio at 128 kbit/s.
            (57_600_000, 256 * 1024),
            (1024 * MIB, 1 << 20),
            (1024 * MIB + 1, 2 << 20),
            (4096 * MIB, 2 << 20),
            (64 * 1024 * MIB, 8 << 20),
            (64 * 1024 * MIB + 1, 16 << 20),
            (256 * 1024 * MIB, 16 << 20),
            (u64::MAX, 16 << 20),
        ];
        for (total, expected) in cases {
            assert_eq!(PieceLength::automatic(total).bytes(), expected, "{total} bytes");
        }
    }

    #[test]
    fn a_piece_length_is_read_with_its_unit() {
        for (text, bytes) in
            [("16384", 16384), ("256K", 262_144), ("256 KiB", 262_144), ("1M", 1 << 20), ("4 MiB", 4 << 20)]
        {
            assert_eq!(text.parse::<PieceLength>().map(PieceLength::bytes), Ok(bytes));
        }
        for text in ["", "K", "0", "100000", "32M", "8192", "1G", "99999999999999999999", "-1"] {
            assert!(text.parse::<PieceLength>().is_err(), "{text}");
        }
    }

    #[test]
    fn the_last_piece_is_what_is_left() {
        let length = PieceLength::new(16384).expect("a power of two");
        assert_eq!(length.of_piece(0, 16385), Some(16384));
        assert_eq!(length.of_piece(1, 16385), Some(1));
        assert_eq!(length.of_piece(2, 16385), None);
        assert_eq!(length.of_piece(1, 16384), None);
        assert_eq!(length.of_piece(0, 0), None);
        assert_eq!(length.count(16385), 2);
    }

    #[test]
    fn sizes_and_durations_read_like_a_person_writes_them() {
        assert_eq!(size_text(999), "999 B");
        assert_eq!(size_text(240_760), "240.8 kB");
        assert_eq!(size_text(999_999), "1000.0 kB");
        assert_eq!(size_text(1_450_000), "1.5 MB");
        assert_eq!(size_text(u64::MAX), "18446744.1 TB");
        assert_eq!([0, 1, 2].map(|count| count_text(count, "piece")), ["0 pieces", "1 piece", "2 pieces"]);
        assert_eq!(duration_text(59), "0:59");
        assert_eq!(duration_text(3723), "1:02:03");
    }

    #[test]
    fn sizes_are_read_with_their_units() {
        for (text, bytes) in [
            ("0", 0),
            ("1500", 1500),
            ("1500 B", 1500),
            ("1.5 kB", 1500),
            ("1.5KiB", 1536),
            ("2 TB", 2_000_000_000_000),
            ("0.5 TiB", 1 << 39),
            (" 10 MB ", 10_000_000),
        ] {
            assert_eq!(parse_size(text), Some(bytes), "{text}");
        }
        for text in ["", "MB", "-1", "1,5 MB", "1 mb", "1 M", "1..5 MB", "1. MB", ".5 MB", "99999999999 TB", "1e3"] {
            assert_eq!(parse_size(text), None, "{text}");
        }
    }
}
