//! Exchanges between our two sides, with numbers that were computed by other means, and with what goes wrong.

use proptest::prelude::*;
use proptest::sample::select;

use super::keys::Side;
use super::*;
use crate::id::{from_hex, hex};

const HASH: InfoHash = InfoHash([7; 20]);

fn find(key: &[u8; 20]) -> Option<InfoHash> {
    [HASH, InfoHash([8; 20])].into_iter().find(|hash| torrent_key(hash) == *key)
}

/// A line between two sides: what one has said and the other has not heard yet.
#[derive(Default)]
struct Line(Vec<u8>);

impl Line {
    /// Moves up to `count` bytes to where they are heard.
    fn carry(&mut self, count: usize, inbox: &mut Vec<u8>) {
        inbox.extend(self.0.drain(..count.min(self.0.len())));
    }
}

/// Lets both sides speak until both are established, over lines that carry `chunk` bytes at a time. Behind its part the
/// called side says `greeting` at once, in whatever was selected.
fn exchange(
    dialler: &mut Dialling,
    acceptor: &mut Accepting,
    chunk: usize,
    greeting: &[u8],
) -> Result<(Established, Established), Fault> {
    let (mut outward, mut inward) = (Line::default(), Line::default());
    let (mut diallers_inbox, mut acceptors_inbox) = (Vec::new(), Vec::new());
    let (mut calls, mut answers) = (None, None);
    for _ in 0..20_000 {
        dialler.take_output(&mut outward.0);
        outward.carry(chunk, &mut acceptors_inbox);
        if answers.is_none() {
            answers = acceptor.receive(&mut acceptors_inbox, find)?;
            acceptor.take_output(&mut inward.0);
            if let Some(Established { ciphers, .. }) = &mut answers {
                let mut greeting = greeting.to_vec();
                ciphers.iter_mut().for_each(|ciphers| ciphers.encrypt(&mut greeting));
                inward.0.append(&mut greeting);
            }
        }
        inward.carry(chunk, &mut diallers_inbox);
        if calls.is_none() {
            calls = dialler.receive(&mut diallers_inbox)?;
        }
        assert!(diallers_inbox.len() <= PARTIAL_BYTES_MAX && acceptors_inbox.len() <= PARTIAL_BYTES_MAX);
        if let (Some(_), Some(_)) = (&calls, &answers) {
            break;
        }
    }
    // What is still on the line is heard by what was established.
    let (mut calls, mut answers) = (calls.expect("a dialler"), answers.expect("an acceptor"));
    for (established, inbox, line) in
        [(&mut calls, diallers_inbox, inward.0), (&mut answers, acceptors_inbox, outward.0)]
    {
        let mut bytes = [inbox, line].concat();
        established.ciphers.iter_mut().for_each(|ciphers| ciphers.decrypt(&mut bytes));
        established.initial.append(&mut bytes);
    }
    Ok((calls, answers))
}

/// The numbers were computed from the description of the protocol in another language, with its own RC4.
#[test]
fn an_exchange_is_what_others_compute() {
    let secret = |first: u8| std::array::from_fn(|n| first + u8::try_from(n).expect("20 bytes"));
    let mut dialler = Dialling::new(secret(1), b"aaaaa", HASH, Provide::Rc4, b"hello");
    let mut acceptor = Accepting::new(secret(101), b"bbb");
    let (mut outward, mut inward) = (Vec::new(), Vec::new());
    dialler.take_output(&mut outward);
    assert_eq!(
        hex(&outward),
        "96e112dab29e8c5272accb9b17b26887ce54a144a4e3b697c7d159b7a817e556b0918db2b4c658e02a87f7e5fb14b18a\
         553e084cbf3dad2d30f16596ccb982d406258c61b30c5c1dae2ddc60bdbd48d79896312aad63238c39e1a633821eb693\
         6161616161"
    );
    assert!(acceptor.receive(&mut outward, find).expect("a key").is_none());
    acceptor.take_output(&mut inward);
    assert_eq!(
        hex(&inward),
        "d32ae8cedd0de9ca4fe67e35626bb8c7cdb0966727d899f6a62fdb2b68817f9ddc4b684e3eb34030b8dba4e028b7cff3\
         264020340cb4eab61923cdc4e4216ba873368d83f0a38e497f1f6b4e3d2012eb91a3ee6056f966f9eae732089b6fa46e\
         626262"
    );
    assert!(dialler.receive(&mut inward).expect("a key").is_none());
    dialler.take_output(&mut outward);
    assert_eq!(
        hex(&outward),
        // PadA waited here for what comes behind it.
        "6161616161\
         78fffb0f23055a793ff7609f359e04e383ec350571d78150e85448ce01f25cccacd68f4ff1fe589f6001a24df82bedd60d89ed96\
         1f5de1fc607ed79b25"
    );
    let mut answers = acceptor.receive(&mut outward, find).expect("a hello").expect("whole");
    assert_eq!((answers.info_hash, &answers.initial[..], outward.len()), (HASH, &b"hello"[..], 0));
    acceptor.take_output(&mut inward);
    assert_eq!(hex(&inward), "6262621f1175239bd82cb005687bc65ec4");
    let mut calls = dialler.receive(&mut inward).expect("an answer").expect("whole");
    let (mut more, mut seed) = (*b"more", *b"seed");
    calls.ciphers.as_mut().expect("RC4").encrypt(&mut more);
    answers.ciphers.as_mut().expect("RC4").encrypt(&mut seed);
    assert_eq!((hex(&more), hex(&seed)), ("db2608c8".into(), "69504001".into()));
    answers.ciphers.as_mut().expect("RC4").decrypt(&mut more);
    calls.ciphers.as_mut().expect("RC4").decrypt(&mut seed);
    assert_eq!((&more, &seed), (b"more", b"seed"));
    let key = from_hex("4a90947f810ab816d0d9b5370b2b1dddde511d77");
    assert_eq!(Some(torrent_key(&HASH)), key);
}

#[test]
fn plain_bytes_are_selected_where_both_are_provided() {
    for (provide, is_encrypted) in [(Provide::Plain, false), (Provide::Either, false), (Provide::Rc4, true)] {
        let mut dialler = Dialling::new([1; 20], b"", HASH, provide, b"");
        let (calls, answers) =
            exchange(&mut dialler, &mut Accepting::new([2; 20], b""), 4096, b"").expect("an exchange");
        assert_eq!((calls.ciphers.is_some(), answers.ciphers.is_some()), (is_encrypted, is_encrypted), "{provide:?}");
    }
}

#[test]
fn a_handshake_in_the_clear_is_told_from_a_key_by_its_first_20_bytes() {
    for end in 0..PROTOCOL.len() {
        assert_eq!(is_plain(&PROTOCOL[..end]), None, "{end}");
    }
    assert_eq!(is_plain(&[&PROTOCOL[..], b"rest"].concat()), Some(true));
    for first in [&b"\x14"[..], b"\x13BitTorrent Protocol", &[0; 96]] {
        assert_eq!(is_plain(first), Some(false));
    }
}

/// A called side that has sent its key, and the streams of a caller that says to it what it likes.
struct Caller {
    acceptor: Accepting,
    shared: keys::Shared,
    ciphers: Ciphers,
}

impl Caller {
    fn new() -> Self {
        let mut acceptor = Accepting::new([2; 20], b"");
        let mut inbox = keys::public(&[1; 20]).to_vec();
        assert!(acceptor.receive(&mut inbox, find).expect("a key").is_none() && inbox.is_empty());
        let shared = keys::shared(&[1; 20], &keys::public(&[2; 20])).expect("a key");
        let ciphers = shared.ciphers(Side::Caller, &HASH);
        Self { acceptor, shared, ciphers }
    }

    /// The hello for `torrent`, with `encrypted` behind it.
    fn say(&mut self, torrent: InfoHash, encrypted: &[u8]) -> Result<Option<Established>, Fault> {
        let mut encrypted = encrypted.to_vec();
        self.ciphers.encrypt(&mut encrypted);
        let hello = [&self.shared.sync()[..], &self.shared.mask(torrent_key(&torrent)), &encrypted].concat();
        self.acceptor.receive(&mut hello.clone(), find)
    }
}

#[test]
fn what_is_wrong_with_a_hello_is_known_as_soon_as_it_has_come() {
    let says = |bytes: &[u8]| Caller::new().say(HASH, bytes).map(|done| done.map(|established| established.initial));
    assert_eq!(says(&[&[0; 11][..], &[3, 0, 0, 0, 2], b"hi"].concat()), Ok(Some(b"hi".to_vec())));
    assert_eq!(says(&[&[0; 7][..], &[1, 0, 0, 0, 2, 0, 0]].concat()), Err(Fault::NotVerified));
    for provided in [[0, 0, 0, 0], [0, 0, 0, 4], [0xff, 0xff, 0xff, 0xfc]] {
        assert_eq!(says(&[&[0; 8][..], &provided, &[0, 0]].concat()), Err(Fault::NoCipher));
    }
    assert_eq!(says(&[&[0; 11][..], &[2, 0x02, 0x01]].concat()), Err(Fault::PaddingTooLong));
    assert_eq!(says(&[&[0; 11][..], &[2, 0, 0, 0x10, 0x01]].concat()), Err(Fault::InitialTooLong));
    assert_eq!(says(&[&[0; 11][..], &[2, 0, 0, 0x10, 0x00]].concat()), Ok(None), "IA may still come");
    assert_eq!(Caller::new().say(InfoHash([9; 20]), b"").map(|_| ()), Err(Fault::UnknownTorrent));
    assert_eq!(Fault::UnknownTorrent.to_string(), "asked for a torrent that is not here");
}

#[test]
fn what_is_wrong_with_an_answer_is_known_too() {
    let shared = keys::shared(&[2; 20], &keys::public(&[1; 20])).expect("a key");
    let answers = |provide, answer: &[u8]| {
        let mut dialler = Dialling::new([1; 20], b"", HASH, provide, b"");
        let mut answer = answer.to_vec();
        shared.ciphers(Side::Called, &HASH).encrypt(&mut answer);
        let mut inbox = [&keys::public(&[2; 20])[..], &answer].concat();
        dialler.receive(&mut inbox).map(|done| done.map(|established| established.ciphers.is_some()))
    };
    let selects = |selected: u8| [&[0; 11][..], &[selected, 0, 0]].concat();
    assert_eq!(answers(Provide::Either, &selects(2)), Ok(Some(true)));
    assert_eq!(answers(Provide::Either, &selects(1)), Ok(Some(false)));
    for (provide, selected) in
        [(Provide::Rc4, 1), (Provide::Plain, 2), (Provide::Either, 3), (Provide::Either, 0), (Provide::Either, 4)]
    {
        assert_eq!(answers(provide, &selects(selected)), Err(Fault::NoCipher), "{provide:?} {selected}");
    }
    assert_eq!(answers(Provide::Rc4, &[&[0; 11][..], &[2, 0x02, 0x01]].concat()), Err(Fault::PaddingTooLong));
    assert_eq!(answers(Provide::Rc4, &[1; 14]), Ok(None), "it may be padding");
    assert_eq!(answers(Provide::Rc4, &[1; PADDING_BYTES_MAX + 8]), Err(Fault::NoSync));
}

#[test]
fn a_key_that_is_none_is_refused() {
    let mut prime_less_one = from_hex::<96>(
        "ffffffffffffffffc90fdaa22168c234c4c6628b80dc1cd129024e088a67cc74020bbea63b139b22514a08798e3404dd\
         ef9519b3cd3a431b302b0a6df25f14374fe1356d6d51c245e485b576625e7ec6f44c42e9a63a36210000000000090562",
    )
    .expect("96 bytes");
    let mut one = [0; 96];
    one[95] = 1;
    let refused = |key: [u8; 96]| Accepting::new([2; 20], b"").receive(&mut key.to_vec(), find).map(|_| ());
    for key in [[0; 96], one, prime_less_one, [0xff; 96]] {
        assert_eq!(refused(key), Err(Fault::WeakKey));
    }
    prime_less_one[95] -= 1;
    assert_eq!(refused(prime_less_one), Ok(()));
}

#[test]
fn padding_ends_within_its_maximum() {
    let hello = |padding: usize| {
        let mut dialler = Caller::new();
        let mut inbox = vec![0; padding];
        inbox.extend_from_slice(&dialler.shared.sync());
        let waits = dialler.acceptor.receive(&mut inbox, find).map(|done| done.is_none());
        (waits, inbox.len())
    };
    assert_eq!(hello(PADDING_BYTES_MAX), (Ok(true), 0));
    assert_eq!(hello(PADDING_BYTES_MAX + 1).0, Err(Fault::NoSync));
    // What is no hello at all is known before more than its padding has come.
    let mut dialler = Caller::new();
    let mut inbox = Vec::new();
    let mut sent = 0;
    while dialler.acceptor.receive(&mut inbox, find).is_ok() {
        inbox.push(b'x');
        sent += 1;
        assert!(inbox.len() <= 20);
    }
    assert_eq!(sent, PADDING_BYTES_MAX + 20);
}

#[test]
fn what_is_beyond_a_maximum_is_not_sent() {
    let (mut dialler, mut acceptor) = (
        Dialling::new([1; 20], &[b'a'; 600], HASH, Provide::Rc4, &[b'i'; 5000]),
        Accepting::new([2; 20], &[b'b'; 600]),
    );
    let (calls, answers) = exchange(&mut dialler, &mut acceptor, 1 << 20, b"").expect("an exchange");
    assert_eq!((answers.initial, calls.initial.len()), (vec![b'i'; INITIAL_BYTES_MAX], 0));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn both_sides_understand_each_other_wherever_it_is_split(
        (secret_a, secret_b) in any::<([u8; 20], [u8; 20])>(),
        (padding_a, padding_b) in (padding(), padding()),
        (zeros_c, zeros_d) in (0_u16..=512, 0_u16..=512),
        provide in select(&[Provide::Plain, Provide::Rc4, Provide::Either][..]),
        initial in proptest::collection::vec(any::<u8>(), 0..100),
        greeting in proptest::collection::vec(any::<u8>(), 0..100),
        chunk in select(&[1_usize, 2, 7, 96, 97, 500, 1 << 20][..]),
    ) {
        let mut dialler = Dialling::new(secret_a, &padding_a, HASH, provide, &initial).with_zeros(zeros_c);
        let mut acceptor = Accepting::new(secret_b, &padding_b).with_zeros(zeros_d);
        let (mut calls, mut answers) = exchange(&mut dialler, &mut acceptor, chunk, &greeting).expect("an exchange");
        prop_assert_eq!((answers.info_hash, &answers.initial), (HASH, &initial));
        prop_assert_eq!((calls.info_hash, &calls.initial), (HASH, &greeting));
        prop_assert_eq!(calls.ciphers.is_some(), provide == Provide::Rc4);
        if let (Some(calls), Some(answers)) = (&mut calls.ciphers, &mut answers.ciphers) {
            let mut said = b"and so on".to_vec();
            calls.encrypt(&mut said);
            answers.decrypt(&mut said);
            prop_assert_eq!(&said, b"and so on");
        }
    }

    #[test]
    fn no_bytes_panic_and_little_is_left_lying(
        chunks in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..300), 0..8),
    ) {
        let mut acceptor = Accepting::new([2; 20], b"pad");
        let mut dialler = Dialling::new([1; 20], b"pad", HASH, Provide::Either, b"hello");
        let (mut a, mut b, mut out) = (Vec::new(), Vec::new(), Vec::new());
        let (mut a_lives, mut b_lives) = (true, true);
        for chunk in chunks {
            if a_lives {
                a.extend_from_slice(&chunk);
                a_lives = acceptor.receive(&mut a, find).is_ok();
                prop_assert!(!a_lives || a.len() <= PARTIAL_BYTES_MAX);
            }
            if b_lives {
                b.extend_from_slice(&chunk);
                b_lives = dialler.receive(&mut b).is_ok();
                prop_assert!(!b_lives || b.len() <= PARTIAL_BYTES_MAX);
            }
            acceptor.take_output(&mut out);
            dialler.take_output(&mut out);
            prop_assert!(out.len() < 2 * (KEY_BYTES + PADDING_BYTES_MAX) + 200);
        }
    }
}

fn padding() -> impl Strategy<Value = Vec<u8>> {
    proptest::collection::vec(any::<u8>(), 0..=PADDING_BYTES_MAX)
}
