//! `everseed heal`: what is wrong with the files of a site, what would be done about it, and the doing.

use std::collections::HashMap;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;

use clap::ArgMatches;
use clap::parser::ValueSource;
use tokio::runtime::Runtime;

use super::built::Asked;
use super::report::{self, Bar, Failure, say};
use crate::config::Config;
use crate::fingerprint::Fingerprint;
use crate::heal::{self, Healer, Look, MIRROR_HELP, Options, Outcome, Plan, Subject, Watch};
use crate::problem::{Problem, nearest};
use crate::serve::{self, Published, Site};
use crate::units::{count_text, size_text};

/// The least digits by which an info-hash is named.
const DIGITS_MIN: usize = 6;

/// Give damaged and missing files of the site their bytes back
///
/// Reads all files of the site's torrents, or of those that are named, and says what is wrong with them and what would be
/// done. With --yes the bad pieces are fetched: from the copies of the site that --mirror or `[seed] mirrors` name, from
/// the torrents' other web seeds, and from the swarm. They are put together with what is good in a folder below --data,
/// and a file that is then whole takes the place of the damaged one at once. A server may run meanwhile, and serves the
/// file again within 10 seconds.
///
/// A file whose size or time has changed since it was last known to be right may be a new version: it is left as it is
/// unless --force names its torrent. Exit code 0 where all is well, or healed; 2 where something is damaged still.
#[derive(Debug, clap::Args)]
pub struct HealArgs {
    /// The folder that holds everseed.toml, unless --site is given [default: the current folder], then the torrents to
    /// look at: by info-hash, by the name of the file or folder, or by that of the .torrent [default: all]
    #[arg(value_name = "ROOT] [TORRENT")]
    pub words: Vec<String>,
    /// Heal the built site in DIR [default: `[serve] site` of everseed.toml where no ROOT is given, else what `build`,
    /// `attach` and `serve` have made of ROOT]
    #[arg(long, value_name = "DIR", env = "EVERSEED_SITE")]
    pub site: Option<PathBuf>,
    /// Do what would be done [default: say it]
    #[arg(short, long)]
    pub yes: bool,
    /// Take back the published files of TORRENT also where they may have been replaced by new versions; may be given
    /// several times [default: leave them]
    #[arg(long, value_name = "TORRENT")]
    pub force: Vec<String>,
    /// Fetch from the copy of the site at URL first; may be given several times [default: `[seed] mirrors` of
    /// everseed.toml]
    #[arg(long = "mirror", value_name = "URL")]
    pub mirrors: Vec<String>,
    /// Fetch nothing from the swarm [default: what no web server has]
    #[arg(long)]
    pub no_swarm: bool,
    /// Put files together in DIR, which is best on the disk of the site, and read there what the server knows of them
    /// [default: as `everseed serve`]
    #[arg(long, value_name = "DIR", env = "EVERSEED_DATA")]
    pub data: Option<PathBuf>,
    /// Read the configuration from FILE [default: ROOT/everseed.toml]
    #[arg(long, value_name = "FILE", env = "EVERSEED_CONFIG")]
    pub config: Option<PathBuf>,
}

/// Looks, and heals where that was asked for. `matches` are those of the command.
#[expect(clippy::needless_pass_by_value, reason = "a build without a server takes whatever was typed")]
pub fn run(args: HealArgs, matches: &ArgMatches) -> Result<(), Failure> {
    let args = &args;
    let words = Words::of(args, matches.value_source("site") == Some(ValueSource::CommandLine));
    let asked = Asked {
        root: &words.root,
        has_root: words.has_root,
        site: words.site.as_deref(),
        config: args.config.as_deref(),
        data: args.data.as_deref(),
        help: "name the folder of a built site with --site",
    };
    let config = asked.config()?;
    let options = options(args, &config)?;
    let data = asked.data(&config);
    let sites = asked.sites(&config, &data)?;
    check(words.torrents.iter().chain(&args.force), &sites)?;
    let known = serve::known_files(&data).unwrap_or_else(|problem| {
        // Files are judged by their times alone then.
        report::warn(&problem);
        HashMap::new()
    });
    let mut round = Round { args, options, data, known, healer: None, runtime: None, tally: Tally::default() };
    for (root, site) in &sites {
        for one in &site.torrents {
            let is_meant = |words: &[String]| words.iter().any(|word| is_named(one, word));
            if words.torrents.is_empty() || is_meant(&words.torrents) {
                round.torrent(root, site, one, is_meant(&args.force))?;
            }
        }
    }
    round.tally.end(args.yes)
}

/// What was typed, told apart.
struct Words {
    root: PathBuf,
    has_root: bool,
    site: Option<PathBuf>,
    torrents: Vec<String>,
}

impl Words {
    fn of(args: &HealArgs, is_site_typed: bool) -> Self {
        let mut torrents = args.words.clone();
        // A folder comes first, where it is one; a torrent may be called anything.
        let has_root = !is_site_typed && torrents.first().is_some_and(|first| Path::new(first).is_dir());
        let root = if has_root { PathBuf::from(torrents.remove(0)) } else { PathBuf::from(".") };
        // What was typed comes before the environment.
        let site = args.site.clone().filter(|_| !has_root);
        Self { root, has_root, site, torrents }
    }
}

fn options(args: &HealArgs, config: &Config) -> Result<Options, Failure> {
    let mut options = config.heal_options().map_err(Failure::Usage)?;
    let typed = args
        .mirrors
        .iter()
        .map(|text| heal::mirror(text).map_err(|wrong| Problem::new(format!("--mirror: {wrong}")).help(MIRROR_HELP)));
    let typed: Vec<String> = typed.collect::<Result<_, _>>().map_err(Failure::usage)?;
    options.mirrors = typed.into_iter().chain(options.mirrors).collect();
    options.swarm = !args.no_swarm;
    Ok(options)
}

/// What is the same for all torrents.
struct Round<'a> {
    args: &'a HealArgs,
    options: Options,
    data: PathBuf,
    known: HashMap<PathBuf, Fingerprint>,
    /// Taken when there is something to heal.
    healer: Option<Healer>,
    runtime: Option<Runtime>,
    tally: Tally,
}

impl Round<'_> {
    fn torrent(&mut self, root: &Path, site: &Site, one: &Published, consent: bool) -> Result<(), Failure> {
        static NEVER: AtomicBool = AtomicBool::new(false);
        self.tally.torrents += 1;
        let torrent = one.read(root).map_err(Failure::Trouble)?;
        let subject = serve::subject_to_heal(root, site, one, &torrent);
        let threads = std::thread::available_parallelism().map_or(1, NonZeroUsize::get);
        let known = |path: &Path| self.known.get(path).copied();
        let progress = Bar::new();
        let look = heal::examine(&subject, known, threads, Watch { progress: &progress, stop: &NEVER });
        drop(progress);
        let look = look.map_err(Failure::Trouble)?;
        if look.is_whole() {
            return Ok(());
        }
        self.tally.damaged += 1;
        let plan = Plan::of(&subject, &look, &self.options, consent);
        say(&plan)?;
        if plan.needs_consent {
            say(format_args!(
                "  build the site again to publish a new version, or take the published one back with --force {:?}",
                plan.name
            ))?;
        }
        if !self.args.yes {
            say(format_args!("  {}", plan.deed()))?;
            self.tally.to_heal += usize::from(plan.is_healing);
            return Ok(());
        }
        let progress = Bar::new();
        let watch = Watch { progress: &progress, stop: &NEVER };
        let outcome = self.heal(&subject, &look, one, consent, watch)?;
        drop(progress);
        tell(&outcome)?;
        self.tally.healed += usize::from(outcome.is_whole());
        Ok(())
    }

    fn heal(
        &mut self,
        subject: &Subject<'_>,
        look: &Look,
        one: &Published,
        consent: bool,
        watch: Watch<'_>,
    ) -> Result<Outcome, Failure> {
        let trouble = |error| Failure::Trouble(Problem::new(format!("can't start its threads: {error}")));
        if self.runtime.is_none() {
            self.runtime = Some(tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(trouble)?);
        }
        if self.healer.is_none() {
            self.healer = Some(Healer::new(self.options.clone(), &self.data).map_err(Failure::Trouble)?);
        }
        let (Some(runtime), Some(healer)) = (&self.runtime, &self.healer) else {
            return Ok(Outcome::default());
        };
        let trackers = subject.torrent.metainfo.trackers.clone();
        let peers = || runtime.block_on(serve::ask_trackers(one, trackers.clone()));
        Ok(healer.heal(subject, look, consent, &peers, watch))
    }
}

/// Says what was done about one torrent.
fn tell(outcome: &Outcome) -> Result<(), Failure> {
    for tried in &outcome.tried {
        say(format_args!("  {tried}"))?;
    }
    for healed in &outcome.healed {
        say(format_args!("  healed: {} ({})", healed.name, size_text(healed.bytes)))?;
        if let Some(note) = healed.note() {
            say(format_args!("    {note}"))?;
        }
    }
    for left in &outcome.left {
        // Its remedy stands in a line of its own.
        let problem = left.problem.to_string().replace('\n', "\n  ");
        say(format_args!("  left: {}: {problem}", left.name))?;
    }
    Ok(())
}

/// How many there were.
#[derive(Default)]
struct Tally {
    torrents: usize,
    damaged: usize,
    /// Damaged, and something would be done about them.
    to_heal: usize,
    healed: usize,
}

impl Tally {
    fn end(&self, yes: bool) -> Result<(), Failure> {
        let all = count_text(self.torrents as u64, "torrent");
        let Self { damaged, to_heal, healed, .. } = *self;
        if damaged == 0 {
            return say(format_args!("{all}, all of them whole"));
        }
        if yes {
            say(format_args!("{all}, {damaged} damaged, {healed} healed"))?;
        } else if to_heal > 0 {
            say(format_args!("{all}, {damaged} damaged; nothing was changed: --yes does what is said above"))?;
        } else {
            say(format_args!("{all}, {damaged} damaged"))?;
        }
        if yes && healed == damaged { Ok(()) } else { Err(Failure::Findings) }
    }
}

/// Whether `word` names a torrent.
fn is_named(one: &Published, word: &str) -> bool {
    let digits = word.to_ascii_lowercase();
    let hashes = one.entry.info_hashes;
    let hashes = [hashes.v1().map(|hash| hash.to_string()), hashes.v2().map(|hash| hash.to_string())];
    let is_hash = digits.len() >= DIGITS_MIN && hashes.iter().flatten().any(|hash| hash.starts_with(&digits));
    is_hash || names(one).iter().any(|name| name == word)
}

/// What a torrent is called, beside its info-hash.
fn names(one: &Published) -> Vec<String> {
    let path = one.entry.torrent();
    let file = path.rsplit('/').next().unwrap_or(path);
    let stem = file.strip_suffix(".torrent").unwrap_or(file);
    [path, file, stem, one.entry.name(), one.entry.title()].map(str::to_owned).to_vec()
}

/// Refuses words that name nothing.
fn check<'w>(mut words: impl Iterator<Item = &'w String>, sites: &[(PathBuf, Site)]) -> Result<(), Failure> {
    let torrents = || sites.iter().flat_map(|(_, site)| &site.torrents);
    let Some(word) = words.find(|word| !torrents().any(|one| is_named(one, word))) else { return Ok(()) };
    let names: Vec<String> = torrents().flat_map(names).collect();
    let help = match nearest(word, names.iter().map(String::as_str)) {
        Some(name) => format!("did you mean {name:?}?"),
        None => "name it by its info-hash, or as its .torrent is called; the folder of a show comes first".into(),
    };
    Err(Failure::usage(Problem::new(format!("{word:?} is no torrent of the site")).help(help)))
}
