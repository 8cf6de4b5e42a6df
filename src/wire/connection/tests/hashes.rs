//! Requests for hashes (BEP 52).

use super::*;
use crate::wire::{HASH_REQUESTS_MAX, HASHES_MAX};

/// A peer that has shaken hands over a torrent with v2 hashes.
fn peer() -> Peer {
    Peer::to_be_offered(Offer { v2: Some(HASH), ..offer(&[0, 1, 2], false) }).greeted(&modern_hello())
}

fn wanted() -> HashRequest {
    HashRequest { root: [b'r'; 32], base_layer: 4, index: 8, length: 4, proof_layers: 3 }
}

fn written(number: u8, request: &HashRequest, hashes: &[NodeHash]) -> Vec<u8> {
    let numbers = [request.base_layer, request.index, request.length, request.proof_layers].map(u32::to_be_bytes);
    message(number, &[&request.root[..], numbers.as_flattened(), hashes.as_flattened()].concat())
}

fn asked(request: &HashRequest) -> Vec<u8> {
    written(id::HASH_REQUEST, request, &[])
}

#[test]
fn hashes_are_given_and_refused() {
    let mut peer = peer();
    peer.say(&asked(&wanted())).expect("a request");
    assert_eq!(peer.hear(), b"");
    assert_eq!(peer.connection.take_hash_request(), Some(wanted()));
    let hashes = [[1; 32], [2; 32], [3; 32], [4; 32], [5; 32], [6; 32]];
    peer.connection.answer_hashes(&wanted(), Some(&hashes));
    assert_eq!(peer.hear(), written(id::HASHES, &wanted(), &hashes));
    peer.connection.answer_hashes(&wanted(), Some(&hashes));
    assert_eq!(peer.hear(), b"", "it was answered");

    peer.say(&asked(&wanted())).expect("a request");
    assert_eq!(peer.connection.take_hash_request(), Some(wanted()));
    peer.connection.answer_hashes(&wanted(), None);
    assert_eq!(peer.hear(), written(id::HASH_REJECT, &wanted(), &[]));

    peer.say(&asked(&wanted())).expect("a request");
    assert_eq!(peer.connection.take_hash_request(), Some(wanted()));
    peer.connection.answer_hashes(&wanted(), Some(&vec![[0; 32]; HASHES_MAX as usize + 51]));
    assert_eq!(peer.hear(), written(id::HASH_REJECT, &wanted(), &[]), "more than any answer holds");
}

#[test]
fn the_proof_leaves_out_what_can_be_computed() {
    let uncles = |length, proof_layers| HashRequest { length, proof_layers, ..wanted() }.uncles();
    // Of 2 hashes the first ancestor has an uncle; of 4, those of the second layer up are siblings of each other.
    assert_eq!([uncles(2, 3), uncles(4, 3), uncles(512, 8), uncles(512, 10), uncles(2, 0)], [3, 2, 0, 2, 0]);
    // The last of 512 n + 1 pieces comes alone, and has one beside it in its own layer.
    assert_eq!([uncles(1, 0), uncles(1, 3), uncles(3, 3), uncles(1, u32::MAX)], [1, 4, 2, u32::MAX]);
}

#[test]
fn the_hashes_of_all_blocks_of_a_piece_may_be_asked_for_at_once() {
    // Of pieces of 16 and of 128 MiB.
    for length in [1024, 8192] {
        let request = HashRequest { base_layer: 0, index: length, length, ..wanted() };
        let mut peer = peer();
        peer.say(&asked(&request)).expect("a request");
        assert_eq!(peer.connection.take_hash_request(), Some(request));
        let hashes = vec![[7; 32]; (length + request.uncles()) as usize];
        peer.connection.answer_hashes(&request, Some(&hashes));
        assert_eq!(peer.hear(), written(id::HASHES, &request, &hashes));
    }
}

#[test]
fn what_no_tree_answers_is_refused_at_once() {
    let mut of_v1 = Peer::new().greeted(&modern_hello());
    of_v1.say(&asked(&wanted())).expect("a request");
    assert_eq!((of_v1.hear(), of_v1.connection.take_hash_request()), (written(id::HASH_REJECT, &wanted(), &[]), None));

    for request in [
        HashRequest { length: 0, ..wanted() },
        HashRequest { length: HASHES_MAX + 1, index: 0, ..wanted() },
        HashRequest { length: u32::MAX, index: 0, ..wanted() },
        HashRequest { index: 2, ..wanted() },
        HashRequest { length: 3, index: 6, ..wanted() },
        HashRequest { base_layer: 50, ..wanted() },
        HashRequest { proof_layers: u32::MAX, ..wanted() },
    ] {
        let mut peer = peer();
        peer.say(&asked(&request)).expect("a request");
        assert_eq!(peer.hear(), written(id::HASH_REJECT, &request, &[]), "{request:?}");
        assert_eq!(peer.connection.take_hash_request(), None);
    }
    assert_eq!(peer().say(&message(id::HASH_REQUEST, &[0; 47])), Err(Close::Malformed));
}

#[test]
fn thousands_of_requests_for_hashes_wait_outside() {
    let mut peer = peer();
    let request = HashRequest { length: 512, index: 0, ..wanted() };
    peer.say(&asked(&request).repeat(3000)).expect("requests");
    assert_eq!(peer.connection.hash_requests.len(), HASH_REQUESTS_MAX);
    assert!(!peer.connection.wants_input() && !peer.inbox.is_empty());
    // One at a time, and none while nobody reads the answers.
    let hashes = vec![[0; 32]; 512];
    let mut answered = 0;
    while let Some(request) = peer.connection.take_hash_request() {
        assert_eq!(peer.connection.take_hash_request(), None);
        peer.connection.answer_hashes(&request, Some(&hashes));
        answered += 1;
    }
    assert_eq!(answered, 4);
    assert!(peer.connection.output.len() < OUTPUT_BYTES_MAX + 17_000);
    peer.hear();
    assert!(peer.connection.take_hash_request().is_some());
    peer.work().expect("those that waited");
    assert_eq!(peer.connection.hash_requests.len(), HASH_REQUESTS_MAX);
}
