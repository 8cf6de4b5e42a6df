//! A show of one torrent with its files in a folder, and servers of other copies, for the tests of this module.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use tempfile::TempDir;

use super::{Options, Place, Subject, Watch};
use crate::fetch;
use crate::fingerprint::Fingerprint;
use crate::hash::{self, Order, Source, Wanted};
use crate::metainfo::{self, Draft, File, Hashes, Info, Kind, Layout, Torrent, encode};
use crate::sitepath::SitePath;
use crate::units::PieceLength;

/// The bytes of a piece of every torrent made here.
pub const PIECE: usize = 16_384;

/// A site of one torrent.
pub struct Show {
    pub dir: TempDir,
    pub torrent: Torrent,
    /// The bytes of each file as they were published.
    pub content: Vec<Vec<u8>>,
    names: Vec<String>,
}

impl Show {
    /// A site whose torrent has these files, with these sizes, in `media/`.
    pub fn new(kind: Kind, files: &[(&str, usize)]) -> Self {
        let dir = TempDir::new().expect("a temporary folder");
        let media = dir.path().join("site/media");
        fs::create_dir_all(&media).expect("a folder");
        let content: Vec<_> = files.iter().zip(1_u32..).map(|((_, bytes), seed)| noise(seed, *bytes)).collect();
        for ((name, _), bytes) in files.iter().zip(&content) {
            fs::write(media.join(name), bytes).expect("a file");
        }
        let length = PieceLength::new(PIECE as u64).expect("a power of two");
        let open = |(name, _): &(&str, usize)| {
            let source = Source::open(media.join(name)).expect("a file");
            if kind == Kind::Hybrid && files.len() > 1 { source.padded(length) } else { source }
        };
        let mut sources: Vec<_> = files.iter().map(open).collect();
        let wanted = Wanted { v1: kind.has_v1(), v2: kind.has_v2(), sha384: false };
        let digests = hash::hash(Order::new(&mut sources, length, wanted, &())).expect("hashes");
        let plain: Vec<_> = files
            .iter()
            .map(|(name, bytes)| File { path: vec![(*name).into()], bytes: *bytes as u64, is_pad: false })
            .collect();
        let layout = match (files, kind) {
            ([(_, bytes)], _) => Layout::Single(*bytes as u64),
            (_, Kind::Hybrid) => Layout::Multi(metainfo::padded(plain, length)),
            _ => Layout::Multi(plain),
        };
        let (pieces, trees) = (digests.pieces, digests.trees);
        let torrent = encode(&Draft {
            info: Info {
                name: if let [(name, _)] = files { (*name).into() } else { "set".into() },
                piece_length: length,
                private: false,
                source: None,
                layout,
                hashes: match kind {
                    Kind::V1 => Hashes::V1(pieces),
                    Kind::V2 => Hashes::V2(trees),
                    Kind::Hybrid => Hashes::Hybrid { pieces, trees },
                },
            },
            trackers: Vec::new(),
            web_seeds: Vec::new(),
            creation_date: None,
            created_by: None,
            comment: None,
        });
        Self { dir, torrent, content, names: files.iter().map(|(name, _)| (*name).to_owned()).collect() }
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join("site/media").join(name)
    }

    pub fn data(&self) -> PathBuf {
        self.dir.path().join("data")
    }

    /// What heals it; `published_ns` is late enough for every file to be older.
    pub fn subject(&self) -> Subject<'_> {
        let place = |name: &String| Place {
            path: self.path(name),
            below: SitePath::new(format!("media/{name}")).expect("below the root"),
            url: None,
        };
        Subject {
            title: "One".into(),
            root: self.dir.path().join("site"),
            base_url: "https://show.example.org/".into(),
            torrent: &self.torrent,
            files: self.names.iter().map(place).collect(),
            published_ns: i64::MAX,
        }
    }

    /// Changes a byte of a file, and leaves its size and time as they were.
    pub fn rot(&self, name: &str, at: usize) {
        let path = self.path(name);
        let time = fs::metadata(&path).and_then(|metadata| metadata.modified()).expect("its time");
        let mut bytes = fs::read(&path).expect("a file");
        bytes[at] ^= 0x55;
        fs::write(&path, bytes).expect("written");
        fs::File::options().write(true).open(&path).and_then(|file| file.set_modified(time)).expect("its old time");
    }

    /// The names of the files that are not as they were published.
    pub fn wrong(&self) -> Vec<&str> {
        let is_wrong = |(name, bytes): &(&String, &Vec<u8>)| fs::read(self.path(name)).ok().as_ref() != Some(*bytes);
        self.names.iter().zip(&self.content).filter(is_wrong).map(|(name, _)| name.as_str()).collect()
    }

    /// All that lies below the site and the data folder, by its path.
    pub fn tree(&self) -> Vec<String> {
        let entries = walkdir::WalkDir::new(self.dir.path()).sort_by_file_name().into_iter();
        let files = entries.map(|entry| entry.expect("an entry")).filter(|entry| entry.file_type().is_file());
        files.map(|entry| entry.path().strip_prefix(self.dir.path()).expect("below").display().to_string()).collect()
    }
}

/// What nobody has remembered.
pub fn unknown(_: &std::path::Path) -> Option<Fingerprint> {
    None
}

/// Nobody watches, and nobody stops it.
pub fn quiet() -> Watch<'static> {
    static NEVER: AtomicBool = AtomicBool::new(false);
    Watch { progress: &(), stop: &NEVER }
}

/// Options that pause never.
pub fn options(mirrors: &[&Mirror]) -> Options {
    let http = fetch::Options { tries_max: 1, pause_max: std::time::Duration::ZERO, ..fetch::Options::default() };
    Options { mirrors: mirrors.iter().map(|mirror| mirror.url.clone()).collect(), http, ..Options::default() }
}

/// Bytes in which no two blocks are alike.
pub fn noise(seed: u32, bytes: usize) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9e37_79b9) | 1;
    let next = || {
        // xorshift32, for bytes that a shifted copy does not match.
        state ^= state << 13;
        state ^= state >> 17;
        state ^= state << 5;
        state.to_le_bytes()[1]
    };
    std::iter::repeat_with(next).take(bytes).collect()
}

/// Another copy of a site, behind a web server that knows ranges; it ends with the process.
pub struct Mirror {
    /// Its root.
    pub url: String,
    files: Files,
    asked: Arc<Mutex<Vec<String>>>,
}

type Files = Arc<Mutex<Vec<(String, Vec<u8>)>>>;

impl Mirror {
    /// A copy of what the show has published, below `/copy/`.
    pub fn of(show: &Show) -> Self {
        let files = show.names.iter().zip(&show.content);
        let files = files.map(|(name, bytes)| (format!("/copy/media/{name}"), bytes.clone())).collect();
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let url = format!("http://{}/copy/", listener.local_addr().expect("bound"));
        let (files, asked): (Files, Arc<Mutex<Vec<String>>>) = (Arc::new(Mutex::new(files)), Arc::default());
        let (shown, kept) = (Arc::clone(&files), Arc::clone(&asked));
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (shown, kept) = (Arc::clone(&shown), Arc::clone(&kept));
                thread::spawn(move || while answer(&stream, &shown, &kept).is_some() {});
            }
        });
        Self { url, files, asked }
    }

    /// Changes a byte of a file there.
    pub fn rot(&self, name: &str, at: usize) {
        let mut files = self.files.lock().unwrap_or_else(PoisonError::into_inner);
        let (_, bytes) = files.iter_mut().find(|(path, _)| path.ends_with(name)).expect("a file");
        bytes[at] ^= 0x55;
    }

    /// Takes a file away there.
    pub fn remove(&self, name: &str) {
        self.files.lock().unwrap_or_else(PoisonError::into_inner).retain(|(path, _)| !path.ends_with(name));
    }

    /// The paths and ranges that were asked for.
    pub fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Hides the port, which is another in each run.
    pub fn hide_port(&self, text: &impl ToString) -> String {
        let port = self.url.split(':').nth(2).and_then(|rest| rest.split('/').next()).unwrap_or_default();
        text.to_string().replace(&format!(":{port}/"), ":PORT/")
    }
}

/// Answers one request; nothing where there is no further one.
fn answer(mut stream: &TcpStream, files: &Mutex<Vec<(String, Vec<u8>)>>, asked: &Mutex<Vec<String>>) -> Option<()> {
    let mut lines = BufReader::new(stream).lines();
    let path = lines.next()?.ok()?.split(' ').nth(1)?.to_owned();
    let headers: Vec<_> = lines.map_while(Result::ok).take_while(|line| !line.is_empty()).collect();
    let range = headers.iter().find_map(|line| line.strip_prefix("range: bytes="))?;
    asked.lock().unwrap_or_else(PoisonError::into_inner).push(format!("{path} {range}"));
    let found = files.lock().unwrap_or_else(PoisonError::into_inner);
    let Some((_, bytes)) = found.iter().find(|(known, _)| *known == path) else {
        return stream.write_all(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n").ok();
    };
    let (from, last) = range.split_once('-')?;
    let from: usize = from.parse().ok()?;
    let end = last.parse::<usize>().map_or(bytes.len(), |last| last + 1).min(bytes.len());
    let head = format!(
        "HTTP/1.1 206 Partial Content\r\nContent-Length: {}\r\nContent-Range: bytes {from}-{}/{}\r\nETag: \"1\"\r\n\r\n",
        end - from,
        end - 1,
        bytes.len()
    );
    stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(&bytes[from..end])).ok()
}
