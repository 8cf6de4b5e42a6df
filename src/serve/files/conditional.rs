//! Whether a conditional request is answered in full, in part or not at all (RFC 9110 section 13), decided without
//! the file.

use std::time::{Duration, SystemTime};

/// The fields of a request that make it conditional, as they came.
#[derive(Debug, Clone, Copy, Default)]
#[expect(clippy::struct_field_names, reason = "the names of the headers")]
pub struct Conditions<'a> {
    /// `If-Match`.
    pub if_match: Option<&'a [u8]>,
    /// `If-None-Match`.
    pub if_none_match: Option<&'a [u8]>,
    /// `If-Modified-Since`.
    pub if_modified_since: Option<&'a [u8]>,
    /// `If-Unmodified-Since`.
    pub if_unmodified_since: Option<&'a [u8]>,
    /// `If-Range`.
    pub if_range: Option<&'a [u8]>,
}

/// What is known of the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Validators {
    /// The strong entity tag, with its quotes.
    pub etag: String,
    /// When the file was written, in whole seconds; `None` where no header can say it.
    pub modified: Option<SystemTime>,
}

/// How to go on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Answer; a `Range` is honoured only where `ranges` says so.
    Proceed {
        /// Whether a `Range` header counts.
        ranges: bool,
    },
    /// 304: the client has it.
    NotModified,
    /// 412: the client wants another one.
    PreconditionFailed,
}

/// Evaluates the conditions of a GET or HEAD in the order of RFC 9110 section 13.2.2, at the time `now`.
pub fn evaluate(conditions: &Conditions<'_>, file: &Validators, now: SystemTime) -> Verdict {
    match conditions.if_match {
        Some(tags) if !any_tag(tags, |tag| tag == file.etag) => return Verdict::PreconditionFailed,
        None if is_modified_since(conditions.if_unmodified_since, file) == Some(true) => {
            return Verdict::PreconditionFailed;
        }
        _ => {}
    }
    match conditions.if_none_match {
        Some(tags) if any_tag(tags, |tag| opaque(tag) == file.etag) => return Verdict::NotModified,
        None if is_modified_since(conditions.if_modified_since, file) == Some(false) => return Verdict::NotModified,
        _ => {}
    }
    Verdict::Proceed { ranges: conditions.if_range.is_none_or(|value| is_same(value, file, now)) }
}

/// `If-Range` (section 13.1.5): an entity tag compared strongly, or the exact date of a file that has rested for the
/// second within which a change would leave the date as it is (section 8.8.2.2).
fn is_same(value: &[u8], file: &Validators, now: SystemTime) -> bool {
    let value = value.trim_ascii();
    if value.starts_with(b"\"") || value.starts_with(b"W/") {
        return value == file.etag.as_bytes();
    }
    let rested = |modified: SystemTime| now.duration_since(modified).is_ok_and(|age| age >= Duration::from_secs(1));
    date(value).is_some_and(|asked| file.modified == Some(asked) && rested(asked))
}

/// `None` where the header is missing or no date, or the file has none: then it does not count.
fn is_modified_since(value: Option<&[u8]>, file: &Validators) -> Option<bool> {
    Some(file.modified? > date(value?)?)
}

fn date(value: &[u8]) -> Option<SystemTime> {
    httpdate::parse_http_date(std::str::from_utf8(value).ok()?.trim()).ok()
}

/// Whether a list of entity tags is `*` or holds one that `fits`. What is no tag ends the list.
fn any_tag(list: &[u8], fits: impl Fn(&str) -> bool) -> bool {
    let Ok(list) = std::str::from_utf8(list) else { return false };
    let mut rest = list.trim();
    if rest == "*" {
        return true;
    }
    loop {
        rest = rest.trim_start_matches([' ', '\t', ',']);
        let quote = if rest.starts_with("W/\"") { 2 } else { 0 };
        if !rest[quote..].starts_with('"') {
            return false;
        }
        let Some(length) = rest[quote + 1..].find('"') else { return false };
        let (tag, after) = rest.split_at(quote + length + 2);
        if fits(tag) {
            return true;
        }
        rest = after;
    }
}

fn opaque(tag: &str) -> &str {
    tag.strip_prefix("W/").unwrap_or(tag)
}

#[cfg(test)]
mod tests {
    use super::Verdict::{NotModified, PreconditionFailed};
    use super::*;
    use proptest::prelude::*;

    const BEFORE: &str = "Sun, 06 Nov 1994 08:49:36 GMT";
    const WRITTEN: &str = "Sun, 06 Nov 1994 08:49:37 GMT";
    const AFTER: &str = "Sun, 06 Nov 1994 08:49:38 GMT";
    const FULL: Verdict = Verdict::Proceed { ranges: true };
    const NO_RANGES: Verdict = Verdict::Proceed { ranges: false };

    fn file() -> Validators {
        Validators { etag: "\"a\"".into(), modified: date(WRITTEN.as_bytes()) }
    }

    fn later() -> SystemTime {
        date(AFTER.as_bytes()).expect("a date")
    }

    #[test]
    fn conditions_lead_to_these_verdicts() {
        let cases: &[(&[(&str, &str)], Verdict)] = &[
            (&[], FULL),
            (&[("none-match", "\"a\"")], NotModified),
            (&[("none-match", "W/\"a\"")], NotModified),
            (&[("none-match", "*")], NotModified),
            (&[("none-match", "\"b\", \"a\"")], NotModified),
            (&[("none-match", "\"b\",,W/\"a,\",\"a\"")], NotModified),
            (&[("none-match", "\"b\"")], FULL),
            (&[("none-match", "a")], FULL),
            (&[("none-match", "\"a")], FULL),
            (&[("none-match", "")], FULL),
            // A tag that differs outweighs a date that does not.
            (&[("none-match", "\"b\""), ("modified-since", WRITTEN)], FULL),
            (&[("modified-since", WRITTEN)], NotModified),
            (&[("modified-since", AFTER)], NotModified),
            (&[("modified-since", BEFORE)], FULL),
            (&[("modified-since", "yesterday")], FULL),
            (&[("match", "\"a\"")], FULL),
            (&[("match", "*")], FULL),
            (&[("match", "W/\"a\"")], PreconditionFailed),
            (&[("match", "\"b\"")], PreconditionFailed),
            (&[("match", "\"a\""), ("unmodified-since", BEFORE)], FULL),
            (&[("unmodified-since", BEFORE)], PreconditionFailed),
            (&[("unmodified-since", WRITTEN)], FULL),
            (&[("unmodified-since", "yesterday")], FULL),
            (&[("range", "\"a\"")], FULL),
            (&[("range", "\"b\"")], NO_RANGES),
            (&[("range", "W/\"a\"")], NO_RANGES),
            (&[("range", WRITTEN)], FULL),
            (&[("range", AFTER)], NO_RANGES),
            (&[("range", BEFORE)], NO_RANGES),
            (&[("range", "garbage")], NO_RANGES),
            (&[("none-match", "\"a\""), ("range", "\"b\"")], NotModified),
        ];
        for (headers, expected) in cases {
            let get = |name| headers.iter().find(|(key, _)| *key == name).map(|(_, value)| value.as_bytes());
            let conditions = Conditions {
                if_match: get("match"),
                if_none_match: get("none-match"),
                if_modified_since: get("modified-since"),
                if_unmodified_since: get("unmodified-since"),
                if_range: get("range"),
            };
            assert_eq!(evaluate(&conditions, &file(), later()), *expected, "{headers:?}");
        }
    }

    #[test]
    fn a_date_is_no_proof_within_the_second_in_which_the_file_was_written() {
        let conditions = Conditions { if_range: Some(WRITTEN.as_bytes()), ..Conditions::default() };
        let just_now = date(WRITTEN.as_bytes()).expect("a date");
        assert_eq!(evaluate(&conditions, &file(), just_now), NO_RANGES);
    }

    #[test]
    fn a_file_without_a_date_is_judged_by_its_tag_alone() {
        let conditions = Conditions { if_modified_since: Some(AFTER.as_bytes()), ..Conditions::default() };
        assert_eq!(evaluate(&conditions, &Validators { modified: None, ..file() }, later()), FULL);
    }

    proptest! {
        #[test]
        fn no_bytes_panic(a in any::<Vec<u8>>(), b in "[W/\"a, *]{0,12}", secs in any::<u32>()) {
            for (x, y) in [(&a[..], b.as_bytes()), (b.as_bytes(), &a[..])] {
                let conditions = Conditions {
                    if_match: Some(x), if_none_match: Some(y), if_modified_since: Some(x),
                    if_unmodified_since: Some(y), if_range: Some(x),
                };
                evaluate(&conditions, &file(), SystemTime::UNIX_EPOCH + Duration::from_secs(secs.into()));
                evaluate(&Conditions { if_match: None, if_none_match: None, ..conditions }, &file(), later());
            }
        }
    }
}
