//! From what stands in the file, and what was typed, to the options of attaching to a site that another generator
//! builds.

use std::path::{Path, PathBuf};
use std::str::FromStr as _;

use super::{Attach, Config, Faults, or_configured};
use crate::attach::{Fix, Options, Place};
use crate::baseurl::BaseUrl;
use crate::metainfo::{self, Kind};
use crate::problem::Problem;
use crate::sitepath::SitePath;

/// The folders that generators write below a project: the one that is there is the site, where nobody names another.
const SITES: [&str; 3] = ["public", "_site", "dist"];
/// Where templates of generators find what is known of each medium, below the project's folder.
const DATA: &str = "data/everseed.json";

/// What was said on the command line or in the environment, which comes before the file. Paths are the user's own.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TypedAttach {
    /// The folder that the generator wrote.
    pub site: Option<PathBuf>,
    /// Where the site stands.
    pub base_url: Option<String>,
    /// Folders in which media are looked for.
    pub media: Vec<PathBuf>,
    /// The feeds, below the site or by their paths.
    pub feeds: Vec<PathBuf>,
    /// Prefixes that count downloads.
    pub prefixes: Vec<String>,
    /// The announce URL of the site's tracker.
    pub tracker_url: Option<String>,
    /// For which versions of the protocol torrents are made.
    pub kind: Option<Kind>,
    /// Which media are placed in the site.
    pub place: Option<Place>,
    /// Whether elements of pages are filled.
    pub html: Option<bool>,
    /// What of the feeds is mended; empty: nothing was said.
    pub fix: Vec<String>,
    /// Whether findings keep everything from being written.
    pub strict: Option<bool>,
    /// Where the feed for torrent clients stands below the site.
    pub torrent_feed: Option<String>,
}

impl Config {
    /// Whether it is that of a site which another generator builds: nothing in it can be built.
    pub fn is_of_another_generator(&self) -> bool {
        self.attach.is_some() && self.site.is_none()
    }

    /// The options of attaching to a site of the project in the folder `root`; else everything that is wrong with them.
    /// It looks which folders and feeds are there.
    pub fn attach_options(&self, root: &Path, typed: &TypedAttach) -> Result<Options, Vec<Problem>> {
        let nothing = Attach::default();
        let table = self.attach.as_ref().unwrap_or(&nothing);
        let mut faults = Faults::default();
        let site = faults.ok(self.attached_site(table, root, typed));
        let base_url = faults.ok(self.attached_url(table, typed));
        let place = faults.ok(self.place(table, typed));
        let fix = faults.ok(self.fix(table, typed));
        let torrents_feed = faults.ok(self.torrents_feed(table, typed));
        let tracker_url = faults.ok(self.tracker_url(typed));
        let piece_length = faults.ok(self.piece_length());
        let kind = faults.ok(self.torrent_kind());
        let retired = faults.ok(self.retired());
        self.check_trackers(&mut faults);
        let (Some(site), Some(base_url)) = (site, base_url) else { return Err(faults.0) };
        let mut options = Options::new(site, base_url);
        root.clone_into(&mut options.root);
        options.feeds = self.feeds(table, &options.site, typed);
        options.media = or_configured(&typed.media, &self.beside(&table.media));
        options.prefixes = or_configured(&typed.prefixes, &table.prefixes);
        options.html = typed.html.unwrap_or(table.html);
        options.strict = typed.strict.unwrap_or(table.strict);
        options.place = place.unwrap_or_default();
        options.fix = fix.unwrap_or_default();
        options.torrents_feed = torrents_feed.flatten().unwrap_or(options.torrents_feed);
        options.tracker_url = tracker_url.flatten();
        options.udp_announce = self.tracker.udp_url.iter().cloned().collect();
        options.trackers.clone_from(&self.torrent.trackers);
        options.piece_length = piece_length.flatten();
        options.kind = typed.kind.or(kind).unwrap_or_default();
        options.private = self.torrent.private;
        options.retired = retired.unwrap_or_default();
        faults.none(options)
    }

    /// Where what templates need is written, for the project in the folder `root`.
    pub fn attach_data(&self, root: &Path) -> PathBuf {
        let configured = self.attach.as_ref().and_then(|table| table.data.as_ref());
        configured.map_or_else(|| below(root, DATA), |data| self.folder().join(data))
    }

    fn attached_site(&self, table: &Attach, root: &Path, typed: &TypedAttach) -> Result<PathBuf, Problem> {
        if let Some(site) = &typed.site {
            return Ok(site.clone());
        }
        if let Some(site) = &table.site {
            return Ok(self.folder().join(site));
        }
        let there: Vec<_> = SITES.into_iter().filter(|name| root.join(name).is_dir()).collect();
        match there[..] {
            [only] => Ok(below(root, only)),
            [] => {
                let problem = Problem::at(root, format!("none of the folders {} is here", SITES.join(", ")));
                Err(problem.help("build the site first, or name the folder that holds it with --site"))
            }
            _ => {
                let problem = Problem::at(root, format!("the site may be any of the folders {}", there.join(", ")));
                Err(problem.help("name the one with --site, or with `site` in the table [attach] of everseed.toml"))
            }
        }
    }

    fn attached_url(&self, table: &Attach, typed: &TypedAttach) -> Result<BaseUrl, Problem> {
        let (text, whose) = match (&typed.base_url, &table.base_url, &self.site) {
            (Some(typed), ..) => (typed, None),
            (None, Some(own), _) => (own, Some("attach")),
            (None, None, Some(site)) => (&site.base_url, Some("site")),
            (None, None, None) => {
                let problem = Problem::new("it is not said at which address the site will stand");
                return Err(problem.help(
                    "say it with --base-url https://show.example.org/, or with `base_url` in the table [attach] of \
                     everseed.toml",
                ));
            }
        };
        BaseUrl::parse(text).map_err(|error| self.refused(whose, "base_url", &error).help(BaseUrl::HELP))
    }

    fn place(&self, table: &Attach, typed: &TypedAttach) -> Result<Place, Problem> {
        let configured = table.place.as_deref().map(Place::from_str).transpose();
        let configured = configured.map_err(|error| self.wrong("attach", "place", error));
        Ok(typed.place.or(configured?).unwrap_or_default())
    }

    fn fix(&self, table: &Attach, typed: &TypedAttach) -> Result<Fix, Problem> {
        let (words, whose) = if typed.fix.is_empty() { (&table.fix, Some("attach")) } else { (&typed.fix, None) };
        Fix::of(words.iter().map(String::as_str)).map_err(|error| self.refused(whose, "fix", &error))
    }

    fn torrents_feed(&self, table: &Attach, typed: &TypedAttach) -> Result<Option<SitePath>, Problem> {
        let whose = if typed.torrent_feed.is_some() { None } else { Some("attach") };
        let path = typed.torrent_feed.as_ref().or(table.torrent_feed.as_ref()).map(SitePath::new).transpose();
        path.map_err(|error| {
            self.refused(whose, "torrent_feed", &error).help("name a file below the site, such as torrents.xml")
        })
    }

    /// That of the file is looked at with the other trackers.
    fn tracker_url(&self, typed: &TypedAttach) -> Result<Option<String>, Problem> {
        if let Some(url) = &typed.tracker_url {
            metainfo::check_tracker(url, &["https", "http"])
                .map_err(|error| self.refused(None, "tracker_url", &error).help(error.help()))?;
        }
        Ok(typed.tracker_url.as_ref().or(self.tracker.url.as_ref()).cloned())
    }

    /// A feed below the site comes first: generators keep templates of the same name in the project's folder.
    fn feeds(&self, table: &Attach, site: &Path, typed: &TypedAttach) -> Vec<PathBuf> {
        let (named, folder) =
            if typed.feeds.is_empty() { (&table.feeds, self.folder()) } else { (&typed.feeds, Path::new("")) };
        let found = |feed: &PathBuf| {
            let in_site = site.join(feed);
            if in_site.exists() { in_site } else { folder.join(feed) }
        };
        named.iter().map(found).collect()
    }

    /// Paths of the file, which count from its folder.
    fn beside(&self, paths: &[PathBuf]) -> Vec<PathBuf> {
        paths.iter().map(|path| self.folder().join(path)).collect()
    }

    /// A problem of a setting, by the name that it was set by: its key in a table, or its flag.
    fn refused(&self, table: Option<&str>, key: &str, message: impl std::fmt::Display) -> Problem {
        match table {
            Some(table) => self.wrong(table, key, message),
            None => Problem::new(format!("--{}: {message}", key.replace('_', "-"))),
        }
    }
}

/// What stands at `name` below `root`, without `./` before it, as a person would write it.
fn below(root: &Path, name: &str) -> PathBuf {
    if root == Path::new(".") { PathBuf::from(name) } else { root.join(name) }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use expect_test::expect;

    use super::*;

    fn config(text: &str) -> Config {
        Config::parse(text, Path::new("project/everseed.toml")).expect("known keys")
    }

    fn wrong(text: &str, typed: &TypedAttach) -> String {
        let problems = config(text).attach_options(Path::new("nowhere"), typed).expect_err("wrong");
        problems.iter().map(Problem::to_string).collect::<Vec<_>>().join("\n")
    }

    const WHOLE: &str = r#"
        [attach]
        site = "out"
        base_url = "https://a.example.org/show"
        media = ["../audio", "/srv/audio"]
        feeds = ["index.xml"]
        prefixes = ["https://count.example.org/"]
        html = true
        fix = ["length"]
        strict = true
        place = "all"
        torrent_feed = "feeds/torrents.xml"
        data = "_data/everseed.json"
        [torrent]
        trackers = ["udp://other.example.org:6969/announce"]
        kind = "hybrid"
        piece_length = 65536
        private = true
        [tracker]
        url = "https://t.example.org/announce"
        udp_url = "udp://t.example.org:6969/announce"
    "#;

    #[test]
    fn two_lines_are_enough_and_paths_count_from_the_file() {
        let options = |text: &str| config(text).attach_options(Path::new("project"), &TypedAttach::default());
        let two = options("[attach]\nsite = \"out\"\nbase_url = \"https://a.example.org/\"").expect("enough");
        let url = BaseUrl::parse("https://a.example.org/").expect("a URL");
        assert_eq!(two, Options { root: "project".into(), ..Options::new("project/out", url.clone()) });
        let of_a_show =
            options("[site]\ntitle = \"A\"\nbase_url = \"https://a.example.org/\"\n[attach]\nsite = \"out\"");
        assert_eq!(of_a_show.expect("enough").base_url, url);
        let whole = options(WHOLE).expect("right");
        assert_eq!(
            whole,
            Options {
                root: "project".into(),
                feeds: vec!["project/index.xml".into()],
                media: vec!["project/../audio".into(), "/srv/audio".into()],
                prefixes: vec!["https://count.example.org/".into()],
                place: Place::All,
                html: true,
                fix: Fix { length: true, duration: false },
                strict: true,
                torrents_feed: SitePath::new("feeds/torrents.xml").expect("a path"),
                trackers: vec!["udp://other.example.org:6969/announce".into()],
                tracker_url: Some("https://t.example.org/announce".into()),
                udp_announce: vec!["udp://t.example.org:6969/announce".into()],
                piece_length: Some(crate::units::PieceLength::new(65536).expect("a power of two")),
                kind: Kind::Hybrid,
                private: true,
                ..Options::new("project/out", BaseUrl::parse("https://a.example.org/show/").expect("a URL"))
            }
        );
        assert_eq!(config(WHOLE).attach_data(Path::new("x")), Path::new("project/_data/everseed.json"));
        assert_eq!(config("").attach_data(Path::new(".")), Path::new("data/everseed.json"));
        assert_eq!(config("").attach_data(Path::new("x")), Path::new("x/data/everseed.json"));
    }

    #[test]
    fn what_is_typed_comes_before_the_file() {
        let typed = TypedAttach {
            site: Some("typed".into()),
            base_url: Some("https://b.example.org".into()),
            media: vec!["m".into()],
            feeds: vec!["f".into()],
            prefixes: vec!["https://p.example.org/".into()],
            tracker_url: Some("https://u.example.org/announce".into()),
            kind: Some(Kind::V2),
            place: Some(Place::None),
            html: Some(false),
            fix: vec!["duration".into()],
            strict: Some(false),
            torrent_feed: Some("t.xml".into()),
        };
        let options = config(WHOLE).attach_options(Path::new("root"), &typed).expect("right");
        assert_eq!((options.root, options.site), ("root".into(), PathBuf::from("typed")));
        assert_eq!((options.media, options.feeds), (vec!["m".into()], vec![PathBuf::from("f")]));
        assert_eq!(options.base_url.as_str(), "https://b.example.org/");
        assert_eq!(options.prefixes, ["https://p.example.org/"]);
        assert_eq!(options.tracker_url.as_deref(), Some("https://u.example.org/announce"));
        assert_eq!((options.kind, options.place), (Kind::V2, Place::None));
        assert_eq!((options.html, options.strict), (false, false));
        assert_eq!(options.fix, Fix { length: false, duration: true });
        assert_eq!(options.torrents_feed.as_str(), "t.xml");
    }

    #[test]
    fn the_site_is_the_one_folder_of_a_generator_that_is_there() {
        let dir = tempfile::tempdir().expect("a temporary folder");
        let typed = TypedAttach { base_url: Some("https://a.example.org/".into()), ..TypedAttach::default() };
        let found = || match config("").attach_options(dir.path(), &typed) {
            Ok(options) => options.site.display().to_string(),
            Err(problems) => problems[0].to_string(),
        };
        let mut told = vec![found()];
        for name in ["_site", "dist"] {
            fs::create_dir(dir.path().join(name)).expect("made");
            told.push(found());
        }
        fs::write(dir.path().join("public"), "no folder").expect("written");
        told.push(found());
        expect![[r#"
            DIR: none of the folders public, _site, dist is here
              help: build the site first, or name the folder that holds it with --site
            DIR/_site
            DIR: the site may be any of the folders _site, dist
              help: name the one with --site, or with `site` in the table [attach] of everseed.toml
            DIR: the site may be any of the folders _site, dist
              help: name the one with --site, or with `site` in the table [attach] of everseed.toml"#]]
        .assert_eq(&told.join("\n").replace(&dir.path().display().to_string(), "DIR"));
    }

    #[test]
    fn a_feed_of_the_site_comes_before_a_template_of_its_name() {
        let dir = tempfile::tempdir().expect("a temporary folder");
        let site = dir.path().join("out");
        fs::create_dir(&site).expect("made");
        fs::write(dir.path().join("feed.xml"), "a template").expect("written");
        fs::write(site.join("feed.xml"), "a feed").expect("written");
        let config = Config {
            attach: Some(Attach { feeds: vec!["feed.xml".into(), "out/feed.xml".into()], ..Attach::default() }),
            source: (dir.path().join("everseed.toml"), String::new()),
            ..Config::default()
        };
        let typed = TypedAttach {
            site: Some(site.clone()),
            base_url: Some("https://a.example.org/".into()),
            ..TypedAttach::default()
        };
        let options = config.attach_options(dir.path(), &typed).expect("right");
        assert_eq!(options.feeds, [site.join("feed.xml"), site.join("feed.xml")]);
    }

    #[test]
    fn each_wrong_setting_is_told_by_the_name_it_was_set_by() {
        let file = "[attach]\nbase_url = \"a\"\nfix = [\"title\"]\nplace = \"some\"\ntorrent_feed = \"../t.xml\"\n\
            [torrent]\nkind = \"v3\"\npiece_length = 5\n[tracker]\nurl = \"ftp://b/\"\n";
        let typed = TypedAttach {
            base_url: Some("c".into()),
            tracker_url: Some("udp://d:1/".into()),
            fix: vec!["guid".into()],
            torrent_feed: Some("/t.xml".into()),
            ..TypedAttach::default()
        };
        let told = [wrong(file, &TypedAttach::default()), wrong("", &typed), wrong("", &TypedAttach::default())];
        expect![[r#"
            nowhere: none of the folders public, _site, dist is here
              help: build the site first, or name the folder that holds it with --site
            project/everseed.toml:2: `base_url`: "a" is not a base URL: it does not begin with https://
              help: write it as https://show.example.org/ or https://example.org/show/
            project/everseed.toml:4: `place`: "some" is not one of linked, all, none
            project/everseed.toml:3: `fix`: "title" is not one of length, duration
            project/everseed.toml:5: `torrent_feed`: "../t.xml" is not a path below the site's root (no `..`, no leading `/`, no `\`)
              help: name a file below the site, such as torrents.xml
            project/everseed.toml:8: `piece_length`: a piece length is a power of two from 16384 to 16777216 bytes, not 5
              help: write a number of bytes, 16384 doubled up to 16777216, such as 262144, or leave it out
            project/everseed.toml:7: `kind`: "v3" is no kind of torrent
              help: write v1, v2 or hybrid
            project/everseed.toml:10: `url`: "ftp://b/" is not an announce URL
              help: write it with its scheme, https or http, as https://show.example.org/announce

            nowhere: none of the folders public, _site, dist is here
              help: build the site first, or name the folder that holds it with --site
            --base-url: "c" is not a base URL: it does not begin with https://
              help: write it as https://show.example.org/ or https://example.org/show/
            --fix: "guid" is not one of length, duration
            --torrent-feed: "/t.xml" is not a path below the site's root (no `..`, no leading `/`, no `\`)
              help: name a file below the site, such as torrents.xml
            --tracker-url: "udp://d:1/" is not an announce URL
              help: write it with its scheme, https or http, as https://show.example.org/announce

            nowhere: none of the folders public, _site, dist is here
              help: build the site first, or name the folder that holds it with --site
            it is not said at which address the site will stand
              help: say it with --base-url https://show.example.org/, or with `base_url` in the table [attach] of everseed.toml"#]].assert_eq(&told.join("\n\n"));
    }
}
