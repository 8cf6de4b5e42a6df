//! Packets of strangers, and the streams they are of.

use super::*;

const DATA: u8 = 0x01;

fn address(n: u16) -> SocketAddr {
    SocketAddr::from(([192, 0, 2, 1], n))
}

/// A packet without anything in it.
fn packet(kind: u8, number: u16) -> Vec<u8> {
    header(kind, number, 0, 0, 0).to_vec()
}

fn header(kind: u8, number: u16, window: u32, sequence: u16, acknowledged: u16) -> [u8; HEADER_BYTES] {
    let mut header = [0; HEADER_BYTES];
    header[0] = kind;
    header[2..4].copy_from_slice(&number.to_be_bytes());
    header[12..16].copy_from_slice(&window.to_be_bytes());
    header[16..18].copy_from_slice(&sequence.to_be_bytes());
    header[18..20].copy_from_slice(&acknowledged.to_be_bytes());
    header
}

#[test]
fn packets_are_let_through_for_streams_there_are_and_a_few_hellos() {
    let (mut table, now) = (Table::default(), Instant::now());
    assert!(!table.admits(address(1), &packet(DATA, 8), now), "nobody has said hello");
    assert!(!table.admits(address(1), &[HELLO; 19], now), "it is cut off");
    assert!(table.admits(address(1), &packet(HELLO, 7), now));
    assert!(!table.admits(address(1), &packet(HELLO, 7), now), "it is said again");
    table.newest = Newest::From(address(1));
    table.sends(address(1), &packet(STATE, 7));
    assert!(matches!(table.newest, Newest::Is(key) if key == (address(1), 8)));
    assert!(table.admits(address(1), &packet(DATA, 8), now) && !table.admits(address(2), &packet(DATA, 8), now));
    assert!(!table.admits(address(1), &packet(HELLO, 7), now), "it is a stream");
    let heard = (0..1000).filter(|n| table.admits(address(*n), &packet(HELLO, 100), now)).count();
    assert_eq!(heard, HELLOS_MAX);
    table.sends(address(0), &packet(RESET, 100));
    assert!(table.admits(address(0), &packet(HELLO, 100), now), "that one was refused");
    table.sweep(now + HELLO_MAX);
    assert!(table.hellos.is_empty());
}

#[test]
fn who_speaks_over_a_stream_of_a_former_run_is_told_that_it_is_gone() {
    let said = header(STATE, 8, 0, 500, 77);
    let [one, other] = refusals(&said).expect("an answer");
    assert_eq!((one, other), (header(RESET, 7, 0, 0, 500), header(RESET, 9, 0, 0, 500)));
    for silent in [packet(RESET, 8), packet(HELLO, 8), b"d1:ad2:id20:abcdefghije1:q4:pinge".to_vec(), vec![DATA; 19]] {
        assert_eq!(refusals(&silent), None, "{silent:?}");
    }
    let (mut table, now) = (Table::default(), Instant::now());
    let answered = (0..1000).filter(|_| table.may_refuse(now)).count();
    assert_eq!(u32::try_from(answered), Ok(REFUSALS_PER_SEC));
    assert!(table.may_refuse(now + Duration::from_secs(1)));
}

#[test]
fn what_lingers_is_reset_in_time_or_when_there_is_too_much_of_it() {
    let (mut table, now) = (Table::default(), Instant::now());
    let lingering = u16::try_from(LINGERING_MAX).expect("a few hundred");
    for number in 0..=lingering {
        table.streams.insert((address(1), number), None);
        table.ended((address(1), number), false, now);
    }
    assert_eq!(table.resets, [(address(1), 0)]);
    table.sweep(now + LINGER_MAX);
    assert_eq!((table.resets.len(), table.streams.len()), (LINGERING_MAX + 1, LINGERING_MAX), "the first has gone");
    table.sweep(now + LINGER_MAX + GOING);
    assert!(table.streams.is_empty() && table.lingering.is_empty() && table.going.is_empty());
}
