//! `everseed mirror`: sockets and folder first, then the show is followed and what there is of it served, until it is
//! asked to stop.

use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use time::OffsetDateTime;
use tokio::runtime::Builder;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::Notify;
use url::Url;

use super::report::{self, Failure};
use super::serve::{metrics_line, open_files, reachable, stop_signal};
use crate::allocator;
use crate::baseurl::BaseUrl;
use crate::config::{Config, Typed};
use crate::fetch::reach::Reach;
use crate::fetch::swarm::Dht;
use crate::heal::Mode;
use crate::mirror::{self, Mirror, Pace, Reread, Round, Summary};
use crate::names;
use crate::problem::Problem;
use crate::serve::{Bound, DataFolder, Log, Server, StartError};
use crate::units::{count_text, parse_size, size_text};

/// The pause between two looks at the show unless somebody says otherwise.
const EVERY_SECS: u32 = 3600;
/// The shortest one that can be asked for.
const EVERY_SECS_MIN: u32 = 60;
/// The longest one: a week.
const EVERY_SECS_MAX: u32 = 7 * 24 * 3600;

/// Keep and seed a copy of a whole show, wherever it is published
///
/// URL is the show's everseed.json, its torrents.xml, its feed, or the address of its site. What it names is fetched, the
/// newest first, from web seeds and from peers; verified; kept below DIR; served over HTTP; and seeded, also to the
/// show's trackers. New episodes follow, and what the show withdraws or replaces is kept as retired. Runs until Ctrl-C or
/// SIGTERM; SIGHUP looks at the show at once.
#[derive(Debug, clap::Args)]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag that is typed or not")]
#[command(
    after_help = "With --once, exit codes: 0 all is here, or as much as the budget allows, 1 trouble or a show that \
    can't be read, 2 something could not be fetched."
)]
pub struct MirrorArgs {
    /// The show
    #[arg(value_name = "URL", env = "EVERSEED_MIRROR")]
    pub source: String,
    /// Keep the site and the database in DIR [default: `[serve] data` of everseed.toml, else a folder in the current one
    /// that is called as the host and path of URL]
    #[arg(long, value_name = "DIR", env = "EVERSEED_DATA")]
    pub data: Option<PathBuf>,
    /// Keep SIZE of media at most, as 200 GB or 1.5 TiB; a torrent on its way comes on top. What was retired first goes
    /// first where a newer one needs the room [default: as much as the disk takes]
    #[arg(long, value_name = "SIZE", env = "EVERSEED_BUDGET", value_parser = size)]
    pub budget: Option<u64>,
    /// Let the oldest episodes go too where the budget is needed for newer ones [default: only what is retired goes]
    #[arg(long)]
    pub rolling: bool,
    /// Remove what the show does not name any more [default: keep it as retired]
    #[arg(long)]
    pub forget_withdrawn: bool,
    /// Fetch what is missing, verify it, and end [default: serve, and follow the show]
    #[arg(long)]
    pub once: bool,
    /// Read all files that are here, and fetch again what is damaged [default: those that look otherwise than when they
    /// were last found right, and those that were not read for `[seed] scrub_days`]
    #[arg(long, requires = "once")]
    pub verify: bool,
    /// Look at the show every SECS seconds, and up to an eighth longer [default: 3600]
    #[arg(long, value_name = "SECS", env = "EVERSEED_EVERY")]
    pub every: Option<u32>,
    /// Name this mirror, its tracker and its files as a web seed, in the torrents and magnet links that it hands out: its
    /// site is reached at URL [default: they name the show's alone]
    #[arg(long, value_name = "URL", env = "EVERSEED_BASE_URL", value_parser = base_url)]
    pub base_url: Option<BaseUrl>,
    /// Read the configuration from FILE: its tables [seed], [serve] and [tracker] hold for a mirror too [default: none]
    #[arg(long, value_name = "FILE", env = "EVERSEED_CONFIG")]
    pub config: Option<PathBuf>,
    /// Serve HTTP, the files and the status page, at ADDR; port 0 takes a free one [default: 127.0.0.1:8080]
    #[arg(long, value_name = "ADDR", env = "EVERSEED_LISTEN")]
    pub listen: Option<String>,
    /// Let peers connect at ADDR [default: port 6881 of all addresses]
    #[arg(long, value_name = "ADDR", env = "EVERSEED_PEER_LISTEN")]
    pub peer_listen: Option<String>,
    /// Tell peers that announce here that the permanent seed is at IP; may be given for IPv4 and IPv6 [default: the local
    /// address at which the announce arrived]
    #[arg(long = "public-address", value_name = "IP", env = "EVERSEED_PUBLIC_ADDRESS", value_delimiter = ',')]
    pub public_addresses: Vec<IpAddr>,
}

/// Reads a number of bytes.
fn size(text: &str) -> Result<u64, String> {
    parse_size(text).ok_or_else(|| "it is not a number of bytes; write it as 200 GB or 1.5 TiB".to_owned())
}

/// Reads the address of this mirror.
fn base_url(text: &str) -> Result<BaseUrl, String> {
    BaseUrl::parse(text).map_err(|error| format!("{error}; {}", BaseUrl::HELP))
}

/// Mirrors until Ctrl-C or SIGTERM, or once.
pub fn run(args: &MirrorArgs) -> Result<(), Failure> {
    let config = args.config.as_deref().map(|path| Config::read(path).map_err(Failure::usage)).transpose()?;
    let config = config.unwrap_or_default();
    let every = args.every.unwrap_or(EVERY_SECS);
    if !(EVERY_SECS_MIN..=EVERY_SECS_MAX).contains(&every) {
        let problem = Problem::new(format!("--every: {every} seconds are out of range"));
        return Err(Failure::usage(problem.help(format!("name {EVERY_SECS_MIN} to {EVERY_SECS_MAX} seconds"))));
    }
    let data = args.data.clone().or_else(|| config.data()).unwrap_or_else(|| folder_of(&args.source));
    if args.once {
        return once(args, &config, data);
    }
    allocator::keep_little();
    let runtime = Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::Trouble(Problem::new(format!("can't start its threads: {error}"))))?;
    let outcome = runtime.block_on(serve(args, &config, data, Duration::from_secs(every.into())));
    // What is under way is taken up by the next run; it must not keep the process.
    runtime.shutdown_background();
    outcome
}

/// A folder for the show at `source`, by its host and path: `show.example.org`, `example.org-my-show`.
fn folder_of(source: &str) -> PathBuf {
    let Ok(url) = Url::parse(source) else { return PathBuf::from("mirror") };
    let mut names: Vec<&str> = url.path_segments().into_iter().flatten().filter(|name| !name.is_empty()).collect();
    // One show has several documents.
    names.pop_if(|name| name.contains('.'));
    let host = url.host_str().unwrap_or_default();
    let port = url.port().map(|port| port.to_string());
    let parts: Vec<&str> = [host].into_iter().chain(port.as_deref()).chain(names).collect();
    PathBuf::from(names::safe(&parts.join("-")))
}

fn options(args: &MirrorArgs, dht: Option<Dht>) -> mirror::Options {
    let mut options = mirror::Options::new(&args.source);
    options.budget_bytes = args.budget;
    options.is_rolling = args.rolling;
    options.forgets_withdrawn = args.forget_withdrawn;
    options.base_url.clone_from(&args.base_url);
    options.dht = dht;
    options
}

/// Opens the mirror in the folder that is held; what it has to say goes to `log`.
fn open(data: &Path, options: mirror::Options, log: &Log) -> Result<Mirror, Failure> {
    let log = log.clone();
    Mirror::open(data, options, Arc::new(move |line: &str| log.line(line))).map_err(Failure::usage)
}

fn once(args: &MirrorArgs, config: &Config, data: PathBuf) -> Result<(), Failure> {
    let dht = config.heal_options().map_err(Failure::Usage)?.dht;
    let data = DataFolder::lock(data).map_err(Failure::Trouble)?;
    let log = Log::stderr();
    let mut options = options(args, dht);
    options.reread = match config.scrub_period() {
        _ if args.verify => Reread::Always,
        // Nobody else reads them where no server runs.
        Some(period) => Reread::After(period),
        None => Reread::Never,
    };
    let mut mirror = open(data.path(), options, &log)?;
    let round = mirror.round(now(), None);
    log.flush();
    let not_read = unread(&round);
    if let Some(problem) = round.trouble.or(round.unread.map(|failed| *failed.problem)) {
        return Err(Failure::Trouble(problem));
    }
    report::say(format!("{}{}", stand(&mirror.summary()), not_read))?;
    if round.missing > 0 { Err(Failure::Findings) } else { Ok(()) }
}

async fn serve(args: &MirrorArgs, config: &Config, data: PathBuf, every: Duration) -> Result<(), Failure> {
    let typed = Typed {
        listen: args.listen.clone(),
        peer_listen: args.peer_listen.clone(),
        // Nobody is told of a tracker here.
        udp_listen: config.serve.udp_listen.is_none().then(|| "off".to_owned()),
        public_addresses: args.public_addresses.clone(),
        ..Typed::default()
    };
    let (addresses, mut server_options) = config.server(data.join("site"), &typed, false).map_err(Failure::Usage)?;
    open_files(config, &mut server_options);
    let bound = Bound::bind(&addresses).map_err(Failure::Trouble)?;
    let data = DataFolder::lock(data).map_err(Failure::Trouble)?;
    let log = Log::stderr();
    let mut mirror_options = options(args, server_options.dht.clone());
    mirror_options.peer_port = bound.peer_addr().port();
    let mirror = open(data.path(), mirror_options, &log)?;
    let (site, summary, copies) = (mirror.site().to_owned(), mirror.summary(), mirror.copies());
    let urls = (format!("http://{}/", reachable(bound.http_addr())), bound.peer_addr());
    let metrics = bound.metrics_addr().map(reachable).map(metrics_line);
    let stop = stop_signal()?;
    let wake = Arc::new(Notify::new());
    let warnings = server_options.warnings.clone();
    let mut hangups =
        signal(SignalKind::hangup()).map_err(|error| Problem::new(format!("can't listen for signals: {error}")));
    let shown = (args.source.clone(), data.path().display().to_string());
    server_options.site = site;
    server_options.is_mirror = true;
    // The configuration may be the show's: its trackers are not this one.
    let own = args.base_url.clone().map(mirror::Own::at);
    server_options.own_trackers = own.iter().map(mirror::Own::tracker).collect();
    // What is right, here the torrent alone says.
    if config.seed.heal.is_none() {
        server_options.healing.mode = Mode::On;
    }
    // A stranger's web seeds and addresses; those of the operator are known.
    let trusted = config.seed.mirrors.iter().map(String::as_str).chain([&*args.source]);
    server_options.healing.options.http.reach = Reach::public_and(trusted);
    if config.seed.mirrors.is_empty() {
        server_options.healing.options.mirrors = copies;
    }
    let server = Server::start(bound, data, server_options, log.clone()).await.map_err(|error| {
        log.flush();
        match error {
            StartError::Site(problems) => Failure::Usage(problems),
            StartError::Trouble(problem) => Failure::Trouble(problem),
        }
    })?;
    let seeding = server.summary();
    let title = if summary.title.is_empty() { String::new() } else { format!("{}, ", summary.title) };
    let links = match &args.base_url {
        Some(base_url) => format!("name {base_url} beside the show"),
        None => "name the show alone; --base-url URL adds this mirror".to_owned(),
    };
    let mut greeting = vec![
        format!("mirror    {title}{}", shown.0),
        format!("kept      {} in {}", size_text(summary.bytes), shown.1),
        format!("site      {}", urls.0),
        format!("swarms    {}swarms", urls.0),
    ];
    greeting.extend(metrics);
    greeting.extend([
        format!("peers     {}", urls.1),
        format!("links     {links}"),
        format!("seeding   {} of {} torrents", seeding.seeded, seeding.torrents),
    ]);
    // A mirror whose first words nobody reads mirrors all the same.
    let _ = report::say(greeting.join("\n"));
    let watched = Arc::new(move |lines| warnings.set(lines));
    let pace = Pace { every, now, chance, wake: Arc::clone(&wake), watched };
    let follow = Box::pin(mirror::follow(mirror, pace));
    let mut fallen = Ok(());
    let until = async {
        let hangup = async {
            let Ok(hangups) = &mut hangups else { return std::future::pending().await };
            while hangups.recv().await.is_some() {
                wake.notify_one();
            }
        };
        tokio::select! {
            () = stop => {}
            outcome = follow => fallen = outcome,
            () = hangup => {}
        }
    };
    let outcome = server.run(until).await;
    log.flush();
    outcome.and(fallen).map_err(Failure::Trouble)
}

/// How it stands, in a line.
fn stand(summary: &Summary) -> String {
    let Summary { title, published, mirrored, retired, bytes } = summary;
    let title = if title.is_empty() { "the show" } else { title };
    let retired = if *retired > 0 { format!(", {retired} retired") } else { String::new() };
    format!("{title}: {mirrored} of {published} torrents here{retired}, {}", size_text(*bytes))
}

/// What was not looked into, so that nobody takes it for more than it is.
fn unread(round: &Round) -> String {
    if round.remembered == 0 {
        return String::new();
    }
    let torrents = count_text(round.remembered, "torrent");
    format!("; not read: {torrents} with files as they were last found right (--verify reads all)")
}

#[expect(clippy::disallowed_methods, reason = "the clock of the command line; what it tells is passed on")]
fn now() -> OffsetDateTime {
    SystemTime::now().into()
}

/// A number from 0 to 1 by chance; 0 where the system gives none, which is as good.
fn chance() -> f64 {
    f64::from(getrandom::u32().unwrap_or(0)) / f64::from(u32::MAX)
}
