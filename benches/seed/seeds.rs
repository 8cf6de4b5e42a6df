//! Who seeds: the everseed and others, all of the same file.

use std::fs::{self, File};
use std::io::Write;
use std::net::SocketAddrV4;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use everseed::metainfo;

use crate::network::SEED;
use crate::{leechers, sink};

/// Python with libtorrent, where `.ci/install-judges` puts it.
pub const PYTHON: &str = concat!(env!("CARGO_TARGET_TMPDIR"), "/judges/venv/bin/python3");

/// How long a seed may take until it has checked the file.
const READY_MAX: Duration = Duration::from_secs(45);

/// How long a leecher of that time may have nothing: Transmission gives slots every ten seconds.
const QUIET_MAX: Duration = Duration::from_secs(12);

/// The file, as a site that the everseed serves.
pub struct Content {
    site: PathBuf,
    /// The folder that holds it.
    media: PathBuf,
    torrent: metainfo::Torrent,
    pub info_hash: [u8; 20],
    pub bytes: u64,
    pub piece_bytes: u64,
}

impl Content {
    pub fn new(dir: &Path, bytes: u64) -> Self {
        let show = dir.join("show");
        fs::create_dir_all(show.join("content")).expect("made");
        let toml = format!("[site]\ntitle = \"A show\"\nbase_url = \"http://{SEED}:8080/\"\n");
        fs::write(show.join("everseed.toml"), toml).expect("written");
        let page = "+++\ntitle = \"One\"\ndate = 2026-05-01\nmedia = \"one.zip\"\n+++\n";
        fs::write(show.join("content/one.md"), page).expect("written");
        noise(&show.join("content/one.zip"), bytes);
        let mut build = Command::new(env!("CARGO_BIN_EXE_everseed"));
        assert!(ends(build.arg("build").arg(&show)), "the site is built");
        let site = show.join("public");
        let torrent = fs::read(site.join("torrents/one.torrent")).expect("built");
        let torrent = metainfo::parse(torrent).expect("a torrent");
        let piece_bytes = torrent.metainfo.info.piece_length.bytes().into();
        let info_hash = torrent.info_hashes.main().0;
        Self { media: site.join("media"), site, torrent, info_hash, bytes, piece_bytes }
    }

    /// Its torrent, with this tracker and without a web seed.
    pub fn torrent(&self, tracker: &str) -> Vec<u8> {
        let mut metainfo = self.torrent.metainfo.clone();
        metainfo.web_seeds.clear();
        metainfo.trackers = vec![vec![tracker.to_owned()]];
        metainfo::encode(&metainfo).bytes().to_vec()
    }
}

/// A program that seeds; it is ended when this is dropped.
pub struct Seed {
    pub name: String,
    pub address: SocketAddrV4,
    child: Child,
}

impl Seed {
    /// Those who are here, ready; the everseed is the first. The others are named.
    pub fn all(dir: &Path, content: &Content) -> Vec<Self> {
        let torrent = dir.join("seeds.torrent");
        // Nobody is there: seeds need not be announced.
        fs::write(&torrent, content.torrent(&format!("http://{SEED}:1/announce"))).expect("written");
        let mut everseed = Command::new(env!("CARGO_BIN_EXE_everseed"));
        everseed.arg("serve").arg("--site").arg(&content.site).arg("--data").arg(dir.join("data"));
        everseed.args(["--listen", &format!("{SEED}:8080"), "--peer-listen", &format!("{SEED}:6881")]);
        let mut libtorrent = Command::new(PYTHON);
        libtorrent.args(["-B", concat!(env!("CARGO_MANIFEST_DIR"), "/benches/seed/client.py"), "seed"]);
        libtorrent.arg(format!("{SEED}:6882")).arg(&content.media).arg(&torrent);
        let profile = dir.join("qbittorrent");
        let mut qbittorrent = leechers::qbittorrent(&profile, &SEED.to_string(), 6883, &content.media, &torrent);
        let (settings, watched) = (dir.join("transmission"), dir.join("watched"));
        fs::create_dir_all(&watched).expect("made");
        fs::copy(&torrent, watched.join("one.torrent")).expect("written");
        let mut transmission = Command::new("transmission-daemon");
        transmission.args([
            "--foreground",
            "--no-auth",
            "--no-dht",
            "--no-lpd",
            "--port",
            "7884",
            "--peerport",
            "6884",
        ]);
        transmission.args(["--bind-address-ipv4", &SEED.to_string()]).arg("--config-dir").arg(settings);
        transmission.arg("--download-dir").arg(&content.media).arg("--watch-dir").arg(watched);
        let seeds = [
            ("everseed", 6881, &mut everseed),
            ("libtorrent", 6882, &mut libtorrent),
            ("qBittorrent", 6883, &mut qbittorrent),
            ("Transmission", 6884, &mut transmission),
        ];
        seeds.into_iter().filter_map(|(name, port, command)| Self::start(name, port, command, content)).collect()
    }

    /// Starts it, and waits until it has served the whole file once.
    fn start(name: &str, port: u16, command: &mut Command, content: &Content) -> Option<Self> {
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let Ok(child) = command.spawn() else {
            println!("{name} is not installed, and is left out as a seed");
            return None;
        };
        let mut seed = Self { name: name.to_owned(), address: SocketAddrV4::new(SEED, port), child };
        let start = Instant::now();
        while start.elapsed() < READY_MAX && seed.child.try_wait().is_ok_and(|ended| ended.is_none()) {
            let sinks = sink::start(seed.address, content, 1, 64);
            let (mut got, mut since) = (0, Instant::now());
            loop {
                std::thread::sleep(Duration::from_millis(300));
                let now: u64 = sinks.each().iter().sum();
                if now >= content.bytes {
                    return Some(seed);
                }
                if now > got {
                    (got, since) = (now, Instant::now());
                } else if since.elapsed() > QUIET_MAX || sinks.are_over() {
                    break;
                }
                if start.elapsed() > READY_MAX {
                    break;
                }
            }
        }
        println!("{name} has not served the file within {} s, and is left out as a seed", READY_MAX.as_secs());
        None
    }

    /// The processor time that it has taken so far.
    pub fn cpu(&self) -> Duration {
        super::processor::time(self.child.id()).expect("it runs")
    }
}

impl Drop for Seed {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Whether it ends well.
pub fn ends(command: &mut Command) -> bool {
    let quiet = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    quiet.status().is_ok_and(|status| status.success())
}

fn noise(path: &Path, bytes: u64) {
    let mut file = std::io::BufWriter::new(File::create(path).expect("a file"));
    let mut state = 1_u64;
    for _ in 0..bytes / 8 {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        file.write_all(&state.to_le_bytes()).expect("room for it");
    }
    file.flush().expect("room for it");
}
