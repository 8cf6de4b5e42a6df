//! Tracking prefixes: the parts of an enclosure's URL that count downloads on the way to the file.

use std::cmp::Reverse;

use url::{Position, Url};

use crate::problem::Problem;

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
                    .help("write in --prefix or `prefixes` what stands before the host of the file: https://track.example.org/e/*/")
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

/// Whether `url` holds a user name or a password.
pub fn has_user(url: &Url) -> bool {
    !url.username().is_empty() || url.password().is_some()
}

fn authority(url: &Url) -> String {
    url[Position::BeforeHost..Position::AfterPort].to_owned()
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use super::*;

    fn prefixes() -> Prefixes {
        Prefixes::new(&["https://Track.example.org:443/e/*/".into(), "http://t.example.org:81/".into()])
            .expect("prefixes")
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
              help: write in --prefix or `prefixes` what stands before the host of the file: https://track.example.org/e/*/
            "ftp://a.example/" is no tracking prefix: it does not begin with https:// or http://
              help: write in --prefix or `prefixes` what stands before the host of the file: https://track.example.org/e/*/
            "https://a.example/e" is no tracking prefix: it does not end in `/`
              help: write in --prefix or `prefixes` what stands before the host of the file: https://track.example.org/e/*/
            "https://a.example/?b=/" is no tracking prefix: it holds more than a host and a path
              help: write in --prefix or `prefixes` what stands before the host of the file: https://track.example.org/e/*/
            "https://a.example/e*/" is no tracking prefix: a `*` stands for a whole name between two `/`
              help: write in --prefix or `prefixes` what stands before the host of the file: https://track.example.org/e/*/"#]]
        .assert_eq(&table);
        assert_eq!(why("https://a.example/*/b/*/"), Ok(()));
    }
}
