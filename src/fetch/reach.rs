//! Which addresses may be asked: a stranger's document is not to have us ask this machine or its network.

use std::io::{self, ErrorKind};
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use hyper_util::client::legacy::connect::dns::{GaiResolver, Name};
use tower_service::Service;
use url::{Host, Url};

/// What is said of an address that may not be asked.
pub(super) const NOT_ASKED: &str = "is an address of this machine or its network";

/// Which hosts may be asked, at each step of the way: by the address itself, and by those that a name leads to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Reach {
    /// All.
    #[default]
    Anywhere,
    /// Those on the public internet, and these, wherever they are.
    PublicAnd(Arc<[String]>),
}

impl Reach {
    /// The public internet, and the hosts of these URLs.
    pub fn public_and<'u>(urls: impl IntoIterator<Item = &'u str>) -> Self {
        let host = |url: &str| Url::parse(url).ok()?.host_str().map(str::to_owned);
        Self::PublicAnd(urls.into_iter().filter_map(host).collect())
    }

    /// Whether a URL may be asked for; where its host is a name, what that leads to is looked at when it is looked up.
    pub fn admits(&self, url: &Url) -> bool {
        self.trusts(url.host_str().unwrap_or_default()) || !is_private(url)
    }

    fn trusts(&self, host: &str) -> bool {
        match self {
            Self::Anywhere => true,
            Self::PublicAnd(hosts) => hosts.iter().any(|trusted| trusted == host),
        }
    }
}

/// Whether the host of a URL is seen to be this machine or in its network. Names are not looked up for it.
pub fn is_private(url: &Url) -> bool {
    match url.host() {
        Some(Host::Ipv4(ip)) => is_private_address(ip.into()),
        Some(Host::Ipv6(ip)) => is_private_address(ip.into()),
        // Where the scheme is none of the web's, an address is not told from a name.
        Some(Host::Domain(name)) => {
            let name = name.trim_end_matches('.').to_ascii_lowercase();
            name.parse().is_ok_and(is_private_address) || name == "localhost" || name.ends_with(".localhost")
        }
        None => true,
    }
}

fn is_private_address(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(ip) => {
            let is_shared = ip.octets()[0] == 100 && ip.octets()[1] & 0xc0 == 64;
            ip.is_private()
                || ip.is_loopback()
                || ip.is_link_local()
                || ip.is_multicast()
                || ip.is_broadcast()
                || ip.octets()[0] == 0
                || is_shared
        }
        IpAddr::V6(ip) => {
            ip.is_loopback()
                || ip.is_unspecified()
                || ip.is_multicast()
                || ip.is_unique_local()
                || ip.is_unicast_link_local()
                || ip.to_ipv4_mapped().is_some()
        }
    }
}

/// Looks names up as the system does, and leaves out addresses that may not be asked.
#[derive(Debug, Clone)]
pub(super) struct Resolver {
    system: GaiResolver,
    reach: Reach,
}

impl Resolver {
    pub fn new(reach: Reach) -> Self {
        Self { system: GaiResolver::new(), reach }
    }
}

impl Service<Name> for Resolver {
    type Response = std::vec::IntoIter<SocketAddr>;
    type Error = io::Error;
    type Future = Pin<Box<dyn Future<Output = io::Result<Self::Response>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.system.poll_ready(context)
    }

    fn call(&mut self, name: Name) -> Self::Future {
        let is_trusted = self.reach.trusts(name.as_str());
        let found = self.system.call(name);
        Box::pin(async move {
            let all: Vec<SocketAddr> = found.await?.collect();
            let some: Vec<_> = all.iter().copied().filter(|at| is_trusted || !is_private_address(at.ip())).collect();
            if some.is_empty() && !all.is_empty() {
                return Err(io::Error::new(ErrorKind::PermissionDenied, NOT_ASKED));
            }
            Ok(some.into_iter())
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_hosts_on_the_public_internet_and_those_that_are_trusted_may_be_asked() {
        let reach = Reach::public_and(["http://192.168.1.5:8080/feed.xml", "http://show.localhost/"]);
        let admits = |url: &str| reach.admits(&Url::parse(url).expect("a URL"));
        for url in [
            "https://media.example.net/a",
            "http://192.0.2.1/",
            "http://[2001:db8::1]:80/",
            "http://192.168.1.5/other",
            "http://show.localhost/a",
            "udp://tracker.example.org:6969/announce",
        ] {
            assert!(admits(url), "{url}");
        }
        for url in [
            "http://127.0.0.1:8080/shutdown",
            "http://10.1.2.3/",
            "http://192.168.1.6/",
            "http://169.254.169.254/latest",
            "http://100.64.0.1/",
            "http://0.0.0.0/",
            "http://224.0.0.1/",
            "http://[::1]/",
            "http://[fd00::1]/",
            "http://[fe80::1]/",
            "http://[::ffff:127.0.0.1]/",
            "http://localhost./",
            "http://a.localhost/",
            "http://2130706433/",
            "udp://127.0.0.1:6969/announce",
            "udp://LOCALHOST:6969/announce",
        ] {
            assert!(!admits(url), "{url}");
            assert!(Reach::Anywhere.admits(&Url::parse(url).expect("a URL")), "{url}");
        }
    }

    #[tokio::test]
    async fn a_name_that_leads_to_this_machine_is_found_only_where_it_is_trusted() {
        let found = async |reach: Reach| {
            let name: Name = "localhost".parse().expect("a name");
            Resolver::new(reach).call(name).await
        };
        let refused = found(Reach::public_and([])).await.expect_err("refused");
        assert_eq!(refused.to_string(), NOT_ASKED);
        let addresses = found(Reach::public_and(["http://localhost/"])).await.expect("found");
        assert!(addresses.count() > 0);
    }
}
