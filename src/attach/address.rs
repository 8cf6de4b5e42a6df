//! The URL of an enclosure: where it leads, and where that stands in the site. It asks no server and no disk.

use std::borrow::Cow;
use std::fmt::Write;

use percent_encoding::percent_decode_str;
use url::{ParseError, Url};

use super::prefix::{Prefixes, has_user};
use crate::baseurl::BaseUrl;
use crate::sitepath::SitePath;

/// The most bytes of an enclosure's URL.
pub const URL_BYTES_MAX: usize = 8192;
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
        "#]]
        .assert_eq(&table(
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
        "#]]
        .assert_eq(&table(
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
