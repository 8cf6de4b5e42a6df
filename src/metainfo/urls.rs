//! The URLs that a torrent names, checked before they are written: of trackers and of web seeds.

use std::fmt;

use url::Url;

/// The schemes that trackers are announced to over: HTTP (BEP 3) and UDP (BEP 15).
pub const TRACKER_SCHEMES: &[&str] = &["https", "http", "udp"];
/// The schemes that web seeds are fetched over (BEP 19).
const WEB_SEED_SCHEMES: &[&str] = &["https", "http"];

/// A text that can't be the URL it was meant as.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NotAUrl {
    text: String,
    what: &'static str,
    schemes: &'static [&'static str],
    example: &'static str,
}

impl NotAUrl {
    /// What to write instead.
    pub fn help(&self) -> String {
        let Self { schemes, example, .. } = self;
        let scheme = schemes.first().copied().unwrap_or_default();
        // UDP knows no default port.
        let port = if scheme == "udp" { ":6969" } else { "" };
        let schemes = schemes.join(" or ");
        format!("write it with its scheme, {schemes}, as {scheme}://show.example.org{port}/{example}")
    }
}

impl fmt::Display for NotAUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} is not {}", self.text, self.what)
    }
}

impl std::error::Error for NotAUrl {}

/// Refuses what is not an announce URL with a host and one of `schemes`.
pub fn check_tracker(text: &str, schemes: &'static [&'static str]) -> Result<(), NotAUrl> {
    check(text, schemes, "an announce URL", "announce")
}

/// Refuses what is not the URL of a web seed.
pub fn check_web_seed(text: &str) -> Result<(), NotAUrl> {
    check(text, WEB_SEED_SCHEMES, "the URL of a web seed", "media/")
}

fn check(
    text: &str,
    schemes: &'static [&'static str],
    what: &'static str,
    example: &'static str,
) -> Result<(), NotAUrl> {
    match Url::parse(text) {
        Ok(url) if schemes.contains(&url.scheme()) && url.has_host() => Ok(()),
        _ => Err(NotAUrl { text: text.to_owned(), what, schemes, example }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_has_a_scheme_that_clients_speak_and_a_host() {
        for text in ["https://a.example.org/announce", "http://[::1]:1/announce", "udp://a.example.org:6969/announce"] {
            assert_eq!(check_tracker(text, TRACKER_SCHEMES), Ok(()), "{text}");
        }
        for text in ["a.example.org", "ftp://a.example.org/x", "https://", "udp:a", "mailto:a@example.org", ""] {
            let wrong = check_tracker(text, TRACKER_SCHEMES).expect_err(text);
            assert_eq!(wrong.to_string(), format!("{text:?} is not an announce URL"));
        }
        assert_eq!(check_web_seed("http://a.example.org/media/"), Ok(()));
        let wrong = check_web_seed("udp://a.example.org/").expect_err("no client fetches over it");
        assert_eq!(wrong.help(), "write it with its scheme, https or http, as https://show.example.org/media/");
    }
}
