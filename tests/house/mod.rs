//! The test house: a show in a temporary folder, built and served by the real program, and somebody to talk to it.
//!
//! ```text
//! let house = House::new().page("ep1.md", EPISODE).media("ep1.mp3", 3 * MIB);
//! house.build().ok();
//! let server = house.serve();
//! assert_eq!(server.get("/feed.xml").status, 200);
//! ```
#![allow(dead_code, reason = "each test binary lives in some of the rooms")]

pub mod attach;
pub mod dht;
#[cfg(feature = "serve")]
pub mod peer;
#[cfg(feature = "serve")]
pub mod tracker;
pub mod web;

use std::fmt::Write as _;
use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use tempfile::TempDir;

pub const KIB: usize = 1024;
pub const MIB: usize = 1024 * KIB;

/// How long anything may take before a test gives up; nothing waits for it to pass.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// Front matter and notes of an episode whose audio lies beside it.
pub fn episode(title: &str, date: &str, media: &str) -> String {
    format!("+++\ntitle = \"{title}\"\ndate = {date}\nmedia = \"{media}\"\n+++\nNotes of *{title}*.\n")
}

/// Bytes that differ for each seed, so that no two pieces are alike.
pub fn noise(seed: u64, len: usize) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()
    };
    let mut bytes: Vec<u8> = std::iter::repeat_with(&mut next).take(len.div_ceil(8)).flatten().collect();
    bytes.truncate(len);
    bytes
}

/// Noise in frames of MPEG-1 Layer III: 128 kbit/s, 44.1 kHz, 417 bytes each. What is left over is no frame.
pub fn mp3(seed: u64, len: usize) -> Vec<u8> {
    const FRAME_BYTES: usize = 417;
    let mut bytes = noise(seed, len);
    for frame in bytes.chunks_mut(FRAME_BYTES) {
        // No byte of the noise begins a header.
        frame.iter_mut().filter(|byte| **byte == 0xff).for_each(|byte| *byte = 0);
        if frame.len() == FRAME_BYTES {
            frame[..4].copy_from_slice(&[0xff, 0xfb, 0x90, 0x00]);
        }
    }
    bytes
}

/// This MP3 with a tag in front that has these chapters: where each begins, in milliseconds, and its title.
pub fn with_chapters(sound: &[u8], chapters: &[(u32, &str)]) -> Vec<u8> {
    use id3::TagLike;
    let mut tag = id3::Tag::new();
    for &(start_time, title) in chapters {
        tag.add_frame(id3::frame::Chapter {
            element_id: format!("chp{start_time}"),
            start_time,
            end_time: start_time,
            start_offset: u32::MAX,
            end_offset: u32::MAX,
            frames: vec![id3::Frame::text("TIT2", title)],
        });
    }
    let mut bytes = Vec::new();
    tag.write_to(&mut bytes, id3::Version::Id3v24).expect("a Vec takes all that is written");
    bytes.extend_from_slice(sound);
    bytes
}

/// Asks again and again until it is so, or fails the test after [`PATIENCE`].
#[track_caller]
#[expect(clippy::disallowed_methods, reason = "what never comes true must end")]
pub fn until(what: &str, is_so: impl Fn() -> bool) {
    let start = std::time::Instant::now();
    while !is_so() {
        assert!(start.elapsed() < PATIENCE, "{what}: it never came true");
        std::thread::yield_now();
    }
}

/// The program, with an environment that holds nothing of the machine's.
pub fn everseed() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_everseed"));
    command.env_clear().env("PATH", std::env::var_os("PATH").unwrap_or_default()).env("TZ", "UTC");
    command
}

/// A show in a temporary folder.
pub struct House {
    dir: TempDir,
    args: Vec<String>,
}

impl House {
    /// A show with a title, an address and no content yet.
    pub fn new() -> Self {
        let house = Self { dir: tempfile::tempdir().expect("a temporary folder"), args: Vec::new() };
        fs::create_dir_all(house.root().join("content")).expect("a folder");
        house.toml(
            "[site]\ntitle = \"A show\"\nbase_url = \"https://show.example.org/\"\ndescription = \"About things.\"\n",
        )
    }

    /// A show with two episodes and a release of several files.
    pub fn furnished() -> Self {
        Self::new()
            .page("ep1.md", &episode("One", "2026-05-01", "ep1.mp3"))
            .media("ep1.mp3", 300 * KIB)
            .page("ep2.md", &episode("Two", "2026-05-08", "ep2.mp3"))
            .media("ep2.mp3", MIB + 17)
            .page(
                "set/index.md",
                "+++\ntitle = \"A set\"\ndate = 2026-05-09\nfiles = [\"a.bin\", \"sub\"]\n+++\nData.\n",
            )
            .media("set/a.bin", 100 * KIB + 1)
            .media("set/sub/b.bin", 50 * KIB)
            .page("set/sub/empty.txt", "")
    }

    /// The same show with all that podcast directories ask for, so that its builds have nothing to warn of.
    pub fn described(self) -> Self {
        let toml = fs::read_to_string(self.root().join("everseed.toml")).expect("its configuration");
        self.toml(&format!("{toml}[show]\nimage = \"cover.jpg\"\ncategory = [\"Arts\"]\n"))
            .write("cover.jpg", include_bytes!("../../templates/init/cover.jpg"))
    }

    /// The folder that holds `everseed.toml`.
    pub fn root(&self) -> PathBuf {
        self.dir.path().join("show")
    }

    /// A folder beside the show.
    pub fn beside(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// The built site.
    pub fn public(&self) -> PathBuf {
        self.root().join("public")
    }

    /// Replaces `everseed.toml`.
    pub fn toml(self, text: &str) -> Self {
        self.write("everseed.toml", text.as_bytes())
    }

    /// Writes a text below `content/`.
    pub fn page(self, name: &str, text: &str) -> Self {
        self.write(&format!("content/{name}"), text.as_bytes())
    }

    /// Writes noise of its own below `content/`; in frames of sound where its name says so.
    pub fn media(self, name: &str, len: usize) -> Self {
        let seed = name.bytes().fold(7, |sum: u64, byte| sum.wrapping_mul(31).wrapping_add(u64::from(byte)));
        let is_mp3 = std::path::Path::new(name).extension().is_some_and(|extension| extension == "mp3");
        let bytes = if is_mp3 { mp3(seed, len) } else { noise(seed, len) };
        self.write(&format!("content/{name}"), &bytes)
    }

    /// Writes a file below the show's folder.
    pub fn write(self, name: &str, bytes: &[u8]) -> Self {
        let path = self.root().join(name);
        fs::create_dir_all(path.parent().expect("a file stands in a folder")).expect("a folder");
        fs::write(path, bytes).expect("written");
        self
    }

    /// Adds an argument to each `serve` that follows.
    pub fn serving_with(mut self, args: &[&str]) -> Self {
        self.args.extend(args.iter().map(|&arg| arg.to_owned()));
        self
    }

    /// Runs `everseed` with `args` in the show's folder.
    pub fn run(&self, args: &[&str]) -> Run {
        Run::of(everseed().args(args).current_dir(self.root()), self.dir.path())
    }

    /// Builds into `public/`.
    pub fn build(&self) -> Run {
        self.run(&["build"])
    }

    /// Builds for the address it will serve, and serves.
    pub fn serve(&self) -> Server {
        let root = self.root().display().to_string();
        Server::start(&self.serve_args(&[&root]), self.dir.path())
    }

    /// Serves `public/` as it was built.
    pub fn serve_site(&self) -> Server {
        self.serve_site_telling(Stdio::piped())
    }

    /// Serves `public/` with this stderr.
    pub fn serve_site_telling(&self, stderr: Stdio) -> Server {
        let (site, data) = (self.public().display().to_string(), self.beside("data").display().to_string());
        Server::start_telling(&self.serve_args(&["--site", &site, "--data", &data]), self.dir.path(), stderr)
    }

    /// Serves `public/` as it was built, with these arguments.
    pub fn serve_site_with(&self, args: &[&str]) -> Server {
        let (site, data) = (self.public().display().to_string(), self.beside("data").display().to_string());
        let args = [&["--site", &site, "--data", &data], args].concat();
        Server::start(&self.serve_args(&args), self.dir.path())
    }

    fn serve_args(&self, first: &[&str]) -> Vec<String> {
        let all = ["--listen", "127.0.0.1:0", "--peer-listen", "127.0.0.1:0"];
        // What a test says comes in the place of what every test needs.
        let wanted = |flag: &str| !self.args.iter().any(|arg| arg == flag);
        let all = all.chunks(2).filter(|pair| wanted(pair[0])).flatten();
        let fixed = first.iter().chain(all).map(|&arg| arg.to_owned());
        fixed.chain(self.args.iter().cloned()).collect()
    }
}

/// The memory of a process that stands in no file, in KiB.
pub fn anon_kib(pid: u32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).expect("Linux tells");
    let line = status.lines().find_map(|line| line.strip_prefix("RssAnon:")).expect("Linux tells");
    line.trim().trim_end_matches(" kB").parse().expect("a number")
}

/// How a command ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Run {
    pub code: Option<i32>,
    pub stdout: String,
    pub stderr: String,
}

impl Run {
    /// Runs `command` to its end; `dir` is written as `DIR`.
    pub fn of(command: &mut Command, dir: &Path) -> Self {
        let output = command.stdin(Stdio::null()).output().expect("the program starts");
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).replace(&dir.display().to_string(), "DIR");
        Self { code: output.status.code(), stdout: text(&output.stdout), stderr: text(&output.stderr) }
    }

    /// Itself, if it ended well.
    #[track_caller]
    pub fn ok(self) -> Self {
        assert_eq!(self.code, Some(0), "stdout:\n{}\nstderr:\n{}", self.stdout, self.stderr);
        self
    }

    /// The whole of it, for a snapshot.
    pub fn whole(&self) -> String {
        let mut text = String::new();
        for (name, content) in [("stdout", &self.stdout), ("stderr", &self.stderr)] {
            if !content.is_empty() {
                writeln!(text, "[{name}]\n{}", content.trim_end()).expect("a String takes all that is written");
            }
        }
        let code = self.code.map_or("by a signal".to_owned(), |code| code.to_string());
        writeln!(text, "[exit {code}]").expect("a String takes all that is written");
        text
    }
}

/// A running `everseed serve`; it is killed when it is dropped.
pub struct Server {
    child: Child,
    /// What it printed until it was up.
    pub greeting: String,
    errors: Receiver<String>,
    seen: std::cell::RefCell<Vec<String>>,
}

impl Server {
    /// Starts it and waits for its last line of greeting.
    pub fn start(args: &[String], dir: &Path) -> Self {
        Self::start_telling(args, dir, Stdio::piped())
    }

    /// Starts it with this stderr; what goes elsewhere than into a pipe can't be asked for with [`Server::said`].
    pub fn start_telling(args: &[String], dir: &Path, stderr: Stdio) -> Self {
        Self::start_as(&[&["serve".to_owned()], args].concat(), dir, stderr)
    }

    /// Starts another command that serves.
    pub fn start_command(args: &[String], dir: &Path) -> Self {
        Self::start_as(args, dir, Stdio::piped())
    }

    fn start_as(args: &[String], dir: &Path, stderr: Stdio) -> Self {
        let mut command = everseed();
        command.args(args).current_dir(dir).stdout(Stdio::piped()).stderr(stderr);
        let mut child = command.spawn().expect("the program starts");
        let (lines, errors) = channel();
        if let Some(stderr) = child.stderr.take() {
            std::thread::spawn(move || {
                for line in BufReader::new(stderr).lines().map_while(Result::ok) {
                    // The test may have ended.
                    let _ = lines.send(line);
                }
            });
        }
        let mut greeting = String::new();
        let mut stdout = BufReader::new(child.stdout.take().expect("piped"));
        while !greeting.contains("\nseeding") && !greeting.starts_with("seeding") {
            if stdout.read_line(&mut greeting).expect("its output") == 0 {
                let status = child.wait().expect("its status");
                let errors: Vec<_> = errors.iter().collect();
                panic!("it ended before it was up: {status}\n{greeting}\n{}", errors.join("\n"));
            }
        }
        std::thread::spawn(move || std::io::copy(&mut stdout, &mut std::io::sink()));
        Self { child, greeting, errors, seen: std::cell::RefCell::default() }
    }

    /// The value of a line of the greeting.
    pub fn greeted(&self, label: &str) -> &str {
        let line = self.greeting.lines().find_map(|line| line.strip_prefix(label));
        line.unwrap_or_else(|| panic!("no `{label}` in:\n{}", self.greeting)).trim()
    }

    /// The URL of the site's root.
    pub fn url(&self) -> &str {
        self.greeted("site")
    }

    /// Where HTTP is served.
    pub fn http(&self) -> SocketAddr {
        let host = self.url().trim_start_matches("http://").split('/').next().unwrap_or_default();
        host.parse().expect("an address")
    }

    /// Where peers connect.
    pub fn peers(&self) -> SocketAddr {
        self.greeted("peers").split(' ').next().unwrap_or_default().parse().expect("an address")
    }

    /// Whether some torrent is shown as verified: what was just built is hashed when it has come to rest.
    pub fn shows_verified(&self) -> bool {
        self.get("/api/swarms.json").text().contains("\"health\":\"verified\"")
    }

    /// GET of a path.
    pub fn get(&self, path: &str) -> Response {
        get(self.http(), path)
    }

    /// The bytes of a request, whatever they are, and what comes back until the connection closes.
    pub fn request(&self, request: &str) -> Response {
        said_to(self.http(), request)
    }

    /// How many lines came on stderr so far.
    pub fn lines(&self) -> usize {
        let mut seen = self.seen.borrow_mut();
        seen.extend(self.errors.try_iter());
        seen.len()
    }

    /// Waits for a line on stderr that holds `text`.
    pub fn said(&self, text: &str) -> String {
        if let Some(line) = self.seen.borrow().iter().find(|line| line.contains(text)) {
            return line.clone();
        }
        loop {
            match self.errors.recv_timeout(PATIENCE) {
                Ok(line) => {
                    self.seen.borrow_mut().push(line.clone());
                    if line.contains(text) {
                        return line;
                    }
                }
                Err(error) => panic!("it did not say {text:?} ({error}), but:\n{}", self.seen.borrow().join("\n")),
            }
        }
    }

    /// The number of its process.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// The memory that it has for itself, in KiB: what backs no file.
    pub fn anon_kib(&self) -> u64 {
        anon_kib(self.pid())
    }

    /// Sends a signal by name: `TERM`, `INT`, `HUP`, `KILL`.
    pub fn signal(&self, name: &str) {
        let status = Command::new("kill").arg(format!("-{name}")).arg(self.child.id().to_string()).status();
        assert!(status.expect("kill runs").success());
    }

    /// Stops it as a service manager does and returns how it ended and how long that took.
    pub fn stop(self) -> (ExitStatus, Duration) {
        self.stop_with("TERM")
    }

    /// Stops it with a signal.
    #[expect(clippy::disallowed_methods, reason = "a test measures how long the program took")]
    pub fn stop_with(mut self, signal: &str) -> (ExitStatus, Duration) {
        let start = std::time::Instant::now();
        self.signal(signal);
        let status = self.child.wait().expect("its status");
        (status, start.elapsed())
    }

    /// Ends it without a word, as a power cut does.
    pub fn kill(mut self) {
        self.child.kill().expect("killed");
        self.child.wait().expect("its status");
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// GET of a path at another address than the site's.
pub fn get(at: SocketAddr, path: &str) -> Response {
    said_to(at, &format!("GET {path} HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n"))
}

fn said_to(at: SocketAddr, request: &str) -> Response {
    let mut stream = TcpStream::connect_timeout(&at, PATIENCE).expect("connected");
    stream.set_read_timeout(Some(PATIENCE)).expect("set");
    stream.write_all(request.as_bytes()).expect("sent");
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes).expect("an answer");
    Response::parse(&bytes)
}

/// An HTTP response.
#[derive(Debug)]
pub struct Response {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

impl Response {
    fn parse(bytes: &[u8]) -> Self {
        let end = bytes.windows(4).position(|four| four == b"\r\n\r\n").expect("a header's end");
        let head = String::from_utf8_lossy(&bytes[..end]);
        let mut lines = head.lines();
        let status = lines.next().and_then(|line| line.split(' ').nth(1)).and_then(|code| code.parse().ok());
        let headers: Vec<(String, String)> = lines
            .filter_map(|line| line.split_once(": "))
            .map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned()))
            .collect();
        let mut body = bytes[end + 4..].to_vec();
        if headers.iter().any(|(name, value)| name == "transfer-encoding" && value == "chunked") {
            body = unchunk(&body);
        }
        Self { status: status.expect("a status"), headers, body }
    }

    /// The value of a header, in any case.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// The body as text.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
}

fn unchunk(mut rest: &[u8]) -> Vec<u8> {
    let mut body = Vec::new();
    loop {
        let end = rest.windows(2).position(|two| two == b"\r\n").expect("a chunk's size");
        let size = usize::from_str_radix(std::str::from_utf8(&rest[..end]).expect("digits"), 16).expect("digits");
        if size == 0 {
            return body;
        }
        body.extend_from_slice(&rest[end + 2..end + 2 + size]);
        rest = &rest[end + 2 + size + 2..];
    }
}

/// Every file below `root` with its bytes, by path.
pub fn files(root: &Path) -> std::collections::BTreeMap<String, Vec<u8>> {
    let mut found = std::collections::BTreeMap::new();
    for entry in walkdir::WalkDir::new(root).sort_by_file_name() {
        let entry = entry.expect("readable");
        if entry.file_type().is_file() {
            let name = entry.path().strip_prefix(root).expect("below").to_string_lossy().into_owned();
            found.insert(name, fs::read(entry.path()).expect("read"));
        }
    }
    found
}
