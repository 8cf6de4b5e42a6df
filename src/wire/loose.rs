//! Dictionaries of others, walked and not decoded: some clients and trackers write keys in no order, and nothing of
//! what they say is ever hashed.

/// Lists and dictionaries inside each other.
const DEPTH_MAX: usize = 16;

/// The encoded value of `key` in the dictionary that `bytes` begin with. What stands behind that value need not be
/// bencode at all.
pub fn find<'a>(bytes: &'a [u8], key: &[u8]) -> Option<&'a [u8]> {
    let mut rest = bytes.strip_prefix(b"d")?;
    while rest.first()? != &b'e' {
        let (name, after) = string(rest)?;
        let after_value = skip(after, DEPTH_MAX)?;
        if name == key {
            return Some(&after[..after.len() - after_value.len()]);
        }
        rest = after_value;
    }
    None
}

/// What stands behind the value that `bytes` begin with.
fn skip(bytes: &[u8], depth: usize) -> Option<&[u8]> {
    match bytes.first()? {
        b'i' => Some(&bytes[bytes.iter().position(|&byte| byte == b'e')? + 1..]),
        b'0'..=b'9' => Some(string(bytes)?.1),
        b'l' | b'd' => {
            let inner = depth.checked_sub(1)?;
            let mut rest = &bytes[1..];
            // A dictionary is passed over like the list of its keys and values.
            while rest.first()? != &b'e' {
                rest = skip(rest, inner)?;
            }
            Some(&rest[1..])
        }
        _ => None,
    }
}

fn string(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let colon = bytes.iter().take(8).position(|&byte| byte == b':')?;
    let length: usize = std::str::from_utf8(&bytes[..colon]).ok()?.parse().ok()?;
    bytes[colon + 1..].split_at_checked(length)
}

/// The encoded values in the list that `bytes` begin with, up to where it is broken.
pub fn list(bytes: &[u8]) -> Vec<&[u8]> {
    let mut rest = bytes.strip_prefix(b"l").unwrap_or_default();
    let mut values = Vec::new();
    while let Some(behind) = skip(rest, DEPTH_MAX) {
        values.push(&rest[..rest.len() - behind.len()]);
        rest = behind;
    }
    values
}

/// The integer that `value` encodes, if it is one.
pub fn as_int(value: &[u8]) -> Option<i64> {
    let digits = value.strip_prefix(b"i")?.strip_suffix(b"e")?;
    std::str::from_utf8(digits).ok()?.parse().ok()
}

/// The string that `value` encodes, if it is one.
pub fn as_bytes(value: &[u8]) -> Option<&[u8]> {
    string(value).filter(|(_, behind)| behind.is_empty()).map(|(bytes, _)| bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_value_is_found_whatever_the_order_of_the_keys() {
        for bytes in [&b"d1:ai-7e1:bld1:xi1eee1:c2:hie"[..], b"d1:c2:hi1:bld1:xi1eee1:ai-7e"] {
            assert_eq!(find(bytes, b"a").and_then(as_int), Some(-7));
            assert_eq!(find(bytes, b"b"), Some(&b"ld1:xi1eee"[..]));
            assert_eq!(find(bytes, b"c").and_then(as_bytes), Some(&b"hi"[..]));
            assert_eq!(find(bytes, b"d"), None);
        }
        assert_eq!(find(b"i1e", b"a"), None);
        assert_eq!(as_bytes(b"2:hi!"), None);
    }

    #[test]
    fn deep_nesting_is_not_followed() {
        let deep = [&b"d1:a"[..], &b"l".repeat(10_000), &b"e".repeat(10_000), b"1:bi3ee"].concat();
        assert_eq!(find(&deep, b"b"), None);
    }

    proptest! {
        #[test]
        fn no_bytes_panic(bytes in proptest::collection::vec(proptest::sample::select(&b"di0123456789le:-a"[..]), 0..80)) {
            find(&bytes, b"a").map(as_int);
            as_bytes(&bytes);
        }
    }
}
