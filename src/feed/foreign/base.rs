//! `xml:base`: the address that those in an element are relative to.

use std::sync::Arc;

use url::Url;

/// The base in an element whose `xml:base` is `value`, by that around it; relative where no absolute one is around.
pub(super) fn within(outer: Option<&Arc<str>>, value: &str) -> Option<Arc<str>> {
    let value = value.trim();
    let Some(outer) = outer.filter(|_| Url::parse(value).is_err()) else {
        return Some(value).filter(|value| !value.is_empty()).map(Into::into);
    };
    if value.is_empty() {
        return Some(outer.clone());
    }
    Some(match Url::parse(outer).and_then(|outer| outer.join(value)) {
        Ok(url) => url.as_str().into(),
        // What is relative to something relative: dots are resolved when the whole is.
        Err(_) if value.starts_with('/') => value.into(),
        Err(_) => format!("{}{value}", &outer[..outer.rfind('/').map_or(0, |at| at + 1)]).into(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_base_is_resolved_against_the_one_around_it() {
        for (outer, value, base) in [
            (None, "", None),
            (None, " https://example.org/a/ ", Some("https://example.org/a/")),
            (None, "a/", Some("a/")),
            (Some("https://example.org/a/x"), "b/", Some("https://example.org/a/b/")),
            (Some("https://example.org/a/"), "", Some("https://example.org/a/")),
            (Some("https://example.org/a/"), "//b.example.org/", Some("https://b.example.org/")),
            (Some("https://example.org/a/"), "http://b.example.org/x", Some("http://b.example.org/x")),
            (Some("a/x"), "../b/", Some("a/../b/")),
            (Some("a/x"), "/b", Some("/b")),
            (Some("a"), "b", Some("b")),
        ] {
            assert_eq!(within(outer.map(Into::into).as_ref(), value).as_deref(), base, "{value} in {outer:?}");
        }
    }
}
