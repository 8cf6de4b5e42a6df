//! `everseed serve`: sockets first, then the site for their address, then the server until it is asked to stop.

use std::net::{IpAddr, Ipv4Addr, SocketAddr, UdpSocket};
use std::path::{Path, PathBuf};

use tokio::signal::unix::{SignalKind, signal};

use super::args::ServeArgs;
use super::build::{self, STATE_FOLDER, read_config};
use super::report::{self, Failure};
use crate::config::{Config, Target, Typed};
use crate::problem::Problem;
use crate::serve::{Addresses, Bound, Log, Server, StartError, Summary, Udp};
use crate::site;

/// Where HTTP is served unless somebody says otherwise.
const LISTEN: &str = "127.0.0.1:8080";
/// The port at which peers connect unless somebody says otherwise.
const PEER_PORT: u16 = 6881;

/// Open files and sockets that the server's own limits on connections add up to, with room to spare.
const OPEN_FILES_WANTED: u64 = 16_384;

/// Serves until Ctrl-C or SIGTERM.
pub fn run(args: &ServeArgs) -> Result<(), Failure> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::Trouble(Problem::new(format!("can't start its threads: {error}"))))?;
    let served = runtime.block_on(serve(args));
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
    // A connection is a file descriptor, and so is a file that is read; the usual soft limit of 1,024 is below what the
    // limits on connections allow. As many as the system gives.
    let _ = rlimit::increase_nofile_limit(OPEN_FILES_WANTED);
    let (source, config) = source(args)?;
    let data = data_folder(args, &config, &source);
    let addresses = addresses(args, &config, &source)?;
    // Bound before anything is built: the site is built for the ports that were taken.
    let bound = Bound::bind(&addresses).map_err(Failure::Trouble)?;
    let site = match &source {
        Source::Site(site) => whole(site),
        Source::Root(root) => build_for(args, &config, root, &data, &bound)?,
    };
    let typed = Typed {
        public_addresses: args.public_addresses.clone(),
        trusted_proxies: args.trusted_proxies.clone(),
        interval_secs: args.interval,
    };
    let options = config.serve_options(site, data, &typed).map_err(Failure::usage)?;
    let urls = Urls::of(&bound);
    let stop = stop_signal()?;
    let server = Server::start(bound, options, Log::stderr()).await.map_err(|error| match error {
        StartError::Site(problems) => Failure::Usage(problems),
        StartError::Trouble(problem) => Failure::Trouble(problem),
    })?;
    urls.greet(&server.summary());
    server.run(stop).await.map_err(Failure::Trouble)
}

fn source(args: &ServeArgs) -> Result<(Source, Config), Failure> {
    if let Some(site) = &args.site {
        let config = args.config.as_deref().map(|path| Config::read(path).map_err(Failure::usage)).transpose()?;
        return Ok((Source::Site(site.clone()), config.unwrap_or_default()));
    }
    let root = args.root.clone().unwrap_or_else(|| PathBuf::from("."));
    let config = read_config(args.config.as_deref(), &root)?;
    // A server's configuration may name the built site itself.
    match config.served_site(&root) {
        Some(site) if args.root.is_none() && config.site.is_none() => Ok((Source::Site(site), config)),
        _ => Ok((Source::Root(root), config)),
    }
}

fn data_folder(args: &ServeArgs, config: &Config, source: &Source) -> PathBuf {
    let root = match source {
        Source::Root(root) => root.as_path(),
        Source::Site(_) => Path::new("."),
    };
    let configured = config.serve.data.as_ref().map(|data| root.join(data));
    args.data.clone().or(configured).unwrap_or_else(|| root.join(STATE_FOLDER))
}

fn addresses(args: &ServeArgs, config: &Config, source: &Source) -> Result<Addresses, Failure> {
    let http_text = args.listen.as_deref().or(config.serve.listen.as_deref()).unwrap_or(LISTEN);
    let http = address(http_text, "--listen")?;
    let udp = match args.udp_listen.as_deref().or(config.serve.udp_listen.as_deref()) {
        Some("off") => Udp::Off,
        Some(text) => Udp::At(address(text, "--udp-listen")?),
        None => Udp::WithHttp,
    };
    // A site that is built for this machine alone is seeded to this machine alone.
    let local =
        matches!(source, Source::Root(_)) && !args.production && args.base_url.is_none() && http.ip().is_loopback();
    let peer = match args.peer_listen.as_deref().or(config.seed.listen.as_deref()) {
        Some(text) => address(text, "--peer-listen")?,
        None if local => SocketAddr::new(http.ip(), PEER_PORT),
        None => SocketAddr::new(IpAddr::V6(std::net::Ipv6Addr::UNSPECIFIED), PEER_PORT),
    };
    Ok(Addresses { http, udp, peer })
}

fn address(text: &str, flag: &str) -> Result<SocketAddr, Failure> {
    text.parse().map_err(|_| {
        Failure::usage(
            Problem::new(format!("{flag}: {text:?} is not an address with a port"))
                .help("write it as 127.0.0.1:8080, 0.0.0.0:8080 or [::]:8080"),
        )
    })
}

/// The folder `site`, after a build that was killed there has been taken back.
fn whole(site: &Path) -> PathBuf {
    match site::restore(site) {
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

/// Builds the site of `root` below `data`, for the address that `bound` has or the one that was asked for.
fn build_for(args: &ServeArgs, config: &Config, root: &Path, data: &Path, bound: &Bound) -> Result<PathBuf, Failure> {
    let target = if args.production {
        Target::Configured
    } else if let Some(url) = &args.base_url {
        Target::At(url.clone())
    } else {
        Target::Here { http: reachable(bound.http_addr()), udp: bound.udp_addr().map(reachable) }
    };
    let options = config.site_options(root, &target, args.drafts).map_err(Failure::usage)?;
    let site = data.join("site");
    build::site(&options, &site, data)?;
    Ok(site)
}

/// `addr`, with an address of this machine that others can use where it listens at all of them.
fn reachable(addr: SocketAddr) -> SocketAddr {
    if !addr.ip().is_unspecified() {
        return addr;
    }
    // A UDP socket that is connected sends nothing, and tells which address the way out has.
    let outward = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0))
        .and_then(|socket| socket.connect((Ipv4Addr::new(192, 0, 2, 1), 9)).and_then(|()| socket.local_addr()));
    SocketAddr::new(outward.map_or(IpAddr::V4(Ipv4Addr::LOCALHOST), |outward| outward.ip()), addr.port())
}

/// Resolves at Ctrl-C or SIGTERM.
fn stop_signal() -> Result<impl Future<Output = ()>, Failure> {
    let trouble = |error| Failure::Trouble(Problem::new(format!("can't listen for signals: {error}")));
    let mut interrupt = signal(SignalKind::interrupt()).map_err(trouble)?;
    let mut terminate = signal(SignalKind::terminate()).map_err(trouble)?;
    Ok(async move {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
    })
}

/// What is printed when all is up.
struct Urls {
    site: String,
    udp: Option<SocketAddr>,
    peers: SocketAddr,
}

impl Urls {
    fn of(bound: &Bound) -> Self {
        let site = format!("http://{}/", reachable(bound.http_addr()));
        Self { site, udp: bound.udp_addr().map(reachable), peers: bound.peer_addr() }
    }

    fn greet(&self, summary: &Summary) {
        println!("site      {}", self.site);
        println!("announce  {}announce", self.site);
        if let Some(udp) = self.udp {
            println!("announce  udp://{udp}/announce");
        }
        println!("swarms    {}swarms", self.site);
        println!("peers     {} (TCP)", self.peers);
        println!("seeding   {} of {} torrents", summary.seeded, summary.torrents);
    }
}
