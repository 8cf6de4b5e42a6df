//! The tracker's HTTP wire (BEP 3, 7, 21, 23, 24, 31, 48): query strings in, bencoded bodies out.
//!
//! It sees the query alone, behind the `?` and as it came, not yet percent-decoded. Every failure is a body to be
//! sent with status 200: with another status, clients hide the reason from their user.

use std::net::{IpAddr, SocketAddr};

use super::announce::LEFT_UNKNOWN;
use super::{Announce, Contacts, Counts, Event, Families, Refusal, Reply, Retry, Swarms};
use crate::bencode::Dict;
use crate::id::{InfoHash, PeerId, hex_value};

/// The `Content-Type` of every reply.
pub const CONTENT_TYPE: &str = "text/plain";
/// The most bytes of a request line (method, target, version) that is answered; a longer one is 414 (rule 15).
pub const REQUEST_LINE_BYTES_MAX: usize = 8 * 1024;
/// Torrents in one scrape at most. No request line has room for more, so a client never meets it.
pub const SCRAPE_HASHES_MAX: usize = 512;

/// An announce as its query tells it: all but the addresses.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(missing_docs, reason = "the fields are those of `Announce`")]
pub struct Query {
    pub info_hash: InfoHash,
    pub peer_id: PeerId,
    pub port: u16,
    pub uploaded: u64,
    pub downloaded: u64,
    pub left: u64,
    pub event: Event,
    pub numwant: Option<u32>,
    /// The form of reply it asks for.
    pub form: Form,
}

/// How a reply lists the peers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Form {
    /// Addresses as bytes, in `peers` and `peers6` (BEP 23, BEP 7).
    #[default]
    Compact,
    /// A list of dictionaries with `ip`, `peer id` and `port` (BEP 3).
    Dictionaries,
    /// The same without `peer id`.
    DictionariesWithoutId,
}

impl Query {
    /// The announce of a client at `client`, that arrived at the local address `arrived_at`.
    pub fn announce(&self, client: IpAddr, arrived_at: IpAddr) -> Announce {
        Announce {
            info_hash: self.info_hash,
            peer_id: self.peer_id,
            addr: SocketAddr::new(client.to_canonical(), self.port),
            arrived_at: arrived_at.to_canonical(),
            uploaded: self.uploaded,
            downloaded: self.downloaded,
            left: self.left,
            event: self.event,
            numwant: self.numwant,
            families: Families::Both,
            named: self.form == Form::Dictionaries,
            held_back: false,
        }
    }
}

/// Reads the query of an announce.
///
/// The two identifiers are strict (rule 5). Everything else is lenient: a value that is missing or makes no sense
/// is as if the client had not sent it, and of two values the first counts. `ip` is ignored (rule 12).
pub fn parse_announce(query: &[u8]) -> Result<Query, Refusal> {
    let mut info_hash = None;
    let mut peer_id = None;
    let (mut port, mut uploaded, mut downloaded, mut left) = (None, None, None, None);
    let (mut event, mut numwant) = (None, None);
    let (mut compact, mut no_peer_id) = (None, None);
    for (name, value) in parameters(query) {
        match name {
            b"info_hash" if info_hash.is_some() => return Err(Refusal::InfoHashTwice),
            b"info_hash" => info_hash = Some(twenty(value).ok_or(Refusal::InfoHashMalformed)?),
            b"peer_id" if peer_id.is_some() => return Err(Refusal::PeerIdTwice),
            b"peer_id" => peer_id = Some(twenty(value).ok_or(Refusal::PeerIdMalformed)?),
            b"port" => port = port.or(Some(number(value))),
            b"uploaded" => uploaded = uploaded.or(Some(number(value))),
            b"downloaded" => downloaded = downloaded.or(Some(number(value))),
            b"left" => left = left.or(Some(number(value))),
            b"event" => event = event.or(Some(value)),
            b"numwant" => numwant = numwant.or(Some(number(value))),
            b"compact" => compact = compact.or(Some(value)),
            b"no_peer_id" => no_peer_id = no_peer_id.or(Some(value)),
            _ => {}
        }
    }
    Ok(Query {
        info_hash: InfoHash(info_hash.ok_or(Refusal::InfoHashMissing)?),
        peer_id: PeerId(peer_id.ok_or(Refusal::PeerIdMissing)?),
        port: port.flatten().and_then(|port| u16::try_from(port).ok()).unwrap_or(0),
        uploaded: uploaded.flatten().unwrap_or(0),
        downloaded: downloaded.flatten().unwrap_or(0),
        left: left.flatten().unwrap_or(LEFT_UNKNOWN).min(LEFT_UNKNOWN),
        event: match event {
            Some(b"started") => Event::Started,
            Some(b"completed") => Event::Completed,
            Some(b"stopped") => Event::Stopped,
            Some(b"paused") => Event::Paused,
            _ => Event::Update,
        },
        numwant: numwant.flatten().map(|wanted| u32::try_from(wanted).unwrap_or(u32::MAX)),
        form: match (compact, no_peer_id) {
            (Some(b"0"), Some(b"1")) => Form::DictionariesWithoutId,
            (Some(b"0"), _) => Form::Dictionaries,
            _ => Form::Compact,
        },
    })
}

/// Reads the query of a scrape: the torrents it names; none is a request for all.
pub fn parse_scrape(query: &[u8]) -> Result<Vec<InfoHash>, Refusal> {
    let mut hashes = Vec::new();
    for (_, value) in parameters(query).filter(|(name, _)| *name == b"info_hash") {
        if hashes.len() == SCRAPE_HASHES_MAX {
            return Err(Refusal::ScrapeTooLong);
        }
        hashes.push(InfoHash(twenty(value).ok_or(Refusal::InfoHashMalformed)?));
    }
    Ok(hashes)
}

/// Collects what a scrape of `hashes` is answered with: known torrents, sorted, each once. Without hashes it is all
/// torrents, where the operator allows that.
pub fn scrape(swarms: &Swarms, hashes: &[InfoHash]) -> Result<Vec<(InfoHash, Counts)>, Refusal> {
    let mut files: Vec<_> = if hashes.is_empty() {
        if !swarms.options().full_scrape {
            return Err(Refusal::FullScrapeClosed);
        }
        swarms.statuses().map(|status| (status.info_hash, status.counts)).collect()
    } else {
        hashes.iter().filter_map(|hash| Some((*hash, swarms.scrape(hash)?))).collect()
    };
    files.sort_unstable_by_key(|(hash, _)| *hash);
    files.dedup_by_key(|(hash, _)| *hash);
    Ok(files)
}

/// Appends the body that answers an announce.
pub fn write_reply(out: &mut Vec<u8>, reply: &Reply, form: Form) {
    let mut dict = Dict::begin(out);
    dict.int("complete", signed(reply.counts.complete));
    dict.int("downloaded", signed(reply.counts.downloaded));
    dict.int("downloaders", signed(reply.counts.downloaders));
    if !reply.external_ip.is_unspecified() {
        match reply.external_ip {
            IpAddr::V4(ip) => dict.string("external ip", ip.octets()),
            IpAddr::V6(ip) => dict.string("external ip", ip.octets()),
        };
    }
    dict.int("incomplete", signed(reply.counts.incomplete));
    dict.int("interval", i64::from(reply.interval_secs));
    dict.int("min interval", i64::from(reply.interval_min_secs));
    if form == Form::Compact {
        // Always there, also empty: some clients take a reply without `peers` for a broken one (rule 4).
        dict.string("peers", reply.v4.compact());
        if !reply.v6.is_empty() {
            dict.string("peers6", reply.v6.compact());
        }
    } else {
        let peers = dict.key("peers");
        peers.push(b'l');
        write_dictionaries(peers, &reply.v4, form);
        write_dictionaries(peers, &reply.v6, form);
        peers.push(b'e');
    }
    if let Some(warning) = reply.warning {
        dict.string("warning message", warning);
    }
    dict.end();
}

/// Appends the body that turns a client away: the reason, and when to come again (BEP 31). Clients that do not know
/// BEP 31 go by `interval`.
pub fn write_failure(out: &mut Vec<u8>, refusal: Refusal, swarms: &Swarms) {
    let (interval_secs, interval_min_secs) = swarms.intervals_secs();
    let mut dict = Dict::begin(out);
    dict.string("failure reason", refusal.reason());
    dict.int("interval", i64::from(interval_secs));
    dict.int("min interval", i64::from(interval_min_secs));
    match refusal.retry() {
        Retry::Minutes(minutes) => dict.int("retry in", i64::from(minutes)),
        Retry::Never => dict.string("retry in", "never"),
    };
    dict.end();
}

/// Appends the body that answers a scrape (BEP 48); `files` as [`scrape`] returns them.
///
/// # Panics
/// When `files` is not sorted, or a torrent stands twice.
pub fn write_scrape(out: &mut Vec<u8>, files: &[(InfoHash, Counts)]) {
    let mut dict = Dict::begin(out);
    let mut inner = Dict::begin(dict.key("files"));
    for (hash, counts) in files {
        let mut file = Dict::begin(inner.key(hash.0));
        file.int("complete", signed(counts.complete));
        file.int("downloaded", signed(counts.downloaded));
        file.int("downloaders", signed(counts.downloaders));
        file.int("incomplete", signed(counts.incomplete));
        file.end();
    }
    inner.end();
    dict.end();
}

fn write_dictionaries<const N: usize>(out: &mut Vec<u8>, contacts: &Contacts<N>, form: Form) {
    for (addr, id) in contacts.iter() {
        let mut dict = Dict::begin(out);
        dict.string("ip", addr.ip().to_string());
        if let Some(id) = id.filter(|_| form == Form::Dictionaries) {
            dict.string("peer id", id.0);
        }
        dict.int("port", i64::from(addr.port()));
        dict.end();
    }
}

/// The parameters of a query in their order; one without `=` has an empty value, and a value may hold `=`.
fn parameters(query: &[u8]) -> impl Iterator<Item = (&[u8], &[u8])> {
    query.split(|&b| b == b'&').map(|pair| match pair.iter().position(|&b| b == b'=') {
        Some(equals) => (&pair[..equals], &pair[equals + 1..]),
        None => (pair, &[][..]),
    })
}

/// Exactly 20 bytes, percent-decoded. A `+` is a `+`: this is no form.
fn twenty(value: &[u8]) -> Option<[u8; 20]> {
    let mut bytes = [0; 20];
    let mut rest = value;
    for byte in &mut bytes {
        (*byte, rest) = match rest {
            [b'%', high, low, rest @ ..] => (hex_value(*high)? << 4 | hex_value(*low)?, rest),
            [b'%', ..] | [] => return None,
            [plain, rest @ ..] => (*plain, rest),
        };
    }
    rest.is_empty().then_some(bytes)
}

/// A number of digits alone, saturated; `None` for anything else, `-1` included.
fn number(value: &[u8]) -> Option<u64> {
    let digit = |b: &u8| b.is_ascii_digit().then(|| u64::from(b - b'0'));
    if value.is_empty() {
        return None;
    }
    value.iter().try_fold(0_u64, |sum, b| Some(sum.saturating_mul(10).saturating_add(digit(b)?)))
}

fn signed(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}
