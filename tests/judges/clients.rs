//! Torrent clients that others wrote, each told to find peers through the torrent alone: no DHT, no local discovery,
//! no exchange of peers. A client ends by itself when it has all files.

use std::fs::{self, File};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread::JoinHandle;
use std::time::Duration;

use librqbit::{AddTorrent, AddTorrentOptions, Session, SessionOptions};
use serde_json::json;

use crate::net::Room;
use crate::{PROGRAM_SECS, bounded, machine_script, node_script, script};

/// Who downloads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Client {
    Aria2,
    Deluge,
    Librqbit,
    Libtorrent,
    /// It speaks with peers in RC4 alone.
    LibtorrentEncrypted,
    /// It speaks with peers over uTP alone.
    LibtorrentUtp,
    Qbittorrent,
    Rtorrent,
    Transmission,
    Webtorrent,
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
    work: Work,
    folder: PathBuf,
}

enum Work {
    Program(Child),
    /// Of this program; it ends by itself when it takes too long.
    Thread(Option<JoinHandle<Result<(), String>>>),
}

impl Client {
    /// Whether it downloads from web seeds (BEP 19).
    pub fn knows_web_seeds(self) -> bool {
        !matches!(self, Self::Rtorrent | Self::Librqbit)
    }

    /// Starts to download below `folder`, which is new, at no more than `limit` bytes a second.
    pub fn start(self, room: &Room, wanted: &Wanted, folder: &Path, limit: Option<u32>) -> Download {
        fs::create_dir_all(folder.join("got")).expect("a folder");
        let command = match self {
            Self::Librqbit => return librqbit(room, wanted, folder, limit),
            Self::Aria2 => aria2(wanted, folder, limit),
            Self::Deluge => asked(machine_script("download_deluge.py"), wanted, folder, limit),
            Self::Libtorrent => libtorrent("default", wanted, folder, limit),
            Self::LibtorrentEncrypted => libtorrent("encrypted", wanted, folder, limit),
            Self::LibtorrentUtp => libtorrent("utp", wanted, folder, limit),
            Self::Webtorrent => asked(node_script("download_webtorrent.mjs"), wanted, folder, limit),
            Self::Qbittorrent => qbittorrent(wanted, folder, limit),
            Self::Rtorrent => rtorrent(wanted, folder, limit),
            Self::Transmission => transmission(wanted, folder, limit),
        };
        Download::begun(room, &command, folder)
    }
}

impl Download {
    /// Starts a program that downloads into `got` below `folder` and ends by itself.
    pub fn begun(room: &Room, command: &Command, folder: &Path) -> Self {
        let mut command = room.entered(command);
        let log = File::create(folder.join("log")).expect("a file");
        let errors = log.try_clone().expect("the same file");
        command.current_dir(folder).stdin(Stdio::null()).stdout(log).stderr(errors);
        let child = command.spawn().expect("nsenter, of util-linux");
        Self { work: Work::Program(child), folder: folder.to_owned() }
    }

    /// Waits until the client has all files and has left the swarm, and returns the folder they are in.
    pub fn finished(self) -> PathBuf {
        self.ended().unwrap_or_else(|how| panic!("{how}"))
    }

    /// The same, or how it failed.
    pub fn ended(mut self) -> Result<PathBuf, String> {
        match &mut self.work {
            Work::Program(child) => {
                let status = child.wait().expect("its status");
                if !status.success() {
                    return Err(format!("{status}\n{}", self.log()));
                }
            }
            Work::Thread(thread) => thread.take().expect("it is waited for once").join().expect("no panic")?,
        }
        Ok(self.folder.join("got"))
    }

    /// Whether it still runs.
    pub fn runs(&mut self) -> bool {
        match &mut self.work {
            Work::Program(child) => child.try_wait().expect("its status").is_none(),
            Work::Thread(thread) => thread.as_ref().is_some_and(|thread| !thread.is_finished()),
        }
    }

    /// The end of what it printed, and of what qBittorrent wrote elsewhere.
    fn log(&self) -> String {
        let end = |name: &str| {
            let log = fs::read(self.folder.join(name)).unwrap_or_default();
            String::from_utf8_lossy(&log[log.len().saturating_sub(4096)..]).replace('\r', "\n")
        };
        end("log") + &end("qBittorrent/data/logs/qbittorrent.log")
    }
}

impl Drop for Download {
    fn drop(&mut self) {
        if self.runs()
            && let Work::Program(child) = &mut self.work
        {
            // To `timeout`, which hands it on to the client; a kill would leave the client running.
            let _ = Command::new("kill").arg(child.id().to_string()).status();
            let _ = child.wait();
        }
    }
}

fn aria2(wanted: &Wanted, folder: &Path, limit: Option<u32>) -> Command {
    let mut command = bounded("aria2c");
    command.args(["--no-conf", "--dir=got", "--seed-time=0", "--file-allocation=none", "--summary-interval=0"]);
    // It asks trackers over UDP where its DHT is on, and finds nobody there: no cable leads out of its room.
    command.args([
        "--enable-dht=true",
        "--dht-file-path=dht.dat",
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

fn libtorrent(manner: &str, wanted: &Wanted, folder: &Path, limit: Option<u32>) -> Command {
    let mut command = script("download.py");
    command.arg(manner);
    asked(command, wanted, folder, limit)
}

/// A script of ours around somebody's library, with what all of them take.
fn asked(mut script: Command, wanted: &Wanted, folder: &Path, limit: Option<u32>) -> Command {
    script.arg("got").arg(limit.unwrap_or(0).to_string()).arg(wanted.argument(folder));
    script
}

fn librqbit(room: &Room, wanted: &Wanted, folder: &Path, limit: Option<u32>) -> Download {
    assert!(limit.is_none(), "nobody has asked librqbit to be slow");
    let what = match wanted {
        Wanted::Torrent(bytes) => AddTorrent::from_bytes(bytes.to_vec()),
        Wanted::Magnet(link) => AddTorrent::from_url((*link).to_owned()),
    };
    let got = folder.join("got");
    let whole = async move {
        let options = SessionOptions { dht: None, disable_local_service_discovery: true, ..SessionOptions::default() };
        let session = Session::new_with_opts(got, options).await.map_err(|error| format!("{error:#}"))?;
        let options = AddTorrentOptions { overwrite: true, ..AddTorrentOptions::default() };
        let added = session.add_torrent(what, Some(options)).await.map_err(|error| format!("{error:#}"))?;
        let download = added.into_handle().expect("a torrent to download");
        download.wait_until_completed().await.map_err(|error| format!("{error:#}"))?;
        session.stop().await;
        Ok(())
    };
    let patience = Duration::from_secs(PROGRAM_SECS.parse().expect("a number"));
    let thread = room.runs(move || {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
        let whole = async { tokio::time::timeout(patience, whole).await };
        runtime.expect("a runtime").block_on(whole).unwrap_or_else(|late| Err(late.to_string()))
    });
    Download { work: Work::Thread(Some(thread)), folder: folder.to_owned() }
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
