//! The mirrored site: a folder with a manifest, as `everseed serve --site` reads it. What its manifest names is whole.

use std::collections::HashMap;
use std::fs;
use std::io::{self, ErrorKind};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use super::gather::Failure;
use super::place::{Free, Places, Taken};
use crate::GENERATOR;
use crate::baseurl::BaseUrl;
use crate::fsx;
use crate::id::InfoHash;
use crate::manifest::{self, Entry, Manifest};
use crate::metainfo::{self, TORRENT_BYTES_MAX, Torrent};
use crate::names;
use crate::output;
use crate::problem::Problem;
use crate::sitepath::SitePath;
use crate::units::size_text;

/// What the manifest's generator ends with.
pub const MIRROR: &str = " mirror";

/// The folder, and what its manifest says or is about to.
#[derive(Debug)]
pub struct Site {
    root: PathBuf,
    manifest: Manifest,
    /// Every 20 bytes by which a torrent is known, with its place in the manifest.
    by_hash: HashMap<InfoHash, usize>,
    taken: Taken,
    /// Whether the manifest on the disk says something else.
    is_changed: bool,
    /// Files that go when it says the same.
    doomed: Vec<SitePath>,
    /// At most how many bytes the entries have in the manifest, and how many they may have: what can't be read again is
    /// not written.
    json_bytes: u64,
    json_bytes_max: u64,
    /// Entries whose `.torrent` is not there: they are not named, and their files stay.
    lost: Vec<Lost>,
}

/// An entry whose `.torrent` is not there.
#[derive(Debug, Clone)]
pub struct Lost {
    pub entry: Entry,
    /// What is wrong with its `.torrent`, to be said behind its path.
    pub why: String,
}

impl Site {
    /// The site below `root`, which is made where there is none. An entry whose `.torrent` is gone, and can't be restored
    /// by `restore`, is left out: a site that names what it has not is not served. Those of the former run that were are
    /// `left_out`; with their `.torrent`, they are back.
    pub fn open(
        root: PathBuf,
        base_url: &BaseUrl,
        left_out: Vec<Entry>,
        restore: impl Fn(&Entry) -> Option<Torrent>,
    ) -> Result<Self, Problem> {
        fs::create_dir_all(&root).map_err(|error| output::unwritable(&root, &error))?;
        let at = root.join(manifest::FILE_NAME);
        let (mut manifest, mut is_changed) = match fsx::read_at_most(&at, manifest::BYTES_MAX) {
            Ok(json) => {
                let read = Manifest::parse(&json);
                let help =
                    "this folder is not a mirror's, or was changed by hand: put it right, or name another --data";
                (read.map_err(|error| Problem::at(&at, error.to_string()).help(help))?, false)
            }
            Err(error) if error.kind() == ErrorKind::NotFound => (
                Manifest {
                    generator: String::new(),
                    title: String::new(),
                    base_url: base_url.to_string(),
                    torrents: Vec::new(),
                },
                true,
            ),
            Err(error) => return Err(Problem::at(&at, format!("can't be read: {error}"))),
        };
        let generator = format!("{GENERATOR}{MIRROR}");
        if !manifest.generator.is_empty() && !manifest.generator.ends_with(MIRROR) {
            let problem = Problem::at(&at, format!("was written by {:?}, and not by a mirror", manifest.generator));
            return Err(problem.help("name another folder with --data"));
        }
        is_changed |= manifest.generator != generator;
        manifest.generator = generator;
        let (by_hash, taken, doomed, lost) = Default::default();
        let json_bytes = manifest.torrents.iter().map(json_bytes).sum();
        let json_bytes_max = manifest::BYTES_MAX - HEAD_BYTES;
        let mut site = Self { root, manifest, by_hash, taken, is_changed, doomed, json_bytes, json_bytes_max, lost };
        site.leave_out(&restore)?;
        site.index();
        for entry in left_out {
            site.take_back(entry, &restore)?;
        }
        Ok(site)
    }

    /// Leaves out the entries whose `.torrent` is not there.
    fn leave_out(&mut self, restore: &impl Fn(&Entry) -> Option<Torrent>) -> Result<(), Problem> {
        for entry in std::mem::take(&mut self.manifest.torrents) {
            match self.fault_of(&entry, restore)? {
                None => self.manifest.torrents.push(entry),
                Some(why) => {
                    self.json_bytes -= json_bytes(&entry);
                    self.lost.push(Lost { entry, why });
                    self.is_changed = true;
                }
            }
        }
        Ok(())
    }

    /// Names an entry again that was left out, where its `.torrent` is back and its paths are free.
    fn take_back(&mut self, entry: Entry, restore: &impl Fn(&Entry) -> Option<Torrent>) -> Result<(), Problem> {
        let hash = entry.info_hashes.main();
        let is_same = |lost: &Lost| lost.entry.info_hashes == entry.info_hashes;
        if self.entry(hash).is_some() || self.lost.iter().any(is_same) {
            return Ok(());
        }
        let why = match self.fault_of(&entry, restore)? {
            None if self.taken.is_free(&Places::of(&entry), hash) == Free::Yes => {
                self.put(entry);
                return Ok(());
            }
            None => "stands where another torrent has its files".to_owned(),
            Some(why) => why,
        };
        self.lost.push(Lost { entry, why });
        Ok(())
    }

    /// What is wrong with the `.torrent` of an entry, where it can't be restored. Only one that is gone is written again:
    /// a disk that does not show it may have it still.
    fn fault_of(&self, entry: &Entry, restore: &impl Fn(&Entry) -> Option<Torrent>) -> Result<Option<String>, Problem> {
        let at = entry.torrent.below(&self.root);
        match fs::metadata(&at) {
            Ok(metadata) if metadata.is_file() => return Ok(None),
            Ok(_) => return Ok(Some("is not a file".into())),
            Err(error) if !is_gone(&error) => {
                return Ok(Some(format!("can't be looked at: {error}")));
            }
            Err(_) => {}
        }
        let Some(torrent) = restore(entry) else { return Ok(Some("is gone".into())) };
        let written = make_folder_of(&at).and_then(|()| fsx::write_whole(&at, torrent.bytes()));
        written.map(|()| None).map_err(|error| output::unwritable(&at, &error))
    }

    /// The folder.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The title of the show, or else this.
    pub fn title_or<'a>(&'a self, untitled: &'a str) -> &'a str {
        if self.manifest.title.is_empty() { untitled } else { &self.manifest.title }
    }

    /// The program that writes the manifest.
    pub fn generator(&self) -> &str {
        &self.manifest.generator
    }

    /// What the manifest names.
    pub fn entries(&self) -> &[Entry] {
        &self.manifest.torrents
    }

    /// The torrent that is known by `hash`, whichever of its own that is.
    pub fn entry(&self, hash: InfoHash) -> Option<&Entry> {
        self.by_hash.get(&hash).map(|&place| &self.manifest.torrents[place])
    }

    /// Whether all files of an entry are there, with their sizes.
    pub fn is_whole(&self, entry: &Entry) -> bool {
        let is_whole = |path: &SitePath, bytes: Option<u64>| {
            fs::metadata(path.below(&self.root))
                .is_ok_and(|metadata| metadata.is_file() && bytes.is_none_or(|bytes| metadata.len() == bytes))
        };
        is_whole(&entry.torrent, None) && entry.files.iter().all(|file| is_whole(&file.path, Some(file.bytes)))
    }

    /// The torrent of an entry.
    pub fn torrent(&self, entry: &Entry) -> Option<Torrent> {
        let bytes = fsx::read_at_most(&entry.torrent.below(&self.root), TORRENT_BYTES_MAX as u64).ok()?;
        metainfo::parse(bytes).ok().filter(|torrent| torrent.info_hashes == entry.info_hashes)
    }

    /// The paths that its entries have.
    pub fn taken(&self) -> &Taken {
        &self.taken
    }

    /// The entries that are not named because their `.torrent` is not there.
    pub fn lost(&self) -> &[Lost] {
        &self.lost
    }

    /// Whether something stands at one of these paths, which the torrent `hash` is to have, that no entry names and that
    /// is neither among `ours` nor its own.
    pub fn has_a_strangers_file(&self, places: &Places, hash: InfoHash, ours: &[SitePath]) -> bool {
        let of_it = self.lost.iter().find(|lost| lost.entry.info_hashes.main() == hash);
        let own: Vec<_> =
            of_it.iter().flat_map(|lost| Places::of(&lost.entry).all().cloned().collect::<Vec<_>>()).collect();
        let mut paths = places.all();
        paths.any(|path| {
            !self.taken.has(path)
                && !ours.contains(path)
                && !own.contains(path)
                && fs::symlink_metadata(path.below(&self.root)).is_ok()
        })
    }

    /// What the manifest says of the site.
    pub fn describe(&mut self, title: &str, base_url: &BaseUrl) {
        if self.manifest.title != title || self.manifest.base_url != base_url.as_str() {
            title.clone_into(&mut self.manifest.title);
            self.manifest.base_url = base_url.to_string();
            self.is_changed = true;
        }
    }

    /// Whether the manifest can name one more entry, and be read again.
    pub fn fits(&self, entry: &Entry) -> bool {
        self.manifest.torrents.len() < manifest::TORRENTS_MAX
            && self.json_bytes.saturating_add(json_bytes(entry)) <= self.json_bytes_max
    }

    /// Takes in an entry, in the place of the one of the same torrent.
    pub fn put(&mut self, entry: Entry) {
        match self.by_hash.get(&entry.info_hashes.main()).copied() {
            Some(place) if self.manifest.torrents[place] == entry => return,
            Some(place) => {
                self.json_bytes += json_bytes(&entry);
                self.json_bytes -= json_bytes(&self.manifest.torrents[place]);
                let has_moved = Places::of(&self.manifest.torrents[place]) != Places::of(&entry);
                self.manifest.torrents[place] = entry;
                if has_moved {
                    self.index();
                }
            }
            None => {
                let place = self.manifest.torrents.len();
                // One that was lost is back, perhaps elsewhere.
                let back = self.lost.extract_if(.., |lost| lost.entry.info_hashes == entry.info_hashes);
                self.doomed.extend(back.flat_map(|lost| Places::of(&lost.entry).all().cloned().collect::<Vec<_>>()));
                self.by_hash.extend(entry.info_hashes.swarms().map(|hash| (hash, place)));
                self.json_bytes += json_bytes(&entry);
                self.taken.add(&entry);
                self.manifest.torrents.push(entry);
            }
        }
        self.is_changed = true;
    }

    /// Takes in an entry whose `.torrent` is another file of the same torrent: the manifest is written though it may say
    /// nothing new, for who looks whether it was.
    pub fn renew(&mut self, entry: Entry) {
        self.put(entry);
        self.is_changed = true;
    }

    /// Takes out a torrent. Its files go with the next [`Site::write`].
    pub fn remove(&mut self, hash: InfoHash) -> Option<Entry> {
        let entry = self.manifest.torrents.remove(*self.by_hash.get(&hash)?);
        self.json_bytes -= json_bytes(&entry);
        self.doomed.extend(Places::of(&entry).all().cloned());
        self.is_changed = true;
        self.index();
        Some(entry)
    }

    /// Brings the entries into an order.
    pub fn sort_by_key<K: Ord>(&mut self, key: impl FnMut(&Entry) -> K) {
        let before: Vec<_> = self.manifest.torrents.iter().map(|entry| entry.info_hashes).collect();
        self.manifest.torrents.sort_by_cached_key(key);
        self.is_changed |= !before.iter().eq(self.manifest.torrents.iter().map(|entry| &entry.info_hashes));
        self.index();
    }

    /// Whether there is something to be written.
    pub fn is_changed(&self) -> bool {
        self.is_changed || !self.doomed.is_empty()
    }

    /// The files that go when the manifest is written.
    pub fn doomed(&self) -> &[SitePath] {
        &self.doomed
    }

    /// Has files go that are not named when the manifest is written.
    pub fn doom(&mut self, paths: impl IntoIterator<Item = SitePath>) {
        self.doomed.extend(paths);
    }

    /// Writes the manifest, and then removes the files that it does not name any more.
    pub fn write(&mut self) -> Result<(), Problem> {
        let at = self.root.join(manifest::FILE_NAME);
        if self.is_changed {
            let json = self.manifest.to_json();
            if json.len() as u64 > manifest::BYTES_MAX {
                let bytes = size_text(manifest::BYTES_MAX);
                let problem = Problem::at(&at, format!("would have more than {bytes}, and could not be read again"));
                return Err(problem.help("mirror less of the show with --budget"));
            }
            fsx::write_whole(&at, json.as_bytes()).map_err(|error| output::unwritable(&at, &error))?;
            self.is_changed = false;
        }
        let mut doomed = std::mem::take(&mut self.doomed);
        doomed.retain(|path| !self.is_named(path));
        for path in &doomed {
            let path = path.below(&self.root);
            if fs::symlink_metadata(&path).map_or_else(|error| is_gone(&error), |metadata| metadata.is_dir()) {
                // A folder of somebody's, or nothing.
                continue;
            }
            fsx::remove_if_there(&path).map_err(|error| Problem::at(&path, format!("can't be removed: {error}")))?;
        }
        output::remove_empty_folders(&self.root, &doomed);
        Ok(())
    }

    /// Whether the file at `path` is one that an entry names, were it in another case that means the same on this disk.
    fn is_named(&self, path: &SitePath) -> bool {
        if !self.taken.has(path) {
            return false;
        }
        let identity = |path: &SitePath| {
            fs::symlink_metadata(path.below(&self.root)).ok().map(|metadata| (metadata.dev(), metadata.ino()))
        };
        let folded = names::folded(path.as_str());
        let all = self
            .manifest
            .torrents
            .iter()
            .flat_map(|entry| std::iter::once(&entry.torrent).chain(entry.files.iter().map(|file| &file.path)));
        all.filter(|named| names::folded(named.as_str()) == folded)
            .any(|named| named == path || identity(named).is_some_and(|file| identity(path) == Some(file)))
    }

    /// Puts whole files, each from where it is to its path, and the `.torrent` beside them. Where one of them can't be
    /// put there, the others are back where they were.
    pub fn place(&self, files: &[PathBuf], torrent: &Torrent, places: &Places) -> Result<(), Failure> {
        let at = places.torrent.below(&self.root);
        let written = make_folder_of(&at).and_then(|()| fsx::write_whole(&at, torrent.bytes()));
        written.map_err(|error| Failure::unwritable(&at, &error))?;
        let pairs: Vec<_> = files.iter().zip(places.files.iter().map(|to| to.below(&self.root))).collect();
        for (index, (from, to)) in pairs.iter().enumerate() {
            if let Err(error) = make_folder_of(to).and_then(|()| fs::rename(from, to)) {
                // What can't be moved back is made again by the next round, of what is there.
                pairs[..index].iter().for_each(|(from, to)| _ = fs::rename(to, from));
                return Err(Failure::unwritable(to, &error));
            }
        }
        Ok(())
    }

    /// Gives the files of an entry second paths; the first ones stay.
    pub fn copy_to(&self, entry: &Entry, places: &Places) -> Result<(), Problem> {
        let (from, to) = (Places::of(entry), places);
        for (from, to) in from.all().zip(to.all()).filter(|(from, to)| from != to) {
            let (from, to) = (from.below(&self.root), to.below(&self.root));
            let copied = (|| {
                make_folder_of(&to)?;
                fsx::remove_if_there(&to)?;
                match fsx::place(&from, &to) {
                    // It is missed already where it was.
                    Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
                    Err(error) => Err(error),
                    Ok(_) => Ok(()),
                }
            })();
            copied.map_err(|error| output::unwritable(&to, &error))?;
        }
        Ok(())
    }

    fn index(&mut self) {
        let entries = self.manifest.torrents.iter().enumerate();
        self.taken = Taken::by(&self.manifest.torrents);
        self.by_hash =
            entries.flat_map(|(place, entry)| entry.info_hashes.swarms().map(move |hash| (hash, place))).collect();
    }
}

/// What the manifest has beside its entries, at most.
const HEAD_BYTES: u64 = 1 << 20;

/// At most how many bytes an entry has in a manifest.
fn json_bytes(entry: &Entry) -> u64 {
    let (generator, title, base_url) = Default::default();
    Manifest { generator, title, base_url, torrents: vec![entry.clone()] }.to_json().len() as u64
}

/// Whether there is nothing at a path, were it because a file lies where its folder would.
fn is_gone(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory)
}

/// Makes the folder in which `path` is to lie.
fn make_folder_of(path: &Path) -> io::Result<()> {
    path.parent().map_or(Ok(()), fs::create_dir_all)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::InfoHashes;

    fn entry(n: u8) -> Entry {
        let path = |name: &str| SitePath::new(format!("{n}/{name}")).expect("a path");
        Entry {
            info_hashes: InfoHashes::V1(InfoHash([n; 20])),
            name: "a".into(),
            title: "A \"title\"".repeat(n.into()),
            torrent: path("a.torrent"),
            magnet: "magnet:?xt=urn:btih:0".into(),
            bytes: 1,
            files: vec![manifest::File { path: path("a"), bytes: 1, url: None }],
            page: None,
            published: None,
            retired: None,
        }
    }

    #[test]
    fn a_manifest_has_no_more_entries_than_can_be_read_again() {
        let dir = tempfile::tempdir().expect("a temporary folder");
        let base_url = BaseUrl::parse("https://a.example.org/").expect("an address");
        let mut site = Site::open(dir.path().join("site"), &base_url, Vec::new(), |_| None).expect("a site");
        let counted = |site: &Site| site.manifest.torrents.iter().map(json_bytes).sum::<u64>();
        let is_enough = |site: &Site| {
            site.json_bytes == counted(site) && site.json_bytes + HEAD_BYTES >= site.manifest.to_json().len() as u64
        };
        (1..=9).for_each(|n| site.put(entry(n)));
        site.put(Entry { title: String::new(), ..entry(9) });
        site.remove(InfoHash([3; 20]));
        assert!(is_enough(&site) && site.fits(&entry(3)));
        site.json_bytes_max = site.json_bytes + json_bytes(&entry(3));
        assert!(site.fits(&entry(3)) && !site.fits(&entry(4)));
    }
}
