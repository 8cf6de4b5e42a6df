//! Bencode (BEP 3), strict and borrowing: bytes in, values that point into them out, and back.
//!
//! Strict means that a value has one encoding only, so what decodes encodes to the same bytes: dictionary keys are
//! sorted and unique, integers have no leading zeros and no `-0`, nothing trails the value. Integers are signed and
//! of 64 bits; a larger one is an error, since no field of a torrent or a tracker reply needs it.

use std::fmt;
use std::ops::Range;

/// What a decoder accepts at most; beyond it, decoding is an error and not a way to exhaust memory or stack.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Lists and dictionaries inside each other.
    pub depth_max: usize,
    /// Bytes of the whole input.
    pub bytes_max: usize,
    /// Values of the whole input, keys not counted.
    pub values_max: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { depth_max: 32, bytes_max: 64 << 20, values_max: 4_000_000 }
    }
}

/// A decoded value with the bytes it was decoded from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Value<'a> {
    /// What it is.
    pub kind: Kind<'a>,
    /// The encoding itself, as it stands in the input.
    pub raw: &'a [u8],
    /// Where it begins in the input.
    pub offset: usize,
}

/// The four kinds of value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Kind<'a> {
    /// `i-3e`
    Int(i64),
    /// `4:spam`
    Bytes(&'a [u8]),
    /// `l...e`
    List(Vec<Value<'a>>),
    /// `d...e`, in the order of its keys.
    Dict(Vec<(&'a [u8], Value<'a>)>),
}

/// Why bytes are not a bencoded value, and at which byte.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Error {
    /// The byte, counted from 0, at which the fault was found.
    pub offset: usize,
    /// The fault.
    pub fault: Fault,
}

/// The faults a decoder finds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "each name is the sentence that `Display` writes")]
pub enum Fault {
    Truncated,
    NotAValue,
    BadInteger,
    IntegerBeyond64Bits,
    BadLength,
    KeyNotBytes,
    KeysUnsorted,
    KeyTwice,
    Trailing,
    TooDeep,
    TooLong,
    TooManyValues,
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = match self.fault {
            Fault::Truncated => "the data end inside a value",
            Fault::NotAValue => "no value begins with this byte",
            Fault::BadInteger => "an integer is digits without leading zeros, after `i` and before `e`",
            Fault::IntegerBeyond64Bits => "an integer does not fit into 64 bits",
            Fault::BadLength => "a string's length is digits without leading zeros, before `:`",
            Fault::KeyNotBytes => "a dictionary's key is not a string",
            Fault::KeysUnsorted => "a dictionary's keys are not in order",
            Fault::KeyTwice => "a dictionary's key stands twice",
            Fault::Trailing => "bytes follow the value",
            Fault::TooDeep => "lists and dictionaries are nested too deeply",
            Fault::TooLong => "the data are longer than the limit",
            Fault::TooManyValues => "the data hold more values than the limit",
        };
        write!(f, "byte {}: {text}", self.offset)
    }
}

impl std::error::Error for Error {}

/// Decodes the one value that `bytes` are, within the default [`Limits`].
pub fn decode(bytes: &[u8]) -> Result<Value<'_>, Error> {
    decode_within(bytes, Limits::default())
}

/// Decodes the one value that `bytes` are, within `limits`.
pub fn decode_within(bytes: &[u8], limits: Limits) -> Result<Value<'_>, Error> {
    let (value, end) = decode_prefix(bytes, limits)?;
    if end < bytes.len() {
        return Err(Error { offset: end, fault: Fault::Trailing });
    }
    Ok(value)
}

/// Decodes the value that `bytes` begin with and tells where it ends; for messages in which other bytes follow a
/// dictionary (BEP 9 `data`).
pub fn decode_prefix(bytes: &[u8], limits: Limits) -> Result<(Value<'_>, usize), Error> {
    if bytes.len() > limits.bytes_max {
        return Err(Error { offset: limits.bytes_max, fault: Fault::TooLong });
    }
    let mut decoder = Decoder { bytes, at: 0, depth: 0, values: 0, limits };
    let value = decoder.value()?;
    Ok((value, decoder.at))
}

impl<'a> Value<'a> {
    /// The integer, if it is one.
    pub fn as_int(&self) -> Option<i64> {
        if let Kind::Int(n) = self.kind { Some(n) } else { None }
    }

    /// The string's bytes, if it is one.
    pub fn as_bytes(&self) -> Option<&'a [u8]> {
        if let Kind::Bytes(bytes) = self.kind { Some(bytes) } else { None }
    }

    /// The string, if it is one and UTF-8.
    pub fn as_str(&self) -> Option<&'a str> {
        std::str::from_utf8(self.as_bytes()?).ok()
    }

    /// The list's values, if it is one.
    pub fn as_list(&self) -> Option<&[Value<'a>]> {
        if let Kind::List(values) = &self.kind { Some(values) } else { None }
    }

    /// The dictionary's entries in order, if it is one.
    pub fn as_dict(&self) -> Option<&[(&'a [u8], Value<'a>)]> {
        if let Kind::Dict(entries) = &self.kind { Some(entries) } else { None }
    }

    /// The value of `key`, if this is a dictionary that holds it.
    pub fn get(&self, key: &str) -> Option<&Value<'a>> {
        let entries = self.as_dict()?;
        let index = entries.binary_search_by(|(k, _)| (*k).cmp(key.as_bytes())).ok()?;
        Some(&entries[index].1)
    }

    /// Where the encoding stands in the input.
    pub fn span(&self) -> Range<usize> {
        self.offset..self.offset + self.raw.len()
    }

    /// Appends the encoding, which for a decoded value is [`Value::raw`] again.
    pub fn encode(&self, out: &mut Vec<u8>) {
        match &self.kind {
            Kind::Int(n) => int(out, *n),
            Kind::Bytes(bytes) => string(out, bytes),
            Kind::List(values) => {
                out.push(b'l');
                values.iter().for_each(|value| value.encode(out));
                out.push(b'e');
            }
            Kind::Dict(entries) => {
                let mut dict = Dict::begin(out);
                for (key, entry) in entries {
                    entry.encode(dict.key(key));
                }
                dict.end();
            }
        }
    }
}

/// Appends an integer.
pub fn int(out: &mut Vec<u8>, n: i64) {
    out.push(b'i');
    if n < 0 {
        out.push(b'-');
    }
    decimal(out, n.unsigned_abs());
    out.push(b'e');
}

/// Appends a string of bytes.
pub fn string(out: &mut Vec<u8>, bytes: impl AsRef<[u8]>) {
    let bytes = bytes.as_ref();
    decimal(out, bytes.len() as u64);
    out.push(b':');
    out.extend_from_slice(bytes);
}

/// Appends a list whose values `each` writes.
pub fn list<T>(out: &mut Vec<u8>, values: impl IntoIterator<Item = T>, mut each: impl FnMut(&mut Vec<u8>, T)) {
    out.push(b'l');
    for value in values {
        each(out, value);
    }
    out.push(b'e');
}

/// A dictionary being written, key after key; it insists on their order.
#[must_use = "a dictionary is whole after `end`"]
pub struct Dict<'o> {
    out: &'o mut Vec<u8>,
    /// Where the last key stands in `out`; empty before the first.
    last: Range<usize>,
}

impl<'o> Dict<'o> {
    /// Opens a dictionary at the end of `out`.
    pub fn begin(out: &'o mut Vec<u8>) -> Self {
        out.push(b'd');
        Self { out, last: 0..0 }
    }

    /// Writes `key` and returns where its value is to be appended.
    ///
    /// # Panics
    /// When the keys do not come in ascending order: an error of the program and never of its input.
    pub fn key(&mut self, key: impl AsRef<[u8]>) -> &mut Vec<u8> {
        let key = key.as_ref();
        assert!(
            self.last.is_empty() || self.out[self.last.clone()] < *key,
            "dictionary keys are written in ascending order: {}",
            key.escape_ascii()
        );
        string(self.out, key);
        self.last = self.out.len() - key.len()..self.out.len();
        self.out
    }

    /// Writes a key and an integer.
    pub fn int(&mut self, key: &str, n: i64) -> &mut Self {
        int(self.key(key), n);
        self
    }

    /// Writes a key and a string.
    pub fn string(&mut self, key: &str, bytes: impl AsRef<[u8]>) -> &mut Self {
        string(self.key(key), bytes);
        self
    }

    /// Closes the dictionary.
    pub fn end(self) {
        self.out.push(b'e');
    }
}

/// The decimal digits of `n`; twenty are enough for 64 bits.
fn decimal(out: &mut Vec<u8>, mut n: u64) {
    let mut digits = [0; 20];
    let mut at = digits.len();
    loop {
        at -= 1;
        digits[at] = b'0' + u8::try_from(n % 10).expect("a remainder of ten is below ten");
        n /= 10;
        if n == 0 {
            break;
        }
    }
    out.extend_from_slice(&digits[at..]);
}

/// Appends to a vector that grows from one value on and not from four: most lists and dictionaries of a torrent are
/// short, and there are millions of them.
fn push<T>(values: &mut Vec<T>, value: T) {
    if values.len() == values.capacity() {
        values.reserve_exact(values.len().max(1));
    }
    values.push(value);
}

struct Decoder<'a> {
    bytes: &'a [u8],
    at: usize,
    depth: usize,
    values: usize,
    limits: Limits,
}

impl<'a> Decoder<'a> {
    fn value(&mut self) -> Result<Value<'a>, Error> {
        let offset = self.at;
        self.values += 1;
        if self.values > self.limits.values_max {
            return Err(Error { offset, fault: Fault::TooManyValues });
        }
        let kind = match self.peek()? {
            b'i' => Kind::Int(self.int()?),
            b'0'..=b'9' => Kind::Bytes(self.string()?),
            b'l' => Kind::List(self.nested(Self::list)?),
            b'd' => Kind::Dict(self.nested(Self::dict)?),
            _ => return Err(Error { offset, fault: Fault::NotAValue }),
        };
        Ok(Value { kind, raw: &self.bytes[offset..self.at], offset })
    }

    fn nested<T>(&mut self, inner: fn(&mut Self) -> Result<T, Error>) -> Result<T, Error> {
        if self.depth == self.limits.depth_max {
            return Err(Error { offset: self.at, fault: Fault::TooDeep });
        }
        self.depth += 1;
        self.at += 1;
        let value = inner(self)?;
        self.at += 1;
        self.depth -= 1;
        Ok(value)
    }

    fn list(&mut self) -> Result<Vec<Value<'a>>, Error> {
        let mut values = Vec::new();
        while self.peek()? != b'e' {
            let value = self.value()?;
            push(&mut values, value);
        }
        Ok(values)
    }

    fn dict(&mut self) -> Result<Vec<(&'a [u8], Value<'a>)>, Error> {
        let mut entries: Vec<(&[u8], Value)> = Vec::new();
        loop {
            let offset = self.at;
            match self.peek()? {
                b'e' => return Ok(entries),
                b'0'..=b'9' => {}
                _ => return Err(Error { offset, fault: Fault::KeyNotBytes }),
            }
            let key = self.string()?;
            match entries.last().map(|(last, _)| (*last).cmp(key)) {
                None | Some(std::cmp::Ordering::Less) => {}
                Some(std::cmp::Ordering::Equal) => return Err(Error { offset, fault: Fault::KeyTwice }),
                Some(std::cmp::Ordering::Greater) => return Err(Error { offset, fault: Fault::KeysUnsorted }),
            }
            let value = self.value()?;
            push(&mut entries, (key, value));
        }
    }

    fn int(&mut self) -> Result<i64, Error> {
        let offset = self.at;
        self.at += 1;
        let negative = self.peek()? == b'-';
        self.at += usize::from(negative);
        let digits = self.digits(b'e', offset, Fault::BadInteger)?;
        if negative && digits == b"0" {
            return Err(Error { offset, fault: Fault::BadInteger });
        }
        let beyond = Error { offset, fault: Fault::IntegerBeyond64Bits };
        // Summed below zero, where the range reaches one further.
        let sum = digits.iter().try_fold(0_i64, |sum, digit| sum.checked_mul(10)?.checked_sub(i64::from(digit - b'0')));
        let below = sum.ok_or_else(|| beyond.clone())?;
        if negative { Ok(below) } else { below.checked_neg().ok_or(beyond) }
    }

    fn string(&mut self) -> Result<&'a [u8], Error> {
        let offset = self.at;
        let digits = self.digits(b':', offset, Fault::BadLength)?;
        let truncated = Error { offset, fault: Fault::Truncated };
        // A length that does not fit is longer than any input.
        let length = digits
            .iter()
            .try_fold(0_usize, |sum, digit| sum.checked_mul(10)?.checked_add(usize::from(digit - b'0')))
            .ok_or_else(|| truncated.clone())?;
        let end = self.at.checked_add(length).ok_or_else(|| truncated.clone())?;
        let bytes = self.bytes.get(self.at..end).ok_or(truncated)?;
        self.at = end;
        Ok(bytes)
    }

    /// Digits without leading zeros up to `end`, which is passed over.
    fn digits(&mut self, end: u8, offset: usize, fault: Fault) -> Result<&'a [u8], Error> {
        let start = self.at;
        while self.peek()?.is_ascii_digit() {
            self.at += 1;
        }
        let digits = &self.bytes[start..self.at];
        if digits.is_empty() || (digits.len() > 1 && digits[0] == b'0') || self.peek()? != end {
            return Err(Error { offset, fault });
        }
        self.at += 1;
        Ok(digits)
    }

    fn peek(&self) -> Result<u8, Error> {
        self.bytes.get(self.at).copied().ok_or(Error { offset: self.bytes.len(), fault: Fault::Truncated })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn fault(bytes: &[u8]) -> (usize, Fault) {
        let error = decode(bytes).expect_err("not strict bencode");
        (error.offset, error.fault)
    }

    #[test]
    fn each_kind_decodes() {
        let value = decode(b"d3:bari-7e3:fool1:a0:i0eee").expect("strict");
        assert_eq!(value.get("bar").and_then(Value::as_int), Some(-7));
        let foo = value.get("foo").expect("a key");
        assert_eq!(foo.raw, b"l1:a0:i0ee");
        assert_eq!(foo.span(), 15..25);
        assert_eq!(foo.as_list().map(<[_]>::len), Some(3));
        assert!(value.get("baz").is_none());
    }

    #[test]
    fn integers_reach_both_ends_of_64_bits_and_no_further() {
        assert_eq!(decode(b"i9223372036854775807e").map(|v| v.as_int()), Ok(Some(i64::MAX)));
        assert_eq!(decode(b"i-9223372036854775808e").map(|v| v.as_int()), Ok(Some(i64::MIN)));
        assert_eq!(fault(b"i9223372036854775808e"), (0, Fault::IntegerBeyond64Bits));
        assert_eq!(fault(b"i-9223372036854775809e"), (0, Fault::IntegerBeyond64Bits));
    }

    #[test]
    fn what_has_a_second_encoding_is_refused_at_its_byte() {
        for bytes in [&b"i03e"[..], b"i-0e", b"i-03e", b"ie", b"i-e", b"i+1e", b"i1.5e", b"i 1e"] {
            assert_eq!(fault(bytes), (0, Fault::BadInteger), "{}", bytes.escape_ascii());
        }
        assert_eq!(fault(b"l01:ae"), (1, Fault::BadLength));
        assert_eq!(fault(b"1x:a"), (0, Fault::BadLength));
        assert_eq!(fault(b"d1:bi1e1:ai2ee"), (7, Fault::KeysUnsorted));
        assert_eq!(fault(b"d1:ai1e1:ai2ee"), (7, Fault::KeyTwice));
        assert_eq!(fault(b"di1ei2ee"), (1, Fault::KeyNotBytes));
        assert_eq!(fault(b"i1ei2e"), (3, Fault::Trailing));
        assert_eq!(fault(b"x"), (0, Fault::NotAValue));
    }

    #[test]
    fn truncated_data_are_refused_wherever_they_end() {
        let whole = b"d3:bari-7e3:fool1:a0:i0eee";
        for end in 0..whole.len() {
            assert_eq!(fault(&whole[..end]).1, Fault::Truncated, "after {end} bytes");
        }
        assert_eq!(fault(b"99999999999999999999999:a"), (0, Fault::Truncated));
    }

    #[test]
    fn depth_size_and_number_of_values_have_limits() {
        let nested = |depth: usize| [vec![b'l'; depth], vec![b'e'; depth]].concat();
        let limits = Limits { depth_max: 3, bytes_max: 10, values_max: 4 };
        assert!(decode_within(&nested(3), limits).is_ok());
        let faults = [nested(4), b"9:123456789".to_vec(), b"l0:0:0:0:e".to_vec()]
            .map(|bytes| decode_within(&bytes, limits).expect_err("beyond a limit").fault);
        assert_eq!(faults, [Fault::TooDeep, Fault::TooLong, Fault::TooManyValues]);
    }

    #[test]
    fn a_prefix_tells_where_it_ends() {
        let (value, end) = decode_prefix(b"d1:ai1eeREST", Limits::default()).expect("a value");
        assert_eq!((value.raw, end), (&b"d1:ai1ee"[..], 8));
    }

    #[test]
    #[should_panic(expected = "ascending order")]
    fn a_dictionary_is_not_written_out_of_order() {
        let mut out = Vec::new();
        let mut dict = Dict::begin(&mut out);
        dict.int("b", 1);
        dict.int("a", 1);
    }

    /// Bencoded bytes of any shape, made through the encoder.
    fn encoded() -> impl Strategy<Value = Vec<u8>> {
        let leaf = prop_oneof![
            any::<i64>().prop_map(|n| {
                let mut out = Vec::new();
                int(&mut out, n);
                out
            }),
            proptest::collection::vec(any::<u8>(), 0..20).prop_map(|bytes| {
                let mut out = Vec::new();
                string(&mut out, bytes);
                out
            }),
        ];
        leaf.prop_recursive(5, 60, 6, |inner| {
            prop_oneof![
                proptest::collection::vec(inner.clone(), 0..6).prop_map(|values| {
                    let mut out = Vec::new();
                    list(&mut out, &values, |out, value| out.extend_from_slice(value));
                    out
                }),
                proptest::collection::btree_map(proptest::collection::vec(any::<u8>(), 0..4), inner, 0..6).prop_map(
                    |entries| {
                        let mut out = Vec::new();
                        let mut dict = Dict::begin(&mut out);
                        for (key, value) in &entries {
                            dict.key(key).extend_from_slice(value);
                        }
                        dict.end();
                        out
                    }
                ),
            ]
        })
    }

    proptest! {
        #[test]
        fn what_is_encoded_decodes_and_encodes_again_to_the_same_bytes(bytes in encoded()) {
            let value = decode(&bytes).expect("the encoder is strict");
            let mut again = Vec::new();
            value.encode(&mut again);
            prop_assert_eq!(&again, &bytes);
            prop_assert_eq!(value.raw, &bytes[..]);
        }

        #[test]
        fn no_bytes_panic_and_what_decodes_has_one_encoding(bytes in proptest::collection::vec(any::<u8>(), 0..64)) {
            if let Ok(value) = decode(&bytes) {
                let mut again = Vec::new();
                value.encode(&mut again);
                prop_assert_eq!(again, bytes);
            }
        }

        #[test]
        fn one_changed_byte_never_panics(bytes in encoded(), at in any::<prop::sample::Index>(), byte in any::<u8>()) {
            let mut bytes = bytes;
            let at = at.index(bytes.len());
            bytes[at] = byte;
            if let Ok(value) = decode(&bytes) {
                let mut again = Vec::new();
                value.encode(&mut again);
                prop_assert_eq!(again, bytes);
            }
        }
    }
}
