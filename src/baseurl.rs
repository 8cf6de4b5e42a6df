//! The address of a published site: parsed once into a type that other addresses are made from.

use std::fmt;

use url::{Host, Url};

use crate::sitepath::SitePath;

/// The absolute URL of a site's root: `http` or `https`, with a host and with a `/` at its end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BaseUrl(Url);

/// A text that is no [`BaseUrl`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NotABaseUrl {
    text: String,
    why: &'static str,
}

impl fmt::Display for NotABaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} is not a base URL: {}", self.text, self.why)
    }
}

impl std::error::Error for NotABaseUrl {}

impl std::str::FromStr for BaseUrl {
    type Err = NotABaseUrl;

    fn from_str(text: &str) -> Result<Self, NotABaseUrl> {
        Self::parse(text)
    }
}

impl BaseUrl {
    /// What to write instead of a text that is no base URL.
    pub const HELP: &str = "write it as https://show.example.org/ or https://example.org/show/";

    /// Reads a base URL; the `/` at its end may be missing.
    pub fn parse(text: &str) -> Result<Self, NotABaseUrl> {
        let refuse = |why| NotABaseUrl { text: text.to_owned(), why };
        let mut url = Url::parse(text.trim()).map_err(|_| refuse("it does not begin with https://"))?;
        if !matches!(url.scheme(), "http" | "https") {
            return Err(refuse("it does not begin with https:// or http://"));
        }
        if url.query().is_some() || url.fragment().is_some() {
            return Err(refuse("it has a `?` or a `#`"));
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(refuse("it holds a user name, which everybody would read"));
        }
        if !url.path().ends_with('/') {
            url.set_path(&format!("{}/", url.path()));
        }
        Ok(Self(url))
    }

    /// The URL, with its `/` at the end.
    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }

    /// Whether it stands for an address that is still to come, or for this machine alone: a name that is reserved for
    /// examples and tests (RFC 2606), `localhost`, or a loopback address. Whoever goes by it is nobody in particular.
    pub fn is_placeholder(&self) -> bool {
        const RESERVED: [&str; 7] =
            ["example", "example.com", "example.net", "example.org", "invalid", "localhost", "test"];
        match self.0.host() {
            Some(Host::Domain(name)) => RESERVED
                .iter()
                .any(|reserved| name.strip_suffix(reserved).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))),
            Some(Host::Ipv4(address)) => address.is_loopback(),
            Some(Host::Ipv6(address)) => address.is_loopback(),
            None => false,
        }
    }

    /// Its path, from `/` to `/`.
    pub fn path(&self) -> &str {
        self.0.path()
    }

    /// The absolute URL of a path below the root that is percent-encoded already.
    pub fn join(&self, encoded: &str) -> String {
        format!("{}{encoded}", self.0)
    }

    /// The absolute URL of a file of the site.
    pub fn of(&self, path: &SitePath) -> String {
        self.join(&path.url())
    }
}

impl fmt::Display for BaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_base_url_ends_with_a_slash_and_holds_no_more_than_a_place() {
        let parse = |text| BaseUrl::parse(text).map(|url| url.to_string());
        assert_eq!(parse("https://show.example.org"), Ok("https://show.example.org/".into()));
        assert_eq!(parse("http://example.org:8080/show"), Ok("http://example.org:8080/show/".into()));
        let refused =
            ["show.example.org", "", "ftp://a/", "https://a/?b", "https://a/#b", "https://u:p@a/", "https://"];
        for text in refused {
            let error = parse(text).expect_err(text);
            assert!(error.to_string().contains("is not a base URL: it"), "{error}");
        }
    }

    #[test]
    fn an_address_for_examples_is_nobodys() {
        let is = |text| BaseUrl::parse(text).expect("a URL").is_placeholder();
        for text in [
            "https://show.example.org/",
            "http://example.com",
            "http://a.test/b",
            "http://localhost:8080",
            "http://127.0.0.1/",
            "http://[::1]/",
        ] {
            assert!(is(text), "{text}");
        }
        for text in
            ["https://show.internal/", "https://anexample.org.internal", "http://192.0.2.1/", "https://myexample.org"]
        {
            assert!(!is(text), "{text}");
        }
    }
}
