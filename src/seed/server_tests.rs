//! A seed at real sockets, and leechers made of a few bytes each.

#![expect(clippy::cast_possible_truncation, reason = "torrents of a few pieces")]

use std::fs;
use std::num::NonZeroU64;
use std::sync::atomic::Ordering;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::super::test_house::{House, PIECE};
use super::super::test_peer::{Leecher, PATIENCE, Running, Way, handshake, options, request};
use super::super::{Health, hello};
use super::*;
use crate::id::{InfoHash, PeerId};
use crate::metainfo::Kind;
use crate::wire::mse::{Dialling, Provide};
use crate::wire::{BLOCK_BYTES_MAX, HANDSHAKE_BYTES, Handshake};

#[tokio::test]
async fn a_leecher_gets_the_content_at_once_and_the_torrent_is_verified_beside() {
    let house = House::new(&[("a", PIECE * 3 + 7), ("b", 100), ("empty", 0)]);
    let running = Running::start(vec![house.torrent.clone()], &options());
    assert!(Leecher::download(running.address, &house).await == house.content);
    running.reaches(&house.torrent, Health::Verified).await;
    assert!(Leecher::download(running.address, &house).await == house.content);
    let sent = 2 * house.content.len() as u64;
    running.seed.add_sent(&house.torrent.info_hash(), 1000);
    let status = running.seed.status(&house.torrent.info_hash()).expect("seeded");
    assert_eq!((status.sent_bytes, running.seed.sent_bytes()), (sent + 1000, sent));
    assert_eq!((status.pieces, status.pieces_verified, status.faults), (4, 4, Vec::new()));
    running.stop().await;
}

#[tokio::test]
async fn forty_bad_handshakes_at_once_and_silent_connections_harm_nobody() {
    let house = House::new(&[("a", PIECE)]);
    let running = Running::start(vec![house.torrent.clone()], &options());
    let mut others = Vec::new();
    for n in 0..40_u8 {
        let mut stream = TcpStream::connect(running.address).await.expect("a listener");
        match n % 4 {
            // Longer than the key and the padding of an encrypted hello, which it might be.
            0 => stream.write_all(&[n; 96 + 512 + 20]).await.expect("sent"),
            1 => stream.write_all(b"\x13BitTorrent protocol\0\0").await.expect("sent"),
            2 => {
                let mut hello = Vec::new();
                let unknown = Handshake {
                    extended: true,
                    fast: false,
                    v2: false,
                    info_hash: InfoHash([n; 20]),
                    peer_id: PeerId([n; 20]),
                };
                unknown.write(&mut hello);
                stream.write_all(&hello).await.expect("sent");
            }
            _ => {}
        }
        others.push(stream);
    }
    assert!(Leecher::download(running.address, &house).await == house.content);
    for (n, mut stream) in others.into_iter().enumerate() {
        if n % 2 == 0 {
            // Hung up on; a reset is an end as well.
            let _ = timeout(PATIENCE, stream.read_to_end(&mut Vec::new())).await.expect("in time");
        }
    }
    running.stop().await;
}

#[tokio::test]
async fn in_a_full_house_a_good_client_gets_in() {
    let house = House::new(&[("a", PIECE)]);
    let mut options = options();
    options.limits.connections_max = 3;
    let running = Running::start(vec![house.torrent.clone()], &options);
    let mut silent = Vec::new();
    for _ in 0..10 {
        silent.push(TcpStream::connect(running.address).await.expect("a listener"));
    }
    assert!(Leecher::download(running.address, &house).await == house.content);
    running.stop().await;
}

#[tokio::test]
async fn a_hundred_thousand_requests_without_reading_cost_what_the_socket_holds() {
    const MIB: u64 = 1 << 20;
    let house = House::new(&[("a", PIECE * 64)]);
    let running = Running::start(vec![house.torrent.clone()], &options());
    let mut greedy = Leecher::greet(running.address, house.torrent.info_hash()).await;
    let asked: Vec<u8> = (0..100_000_u32).flat_map(|n| request(n % 64, n / 64, 8192)).collect();
    // It ends by being told to wait: the pipe fills, as nothing is read at the other end.
    let sending = async { greedy.stream.write_all(&asked).await };
    let downloads = async {
        for _ in 0..3 {
            assert!(Leecher::download(running.address, &house).await == house.content);
        }
    };
    tokio::select! {
        biased;
        () = downloads => {}
        Err(error) = sending => panic!("hung up on: {error}"),
    }
    let content = house.content.len() as u64;
    let sent = running.seed.sent_bytes() - 3 * content;
    assert!(sent < 32 * MIB, "{sent} bytes were taken from disk for a peer that reads nothing");
    // And when it reads, it is served on, beyond what was underway.
    for n in 0..4000 {
        let block = greedy.block().await.expect("a block in its turn");
        let start = n % 64 * PIECE + n / 64;
        assert!(block == house.content[start..start + 8192], "block {n}");
    }
    running.stop().await;
}

#[tokio::test]
async fn a_piece_that_is_repaired_is_found_before_all_else_is_read() {
    let house = House::new(&[("a", PIECE * 3), ("b", PIECE)]);
    let whole = fs::read(house.path("a")).expect("a file");
    let mut damaged = whole.clone();
    damaged[PIECE] ^= 1;
    fs::write(house.path("a"), damaged).expect("written");
    // The pass over all that is unknown is not even begun.
    let seed = Seed::new(&options());
    seed.set_torrents(vec![house.torrent.clone()]);
    let info_hash = house.torrent.info_hash();
    let entry = seed.entry(&info_hash).expect("set");
    super::super::disk::look(&entry);
    entry.age();
    super::super::disk::verify_piece(&entry, 1).expect_err("damaged");
    let suspects = tokio::spawn(Arc::clone(&seed).verify_what_is_suspect());
    house.next_tick();
    fs::write(house.path("a"), whole).expect("written");
    seed.look().await;
    let mut changes = seed.changes();
    let well = async {
        while seed.health(&info_hash) != Some(Health::Verifying) {
            changes.changed().await.expect("the seed lives");
        }
    };
    timeout(PATIENCE, well).await.expect("it is found");
    let status = seed.status(&info_hash).expect("set");
    assert_eq!((status.pieces_verified, status.pieces_bad), (1, 0));
    suspects.abort();
}

#[tokio::test]
async fn a_missing_file_is_told_and_a_restored_one_announced_to_who_is_there() {
    let house = House::new(&[("a", PIECE), ("b", PIECE)]);
    fs::remove_file(house.path("b")).expect("removed");
    let running = Running::start(vec![house.torrent.clone()], &options());
    running.reaches(&house.torrent, Health::Degraded).await;
    let status = running.seed.status(&house.torrent.info_hash()).expect("seeded");
    assert_eq!(status.faults, ["media/b is missing"]);
    let mut leecher = Leecher::greet(running.address, house.torrent.info_hash()).await;
    assert_eq!(leecher.message().await.as_deref(), Some(&[5, 0x80][..]), "a bitfield without piece 1");

    fs::write(house.path("b"), &house.content[PIECE..]).expect("restored");
    running.seed.look().await;
    assert_eq!(leecher.message().await.as_deref(), Some(&[4, 0, 0, 0, 1][..]), "have piece 1");
    leecher.ask(1, 0, 16384).await;
    assert!(leecher.block().await.is_some_and(|block| block == house.content[PIECE..]));
    running.reaches(&house.torrent, Health::Verified).await;

    fs::remove_file(house.path("b")).expect("removed");
    leecher.ask(1, 0, 16384).await;
    assert_eq!(leecher.block().await, None, "hung up on");
    assert_eq!(running.seed.health(&house.torrent.info_hash()), Some(Health::Degraded));
    running.stop().await;
}

#[tokio::test]
async fn torrents_come_and_go_while_it_runs() {
    let (first, second) = (House::new(&[("a", PIECE)]), House::new(&[("b", PIECE * 2)]));
    let running = Running::start(vec![first.torrent.clone()], &options());
    running.reaches(&first.torrent, Health::Verified).await;
    let mut leecher = Leecher::greet(running.address, first.torrent.info_hash()).await;
    running.seed.set_torrents(vec![first.torrent.clone(), second.torrent.clone()]);
    assert_eq!(running.seed.health(&first.torrent.info_hash()), Some(Health::Verified), "it keeps its state");
    assert!(Leecher::download(running.address, &second).await == second.content);
    leecher.ask(0, 0, 16384).await;
    assert!(leecher.block().await.is_some_and(|block| block == first.content));

    running.seed.set_torrents(vec![second.torrent.clone()]);
    assert_eq!(leecher.block().await, None, "its torrent is gone");
    assert_eq!(running.seed.statuses(|_| true).len(), 1);
    running.stop().await;
}

#[tokio::test]
async fn a_torrent_whose_files_move_is_looked_at_anew_and_keeps_its_count() {
    let house = House::new(&[("a", PIECE)]);
    let running = Running::start(vec![house.torrent.clone()], &options());
    assert!(Leecher::download(running.address, &house).await == house.content);
    running.seed.set_torrents(vec![house.with_moved("a", "b")]);
    running.seed.look().await;
    let status = running.seed.status(&house.torrent.info_hash()).expect("seeded");
    assert_eq!((status.health, status.sent_bytes), (Health::Missing, PIECE as u64));
    fs::rename(house.path("a"), house.path("b")).expect("renamed");
    running.seed.look().await;
    running.reaches(&house.torrent, Health::Verified).await;
    running.stop().await;
}

#[tokio::test]
async fn it_stops_at_once_and_hangs_up() {
    let house = House::new(&[("a", PIECE)]);
    let running = Running::start(vec![house.torrent.clone()], &options());
    let mut leecher = Leecher::greet(running.address, house.torrent.info_hash()).await;
    let (seed, address) = (Arc::clone(&running.seed), running.address);
    running.stop().await;
    assert_eq!(leecher.block().await, None);
    assert_eq!(seed.connections(), 0);
    bind(address).expect("the port is free again");
}

#[tokio::test]
async fn over_tcp_and_utp_plain_and_encrypted_the_content_comes() {
    let house = House::new(&[("a", PIECE * 5 + 7), ("b", 100)]);
    let running = Running::start(vec![house.torrent.clone()], &options());
    for way in Way::ALL {
        let mut leecher = Leecher::greet_by(way, running.address, house.torrent.info_hash()).await;
        assert!(leecher.content(&house).await == house.content, "{way:?}");
        // Who takes plain bytes behind the exchange of keys gets them.
        assert!(leecher.ciphers.is_none(), "{way:?}");
    }
    running.stop().await;
}

#[tokio::test]
async fn who_insists_on_encryption_gets_it() {
    let house = House::new(&[("a", PIECE * 5 + 7)]);
    let running = Running::start(vec![house.torrent.clone()], &options());
    for is_utp in [false, true] {
        let mut leecher = Leecher::connect(running.address, is_utp).await;
        let mut hello = Vec::new();
        handshake(house.torrent.info_hash()).write(&mut hello);
        let mut exchange = Dialling::new([7; 20], &[9; 300], house.torrent.info_hash(), Provide::Rc4, &hello);
        let mut output = Vec::new();
        let established = loop {
            exchange.take_output(&mut output);
            // A byte at a time, as the slowest line might bring it.
            for byte in output.drain(..) {
                leecher.stream.write_all(&[byte]).await.expect("sent");
            }
            leecher.stream.read(&mut leecher.inbox).await.expect("an answer");
            if let Some(established) = exchange.receive(&mut leecher.inbox).expect("a good one") {
                break established;
            }
        };
        (leecher.ciphers, leecher.inbox) = (established.ciphers.map(Box::new), established.initial);
        assert!(leecher.ciphers.is_some());
        leecher.take(HANDSHAKE_BYTES).await.expect("a handshake");
        assert!(leecher.content(&house).await == house.content, "{is_utp}");
    }
    running.stop().await;
}

#[tokio::test]
async fn over_utp_the_handshake_comes_in_a_packet_of_its_own() {
    let house = House::new(&[("a", PIECE)]);
    let running = Running::start(vec![house.torrent.clone()], &options());
    let mut leecher = Leecher::connect(running.address, true).await;
    let mut hello = Vec::new();
    handshake(house.torrent.info_hash()).write(&mut hello);
    leecher.send(&hello).await;
    // A read gives what one packet brought, where nobody was late to read.
    let first = timeout(PATIENCE, leecher.stream.read(&mut leecher.inbox)).await.expect("in time");
    assert_eq!(first.expect("an answer"), HANDSHAKE_BYTES);
    assert_eq!(leecher.take(HANDSHAKE_BYTES).await.map(|bytes| bytes.len()), Some(HANDSHAKE_BYTES));
    assert_eq!(leecher.message().await.as_deref(), Some(&[5, 0x80][..]));
    running.stop().await;
}

#[tokio::test]
async fn over_utp_the_first_word_of_a_peer_has_an_answer_that_acknowledges_it() {
    let house = House::new(&[("a", PIECE)]);
    let running = Running::start(vec![house.torrent.clone()], &options());
    for way in Way::ALL {
        let mut leecher = Leecher::greet_by(way, running.address, house.torrent.info_hash()).await;
        assert_eq!(leecher.message().await.as_deref(), Some(&[5, 0x80][..]), "{way:?}");
        let not_interested = [0, 0, 0, 1, 3];
        leecher.send(&not_interested).await;
        if way.is_utp() {
            assert_eq!(leecher.message().await.as_deref(), Some(&[][..]), "a keep-alive");
        }
        // The second has none.
        leecher.send(&not_interested).await;
        leecher.ask(0, 0, 16).await;
        let message = leecher.message().await.expect("the block, or the unchoke before it");
        assert!(!message.is_empty(), "{way:?}");
    }
    running.stop().await;
}

#[tokio::test]
async fn hellos_that_are_cut_off_or_wrong_keep_nobody_else_out() {
    let house = House::new(&[("a", PIECE)]);
    let mut options = options();
    options.limits.half_open_max = 8;
    let running = Running::start(vec![house.torrent.clone()], &options);
    let unknown = InfoHash([9; 20]);
    let mut strangers = Vec::new();
    for n in 0..40_usize {
        let mut leecher = Leecher::connect(running.address, n % 2 == 0).await;
        let exchange = Dialling::new([7; 20], &[9; 300], unknown, Provide::Rc4, b"hello");
        let mut hello = Vec::new();
        { exchange }.take_output(&mut hello);
        match n % 4 {
            // A key that is cut off, and one with no padding behind it.
            0 | 1 => leecher.send(&hello[..40]).await,
            2 | 3 if n % 8 < 4 => leecher.send(&hello).await,
            _ => {}
        }
        strangers.push(leecher);
    }
    for way in Way::ALL {
        let mut leecher = Leecher::greet_by(way, running.address, house.torrent.info_hash()).await;
        assert!(leecher.content(&house).await == house.content, "{way:?}");
    }
    running.stop().await;
}

#[tokio::test]
async fn a_torrent_that_is_not_here_is_not_found_by_an_encrypted_hello_either() {
    let (house, other) = (House::new(&[("a", PIECE)]), House::new(&[("b", PIECE)]));
    let running = Running::start(vec![house.torrent.clone(), other.torrent.clone()], &options());
    running.seed.set_torrents(vec![house.torrent.clone()]);
    let own = Seed::new(&options());
    let mut leecher = Leecher::connect(running.address, false).await;
    let hello = hello::dial(&own, &mut leecher.stream, other.torrent.info_hash(), b"");
    assert!(timeout(PATIENCE, hello).await.expect("in time").is_err(), "hung up on");
    running.stop().await;
}

#[tokio::test]
async fn a_peer_that_reads_nothing_over_utp_costs_what_its_stream_holds() {
    let house = House::new(&[("a", PIECE * 64)]);
    let running = Running::start(vec![house.torrent.clone()], &options());
    let mut greedy = Leecher::greet_by(Way::Utp, running.address, house.torrent.info_hash()).await;
    let asked: Vec<u8> = (0..100_000_u32).flat_map(|n| request(n % 64, n / 64, 8192)).collect();
    let sending = async { greedy.stream.write_all(&asked).await };
    let downloads = async {
        for way in Way::ALL {
            let mut leecher = Leecher::greet_by(way, running.address, house.torrent.info_hash()).await;
            assert!(leecher.content(&house).await == house.content, "{way:?}");
        }
    };
    tokio::select! {
        biased;
        () = downloads => {}
        Err(error) = sending => panic!("hung up on: {error}"),
    }
    let sent = running.seed.sent_bytes() - 4 * house.content.len() as u64;
    assert!(sent < 4 << 20, "{sent} bytes were taken from disk for a peer that reads nothing");
    running.stop().await;
}

#[tokio::test]
async fn a_bad_piece_is_rejected_and_the_others_are_sent() {
    let house = House::new(&[("a", PIECE * 3)]);
    let running = Running::start(vec![house.torrent.clone()], &options());
    running.reaches(&house.torrent, Health::Verified).await;
    let fast = Handshake { fast: true, ..handshake(house.torrent.info_hash()) };
    let mut leecher = Leecher::greet_as(Way::Tcp, running.address, &fast).await;
    let mut damaged = house.content.clone();
    damaged[PIECE + 5] ^= 1;
    house.next_tick();
    fs::write(house.path("a"), &damaged).expect("written");
    let asked = [0, 1, 2].map(|piece| request(piece, 0, PIECE as u32)).concat();
    leecher.send(&asked).await;
    let mut came = Vec::new();
    for _ in 0..3 {
        let answer = loop {
            let message = leecher.message().await.expect("an answer");
            if matches!(message.first(), Some(7 | 16)) {
                break message;
            }
        };
        let piece = answer[4] as usize;
        if answer[0] == 7 {
            assert!(answer[9..] == house.content[piece * PIECE..][..PIECE], "{piece}");
        }
        came.push((piece, answer[0]));
    }
    came.sort_unstable();
    assert_eq!(came, [(0, 7), (1, 16), (2, 7)]);
    running.stop().await;
}

#[tokio::test]
async fn peers_of_a_torrent_are_told_of_each_other_unless_it_is_private() {
    let house = House::new(&[("a", PIECE)]);
    let private = house.with_info(|info| info.private = true);
    for (torrent, told) in [(house.torrent.clone(), true), (private, false)] {
        let running = Running::start(vec![torrent.clone()], &options());
        let extended = Handshake { extended: true, ..handshake(torrent.info_hash()) };
        let mut first = Leecher::greet_as(Way::Tcp, running.address, &extended).await;
        first.send(&extension(b"d1:md6:ut_pexi1ee1:pi7001ee")).await;
        // Its own is told as soon as it is read: whoever asks for the next thing has been read.
        first.ask(0, 0, 1).await;
        first.block().await.expect("a byte");
        let mut second = Leecher::greet_as(Way::Utp, running.address, &extended).await;
        second.send(&extension(b"d1:md6:ut_pexi9ee1:pi7002ee")).await;
        second.ask(0, 0, 1).await;
        let mut said = Vec::new();
        loop {
            let message = second.message().await.expect("the byte");
            match message[..] {
                [7, ..] => break,
                [20, 9, ..] => said = message,
                _ => {}
            }
        }
        let expected = b"\x14\x09d5:added6:\x7f\0\0\x01\x1b\x597:added.f1:\0e";
        assert_eq!(
            said.escape_ascii().to_string(),
            if told { expected.escape_ascii().to_string() } else { String::new() }
        );
        running.stop().await;
    }
}

/// An extended handshake (BEP 10).
fn extension(body: &[u8]) -> Vec<u8> {
    let length = u32::try_from(2 + body.len()).expect("a short one").to_be_bytes();
    [&length[..], &[20, 0], body].concat()
}

#[tokio::test]
async fn bytes_leave_at_the_pace_that_is_set() {
    let house = House::new(&[("a", PIECE * 4)]);
    let mut options = options();
    options.limits.upload_bytes_per_sec = std::num::NonZeroU64::new(1);
    let running = Running::start(vec![house.torrent.clone()], &options);
    let mut leecher = Leecher::greet(running.address, house.torrent.info_hash()).await;
    for piece in 0..4 {
        leecher.ask(piece, 0, PIECE as u32).await;
    }
    assert!(leecher.block().await.is_some(), "the first turn is free");
    assert_eq!(running.seed.sent_bytes(), PIECE as u64, "and the next one hours away");
    running.seed.set_upload(None);
    for _ in 1..4 {
        assert!(leecher.block().await.is_some());
    }
    running.stop().await;
}

#[tokio::test]
async fn who_waits_for_the_pace_is_spoken_with() {
    let house = House::with_pieces(PIECE * 16, Kind::V1, &[("a", PIECE * 16)]);
    let mut options = options();
    options.limits.upload_bytes_per_sec = NonZeroU64::new(1);
    let running = Running::start(vec![house.torrent.clone()], &options);
    let hello = Handshake { fast: true, ..handshake(house.torrent.info_hash()) };
    let mut leecher = Leecher::greet_as(Way::Tcp, running.address, &hello).await;
    leecher.ask(0, 0, PIECE as u32).await;
    assert!(leecher.block().await.is_some_and(|block| block == house.content[..PIECE]), "the first turn is free");
    let waiting = async |count| {
        while running.seed.sending.load(Ordering::Relaxed) != count {
            tokio::task::yield_now().await;
        }
    };
    waiting(0).await;
    leecher.ask(0, 0, PIECE as u32).await;
    waiting(1).await;
    leecher.ask(0, 0, BLOCK_BYTES_MAX + 1).await;
    assert!(leecher.next(16).await.is_some(), "a reject");
    running.seed.set_upload(None);
    assert!(leecher.block().await.is_some_and(|block| block == house.content[..PIECE]));
    running.stop().await;
}
