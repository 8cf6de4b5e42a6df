//! A server of the tests' own: it gives one prepared answer a request, in order, and keeps what it was asked.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::{ServerConfig, ServerConnection, StreamOwned, crypto};

use super::tls::Roots;
use super::{Client, Download, Opened, Options};
use crate::problem::Problem;

/// The file that the server has; no byte stands where its neighbour could.
pub(super) fn file() -> Vec<u8> {
    (0..100_000_u32).map(|at| (at % 251) as u8).collect()
}

/// One answer: a head, a body, and what comes after as much of it as is sent.
#[derive(Debug, Clone)]
pub(super) struct Answer {
    status: &'static str,
    headers: Vec<(&'static str, String)>,
    body: Vec<u8>,
    sent: usize,
    stalls: bool,
    /// Whether it is the part that the question asks for.
    asked_part: bool,
}

impl Answer {
    /// An answer without a body.
    pub fn status(status: &'static str) -> Self {
        let headers = vec![("Content-Length", "0".into())];
        Self { status, headers, body: Vec::new(), sent: 0, stalls: false, asked_part: false }
    }

    /// The whole file, as a server without ranges gives it.
    pub fn whole() -> Self {
        let body = file();
        Self::status("200 OK")
            .with("Content-Length", &body.len().to_string())
            .with("Content-Type", "audio/mpeg")
            .with("ETag", "\"1\"")
            .with("Last-Modified", "Fri, 01 May 2026 12:00:00 GMT")
            .body(body)
    }

    /// The file from byte `from` on.
    pub fn part(from: usize) -> Self {
        let whole = Self::whole();
        let total = whole.body.len();
        let body = whole.body[from..].to_vec();
        Self { status: "206 Partial Content", ..whole }
            .with("Content-Length", &body.len().to_string())
            .with("Content-Range", &format!("bytes {from}-{}/{total}", total - 1))
            .body(body)
    }

    /// The file from the byte on that is asked for.
    pub fn asked_part() -> Self {
        Self { asked_part: true, ..Self::part(0) }
    }

    /// A redirect.
    pub fn redirect(status: &'static str, to: &str) -> Self {
        Self::status(status).with("Location", to)
    }

    /// No answer at all: the connection is held until the client gives it up.
    pub fn silent() -> Self {
        Self::status("").without("Content-Length").stall()
    }

    /// Sets a header.
    pub fn with(self, name: &'static str, value: &str) -> Self {
        let mut answer = self.without(name);
        answer.headers.push((name, value.to_owned()));
        answer
    }

    pub fn without(mut self, name: &'static str) -> Self {
        self.headers.retain(|(other, _)| *other != name);
        self
    }

    pub fn body(mut self, body: Vec<u8>) -> Self {
        self.sent = body.len();
        self.body = body;
        self
    }

    /// Sends only so many bytes of the body, and closes the connection.
    pub fn cut(mut self, sent: usize) -> Self {
        self.sent = sent;
        self
    }

    /// Holds the connection at its end until the client gives it up.
    pub fn stall(mut self) -> Self {
        self.stalls = true;
        self
    }

    /// Sends the body in chunks, without its length.
    pub fn chunked(self) -> Self {
        let mut body = Vec::new();
        for chunk in self.body.chunks(1000) {
            body.extend(format!("{:x}\r\n", chunk.len()).into_bytes());
            body.extend(chunk);
            body.extend(b"\r\n");
        }
        body.extend(b"0\r\n\r\n");
        self.without("Content-Length").with("Transfer-Encoding", "chunked").body(body)
    }

    fn bytes(&self) -> Vec<u8> {
        if self.status.is_empty() {
            return Vec::new();
        }
        let mut head = format!("HTTP/1.1 {}\r\nConnection: close\r\n", self.status);
        for (name, value) in &self.headers {
            head.extend([name, ": ", value, "\r\n"]);
        }
        head.push_str("\r\n");
        let mut bytes = head.into_bytes();
        bytes.extend(&self.body[..self.sent]);
        bytes
    }
}

/// A server on a port of its own. Its last answer is given to all further requests.
#[derive(Debug)]
pub(super) struct Server {
    /// `http://127.0.0.1:PORT`, or `https://localhost:PORT`.
    pub url: String,
    asked: Arc<Mutex<Vec<String>>>,
}

trait Stream: Read + Write {}
impl<T: Read + Write> Stream for T {}

impl Server {
    pub fn new(answers: impl IntoIterator<Item = Answer>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        Self::run("http://127.0.0.1", listener, answers, |stream| Some(Box::new(stream)))
    }

    /// A server whose certificate is for `localhost`, and the roots of which one signed it.
    pub fn tls(answers: impl IntoIterator<Item = Answer>) -> (Self, Roots) {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let (config, roots) = certified();
        let server = Self::run("https://localhost", listener, answers, move |stream| {
            let connection = ServerConnection::new(Arc::clone(&config)).ok()?;
            Some(Box::new(StreamOwned::new(connection, stream)))
        });
        (server, roots)
    }

    fn run(
        host: &str,
        listener: TcpListener,
        answers: impl IntoIterator<Item = Answer>,
        accept: impl Fn(TcpStream) -> Option<Box<dyn Stream>> + Send + 'static,
    ) -> Self {
        let port = listener.local_addr().expect("bound").port();
        let asked = Arc::new(Mutex::new(Vec::new()));
        let (answers, kept): (Vec<_>, _) = (answers.into_iter().collect(), Arc::clone(&asked));
        // It ends with the process: nobody waits for a thread that waits for a client.
        thread::spawn(move || {
            for (index, stream) in listener.incoming().enumerate() {
                let answer = &answers[index.min(answers.len() - 1)];
                // A client that goes away is a case of the tests, not a failure of the server.
                let _ = stream.and_then(|stream| match accept(stream) {
                    Some(stream) => serve(stream, answer, &kept),
                    None => Ok(()),
                });
            }
        });
        Self { url: format!("{host}:{port}"), asked }
    }

    /// The request lines and those headers that a test is about, without `Host`.
    pub fn asked(&self) -> Vec<String> {
        lock(&self.asked).clone()
    }

    /// Hides the port, which is another in each run.
    pub fn hide_port(&self, text: &impl ToString) -> String {
        let port = self.url.rsplit(':').next().unwrap_or_default();
        text.to_string().replace(&format!(":{port}"), ":PORT")
    }
}

fn lock(asked: &Mutex<Vec<String>>) -> MutexGuard<'_, Vec<String>> {
    asked.lock().unwrap_or_else(PoisonError::into_inner)
}

fn serve(stream: Box<dyn Stream>, answer: &Answer, asked: &Mutex<Vec<String>>) -> std::io::Result<()> {
    let mut stream = BufReader::new(stream);
    let mut head = Vec::new();
    loop {
        let mut line = String::new();
        if stream.read_line(&mut line)? == 0 {
            return Ok(());
        }
        match line.trim_end() {
            "" => break,
            line if line.starts_with("host:") => {}
            line => head.push(line.to_owned()),
        }
    }
    let from = head.iter().find_map(|line| line.strip_prefix("range: bytes=")?.split('-').next()?.parse().ok());
    lock(asked).push(head.join("\n"));
    let bytes = if answer.asked_part {
        let part = Answer::part(from.unwrap_or_default());
        Answer { sent: part.sent.min(answer.sent), ..part }.bytes()
    } else {
        answer.bytes()
    };
    stream.get_mut().write_all(&bytes)?;
    stream.get_mut().flush()?;
    if answer.stalls {
        std::io::copy(&mut stream, &mut std::io::sink())?;
    }
    Ok(())
}

fn certified() -> (Arc<ServerConfig>, Roots) {
    let (ca_key, key) = (rcgen::KeyPair::generate(), rcgen::KeyPair::generate());
    let (ca_key, key) = (ca_key.expect("a key"), key.expect("a key"));
    let mut ca = rcgen::CertificateParams::new([]).expect("no names");
    ca.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    let ca = rcgen::CertifiedIssuer::self_signed(ca, ca_key).expect("a certificate");
    let leaf = rcgen::CertificateParams::new(["localhost".into()]).expect("a name");
    let leaf = leaf.signed_by(&key, &ca).expect("a certificate");

    let mut roots = Roots::empty();
    roots.add(CertificateDer::from(ca.as_ref().der().to_vec())).expect("a root");
    let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
    let config = ServerConfig::builder_with_provider(Arc::new(crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .expect("the provider has them")
        .with_no_client_auth()
        .with_single_cert(vec![CertificateDer::from(leaf.der().to_vec())], key)
        .expect("the key fits");
    (Arc::new(config), roots)
}

/// Options that pause never and wait long: only what the server does ends a connection.
pub(super) fn patient() -> Options {
    let long = Duration::from_secs(600);
    Options {
        connect_within: long,
        head_within: long,
        stall_within: long,
        tries_max: 3,
        resumes_max: 5,
        pause: Duration::ZERO,
        pause_max: Duration::ZERO,
        document_within: long,
        slow_within: long,
        slow_bytes: 64 * 1024,
        reach: super::reach::Reach::Anywhere,
    }
}

/// How long tests wait for servers that say nothing.
pub(super) const SHORT: Duration = Duration::from_millis(20);

pub(super) fn client(options: &Options) -> Client {
    // No roots: the tests of http shall not depend on what the machine trusts.
    Client::with_roots(options, Roots::empty()).expect("a client")
}

/// The download that `opened` is.
pub(super) fn body(opened: Result<Opened, Problem>) -> Download {
    match opened.expect("opened") {
        Opened::Body(download) => download,
        Opened::Same { .. } => panic!("the file is another one"),
    }
}

/// All of `/a.mp3`, or why not.
pub(super) fn fetch(server: &Server) -> Result<Vec<u8>, String> {
    fetch_with(server, &patient())
}

/// [`fetch`] with other options.
pub(super) fn fetch_with(server: &Server, options: &Options) -> Result<Vec<u8>, String> {
    let shown = |problem: &Problem| server.hide_port(problem);
    match client(options).open(&format!("{}/a.mp3", server.url), &[]) {
        Err(problem) => Err(shown(&problem)),
        Ok(opened) => {
            let (mut download, mut bytes) = (body(Ok(opened)), Vec::new());
            let read = download.read_to_end(&mut bytes).map(|_| bytes);
            read.map_err(|error| shown(Problem::carried_by(&error).expect("a problem")))
        }
    }
}
