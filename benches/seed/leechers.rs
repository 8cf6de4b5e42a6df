//! Who downloads: sinks of our own, and clients that others wrote.

use std::fs;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use tempfile::TempDir;

use crate::network::{self, Tracker};
use crate::seeds::{Content, PYTHON, Seed, ends};
use crate::sink::{self, Sinks};

/// Requests that a sink has under way.
const AHEAD: u64 = 128;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Leecher {
    Sink,
    Libtorrent,
    Aria2,
    Qbittorrent,
}

/// Leechers at work; they end when this is dropped.
pub struct AtWork {
    sinks: Option<Sinks>,
    children: Vec<Child>,
    /// What they download to: memory.
    _folder: Option<TempDir>,
}

impl Leecher {
    /// Those who are here; the others are named.
    pub fn all() -> Vec<Self> {
        let is_here = |leecher: &Self| {
            let is_here = match leecher {
                Self::Sink => true,
                Self::Libtorrent => ends(Command::new(PYTHON).args(["-c", "import libtorrent"])),
                Self::Aria2 => ends(Command::new("aria2c").arg("--version")),
                Self::Qbittorrent => ends(Command::new("qbittorrent-nox").arg("--version")),
            };
            if !is_here {
                println!("{} is not installed, and is left out as a leecher", leecher.name());
            }
            is_here
        };
        [Self::Sink, Self::Libtorrent, Self::Aria2, Self::Qbittorrent].into_iter().filter(is_here).collect()
    }

    pub fn name(self) -> &'static str {
        match self {
            Self::Sink => "raw sink",
            Self::Libtorrent => "libtorrent",
            Self::Aria2 => "aria2",
            Self::Qbittorrent => "qBittorrent",
        }
    }

    /// Whether it is timed to its first block: its default settings try uTP and encryption first.
    pub fn is_timed(self) -> bool {
        matches!(self, Self::Libtorrent | Self::Qbittorrent)
    }

    /// Whether it is measured how much it gets. As a leecher, qBittorrent is libtorrent once more.
    pub fn is_measured(self) -> bool {
        self != Self::Qbittorrent
    }

    /// So many of it, each at an address of its own.
    pub fn start(self, seed: &Seed, content: &Content, count: usize) -> AtWork {
        if self == Self::Sink {
            let sinks = sink::start(seed.address, content, count, AHEAD);
            return AtWork { sinks: Some(sinks), children: Vec::new(), _folder: None };
        }
        self.start_with(&Tracker::new(seed.address), content, count)
    }

    /// The same, of clients that ask this tracker.
    pub fn start_with(self, tracker: &Tracker, content: &Content, count: usize) -> AtWork {
        let folder = TempDir::new_in("/dev/shm").expect("a folder in memory");
        let torrent = folder.path().join("wanted.torrent");
        fs::write(&torrent, content.torrent(&format!("http://{}/announce", tracker.address))).expect("written");
        let start = |number: usize| {
            let (own, address) = (folder.path().join(number.to_string()), network::leecher().to_string());
            fs::create_dir(&own).expect("made");
            let mut command = match self {
                Self::Sink => unreachable!("it is no program"),
                Self::Libtorrent => {
                    let mut command = Command::new(PYTHON);
                    command.args(["-B", concat!(env!("CARGO_MANIFEST_DIR"), "/benches/seed/client.py"), "leech"]);
                    command.arg(format!("{address}:6881")).arg(&own).arg(&torrent);
                    command
                }
                Self::Aria2 => {
                    let mut command = Command::new("aria2c");
                    command.args(["--no-conf", "--file-allocation=none", "--enable-dht=false", "--seed-time=0"]);
                    command.arg("--enable-peer-exchange=false");
                    command.arg(format!("--interface={address}")).arg("--dir").arg(&own).arg(&torrent);
                    command
                }
                Self::Qbittorrent => qbittorrent(&own, &address, 6881, &own, &torrent),
            };
            command.current_dir(&own).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
            command.spawn().expect("it was found before")
        };
        AtWork { sinks: None, children: (0..count).map(start).collect(), _folder: Some(folder) }
    }
}

impl AtWork {
    /// The bytes that came so far: of blocks alone, or all that the network has carried.
    pub fn bytes(&self) -> u64 {
        self.sinks.as_ref().map_or_else(network::bytes, |sinks| sinks.each().iter().sum())
    }
}

impl Drop for AtWork {
    fn drop(&mut self) {
        for child in &mut self.children {
            // It may have ended already.
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// qBittorrent with its default settings but for where it is, what it may keep, and that it finds peers by the tracker
/// alone.
pub fn qbittorrent(profile: &Path, address: &str, port: u16, save: &Path, torrent: &Path) -> Command {
    let settings = format!(
        "[LegalNotice]\nAccepted=true\n\
         [BitTorrent]\nSession\\Port={port}\nSession\\InterfaceAddress={address}\nSession\\DefaultSavePath={}\n\
         Session\\DHTEnabled=false\nSession\\LSDEnabled=false\nSession\\PeXEnabled=false\n\
         [Preferences]\nWebUI\\Enabled=false\nWebUI\\Port={}\nWebUI\\LocalHostAuth=false\n",
        save.display(),
        port + 1000,
    );
    fs::create_dir_all(profile.join("qBittorrent/config")).expect("made");
    fs::write(profile.join("qBittorrent/config/qBittorrent.conf"), settings).expect("written");
    let mut command = Command::new("qbittorrent-nox");
    command.arg(format!("--profile={}", profile.display())).arg("--skip-dialog=true").arg(torrent);
    command
}
