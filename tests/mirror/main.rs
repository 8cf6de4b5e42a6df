//! Somebody's show, mirrored: rounds in this process against a server that the test plays, and the program against the
//! program.
#![cfg(feature = "serve")]

#[path = "../house/mod.rs"]
mod house;

mod budget;
mod decay;
mod hostile;
mod links;
mod page;
mod program;
mod show;
mod swarm;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use everseed::fetch;
use everseed::manifest::{Entry, Manifest};
use everseed::mirror::{Mirror, Options, Round};
use house::House;
use house::web::{File, Web};
use tempfile::TempDir;
use time::OffsetDateTime;

/// A show at a web server, both of this test.
pub(crate) struct Publisher {
    /// Where it is made.
    pub house: House,
    /// Where it is published.
    pub web: Web,
}

impl Publisher {
    /// A show of two episodes and a release of several files, built and published.
    pub fn new() -> Self {
        Self::of(House::furnished(), "")
    }

    /// This show, with more in its configuration.
    pub fn of(house: House, toml: &str) -> Self {
        let web = Web::new();
        let site = format!("[site]\ntitle = \"A show\"\nbase_url = \"{}\"\n{toml}", web.url(""));
        let publisher = Self { house: house.toml(&site), web };
        publisher.publish();
        publisher
    }

    /// Changes the show and publishes it again.
    pub fn change(self, change: impl FnOnce(House) -> House) -> Self {
        let publisher = Self { house: change(self.house), web: self.web };
        publisher.publish();
        publisher
    }

    /// Builds the show, and puts it where its readers find it.
    pub fn publish(&self) {
        self.house.run(&["build", "--accept-changed"]).ok();
        let old = self.web.names();
        let new = house::files(&self.house.public());
        old.iter().filter(|name| !new.contains_key(*name)).for_each(|name| self.web.remove(name));
        new.iter().for_each(|(name, bytes)| self.web.put(name, File::of(bytes)));
    }

    /// What the show's manifest says.
    pub fn manifest(&self) -> Manifest {
        manifest(&self.house.public())
    }
}

/// The manifest of a site.
pub fn manifest(site: &Path) -> Manifest {
    Manifest::parse(&fs::read(site.join("everseed.json")).expect("a manifest")).expect("it can be read")
}

/// Somebody who mirrors a show.
pub(crate) struct Fan {
    dir: TempDir,
    /// What it does.
    pub options: Options,
    told: Arc<Mutex<Vec<String>>>,
}

impl Fan {
    /// One who has nothing yet.
    pub fn of(source: &str) -> Self {
        let mut options = Options::new(source);
        options.fetch = fetch::Options { tries_max: 0, pause: Duration::ZERO, ..fetch::Options::default() };
        options.swarm.stall_within = Duration::from_secs(20);
        Self { dir: TempDir::new().expect("a temporary folder"), options, told: Arc::default() }
    }

    /// The same with other options.
    pub fn with(mut self, change: impl FnOnce(&mut Options)) -> Self {
        change(&mut self.options);
        self
    }

    /// The folder of the mirror.
    pub fn data(&self) -> PathBuf {
        self.dir.path().join("data")
    }

    /// The site in it.
    pub fn site(&self) -> PathBuf {
        self.data().join("site")
    }

    /// The mirror, as a start of the program opens it.
    pub fn mirror(&self) -> Mirror {
        let told = Arc::clone(&self.told);
        let tell = move |line: &str| told.lock().expect("no panic").push(line.to_owned());
        Mirror::open(self.data(), self.options.clone(), Arc::new(tell)).expect("a mirror")
    }

    /// One round of a mirror that was opened for it.
    pub fn round(&self) -> Round {
        self.mirror().round(day(1), None)
    }

    /// What the operator was told since this was last asked.
    pub fn told(&self) -> String {
        let lines = std::mem::take(&mut *self.told.lock().expect("no panic"));
        lines.join("\n").replace(&self.dir.path().display().to_string(), "DIR")
    }

    /// What its manifest names.
    pub fn entries(&self) -> Vec<Entry> {
        manifest(&self.site()).torrents
    }

    /// Title, retirement and first path of each torrent. The publisher's builds read the clock.
    pub fn listed(&self) -> String {
        let line = |entry: Entry| {
            let since = entry.retired.map_or(String::new(), |since| {
                format!(", retired {}", if since.starts_with("2026-06-0") { &since } else { "by the show" })
            });
            let hash = entry.info_hashes.main().to_string();
            format!("{}{since}: {}\n", entry.title, entry.files[0].path.as_str().replace(&hash, "HASH"))
        };
        self.entries().into_iter().map(line).collect()
    }

    /// Every file of the site.
    pub fn files(&self) -> BTreeMap<String, Vec<u8>> {
        house::files(&self.site())
    }
}

/// Noon of a day of June 2026.
pub fn day(day: u8) -> OffsetDateTime {
    let date = time::Date::from_calendar_date(2026, time::Month::June, day).expect("a day");
    date.with_hms(12, 0, 0).expect("noon").assume_utc()
}
