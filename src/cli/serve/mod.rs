//! `everseed serve`: sockets first, then the site for their address, then the server until it is asked to stop.

mod args;

pub use args::ServeArgs;

use std::fs;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, UdpSocket};
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};

use clap::ArgMatches;
use tokio::signal::unix::{SignalKind, signal};

use super::build::{self, read_config};
use super::report::{self, Failure};
use crate::allocator;
use crate::config::{Config, Target, Typed};
use crate::output;
use crate::problem::Problem;
use crate::serve::{Bound, DataFolder, Log, Options, Server, StartError, Summary, connections_max};
use crate::site::LockUse;

/// Open files and sockets that the server's usual limits on connections add up to, with room to spare.
const OPEN_FILES_WANTED: u64 = 16_384;
/// Files and sockets of a connection at most: it may be answered with a file.
const OPEN_FILES_OF_A_CONNECTION: u64 = 2;
/// Files and sockets of everything else.
const OPEN_FILES_BESIDE: u64 = 1024;

/// What the system sends to a process whose file would become larger than it may be (SIGXFSZ, of Linux and macOS).
const FILE_TOO_LARGE: i32 = 25;

/// Threads that carry bytes between sockets at most: more of them only cost memory, as files are read by others.
const WORKERS_MAX: usize = 4;

/// What `init` proposes to type next, for a show in `folder`.
pub fn next(folder: &str) -> String {
    format!("`everseed serve {folder}` shows it, `everseed build {folder}` builds it.")
}

/// Serves until Ctrl-C or SIGTERM. `matches` are those of the command.
pub fn run(mut args: ServeArgs, matches: &ArgMatches) -> Result<(), Failure> {
    args.settle(matches).map_err(Failure::usage)?;
    allocator::keep_little();
    let threads = std::thread::available_parallelism().map_or(1, NonZeroUsize::get).min(WORKERS_MAX);
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(threads)
        .enable_all()
        .build()
        .map_err(|error| Failure::Trouble(Problem::new(format!("can't start its threads: {error}"))))?;
    let served = runtime.block_on(serve(&args));
    // Reads of a stalled disk must not keep the process.
    runtime.shutdown_background();
    served
}

/// What is served: a folder of episodes that is built first, or a site that was built elsewhere.
enum Source {
    Root(PathBuf),
    Site(PathBuf),
}

async fn serve(args: &ServeArgs) -> Result<(), Failure> {
    let (source, config) = source(args)?;
    let data = data_folder(args, &config, &source);
    let site = match &source {
        Source::Site(site) => whole(site),
        Source::Root(_) => data.join("site"),
    };
    let for_this_machine = matches!(source, Source::Root(_)) && !args.production && args.base_url.is_none();
    let (addresses, mut options) =
        config.server(site.clone(), &typed(args), for_this_machine).map_err(Failure::Usage)?;
    open_files(&config, &mut options);
    // Bound before anything is built: the site is built for the ports that were taken.
    let bound = Bound::bind(&addresses).map_err(Failure::Trouble)?;
    // Taken before anything is built, too: the site below it may be the one of a running server.
    let data = DataFolder::lock(data).map_err(Failure::Trouble)?;
    if let Source::Root(root) = &source {
        build_for(args, &config, root, &site, data.path(), &bound)?;
    }
    let urls = Urls::of(&bound);
    let stop = stop_signal()?;
    let log = Log::stderr();
    let server = Server::start(bound, data, options, log.clone()).await.map_err(|error| {
        log.flush();
        match error {
            StartError::Site(problems) => Failure::Usage(problems),
            StartError::Trouble(problem) => Failure::Trouble(problem),
        }
    })?;
    // A server whose first words nobody reads serves all the same.
    let _ = report::say(urls.greeting(&server.summary()));
    let outcome = server.run(stop).await;
    log.flush();
    outcome.map_err(Failure::Trouble)
}

/// Asks the system for as many open files and sockets as the limits on connections allow, and settles how many HTTP
/// connections there may be, where nobody has said so. The usual soft limit of 1,024 is far below.
pub(super) fn open_files(config: &Config, options: &mut Options) {
    let connections = (options.http.connections_max + options.seed.connections_max) as u64;
    let wanted = connections * OPEN_FILES_OF_A_CONNECTION + OPEN_FILES_BESIDE;
    let Ok(given) = rlimit::increase_nofile_limit(wanted.max(OPEN_FILES_WANTED)) else { return };
    if config.serve.connections_max.is_none() {
        options.http.connections_max = connections_max(given);
    } else if given < wanted {
        let message = format!("the system lets the program open {given} files and sockets; {wanted} may be needed");
        let help = "raise the limit (ulimit -n, or LimitNOFILE in the systemd unit), or lower `connections_max`";
        report::warn(&Problem::new(message).help(help));
    }
}

fn source(args: &ServeArgs) -> Result<(Source, Config), Failure> {
    if let Some(site) = &args.site {
        let config = args.config.as_deref().map(|path| Config::read(path).map_err(Failure::usage)).transpose()?;
        return Ok((Source::Site(site.clone()), config.unwrap_or_default()));
    }
    let root = args.root.clone().unwrap_or_else(|| PathBuf::from("."));
    let config = read_config(args.config.as_deref(), &root)?;
    // A server's configuration may name the built site itself; a ROOT that is typed comes before it.
    match config.served_site() {
        Some(site) if args.root.is_none() => Ok((Source::Site(site), config)),
        _ => Ok((Source::Root(root), config)),
    }
}

fn data_folder(args: &ServeArgs, config: &Config, source: &Source) -> PathBuf {
    let beside = match source {
        Source::Root(root) => root.as_path(),
        // The current folder, where there is no configuration.
        Source::Site(_) => config.folder(),
    };
    args.data.clone().or_else(|| config.data()).unwrap_or_else(|| beside.join(output::STATE_FOLDER))
}

fn typed(args: &ServeArgs) -> Typed {
    Typed {
        listen: args.listen.clone(),
        udp_listen: args.udp_listen.clone(),
        metrics_listen: args.metrics_listen.clone(),
        peer_listen: args.peer_listen.clone(),
        public_addresses: args.public_addresses.clone(),
        trusted_proxies: args.trusted_proxies.clone(),
        interval_secs: args.interval,
        open_tracker: args.open_tracker,
    }
}

/// The folder `site`, after a build that was killed there has been taken back.
fn whole(site: &Path) -> PathBuf {
    match output::restore(site) {
        Ok(false) => {}
        Ok(true) => {
            let problem = Problem::at(site, "a build was killed here; the site from before it is served");
            report::warn(&problem.help("build again"));
        }
        // It may be another user's to write. What its manifest names can be served all the same.
        Err(problem) => report::warn(&problem),
    }
    site.to_owned()
}

/// Builds the site of `root` into `site`, for the address that `bound` has or the one that was asked for.
fn build_for(
    args: &ServeArgs,
    config: &Config,
    root: &Path,
    site: &Path,
    data: &Path,
    bound: &Bound,
) -> Result<(), Failure> {
    let target = if args.production {
        Target::Configured
    } else if let Some(url) = &args.base_url {
        Target::At(url.clone())
    } else {
        Target::Here { http: reachable(bound.http_addr()), udp: bound.udp_addr().map(reachable) }
    };
    let mut options = config.site_options(root, &target, args.drafts).map_err(Failure::Usage)?;
    if matches!(target, Target::Here { .. }) || args.drafts {
        // A preview publishes nothing.
        options.lock = LockUse::Read;
    }
    options.now = Some(build::now()?);
    let state = build_state(root, data);
    if state == data {
        // Nor can the lock be written there.
        options.lock = LockUse::Read;
    }
    build::site(&options, site, &state)?;
    Ok(())
}

/// Where what builds remember is kept: where `everseed build` keeps it, so that the two know of each other's work, or
/// below `data` where that can't be written.
fn build_state(root: &Path, data: &Path) -> PathBuf {
    let state = root.join(output::STATE_FOLDER);
    let probe = state.join("writable");
    let written =
        fs::create_dir_all(&state).and_then(|()| fs::write(&probe, b"")).and_then(|()| fs::remove_file(&probe));
    if written.is_ok() { state } else { data.to_owned() }
}

/// `addr`, with an address of this machine that others can use where it listens at all of them.
pub(super) fn reachable(addr: SocketAddr) -> SocketAddr {
    if !addr.ip().is_unspecified() {
        return addr;
    }
    // A UDP socket that is connected sends nothing, and tells which address the way out has.
    let outward = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0))
        .and_then(|socket| socket.connect((Ipv4Addr::new(192, 0, 2, 1), 9)).and_then(|()| socket.local_addr()));
    SocketAddr::new(outward.map_or(IpAddr::V4(Ipv4Addr::LOCALHOST), |outward| outward.ip()), addr.port())
}

/// Resolves at Ctrl-C or SIGTERM.
pub(super) fn stop_signal() -> Result<impl Future<Output = ()>, Failure> {
    let trouble = |error| Failure::Trouble(Problem::new(format!("can't listen for signals: {error}")));
    // Heard, so that it does not end the process: a limit on the size of files is a disk that is full. Where it can't be
    // heard, all is as it was.
    let _ = signal(SignalKind::from_raw(FILE_TOO_LARGE));
    let mut interrupt = signal(SignalKind::interrupt()).map_err(trouble)?;
    let mut terminate = signal(SignalKind::terminate()).map_err(trouble)?;
    Ok(async move {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
    })
}

/// Where the metrics are, where they have an address of their own.
pub(super) fn metrics_line(addr: SocketAddr) -> String {
    format!("metrics   http://{addr}/metrics")
}

/// What is printed when all is up.
struct Urls {
    site: String,
    udp: Option<SocketAddr>,
    metrics: Option<SocketAddr>,
    peers: SocketAddr,
    has_utp: bool,
}

impl Urls {
    fn of(bound: &Bound) -> Self {
        let site = format!("http://{}/", reachable(bound.http_addr()));
        let [udp, metrics] = [bound.udp_addr(), bound.metrics_addr()].map(|addr| addr.map(reachable));
        Self { site, udp, metrics, peers: bound.peer_addr(), has_utp: bound.has_utp() }
    }

    fn greeting(&self, summary: &Summary) -> String {
        let mut lines = vec![format!("site      {}", self.site), format!("announce  {}announce", self.site)];
        lines.extend(self.udp.map(|udp| format!("announce  udp://{udp}/announce")));
        lines.push(format!("swarms    {}swarms", self.site));
        lines.extend(self.metrics.map(metrics_line));
        let ways = if self.has_utp { "TCP, uTP" } else { "TCP" };
        lines.push(format!("peers     {} ({ways})", self.peers));
        lines.push(format!("seeding   {} of {} torrents", summary.seeded, summary.torrents));
        lines.join("\n")
    }
}
