//! The pieces of a torrent from its web seeds (BEP 19), one request at a time, each piece hashed as it comes.
//!
//! A web seed is not believed: what it sends is kept where the pieces are right, and a seed that sends a wrong one is not
//! asked again for this torrent. What is missing in the end, others may have.

use std::collections::HashSet;
use std::fs::{self, File};
use std::io::Read;
use std::os::unix::fs::FileExt;
use std::path::PathBuf;

use tokio::time::Instant;
use url::Url;

use super::content::{Content, PieceHasher};
use super::gather::Failure;
use super::stop::Stop;
use crate::fetch::reach::is_private;
use crate::fetch::{Client, Download, Slow};
use crate::metainfo::Info;
use crate::problem::Problem;
use crate::sitepath::encode_segment;

/// The most web seeds of a torrent that are asked.
pub const WEB_SEEDS_MAX: usize = 16;
/// The bytes that are read at a time.
const CHUNK_BYTES: usize = 256 * 1024;
/// The most problems that are kept of one torrent.
const PROBLEMS_MAX: usize = 8;

/// Where each file of a torrent may be had, for each web seed; `None` where that seed has no such file.
pub type Seeds = Vec<Vec<Option<String>>>;

/// The URLs of the files at one web seed (BEP 19); `None` where it is not one that may be asked.
pub fn at_seed(seed: &str, info: &Info) -> Option<Vec<Option<String>>> {
    let files = info.files();
    let encoded = |path: &str| path.split('/').map(encode_segment).collect::<Vec<_>>().join("/");
    let is_folder = seed.ends_with('/');
    let url = |path: &str| match (&files[..], is_folder) {
        // One file is what the URL names, unless that is a folder.
        ([(only, _)], false) if !only.contains('/') => seed.to_owned(),
        (_, true) => format!("{seed}{}", encoded(path)),
        (_, false) => format!("{seed}/{}", encoded(path)),
    };
    Url::parse(seed).ok().filter(Url::has_host)?;
    Some(files.iter().map(|(path, _)| Some(url(path))).collect())
}

/// Whether a stranger's document may have us ask for `url`: on this machine and in its network only where the document
/// comes from that host itself. Names are not looked up for it.
pub fn may_be_asked(url: &str, document: &Url) -> bool {
    let Ok(url) = Url::parse(url) else { return false };
    let is_private = is_private(&url);
    matches!(url.scheme(), "http" | "https") && (!is_private || url.host() == document.host())
}

/// Whether a stranger's torrent may have us ask the tracker at `url`, by the same rule.
pub fn may_announce(url: &str, document: &Url) -> bool {
    Url::parse(url).is_ok_and(|url| !is_private(&url) || url.host_str() == document.host_str())
}

/// The files into which a torrent is gathered. They have their sizes from the first byte on, and holes.
#[derive(Debug)]
pub struct Files {
    files: Vec<(PathBuf, u64)>,
    last: Option<(usize, File)>,
}

impl Files {
    /// Files at these paths, with these sizes, of which none need be there yet.
    pub fn new(files: Vec<(PathBuf, u64)>) -> Self {
        Self { files, last: None }
    }

    /// Makes those that are not there.
    pub fn make_all(&mut self) -> Result<(), Failure> {
        (0..self.files.len()).try_for_each(|file| self.open(file).map(|_| ()))
    }

    fn write(&mut self, file: usize, at: u64, bytes: &[u8]) -> Result<(), Failure> {
        let written = self.open(file)?.write_all_at(bytes, at);
        written.map_err(|error| Failure::unwritable(&self.files[file].0, &error))
    }

    fn open(&mut self, file: usize) -> Result<&File, Failure> {
        if self.last.as_ref().is_none_or(|(last, _)| *last != file) {
            let (path, bytes) = &self.files[file];
            let opened = (|| {
                fs::create_dir_all(path.parent().unwrap_or(path))?;
                let file = File::options().write(true).create(true).truncate(false).open(path)?;
                file.set_len(*bytes)?;
                Ok(file)
            })();
            self.last = Some((file, opened.map_err(|error| Failure::unwritable(path, &error))?));
        }
        let (_, file) = self.last.as_ref().expect("it was opened");
        Ok(file)
    }
}

/// Hosts that were not reached: they are not asked again for a while.
pub type Gone = HashSet<String>;

/// Fetches the pieces that are not `good` as far as the web seeds have them, and says why not further.
///
/// Errors are those of this machine, and that it was told to stop.
pub fn gather(
    asked: &Asked<'_>,
    content: &Content,
    files: &mut Files,
    good: &mut [bool],
    gone: &mut Gone,
) -> Result<Gathered, Failure> {
    let &Asked { client, seeds, stop, patience } = asked;
    let mut gathering = Gathering {
        client,
        content,
        seeds,
        files,
        gone,
        stop,
        patience,
        slow: Vec::new(),
        given_up: HashSet::new(),
        stream: None,
        buffer: vec![0; CHUNK_BYTES],
        problems: Vec::new(),
    };
    let mut piece = 0;
    while piece < good.len() && !patience.is_over() {
        if good[piece] {
            piece += 1;
            continue;
        }
        match gathering.piece(piece, good)? {
            Came::Right => good[piece] = true,
            Came::Wrong => {}
            Came::NotAtAll(file) => piece = content.behind(file).max(piece + 1),
        }
    }
    // The one that has sent the most before it was too slow is the fastest of them.
    gathering.slow.sort_by_key(|(_, bytes)| std::cmp::Reverse(*bytes));
    let slow = gathering.slow.into_iter().map(|(seed, _)| seed).collect();
    Ok(Gathered { problems: gathering.problems, slow })
}

/// Who is asked, and how.
pub struct Asked<'a> {
    pub client: &'a Client,
    pub seeds: &'a Seeds,
    pub stop: &'a Stop,
    pub patience: Patience,
}

/// What came of asking web seeds.
pub struct Gathered {
    /// Why not all came.
    pub problems: Vec<Problem>,
    /// The web seeds that were too slow, the fastest first.
    pub slow: Vec<usize>,
}

/// How long is waited for web seeds.
#[derive(Debug, Clone, Copy)]
pub enum Patience {
    /// As long as they send more than this.
    Brisk(Slow),
    /// Until then, however slow they are.
    Until(Instant),
}

impl Patience {
    fn is_over(self) -> bool {
        matches!(self, Self::Until(until) if Instant::now() >= until)
    }
}

/// What came of asking for a piece.
enum Came {
    Right,
    /// Others have been asked for it, who are not asked again.
    Wrong,
    /// Nobody is left who has this file.
    NotAtAll(usize),
}

struct Gathering<'g> {
    client: &'g Client,
    content: &'g Content<'g>,
    seeds: &'g Seeds,
    files: &'g mut Files,
    gone: &'g mut Gone,
    stop: &'g Stop,
    patience: Patience,
    /// Seeds that were too slow, and the bytes that they had sent by then.
    slow: Vec<(usize, u64)>,
    /// Seeds that are not asked again for a file.
    given_up: HashSet<(usize, usize)>,
    stream: Option<Stream>,
    buffer: Vec<u8>,
    problems: Vec<Problem>,
}

/// A file that is being sent.
struct Stream {
    file: usize,
    seed: usize,
    /// What has come of it.
    bytes: u64,
    download: Download,
}

impl Gathering<'_> {
    fn piece(&mut self, piece: usize, good: &[bool]) -> Result<Came, Failure> {
        let mut hasher = PieceHasher::new(self.content, piece);
        let mut from: Vec<(usize, usize)> = Vec::new();
        for part in self.content.parts(piece) {
            let Some(file) = part.file else {
                hasher.pad(part.bytes);
                continue;
            };
            let (mut at, end) = (part.at, part.at + part.bytes);
            while at < end {
                self.stop.check()?;
                if self.patience.is_over() {
                    return Ok(Came::Wrong);
                }
                let Some(seed) = self.stream_at(file, at, piece, good) else { return Ok(Came::NotAtAll(file)) };
                if from.last() != Some(&(file, seed)) {
                    from.push((file, seed));
                }
                let some = usize::try_from(end - at).map_or(CHUNK_BYTES, |left| left.min(CHUNK_BYTES));
                let bytes = self.read(some);
                if bytes == 0 {
                    self.give_up(file, seed);
                    continue;
                }
                self.files.write(file, at, &self.buffer[..bytes])?;
                hasher.update(&self.buffer[..bytes]);
                at += bytes as u64;
            }
        }
        if hasher.finish() {
            return Ok(Came::Right);
        }
        self.blame(&from);
        Ok(Came::Wrong)
    }

    /// Bytes of the stream into the buffer; none at its end, and where it broke.
    fn read(&mut self, most: usize) -> usize {
        let Some(stream) = &mut self.stream else { return 0 };
        match stream.download.read(&mut self.buffer[..most]) {
            Ok(bytes) => {
                stream.bytes += bytes as u64;
                bytes
            }
            Err(error) => {
                if stream.download.was_too_slow() && self.slow.iter().all(|(seed, _)| *seed != stream.seed) {
                    self.slow.push((stream.seed, stream.bytes));
                }
                let problem = Problem::carried_by(&error).cloned();
                self.note(problem.unwrap_or_else(|| Problem::new(error.to_string())));
                0
            }
        }
    }

    /// Sees to it that the stream gives the bytes of a file from `at` on next; returns whose it is.
    fn stream_at(&mut self, file: usize, at: u64, piece: usize, good: &[bool]) -> Option<usize> {
        if let Some(stream) = self.stream.take_if(|stream| stream.file == file && stream.download.at() <= at)
            && let Some(seed) = self.go_on(stream, at)
        {
            return Some(seed);
        }
        self.stream = None;
        for seed in 0..self.seeds.len() {
            let Some(url) = self.seeds[seed].get(file).and_then(Option::as_ref) else { continue };
            let host = host(url);
            let is_slow = self.slow.iter().any(|(slow, _)| *slow == seed);
            if is_slow || self.given_up.contains(&(file, seed)) || self.gone.contains(&host) {
                continue;
            }
            let wanted = at..self.content.missing_until(file, piece, good);
            match self.client.part(url, &wanted, self.content.file_bytes(file)) {
                Ok(mut download) => {
                    if let Patience::Brisk(slow) = self.patience {
                        download.hurry(slow);
                    }
                    if let Some(seed) = self.go_on(Stream { file, seed, bytes: 0, download }, at) {
                        return Some(seed);
                    }
                }
                Err(failed) => {
                    if failed.is_unreachable || !failed.after.is_zero() {
                        self.gone.insert(host);
                    }
                    self.note(*failed.problem);
                    self.give_up(file, seed);
                }
            }
        }
        None
    }

    /// Reads a stream up to `at`: a server without ranges begins at the first byte.
    fn go_on(&mut self, stream: Stream, at: u64) -> Option<usize> {
        let (file, seed) = (stream.file, stream.seed);
        if stream.download.end() <= at {
            return None;
        }
        self.stream = Some(stream);
        while let Some(stream) = &self.stream {
            let before = at.saturating_sub(stream.download.at());
            if before == 0 {
                return Some(seed);
            }
            let some = usize::try_from(before).map_or(CHUNK_BYTES, |before| before.min(CHUNK_BYTES));
            if self.stop.check().is_err() || self.read(some) == 0 {
                self.give_up(file, seed);
            }
        }
        None
    }

    fn give_up(&mut self, file: usize, seed: usize) {
        self.given_up.insert((file, seed));
        self.stream = None;
    }

    /// A piece that came from these is wrong.
    fn blame(&mut self, from: &[(usize, usize)]) {
        self.stream = None;
        let seeds: HashSet<usize> = from.iter().map(|(_, seed)| *seed).collect();
        if let (Some(&seed), 1) = (seeds.iter().next(), seeds.len()) {
            let url = from.first().and_then(|(file, seed)| self.seeds[*seed][*file].clone()).unwrap_or_default();
            self.note(Problem::new(format!("{url}: has other bytes than the torrent says")));
            // Of this one nothing more is taken.
            self.given_up.extend((0..self.seeds[seed].len()).map(|file| (file, seed)));
        } else if !from.iter().any(|pair| self.given_up.contains(pair)) {
            // It can't be told which of them. One that broke off may have been it, and is not asked again anyway.
            self.given_up.extend(from.iter().copied());
        }
    }

    fn note(&mut self, problem: Problem) {
        if self.problems.len() < PROBLEMS_MAX {
            self.problems.push(problem);
        }
    }
}

/// Scheme, host and port of a URL.
pub fn host(url: &str) -> String {
    Url::parse(url).map(|url| url.origin().ascii_serialization()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metainfo::{File as Listed, Hashes, Layout};
    use crate::units::PieceLength;

    fn info(name: &str, layout: Layout) -> Info {
        let piece_length = PieceLength::new(16384).expect("a power of two");
        Info { name: name.into(), piece_length, private: false, source: None, layout, hashes: Hashes::V1(Vec::new()) }
    }

    #[test]
    fn a_file_stands_where_bep_19_says() {
        let one = info("a b.mp3", Layout::Single(1));
        let listed =
            |path: &[&str]| Listed { path: path.iter().map(|&name| name.into()).collect(), bytes: 1, is_pad: false };
        let pad = Listed { is_pad: true, ..listed(&[".pad", "3"]) };
        let some = info("set", Layout::Multi(vec![listed(&["x#.bin"]), pad, listed(&["sub", "y"])]));
        let at = |seed: &str, info: &Info| -> Option<Vec<String>> {
            Some(at_seed(seed, info)?.into_iter().flatten().collect())
        };
        let urls = |urls: &[&str]| Some(urls.iter().map(|&url| url.to_owned()).collect::<Vec<_>>());
        assert_eq!(at("https://a.example.org/f?x=1", &one), urls(&["https://a.example.org/f?x=1"]));
        assert_eq!(at("https://a.example.org/m/", &one), urls(&["https://a.example.org/m/a%20b.mp3"]));
        let below = urls(&["https://a.example.org/m/set/x%23.bin", "https://a.example.org/m/set/sub/y"]);
        assert_eq!(at("https://a.example.org/m/", &some), below);
        assert_eq!(at("https://a.example.org/m", &some), below);
        assert_eq!(at("m/", &some), None);
    }

    #[test]
    fn a_stranger_does_not_have_us_ask_our_own_network() {
        let may = |url: &str, document: &str| may_be_asked(url, &Url::parse(document).expect("a URL"));
        let show = "https://show.example.org/feed.xml";
        for url in ["https://media.example.net/a", "http://192.0.2.1/", "http://[2001:db8::1]:80/"] {
            assert!(may(url, show), "{url}");
        }
        for url in ["http://127.0.0.1:8080/shutdown", "ftp://a.example.org/", "file:///etc/passwd", "x"] {
            assert!(!may(url, show), "{url}");
        }
        assert!(may("http://127.0.0.1:1/a.mp3", "http://127.0.0.1:2/feed.xml"), "it lives there itself");
        assert!(!may("http://127.0.0.2/", "http://127.0.0.1/"));
    }
}
