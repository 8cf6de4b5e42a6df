//! Which bytes of a file a `Range` header asks for (RFC 9110 section 14), decided without the file.

/// What to send of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Selection {
    /// The whole file: no range was asked for, or one that need not be honoured.
    Whole,
    /// `bytes` bytes from `start`; never none, and all within the file.
    Part {
        /// The first byte.
        start: u64,
        /// How many.
        bytes: u64,
    },
    /// Nothing of what was asked for is in the file.
    Unsatisfiable,
}

/// What the value of a `Range` header selects of a file of `total` bytes.
///
/// A value that does not parse, another unit than `bytes`, and a list of several ranges select the whole file, as
/// section 14.2 allows: no client of a web seed or a podcast asks for several, and multipart answers to lists of
/// overlapping ranges are a known way to make a server work hard for one small request.
pub fn select(value: &[u8], total: u64) -> Selection {
    parse(value).map_or(Selection::Whole, |asked| asked.within(total))
}

#[derive(Debug, Clone, Copy)]
enum Asked {
    From(u64),
    Between(u64, u64),
    Last(u64),
}

fn parse(value: &[u8]) -> Option<Asked> {
    let value = std::str::from_utf8(value).ok()?;
    let (unit, set) = value.split_once('=')?;
    if !unit.trim().eq_ignore_ascii_case("bytes") || set.contains(',') {
        return None;
    }
    let (first, last) = set.trim().split_once('-')?;
    match (first, last) {
        ("", last) => Some(Asked::Last(number(last)?)),
        (first, "") => Some(Asked::From(number(first)?)),
        (first, last) => {
            let (first, last) = (number(first)?, number(last)?);
            (first <= last).then_some(Asked::Between(first, last))
        }
    }
}

/// Digits alone; what is beyond 2^64 is beyond every file.
fn number(digits: &str) -> Option<u64> {
    let plain = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    plain.then(|| digits.parse().unwrap_or(u64::MAX))
}

impl Asked {
    fn within(self, total: u64) -> Selection {
        match self {
            Self::From(start) | Self::Between(start, _) if start >= total => Selection::Unsatisfiable,
            Self::From(start) => Selection::Part { start, bytes: total - start },
            Self::Between(start, last) => Selection::Part { start, bytes: last.min(total - 1) - start + 1 },
            Self::Last(0) => Selection::Unsatisfiable,
            // The last bytes of nothing are satisfiable but have no `Content-Range`: the whole, empty file says the same.
            Self::Last(_) if total == 0 => Selection::Whole,
            Self::Last(bytes) => {
                let bytes = bytes.min(total);
                Selection::Part { start: total - bytes, bytes }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Selection::{Part, Unsatisfiable, Whole};
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_header_selects_these_bytes() {
        let cases: &[(&str, u64, Selection)] = &[
            ("bytes=0-0", 10, Part { start: 0, bytes: 1 }),
            ("bytes=0-9", 10, Part { start: 0, bytes: 10 }),
            ("bytes=2-5", 10, Part { start: 2, bytes: 4 }),
            ("bytes=2-500", 10, Part { start: 2, bytes: 8 }),
            ("bytes=9-", 10, Part { start: 9, bytes: 1 }),
            ("bytes=0-", 10, Part { start: 0, bytes: 10 }),
            ("bytes=-3", 10, Part { start: 7, bytes: 3 }),
            ("bytes=-300", 10, Part { start: 0, bytes: 10 }),
            ("BYTES=1-2", 10, Part { start: 1, bytes: 2 }),
            ("bytes= 1-2 ", 10, Part { start: 1, bytes: 2 }),
            ("bytes=0-99999999999999999999999", 10, Part { start: 0, bytes: 10 }),
            ("bytes=10-", 10, Unsatisfiable),
            ("bytes=10-20", 10, Unsatisfiable),
            ("bytes=99999999999999999999999-", 10, Unsatisfiable),
            ("bytes=-0", 10, Unsatisfiable),
            ("bytes=0-0", 0, Unsatisfiable),
            ("bytes=0-", 0, Unsatisfiable),
            ("bytes=-5", 0, Whole),
            ("bytes=5-2", 10, Whole),
            ("bytes=0-1,3-4", 10, Whole),
            ("bytes=0-1,", 10, Whole),
            ("bytes=", 10, Whole),
            ("bytes=-", 10, Whole),
            ("bytes=a-b", 10, Whole),
            ("bytes=+1-2", 10, Whole),
            ("bytes=1 - 2", 10, Whole),
            ("bytes 0-1", 10, Whole),
            ("lines=0-1", 10, Whole),
            ("", 10, Whole),
        ];
        for (value, total, expected) in cases {
            assert_eq!(select(value.as_bytes(), *total), *expected, "{value:?} of {total}");
        }
    }

    proptest! {
        #[test]
        fn no_bytes_panic_and_a_part_lies_within_the_file(
            value in prop_oneof![
                any::<Vec<u8>>(),
                "bytes=[0-9]{0,21}-[0-9]{0,21}".prop_map(String::into_bytes),
                "bytes=[0-9, -]{0,12}".prop_map(String::into_bytes),
            ],
            total in prop_oneof![0_u64..20, any::<u64>()],
        ) {
            if let Part { start, bytes } = select(&value, total) {
                prop_assert!(bytes > 0);
                prop_assert!(start.checked_add(bytes).is_some_and(|end| end <= total));
            }
        }
    }
}
