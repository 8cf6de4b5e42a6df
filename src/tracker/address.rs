//! Which address of a client counts: unmapping, trusted networks, and what proxies say of whom they speak for.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

/// Proxies in a row that are followed; a longer list of forwarders is not believed.
pub const HOPS_MAX: usize = 32;
/// Trusted networks at most.
pub const NETWORKS_MAX: usize = 1024;

/// A block of addresses in CIDR notation: `10.0.0.0/8`, `2001:db8::/32`, or one address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Network {
    /// The first address, as 128 bits; IPv4 in its mapped form.
    base: u128,
    /// Leading bits that are the same in all, of 128.
    prefix: u32,
    v4: bool,
}

/// Why a list of networks is none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NotANetwork {
    /// A text that is no network.
    Malformed(String),
    /// More than [`NETWORKS_MAX`] of them.
    TooMany,
}

impl fmt::Display for NotANetwork {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Malformed(text) => write!(
                f,
                "not a network: {text:?}; write an address or a block of them, as 127.0.0.1, 10.0.0.0/8 or fd00::/8"
            ),
            Self::TooMany => write!(f, "more than {NETWORKS_MAX} networks; join them to larger blocks"),
        }
    }
}

impl std::error::Error for NotANetwork {}

impl FromStr for Network {
    type Err = NotANetwork;

    fn from_str(text: &str) -> Result<Self, NotANetwork> {
        let refuse = || NotANetwork::Malformed(text.to_owned());
        let (ip, length) = text.split_once('/').map_or((text, None), |(ip, length)| (ip, Some(length)));
        let ip = ip.trim().parse::<IpAddr>().map_err(|_| refuse())?;
        let (bits, v4) = bits(ip);
        let width = if ip.is_ipv4() { 32 } else { 128 };
        let length = match length.map(str::trim) {
            None => width,
            Some(digits) if digits.bytes().all(|b| b.is_ascii_digit()) => {
                digits.parse::<u32>().ok().filter(|&length| length <= width).ok_or_else(refuse)?
            }
            Some(_) => return Err(refuse()),
        };
        let prefix = length + 128 - width;
        // A block of mapped addresses is one of IPv4 addresses only when it fixes the mark of mapped addresses.
        Ok(Self { base: bits & mask(prefix), prefix, v4: v4 && prefix >= 96 })
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ip = Ipv6Addr::from_bits(self.base);
        match ip.to_ipv4_mapped() {
            Some(ip) if self.v4 => write!(f, "{ip}/{}", self.prefix - 96),
            _ => write!(f, "{ip}/{}", self.prefix),
        }
    }
}

impl Network {
    /// Whether `ip`, mapped or not, lies in it.
    pub fn contains(&self, ip: IpAddr) -> bool {
        let (bits, v4) = bits(ip);
        v4 == self.v4 && bits & mask(self.prefix) == self.base
    }
}

/// The networks whose word about a client's address is taken (rule 13): those of the operator's own proxies.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Networks(Vec<Network>);

impl Networks {
    /// The networks that `texts` name, [`NETWORKS_MAX`] at most.
    pub fn parse<'a>(texts: impl IntoIterator<Item = &'a str>) -> Result<Self, NotANetwork> {
        let mut networks = Vec::new();
        for text in texts {
            if networks.len() == NETWORKS_MAX {
                return Err(NotANetwork::TooMany);
            }
            networks.push(text.parse()?);
        }
        Ok(Self(networks))
    }

    /// Whether one of them holds `ip`.
    pub fn contain(&self, ip: IpAddr) -> bool {
        self.0.iter().any(|network| network.contains(ip))
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// The two headers by which a proxy says for whom it speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Forwarding {
    /// `Forwarded` (RFC 7239).
    Forwarded,
    /// `X-Forwarded-For`.
    XForwardedFor,
}

impl Forwarding {
    /// The header of this name, in any letter case.
    pub fn of_header(name: &str) -> Option<Self> {
        if name.eq_ignore_ascii_case("forwarded") {
            Some(Self::Forwarded)
        } else if name.eq_ignore_ascii_case("x-forwarded-for") {
            Some(Self::XForwardedFor)
        } else {
            None
        }
    }
}

/// The address of a client, and how it is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Client {
    /// The address, never an IPv4-mapped one.
    pub ip: IpAddr,
    /// How it is known.
    pub standing: Standing,
}

/// How a client's address is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// The socket's peer is the client; what headers it sent does not matter.
    Direct,
    /// A trusted proxy named the client.
    Forwarded,
    /// The address is a proxy's and not the client's: it is handed to nobody, and the operator is told.
    HeldBack(Doubt),
}

/// Why an address is held back; its `Display` is for the operator's log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Doubt {
    /// A proxy on this host or network is not in the list of trusted networks.
    ProxyNotTrusted,
    /// What a trusted proxy forwards does not name an address.
    Unreadable,
    /// `Forwarded` and `X-Forwarded-For` name different clients, so one of them came from the client.
    Contradiction,
}

impl fmt::Display for Doubt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::ProxyNotTrusted => {
                "a proxy that is not trusted forwards announces, and peers are not told of its clients; \
                 add its address to the trusted proxies"
            }
            Self::Unreadable => {
                "a trusted proxy forwards announces without a readable client address, and peers are not told of \
                 these clients; let it set X-Forwarded-For or Forwarded to the address of its socket"
            }
            Self::Contradiction => {
                "Forwarded and X-Forwarded-For name different clients, and peers are not told of either; \
                 let the proxy overwrite both or remove the one it does not set"
            }
        })
    }
}

impl Client {
    /// Whether the address must not be handed to other peers.
    pub fn held_back(&self) -> bool {
        matches!(self.standing, Standing::HeldBack(_))
    }
}

/// The client behind a request whose socket's peer is `socket` and that carries `headers`, in their order.
///
/// Headers count only where the socket's peer is `trusted`. Then the rightmost address that is not itself a trusted
/// one is the client: what stands left of it, the client may have written.
pub fn client(socket: IpAddr, headers: &[(Forwarding, &[u8])], trusted: &Networks) -> Client {
    let socket = socket.to_canonical();
    let held_back = |doubt| Client { ip: socket, standing: Standing::HeldBack(doubt) };
    if headers.is_empty() {
        return Client { ip: socket, standing: Standing::Direct };
    }
    if !trusted.contain(socket) {
        return if is_private(socket) || socket.is_loopback() {
            held_back(Doubt::ProxyNotTrusted)
        } else {
            Client { ip: socket, standing: Standing::Direct }
        };
    }
    let named = |which| named_by(headers, which, trusted);
    match (named(Forwarding::Forwarded), named(Forwarding::XForwardedFor)) {
        (Named::Nobody, Named::Nobody) => Client { ip: socket, standing: Standing::Direct },
        (Named::Unreadable, _) | (_, Named::Unreadable) => held_back(Doubt::Unreadable),
        (Named::Client(a), Named::Client(b)) if a != b => held_back(Doubt::Contradiction),
        (Named::Client(ip), _) | (_, Named::Client(ip)) => Client { ip, standing: Standing::Forwarded },
    }
}

/// Whether an address means something only in a network of its own: RFC 1918, 3927, 4193, 6598 and link-local ones.
/// Loopback addresses are not among them.
pub fn is_private(ip: IpAddr) -> bool {
    match ip.to_canonical() {
        IpAddr::V4(ip) => ip.is_private() || ip.is_link_local() || is_shared(ip),
        IpAddr::V6(ip) => ip.is_unique_local() || ip.is_unicast_link_local(),
    }
}

/// What counts as one address where few are let in from each: an IPv4 address, however it is written, or the /64 that one
/// IPv6 household has.
pub fn household(ip: IpAddr) -> IpAddr {
    match ip.to_canonical() {
        IpAddr::V4(ip) => IpAddr::V4(ip),
        IpAddr::V6(ip) => IpAddr::V6(Ipv6Addr::from_bits(ip.to_bits() >> 64 << 64)),
    }
}

/// What may be one owner's: 256 addresses of IPv4, or the /48 that a site of IPv6 has; in 6to4 that is one address of
/// IPv4.
pub fn network(ip: IpAddr) -> IpAddr {
    match ip.to_canonical() {
        IpAddr::V4(ip) => IpAddr::V4(Ipv4Addr::from_bits(ip.to_bits() >> 8 << 8)),
        IpAddr::V6(ip) => IpAddr::V6(Ipv6Addr::from_bits(ip.to_bits() >> 80 << 80)),
    }
}

/// Whom the headers of one kind name.
#[derive(Debug, PartialEq, Eq)]
enum Named {
    Nobody,
    Client(IpAddr),
    Unreadable,
}

fn named_by(headers: &[(Forwarding, &[u8])], which: Forwarding, trusted: &Networks) -> Named {
    let mut outermost = Named::Nobody;
    let mut hops = 0;
    for (_, value) in headers.iter().rev().filter(|(kind, _)| *kind == which) {
        for element in elements(value).into_iter().rev() {
            let node = match which {
                Forwarding::XForwardedFor => Some(element),
                Forwarding::Forwarded => for_parameter(element),
            };
            hops += 1;
            match node.and_then(node_address) {
                None => return Named::Unreadable,
                Some(_) if hops > HOPS_MAX => return Named::Unreadable,
                Some(ip) if trusted.contain(ip) => outermost = Named::Client(ip),
                Some(ip) => return Named::Client(ip),
            }
        }
    }
    outermost
}

/// The elements of a list header, without empty ones; a comma between double quotes separates nothing.
fn elements(value: &[u8]) -> Vec<&[u8]> {
    split_unquoted(value, b',').map(<[u8]>::trim_ascii).filter(|element| !element.is_empty()).collect()
}

/// The value of `for` in one element of a `Forwarded` header.
fn for_parameter(element: &[u8]) -> Option<&[u8]> {
    split_unquoted(element, b';').find_map(|pair| {
        let equals = pair.iter().position(|&b| b == b'=')?;
        let (name, value) = (pair[..equals].trim_ascii(), &pair[equals + 1..]);
        name.eq_ignore_ascii_case(b"for").then_some(value)
    })
}

fn split_unquoted(bytes: &[u8], at: u8) -> impl Iterator<Item = &[u8]> {
    let mut quoted = false;
    bytes.split(move |&b| {
        quoted ^= b == b'"';
        b == at && !quoted
    })
}

/// The address of a node: bare, quoted, in brackets, with or without a port. `unknown` and hidden names are none.
fn node_address(node: &[u8]) -> Option<IpAddr> {
    let text = std::str::from_utf8(node).ok()?.trim();
    let text = text.strip_prefix('"').map_or(Some(text), |rest| rest.strip_suffix('"'))?.trim();
    let ip: IpAddr = if let Some(rest) = text.strip_prefix('[') {
        let (ip, port) = rest.split_once(']')?;
        (port.is_empty() || port.starts_with(':')).then_some(())?;
        ip.parse::<Ipv6Addr>().ok()?.into()
    } else if let Ok(ip) = text.parse() {
        ip
    } else {
        let (ip, _port) = text.split_once(':')?;
        ip.parse::<Ipv4Addr>().ok()?.into()
    };
    let ip = ip.to_canonical();
    (!ip.is_unspecified()).then_some(ip)
}

/// 100.64.0.0/10, the addresses of a provider's translators (RFC 6598).
fn is_shared(ip: Ipv4Addr) -> bool {
    let [a, b, ..] = ip.octets();
    a == 100 && b & 0xc0 == 64
}

fn bits(ip: IpAddr) -> (u128, bool) {
    match ip.to_canonical() {
        IpAddr::V4(ip) => (ip.to_ipv6_mapped().to_bits(), true),
        IpAddr::V6(ip) => (ip.to_bits(), false),
    }
}

fn mask(prefix: u32) -> u128 {
    u128::MAX.checked_shl(128 - prefix).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn ip(text: &str) -> IpAddr {
        text.parse().expect("an address")
    }

    fn trusting(texts: &[&str]) -> Networks {
        Networks::parse(texts.iter().copied()).expect("networks")
    }

    fn seen(socket: &str, headers: &[(&str, &str)], trusted: &[&str]) -> (String, Standing) {
        let headers: Vec<_> =
            headers.iter().filter_map(|(name, value)| Some((Forwarding::of_header(name)?, value.as_bytes()))).collect();
        let client = client(ip(socket), &headers, &trusting(trusted));
        (client.ip.to_string(), client.standing)
    }

    #[test]
    fn networks_hold_what_their_prefix_says() {
        for (network, inside, outside) in [
            ("10.0.0.0/8", "10.255.0.1", "11.0.0.1"),
            ("127.0.0.1", "127.0.0.1", "127.0.0.2"),
            ("10.0.0.0/8", "::ffff:10.1.2.3", "::10.1.2.3"),
            ("0.0.0.0/0", "8.8.8.8", "::1"),
            ("::/0", "2001:db8::1", "192.0.2.1"),
            ("2001:db8::/32", "2001:db8:ffff::1", "2001:db9::1"),
            ("::1", "::1", "::2"),
        ] {
            let parsed: Network = network.parse().expect("a network");
            assert!(parsed.contains(ip(inside)), "{network} {inside}");
            assert!(!parsed.contains(ip(outside)), "{network} {outside}");
            assert_eq!(parsed.to_string().parse(), Ok(parsed));
        }
        for text in ["", "10.0.0.0/33", "10.0.0.0/-1", "10.0.0/8", "::/129", "example.org", "10.0.0.0/", "10.0.0.0/+8"]
        {
            assert!(text.parse::<Network>().is_err(), "{text}");
        }
        assert!(Networks::parse(vec!["::1"; NETWORKS_MAX]).is_ok());
        assert_eq!(Networks::parse(vec!["::1"; NETWORKS_MAX + 1]), Err(NotANetwork::TooMany));
    }

    #[test]
    fn rule_12_mapped_addresses_are_unmapped_bep_7() {
        assert_eq!(seen("::ffff:192.0.2.7", &[], &[]), ("192.0.2.7".into(), Standing::Direct));
        let forwarded = [("X-Forwarded-For", "::ffff:192.0.2.7")];
        assert_eq!(seen("::ffff:127.0.0.1", &forwarded, &["127.0.0.1"]), ("192.0.2.7".into(), Standing::Forwarded));
    }

    #[test]
    fn rule_13_a_trusted_proxy_names_the_client_in_every_form() {
        let forms: [&[(&str, &str)]; 13] = [
            &[("X-Forwarded-For", "192.0.2.7")],
            &[("x-forwarded-FOR", " 192.0.2.7 ")],
            &[("X-Forwarded-For", "192.0.2.7:4711")],
            &[("X-Forwarded-For", "6.6.6.6, 192.0.2.7")],
            &[("X-Forwarded-For", "garbage, 192.0.2.7, 10.0.0.2")],
            &[("X-Forwarded-For", "6.6.6.6"), ("X-Forwarded-For", "192.0.2.7")],
            &[("X-Forwarded-For", "192.0.2.7,, ,")],
            &[("X-Forwarded-For", "192.0.2.7"), ("X-Forwarded-For", "")],
            &[("Forwarded", "for=192.0.2.7")],
            &[("FORWARDED", "For=\"192.0.2.7:4711\";proto=https;by=203.0.113.43")],
            &[("Forwarded", "for=6.6.6.6;host=\"a,b;for=1.1.1.1\", proto=https;for=192.0.2.7")],
            &[("Forwarded", "for=\"[::ffff:192.0.2.7]:4711\"")],
            &[("Forwarded", "for=192.0.2.7"), ("X-Forwarded-For", "192.0.2.7")],
        ];
        for headers in forms {
            let expected = ("192.0.2.7".into(), Standing::Forwarded);
            assert_eq!(seen("127.0.0.1", headers, &["127.0.0.1", "10.0.0.0/8"]), expected, "{headers:?}");
        }
        let v6 = [("Forwarded", "for=\"[2001:db8::7]:4711\"")];
        assert_eq!(seen("::1", &v6, &["::1"]), ("2001:db8::7".into(), Standing::Forwarded));
        let v6 = [("X-Forwarded-For", "2001:db8::7")];
        assert_eq!(seen("::1", &v6, &["::1"]), ("2001:db8::7".into(), Standing::Forwarded));
    }

    #[test]
    fn rule_13_a_request_of_the_proxy_itself_counts_under_its_own_address() {
        assert_eq!(seen("127.0.0.1", &[], &["127.0.0.1"]), ("127.0.0.1".into(), Standing::Direct));
        let empty = [("X-Forwarded-For", " ")];
        assert_eq!(seen("127.0.0.1", &empty, &["127.0.0.1"]), ("127.0.0.1".into(), Standing::Direct));
        let inside = [("X-Forwarded-For", "10.0.0.9, 10.0.0.2")];
        assert_eq!(seen("127.0.0.1", &inside, &["127.0.0.1", "10.0.0.0/8"]), ("10.0.0.9".into(), Standing::Forwarded));
    }

    #[test]
    fn rule_13_a_stranger_is_not_believed() {
        let headers = [("X-Forwarded-For", "192.0.2.7"), ("Forwarded", "for=192.0.2.8")];
        assert_eq!(seen("203.0.113.5", &headers, &[]), ("203.0.113.5".into(), Standing::Direct));
        assert_eq!(seen("203.0.113.5", &headers, &["127.0.0.1"]), ("203.0.113.5".into(), Standing::Direct));
    }

    #[test]
    fn rule_13_a_proxy_that_is_not_trusted_is_held_back() {
        let headers = [("X-Forwarded-For", "192.0.2.7")];
        for socket in
            ["127.0.0.1", "::1", "10.1.2.3", "192.168.1.1", "fd00::1", "fe80::1", "100.64.0.1", "::ffff:10.0.0.1"]
        {
            let (_, standing) = seen(socket, &headers, &[]);
            assert_eq!(standing, Standing::HeldBack(Doubt::ProxyNotTrusted), "{socket}");
        }
        assert!(Doubt::ProxyNotTrusted.to_string().contains("trusted proxies"));
    }

    #[test]
    fn rule_13_what_a_trusted_proxy_garbles_is_held_back() {
        let long = vec!["10.0.0.2"; HOPS_MAX + 1].join(",");
        for value in ["unknown", "_hidden", "192.0.2.7, unknown", "\"", "[::1", "1.2.3", "0.0.0.0", "é", long.as_str()]
        {
            let (_, standing) = seen("127.0.0.1", &[("X-Forwarded-For", value)], &["127.0.0.1", "10.0.0.0/8"]);
            assert_eq!(standing, Standing::HeldBack(Doubt::Unreadable), "{value}");
        }
        let (_, standing) = seen("127.0.0.1", &[("Forwarded", "proto=https")], &["127.0.0.1"]);
        assert_eq!(standing, Standing::HeldBack(Doubt::Unreadable));
        let both = [("Forwarded", "for=6.6.6.6"), ("X-Forwarded-For", "192.0.2.7")];
        assert_eq!(seen("127.0.0.1", &both, &["127.0.0.1"]).1, Standing::HeldBack(Doubt::Contradiction));
    }

    proptest! {
        #[test]
        fn no_header_panics_or_makes_an_untrusted_socket_forwarded(
            values in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..60), 0..5),
            forwarded in any::<bool>(),
        ) {
            let kind = if forwarded { Forwarding::Forwarded } else { Forwarding::XForwardedFor };
            let headers: Vec<_> = values.iter().map(|value| (kind, value.as_slice())).collect();
            client(ip("127.0.0.1"), &headers, &trusting(&["127.0.0.0/8"]));
            let stranger = client(ip("203.0.113.5"), &headers, &trusting(&["127.0.0.0/8"]));
            prop_assert_eq!(stranger.standing, Standing::Direct);
        }
    }
}
