//! Packets of strangers, and the streams they are of.

use proptest::prelude::*;

use super::*;

const DATA: u8 = 0x01;

fn address(n: u16) -> SocketAddr {
    SocketAddr::from(([192, 0, 2, 1], n))
}

/// A packet without anything in it.
fn packet(kind: u8, number: u16) -> Vec<u8> {
    header(kind, number, 0, 0, 0).to_vec()
}

/// The head of a packet (BEP 29).
pub fn header(kind: u8, number: u16, window: u32, sequence: u16, acknowledged: u16) -> [u8; HEADER_BYTES] {
    let mut header = [0; HEADER_BYTES];
    header[0] = kind;
    header[2..4].copy_from_slice(&number.to_be_bytes());
    header[12..16].copy_from_slice(&window.to_be_bytes());
    header[16..18].copy_from_slice(&sequence.to_be_bytes());
    header[18..20].copy_from_slice(&acknowledged.to_be_bytes());
    header
}

/// A hello, and the stream that is made for it; its key.
fn welcome(table: &mut Table, address: SocketAddr, number: u16, now: Instant) -> Option<Key> {
    assert!(table.admits(address, &packet(HELLO, number), now));
    table.expect(address);
    table.sends(address, &packet(STATE, number));
    table.accepted()
}

#[test]
fn packets_are_let_through_for_streams_there_are_and_a_few_hellos() {
    let (mut table, now) = (Table::default(), Instant::now());
    assert!(!table.admits(address(1), &packet(DATA, 8), now), "nobody has said hello");
    assert!(!table.admits(address(1), &[HELLO; 19], now), "it is cut off");
    assert_eq!(welcome(&mut table, address(1), 7, now), Some((address(1), 8)));
    assert!(table.admits(address(1), &packet(DATA, 8), now) && !table.admits(address(2), &packet(DATA, 8), now));
    assert!(!table.admits(address(1), &packet(HELLO, 7), now), "it is a stream");
    let heard = (0..1000).filter(|n| table.admits(address(*n), &packet(HELLO, 100), now)).count();
    assert_eq!(heard, HELLOS_MAX);
    assert!(!table.admits(address(0), &packet(HELLO, 100), now), "it is said again");
    table.sends(address(0), &packet(RESET, 100));
    assert!(table.admits(address(0), &packet(HELLO, 100), now), "that one was refused");
    assert!(table.admits(address(2000), &packet(HELLO, 100), now + HELLO_MAX), "the oldest gives way");
    assert_eq!(table.hellos.len(), HELLOS_MAX);
    table.sweep(now + HELLO_MAX * 2);
    assert!(table.hellos.is_empty());
}

#[test]
fn a_peer_opens_streams_under_neighbouring_numbers() {
    let (mut table, now) = (Table::default(), Instant::now());
    for number in [u16::MAX - 1, 0, 2, 4] {
        assert_eq!(welcome(&mut table, address(1), number, now), Some((address(1), number.wrapping_add(1))));
    }
}

#[test]
fn a_hello_that_would_be_thrown_away_takes_no_place() {
    let (mut table, now) = (Table::default(), Instant::now());
    let with = |extension: u8, rest: &[u8]| {
        let mut hello = [&packet(HELLO, 7), rest].concat();
        hello[1] = extension;
        hello
    };
    for bad in
        [with(0, b"x"), with(1, b""), with(1, &[0]), with(1, &[0, 4, 1, 2, 3]), with(1, &[2, 0]), with(1, &[0, 0, 9])]
    {
        assert!(!table.admits(address(1), &bad, now) && table.hellos.is_empty(), "{bad:?}");
    }
    for (n, good) in (0..).zip([with(1, &[0, 0]), with(9, &[1, 1, 5, 0, 4, 1, 2, 3, 4]), with(0, b"")]) {
        assert!(table.admits(address(n), &good, now), "{good:?}");
    }
}

#[test]
fn a_hello_under_the_number_of_a_stream_takes_no_place() {
    let (mut table, now) = (Table::default(), Instant::now());
    welcome(&mut table, address(1), 7, now);
    assert!(!table.admits(address(1), &packet(HELLO, 8), now), "it would be taken for a packet of that stream");
    assert!(table.admits(address(2), &packet(HELLO, 9), now));
    assert!(!table.admits(address(2), &packet(HELLO, 10), now), "and of this one, as soon as it is one");
}

#[test]
fn a_call_and_a_hello_that_are_alike_are_not_mixed_up() {
    let (mut table, now) = (Table::default(), Instant::now());
    assert!(table.sends(address(1), &header(HELLO, 50, 0, 700, 0)));
    for number in 49..=51 {
        assert!(!table.admits(address(1), &packet(HELLO, number), now), "{number}");
    }
    assert_eq!(welcome(&mut table, address(1), 52, now), Some((address(1), 53)));
    assert!(!table.admits(address(1), &header(STATE, 53, 0, 1, 700), now), "it is no answer under another's number");
    assert_eq!(table.connected(address(1)), None);
    assert!(table.admits(address(1), &header(STATE, 50, 0, 1, 700), now));
    assert_eq!(table.connected(address(1)), Some((address(1), 50)));
    for number in [49, 50, 51] {
        assert!(!table.admits(address(1), &packet(HELLO, number), now), "{number}");
    }
    // The other way round.
    for number in [53, 51] {
        assert!(!table.sends(address(1), &header(HELLO, number, 0, 1, 0)), "{number}");
    }
    assert!(table.admits(address(1), &packet(HELLO, 60), now));
    for number in [61, 59] {
        assert!(!table.sends(address(1), &header(HELLO, number, 0, 1, 0)), "{number}");
    }
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
        let key = welcome(&mut table, address(1), number * 2, now).expect("a stream");
        table.ended(key, false, now);
    }
    assert_eq!(table.resets, [(address(1), 1)]);
    table.sweep(now + LINGER_MAX);
    assert_eq!((table.resets.len(), table.streams.len()), (LINGERING_MAX + 1, LINGERING_MAX), "the first has gone");
    table.sweep(now + LINGER_MAX + GOING);
    assert!(table.streams.is_empty() && table.lingering.is_empty() && table.going.is_empty());
}

/// What `librqbit-utp` does with what is let through, as far as streams are concerned.
#[derive(Default)]
struct Dispatcher {
    hellos: VecDeque<Key>,
    /// Streams, and whether the peer has called.
    streams: HashMap<Key, bool>,
    /// Our call, its number and that of our hello.
    calling: HashMap<SocketAddr, (u16, u16)>,
}

/// The table, what stands behind it, and the streams that somebody holds.
struct World {
    table: Table,
    behind: Dispatcher,
    lines: Vec<Key>,
    now: Instant,
}

/// Three peers, with few numbers, so that they meet.
const PEERS: u16 = 3;
const NUMBERS: u16 = 10;

impl World {
    fn comes(&mut self, address: SocketAddr, packet: &[u8]) {
        self.resets();
        if !self.table.admits(address, packet, self.now) {
            return;
        }
        let header = Header::read(packet).expect("it was let through");
        let key = (address, header.number);
        if self.behind.streams.contains_key(&key) {
            assert_ne!(header.kind, HELLO, "swallowed by a stream");
            if header.kind == RESET {
                self.behind.streams.remove(&key);
            }
        } else if header.kind == HELLO {
            assert!(self.behind.hellos.len() < 32, "it is refused");
            self.behind.hellos.push_back((address, header.number));
        } else if header.kind == STATE
            && self.behind.calling.get(&address).is_some_and(|(_, hello)| *hello == header.acknowledged)
        {
            self.behind.calling.remove(&address);
            self.behind.streams.insert(key, false);
            assert_eq!(self.table.connected(address), Some(key), "it is held under another number");
            self.lines.push(key);
        }
    }

    fn accept(&mut self, others_speak_first: bool) {
        let Some((address, number)) = self.behind.hellos.pop_front() else { return };
        let key = (address, number.wrapping_add(1));
        assert_eq!(self.behind.streams.insert(key, true), None, "it clashes with an existing stream");
        self.table.expect(address);
        if others_speak_first {
            let others = self.behind.streams.iter().filter(|(other, _)| **other != key);
            for (&(address, number), is_theirs) in others {
                let number = if *is_theirs { number.wrapping_sub(1) } else { number.wrapping_add(1) };
                self.table.sends(address, &packet(STATE, number));
            }
        }
        self.table.sends(address, &packet(STATE, number));
        assert_eq!(self.table.accepted(), Some(key), "it is taken for another");
        self.lines.push(key);
    }

    fn call(&mut self, address: SocketAddr, number: u16) {
        // As `librqbit-utp` does it, and one at a time.
        let is_free =
            !self.behind.streams.contains_key(&(address, number)) && !self.behind.calling.contains_key(&address);
        if is_free && self.table.sends(address, &header(HELLO, number, 0, 900, 0)) {
            self.behind.calling.insert(address, (number, 900));
        }
    }

    fn resets(&mut self) {
        while let Some(key) = self.table.next_reset() {
            self.behind.streams.remove(&key);
        }
    }

    fn is_sound(&self) {
        for key in &self.lines {
            assert!(
                self.table.streams.get(key).is_some_and(|stream| !stream.is_going),
                "{key:?} is held and not known"
            );
        }
        let known = self.table.streams.len();
        assert!(known <= self.lines.len() + self.table.lingering.len() + self.table.going.len() + usize::from(PEERS));
        assert!(self.table.hellos.len() <= HELLOS_MAX);
        assert!(self.table.lingering.len() <= LINGERING_MAX && self.table.going.len() <= GOING_MAX);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]
    #[test]
    fn whatever_comes_and_goes_each_stream_is_known_by_its_own_number_and_everybody_is_heard(
        steps in proptest::collection::vec((0_u8..16, 0..PEERS, 0..NUMBERS, any::<bool>(), any::<prop::sample::Index>()), 1..200)
    ) {
        let mut world = World { table: Table::default(), behind: Dispatcher::default(), lines: Vec::new(), now: Instant::now() };
        for (kind, peer, number, flag, at) in steps {
            // They meet around the end of the numbers too.
            let (address, number) = (address(peer), number.wrapping_sub(NUMBERS / 2));
            match kind {
                0..4 => world.comes(address, &packet(HELLO, number)),
                4 => world.comes(address, &[&packet(HELLO, number)[..], b"x"].concat()),
                5..7 => world.comes(address, &header(STATE, number, 0, 5, if flag { 900 } else { 4 })),
                7 => world.comes(address, &header(if flag { RESET } else { DATA }, number, 0, 5, 4)),
                8..10 => world.accept(flag),
                10..12 => world.call(address, number),
                12 => {
                    world.behind.calling.remove(&address);
                    world.table.hangs_up(address, world.now);
                }
                13 if !world.lines.is_empty() => {
                    let key = world.lines.swap_remove(at.index(world.lines.len()));
                    world.table.ended(key, flag, world.now);
                }
                14 => {
                    // Who waits for streams has had its turns meanwhile.
                    while !world.behind.hellos.is_empty() {
                        world.accept(flag);
                    }
                    world.now += GOING / 3;
                }
                _ => {
                    world.table.sweep(world.now);
                    world.resets();
                }
            }
            world.is_sound();
        }
        // Somebody else comes, at the latest when he says it again.
        let heard = [0, 1].map(|n| world.table.admits(self::address(PEERS), &packet(HELLO, 7), world.now + HELLO_MAX * n));
        assert!(heard.contains(&true));
        for key in std::mem::take(&mut world.lines) {
            world.table.ended(key, true, world.now);
        }
        world.now += LINGER_MAX;
        world.table.sweep(world.now);
        world.table.sweep(world.now + GOING);
        let answered = world.table.calls.values().filter(|call| call.is_answered).count();
        assert_eq!((world.table.streams.len(), world.table.hellos.len()), (answered, 0), "nothing is left behind");
    }
}

#[test]
fn strangers_who_come_and_go_without_end_leave_little_behind() {
    let (mut table, now) = (Table::default(), Instant::now());
    for n in 0..2 * u16::try_from(GOING_MAX).expect("a few") {
        let key = welcome(&mut table, address(n), 7, now).expect("a stream");
        table.ended(key, true, now);
        assert_eq!(table.next_reset(), Some(key));
    }
    assert_eq!((table.streams.len(), table.going.len()), (GOING_MAX, GOING_MAX));
}
