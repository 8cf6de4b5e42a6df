//! Good, odd and hostile clients together, for minutes, while the server is killed again and again: the database is sound
//! each time, counts never go down and miss no more than what was not written yet, and memory does not grow.
//!
//! And ten million announces of torrents that nobody serves, which leave nothing behind.
//!
//! `cargo test --release --test soak -- --ignored` takes ten minutes, or `EVERSEED_SOAK_SECS`.
#![cfg(all(feature = "serve", target_os = "linux"))]
#![expect(clippy::disallowed_methods, reason = "it lasts as long as it is told to")]

mod house;

use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, UdpSocket};
use std::process::Command;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use everseed::bencode;
use everseed::id::InfoHash;
use everseed::metainfo;
use everseed::store::{FLUSH_EVERY, Store};
use everseed::tracker::udp::{self, ANNOUNCE, CONNECT, ConnectionIds, PROTOCOL_ID, Request};
use everseed::tracker::{Options, Reply, Seconds, Swarms};
use house::{House, KIB, Server, episode, noise, peer};
use rusqlite::Connection;

/// How long a write may take on top of the time until it begins.
const WRITE_MAX: Duration = Duration::from_secs(2);
/// What its memory may grow by from one life to the last one, in KiB.
const GROWTH_KIB_MAX: u64 = 8 * 1024;
/// How long an answer is waited for; a server that was killed gives none.
const ANSWER_MAX: Duration = Duration::from_millis(500);

#[test]
#[ignore = "takes ten minutes"]
fn nothing_that_was_written_is_lost_however_often_it_is_killed() {
    let lasts = std::env::var("EVERSEED_SOAK_SECS").ok().and_then(|secs| secs.parse().ok()).unwrap_or(600);
    let [http, peers] = free_ports();
    let house = House::new()
        .page("ep1.md", &episode("One", "2026-05-01", "ep1.mp3"))
        .media("ep1.mp3", 300 * KIB)
        .serving_with(&["--listen", &http.to_string(), "--peer-listen", &peers.to_string()]);
    house.build().ok();
    let torrent = std::fs::read(house.public().join("torrents/ep1.torrent")).expect("built");
    let info_hash = metainfo::parse(torrent).expect("a torrent").info_hashes.main();
    let crowd = Crowd {
        http,
        info_hash,
        life: AtomicU64::new(0),
        done: AtomicBool::new(false),
        next: AtomicU64::new(1),
        completed: Mutex::default(),
        begun: AtomicU64::new(0),
    };
    let ends = Instant::now() + Duration::from_secs(lasts);
    thread::scope(|scope| {
        for who in [Crowd::over_http, Crowd::over_http, Crowd::over_udp, Crowd::over_udp, Crowd::odd, Crowd::hostile] {
            let crowd = &crowd;
            scope.spawn(move || {
                for turn in 0.. {
                    if crowd.done.load(Ordering::Relaxed) {
                        return;
                    }
                    // Where the server is away for a moment there is nothing to be said.
                    if who(crowd, turn).is_err() {
                        thread::sleep(Duration::from_millis(20));
                    }
                }
            });
        }
        let told = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| lives(&house, &crowd, ends)));
        crowd.done.store(true, Ordering::Relaxed);
        told.unwrap_or_else(|panic| std::panic::resume_unwind(panic));
    });
}

/// What ten million strangers may leave behind, in KiB.
const LEFT_BEHIND_KIB_MAX: u64 = 1024;
/// Set in the process that nothing else runs in.
const ALONE: &str = "EVERSEED_SOAK_ALONE";

#[test]
#[ignore = "takes half a minute in a debug build"]
fn ten_million_announces_of_torrents_that_nobody_serves_leave_nothing() {
    if std::env::var_os(ALONE).is_none() {
        let name = "ten_million_announces_of_torrents_that_nobody_serves_leave_nothing";
        let mut alone = Command::new(std::env::current_exe().expect("a process has a program"));
        let status = alone.args(["--ignored", "--exact", name, "--nocapture"]).env(ALONE, "1").status();
        return assert!(status.expect("it runs again").success());
    }
    let mut swarms = Swarms::new(Options::default(), 1);
    swarms.set_torrents([InfoHash([1; 20])]);
    let ids = ConnectionIds::new([7; 16]);
    let (mut reply, mut changes, mut out) = (Reply::default(), Vec::new(), Vec::new());
    let mut state = 88_172_645_463_325_252_u64;
    let mut random = move || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state
    };
    let mut first_kib = 0;
    for number in 0..10_000_000_u64 {
        if number == 1000 {
            first_kib = house::anon_kib(std::process::id());
        }
        let now = Seconds(1_700_000_000 + number / 100_000);
        let [a, b, c, d, ..] = random().to_ne_bytes();
        let client = SocketAddr::from(([a, b, c, d], 6881));
        let mut info_hash = [0; 20];
        info_hash.chunks_mut(8).for_each(|some| some.copy_from_slice(&random().to_ne_bytes()[..some.len()]));
        let mut packet = ids.issue(client.ip(), now).to_be_bytes().to_vec();
        packet.extend_from_slice(&ANNOUNCE.to_be_bytes());
        packet.extend_from_slice(&[0; 4]);
        packet.extend_from_slice(&info_hash);
        packet.resize(98, 1);
        let parsed = udp::parse(&packet, client, Ipv4Addr::LOCALHOST.into(), &ids, now);
        let Some(Request::Announce { transaction, announce }) = parsed else { panic!("an announce") };
        let refusal = swarms.announce(&announce, now, &mut reply, &mut changes).expect_err("nobody serves it");
        out.clear();
        udp::write_error(&mut out, transaction, refusal);
        if number % 100_000 == 0 {
            swarms.expire(now, &mut changes);
        }
    }
    assert_eq!((swarms.peers(), swarms.torrents(), changes.len()), (0, 1, 0));
    let grown = house::anon_kib(std::process::id()).saturating_sub(first_kib);
    assert!(grown <= LEFT_BEHIND_KIB_MAX, "{grown} KiB");
}

/// One life of the server after another, each ended by `kill -9`.
fn lives(house: &House, crowd: &Crowd, ends: Instant) {
    let database = house.beside("data").join("everseed.sqlite3");
    let (mut counted, mut grown_from) = (0, None);
    let mut life = 0;
    while Instant::now() < ends {
        life += 1;
        let begun_before = crowd.begun.load(Ordering::Relaxed);
        let server = house.serve_site();
        let found = downloaded(&server, &crowd.info_hash);
        assert!(found >= counted, "life {life}: {found} completions, and {counted} had been written");
        crowd.lock().clear();
        crowd.life.store(life, Ordering::Relaxed);
        // From three to ten seconds, another time each, so that it is killed in the midst of anything.
        thread::sleep(Duration::from_millis(3000 + life * 2617 % 7000));
        let anon_kib = server.anon_kib();
        let first = *grown_from.get_or_insert(anon_kib);
        assert!(anon_kib <= first + GROWTH_KIB_MAX, "life {life}: {anon_kib} KiB, of {first} in the first");
        server.kill();
        let killed = Instant::now();
        // Whoever is in the midst of a turn notices that this life is over.
        crowd.life.store(0, Ordering::Relaxed);
        let written = crowd.lock().iter().filter(|at| **at + FLUSH_EVERY + WRITE_MAX < killed).count() as u64;
        counted = found + written;
        let sound: String = Connection::open(&database)
            .and_then(|db| db.query_row("PRAGMA integrity_check", [], |row| row.get(0)))
            .expect("the database opens");
        assert_eq!(sound, "ok", "life {life}");
        let loaded =
            Store::open(&database).expect("it opens").store.load(everseed::tracker::Seconds(0)).expect("it loads");
        let on_disk =
            loaded.lifetimes.iter().find(|(hash, _)| *hash == crowd.info_hash).map_or(0, |(_, of)| of.completed);
        let begun = crowd.begun.load(Ordering::Relaxed) - begun_before;
        assert!(on_disk >= counted, "life {life}: {on_disk} completions are on the disk, of {counted} at least");
        assert!(on_disk <= found + begun, "life {life}: {on_disk} completions, and {begun} were begun after {found}");
    }
    println!("{life} lives, {counted} completions at least");
}

fn free_ports() -> [SocketAddr; 2] {
    let listeners = [(); 2].map(|()| TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port"));
    listeners.map(|listener| listener.local_addr().expect("its address"))
}

fn downloaded(server: &Server, info_hash: &InfoHash) -> u64 {
    let response = server.get(&format!("/scrape?info_hash={}", escaped(&info_hash.0)));
    let reply = bencode::decode(&response.body).expect("bencode");
    let (_, counts) = &reply.get("files").and_then(|files| files.as_dict()).expect("a dictionary")[0];
    let downloaded = counts.get("downloaded").and_then(bencode::Value::as_int).expect("a number");
    u64::try_from(downloaded).expect("not negative")
}

fn escaped(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |text, byte| text + &format!("%{byte:02x}"))
}

/// All clients.
struct Crowd {
    http: SocketAddr,
    info_hash: InfoHash,
    /// Which life of the server this is; 0 between two of them.
    life: AtomicU64,
    done: AtomicBool,
    /// The number of the next client.
    next: AtomicU64,
    /// When completions were answered, in this life.
    completed: Mutex<Vec<Instant>>,
    /// How many clients have said that they complete, answered or not.
    begun: AtomicU64,
}

/// What a good client says one after another.
const LEFT_AND_EVENT: [(u64, &str, u32); 3] = [(9, "started", 2), (0, "completed", 1), (0, "stopped", 3)];

impl Crowd {
    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<Instant>> {
        self.completed.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The name and the address of a new client.
    fn client(&self) -> (String, Ipv4Addr) {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        let [.., high, low] = (number % 60_000).to_be_bytes();
        (format!("-XX0001-{number:012}"), Ipv4Addr::new(127, 3, high, low.max(1)))
    }

    /// Goes through the three announces of a good client; a completion counts that began and ended in one life.
    fn is_good(&self, mut announce: impl FnMut(u64, &str, u32) -> io::Result<()>) -> io::Result<()> {
        let life = self.life.load(Ordering::Relaxed);
        if life == 0 {
            return Err(io::ErrorKind::NotConnected.into());
        }
        for (left, event, code) in LEFT_AND_EVENT {
            if event == "completed" {
                self.begun.fetch_add(1, Ordering::Relaxed);
            }
            announce(left, event, code)?;
            let mut completed = self.lock();
            if event == "completed" && self.life.load(Ordering::Relaxed) == life {
                completed.push(Instant::now());
            }
        }
        // Some hundred clients a second, not all that the machine can do.
        thread::sleep(Duration::from_millis(5));
        Ok(())
    }

    fn over_http(&self, _: u64) -> io::Result<()> {
        let ((name, from), hash) = (self.client(), escaped(&self.info_hash.0));
        self.is_good(|left, event, _| {
            let query = format!("info_hash={hash}&peer_id={name}&port=6881&left={left}&event={event}&compact=1");
            let answer = self.asks(
                from,
                format!("GET /announce?{query} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n").as_bytes(),
            )?;
            let is_answer = answer.windows(8).any(|eight| eight == b"complete");
            if is_answer { Ok(()) } else { Err(io::ErrorKind::UnexpectedEof.into()) }
        })
    }

    fn over_udp(&self, _: u64) -> io::Result<()> {
        let (name, from) = self.client();
        let socket = UdpSocket::bind((from, 0))?;
        socket.connect(self.http)?;
        socket.set_read_timeout(Some(ANSWER_MAX))?;
        self.is_good(|left, _, event| {
            let mut answer = [0; 2048];
            socket.send(&[&PROTOCOL_ID.to_be_bytes()[..], &CONNECT.to_be_bytes(), &[7; 4]].concat())?;
            socket.recv(&mut answer)?;
            let packet = [
                &answer[8..16],
                &ANNOUNCE.to_be_bytes(),
                &[8; 4],
                &self.info_hash.0,
                name.as_bytes(),
                &[0; 8],
                &left.to_be_bytes(),
                &[0; 8],
                &event.to_be_bytes(),
                &[0; 8],
                &(-1_i32).to_be_bytes(),
                &6881_u16.to_be_bytes(),
            ];
            socket.send(&packet.concat())?;
            let bytes = socket.recv(&mut answer)?;
            assert_eq!(answer[..8], [&ANNOUNCE.to_be_bytes()[..], &[8; 4]].concat(), "{bytes} bytes");
            Ok(())
        })
    }

    /// Requests that real clients send by mistake, and connections that stay in the middle of one.
    fn odd(&self, turn: u64) -> io::Result<()> {
        let (_, from) = self.client();
        let asked = [
            "GET /announce HTTP/1.1\r\nHost: a\r\n\r\n",
            "GET /announce?info_hash=%zz&peer_id=a HTTP/1.0\r\n\r\n",
            "GET /scrape?info_hash=aaaaaaaaaaaaaaaaaaaa HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n",
            "HEAD /swarms HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n",
            "GET /metrics HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n",
            "GET /media/ep1.mp3 HTTP/1.1\r\nHost: a\r\nRange: bytes=5-",
            "POST /announce HTTP/1.1\r\nHost: a\r\nContent-Length: 99999\r\n\r\n",
        ];
        let text = asked[usize::try_from(turn).expect("few turns") % asked.len()];
        if text.ends_with("\r\n\r\n") && !text.contains("99999") && text.contains("close") {
            return self.asks(from, text.as_bytes()).map(drop);
        }
        let mut stream = peer::connect(from, self.http)?;
        stream.write_all(text.as_bytes())?;
        thread::sleep(Duration::from_millis(20));
        Ok(())
    }

    /// Hashes that nobody serves, packets and requests of noise.
    fn hostile(&self, turn: u64) -> io::Result<()> {
        let (name, from) = self.client();
        let garbage = noise(turn, 20 + usize::try_from(turn % 1400).expect("small"));
        let socket = UdpSocket::bind((from, 0))?;
        socket.connect(self.http)?;
        for packet in garbage.chunks(100) {
            // What the system has no room for is lost.
            drop(socket.send(packet));
        }
        let hash = escaped(&noise(turn, 20));
        self.asks(
            from,
            format!("GET /announce?info_hash={hash}&peer_id={name}&port=1&left=1 HTTP/1.0\r\n\r\n").as_bytes(),
        )?;
        self.asks(from, &[&garbage[..], b"\r\n\r\n"].concat()).map(drop)
    }

    fn asks(&self, from: Ipv4Addr, request: &[u8]) -> io::Result<Vec<u8>> {
        let mut stream = peer::connect(from, self.http)?;
        stream.set_read_timeout(Some(ANSWER_MAX))?;
        stream.write_all(request)?;
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer)?;
        Ok(answer)
    }
}
