//! A built site as the tracker and the seed need it: its manifest and its torrents, read once and checked against
//! each other. Pages, feeds and media are only paths here.

use std::collections::{BTreeSet, HashMap};
use std::fmt;
use std::fs;
use std::io;
use std::net::IpAddr;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use url::{Host, Url};

use super::files::path;
use super::packed::Packed;
use crate::fingerprint::Fingerprint;
use crate::fsx;
use crate::id::InfoHash;
use crate::manifest::{self, Manifest};
use crate::metainfo::{self, File, Info, Layout, TORRENT_BYTES_MAX, Torrent};
use crate::problem::Problem;
use crate::seed;

/// A site that is served.
#[derive(Debug, Default)]
pub struct Site {
    /// Its title.
    pub title: String,
    /// Where its root is published, with a `/` at its end; empty where nothing says so.
    pub base_url: String,
    /// The names of the path of `base_url`.
    pub base: Vec<String>,
    /// Its torrents, in the manifest's order, each info-hash once.
    pub torrents: Vec<Published>,
    /// Whether it has a manifest; without one nothing is tracked or seeded.
    pub has_manifest: bool,
    /// Whether it is a mirror, whose pages stand at the show's own site.
    is_mirror: bool,
    /// The files of the torrents in the order of their paths.
    media: Box<[Place]>,
    /// What the files that are reached through symbolic links are really called, in the order of these names.
    linked: Box<[(Box<str>, Place)]>,
    /// The sizes of padding (BEP 47) in the torrent of each folder.
    pads: HashMap<String, BTreeSet<u64>>,
}

/// A file of a torrent: which torrent of the site, and which of its files.
type Place = (u32, u32);

/// A torrent of a site: what is always wanted of it, as there are thousands of them, held for years.
#[derive(Debug, Clone)]
pub struct Published {
    /// What the manifest says of it.
    pub entry: Arc<Packed>,
    /// How many pieces it has.
    pub pieces: u64,
    /// Whether peers come from the trackers alone (BEP 27).
    pub is_private: bool,
    /// As the seed takes it.
    pub seed: seed::Torrent,
    /// Announce URLs that do not lead to this server, in the tiers of the torrent (BEP 12).
    pub other_trackers: Vec<Vec<String>>,
    /// How its `.torrent` looked when it was read, where no more was taken from it than stands here.
    looks: Option<Fingerprint>,
}

impl Published {
    /// Reads its `.torrent` below the site's `root` again. It blocks.
    pub fn read(&self, root: &Path) -> Result<Torrent, Problem> {
        let at = root.join(self.entry.torrent());
        let torrent = read_torrent(&at)?;
        if torrent.info_hashes == self.entry.info_hashes {
            return Ok(torrent);
        }
        Err(Problem::at(&at, "is another torrent now").help(AGAIN))
    }

    /// Its files below the site's `root`, in the torrent's order. They need not exist.
    pub fn files(&self, root: &Path) -> impl Iterator<Item = PathBuf> {
        self.entry.files().map(|file| root.join(file.path))
    }
}

/// What announce URLs lead to this server.
#[derive(Debug, Clone, Default)]
pub struct OwnTrackers {
    /// URLs that the operator named, beside `announce` below the site's root.
    pub urls: Vec<String>,
    /// The ports at which announces over UDP arrive here.
    pub udp_ports: Vec<u16>,
    /// Whether the site is a mirror of another's: then no others lead here.
    pub is_mirror: bool,
}

/// What changes when a file is replaced or written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stamp {
    mtime_ns: i128,
    size: u64,
    inode: u64,
}

/// The stamp of the manifest below `root`; `None` where there is none.
pub fn stamp(root: &Path) -> Option<Stamp> {
    let metadata = fs::metadata(root.join(manifest::FILE_NAME)).ok()?;
    let mtime_ns = i128::from(metadata.mtime()) * 1_000_000_000 + i128::from(metadata.mtime_nsec());
    Some(Stamp { mtime_ns, size: metadata.size(), inode: metadata.ino() })
}

/// Reads the site below `root`. It blocks.
///
/// Every fault of the manifest's torrents is found; there is at least one in an error.
pub fn load(root: &Path, own: &OwnTrackers) -> Result<Site, Vec<Problem>> {
    load_again(root, own, &Site::default())
}

/// The same for what was `former` before, of which those torrents are kept whose `.torrent` looks as it did: a mirror
/// that fetches thousands publishes again every few seconds.
pub fn load_again(root: &Path, own: &OwnTrackers, former: &Site) -> Result<Site, Vec<Problem>> {
    let real = root.canonicalize().map_err(|error| {
        vec![Problem::at(root, format!("can't be opened: {error}")).help("name the folder of a built site")]
    })?;
    if !real.is_dir() {
        return Err(vec![Problem::at(root, "is not a folder").help("name the folder of a built site")]);
    }
    let at = root.join(manifest::FILE_NAME);
    let parsed = match fsx::open_at_most(&at, manifest::BYTES_MAX).and_then(Manifest::read_as::<Arc<Packed>>) {
        Ok(parsed) => parsed,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Site::default()),
        Err(error) => return Err(vec![Problem::at(&at, format!("can't be read: {error}"))]),
    };
    let (manifest, entries) = parsed.map_err(|error| {
        let problem = Problem::at(&at, error.to_string()).help(error.help());
        vec![error.line().filter(|&line| line > 0).map_or(problem.clone(), |line| problem.line(line))]
    })?;
    let base_url = Url::parse(&manifest.base_url).ok().filter(|url| url.has_host() && url.path().ends_with('/'));
    let Some(base_url) = base_url else {
        let message = format!("`base_url` is not an absolute URL with a `/` at its end: {:?}", manifest.base_url);
        return Err(vec![Problem::at(&at, message).help("build the site again")]);
    };

    let folders = seed::Folders::below(root);
    // What is taken from a `.torrent` depends on where the site is published.
    let kept = former.torrents.iter().filter(|_| former.base_url == manifest.base_url);
    let former = kept.map(|one| (one.entry.info_hashes.main(), one)).collect();
    let mut reader = Reader {
        root,
        real: &real,
        manifest: &at,
        base_url: &base_url,
        own,
        folders,
        former,
        linked: Vec::new(),
        pads: HashMap::new(),
    };
    let (firsts, mut problems) = firsts(&entries, &at);
    // No larger than needed: of thousands, what a growing list takes beyond it is never used.
    let mut torrents = Vec::with_capacity(entries.len());
    for (entry, _) in entries.into_iter().zip(firsts).filter(|(_, is_first)| *is_first) {
        match reader.published(entry, number(torrents.len())) {
            Ok(published) => torrents.push(published),
            Err(problem) => problems.push(problem),
        }
    }
    if !problems.is_empty() {
        return Err(problems);
    }
    reader.linked.sort_unstable();
    Ok(Site {
        title: manifest.title,
        base: base_names(&base_url),
        base_url: manifest.base_url,
        media: media(&torrents),
        linked: reader.linked.into(),
        pads: reader.pads,
        torrents,
        has_manifest: true,
        is_mirror: own.is_mirror,
    })
}

/// Which of the manifest's torrents are there for the first time, and what is wrong with them as a set.
fn firsts(entries: &[Arc<Packed>], at: &Path) -> (Vec<bool>, Vec<Problem>) {
    let mut problems = Vec::new();
    let mut swarms = HashMap::<InfoHash, usize>::new();
    let mut is_first = |(index, entry): (usize, &Packed)| {
        let hashes = entry.info_hashes;
        if swarms.get(&hashes.main()).is_some_and(|&other| entries[other].info_hashes == hashes) {
            return false;
        }
        for hash in hashes.swarms() {
            // One swarm would be shared by two torrents, and its peers would be of neither.
            if let Some(other) = swarms.insert(hash, index) {
                let (other, this) = (entries[other].torrent(), entry.torrent());
                let message = format!("{other} and {this} are both torrents of the swarm {hash}");
                problems.push(Problem::at(at, message).help(AGAIN));
            }
        }
        true
    };
    let firsts = entries.iter().map(|entry| &**entry).enumerate().map(&mut is_first).collect();
    (firsts, problems)
}

impl Site {
    /// The page of a torrent below the site's root, or the whole URL where it lies elsewhere.
    pub fn page<'a>(&self, entry: &'a Packed) -> Option<&'a str> {
        let page = entry.page()?;
        if self.is_mirror {
            return Some(page);
        }
        Some(page.strip_prefix(&self.base_url).unwrap_or(page))
    }

    /// The torrent that the file at this path below the site's root belongs to; of several the first.
    pub fn medium(&self, path: &str) -> Option<InfoHash> {
        self.places(path).next().map(|place| self.info_hash(place))
    }

    /// All torrents that have the file at this path, be that its name or where a symbolic link at its name leads, in
    /// the manifest's order, and by which name each of them has it.
    pub fn holders<'a>(&'a self, path: &str) -> impl Iterator<Item = (InfoHash, &'a str)> {
        let first = self.linked.partition_point(|(real, _)| **real < *path);
        let linked = self.linked[first..].iter().take_while(move |(real, _)| **real == *path).map(|(_, place)| *place);
        self.places(path).chain(linked).map(|place| (self.info_hash(place), file(&self.torrents, place)))
    }

    fn places(&self, path: &str) -> impl Iterator<Item = Place> {
        let first = self.media.partition_point(|&place| file(&self.torrents, place) < path);
        self.media[first..].iter().copied().take_while(move |&place| file(&self.torrents, place) == path)
    }

    fn info_hash(&self, (torrent, _): Place) -> InfoHash {
        self.torrents[torrent as usize].entry.info_hashes.main()
    }

    /// The bytes of the padding that is called `name` below `folder/.pad/`, where a torrent of that folder has it.
    pub fn pad(&self, folder: &str, name: &str) -> Option<u64> {
        let bytes = name.parse().ok().filter(|bytes: &u64| bytes.to_string() == name)?;
        self.pads.get(folder)?.contains(&bytes).then_some(bytes)
    }
}

fn file(torrents: &[Published], (torrent, file): Place) -> &str {
    torrents[torrent as usize].entry.file(file as usize).path
}

fn number(index: usize) -> u32 {
    u32::try_from(index).expect("a manifest of so few bytes names fewer")
}

/// The files in the order of their paths, of one path in that of the torrents.
fn media(torrents: &[Published]) -> Box<[Place]> {
    let files =
        |(index, one): (usize, &Published)| (0..one.entry.files().len()).map(move |file| (number(index), number(file)));
    let mut media: Box<[_]> = torrents.iter().enumerate().flat_map(files).collect();
    media.sort_unstable_by_key(|&place| (file(torrents, place), place));
    media
}

/// The names of a path such as `/show/`; none where a name in it could not be asked for.
pub fn path_names(path: &str) -> Vec<String> {
    path::parse(path).map(|path| path.names).unwrap_or_default()
}

fn base_names(base_url: &Url) -> Vec<String> {
    path_names(base_url.path())
}

struct Reader<'a> {
    root: &'a Path,
    real: &'a Path,
    manifest: &'a Path,
    base_url: &'a Url,
    own: &'a OwnTrackers,
    folders: seed::Folders,
    former: HashMap<InfoHash, &'a Published>,
    linked: Vec<(Box<str>, Place)>,
    pads: HashMap<String, BTreeSet<u64>>,
}

impl Reader<'_> {
    /// Reads the torrent that is the `index`-th of the site.
    fn published(&mut self, entry: Arc<Packed>, index: u32) -> Result<Published, Problem> {
        let (at, _) = self.below(entry.torrent())?;
        for (file, named) in entry.files().enumerate() {
            if let (_, Some(real)) = self.below(named.path)? {
                self.linked.push((real, (index, number(file))));
            }
        }
        // Before it is read, so that what changes meanwhile is seen the next time.
        let looks = fs::metadata(&at).ok().map(|metadata| Fingerprint::of(&metadata));
        if let Some(&known) = self.former.get(&entry.info_hashes.main())
            && *known.entry == *entry
            && known.looks.is_some()
            && known.looks == looks
        {
            return Ok(known.clone());
        }
        let torrent = read_torrent(&at)?;
        let (own, said) = (torrent.info_hashes, entry.info_hashes);
        let differing =
            [differing("info-hash", own.v1(), said.v1()), differing("info-hash of v2", own.v2(), said.v2())];
        let differing: Vec<String> = differing.into_iter().flatten().collect();
        if !differing.is_empty() {
            return Err(Problem::at(&at, differing.join("; ")).help(AGAIN));
        }
        let sizes = torrent.metainfo.info.files();
        let same = sizes.len() == entry.files().len()
            && sizes.iter().zip(entry.files()).all(|((_, bytes), file)| *bytes == file.bytes);
        if !same {
            let message = format!("the files of {} are not those of {}", entry.torrent(), entry.name());
            return Err(Problem::at(self.manifest, message).help(AGAIN));
        }
        let others = |tier: &Vec<String>| -> Vec<String> {
            tier.iter().filter(|url| !self.own.lead_here(url, self.base_url)).cloned().collect()
        };
        let other_trackers: Vec<_> =
            torrent.metainfo.trackers.iter().map(others).filter(|tier| !tier.is_empty()).collect();
        let places = entry.files().map(|file| self.folders.place(file.path, file.url.is_some())).collect();
        let kept_at = self.folders.place(entry.torrent(), false);
        let seed = seed::Torrent::kept_at(kept_at, &torrent, places, &other_trackers)?;
        let info = &torrent.metainfo.info;
        let is_padded = self.pad(&entry, info);
        let looks = looks.filter(|_| !is_padded);
        Ok(Published { entry, pieces: info.piece_count(), is_private: info.private, seed, other_trackers, looks })
    }

    /// Notes what padding there is, by the folders below the site's root in which clients look for it: those of the
    /// files. Returns whether there is any.
    fn pad(&mut self, entry: &Packed, info: &Info) -> bool {
        let Layout::Multi(files) = &info.layout else { return false };
        // Padding fills the last piece of a file: it is never a whole one.
        let is_pad = |file: &&File| file.is_pad && file.bytes < info.piece_length.bytes().into();
        let sizes: BTreeSet<u64> = files.iter().filter(is_pad).map(|file| file.bytes).collect();
        if sizes.is_empty() {
            return false;
        }
        let places = info.files().into_iter().zip(entry.files());
        // The folder is the torrent's name and what stands before it, where the files lie as the torrent says.
        let folders: BTreeSet<String> = places
            .filter_map(|((below, _), file)| {
                let before = file.path.strip_suffix(below.as_str())?;
                (before.is_empty() || before.ends_with('/')).then(|| format!("{before}{}", info.name))
            })
            .collect();
        for folder in folders {
            self.pads.entry(folder).or_default().extend(&sizes);
        }
        true
    }

    /// The path on this machine, which symbolic links do not lead out of the site, and where they lead in it, if there
    /// are any.
    fn below(&self, path: &str) -> Result<(PathBuf, Option<Box<str>>), Problem> {
        let at = self.root.join(path);
        // What is missing is the seed's to tell: it watches for it to come back.
        let Ok(real) = at.canonicalize() else { return Ok((at, None)) };
        match real.strip_prefix(self.real) {
            Ok(real) => Ok((at, real.to_str().filter(|&real| real != path).map(Into::into))),
            Err(_) => Err(Problem::at(&at, "a symbolic link that leads out of the site")
                .help("put the file itself there; a hard link will do")),
        }
    }
}

fn read_torrent(at: &Path) -> Result<Torrent, Problem> {
    let bytes = fsx::read_at_most(at, TORRENT_BYTES_MAX as u64).map_err(|error| {
        Problem::at(at, format!("can't be read: {error}")).help("the manifest names it; build or copy the site again")
    })?;
    metainfo::parse(bytes).map_err(|error| Problem::at(at, error.to_string()).help(AGAIN))
}

fn differing<T: PartialEq + fmt::Display>(what: &str, own: Option<T>, said: Option<T>) -> Option<String> {
    if own == said {
        return None;
    }
    let text = |hash: Option<T>| hash.map_or("none".to_owned(), |hash| hash.to_string());
    Some(format!("its {what} is {}, the manifest says {}", text(own), text(said)))
}

impl OwnTrackers {
    fn lead_here(&self, url: &str, base_url: &Url) -> bool {
        if self.urls.iter().any(|own| own == url) {
            return true;
        }
        if self.is_mirror {
            return false;
        }
        let Ok(parsed) = Url::parse(url) else { return false };
        if parsed.scheme() == "udp" {
            // The `url` crate knows the host of such a URL only as text.
            let same_host = parsed.host_str().map(plain_host) == base_url.host().map(|host| text_host(&host));
            return same_host && parsed.port().is_some_and(|port| self.udp_ports.contains(&port));
        }
        base_url.join("announce").is_ok_and(|own| {
            (own.host(), own.port_or_known_default(), own.path())
                == (parsed.host(), parsed.port_or_known_default(), parsed.path())
        })
    }
}

fn text_host(host: &Host<&str>) -> String {
    match host {
        Host::Domain(name) => plain_host(name),
        Host::Ipv4(ip) => IpAddr::V4(*ip).to_string(),
        Host::Ipv6(ip) => IpAddr::V6(*ip).to_string(),
    }
}

fn plain_host(host: &str) -> String {
    host.trim_start_matches('[').trim_end_matches(']').to_ascii_lowercase()
}

/// What to do where a site does not agree with itself.
const AGAIN: &str = "build the site again, or copy all of it";
