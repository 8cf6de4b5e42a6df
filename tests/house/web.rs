//! Another server, which holds media: it does what a test tells it, and keeps what it was asked.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};

/// A server on a port of its own; it is gone when it is dropped.
pub struct Web {
    addr: SocketAddr,
    shared: Arc<Shared>,
    accepting: Option<JoinHandle<()>>,
}

/// A file, and how it is sent.
#[derive(Debug, Clone, Default)]
pub struct File {
    pub bytes: Vec<u8>,
    pub etag: Option<String>,
    pub last_modified: Option<String>,
    /// Ranges are not answered: it is sent from its start only.
    pub whole_only: bool,
    /// It is elsewhere: the status and the place.
    pub redirect: Option<(u16, String)>,
    /// The next answers end after so many bytes each.
    pub cuts: Vec<usize>,
    /// So many bytes are sent, and the rest when the server is told to [`Web::go_on`].
    pub held_after: Option<usize>,
}

#[derive(Default)]
struct Shared {
    state: Mutex<State>,
    changed: Condvar,
    is_over: AtomicBool,
}

#[derive(Default)]
struct State {
    files: BTreeMap<String, File>,
    asked: Vec<String>,
    /// No body is sent before so many questions were asked.
    together: usize,
}

impl File {
    /// A file with an ETag that stands for its bytes.
    pub fn of(bytes: &[u8]) -> Self {
        let sum = bytes.iter().fold(5381_u64, |sum, &byte| sum.wrapping_mul(33) ^ u64::from(byte));
        Self { bytes: bytes.to_vec(), etag: Some(format!("\"{sum:x}\"")), ..Self::default() }
    }

    /// A redirect to `to`, a URL or a path.
    pub fn redirect(status: u16, to: &str) -> Self {
        Self { redirect: Some((status, to.to_owned())), ..Self::default() }
    }
}

impl Web {
    /// A server without files.
    pub fn new() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let (addr, shared) = (listener.local_addr().expect("bound"), Arc::new(Shared::default()));
        let served = Arc::clone(&shared);
        let accepting = thread::spawn(move || {
            for stream in listener.incoming() {
                if served.is_over.load(Ordering::SeqCst) {
                    return;
                }
                let served = Arc::clone(&served);
                // A client that goes away is a case of the tests, not a failure of the server.
                thread::spawn(move || stream.and_then(|stream| served.answer(stream)));
            }
        });
        Self { addr, shared, accepting: Some(accepting) }
    }

    /// The URL of `name`.
    pub fn url(&self, name: &str) -> String {
        format!("http://{}/{name}", self.addr)
    }

    /// Holds `file` as `name`.
    pub fn put(&self, name: &str, file: File) {
        self.shared.state().files.insert(format!("/{name}"), file);
    }

    /// The names of all files.
    pub fn names(&self) -> Vec<String> {
        self.shared.state().files.keys().map(|path| path.trim_start_matches('/').to_owned()).collect()
    }

    /// Holds the file `name` no more.
    pub fn remove(&self, name: &str) {
        self.shared.state().files.remove(&format!("/{name}"));
    }

    /// Changes the file `name`.
    pub fn change(&self, name: &str, change: impl FnOnce(&mut File)) {
        change(self.shared.state().files.get_mut(&format!("/{name}")).expect("it is there"));
    }

    /// Sends no body before `count` questions were asked.
    pub fn together(&self, count: usize) {
        self.shared.state().together = count;
    }

    /// What was asked since this was last asked, in the order of the paths: path, `Range` and conditions.
    pub fn asked(&self) -> Vec<String> {
        let mut asked = std::mem::take(&mut self.shared.state().asked);
        asked.sort();
        asked
    }

    /// How many questions were asked since.
    pub fn asked_count(&self) -> usize {
        self.shared.state().asked.len()
    }

    /// Sends what is held of all files.
    pub fn go_on(&self) {
        self.shared.state().files.values_mut().for_each(|file| file.held_after = None);
        self.shared.changed.notify_all();
    }

    /// Hides the port, which is another in each run.
    pub fn hide_port(&self, text: &str) -> String {
        let port = self.addr.port();
        text.replace(&format!(":{port}"), ":PORT").replace(&format!("%3A{port}"), "%3APORT")
    }
}

impl Drop for Web {
    fn drop(&mut self) {
        self.shared.is_over.store(true, Ordering::SeqCst);
        self.go_on();
        // It looks whether it is over when somebody comes.
        let _ = TcpStream::connect(self.addr);
        let _ = self.accepting.take().map(JoinHandle::join);
    }
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wait_while(&self, mut condition: impl FnMut(&State) -> bool) {
        let waits = |state: &mut State| !self.is_over.load(Ordering::SeqCst) && condition(state);
        drop(self.changed.wait_while(self.state(), waits).unwrap_or_else(PoisonError::into_inner));
    }

    fn answer(&self, stream: TcpStream) -> std::io::Result<()> {
        let mut stream = BufReader::new(stream);
        let mut lines = Vec::new();
        loop {
            let mut line = String::new();
            if stream.read_line(&mut line)? == 0 || line == "\r\n" {
                break;
            }
            lines.push(line.trim_end().to_owned());
        }
        let path = lines.first().and_then(|line| line.split(' ').nth(1)).unwrap_or_default().to_owned();
        let header = |name: &str| lines.iter().find_map(|line| line.strip_prefix(name)).map(str::to_owned);
        let (range, known) = (header("range: bytes="), header("if-none-match: "));
        let mut asked = path.clone();
        for name in ["range: ", "if-none-match: ", "if-modified-since: ", "if-range: "] {
            asked.extend(header(name).map(|value| format!(", {name}{value}")));
        }
        let (file, cut) = {
            let mut state = self.state();
            state.asked.push(asked);
            let file = state.files.get_mut(&path);
            file.map_or((None, None), |file| {
                let cut = if file.cuts.is_empty() { None } else { Some(file.cuts.remove(0)) };
                (Some(file.clone()), cut)
            })
        };
        self.changed.notify_all();
        let stream = stream.get_mut();
        let Some(file) = file else { return head(stream, "404 Not Found", 0, &[]) };
        if let Some((status, to)) = &file.redirect {
            return head(stream, &format!("{status} Elsewhere"), 0, &[("Location", to.clone())]);
        }
        let mut headers = Vec::new();
        headers.extend(file.etag.clone().map(|etag| ("ETag", etag)));
        headers.extend(file.last_modified.clone().map(|date| ("Last-Modified", date)));
        if known.is_some() && known == file.etag {
            return head(stream, "304 Not Modified", 0, &headers);
        }
        let total = file.bytes.len();
        let range = range.as_deref().and_then(|range| range.split_once('-')).filter(|_| !file.whole_only);
        let from = range.and_then(|(from, _)| from.parse().ok());
        let end = range.and_then(|(_, last)| last.parse::<usize>().ok()).map_or(total, |last| total.min(last + 1));
        if from.is_some_and(|from| from >= total) {
            return head(stream, "416 Range Not Satisfiable", 0, &headers);
        }
        let body = &file.bytes[from.unwrap_or_default()..end];
        let status = if let Some(from) = from {
            headers.push(("Content-Range", format!("bytes {from}-{}/{total}", end - 1)));
            "206 Partial Content"
        } else {
            "200 OK"
        };
        self.wait_while(|state| state.asked.len() < state.together);
        head(stream, status, body.len(), &headers)?;
        let held = file.held_after.unwrap_or(body.len()).min(body.len());
        let end = cut.unwrap_or(body.len());
        stream.write_all(&body[..held.min(end)])?;
        if held < end {
            stream.flush()?;
            self.wait_while(|state| state.files.get(&path).is_some_and(|file| file.held_after.is_some()));
            stream.write_all(&body[held..end])?;
        }
        Ok(())
    }
}

fn head(stream: &mut TcpStream, status: &str, len: usize, headers: &[(&str, String)]) -> std::io::Result<()> {
    let mut head = format!("HTTP/1.1 {status}\r\nConnection: close\r\nContent-Length: {len}\r\n");
    for (name, value) in headers {
        head.extend([name, ": ", value, "\r\n"]);
    }
    head.push_str("\r\n");
    stream.write_all(head.as_bytes())
}
