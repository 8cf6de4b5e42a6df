//! The servers that are compared: how each is started, and what it has taken of its processor.

use std::io::{BufRead, BufReader};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, UdpSocket};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::mpsc;
use std::time::Duration;
use std::{fs, io, thread};

use everseed::id::InfoHash;
use everseed::manifest::{self, Entry, File, Manifest};
use everseed::metainfo;
use everseed::sitepath::SitePath;
use rustix::process::{Pid, Signal, kill_process};
use rustix::thread::{CpuSet, sched_setaffinity};

use super::bare::Kind;
use super::wire::NUMWANT;
use super::{Measured, READY_WITHIN, memory, processor};

/// The core of the server, and the one of the load.
const SERVER_CORE: usize = 0;
const LOAD_CORE: usize = 1;
const TORRENT_BYTES: u64 = 16_384;
/// How often it is looked whether the database is being written, in nanoseconds.
const LOOKED_EVERY: u64 = 5_000_000;
/// Processor time of the thread that writes it, of which this much or less is taken for a look at the clock.
const IDLE_NANOS_MAX: u64 = 100_000;

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

    /// Whether it is an everseed, which writes its database every few seconds.
    pub fn keeps(self) -> bool {
        matches!(self, Self::Other | Self::Everseed)
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
    pub fn start(who: Who, wire: Wire, site: &Path, folder: &Path, torrents: &[[u8; 20]]) -> Measured<Self> {
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
        let mut rival = Self { who, port, child: started.map_err(|error| format!("{command:?}: {error}"))? };
        let stdout = rival.child.stdout.take();
        if stdout.is_none_or(is_greeted) {
            Ok(rival)
        } else {
            Err(format!("it has not greeted within {} s", READY_WITHIN.as_secs()))
        }
    }

    /// Where it listens.
    pub fn addr(&self) -> SocketAddr {
        SocketAddr::new(Ipv4Addr::LOCALHOST.into(), self.port)
    }

    /// What it has taken of the processor.
    pub fn processor_time(&self) -> Measured<Duration> {
        processor::time(self.child.id()).map_err(|error| format!("it has ended: {error}"))
    }

    /// Its memory that is no page of a file, in bytes.
    pub fn memory(&self) -> Measured<u64> {
        let kib = memory::anon_kib(self.child.id()).map_err(|error| format!("it has ended: {error}"))?;
        Ok(kib * 1024)
    }

    /// An everseed stands still until its turn: writing its database disturbs no other's turn and counts in its own. Of
    /// the others nobody has much to do by itself, and aquatic does not survive it.
    pub fn pause(&self) {
        if self.who.keeps() {
            self.signal(Signal::STOP);
        }
    }

    /// It goes on.
    pub fn resume(&self) {
        if self.who.keeps() {
            self.signal(Signal::CONT);
        }
    }

    fn signal(&self, signal: Signal) {
        let pid = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw).expect("a process has a number");
        // One that has ended is found by what comes next.
        let _ = kill_process(pid, signal);
    }

    /// Looks when the database is written.
    pub fn writes(&self) -> Writes {
        let tasks = fs::read_dir(format!("/proc/{}/task", self.child.id())).into_iter().flatten().flatten();
        let mut stores = tasks
            .map(|task| task.path())
            .filter(|task| self.who.keeps() && fs::read(task.join("comm")).is_ok_and(|name| name == b"store\n"));
        let mut writes = Writes { thread: stores.next(), ..Writes::default() };
        writes.taken = writes.processor_nanos().unwrap_or(0);
        writes
    }
}

/// When a server wrote its database, as its thread `store` shows.
#[derive(Debug, Default)]
pub struct Writes {
    thread: Option<PathBuf>,
    taken: u64,
    looked: u64,
    /// From and to, in nanoseconds since the start.
    during: Vec<(u64, u64)>,
}

impl Writes {
    /// Looks, now and then.
    pub fn look(&mut self, elapsed: u64) {
        if elapsed < self.looked + LOOKED_EVERY {
            return;
        }
        let Some(taken) = self.processor_nanos() else { return };
        if taken > self.taken + IDLE_NANOS_MAX {
            match self.during.last_mut().filter(|(_, end)| *end == self.looked) {
                Some((_, end)) => *end = elapsed,
                None => self.during.push((self.looked, elapsed)),
            }
        }
        (self.taken, self.looked) = (taken, elapsed);
    }

    /// Whether nothing was written between these moments.
    pub fn are_over(&self, from: u64, to: u64) -> bool {
        let after = self.during.partition_point(|(_, end)| *end <= from);
        self.during.get(after).is_none_or(|(start, _)| *start >= to)
    }

    /// How long all of them took, in nanoseconds.
    pub fn nanos(&self) -> u64 {
        self.during.iter().map(|(start, end)| end - start).sum()
    }

    fn processor_nanos(&self) -> Option<u64> {
        let text = fs::read_to_string(self.thread.as_ref()?.join("schedstat")).ok()?;
        text.split(' ').next()?.parse().ok()
    }
}

/// Whether an everseed says where its peers come to, which it does when it is there; what it says later is read too.
fn is_greeted(stdout: ChildStdout) -> bool {
    let (said, heard) = mpsc::channel();
    thread::spawn(move || {
        for line in BufReader::new(stdout).lines().map_while(io::Result::ok) {
            if line.starts_with("peers") {
                // Nobody waits any more where it came too late.
                let _ = said.send(());
            }
        }
    });
    heard.recv_timeout(READY_WITHIN).is_ok()
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

fn opentracker(port: u16, folder: &Path, torrents: &[[u8; 20]]) -> Measured<Command> {
    let program = found("opentracker", "apt-get install opentracker")?;
    let port = port.to_string();
    let config = folder.join("opentracker.conf");
    // Debian's is built to know only what stands in a list, which it reads below its own root.
    // Where the last line does not end, it writes beyond its memory.
    let listed: String = torrents.iter().flat_map(|hash| [InfoHash(*hash).to_string(), "\n".to_owned()]).collect();
    let text = format!("tracker.rootdir {}\ntracker.user nobody\naccess.whitelist list\n", folder.display());
    fs::write(&config, text)
        .and_then(|()| fs::write(folder.join("list"), listed))
        .map_err(|error| error.to_string())?;
    let mut command = Command::new(program);
    command.args(["-p", &port, "-P", &port, "-f"]).arg(config).stdout(Stdio::null()).stderr(Stdio::null());
    Ok(command)
}

fn aquatic(wire: Wire, port: u16, folder: &Path) -> Measured<Command> {
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
                "socket_workers = 1\nswarm_workers = 1\nlog_level = \"error\"\n[network]\n\
                 address = \"0.0.0.0:{port}\"\nkeep_alive = true\n[protocol]\nmax_peers = {NUMWANT}\n"
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
fn found(name: &str, remedy: &str) -> Measured<PathBuf> {
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
