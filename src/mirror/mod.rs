//! Another everseed of somebody's show: what its manifest or its feed names is fetched, verified and kept, so that the
//! show outlives its publisher.
//!
//! Below its data folder a mirror keeps a site, as `serve` reads it, in which everything is whole. What is on its way
//! there lies beside it, and comes into the site when every piece has been hashed. The show's documents are a stranger's:
//! their paths and addresses are looked at before they are used, and nothing that was mirrored is lost when they vanish,
//! lie or shrink. It knows no server; time is an argument, or tokio's.
//!
//! ```text
//! show's document -> wish (what is published) -> settle (titles, paths, what is retired)
//!                                             -> plan (.torrent files, newest first, within the budget)
//!                                             -> gather: web seeds, then the swarm -> site/
//!
//! DATA/site/            everseed.json, .torrent files and media; index.html and torrents.xml
//!      waiting/         .torrent files whose content is still to come
//!      fetching/        content that is on its way
//!      published/       .torrent files as they were published, where others are handed out
//!      lost.json        what the site had and does not name, as the `.torrent` is not there
//!      mirror.json      what is remembered of the show, with mirror.document
//!      verified.json    how the files looked when they were last read and found right
//! ```

mod budget;
mod content;
mod follow;
mod gather;
mod look;
mod lost;
mod own;
mod page;
mod place;
mod plan;
mod record;
mod round;
mod settle;
mod site;
mod state;
mod stop;
mod waiting;
mod web;
mod wish;

use std::collections::{HashMap, HashSet};
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;
use url::Url;

pub use follow::{Pace, follow};
pub use own::Own;
pub use page::TORRENTS_MAX as PAGE_TORRENTS_MAX;
pub use plan::{FILES_MAX, RESERVE_BYTES};
pub use record::Reread;
pub use round::Round;
pub use stop::Stop;
pub use waiting::WAITING_BYTES_MAX;
pub use web::WEB_SEEDS_MAX;
pub use wish::DOCUMENT_BYTES_MAX;

use crate::baseurl::BaseUrl;
use crate::fetch::reach::Reach;
use crate::fetch::swarm::{self, Dht};
use crate::fetch::{self, Client, Slow};
use crate::id::InfoHash;
use crate::manifest::Entry;
use crate::problem::Problem;
use budget::Ledger;
use record::Record;
use site::Site;
use state::State;
use waiting::Waiting;
use web::Gone;
use wish::Show;

/// The folder of the mirrored site below the data folder.
const SITE: &str = "site";

/// What is mirrored, and how.
#[derive(Debug, Clone)]
pub struct Options {
    /// The address of the show's manifest or feed, or of its site.
    pub source: String,
    /// The most bytes that are kept; unset, as many as the disk takes.
    pub budget_bytes: Option<u64>,
    /// Whether the oldest of what is published goes where newer ones need the room; what is retired goes before.
    pub is_rolling: bool,
    /// Whether what the show does not name any more is removed.
    pub forgets_withdrawn: bool,
    /// When files are read again that look as they did when they were last found right.
    pub reread: Reread,
    /// Where this mirror's own site stands, with a tracker below it; unset, what it hands out names the show's alone.
    pub base_url: Option<BaseUrl>,
    /// The port that trackers are told where they are asked for peers.
    pub peer_port: u16,
    /// The mainline DHT, if it may be asked for peers.
    pub dht: Option<Dht>,
    /// How servers are asked.
    pub fetch: fetch::Options,
    /// How peers are asked.
    pub swarm: swarm::Limits,
    /// Web seeds that send less are asked when nobody else has what is missing.
    pub slow: Slow,
    /// How long they may hold up the other torrents, each time that a torrent is to be had from such a one alone.
    pub slow_for: Duration,
}

impl Options {
    /// Everything by default but the show.
    pub fn new(source: impl Into<String>) -> Self {
        Self {
            source: source.into(),
            budget_bytes: None,
            is_rolling: false,
            forgets_withdrawn: false,
            reread: Reread::default(),
            base_url: None,
            peer_port: 6881,
            dht: None,
            fetch: fetch::Options::default(),
            swarm: swarm::Limits::default(),
            slow: Slow::default(),
            slow_for: Duration::from_secs(600),
        }
    }
}

/// Takes a line for the operator, without a line feed.
pub type Tell = Arc<dyn Fn(&str) + Send + Sync>;

/// What there is of a show.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Summary {
    /// Its title; empty where it is not known yet.
    pub title: String,
    /// The torrents that the show names.
    pub published: u64,
    /// Those of them that are here.
    pub mirrored: u64,
    /// What is here and not published any more.
    pub retired: u64,
    /// The bytes of all that is here.
    pub bytes: u64,
}

/// A mirror of one show.
pub struct Mirror {
    options: Options,
    data: PathBuf,
    client: Client,
    site: Site,
    /// Where the site of the show stands.
    show_url: BaseUrl,
    /// Where it stands itself, if that is known.
    address: Option<Own>,
    state: State,
    record: Record,
    /// What the show said last.
    show: Option<Show>,
    /// Whether it said so in this round.
    is_new: bool,
    ledger: Ledger,
    waiting: Waiting,
    tries: HashMap<InfoHash, Try>,
    /// Servers that were not reached in this round.
    gone: Gone,
    /// The `.torrent` files that have been asked for in this round, as only they tell which torrents are meant.
    resolved: HashSet<String>,
    /// What the operator was told last, of the show itself and of each torrent.
    told: HashMap<String, String>,
    /// When the manifest was written.
    written: Option<Instant>,
    stop: Stop,
    tell: Tell,
}

/// A torrent that could not be fetched.
#[derive(Debug, Clone, Copy)]
struct Try {
    failures: u32,
    /// When it is tried again.
    next: Instant,
}

impl fmt::Debug for Mirror {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Mirror").field("options", &self.options).field("data", &self.data).finish_non_exhaustive()
    }
}

impl Mirror {
    /// A mirror in the folder `data`, which its caller holds for it alone. Nobody is asked yet.
    ///
    /// Errors: a source that is not the address of anything, a folder that can't be written or is something else's.
    pub fn open(data: impl Into<PathBuf>, options: Options, tell: Tell) -> Result<Self, Problem> {
        let data = data.into();
        let source = check_source(&options.source)?;
        let mut state = State::read(&data);
        if state.source != options.source {
            if !state.source.is_empty() {
                if options.forgets_withdrawn {
                    let message =
                        format!("mirrors {}, and what {} does not name would be removed", state.source, options.source);
                    return Err(Problem::at(&data, message)
                        .help("name another folder with --data, or run it without --forget-withdrawn"));
                }
                tell(&format!(
                    "WARNING: {} mirrored {} before: what {} does not name becomes retired",
                    data.display(),
                    state.source,
                    options.source
                ));
            }
            let base_url = state.base_url.take();
            state = State::of(&options.source, state.ours);
            state.base_url = base_url;
        }
        let document = state.read_document(&data);
        let show = document.and_then(|(url, document)| Show::read(&document, &Url::parse(&url).ok()?).ok());
        let base_url = show.as_ref().map_or_else(|| wish::folder(&source), |show| show.base_url.clone());
        let own_url = options.base_url.as_ref().unwrap_or(&base_url);
        let address = options.base_url.clone().map(Own::at);
        let restore = |entry: &Entry| own::restored(&data, address.as_ref(), entry);
        let site = Site::open(data.join(SITE), own_url, lost::read(&data), restore)?;
        let asked = fetch::Options { reach: Reach::public_and([&*options.source]), ..options.fetch.clone() };
        let mut mirror = Self {
            client: Client::new(&asked)?,
            waiting: Waiting::open(&data)?,
            record: Record::read(&data),
            ledger: Ledger::new(options.budget_bytes, options.is_rolling),
            address,
            options,
            data,
            site,
            show_url: base_url,
            state,
            show,
            is_new: true,
            tries: HashMap::new(),
            gone: Gone::default(),
            resolved: HashSet::new(),
            told: HashMap::new(),
            written: None,
            stop: Stop::default(),
            tell,
        };
        mirror.tell_lost();
        // Before the manifest is, which does not name them any more.
        mirror.write_lost()?;
        mirror.hand_out_all()?;
        // There is something to be served from now on, were it nothing.
        mirror.write()?;
        mirror.write_pages()?;
        Ok(mirror)
    }

    /// The folder of the site, as `serve` takes it.
    pub fn site(&self) -> &Path {
        self.site.root()
    }

    /// The roots of the sites whose copy this one is, each with a `/` at its end: where the show's document stands, and
    /// where the show says that its site is.
    pub fn copies(&self) -> Vec<String> {
        let document = self.document_url().map(|url| wish::folder(&url).to_string());
        let own = self.show.as_ref().map(|show| show.base_url.to_string());
        let mut roots: Vec<String> = document.into_iter().chain(own).collect();
        roots.dedup();
        roots
    }

    /// What ends a round early.
    pub fn stop(&self) -> Stop {
        self.stop.clone()
    }

    /// How it stands.
    pub fn summary(&self) -> Summary {
        let wishes = self.show.as_ref().map(|show| &show.wishes[..]).unwrap_or_default();
        let current = wishes.iter().filter(|wish| wish.retired.is_none());
        let is_here = |wish: &&wish::Wish| {
            let entry = self.hash_of(wish).and_then(|hash| self.site.entry(hash));
            entry.is_some_and(|entry| self.is_whole(entry))
        };
        let entries = self.site.entries();
        Summary {
            title: self.show.as_ref().map(|show| show.title.clone()).unwrap_or_default(),
            published: current.clone().count() as u64,
            mirrored: current.filter(is_here).count() as u64,
            retired: entries.iter().filter(|entry| entry.retired.is_some()).count() as u64,
            bytes: entries.iter().map(|entry| entry.bytes).sum(),
        }
    }

    fn tell(&self, line: &str) {
        (self.tell)(
            &line.chars().map(|c| if c.is_control() && c != '\n' { '\u{fffd}' } else { c }).collect::<String>(),
        );
    }

    /// Tells what was not told last of `about`.
    fn tell_news(&mut self, about: &str, line: &str) {
        if self.told.insert(about.to_owned(), line.to_owned()).as_deref() != Some(line) {
            self.tell(line);
        }
    }

    /// Where the show's document stands, or is thought to.
    fn document_url(&self) -> Option<Url> {
        Url::parse(self.state.document.as_ref().unwrap_or(&self.options.source)).ok()
    }
}

impl Try {
    /// The first pause after a torrent could not be fetched; each further one is twice as long.
    const PAUSE: Duration = Duration::from_secs(600);
    /// So often it is doubled.
    const DOUBLINGS_MAX: u32 = 7;

    /// One more failure.
    fn after(former: Option<Self>) -> Self {
        let failures = former.map_or(0, |former| former.failures).saturating_add(1);
        let pause = Self::PAUSE * (1 << (failures - 1).min(Self::DOUBLINGS_MAX));
        Self { failures, next: Instant::now() + pause }
    }
}

/// The address of a show, where it is one.
fn check_source(text: &str) -> Result<Url, Problem> {
    const HELP: &str = "write it as https://show.example.org/ or https://show.example.org/feed.xml";
    let wrong = |why: String| Problem::new(format!("{text:?} is not the address of a show: {why}")).help(HELP);
    let url = Url::parse(text).map_err(|error| wrong(error.to_string()))?;
    if !matches!(url.scheme(), "http" | "https") {
        return Err(wrong("it begins with neither https:// nor http://".into()));
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(wrong("it holds a user name or a password".into()));
    }
    Ok(url)
}
