//! The files that librqbit reads and writes: those of one folder, under the names that were read here.
//!
//! It opens what the torrent's own reading names, so that a name it decodes otherwise leads nowhere; it refuses bytes
//! beyond a file's end; and it can be closed, after which who still holds it can change nothing.

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};

use librqbit::storage::{BoxStorageFactory, StorageFactory, StorageFactoryExt, TorrentStorage};
use librqbit::{ManagedTorrentShared, TorrentMetadata};

use crate::metainfo::{Info, Layout};
use crate::problem::Problem;

/// The folder; its clones are the same.
#[derive(Debug, Clone)]
pub(super) struct Store(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    /// As the torrent has them; `None` is padding.
    files: Vec<Option<Place>>,
    /// Locked for reading by whoever reads or writes.
    is_open: RwLock<bool>,
    /// The file that was used last: blocks come in runs.
    last: Mutex<Option<(usize, Arc<File>)>>,
    fault: Mutex<Option<Problem>>,
}

#[derive(Debug)]
struct Place {
    path: PathBuf,
    bytes: u64,
}

impl Store {
    /// The files of `info` below `folder`, or at `paths`; the folders that they lie in are made.
    pub fn new(info: &Info, folder: &Path, paths: Option<&[PathBuf]>) -> Result<Self, Problem> {
        let at = |(index, (path, bytes)): (usize, (String, u64))| {
            let own = paths.and_then(|paths| paths.get(index)).cloned();
            Place { path: own.unwrap_or_else(|| folder.join(path)), bytes }
        };
        let mut places = info.files().into_iter().enumerate().map(at);
        let files: Vec<_> = match &info.layout {
            Layout::Single(_) => vec![places.next()],
            Layout::Multi(files) => files.iter().map(|file| (!file.is_pad).then(|| places.next()).flatten()).collect(),
        };
        let mut made = None;
        for place in files.iter().flatten() {
            let parent = place.path.parent();
            if made != parent {
                let parent = parent.unwrap_or(folder);
                fs::create_dir_all(parent).map_err(|error| Problem::at(parent, format!("can't be made: {error}")))?;
                made = Some(parent);
            }
        }
        let (last, fault) = (Mutex::default(), Mutex::default());
        Ok(Self(Arc::new(Shared { files, is_open: RwLock::new(true), last, fault })))
    }

    /// Ends all reading and writing, and waits for what is going on.
    pub fn close(&self) {
        *self.0.is_open.write().unwrap_or_else(PoisonError::into_inner) = false;
        *lock(&self.0.last) = None;
    }

    /// The first write that failed.
    pub fn fault(&self) -> Option<Problem> {
        lock(&self.0.fault).clone()
    }

    /// What `act` does with the file, unless all is closed; `None` for padding.
    fn with<T>(
        &self,
        id: usize,
        range: (u64, usize),
        open: impl FnOnce(&Path) -> io::Result<File>,
        act: impl FnOnce(&File) -> io::Result<T>,
    ) -> io::Result<Option<T>> {
        let shared = &*self.0;
        let is_open = shared.is_open.read().unwrap_or_else(PoisonError::into_inner);
        if !*is_open {
            return Err(io::Error::other("the download has ended"));
        }
        let Some(place) = shared.files.get(id).ok_or_else(|| io::Error::other("no such file"))? else {
            return Ok(None);
        };
        if range.0.checked_add(range.1 as u64).is_none_or(|end| end > place.bytes) {
            return Err(io::Error::other("beyond the end of the file"));
        }
        let opened = lock(&shared.last).as_ref().filter(|(last, _)| *last == id).map(|(_, file)| Arc::clone(file));
        let file = if let Some(file) = opened {
            file
        } else {
            let file = Arc::new(open(&place.path)?);
            *lock(&shared.last) = Some((id, Arc::clone(&file)));
            file
        };
        act(&file).map(Some)
    }

    /// Keeps why something can't be written.
    fn noted<T>(&self, id: usize, outcome: io::Result<T>) -> anyhow::Result<T> {
        Ok(outcome.inspect_err(|error| {
            if let Some(Some(place)) = self.0.files.get(id) {
                let problem = Problem::at(&place.path, format!("can't be written: {error}"));
                lock(&self.0.fault).get_or_insert(problem);
            }
        })?)
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn for_reading(path: &Path) -> io::Result<File> {
    File::options().read(true).write(true).open(path)
}

fn for_writing(path: &Path) -> io::Result<File> {
    File::options().read(true).write(true).create(true).truncate(false).open(path)
}

impl StorageFactory for Store {
    type Storage = Self;

    fn create(&self, _: &ManagedTorrentShared, metadata: &TorrentMetadata) -> anyhow::Result<Self> {
        let theirs = metadata.file_infos.iter().map(|file| (file.len, file.attrs.padding));
        // Both have read the same bytes; were they to mean different files, each would end up in another's place.
        let fits = theirs.len() == self.0.files.len()
            && theirs.zip(&self.0.files).all(|((bytes, is_pad), own)| match own {
                Some(own) => !is_pad && bytes == own.bytes,
                None => is_pad,
            });
        if fits { Ok(self.clone()) } else { Err(anyhow::anyhow!("its files are read in two ways")) }
    }

    fn clone_box(&self) -> BoxStorageFactory {
        self.clone().boxed()
    }
}

impl TorrentStorage for Store {
    fn init(&mut self, _: &ManagedTorrentShared, _: &TorrentMetadata) -> anyhow::Result<()> {
        Ok(())
    }

    fn pread_exact(&self, id: usize, offset: u64, buffer: &mut [u8]) -> anyhow::Result<()> {
        // Padding is zeros (BEP 47), and what is not there yet is an error, which says so.
        buffer.fill(0);
        self.with(id, (offset, buffer.len()), for_reading, |file| file.read_exact_at(buffer, offset))?;
        Ok(())
    }

    fn pwrite_all(&self, id: usize, offset: u64, bytes: &[u8]) -> anyhow::Result<()> {
        let written = self.with(id, (offset, bytes.len()), for_writing, |file| file.write_all_at(bytes, offset));
        self.noted(id, written).map(|_| ())
    }

    fn ensure_file_length(&self, id: usize, bytes: u64) -> anyhow::Result<()> {
        let set = self.with(id, (0, 0), for_writing, |file| file.set_len(bytes));
        self.noted(id, set).map(|_| ())
    }

    fn take(&self) -> anyhow::Result<Box<dyn TorrentStorage>> {
        Ok(Box::new(self.clone()))
    }

    /// Whoever called for the download removes its folder.
    fn remove_file(&self, _: usize, _: &Path) -> anyhow::Result<()> {
        Ok(())
    }

    fn remove_directory_if_empty(&self, _: &Path) -> anyhow::Result<()> {
        Ok(())
    }
}
