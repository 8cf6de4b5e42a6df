//! Extended messages (BEP 10): the handshake that says what each side understands, metadata for magnet links (BEP 9),
//! and pieces that there are no longer (BEP 54).

use std::net::IpAddr;
use std::sync::Arc;

use super::loose::{as_int, find};
use super::{Local, Offer, REQUESTS_MAX, message};
use crate::bencode::Dict;

/// The number of the extended handshake.
pub(super) const HANDSHAKE: u8 = 0;
/// The number under which peers send us `ut_metadata` messages.
pub(super) const UT_METADATA: u8 = 1;
/// The number under which peers may send us `ut_pex` messages. We make nothing of them, but libtorrent takes ours only
/// where we say that we take its.
const UT_PEX: u8 = 2;
/// The bytes in each piece of the metadata but the last (BEP 9).
pub(super) const METADATA_PIECE_BYTES: usize = 16 * 1024;

/// What a peer's extended handshake says that concerns a seed.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Said {
    /// The number under which the peer takes `ut_metadata` messages; 0 says that it no longer does.
    pub ut_metadata: Option<u8>,
    /// The same for `ut_pex` (BEP 11).
    pub ut_pex: Option<u8>,
    /// The same for `lt_donthave` (BEP 54).
    pub lt_donthave: Option<u8>,
    /// The same for `upload_only`, which takes back or repeats what the handshake says (BEP 21).
    pub upload_only_id: Option<u8>,
    /// The port at which the peer takes connections.
    pub port: Option<u16>,
    /// Whether the peer wants no pieces (BEP 21).
    pub upload_only: bool,
}

/// Reads a peer's extended handshake; what can't be read is as if not said.
pub(super) fn read_handshake(body: &[u8]) -> Said {
    let number = |value: Option<&[u8]>| value.and_then(as_int);
    let m = find(body, b"m").unwrap_or_default();
    let message = |name| number(find(m, name)).and_then(|n| u8::try_from(n).ok());
    let port = number(find(body, b"p")).and_then(|n| u16::try_from(n).ok());
    Said {
        ut_metadata: message(b"ut_metadata"),
        ut_pex: message(b"ut_pex"),
        lt_donthave: message(b"lt_donthave"),
        upload_only_id: message(b"upload_only"),
        port: port.filter(|&port| port != 0),
        upload_only: number(find(body, b"upload_only")).is_some_and(|n| n != 0),
    }
}

/// Reads a `ut_metadata` message: the piece it requests, if it is a request.
pub(super) fn read_metadata_request(body: &[u8]) -> Option<i64> {
    let request = as_int(find(body, b"msg_type")?)? == 0;
    as_int(find(body, b"piece")?).filter(|_| request)
}

/// Appends our extended handshake, to a peer that is at `peer_ip`. The size of the metadata is absent where they are
/// not given out.
pub(super) fn write_handshake(out: &mut Vec<u8>, local: &Local, offer: &Offer, peer_ip: Option<IpAddr>) {
    let mut body = vec![HANDSHAKE];
    let mut dict = Dict::begin(&mut body);
    let mut m = Dict::begin(dict.key("m"));
    if offer.metadata.is_some() {
        m.int("ut_metadata", i64::from(UT_METADATA));
    }
    if offer.pex {
        m.int("ut_pex", i64::from(UT_PEX));
    }
    m.end();
    if let Some(metadata) = &offer.metadata {
        dict.int("metadata_size", as_i64(metadata.len()));
    }
    dict.int("p", i64::from(local.port));
    dict.int("reqq", as_i64(REQUESTS_MAX));
    if is_upload_only(offer) {
        dict.int("upload_only", 1);
    }
    dict.string("v", local.client.as_bytes());
    if let Some(ip) = peer_ip {
        match ip.to_canonical() {
            IpAddr::V4(ip) => dict.string("yourip", ip.octets()),
            IpAddr::V6(ip) => dict.string("yourip", ip.octets()),
        };
    }
    dict.end();
    message::write(out, message::id::EXTENDED, &body);
}

/// Whether we say that we are a seed and nothing else (BEP 21). While pieces are bad we do not: libtorrent hangs up on
/// such a peer as soon as it has nothing that is wanted, and would not be there when they are good again.
pub(super) fn is_upload_only(offer: &Offer) -> bool {
    offer.have.all()
}

/// Appends whether we are a seed and nothing else, to a peer that takes it as `number`.
pub(super) fn write_upload_only(out: &mut Vec<u8>, number: u8, is_upload_only: bool) {
    message::write(out, message::id::EXTENDED, &[number, is_upload_only.into()]);
}

/// Appends that there is no `piece` any longer (BEP 54), to a peer that takes it as `number`.
pub(super) fn write_dont_have(out: &mut Vec<u8>, number: u8, piece: u32) {
    let [a, b, c, d] = piece.to_be_bytes();
    message::write(out, message::id::EXTENDED, &[number, a, b, c, d]);
}

/// A piece of the metadata that a peer has asked for, to be written when it may be sent.
#[derive(Debug, Clone)]
pub struct MetadataPiece {
    pub(super) peers_id: u8,
    pub(super) piece: i64,
    pub(super) metadata: Arc<[u8]>,
}

impl MetadataPiece {
    /// How many bytes of metadata are in it.
    pub fn bytes(&self) -> u64 {
        metadata_span(&self.metadata, self.piece).map_or(0, |span| span.len() as u64)
    }

    /// Appends its message.
    pub fn write(&self, out: &mut Vec<u8>) {
        write_metadata(out, self.peers_id, self.piece, Some(&self.metadata));
    }
}

/// The bytes of `piece` of the metadata; nothing where there is no such piece.
pub(super) fn metadata_span(metadata: &[u8], piece: i64) -> Option<&[u8]> {
    let start = usize::try_from(piece).ok()?.checked_mul(METADATA_PIECE_BYTES)?;
    let end = start.checked_add(METADATA_PIECE_BYTES)?.min(metadata.len());
    metadata.get(start..end).filter(|span| !span.is_empty())
}

/// Appends the answer to a request for `piece` of the metadata: its bytes, or a reject where there are none to give.
pub(super) fn write_metadata(out: &mut Vec<u8>, peers_id: u8, piece: i64, metadata: Option<&[u8]>) {
    let span = metadata.and_then(|metadata| Some((metadata_span(metadata, piece)?, metadata.len())));
    let mut body = vec![peers_id];
    let mut dict = Dict::begin(&mut body);
    dict.int("msg_type", if span.is_some() { 1 } else { 2 });
    dict.int("piece", piece);
    if let Some((_, total)) = span {
        dict.int("total_size", as_i64(total));
    }
    dict.end();
    if let Some((bytes, _)) = span {
        body.extend_from_slice(bytes);
    }
    message::write(out, message::id::EXTENDED, &body);
}

fn as_i64(n: usize) -> i64 {
    i64::try_from(n).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_handshake_is_read_whatever_the_order_of_its_keys() {
        for body in [
            &b"d1:md11:ut_metadatai3e6:ut_pexi1ee1:v4:some11:upload_onlyi1ee"[..],
            b"d11:upload_onlyi1e1:v4:some1:md6:ut_pexi1e11:ut_metadatai3eee",
        ] {
            let said = Said { ut_metadata: Some(3), ut_pex: Some(1), upload_only: true, ..Said::default() };
            assert_eq!(read_handshake(body), said);
        }
        assert_eq!(read_handshake(b"d1:md11:ut_metadatai999eee"), Said::default());
        assert_eq!(read_handshake(b"d11:upload_onlyi0ee"), Said::default());
        assert_eq!(read_handshake(b"rubbish"), Said::default());
    }

    #[test]
    fn only_requests_for_metadata_are_requests() {
        assert_eq!(read_metadata_request(b"d8:msg_typei0e5:piecei4ee"), Some(4));
        assert_eq!(read_metadata_request(b"d5:piecei4e8:msg_typei0ee"), Some(4));
        assert_eq!(read_metadata_request(b"d8:msg_typei1e5:piecei4ee"), None);
        assert_eq!(read_metadata_request(b"d8:msg_typei0ee"), None);
    }

    #[test]
    fn metadata_come_in_pieces_and_beyond_them_is_a_reject() {
        let metadata = vec![b'x'; METADATA_PIECE_BYTES + 5];
        let answer = |piece, metadata| {
            let mut out = Vec::new();
            write_metadata(&mut out, 9, piece, metadata);
            out
        };
        let last = answer(1, Some(&metadata[..]));
        assert_eq!(&last[4..], b"\x14\x09d8:msg_typei1e5:piecei1e10:total_sizei16389eexxxxx");
        assert_eq!(last[..4], u32::try_from(last.len() - 4).expect("short").to_be_bytes());
        for piece in [2, -1, i64::MAX, i64::MIN] {
            let reject = answer(piece, Some(&metadata[..]));
            assert_eq!(reject[6..], *format!("d8:msg_typei2e5:piecei{piece}ee").as_bytes());
        }
        assert_eq!(answer(0, None)[6..], *b"d8:msg_typei2e5:piecei0ee");
    }

    proptest! {
        #[test]
        fn no_bytes_panic(bytes in proptest::collection::vec(proptest::sample::select(&b"di0123456789le:-m"[..]), 0..80)) {
            read_handshake(&bytes);
            read_metadata_request(&bytes);
        }
    }
}
