//! Torrent clients that others wrote, each told to find peers through the torrent alone: no DHT, no local discovery,
//! no exchange of peers. A client ends by itself when it has all files.

use std::fs::{self, File};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use serde_json::json;

use crate::net::Room;
use crate::{bounded, script};

/// Who downloads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Client {
    Aria2,
    Libtorrent,
    Qbittorrent,
    Rtorrent,
    Transmission,
}

/// What a client is given.
pub enum Wanted<'a> {
    Torrent(&'a [u8]),
    Magnet(&'a str),
}

impl Wanted<'_> {
    fn argument(&self, folder: &Path) -> PathBuf {
        match self {
            Self::Torrent(bytes) => {
                let path = folder.join("wanted.torrent");
                fs::write(&path, bytes).expect("written");
                path
            }
            Self::Magnet(link) => PathBuf::from(link),
        }
    }
}

/// A client at work.
pub struct Download {
    child: Child,
    folder: PathBuf,
}

impl Client {
    /// Whether it downloads from web seeds (BEP 19).
    pub fn knows_web_seeds(self) -> bool {
        self != Self::Rtorrent
    }

    /// Starts to download below `folder`, which is new, at no more than `limit` bytes a second.
    pub fn start(self, room: &Room, wanted: &Wanted, folder: &Path, limit: Option<u32>) -> Download {
        fs::create_dir_all(folder.join("got")).expect("a folder");
        let mut command = room.entered(&match self {
            Self::Aria2 => aria2(wanted, folder, limit),
            Self::Libtorrent => libtorrent(wanted, folder, limit),
            Self::Qbittorrent => qbittorrent(wanted, folder, limit),
            Self::Rtorrent => rtorrent(wanted, folder, limit),
            Self::Transmission => transmission(wanted, folder, limit),
        });
        let log = File::create(folder.join("log")).expect("a file");
        let errors = log.try_clone().expect("the same file");
        command.current_dir(folder).stdin(Stdio::null()).stdout(log).stderr(errors);
        Download { child: command.spawn().expect("nsenter, of util-linux"), folder: folder.to_owned() }
    }
}

impl Download {
    /// Waits until the client has all files and has left the swarm, and returns the folder they are in.
    pub fn finished(mut self) -> PathBuf {
        let status = self.child.wait().expect("its status");
        assert!(status.success(), "{status}\n{}", self.log());
        self.folder.join("got")
    }

    /// Whether it still runs.
    pub fn runs(&mut self) -> bool {
        self.child.try_wait().expect("its status").is_none()
    }

    /// The end of what it printed.
    fn log(&self) -> String {
        let log = fs::read(self.folder.join("log")).unwrap_or_default();
        String::from_utf8_lossy(&log[log.len().saturating_sub(4096)..]).replace('\r', "\n")
    }
}

impl Drop for Download {
    fn drop(&mut self) {
        if self.runs() {
            // To `timeout`, which hands it on to the client; a kill would leave the client running.
            let _ = Command::new("kill").arg(self.child.id().to_string()).status();
            let _ = self.child.wait();
        }
    }
}

fn aria2(wanted: &Wanted, folder: &Path, limit: Option<u32>) -> Command {
    let mut command = bounded("aria2c");
    command.args(["--no-conf", "--dir=got", "--seed-time=0", "--file-allocation=none", "--summary-interval=0"]);
    command.args([
        "--enable-dht=false",
        "--enable-dht6=false",
        "--bt-enable-lpd=false",
        "--enable-peer-exchange=false",
    ]);
    command.arg(format!("--max-download-limit={}", limit.unwrap_or(0)));
    // How soon it asks for the peers of a server that came back; the tracker's own interval is half an hour.
    command.arg("--bt-tracker-interval=2");
    command.arg(wanted.argument(folder));
    command
}

fn libtorrent(wanted: &Wanted, folder: &Path, limit: Option<u32>) -> Command {
    let mut command = script("download.py");
    command.arg("got");
    command.arg(limit.unwrap_or(0).to_string());
    command.arg(wanted.argument(folder));
    command
}

fn qbittorrent(wanted: &Wanted, folder: &Path, limit: Option<u32>) -> Command {
    let settings = format!(
        "[LegalNotice]\nAccepted=true\n\
         [BitTorrent]\nSession\\DHTEnabled=false\nSession\\LSDEnabled=false\nSession\\PeXEnabled=false\n\
         Session\\Port=6881\nSession\\DefaultSavePath={got}\nSession\\GlobalDLSpeedLimit={limit}\n\
         [Network]\nPortForwardingEnabled=false\n\
         [Preferences]\nDownloads\\AutoShutDownqBTOnCompletion=true\nWebUI\\LocalHostAuth=false\n",
        got = folder.join("got").display(),
        limit = limit.unwrap_or(0) / 1024,
    );
    fs::create_dir_all(folder.join("qBittorrent/config")).expect("a folder");
    fs::write(folder.join("qBittorrent/config/qBittorrent.conf"), settings).expect("written");
    let mut command = bounded("qbittorrent-nox");
    command.arg(format!("--profile={}", folder.display())).arg("--skip-dialog=true");
    command.arg(wanted.argument(folder));
    command
}

fn rtorrent(wanted: &Wanted, folder: &Path, limit: Option<u32>) -> Command {
    fs::create_dir(folder.join("session")).expect("a folder");
    let settings = format!(
        "system.daemon.set = true\n\
         directory.default.set = {got}\n\
         session.path.set = {session}\n\
         network.port_range.set = 6881-6881\n\
         dht.mode.set = disable\n\
         protocol.pex.set = no\n\
         throttle.global_down.max_rate.set_kb = {limit}\n\
         method.set_key = event.download.finished, leave, \"system.shutdown.normal=\"\n\
         schedule2 = begin, 0, 0, \"load.start=\\\"{wanted}\\\"\"\n",
        got = folder.join("got").display(),
        session = folder.join("session").display(),
        limit = limit.unwrap_or(0) / 1024,
        wanted = wanted.argument(folder).display(),
    );
    fs::write(folder.join("settings.rc"), settings).expect("written");
    let mut command = bounded("rtorrent");
    command.arg("-n").arg("-o").arg(format!("import={}", folder.join("settings.rc").display()));
    command
}

fn transmission(wanted: &Wanted, folder: &Path, limit: Option<u32>) -> Command {
    fs::create_dir(folder.join("settings")).expect("a folder");
    let settings = json!({
        "dht-enabled": false,
        "lpd-enabled": false,
        "pex-enabled": false,
        "port-forwarding-enabled": false,
        "rpc-enabled": false,
        // Version 3.00 asks over uTP first, and a peer that has none is asked over TCP a quarter of an hour later.
        "utp-enabled": false,
        "speed-limit-down": limit.unwrap_or(0) / 1000,
        "speed-limit-down-enabled": limit.is_some(),
    });
    fs::write(folder.join("settings/settings.json"), settings.to_string()).expect("written");
    // It would stay as a seed: this is started when it has all files, and ends it as a person at a terminal does.
    let done = folder.join("done.sh");
    // Version 3.00 starts it also when it has the metadata of a magnet link, and no file yet, now and then.
    let script = "#!/bin/sh\n[ -e \"$TR_TORRENT_DIR/$TR_TORRENT_NAME\" ] && kill -INT $PPID\n";
    fs::write(&done, script).expect("written");
    fs::set_permissions(&done, fs::Permissions::from_mode(0o755)).expect("set");
    let mut command = bounded("transmission-cli");
    command.arg("--config-dir").arg(folder.join("settings")).arg("--download-dir").arg(folder.join("got"));
    command.arg("--finish").arg(done).arg(wanted.argument(folder));
    command
}
