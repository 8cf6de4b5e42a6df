//! Peers told of each other (BEP 11).

use std::net::{IpAddr, SocketAddr};

use super::PEX_PEERS_MAX;
use super::message::{self, id};
use crate::bencode::Dict;

/// Appends a `ut_pex` message, to a peer that takes it as `number`. Of either list no more than [`PEX_PEERS_MAX`] are
/// said. Nothing is written, and false returned, where nothing is to be said.
pub(super) fn write(out: &mut Vec<u8>, number: u8, added: &[SocketAddr], dropped: &[SocketAddr]) -> bool {
    let (added, dropped) = (compact(added), compact(dropped));
    if [&added, &dropped].iter().all(|lists| lists.iter().all(Vec::is_empty)) {
        return false;
    }
    let mut body = vec![number];
    let mut dict = Dict::begin(&mut body);
    // Flags say what we do not know of them: 0 says nothing. They are as many as the addresses.
    let [added4, added6] = &added;
    let lists = [
        ("added", added4.clone()),
        ("added.f", vec![0; added4.len() / 6]),
        ("added6", added6.clone()),
        ("added6.f", vec![0; added6.len() / 18]),
    ];
    for (key, bytes) in lists.into_iter().chain(["dropped", "dropped6"].into_iter().zip(dropped)) {
        if !bytes.is_empty() {
            dict.string(key, &bytes);
        }
    }
    dict.end();
    message::write(out, id::EXTENDED, &body);
    true
}

/// The compact forms of IPv4 and IPv6 addresses (BEP 23, BEP 7).
fn compact(peers: &[SocketAddr]) -> [Vec<u8>; 2] {
    let mut lists = [Vec::new(), Vec::new()];
    for peer in peers.iter().filter(|peer| peer.port() != 0).take(PEX_PEERS_MAX) {
        match peer.ip().to_canonical() {
            IpAddr::V4(ip) => lists[0].extend_from_slice(&ip.octets()),
            IpAddr::V6(ip) => lists[1].extend_from_slice(&ip.octets()),
        }
        let list = usize::from(peer.ip().to_canonical().is_ipv6());
        lists[list].extend_from_slice(&peer.port().to_be_bytes());
    }
    lists
}
