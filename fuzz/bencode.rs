//! Bytes that may be bencode, as torrents, trackers and peers bring them.
//!
//! What must hold: nothing panics; what decodes has one encoding, the bytes it was decoded from; what stands before other
//! bytes decodes by itself; an error names a place in the input.

#![no_main]

use everseed_fuzz::bencode::{self, Kind, Limits, Value};
use libfuzzer_sys::fuzz_target;

/// Narrow enough for the fuzzer to meet them.
const LIMITS: Limits = Limits { depth_max: 8, bytes_max: 1500, values_max: 100 };

fuzz_target!(|data: &[u8]| {
    match bencode::decode_prefix(data, LIMITS) {
        Ok((value, end)) => {
            assert!(end <= data.len() && value.span() == (0..end), "a value lies where it says");
            let again = bencode::decode_within(&data[..end], LIMITS);
            assert_eq!(again.as_ref(), Ok(&value), "it needs nothing of what follows it");
            let mut encoded = Vec::new();
            value.encode(&mut encoded);
            assert_eq!(encoded, data[..end], "a value has one encoding");
            let mut values = 0;
            walk(&value, data, 1, &mut values);
            assert!(values <= LIMITS.values_max);
            assert_eq!(bencode::decode_within(data, LIMITS).is_ok(), end == data.len());
        }
        Err(error) => {
            assert!(error.offset <= data.len(), "an error lies in the input");
            assert!(!error.to_string().is_empty());
        }
    }
});

/// Each value lies where it says, and no deeper than is allowed.
fn walk(value: &Value, data: &[u8], depth: usize, values: &mut usize) {
    *values += 1;
    assert_eq!(value.raw, &data[value.span()]);
    let mut inner = |value: &Value| {
        assert!(depth <= LIMITS.depth_max, "a value lies too deep");
        walk(value, data, depth + 1, values);
    };
    match &value.kind {
        Kind::Int(_) | Kind::Bytes(_) => {}
        Kind::List(list) => list.iter().for_each(inner),
        Kind::Dict(entries) => {
            assert!(entries.is_sorted_by(|a, b| a.0 < b.0), "keys are sorted, and none stands twice");
            entries.iter().for_each(|(_, value)| inner(value));
        }
    }
}
