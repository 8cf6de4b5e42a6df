//! What can be typed after `everseed serve`.

use std::net::IpAddr;
use std::path::PathBuf;

use clap::ArgMatches;
use clap::builder::BoolishValueParser;
use clap::parser::ValueSource;

use crate::problem::Problem;

/// Serve the site with its tracker and its permanent seed
///
/// With a ROOT that holds everseed.toml the site is first built for the address it is served at, into a folder below
/// --data and never into ROOT/public. With --site the built site in DIR is served. Runs until Ctrl-C or SIGTERM;
/// SIGHUP reads the site again.
#[derive(Debug, clap::Args)]
pub struct ServeArgs {
    /// The folder that holds everseed.toml [default: the current folder, unless --site is given]
    #[arg(value_name = "ROOT")]
    pub root: Option<PathBuf>,
    /// Serve the built site in DIR and build nothing [default: `[serve] site` of everseed.toml where no ROOT is given,
    /// else build ROOT]
    #[arg(long, value_name = "DIR", env = "EVERSEED_SITE")]
    pub site: Option<PathBuf>,
    /// Read the configuration from FILE [default: ROOT/everseed.toml]
    #[arg(long, value_name = "FILE", env = "EVERSEED_CONFIG")]
    pub config: Option<PathBuf>,
    /// Serve HTTP, site and tracker, at ADDR; port 0 takes a free one [default: 127.0.0.1:8080]
    #[arg(long, value_name = "ADDR", env = "EVERSEED_LISTEN")]
    pub listen: Option<String>,
    /// Serve the tracker over UDP at ADDR, or `off` [default: as --listen]
    #[arg(long, value_name = "ADDR", env = "EVERSEED_UDP_LISTEN")]
    pub udp_listen: Option<String>,
    /// Serve /metrics at ADDR, and there alone; port 0 takes a free one [default: with the site]
    #[arg(long, value_name = "ADDR", env = "EVERSEED_METRICS_LISTEN")]
    pub metrics_listen: Option<String>,
    /// Let peers of the permanent seed connect at ADDR (TCP, uTP) [default: port 6881 of all addresses, or of 127.0.0.1
    /// where the site is built for that address]
    #[arg(long, value_name = "ADDR", env = "EVERSEED_PEER_LISTEN")]
    pub peer_listen: Option<String>,
    /// Keep the database, and the site built here, in DIR [default: ROOT/.everseed; for a site that was built
    /// elsewhere, .everseed beside everseed.toml, else in the current folder]
    #[arg(long, value_name = "DIR", env = "EVERSEED_DATA")]
    pub data: Option<PathBuf>,
    /// Tell peers that the permanent seed is at IP; may be given for IPv4 and IPv6 [default: the local address at which
    /// a peer's announce arrived]
    #[arg(long = "public-address", value_name = "IP", env = "EVERSEED_PUBLIC_ADDRESS", value_delimiter = ',')]
    pub public_addresses: Vec<IpAddr>,
    /// Believe the X-Forwarded-For and Forwarded headers of proxies in NETWORK, such as 127.0.0.1/32 [default: none]
    #[arg(long = "trusted-proxy", value_name = "NETWORK", env = "EVERSEED_TRUSTED_PROXY", value_delimiter = ',')]
    pub trusted_proxies: Vec<String>,
    /// Ask peers to return every SECS seconds [default: 1800]
    #[arg(long, value_name = "SECS", env = "EVERSEED_INTERVAL")]
    pub interval: Option<u32>,
    /// Track any torrent that a peer announces, not the site's alone; `[tracker]` of everseed.toml says how many
    /// [default: the site's alone]
    #[arg(long, env = "EVERSEED_OPEN_TRACKER", value_parser = BoolishValueParser::new())]
    pub open_tracker: bool,
    /// Build for the address URL [default: the address that is served]
    #[arg(long, value_name = "URL", env = "EVERSEED_BASE_URL")]
    pub base_url: Option<String>,
    /// Build for `base_url` of everseed.toml [default: for the address that is served]
    #[arg(long, env = "EVERSEED_PRODUCTION", value_parser = BoolishValueParser::new())]
    pub production: bool,
    /// Build drafts as well [default: leave them out]
    #[arg(long, env = "EVERSEED_DRAFTS", value_parser = BoolishValueParser::new())]
    pub drafts: bool,
}

impl ServeArgs {
    /// Settles what contradicts: what was typed comes before the environment, and two typed contradictions are an
    /// error. `matches` are those of the command.
    pub fn settle(&mut self, matches: &ArgMatches) -> Result<(), Problem> {
        let typed = |id: &str| matches.value_source(id) == Some(ValueSource::CommandLine);
        for (one, other) in [
            ("site", "root"),
            ("site", "base_url"),
            ("site", "production"),
            ("site", "drafts"),
            ("base_url", "production"),
        ] {
            if typed(one) && typed(other) {
                let flag =
                    |id: &str| if id == "root" { "ROOT".to_owned() } else { format!("--{}", id.replace('_', "-")) };
                return Err(Problem::new(format!("{} and {} contradict each other", flag(one), flag(other)))
                    .help("leave one of them out; `everseed serve --help` describes both"));
            }
        }
        let builds = ["root", "base_url", "production", "drafts"].into_iter().any(&typed);
        if builds && !typed("site") {
            self.site = None;
            // Also where the configuration names a built site.
            self.root.get_or_insert_with(|| PathBuf::from("."));
        }
        if typed("base_url") {
            self.production = false;
        }
        Ok(())
    }
}
