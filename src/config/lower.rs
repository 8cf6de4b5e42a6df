//! From what stands in the file to what the modules take.

use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};

use uuid::Uuid;

use super::{Config, ShowKind};
use crate::problem::Problem;
use crate::serve;
use crate::site::{self, BaseUrl};
use crate::tracker::address::Networks;
use crate::units::PieceLength;

/// For which address a site is built.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target {
    /// For `base_url` of the configuration.
    Configured,
    /// For another URL.
    At(String),
    /// For this machine, which serves it at these addresses. Nobody outside is told of it: the announce URLs of the
    /// configuration are left out.
    Here {
        /// Where HTTP is served.
        http: SocketAddr,
        /// Where UDP announces are answered.
        udp: Option<SocketAddr>,
    },
}

/// The least seconds between a peer's announces that an operator may ask for.
pub const INTERVAL_SECS_MIN: u32 = 60;
/// The most seconds between a peer's announces that an operator may ask for: a day.
pub const INTERVAL_SECS_MAX: u32 = 86_400;

/// What was said on the command line or in the environment, which comes before the file.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Typed {
    /// The addresses at which peers are told the everseed is.
    pub public_addresses: Vec<IpAddr>,
    /// Networks of proxies whose headers are believed.
    pub trusted_proxies: Vec<String>,
    /// Seconds between the announces of a peer.
    pub interval_secs: Option<u32>,
}

impl Config {
    /// The options of the site in the folder `root`, built for `target`.
    pub fn site_options(&self, root: &Path, target: &Target, drafts: bool) -> Result<site::Options, Problem> {
        let table = self.site.as_ref().ok_or_else(|| {
            Problem::at(&self.source.0, "there is no table `[site]`")
                .help("add `[site]` with `title = ...` and `base_url = ...`")
        })?;
        if table.title.trim().is_empty() {
            return Err(self.wrong("site", "title", "it is empty").help("give the site a title"));
        }
        let identity_url = BaseUrl::parse(&table.base_url)
            .map_err(|error| self.wrong("site", "base_url", error).help(BaseUrl::HELP))?;
        let base_url = match target {
            Target::Configured => identity_url.clone(),
            Target::At(url) => {
                BaseUrl::parse(url).map_err(|error| Problem::new(format!("--base-url: {error}")).help(BaseUrl::HELP))?
            }
            Target::Here { http, .. } => {
                BaseUrl::parse(&format!("http://{http}/")).map_err(|error| Problem::new(error.to_string()))?
            }
        };
        let mut options = site::Options::new(root, &table.title, base_url);
        options.identity_url = identity_url;
        options.description.clone_from(&table.description);
        options.drafts = drafts;
        options.private = self.torrent.private;
        options.show = self.show_options()?;
        if let Some(language) = &table.language {
            options.language.clone_from(language);
        }
        if let Some(theme) = &table.theme {
            options.theme.clone_from(theme);
        }
        if let Some(bytes) = self.torrent.piece_length {
            let length = PieceLength::new(bytes).map_err(|error| self.wrong("torrent", "piece_length", error))?;
            options.piece_length = Some(length);
        }
        if let Target::Here { udp, .. } = target {
            options.udp_announce = udp.iter().map(|udp| format!("udp://{udp}/announce")).collect();
        } else {
            options.tracker_url.clone_from(&self.tracker.url);
            options.udp_announce = self.tracker.udp_url.iter().cloned().collect();
            options.trackers.clone_from(&self.torrent.trackers);
            self.check_announce("tracker", "url", &self.tracker.url, &["https", "http"])?;
            self.check_announce("tracker", "udp_url", &self.tracker.udp_url, &["udp"])?;
            self.check_announce("torrent", "trackers", &self.torrent.trackers, &["https", "http", "udp"])?;
        }
        Ok(options)
    }

    /// Announce URLs have one of `schemes`, and a host.
    fn check_announce<'a>(
        &self,
        table: &str,
        key: &str,
        urls: impl IntoIterator<Item = &'a String>,
        schemes: &[&str],
    ) -> Result<(), Problem> {
        let wrong = urls
            .into_iter()
            .find(|text| !url::Url::parse(text).is_ok_and(|url| schemes.contains(&url.scheme()) && url.has_host()));
        wrong.map_or(Ok(()), |text| {
            Err(self.wrong(table, key, format!("{text:?} is not an announce URL")).help(format!(
                "write it with its scheme, {}, as {}://tracker.example.org/announce",
                schemes.join(" or "),
                schemes[0]
            )))
        })
    }

    fn show_options(&self) -> Result<site::Show, Problem> {
        let show = &self.show;
        let guid = show.guid.as_deref().map(|text| {
            Uuid::parse_str(text).map_err(|error| {
                self.wrong("show", "guid", format!("it is not a UUID: {error}"))
                    .help("write the podcast:guid that the show's feed has, or leave it out")
            })
        });
        Ok(site::Show {
            author: show.author.clone(),
            email: show.email.clone(),
            image: show.image.clone(),
            categories: site::categories(show.category.iter().map(String::as_str)),
            explicit: show.explicit,
            kind: match show.kind {
                ShowKind::Episodic => site::Kind::Episodic,
                ShowKind::Serial => site::Kind::Serial,
            },
            copyright: show.copyright.clone(),
            guid: guid.transpose()?,
        })
    }

    /// The options of a server of the built site in `site`.
    pub fn serve_options(&self, site: PathBuf, typed: &Typed) -> Result<serve::Options, Problem> {
        let mut options = serve::Options::new(site);
        options.public_addresses = or_configured(&typed.public_addresses, &self.seed.public_addresses);
        let proxies = or_configured(&typed.trusted_proxies, &self.tracker.trusted_proxies);
        options.trusted_proxies = Networks::parse(proxies.iter().map(String::as_str))
            .map_err(|error| Problem::new(format!("trusted proxies: {error}")))?;
        options.own_trackers = [&self.tracker.url, &self.tracker.udp_url].into_iter().flatten().cloned().collect();
        if let Some(secs) = typed.interval_secs.or(self.tracker.interval_secs) {
            if !(INTERVAL_SECS_MIN..=INTERVAL_SECS_MAX).contains(&secs) {
                return Err(Problem::new(format!("an interval of {secs} seconds is out of range"))
                    .help(format!("name {INTERVAL_SECS_MIN} to {INTERVAL_SECS_MAX} seconds")));
            }
            options.tracker.interval_secs = secs;
            options.tracker.interval_min_secs = secs / 2;
        }
        Ok(options)
    }

    /// Where the configuration lets the site of `root` be written.
    pub fn output(&self, root: &Path) -> Option<PathBuf> {
        Some(root.join(self.site.as_ref()?.output.as_ref()?))
    }

    /// The built site that the configuration names.
    pub fn served_site(&self, root: &Path) -> Option<PathBuf> {
        Some(root.join(self.serve.site.as_ref()?))
    }
}

fn or_configured<T: Clone>(typed: &[T], configured: &[T]) -> Vec<T> {
    if typed.is_empty() { configured.to_vec() } else { typed.to_vec() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(text: &str) -> Config {
        Config::parse(text, Path::new("everseed.toml")).expect("known keys")
    }

    const SITE: &str = "[site]\ntitle = \"A\"\nbase_url = \"https://a.example.org/show\"\n";

    #[test]
    fn a_site_for_this_machine_keeps_its_identity_and_tells_nobody_outside() {
        let config = config(&format!(
            "{SITE}[torrent]\ntrackers = [\"udp://other.example.org:6969/announce\"]\n[tracker]\nurl = \"https://t.example.org/announce\"\n"
        ));
        let address: SocketAddr = "127.0.0.1:8080".parse().expect("an address");
        let here = Target::Here { http: address, udp: Some(address) };
        let options = config.site_options(Path::new("show"), &here, false).expect("right");
        assert_eq!(options.base_url.as_str(), "http://127.0.0.1:8080/");
        assert_eq!(options.identity_url.as_str(), "https://a.example.org/show/");
        assert_eq!(options.announce_tiers(), [["http://127.0.0.1:8080/announce"], ["udp://127.0.0.1:8080/announce"]]);
        let options = config.site_options(Path::new("show"), &Target::Configured, false).expect("right");
        assert_eq!(
            options.announce_tiers(),
            [["https://t.example.org/announce"], ["udp://other.example.org:6969/announce"]]
        );
    }

    #[test]
    fn each_wrong_value_is_told_with_its_key_and_a_remedy() {
        let cases = [
            String::new(),
            SITE.replace("\"A\"", "\" \""),
            SITE.replace("https://", ""),
            format!("{SITE}[torrent]\npiece_length = 1000\n"),
            format!("{SITE}[torrent]\ntrackers = [\"tracker.example.org\"]\n"),
            format!("{SITE}[tracker]\nudp_url = \"https://a/\"\n"),
            format!("{SITE}[show]\nguid = \"x\"\n"),
        ];
        let told = cases.map(|text| {
            let options = config(&text).site_options(Path::new("show"), &Target::Configured, false);
            options.expect_err("wrong").to_string()
        });
        expect_test::expect![[r#"
            everseed.toml: there is no table `[site]`
              help: add `[site]` with `title = ...` and `base_url = ...`
            everseed.toml:2: `title`: it is empty
              help: give the site a title
            everseed.toml:3: `base_url`: "a.example.org/show" is not a base URL: it does not begin with https://
              help: write it as https://show.example.org/ or https://example.org/show/
            everseed.toml:5: `piece_length`: a piece length is a power of two from 16384 to 16777216 bytes, not 1000
            everseed.toml:5: `trackers`: "tracker.example.org" is not an announce URL
              help: write it with its scheme, https or http or udp, as https://tracker.example.org/announce
            everseed.toml:5: `udp_url`: "https://a/" is not an announce URL
              help: write it with its scheme, udp, as udp://tracker.example.org/announce
            everseed.toml:5: `guid`: it is not a UUID: invalid character: found `x` at 0
              help: write the podcast:guid that the show's feed has, or leave it out"#]]
        .assert_eq(&told.join("\n"));
    }
}
