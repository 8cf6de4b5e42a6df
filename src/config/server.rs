//! From what stands in the file, and what was typed, to the addresses and the options of a server.

use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::num::NonZeroU64;
use std::path::PathBuf;
use std::time::Duration;

use super::{Config, Faults, Size, or_configured};
use crate::problem::Problem;
use crate::seed::{self, Limits, Scrub};
use crate::serve::{self, Addresses, Quota, Udp};
use crate::tracker;
use crate::tracker::address::Networks;

/// Where HTTP is served unless somebody says otherwise.
const HTTP: SocketAddr = SocketAddr::new(IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 8080);
/// The port at which peers connect unless somebody says otherwise.
const PEER_PORT: u16 = 6881;

/// Days within which all media are read again unless somebody says otherwise.
const SCRUB_DAYS: u32 = 30;
/// The least bytes a second that anything may be limited to: a block would take longer than peers wait for it.
const RATE_BYTES_MIN: u64 = 1000;

/// The least seconds between a peer's announces that an operator may ask for.
pub const INTERVAL_SECS_MIN: u32 = 60;
/// The most seconds between a peer's announces that an operator may ask for: a day.
pub const INTERVAL_SECS_MAX: u32 = 86_400;

/// The most peers that an operator may allow in all: 6 GB of them.
const PEERS_MAX_MAX: usize = 100_000_000;

/// The most HTTP connections that an operator may allow.
const CONNECTIONS_MAX_MAX: usize = 1_000_000;

/// What was said on the command line or in the environment, which comes before the file.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Typed {
    /// Where HTTP is served.
    pub listen: Option<String>,
    /// Where UDP announces are answered, or `off`.
    pub udp_listen: Option<String>,
    /// Where `/metrics` is served alone.
    pub metrics_listen: Option<String>,
    /// Where peers connect.
    pub peer_listen: Option<String>,
    /// The addresses at which peers are told the everseed is.
    pub public_addresses: Vec<IpAddr>,
    /// Networks of proxies whose headers are believed.
    pub trusted_proxies: Vec<String>,
    /// Seconds between the announces of a peer.
    pub interval_secs: Option<u32>,
    /// Whether torrents are tracked that are not of the site.
    pub open_tracker: bool,
}

/// The names of one setting: its flag, and its table and key in the file.
struct Setting(&'static str, &'static str, &'static str);

const LISTEN: Setting = Setting("--listen", "serve", "listen");
const UDP_LISTEN: Setting = Setting("--udp-listen", "serve", "udp_listen");
const METRICS_LISTEN: Setting = Setting("--metrics-listen", "serve", "metrics_listen");
const PEER_LISTEN: Setting = Setting("--peer-listen", "seed", "listen");
const TRUSTED_PROXIES: Setting = Setting("--trusted-proxy", "tracker", "trusted_proxies");
const PUBLIC_ADDRESS: Setting = Setting("--public-address", "seed", "public_addresses");
const INTERVAL: Setting = Setting("--interval", "tracker", "interval_secs");

impl Config {
    /// The addresses and the options of a server of the built site in `site`; else
    /// everything that is wrong with them. `for_this_machine`: the site is built for the address it is served at.
    pub fn server(
        &self,
        site: PathBuf,
        typed: &Typed,
        for_this_machine: bool,
    ) -> Result<(Addresses, serve::Options), Vec<Problem>> {
        let mut faults = Faults::default();
        let addresses = self.addresses(typed, for_this_machine, &mut faults);
        let mut options = serve::Options::new(site);
        options.tracker.full_scrape = self.tracker.full_scrape;
        self.tracker_limits(typed, &mut options.tracker, &mut faults);
        options.public_addresses = or_configured(&typed.public_addresses, &self.seed.public_addresses);
        faults.ok(self.addresses_of_somewhere(typed, &options.public_addresses));
        options.trusted_proxies = faults.ok(self.trusted_proxies(typed)).unwrap_or_default();
        options.http.proxies = options.trusted_proxies.clone();
        if let Some(connections_max) = faults.ok(self.http_connections_max()).flatten() {
            options.http.connections_max = connections_max;
        }
        options.own_trackers = [&self.tracker.url, &self.tracker.udp_url].into_iter().flatten().cloned().collect();
        self.check_trackers(&mut faults);
        options.seed = self.seed_limits(&mut faults);
        options.healing = self.healing(&mut faults);
        options.dht.clone_from(&options.healing.options.dht);
        options.quota = faults.ok(self.quota()).flatten();
        if let Some(secs) = faults.ok(self.interval_secs(typed)).flatten() {
            options.tracker.interval_secs = secs;
            options.tracker.interval_min_secs = secs / 2;
        }
        faults.none((addresses, options))
    }

    fn addresses(&self, typed: &Typed, for_this_machine: bool, faults: &mut Faults) -> Addresses {
        let mut address = |setting: &Setting, typed: &Option<String>, configured: &Option<String>| {
            faults.ok(self.address(setting, typed.as_deref(), configured.as_deref())).flatten()
        };
        let http = address(&LISTEN, &typed.listen, &self.serve.listen).unwrap_or(HTTP);
        let udp = match typed.udp_listen.as_ref().or(self.serve.udp_listen.as_ref()) {
            Some(text) if text == "off" => Udp::Off,
            _ => address(&UDP_LISTEN, &typed.udp_listen, &self.serve.udp_listen).map_or(Udp::WithHttp, Udp::At),
        };
        let metrics = address(&METRICS_LISTEN, &typed.metrics_listen, &self.serve.metrics_listen);
        let peer = address(&PEER_LISTEN, &typed.peer_listen, &self.seed.listen).unwrap_or_else(|| {
            // A site that is built for this machine alone is seeded to this machine alone.
            let here = for_this_machine && http.ip().is_loopback();
            SocketAddr::new(if here { http.ip() } else { Ipv6Addr::UNSPECIFIED.into() }, PEER_PORT)
        });
        Addresses { http, udp, peer, metrics, utp: self.seed.utp.unwrap_or(true) }
    }

    /// The most HTTP connections, where somebody says how many.
    fn http_connections_max(&self) -> Result<Option<usize>, Problem> {
        let Some(connections_max) = self.serve.connections_max else { return Ok(None) };
        if !(1..=CONNECTIONS_MAX_MAX).contains(&connections_max) {
            let problem = self.wrong("serve", "connections_max", "out of range");
            return Err(problem.help(format!("name 1 to {CONNECTIONS_MAX_MAX}")));
        }
        Ok(Some(connections_max))
    }

    /// What `[tracker]` says of how much is tracked, and how often peers return.
    fn tracker_limits(&self, typed: &Typed, options: &mut tracker::Options, faults: &mut Faults) {
        let mut number = |key: &str, configured: Option<u32>, most: usize| {
            let configured = configured.map(|number| number as usize)?;
            let is_sound = (1..=most).contains(&configured);
            let problem = || self.wrong("tracker", key, "out of range").help(format!("name 1 to {most}"));
            faults.ok(if is_sound { Ok(configured) } else { Err(problem()) })
        };
        let configured = &self.tracker;
        let torrents_max = number("open_torrents_max", configured.open_torrents_max, tracker::TORRENTS_MAX);
        let peers_per_address_max = configured.peers_per_address_max.map(u32::from);
        let peers_per_address_max = number("peers_per_address_max", peers_per_address_max, u16::MAX.into());
        if let Some(peers_max) = number("peers_max", configured.peers_max, PEERS_MAX_MAX) {
            options.peers_max = peers_max;
        }
        let per_sec_max = number("announces_per_sec_max", configured.announces_per_sec_max, u32::MAX as usize);
        if let Some(per_sec_max) = per_sec_max.and_then(|number| u32::try_from(number).ok()) {
            options.announces_per_sec_max = per_sec_max;
        }
        if typed.open_tracker || configured.open {
            let usual = tracker::Open::default();
            options.open = Some(tracker::Open {
                torrents_max: torrents_max.unwrap_or(usual.torrents_max),
                peers_per_address_max: peers_per_address_max
                    .and_then(|number| u16::try_from(number).ok())
                    .unwrap_or(usual.peers_per_address_max),
            });
        }
    }

    /// `[seed]`, but for its addresses.
    fn seed_limits(&self, faults: &mut Faults) -> Limits {
        let seed = &self.seed;
        let mut limits = Limits::default();
        let counts = [
            ("connections_max", seed.connections_max, &mut limits.connections_max),
            ("connections_per_address_max", seed.connections_per_address_max, &mut limits.connections_per_address_max),
            ("half_open_max", seed.half_open_max, &mut limits.half_open_max),
        ];
        for (key, configured, limit) in counts {
            if let Some(count) = configured {
                *limit = count;
                faults.ok(if count > 0 { Ok(()) } else { Err(self.wrong("seed", key, "0 lets nobody in")) });
            }
        }
        if seed.half_open_max > Some(limits.connections_max) {
            let message = format!("more than all {} connections", limits.connections_max);
            faults.ok::<()>(Err(self
                .wrong("seed", "half_open_max", message)
                .help("name less, or a greater `connections_max`")));
        }
        let mut rate = |key, size| faults.ok(self.rate(key, size)).flatten();
        limits.upload_bytes_per_sec = rate("upload_rate", seed.upload_rate.as_ref());
        limits.upload_of_one_bytes_per_sec = rate("upload_rate_per_torrent", seed.upload_rate_per_torrent.as_ref());
        let scrub_rate = faults.ok(self.scrub_rate()).flatten();
        limits.scrub = self
            .scrub_period()
            .map(|period| Scrub { period, bytes_per_sec: scrub_rate.unwrap_or(seed::SCRUB_BYTES_PER_SEC) });
        limits.dial = seed.dial.unwrap_or(limits.dial);
        limits.pex = seed.pex.unwrap_or(limits.pex);
        limits
    }

    /// Within which time all media are read again, if they are.
    pub fn scrub_period(&self) -> Option<Duration> {
        let days = self.seed.scrub_days.unwrap_or(SCRUB_DAYS);
        (days > 0).then(|| Duration::from_secs(u64::from(days) * 24 * 3600))
    }

    /// How much may leave in a month.
    fn quota(&self) -> Result<Option<Quota>, Problem> {
        let then = self.rate("quota_rate", self.seed.quota_rate.as_ref())?;
        let monthly =
            self.seed.monthly_quota.as_ref().map(|size| self.bytes("seed", "monthly_quota", size)).transpose()?;
        match (monthly, then) {
            (None, None) => Ok(None),
            (None, Some(_)) => Err(self
                .wrong("seed", "quota_rate", "there is no quota after which it would hold")
                .help("set `monthly_quota` as well; `upload_rate` holds at all times")),
            (Some(monthly), then) => {
                let monthly_bytes = NonZeroU64::new(monthly).ok_or_else(|| {
                    self.wrong("seed", "monthly_quota", "it would be used up from the beginning")
                        .help("leave it out for no quota; `upload_rate` holds at all times")
                })?;
                Ok(Some(Quota { monthly_bytes, then_bytes_per_sec: then.unwrap_or(serve::THEN_BYTES_PER_SEC) }))
            }
        }
    }

    /// The bytes a second that stand under `key` of `[seed]`.
    fn rate(&self, key: &str, size: Option<&Size>) -> Result<Option<NonZeroU64>, Problem> {
        let Some(bytes) = size.map(|size| self.bytes("seed", key, size)).transpose()? else { return Ok(None) };
        let rate = NonZeroU64::new(bytes).ok_or_else(|| {
            self.wrong("seed", key, "nothing would ever be sent").help("leave it out for no limit, or name one")
        })?;
        if bytes < RATE_BYTES_MIN {
            return Err(self
                .wrong("seed", key, format!("{bytes} bytes a second are too few for anybody"))
                .help("name its unit, as \"2 MB\"; 1 kB is the least"));
        }
        Ok(Some(rate))
    }

    /// How many bytes a second are read again in the background.
    fn scrub_rate(&self) -> Result<Option<NonZeroU64>, Problem> {
        let Some(size) = &self.seed.scrub_rate else { return Ok(None) };
        NonZeroU64::new(self.bytes("seed", "scrub_rate", size)?).map(Some).ok_or_else(|| {
            self.wrong("seed", "scrub_rate", "nothing would ever be read")
                .help("`scrub_days = 0` turns it off; leave the rate out for the usual one")
        })
    }

    /// Peers are told of the public addresses: each is one that somebody can reach.
    fn addresses_of_somewhere(&self, typed: &Typed, addresses: &[IpAddr]) -> Result<(), Problem> {
        let Some(addr) = addresses.iter().find(|addr| addr.is_unspecified() || addr.is_multicast()) else {
            return Ok(());
        };
        let problem = self.refuse(&PUBLIC_ADDRESS, !typed.public_addresses.is_empty(), format!("{addr} is nobody's"));
        Err(problem.help("name the address that this machine has on the internet, as 192.0.2.1"))
    }

    fn address(
        &self,
        setting: &Setting,
        typed: Option<&str>,
        configured: Option<&str>,
    ) -> Result<Option<SocketAddr>, Problem> {
        let Some(text) = typed.or(configured) else { return Ok(None) };
        text.parse().map(Some).map_err(|_| {
            let message = format!("{text:?} is not an address with a port");
            let help = "write it as 127.0.0.1:8080, 0.0.0.0:8080 or [::]:8080";
            self.refuse(setting, typed.is_some(), message).help(help)
        })
    }

    fn trusted_proxies(&self, typed: &Typed) -> Result<Networks, Problem> {
        let proxies = or_configured(&typed.trusted_proxies, &self.tracker.trusted_proxies);
        Networks::parse(proxies.iter().map(String::as_str))
            .map_err(|error| self.refuse(&TRUSTED_PROXIES, !typed.trusted_proxies.is_empty(), error))
    }

    fn interval_secs(&self, typed: &Typed) -> Result<Option<u32>, Problem> {
        let secs = typed.interval_secs.or(self.tracker.interval_secs);
        if let Some(secs) = secs.filter(|secs| !(INTERVAL_SECS_MIN..=INTERVAL_SECS_MAX).contains(secs)) {
            let message = format!("{secs} seconds are out of range");
            return Err(self
                .refuse(&INTERVAL, typed.interval_secs.is_some(), message)
                .help(format!("name {INTERVAL_SECS_MIN} to {INTERVAL_SECS_MAX} seconds")));
        }
        Ok(secs)
    }

    /// A problem of a setting, with the name by which it was set.
    fn refuse(&self, setting: &Setting, typed: bool, message: impl std::fmt::Display) -> Problem {
        let Setting(flag, table, key) = setting;
        if typed { Problem::new(format!("{flag}: {message}")) } else { self.wrong(table, key, message) }
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    fn lowered(text: &str, typed: &Typed, here: bool) -> Result<(Addresses, serve::Options), String> {
        let config = Config::parse(text, Path::new("everseed.toml")).expect("known keys");
        let lowered = config.server("site".into(), typed, here);
        lowered.map_err(|problems| problems.iter().map(Problem::to_string).collect::<Vec<_>>().join("\n"))
    }

    #[test]
    fn each_wrong_setting_is_told_by_the_name_it_was_set_by() {
        let file = "[serve]\nlisten = \"a\"\nudp_listen = \"b\"\nmetrics_listen = \"j\"\n\
            connections_max = 0\n[seed]\nlisten = \"c\"\n\
            [tracker]\ninterval_secs = 3\ntrusted_proxies = [\"d\"]\nurl = \"ftp://e/\"\n";
        let typed = Typed {
            listen: Some("f".into()),
            udp_listen: Some("g".into()),
            metrics_listen: Some("k".into()),
            peer_listen: Some("h".into()),
            trusted_proxies: vec!["i".into()],
            interval_secs: Some(4),
            ..Typed::default()
        };
        let told = [&Typed::default(), &typed].map(|typed| lowered(file, typed, true).expect_err("all is wrong"));
        expect_test::expect![[r#"
            everseed.toml:2: `listen`: "a" is not an address with a port
              help: write it as 127.0.0.1:8080, 0.0.0.0:8080 or [::]:8080
            everseed.toml:3: `udp_listen`: "b" is not an address with a port
              help: write it as 127.0.0.1:8080, 0.0.0.0:8080 or [::]:8080
            everseed.toml:4: `metrics_listen`: "j" is not an address with a port
              help: write it as 127.0.0.1:8080, 0.0.0.0:8080 or [::]:8080
            everseed.toml:7: `listen`: "c" is not an address with a port
              help: write it as 127.0.0.1:8080, 0.0.0.0:8080 or [::]:8080
            everseed.toml:10: `trusted_proxies`: not a network: "d"; write an address or a block of them, as 127.0.0.1, 10.0.0.0/8 or fd00::/8
            everseed.toml:5: `connections_max`: out of range
              help: name 1 to 1000000
            everseed.toml:11: `url`: "ftp://e/" is not an announce URL
              help: write it with its scheme, https or http, as https://show.example.org/announce
            everseed.toml:9: `interval_secs`: 3 seconds are out of range
              help: name 60 to 86400 seconds

            --listen: "f" is not an address with a port
              help: write it as 127.0.0.1:8080, 0.0.0.0:8080 or [::]:8080
            --udp-listen: "g" is not an address with a port
              help: write it as 127.0.0.1:8080, 0.0.0.0:8080 or [::]:8080
            --metrics-listen: "k" is not an address with a port
              help: write it as 127.0.0.1:8080, 0.0.0.0:8080 or [::]:8080
            --peer-listen: "h" is not an address with a port
              help: write it as 127.0.0.1:8080, 0.0.0.0:8080 or [::]:8080
            --trusted-proxy: not a network: "i"; write an address or a block of them, as 127.0.0.1, 10.0.0.0/8 or fd00::/8
            everseed.toml:5: `connections_max`: out of range
              help: name 1 to 1000000
            everseed.toml:11: `url`: "ftp://e/" is not an announce URL
              help: write it with its scheme, https or http, as https://show.example.org/announce
            --interval: 4 seconds are out of range
              help: name 60 to 86400 seconds"#]].assert_eq(&told.join("\n\n"));
    }

    #[test]
    fn the_limits_of_the_seed_are_lowered_and_wrong_ones_told_with_their_lines() {
        let limits = |text: &str| lowered(text, &Typed::default(), false).map(|(_, options)| options.seed);
        assert_eq!(limits("").expect("nothing"), Limits::default());
        let some = limits("[seed]\nupload_rate = \"1.5 MB\"\nscrub_days = 0\nconnections_max = 7\ndial = false\n");
        assert_eq!(
            some.expect("right"),
            Limits {
                upload_bytes_per_sec: NonZeroU64::new(1_500_000),
                scrub: None,
                connections_max: 7,
                dial: false,
                ..Limits::default()
            }
        );
        let wrong = "[seed]\nupload_rate = 0\nscrub_rate = \"fast\"\nhalf_open_max = 0\n";
        let odd = "[seed]\nupload_rate = -1\nupload_rate_per_torrent = 20\nscrub_rate = \"0\"\n\
            connections_max = 10\nhalf_open_max = 11\npublic_addresses = [\"192.0.2.1\", \"0.0.0.0\"]\n";
        expect_test::expect![[r#"
            everseed.toml:4: `half_open_max`: 0 lets nobody in
            everseed.toml:2: `upload_rate`: nothing would ever be sent
              help: leave it out for no limit, or name one
            everseed.toml:3: `scrub_rate`: "fast" is not a number of bytes
              help: write it as 20 MB or 1.5 GiB"#]]
        .assert_eq(&limits(wrong).expect_err("all is wrong"));
        expect_test::expect![[r#"
            everseed.toml:7: `public_addresses`: 0.0.0.0 is nobody's
              help: name the address that this machine has on the internet, as 192.0.2.1
            everseed.toml:6: `half_open_max`: more than all 10 connections
              help: name less, or a greater `connections_max`
            everseed.toml:2: `upload_rate`: "-1" is not a number of bytes
              help: write it as 20 MB or 1.5 GiB
            everseed.toml:3: `upload_rate_per_torrent`: 20 bytes a second are too few for anybody
              help: name its unit, as "2 MB"; 1 kB is the least
            everseed.toml:4: `scrub_rate`: nothing would ever be read
              help: `scrub_days = 0` turns it off; leave the rate out for the usual one"#]]
        .assert_eq(&limits(odd).expect_err("all is wrong"));
    }

    #[test]
    fn a_tracker_is_closed_unless_it_is_said_to_be_open_and_has_its_maxima() {
        let tracker = |text: &str, open_tracker| {
            let typed = Typed { open_tracker, ..Typed::default() };
            lowered(&format!("[tracker]\n{text}"), &typed, false).map(|(_, options)| options.tracker)
        };
        let usual = tracker("", false).expect("nothing");
        assert_eq!((usual.open, usual.peers_max, usual.announces_per_sec_max), (None, 4_000_000, 5_000));
        assert_eq!(tracker("", true).expect("typed").open, Some(tracker::Open::default()));
        let limits = "open_torrents_max = 7\npeers_per_address_max = 65535\npeers_max = 9\nannounces_per_sec_max = 1\n";
        let closed = tracker(limits, false).expect("right");
        assert_eq!((closed.open, closed.peers_max, closed.announces_per_sec_max), (None, 9, 1));
        let open = tracker(&format!("{limits}open = true"), false).expect("right").open;
        assert_eq!(open, Some(tracker::Open { torrents_max: 7, peers_per_address_max: 65535 }));
        let wrong =
            "open_torrents_max = 1000001\npeers_per_address_max = 0\npeers_max = 0\nannounces_per_sec_max = 0\n";
        expect_test::expect![[r#"
            everseed.toml:2: `open_torrents_max`: out of range
              help: name 1 to 1000000
            everseed.toml:3: `peers_per_address_max`: out of range
              help: name 1 to 65535
            everseed.toml:4: `peers_max`: out of range
              help: name 1 to 100000000
            everseed.toml:5: `announces_per_sec_max`: out of range
              help: name 1 to 4294967295"#]]
        .assert_eq(&tracker(wrong, true).expect_err("all is wrong"));
    }

    #[test]
    fn a_quota_has_a_size_and_a_rate_that_follows() {
        let quota = |text: &str| lowered(&format!("[seed]\n{text}"), &Typed::default(), false).map(|(_, to)| to.quota);
        assert_eq!(quota(""), Ok(None));
        let [monthly_bytes, rate] = [2_000_000_000_000, 100_000].map(|bytes| NonZeroU64::new(bytes).expect("a number"));
        let of = |then_bytes_per_sec| Ok(Some(Quota { monthly_bytes, then_bytes_per_sec }));
        assert_eq!(quota("monthly_quota = \"2 TB\"\n"), of(serve::THEN_BYTES_PER_SEC));
        assert_eq!(quota("monthly_quota = \"2 TB\"\nquota_rate = \"100 kB\"\n"), of(rate));
        let wrong =
            ["monthly_quota = 0", "quota_rate = 1", "monthly_quota = \"much\"", "monthly_quota = 1\nquota_rate = 0"];
        let told = wrong.map(|text| quota(text).expect_err("wrong")).join("\n");
        expect_test::expect![[r#"
            everseed.toml:2: `monthly_quota`: it would be used up from the beginning
              help: leave it out for no quota; `upload_rate` holds at all times
            everseed.toml:2: `quota_rate`: 1 bytes a second are too few for anybody
              help: name its unit, as "2 MB"; 1 kB is the least
            everseed.toml:2: `monthly_quota`: "much" is not a number of bytes
              help: write it as 20 MB or 1.5 GiB
            everseed.toml:3: `quota_rate`: nothing would ever be sent
              help: leave it out for no limit, or name one"#]]
        .assert_eq(&told);
    }

    #[test]
    fn the_web_server_takes_what_the_file_says_and_lets_proxies_have_any_share() {
        let http = |text: &str| lowered(text, &Typed::default(), false).expect("right").1.http;
        assert_eq!(http("").connections_max, serve::HttpOptions::default().connections_max);
        let some = http("[serve]\nconnections_max = 20000\n[tracker]\ntrusted_proxies = [\"192.0.2.1\"]\n");
        assert_eq!(some.connections_max, 20_000);
        assert!(some.proxies.contain(IpAddr::from([192, 0, 2, 1])));
    }

    #[test]
    fn peers_connect_from_this_machine_alone_where_the_site_is_built_for_it() {
        let addresses = |text: &str, here| lowered(text, &Typed::default(), here).expect("right").0;
        let peer = |text: &str, here| addresses(text, here).peer.to_string();
        assert_eq!(peer("", true), "127.0.0.1:6881");
        assert_eq!(peer("", false), "[::]:6881");
        assert_eq!(peer("[serve]\nlisten = \"0.0.0.0:80\"", true), "[::]:6881");
        assert_eq!(peer("[seed]\nlisten = \"127.0.0.2:1\"", false), "127.0.0.2:1");
        assert_eq!(addresses("", true).udp, Udp::WithHttp);
        assert_eq!(addresses("[serve]\nudp_listen = \"off\"", true).udp, Udp::Off);
        assert_eq!(addresses("", true).metrics, None);
        let metrics = addresses("[serve]\nmetrics_listen = \"127.0.0.1:9090\"", true).metrics;
        assert_eq!(metrics, Some(SocketAddr::new(std::net::Ipv4Addr::LOCALHOST.into(), 9090)));
        assert!(addresses("", true).utp && !addresses("[seed]\nutp = false", true).utp);
    }
}
