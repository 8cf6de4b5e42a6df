//! From what stands in the file to the options of a site that is built.

use std::net::SocketAddr;
use std::path::Path;

use uuid::Uuid;

use super::{Config, Faults, ShowKind, Site};
use crate::baseurl::BaseUrl;
use crate::metainfo;
use crate::problem::Problem;
use crate::site;
use crate::units::{PIECE_LENGTH_MAX, PIECE_LENGTH_MIN, PieceLength};

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

impl Target {
    /// The URL of the site's root. `configured` is `base_url` of the configuration.
    fn base_url(&self, configured: &BaseUrl) -> Result<BaseUrl, Problem> {
        match self {
            Self::Configured => Ok(configured.clone()),
            Self::At(url) => {
                BaseUrl::parse(url).map_err(|error| Problem::new(format!("--base-url: {error}")).help(BaseUrl::HELP))
            }
            Self::Here { http, .. } => {
                BaseUrl::parse(&format!("http://{http}/")).map_err(|error| Problem::new(error.to_string()))
            }
        }
    }
}

impl Config {
    /// The options of the site in the folder `root`, built for `target`; else everything that is wrong with them.
    pub fn site_options(&self, root: &Path, target: &Target, drafts: bool) -> Result<site::Options, Vec<Problem>> {
        let table = self.site.as_ref().ok_or_else(|| {
            let problem = Problem::at(&self.source.0, "there is no table `[site]`");
            vec![problem.help(if self.is_of_another_generator() {
                "the site is another generator's: `everseed attach` adds torrents to it, and `everseed serve --site` serves it"
            } else {
                "add `[site]` with `title = ...` and `base_url = ...`"
            })]
        })?;
        let mut faults = Faults::default();
        faults.ok(self.check_title(table));
        let identity_url = faults.ok(self.identity_url(table));
        let base_url = identity_url.as_ref().and_then(|identity| faults.ok(target.base_url(identity)));
        let show = faults.ok(self.show_options());
        let piece_length = faults.ok(self.piece_length());
        let kind = faults.ok(self.torrent_kind());
        let retired = faults.ok(self.retired());
        self.check_trackers(&mut faults);
        let (Some(identity_url), Some(base_url), Some(show), Some(piece_length), Some(kind)) =
            (identity_url, base_url, show, piece_length, kind)
        else {
            return Err(faults.0);
        };
        let mut options = site::Options::new(root, &table.title, base_url);
        options.config_path.clone_from(&self.source.0);
        options.identity_url = identity_url;
        options.show = show;
        options.piece_length = piece_length;
        options.kind = kind;
        options.description.clone_from(&table.description);
        options.drafts = drafts;
        options.private = self.torrent.private;
        options.retired = retired.unwrap_or_default();
        options.language = table.language.clone().unwrap_or(options.language);
        options.theme = table.theme.clone().unwrap_or(options.theme);
        self.lower_trackers(target, &mut options);
        faults.none(options)
    }

    fn check_title(&self, table: &Site) -> Result<(), Problem> {
        if table.title.trim().is_empty() {
            return Err(self.wrong("site", "title", "it is empty").help("give the site a title"));
        }
        Ok(())
    }

    fn identity_url(&self, table: &Site) -> Result<BaseUrl, Problem> {
        BaseUrl::parse(&table.base_url).map_err(|error| self.wrong("site", "base_url", error).help(BaseUrl::HELP))
    }

    pub(super) fn piece_length(&self) -> Result<Option<PieceLength>, Problem> {
        let length = self.torrent.piece_length.map(PieceLength::new).transpose();
        length.map_err(|error| {
            self.wrong("torrent", "piece_length", error).help(format!(
                "write a number of bytes, {PIECE_LENGTH_MIN} doubled up to {PIECE_LENGTH_MAX}, such as 262144, or \
                 leave it out"
            ))
        })
    }

    pub(super) fn torrent_kind(&self) -> Result<metainfo::Kind, Problem> {
        let kind = self.torrent.kind.as_deref().map(str::parse).transpose();
        let kind = kind.map_err(|error| self.wrong("torrent", "kind", error).help(metainfo::NotAKind::HELP))?;
        Ok(kind.unwrap_or_default())
    }

    /// The announce URLs beside the one that follows from the site's address.
    fn lower_trackers(&self, target: &Target, options: &mut site::Options) {
        if let Target::Here { udp, .. } = target {
            options.udp_announce = udp.iter().map(|udp| format!("udp://{udp}/announce")).collect();
        } else {
            options.tracker_url.clone_from(&self.tracker.url);
            options.udp_announce = self.tracker.udp_url.iter().cloned().collect();
            options.trackers.clone_from(&self.torrent.trackers);
        }
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
            format!("{SITE}[torrent]\nkind = \"v3\"\n"),
            format!("{SITE}[torrent]\nretired_max = \"20 gigs\"\n"),
            format!("{SITE}[torrent]\ntrackers = [\"tracker.example.org\"]\n"),
            format!("{SITE}[tracker]\nudp_url = \"https://a/\"\n"),
            format!("{SITE}[show]\nguid = \"x\"\n"),
            "[site]\ntitle = \"\"\nbase_url = \"x\"\n[torrent]\npiece_length = 5\ntrackers = [\"ftp://a/b\"]\n"
                .to_owned(),
        ];
        let told = cases.map(|text| {
            let options = config(&text).site_options(Path::new("show"), &Target::Configured, false);
            options.expect_err("wrong").iter().map(Problem::to_string).collect::<Vec<_>>().join("\n")
        });
        expect_test::expect![[r#"
            everseed.toml: there is no table `[site]`
              help: add `[site]` with `title = ...` and `base_url = ...`
            everseed.toml:2: `title`: it is empty
              help: give the site a title
            everseed.toml:3: `base_url`: "a.example.org/show" is not a base URL: it does not begin with https://
              help: write it as https://show.example.org/ or https://example.org/show/
            everseed.toml:5: `piece_length`: a piece length is a power of two from 16384 to 16777216 bytes, not 1000
              help: write a number of bytes, 16384 doubled up to 16777216, such as 262144, or leave it out
            everseed.toml:5: `kind`: "v3" is no kind of torrent
              help: write v1, v2 or hybrid
            everseed.toml:5: `retired_max`: "20 gigs" is not a number of bytes
              help: write it as 20 MB or 1.5 GiB
            everseed.toml:5: `trackers`: "tracker.example.org" is not an announce URL
              help: write it with its scheme, https or http or udp, as https://show.example.org/announce
            everseed.toml:5: `udp_url`: "https://a/" is not an announce URL
              help: write it with its scheme, udp, as udp://show.example.org:6969/announce
            everseed.toml:5: `guid`: it is not a UUID: invalid character: found `x` at 0
              help: write the podcast:guid that the show's feed has, or leave it out
            everseed.toml:2: `title`: it is empty
              help: give the site a title
            everseed.toml:3: `base_url`: "x" is not a base URL: it does not begin with https://
              help: write it as https://show.example.org/ or https://example.org/show/
            everseed.toml:5: `piece_length`: a piece length is a power of two from 16384 to 16777216 bytes, not 5
              help: write a number of bytes, 16384 doubled up to 16777216, such as 262144, or leave it out
            everseed.toml:6: `trackers`: "ftp://a/b" is not an announce URL
              help: write it with its scheme, https or http or udp, as https://show.example.org/announce"#]]
        .assert_eq(&told.join("\n"));
    }
}
