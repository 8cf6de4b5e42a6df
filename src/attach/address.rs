//! The URL of an enclosure: where it leads without tracking prefixes, and where that stands in the site. It asks no
//! server and no disk.

use std::borrow::Cow;
use std::cmp::Reverse;
use std::fmt::Write;

use percent_encoding::percent_decode_str;
use url::{ParseError, Position, Url};

use crate::baseurl::BaseUrl;
use crate::problem::Problem;
use crate::sitepath::SitePath;

/// The most bytes of an enclosure's URL.
pub const URL_BYTES_MAX: usize = 8192;
/// The most tracking prefixes that are taken off a URL.
const PREFIXES_MAX: usize = 16;
/// Stands for any name of a prefix's path; behind other letters, for any end of a name.
const ANY: &str = "*";
/// The prefixes of the industry; what follows them is a host and a path, with or without a scheme.
const BUILT_IN: [&str; 32] = [
    "2.gum.fm/",
    "adbarker.com/stream/*/",
    "arttrk.com/p/*/",
    "chrt.fm/track/",
    "chrt.fm/track/*/",
    "chtbl.com/track/",
    "chtbl.com/track/*/",
    "claritaspod.com/measure/",
    "clrtpod.com/m/",
    "dts.podtrac.com/pts/redirect.*/",
    "dts.podtrac.com/redirect.*/",
    "growx.podkite.com/https/*/",
    "media.blubrry.com/*/",
    "media.blubrry.com/*/p/",
    "mgln.ai/e/*/",
    "mgln.ai/track/*/",
    "op3.dev/e/",
    "op3.dev/e,*/",
    "pdcn.co/e/",
    "pdrl.fm/*/",
    "pdst.fm/e/",
    "pfx.veritonicmetrics.com/*/",
    "pfx.vpixl.com/*/",
    "play.podtrac.com/*/",
    "podtrac.com/pts/redirect.*/",
    "prfx.byspotify.com/e/",
    "pscrb.fm/rss/p/",
    "s.gum.fm/*/",
    "s.gum.fm/r1/*/",
    "tracking.swap.fm/track/*/",
    "verifi.podscribe.com/rss/p/",
    "www.podtrac.com/pts/redirect.*/",
];
/// Endings of files without a digit in them; behind a prefix they are no top-level domains.
const NO_DOMAINS: [&str; 10] = ["aac", "avi", "flac", "mkv", "mov", "oga", "ogg", "opus", "wav", "webm"];

/// The tracking prefixes that are taken off an enclosure's URL: those of the industry and those that are configured.
#[derive(Debug, Clone)]
pub struct Prefixes(Vec<Prefix>);

#[derive(Debug, Clone, PartialEq, Eq)]
struct Prefix {
    /// The host, and the port where it is not the scheme's own.
    authority: String,
    names: Vec<String>,
}

impl Prefixes {
    /// The built-in prefixes and `configured` ones: http or https URLs that end in `/`, in which a name of the path may
    /// be `*`, which stands for any name.
    pub fn new(configured: &[String]) -> Result<Self, Problem> {
        let built_in = BUILT_IN.iter().map(|text| {
            let (host, path) = text.split_once('/').expect("a built-in prefix has a `/`");
            Ok(Prefix::new(host.to_owned(), path))
        });
        let configured = configured.iter().map(|text| {
            Prefix::configured(text).map_err(|why| {
                Problem::new(format!("{text:?} is no tracking prefix: {why}"))
                    .help("write what stands before the host of the file: https://track.example.org/e/*/")
            })
        });
        let mut prefixes = built_in.chain(configured).collect::<Result<Vec<_>, _>>()?;
        // The longest first: what a shorter one leaves may begin with the rest of a longer one.
        prefixes.sort_by_key(|prefix| Reverse(prefix.names.len()));
        Ok(Self(prefixes))
    }

    /// `url` without the prefixes that it begins with; they are nested.
    pub fn strip(&self, url: &str) -> String {
        let Ok(mut inner) = Url::parse(url) else { return url.to_owned() };
        let mut is_stripped = false;
        for _ in 0..PREFIXES_MAX {
            let Some(next) = self.0.iter().find_map(|prefix| prefix.strip(&inner)) else { break };
            inner = next;
            is_stripped = true;
        }
        if is_stripped { inner.into() } else { url.to_owned() }
    }
}

impl Prefix {
    fn new(authority: String, path: &str) -> Self {
        let names = path.split('/').filter(|name| !name.is_empty()).map(str::to_owned).collect();
        Self { authority, names }
    }

    fn configured(text: &str) -> Result<Self, &'static str> {
        let url = Url::parse(text.trim()).map_err(|_| "it does not begin with https://")?;
        if !matches!(url.scheme(), "http" | "https") {
            return Err("it does not begin with https:// or http://");
        }
        if url.query().is_some() || url.fragment().is_some() || has_user(&url) {
            return Err("it holds more than a host and a path");
        }
        if !text.trim().ends_with('/') {
            return Err("it does not end in `/`");
        }
        if url.path().split('/').any(|name| name.contains(ANY) && name != ANY) {
            return Err("a `*` stands for a whole name between two `/`");
        }
        Ok(Self::new(authority(&url), url.path()))
    }

    /// What stands behind this prefix in `url`, where it is a URL.
    fn strip(&self, url: &Url) -> Option<Url> {
        if authority(url) != self.authority {
            return None;
        }
        let mut rest = &url[Position::AfterPort..];
        rest = rest.strip_prefix('/')?;
        for name in &self.names {
            let (found, behind) = rest.split_once('/')?;
            let fits = match name.strip_suffix(ANY) {
                Some(begin) => found.len() > begin.len() && found.starts_with(begin),
                None => found == name,
            };
            if !fits {
                return None;
            }
            rest = behind;
        }
        behind_a_prefix(rest)
    }
}

/// The URL that `text` is behind a prefix: `host/path` or `https://host/path`, also with one of the two `/` lost. The
/// host has a dot in it and a path behind it; a folder whose name has a dot is none.
fn behind_a_prefix(text: &str) -> Option<Url> {
    let scheme = text.split_once(":/").map(|(scheme, _)| scheme.to_ascii_lowercase());
    let scheme = scheme.filter(|scheme| matches!(scheme.as_str(), "http" | "https"));
    let rest = scheme.as_ref().map_or(text, |scheme| text[scheme.len() + 1..].trim_start_matches('/'));
    let (authority, path) = rest.split_once('/')?;
    if path.is_empty() || path.starts_with(['?', '#']) {
        return None;
    }
    let host = authority.split_once(':').map_or(authority, |(host, _)| host);
    let (_, domain) = host.rsplit_once('.')?;
    let is_domain = domain.len() >= 2
        && (domain.starts_with("xn--") || domain.chars().all(char::is_alphabetic))
        && !NO_DOMAINS.contains(&domain.to_ascii_lowercase().as_str());
    if scheme.is_none() && !is_domain {
        return None;
    }
    let url = Url::parse(&format!("{}://{rest}", scheme.as_deref().unwrap_or("https"))).ok()?;
    (!has_user(&url)).then_some(url)
}

/// Where the URL of an enclosure leads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Address {
    /// The URL as it stands in the feed, made absolute and, where letters of it are not, percent-encoded.
    pub feed_url: String,
    /// The URL without tracking prefixes and fragment, percent-encoded so that every client asks for the same: two ways
    /// to write one path (RFC 3986, 6.2.2) are one.
    pub direct_url: String,
    /// Where it stands below the site's base URL, percent-decoded; whether by http or https makes no difference.
    pub site_path: Option<SitePath>,
    /// The decoded names of its path, outermost first; the last is the file's. There is at least one, and each could
    /// stand in a path on disk.
    pub path_names: Vec<String>,
    /// What the author should hear about it, to stand behind the URL: "is relative, ...".
    pub remarks: Vec<String>,
}

impl Address {
    /// Reads the `url` of an enclosure in the feed at `feed_at`, an absolute URL. An error: why it can't be used, to
    /// stand behind the URL.
    pub fn of(url: &str, feed_at: &str, base: &BaseUrl, prefixes: &Prefixes) -> Result<Self, String> {
        let text = url.trim();
        if text.is_empty() {
            return Err("is empty".into());
        }
        if text.len() > URL_BYTES_MAX {
            return Err(format!("has more than {URL_BYTES_MAX} bytes"));
        }
        let mut remarks = Vec::new();
        let (resolved, is_absolute) = resolved(text, feed_at)?;
        if !is_absolute {
            remarks.push("is relative, which some podcast apps can't resolve".into());
        }
        check(text, &resolved)?;
        let is_clean = is_encoded(text);
        if !is_clean {
            remarks.push("has characters that are not percent-encoded".into());
        }
        let mut feed = resolved.clone();
        encode_path(&mut feed);
        let stripped = Url::parse(&prefixes.strip(resolved.as_str()));
        let mut direct = stripped.expect("what is left behind a prefix was parsed");
        encode_path(&mut direct);
        if direct.fragment().is_some() {
            direct.set_fragment(None);
            remarks.push("has a fragment (`#`), which the web seed is written without".into());
        }
        if direct.query().is_some() {
            remarks.push("has a query (`?`), which stays in the web seed".into());
        }
        let base = Url::parse(base.as_str()).expect("a base URL is a URL");
        if direct.scheme() == "http" && base.scheme() == "https" {
            remarks.push("is http, on a site that is https".into());
        }
        let path_names = path_names(&direct, &mut remarks)?;
        Ok(Self {
            feed_url: if is_absolute && is_clean { text.to_owned() } else { feed.into() },
            site_path: site_path(&direct, &base),
            direct_url: direct.into(),
            path_names,
            remarks,
        })
    }
}

/// `text` as an absolute URL, and whether it is one by itself.
fn resolved(text: &str, feed_at: &str) -> Result<(Url, bool), String> {
    match Url::parse(text) {
        Ok(url) => Ok((url, true)),
        Err(ParseError::RelativeUrlWithoutBase) => {
            let url = Url::parse(feed_at).and_then(|feed| feed.join(text));
            Ok((url.map_err(|error| format!("is relative to {feed_at}, and no URL: {error}"))?, false))
        }
        Err(error) => Err(format!("is not a URL: {error}")),
    }
}

/// Whether the URL `resolved`, which is written as `text`, can be that of a file on a web server.
fn check(text: &str, resolved: &Url) -> Result<(), String> {
    if !matches!(resolved.scheme(), "http" | "https") {
        return Err(format!("leads to `{}:`, not to a file on a web server", resolved.scheme()));
    }
    if has_user(resolved) {
        return Err("holds a user name, which everybody would read".into());
    }
    if text.starts_with(['?', '#']) {
        return Err("names no file: it is the feed's own address".into());
    }
    // Asked of what is written: a parser resolves `%2e%2e` as it does `..`.
    let path = text.split(['?', '#']).next().unwrap_or_default();
    let is_hidden = |name: &str| name.contains('%') && is_dots(&percent_decode_str(name).decode_utf8_lossy());
    if path.split(['/', '\\']).any(is_hidden) {
        return Err("has a `.` or `..` that is percent-encoded".into());
    }
    Ok(())
}

/// The decoded names of the path of `url`. An encoded `/` parts names too: hosts that keep a whole URL in one name write
/// it so.
fn path_names(url: &Url, remarks: &mut Vec<String>) -> Result<Vec<String>, String> {
    if url.path().ends_with('/') {
        return Err("names no file: its path ends in `/`".into());
    }
    let decoded = percent_decode_str(url.path());
    let text = decoded.clone().decode_utf8_lossy();
    if decoded.decode_utf8().is_err() {
        remarks.push("has a path that is not UTF-8".into());
    }
    let names: Vec<_> = text.split('/').filter(|name| !name.is_empty()).map(str::to_owned).collect();
    for (what, is_wrong) in [
        ("a `.` or `..` that is percent-encoded", names.iter().any(|name| is_dots(name))),
        ("a NUL in its path", text.contains('\0')),
        ("a percent-encoded `\\` in its path", text.contains('\\')),
        ("no name in its path", names.is_empty()),
    ] {
        if is_wrong {
            return Err(format!("has {what}"));
        }
    }
    Ok(names)
}

/// Where `url` stands below `base`.
fn site_path(url: &Url, base: &Url) -> Option<SitePath> {
    // The port is `None` where it is the scheme's own, so that http and https meet.
    if url.host() != base.host() || url.port() != base.port() {
        return None;
    }
    let mut names = url.path().split('/').map(|name| percent_decode_str(name).decode_utf8());
    // The last name of a base URL is the empty one behind its last `/`.
    let mut folders = base.path().split('/').map(|name| percent_decode_str(name).decode_utf8());
    folders.next_back();
    for folder in folders {
        if names.next()?.ok()? != folder.ok()? {
            return None;
        }
    }
    let below = names.collect::<Result<Vec<Cow<str>>, _>>().ok()?;
    if below.iter().any(|name| name.contains('/')) {
        return None;
    }
    SitePath::new(below.join("/")).ok()
}

/// Writes the path of `url` in its one form: percent-encoded is what has to be, in capital letters, and nothing that
/// needs no encoding (RFC 3986, 6.2.2.1 and 6.2.2.2).
fn encode_path(url: &mut Url) {
    let mut path = String::with_capacity(url.path().len());
    let mut rest = url.path().as_bytes();
    while let [byte, behind @ ..] = rest {
        let escaped = if *byte == b'%' { escaped(behind) } else { None };
        rest = if escaped.is_some() { &behind[2..] } else { behind };
        match escaped {
            Some(meant) if is_unreserved(meant) => path.push(char::from(meant)),
            None if is_unreserved(*byte) || b"!$&'()*+,;=:@/".contains(byte) => path.push(char::from(*byte)),
            meant => write!(path, "%{:02X}", meant.unwrap_or(*byte)).expect("a String takes what is written"),
        }
    }
    url.set_path(&path);
}

/// Whether `text` holds only what stands in a URL as it is (RFC 3986, appendix A).
fn is_encoded(text: &str) -> bool {
    let bytes = text.as_bytes();
    bytes.iter().enumerate().all(|(at, &byte)| match byte {
        b'%' => escaped(&bytes[at + 1..]).is_some(),
        _ => is_unreserved(byte) || b":/?#@!$&'()*+,;=".contains(&byte) || is_of_an_address(text, byte),
    })
}

/// Whether `byte` is a bracket around an IPv6 address, of which `text` has one.
fn is_of_an_address(text: &str, byte: u8) -> bool {
    matches!(byte, b'[' | b']') && text.contains("://[") && text.matches(['[', ']']).count() == 2
}

/// The byte that is escaped where `hex` begins with two digits.
fn escaped(hex: &[u8]) -> Option<u8> {
    let digit = |at: usize| char::from(*hex.get(at)?).to_digit(16);
    u8::try_from(digit(0)? * 16 + digit(1)?).ok()
}

fn is_unreserved(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-._~".contains(&byte)
}

fn is_dots(name: &str) -> bool {
    matches!(name, "." | "..")
}

fn has_user(url: &Url) -> bool {
    !url.username().is_empty() || url.password().is_some()
}

fn authority(url: &Url) -> String {
    url[Position::BeforeHost..Position::AfterPort].to_owned()
}

#[cfg(test)]
mod tests {
    use expect_test::expect;
    use proptest::prelude::*;

    use super::*;

    fn base(text: &str) -> BaseUrl {
        BaseUrl::parse(text).expect("a base URL")
    }

    fn prefixes() -> Prefixes {
        Prefixes::new(&["https://Track.example.org:443/e/*/".into(), "http://t.example.org:81/".into()])
            .expect("prefixes")
    }

    /// What becomes of each URL in the feed at `<base>feeds/a.xml`.
    fn table(base_url: &str, urls: &[&str]) -> String {
        let (base, prefixes) = (base(base_url), prefixes());
        let mut table = String::new();
        for url in urls {
            writeln!(table, "{url:?}").expect("written");
            match Address::of(url, &base.join("feeds/a.xml"), &base, &prefixes) {
                Ok(address) => {
                    if address.feed_url != *url {
                        writeln!(table, "  feed {}", address.feed_url).expect("written");
                    }
                    if address.direct_url != address.feed_url {
                        writeln!(table, "  direct {}", address.direct_url).expect("written");
                    }
                    match &address.site_path {
                        Some(path) => writeln!(table, "  site {path}").expect("written"),
                        None => writeln!(table, "  names {}", address.path_names.join(" | ")).expect("written"),
                    }
                    address.remarks.iter().for_each(|remark| writeln!(table, "  it {remark}").expect("written"));
                }
                Err(why) => writeln!(table, "  error: it {why}").expect("written"),
            }
        }
        table
    }

    #[test]
    fn an_address_is_absolute_and_below_the_site_or_elsewhere() {
        expect![[r#"
            "https://show.example.org/audio/ep1.mp3"
              site audio/ep1.mp3
            "HTTPS://Show.Example.org:443/audio/ep1.mp3"
              direct https://show.example.org/audio/ep1.mp3
              site audio/ep1.mp3
            "http://show.example.org/audio/ep1.mp3"
              site audio/ep1.mp3
              it is http, on a site that is https
            "http://show.example.org:443/audio/ep1.mp3"
              names audio | ep1.mp3
              it is http, on a site that is https
            "https://show.example.org:8443/audio/ep1.mp3"
              names audio | ep1.mp3
            "https://cdn.example.org/2026/ep1.mp3"
              names 2026 | ep1.mp3
            "http://cdn.example.org/2026/ep1.mp3"
              names 2026 | ep1.mp3
              it is http, on a site that is https
            "/audio/ep1.mp3"
              feed https://show.example.org/audio/ep1.mp3
              site audio/ep1.mp3
              it is relative, which some podcast apps can't resolve
            "../audio/ep1.mp3"
              feed https://show.example.org/audio/ep1.mp3
              site audio/ep1.mp3
              it is relative, which some podcast apps can't resolve
            "../../../ep1.mp3"
              feed https://show.example.org/ep1.mp3
              site ep1.mp3
              it is relative, which some podcast apps can't resolve
            "ep1.mp3"
              feed https://show.example.org/feeds/ep1.mp3
              site feeds/ep1.mp3
              it is relative, which some podcast apps can't resolve
            "//show.example.org/audio/ep1.mp3"
              feed https://show.example.org/audio/ep1.mp3
              site audio/ep1.mp3
              it is relative, which some podcast apps can't resolve
            "  https://show.example.org/audio/ep1.mp3\n"
              feed https://show.example.org/audio/ep1.mp3
              site audio/ep1.mp3
        "#]].assert_eq(&table(
            "https://show.example.org/",
            &[
                "https://show.example.org/audio/ep1.mp3",
                "HTTPS://Show.Example.org:443/audio/ep1.mp3",
                "http://show.example.org/audio/ep1.mp3",
                "http://show.example.org:443/audio/ep1.mp3",
                "https://show.example.org:8443/audio/ep1.mp3",
                "https://cdn.example.org/2026/ep1.mp3",
                "http://cdn.example.org/2026/ep1.mp3",
                "/audio/ep1.mp3",
                "../audio/ep1.mp3",
                "../../../ep1.mp3",
                "ep1.mp3",
                "//show.example.org/audio/ep1.mp3",
                "  https://show.example.org/audio/ep1.mp3\n",
            ],
        ));
    }

    #[test]
    fn an_address_is_written_as_a_client_would_ask_for_it() {
        expect![[r#"
            "https://show.example.org/audio/folge ü.mp3"
              feed https://show.example.org/audio/folge%20%C3%BC.mp3
              site audio/folge ü.mp3
              it has characters that are not percent-encoded
            "https://show.example.org/audio/folge%20%c3%bc.mp3"
              direct https://show.example.org/audio/folge%20%C3%BC.mp3
              site audio/folge ü.mp3
            "https://show.example.org/audio/a%2Bb+c%7Ed%5b1%5D[2].mp3"
              feed https://show.example.org/audio/a%2Bb+c~d%5B1%5D%5B2%5D.mp3
              site audio/a+b+c~d[1][2].mp3
              it has characters that are not percent-encoded
            "https://show.example.org/audio/100%.mp3"
              feed https://show.example.org/audio/100%25.mp3
              site audio/100%.mp3
              it has characters that are not percent-encoded
            "https://show.example.org/audio/ep1.mp3?v=2&w=a b"
              feed https://show.example.org/audio/ep1.mp3?v=2&w=a%20b
              site audio/ep1.mp3
              it has characters that are not percent-encoded
              it has a query (`?`), which stays in the web seed
            "https://show.example.org/audio/ep1.mp3#t=30"
              direct https://show.example.org/audio/ep1.mp3
              site audio/ep1.mp3
              it has a fragment (`#`), which the web seed is written without
            "https://show.example.org/audio\\ep1.mp3"
              feed https://show.example.org/audio/ep1.mp3
              site audio/ep1.mp3
              it has characters that are not percent-encoded
            "https://show.example.org/audio//ep1.mp3"
              names audio | ep1.mp3
            "https://show.example.org/audio/%E9.mp3"
              names audio | �.mp3
              it has a path that is not UTF-8
            "https://show.example.org/a%2Fb.mp3"
              names a | b.mp3
            "https://host.example.org/play/1/https%3A%2F%2Fcdn.example.org%2Fstaging%2Fep1.mp3"
              names play | 1 | https: | cdn.example.org | staging | ep1.mp3
            "https://[2001:db8::1]:8080/ep1.mp3"
              names ep1.mp3
        "#]].assert_eq(&table(
            "https://show.example.org/",
            &[
                "https://show.example.org/audio/folge ü.mp3",
                "https://show.example.org/audio/folge%20%c3%bc.mp3",
                "https://show.example.org/audio/a%2Bb+c%7Ed%5b1%5D[2].mp3",
                "https://show.example.org/audio/100%.mp3",
                "https://show.example.org/audio/ep1.mp3?v=2&w=a b",
                "https://show.example.org/audio/ep1.mp3#t=30",
                "https://show.example.org/audio\\ep1.mp3",
                "https://show.example.org/audio//ep1.mp3",
                "https://show.example.org/audio/%E9.mp3",
                "https://show.example.org/a%2Fb.mp3",
                "https://host.example.org/play/1/https%3A%2F%2Fcdn.example.org%2Fstaging%2Fep1.mp3",
                "https://[2001:db8::1]:8080/ep1.mp3",
            ],
        ));
    }

    #[test]
    fn what_is_no_file_on_a_web_server_is_refused() {
        let long = format!("https://show.example.org/{}", "a".repeat(URL_BYTES_MAX));
        let mut refused = table(
            "https://show.example.org/",
            &[
                "",
                " ",
                "mailto:host@example.org",
                "magnet:?xt=urn:btih:0",
                "data:audio/mpeg;base64,AA==",
                "C:\\audio\\ep1.mp3",
                "ftp://show.example.org/ep1.mp3",
                "https://",
                "https://show.example.org",
                "https://show.example.org/audio/",
                "https://show.example.org/audio/?file=ep1.mp3",
                "?file=ep1.mp3",
                "https://me:secret@show.example.org/ep1.mp3",
                "https://show.example.org/audio/%2e%2E/ep1.mp3",
                "https://show.example.org/audio/.%2e/ep1.mp3",
                "%2e%2e/ep1.mp3",
                "https://show.example.org/audio/..%2f..%2fep1.mp3",
                "https://show.example.org/audio/ep1%00.mp3",
                "https://show.example.org/audio%5Cep1.mp3",
                "https://show.example.org/%2F",
            ],
        );
        refused.push_str(&table("https://show.example.org/", &[&long]).replace(&long, "8217 bytes"));
        expect![[r#"
            ""
              error: it is empty
            " "
              error: it is empty
            "mailto:host@example.org"
              error: it leads to `mailto:`, not to a file on a web server
            "magnet:?xt=urn:btih:0"
              error: it leads to `magnet:`, not to a file on a web server
            "data:audio/mpeg;base64,AA=="
              error: it leads to `data:`, not to a file on a web server
            "C:\\audio\\ep1.mp3"
              error: it leads to `c:`, not to a file on a web server
            "ftp://show.example.org/ep1.mp3"
              error: it leads to `ftp:`, not to a file on a web server
            "https://"
              error: it is not a URL: empty host
            "https://show.example.org"
              error: it names no file: its path ends in `/`
            "https://show.example.org/audio/"
              error: it names no file: its path ends in `/`
            "https://show.example.org/audio/?file=ep1.mp3"
              error: it names no file: its path ends in `/`
            "?file=ep1.mp3"
              error: it names no file: it is the feed's own address
            "https://me:secret@show.example.org/ep1.mp3"
              error: it holds a user name, which everybody would read
            "https://show.example.org/audio/%2e%2E/ep1.mp3"
              error: it has a `.` or `..` that is percent-encoded
            "https://show.example.org/audio/.%2e/ep1.mp3"
              error: it has a `.` or `..` that is percent-encoded
            "%2e%2e/ep1.mp3"
              error: it has a `.` or `..` that is percent-encoded
            "https://show.example.org/audio/..%2f..%2fep1.mp3"
              error: it has a `.` or `..` that is percent-encoded
            "https://show.example.org/audio/ep1%00.mp3"
              error: it has a NUL in its path
            "https://show.example.org/audio%5Cep1.mp3"
              error: it has a percent-encoded `\` in its path
            "https://show.example.org/%2F"
              error: it has no name in its path
            "8217 bytes"
              error: it has more than 8192 bytes
        "#]]
        .assert_eq(&refused);
        let why = Address::of("a.mp3", "feed.xml", &base("https://a.example.org"), &prefixes()).expect_err("no URL");
        assert_eq!(why, "is relative to feed.xml, and no URL: relative URL without a base");
    }

    #[test]
    fn a_site_in_a_folder_holds_what_stands_below_that_folder() {
        expect![[r#"
            "https://user.example.org/my%20show/audio/ep1.mp3"
              site audio/ep1.mp3
            "https://user.example.org/my show/audio/ep1.mp3"
              feed https://user.example.org/my%20show/audio/ep1.mp3
              site audio/ep1.mp3
              it has characters that are not percent-encoded
            "https://user.example.org/%6Dy%20show/audio/ep1.mp3"
              direct https://user.example.org/my%20show/audio/ep1.mp3
              site audio/ep1.mp3
            "https://user.example.org/my%20show2/audio/ep1.mp3"
              names my show2 | audio | ep1.mp3
            "https://user.example.org/audio/ep1.mp3"
              names audio | ep1.mp3
            "/audio/ep1.mp3"
              feed https://user.example.org/audio/ep1.mp3
              names audio | ep1.mp3
              it is relative, which some podcast apps can't resolve
            "../audio/ep1.mp3"
              feed https://user.example.org/my%20show/audio/ep1.mp3
              site audio/ep1.mp3
              it is relative, which some podcast apps can't resolve
            "https://user.example.org/my%20show"
              names my show
        "#]]
        .assert_eq(&table(
            "https://user.example.org/my%20show",
            &[
                "https://user.example.org/my%20show/audio/ep1.mp3",
                "https://user.example.org/my show/audio/ep1.mp3",
                "https://user.example.org/%6Dy%20show/audio/ep1.mp3",
                "https://user.example.org/my%20show2/audio/ep1.mp3",
                "https://user.example.org/audio/ep1.mp3",
                "/audio/ep1.mp3",
                "../audio/ep1.mp3",
                "https://user.example.org/my%20show",
            ],
        ));
        expect![[r#"
            "http://xn--bcher-kva.example:8080/ep1.mp3"
              site ep1.mp3
            "https://BÜCHER.example:8080/ep1.mp3"
              feed https://xn--bcher-kva.example:8080/ep1.mp3
              site ep1.mp3
              it has characters that are not percent-encoded
            "http://bücher.example/ep1.mp3"
              feed http://xn--bcher-kva.example/ep1.mp3
              names ep1.mp3
              it has characters that are not percent-encoded
        "#]]
        .assert_eq(&table(
            "http://bücher.example:8080/",
            &[
                "http://xn--bcher-kva.example:8080/ep1.mp3",
                "https://BÜCHER.example:8080/ep1.mp3",
                "http://bücher.example/ep1.mp3",
            ],
        ));
    }

    #[test]
    fn tracking_prefixes_are_taken_off_however_they_are_nested() {
        let direct = |urls: &[&str]| {
            let prefixes = prefixes();
            urls.iter().fold(String::new(), |table, url| table + url + "\n  " + &prefixes.strip(url) + "\n")
        };
        expect![[r#"
            https://op3.dev/e/show.example.org/ep1.mp3
              https://show.example.org/ep1.mp3
            https://op3.dev/e/https://show.example.org/ep1.mp3?a=b#c
              https://show.example.org/ep1.mp3?a=b#c
            https://op3.dev/e/https:/show.example.org/ep1.mp3
              https://show.example.org/ep1.mp3
            https://op3.dev/e/http://127.0.0.1:8080/ep1.mp3
              http://127.0.0.1:8080/ep1.mp3
            https://op3.dev/e,pg=00000000-0000-0000-0000-000000000000/show.example.org:8080/ep1.mp3
              https://show.example.org:8080/ep1.mp3
            http://OP3.dev:80/e/Show.Example.org/Ep1.mp3
              https://show.example.org/Ep1.mp3
            https://dts.podtrac.com/redirect.mp3/show.example.org/ep1.mp3
              https://show.example.org/ep1.mp3
            http://www.podtrac.com/pts/redirect.m4a/show.example.org/ep1.m4a
              https://show.example.org/ep1.m4a
            https://media.blubrry.com/show/show.example.org/ep1.mp3
              https://show.example.org/ep1.mp3
            https://media.blubrry.com/show/p/show.example.org/ep1.mp3
              https://show.example.org/ep1.mp3
            https://chtbl.com/track/1A2B/pdst.fm/e/show.example.org/ep1.mp3
              https://show.example.org/ep1.mp3
            https://pdst.fm/e/2.gum.fm/chtbl.com/track/chrt.fm/track/34D33/pscrb.fm/rss/p/show.example.org/ep1.mp3
              https://show.example.org/ep1.mp3
            https://www.podtrac.com/pts/redirect.mp3/pdst.fm/e/https://mgln.ai/e/257/arttrk.com/p/A1/show.example.org/1.mp3
              https://show.example.org/1.mp3
            https://prfx.byspotify.com/e/pfx.vpixl.com/6q/clrtpod.com/m/claritaspod.com/measure/show.example.org/1.mp3
              https://show.example.org/1.mp3
            https://verifi.podscribe.com/rss/p/tracking.swap.fm/track/x/pdcn.co/e/s.gum.fm/s-0/s.gum.fm/r1/0/show.example.org/1.mp3
              https://show.example.org/1.mp3
            https://op3.dev/e/xn--bcher-kva.xn--p1ai/1.mp3
              https://xn--bcher-kva.xn--p1ai/1.mp3
            https://track.example.org/e/show7/show.example.org/1.mp3
              https://show.example.org/1.mp3
            https://t.example.org:81/show.example.org/1.mp3
              https://show.example.org/1.mp3
        "#]].assert_eq(&direct(&[
            "https://op3.dev/e/show.example.org/ep1.mp3",
            "https://op3.dev/e/https://show.example.org/ep1.mp3?a=b#c",
            "https://op3.dev/e/https:/show.example.org/ep1.mp3",
            "https://op3.dev/e/http://127.0.0.1:8080/ep1.mp3",
            "https://op3.dev/e,pg=00000000-0000-0000-0000-000000000000/show.example.org:8080/ep1.mp3",
            "http://OP3.dev:80/e/Show.Example.org/Ep1.mp3",
            "https://dts.podtrac.com/redirect.mp3/show.example.org/ep1.mp3",
            "http://www.podtrac.com/pts/redirect.m4a/show.example.org/ep1.m4a",
            "https://media.blubrry.com/show/show.example.org/ep1.mp3",
            "https://media.blubrry.com/show/p/show.example.org/ep1.mp3",
            "https://chtbl.com/track/1A2B/pdst.fm/e/show.example.org/ep1.mp3",
            "https://pdst.fm/e/2.gum.fm/chtbl.com/track/chrt.fm/track/34D33/pscrb.fm/rss/p/show.example.org/ep1.mp3",
            "https://www.podtrac.com/pts/redirect.mp3/pdst.fm/e/https://mgln.ai/e/257/arttrk.com/p/A1/show.example.org/1.mp3",
            "https://prfx.byspotify.com/e/pfx.vpixl.com/6q/clrtpod.com/m/claritaspod.com/measure/show.example.org/1.mp3",
            "https://verifi.podscribe.com/rss/p/tracking.swap.fm/track/x/pdcn.co/e/s.gum.fm/s-0/s.gum.fm/r1/0/show.example.org/1.mp3",
            "https://op3.dev/e/xn--bcher-kva.xn--p1ai/1.mp3",
            "https://track.example.org/e/show7/show.example.org/1.mp3",
            "https://t.example.org:81/show.example.org/1.mp3",
        ]));
        for real in [
            "https://op3.dev/e/ep1.mp3",
            "https://op3.dev/e/show.example.org",
            "https://op3.dev/e/show.example.org/",
            "https://op3.dev/e/show.example.org/?a",
            "https://op3.dev/download/show.example.org/ep1.mp3",
            "https://op3.dev/e,/show.example.org/ep1.mp3",
            "https://op3.dev/e/localhost/ep1.mp3",
            "https://op3.dev/e/ftp://show.example.org/ep1.mp3",
            "https://op3.dev/e/me@show.example.org/ep1.mp3",
            "https://media.blubrry.com/show/2026/ep1.mp3",
            "https://media.blubrry.com/show/season.1/ep1.mp3",
            "https://media.blubrry.com/show/ep1.mp3/part",
            "https://media.blubrry.com/show/ep1.ogg/part",
            "https://play.podtrac.com/ep1.mp3",
            "https://2.gum.fm/about/us.html",
            "https://show.example.org/op3.dev/e/show.example.org/ep1.mp3",
            "https://track.example.org/e/show.example.org/1.mp3",
            "https://t.example.org/show.example.org/1.mp3",
            "no URL",
        ] {
            assert_eq!(prefixes().strip(real), real);
        }
        let nested = format!("https://{}show.example.org/1.mp3", "op3.dev/e/".repeat(PREFIXES_MAX + 2));
        assert_eq!(prefixes().strip(&nested), "https://op3.dev/e/op3.dev/e/show.example.org/1.mp3");
    }

    #[test]
    fn a_prefix_stays_in_the_feed_and_goes_from_the_web_seed() {
        expect![[r#"
            "https://op3.dev/e/http://show.example.org/audio/ü 1.mp3?x#y"
              feed https://op3.dev/e/http://show.example.org/audio/%C3%BC%201.mp3?x#y
              direct http://show.example.org/audio/%C3%BC%201.mp3?x
              site audio/ü 1.mp3
              it has characters that are not percent-encoded
              it has a fragment (`#`), which the web seed is written without
              it has a query (`?`), which stays in the web seed
              it is http, on a site that is https
            "https://op3.dev/e/cdn.example.org/a/1.mp3"
              direct https://cdn.example.org/a/1.mp3
              names a | 1.mp3
        "#]]
        .assert_eq(&table(
            "https://show.example.org/",
            &[
                "https://op3.dev/e/http://show.example.org/audio/ü 1.mp3?x#y",
                "https://op3.dev/e/cdn.example.org/a/1.mp3",
            ],
        ));
    }

    #[test]
    fn a_configured_prefix_is_a_url_that_ends_in_a_slash() {
        let why = |text: &str| Prefixes::new(&[text.to_owned()]).map(drop).map_err(|problem| problem.to_string());
        let texts = [
            "track.example.org/",
            "ftp://a.example/",
            "https://a.example/e",
            "https://a.example/?b=/",
            "https://a.example/e*/",
        ];
        let table = texts.map(|text| why(text).expect_err("refused")).join("\n");
        expect![[r#"
            "track.example.org/" is no tracking prefix: it does not begin with https://
              help: write what stands before the host of the file: https://track.example.org/e/*/
            "ftp://a.example/" is no tracking prefix: it does not begin with https:// or http://
              help: write what stands before the host of the file: https://track.example.org/e/*/
            "https://a.example/e" is no tracking prefix: it does not end in `/`
              help: write what stands before the host of the file: https://track.example.org/e/*/
            "https://a.example/?b=/" is no tracking prefix: it holds more than a host and a path
              help: write what stands before the host of the file: https://track.example.org/e/*/
            "https://a.example/e*/" is no tracking prefix: a `*` stands for a whole name between two `/`
              help: write what stands before the host of the file: https://track.example.org/e/*/"#]]
        .assert_eq(&table);
        assert_eq!(why("https://a.example/*/b/*/"), Ok(()));
    }

    proptest! {
        #[test]
        fn a_direct_url_is_its_own_and_leads_below_the_root_or_nowhere(
            url in "(https?://(show\\.example\\.org|op3\\.dev/e)|)[/a%.2eE3Ff?#\\\\ü +|-]{0,20}|\\PC{0,30}",
        ) {
            let (base, prefixes) = (base("https://show.example.org/a/"), prefixes());
            let Ok(address) = Address::of(&url, base.as_str(), &base, &prefixes) else { return Ok(()) };
            let again = Address::of(&address.direct_url, base.as_str(), &base, &prefixes).expect("read before");
            prop_assert_eq!(&again.direct_url, &address.direct_url);
            prop_assert_eq!(&again.feed_url, &address.direct_url);
            prop_assert_eq!(&again.site_path, &address.site_path);
            prop_assert!(address.path_names.iter().all(|name| crate::sitepath::is_plain_name(name)));
            if let Some(path) = &address.site_path {
                prop_assert!(address.path_names.ends_with(&path.names().map(str::to_owned).collect::<Vec<_>>()));
            }
        }
    }
}
