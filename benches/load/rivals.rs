//! The servers that are compared: how each is started, and what it has taken of its processor.

use std::fs;
use std::io::{BufRead, BufReader};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, UdpSocket};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use everseed::id::InfoHash;
use everseed::manifest::{self, Entry, File, Manifest};
use everseed::metainfo;
use everseed::sitepath::SitePath;
use rustix::thread::{CpuSet, sched_setaffinity};

use super::bare::Kind;
use super::wire::NUMWANT;

/// The core of the server, and the one of the load.
const SERVER_CORE: usize = 0;
const LOAD_CORE: usize = 1;
const TORRENT_BYTES: u64 = 16_384;

/// Whom the load goes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Who {
    /// A server of this program.
    Ours(Kind),
    /// Debian's opentracker.
    Opentracker,
    /// `aquatic_udp` or `aquatic_http`.
    Aquatic,
    /// Another everseed, which the variable `EVERSEED_OTHER` names.
    Other,
    /// This one.
    Everseed,
}

/// By which way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wire {
    /// BEP 15.
    Udp,
    /// BEP 3.
    Http,
}

/// A server that runs on its core.
pub struct Rival {
    /// Which.
    pub who: Who,
    /// Where it is reached.
    pub port: u16,
    child: Child,
}

impl Who {
    /// Its name in a table.
    pub fn name(self) -> &'static str {
        match self {
            Self::Ours(Kind::Null) => "null server",
            Self::Ours(Kind::Bare) => "bare tracker",
            Self::Opentracker => "opentracker",
            Self::Aquatic => "aquatic",
            Self::Other => "other everseed",
            Self::Everseed => "everseed",
        }
    }
}

/// Lets this thread, and all programs it starts, run on the core of the load.
pub fn take_load_core() {
    run_on(LOAD_CORE);
}

fn run_on(core: usize) {
    let mut set = CpuSet::new();
    set.set(core);
    sched_setaffinity(None, &set).expect("the machine has two cores");
}

impl Rival {
    /// Starts it, or says why it can't be. `folder` is its own.
    pub fn start(who: Who, wire: Wire, site: &Path, folder: &Path, torrents: &[[u8; 20]]) -> Result<Self, String> {
        let port = free_port();
        fs::create_dir_all(folder).map_err(|error| error.to_string())?;
        let mut command = match who {
            Who::Ours(kind) => ours(kind, wire, port),
            Who::Opentracker => opentracker(port, folder, torrents)?,
            Who::Aquatic => aquatic(wire, port, folder)?,
            Who::Other => {
                let program = std::env::var_os("EVERSEED_OTHER").ok_or("EVERSEED_OTHER names none")?;
                everseed(program.as_ref(), port, site, folder)
            }
            Who::Everseed => everseed(env!("CARGO_BIN_EXE_everseed").as_ref(), port, site, folder),
        };
        run_on(SERVER_CORE);
        let started = command.stdin(Stdio::null()).spawn();
        take_load_core();
        let mut child = started.map_err(|error| format!("{command:?}: {error}"))?;
        if let Some(stdout) = child.stdout.take() {
            // It greets when it is there.
            let mut greeting = String::new();
            let mut lines = BufReader::new(stdout);
            while !greeting.contains("peers") {
                greeting.clear();
                if lines.read_line(&mut greeting).map_err(|error| error.to_string())? == 0 {
                    return Err("it ended before it greeted".into());
                }
            }
        }
        Ok(Self { who, port, child })
    }

    /// Where it listens.
    pub fn addr(&self) -> SocketAddr {
        SocketAddr::new(Ipv4Addr::LOCALHOST.into(), self.port)
    }

    /// What all of its threads have taken of the processor, those that have ended left out.
    pub fn processor_time(&self) -> Duration {
        let tasks = fs::read_dir(format!("/proc/{}/task", self.child.id())).expect("it runs");
        let nanos = tasks.filter_map(|task| {
            let text = fs::read_to_string(task.ok()?.path().join("schedstat")).ok()?;
            text.split(' ').next()?.parse::<u64>().ok()
        });
        Duration::from_nanos(nanos.sum())
    }
}

impl Drop for Rival {
    fn drop(&mut self) {
        // Nothing of it is needed any more.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn ours(kind: Kind, wire: Wire, port: u16) -> Command {
    let mut command = Command::new(std::env::current_exe().expect("this program"));
    let kind = if kind == Kind::Null { "null" } else { "bare" };
    let wire = if wire == Wire::Udp { "udp" } else { "http" };
    command.args(["--serve", kind, wire, &port.to_string()]);
    command
}

fn everseed(program: &Path, port: u16, site: &Path, folder: &Path) -> Command {
    let mut command = Command::new(program);
    command
        .args(["serve", "--listen", &format!("0.0.0.0:{port}"), "--peer-listen", "127.0.0.1:0"])
        .args(["--site".as_ref(), site, "--data".as_ref(), folder])
        .stdout(Stdio::piped())
        .stderr(Stdio::null());
    command
}

fn opentracker(port: u16, folder: &Path, torrents: &[[u8; 20]]) -> Result<Command, String> {
    let program = found("opentracker", "apt-get install opentracker")?;
    let port = port.to_string();
    let config = folder.join("opentracker.conf");
    // Debian's is built to know only what stands in a list, which it reads below its own root.
    let listed = torrents.iter().map(|hash| InfoHash(*hash).to_string()).collect::<Vec<_>>().join("\n");
    let text = format!("tracker.rootdir {}\ntracker.user nobody\naccess.whitelist list\n", folder.display());
    fs::write(&config, text)
        .and_then(|()| fs::write(folder.join("list"), listed))
        .map_err(|error| error.to_string())?;
    let mut command = Command::new(program);
    command.args(["-p", &port, "-P", &port, "-f"]).arg(config).stdout(Stdio::null()).stderr(Stdio::null());
    Ok(command)
}

fn aquatic(wire: Wire, port: u16, folder: &Path) -> Result<Command, String> {
    let (name, text) = match wire {
        Wire::Udp => (
            "aquatic_udp",
            format!(
                "socket_workers = 1\n[network]\naddress = \"0.0.0.0:{port}\"\n\
                 [protocol]\nmax_response_peers = {NUMWANT}\n"
            ),
        ),
        Wire::Http => (
            "aquatic_http",
            format!(
                "socket_workers = 1\nswarm_workers = 1\nlog_level = \"error\"\n[network]\nuse_ipv6 = false\n\
                 address_ipv4 = \"0.0.0.0:{port}\"\nkeep_alive = true\n[protocol]\nmax_peers = {NUMWANT}\n"
            ),
        ),
    };
    let program = found(name, &format!("cargo install {name}"))?;
    let config = folder.join("aquatic.toml");
    fs::write(&config, text).map_err(|error| error.to_string())?;
    let mut command = Command::new(program);
    command.arg("-c").arg(config).stdout(Stdio::null()).stderr(Stdio::null());
    Ok(command)
}

/// A program of the search path.
fn found(name: &str, remedy: &str) -> Result<PathBuf, String> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let found = std::env::split_paths(&path).map(|folder| folder.join(name)).find(|program| program.is_file());
    found.ok_or_else(|| format!("{name} is not installed ({remedy})"))
}

fn free_port() -> u16 {
    loop {
        let listener = TcpListener::bind((Ipv4Addr::UNSPECIFIED, 0)).expect("a free port");
        let port = listener.local_addr().expect("bound").port();
        if UdpSocket::bind((Ipv4Addr::UNSPECIFIED, port)).is_ok() {
            return port;
        }
    }
}

/// Writes a site of so many torrents, whose media are published elsewhere, and returns their info-hashes.
pub fn publish(site: &Path, torrents: usize) -> Vec<[u8; 20]> {
    fs::create_dir_all(site.join("torrents")).expect("a folder");
    let entry = |number: usize| {
        let name = format!("{number}.mp3");
        let [medium, torrent] = [format!("media/{name}"), format!("torrents/{number}.torrent")];
        let [medium, torrent] = [medium, torrent].map(|path| SitePath::new(path).expect("below the root"));
        let url = format!("https://media.example.org/{name}");
        let mut bytes = b"d8:announce34:https://media.example.org/announce4:info".to_vec();
        let pieces = "x".repeat(20);
        let length = name.len();
        bytes.extend_from_slice(
            format!("d6:lengthi{TORRENT_BYTES}e4:name{length}:{name}12:piece lengthi16384e6:pieces20:{pieces}ee")
                .as_bytes(),
        );
        let parsed = metainfo::parse(bytes.clone()).expect("a torrent");
        fs::write(torrent.below(site), bytes).expect("written");
        Entry {
            info_hashes: parsed.info_hashes,
            title: format!("Episode {number}"),
            torrent,
            magnet: format!("magnet:?xt=urn:btih:{}", parsed.info_hashes.main()),
            bytes: TORRENT_BYTES,
            files: vec![File { path: medium, bytes: TORRENT_BYTES, url: Some(url) }],
            page: None,
            published: None,
            retired: None,
            name,
        }
    };
    let torrents: Vec<Entry> = (0..torrents).map(entry).collect();
    let hashes = torrents.iter().map(|entry| entry.info_hashes.main().0);
    let hashes = hashes.collect();
    let manifest = Manifest {
        generator: everseed::GENERATOR.into(),
        title: "A show".into(),
        base_url: "https://media.example.org/".into(),
        torrents,
    };
    fs::write(site.join(manifest::FILE_NAME), manifest.to_json()).expect("written");
    hashes
}
