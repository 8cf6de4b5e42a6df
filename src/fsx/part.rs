//! A file that is written while somebody else reads the same bytes, and that has its name only when they are right.

use std::fs::{self, File, TryLockError};
use std::io::{self, ErrorKind, Read, Write};
use std::path::{Path, PathBuf};

use super::remove_if_there;
use crate::problem::Problem;

/// How often a file that others remove or make at the same moment is tried to be made.
const TRIES_MAX: u32 = 3;
/// The bytes that are compared at a time.
const COMPARED_BYTES: usize = 64 * 1024;

/// `<name>.part` on its way to being `<name>`. Dropped before [`Part::commit`], it is removed.
#[derive(Debug)]
pub struct Part {
    file: File,
    unfinished: PathBuf,
    path: PathBuf,
}

/// A reader that writes all it reads to a [`Part`].
///
/// A write that fails is an error of the read, and carries a [`Problem`] that names the file.
#[derive(Debug)]
pub struct Tee<R> {
    reader: R,
    file: File,
    path: PathBuf,
}

impl Part {
    /// Begins the file `name` in `folder`, which is made where there is none.
    ///
    /// A part that a killed run left is begun anew; one that is being written is an error, as is a name that is not one
    /// of a file in this folder.
    pub fn create(folder: &Path, name: &str) -> Result<Self, Problem> {
        if Path::new(name).file_name().is_none_or(|last| last != name) {
            return Err(Problem::at(folder, format!("can't hold a file of the name `{name}`")));
        }
        fs::create_dir_all(folder).map_err(|error| Problem::at(folder, format!("can't be made: {error}")))?;
        let (unfinished, path) = (folder.join(format!("{name}.part")), folder.join(name));
        match begin(&unfinished) {
            Ok(file) => Ok(Self { file, unfinished, path }),
            Err(error) if error.kind() == ErrorKind::WouldBlock => {
                let help = "wait for the other run, or give two files of one name folders of their own";
                Err(Problem::at(unfinished, "is being written at this moment").help(help))
            }
            Err(error) => Err(unwritable(&unfinished, &error)),
        }
    }

    /// `reader`, with all that is read from it written here.
    pub fn tee<R: Read>(&self, reader: R) -> Result<Tee<R>, Problem> {
        let file = self.file.try_clone().map_err(|error| unwritable(&self.unfinished, &error))?;
        Ok(Tee { reader, file, path: self.unfinished.clone() })
    }

    /// Gives the file its name, now that it is whole and right, and says where it is.
    ///
    /// A file of that name that has the same bytes is left; one that has others is an error, and is left too.
    pub fn commit(self) -> Result<PathBuf, Problem> {
        // The name must not arrive on the disk before the bytes do.
        self.file.sync_data().map_err(|error| unwritable(&self.unfinished, &error))?;
        match is_same(&self.unfinished, &self.path) {
            Ok(true) => {}
            Ok(false) => {
                let help = "move it away, or keep the download in another folder";
                return Err(Problem::at(&self.path, "is there already, with other bytes").help(help));
            }
            Err(error) if error.kind() == ErrorKind::NotFound => {
                fs::rename(&self.unfinished, &self.path).map_err(|error| unwritable(&self.path, &error))?;
            }
            Err(error) => return Err(Problem::at(&self.path, format!("can't be read: {error}"))),
        }
        Ok(self.path.clone())
    }
}

impl Drop for Part {
    fn drop(&mut self) {
        // Committed, it is no longer there under this name.
        let _ = remove_if_there(&self.unfinished);
    }
}

impl<R: Read> Read for Tee<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let len = self.reader.read(buffer)?;
        self.file.write_all(&buffer[..len]).map_err(|error| unwritable(&self.path, &error))?;
        Ok(len)
    }
}

/// Makes the file, which is locked as long as it is open; `WouldBlock` where another has it.
fn begin(part: &Path) -> io::Result<File> {
    for _ in 0..TRIES_MAX {
        match File::options().write(true).create_new(true).open(part) {
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
            made => {
                let file = made?;
                lock(&file)?;
                return Ok(file);
            }
        }
        // Not emptied but removed: between opening and locking its writer may have given it its name.
        match File::options().write(true).open(part) {
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            left => {
                lock(&left?)?;
                remove_if_there(part)?;
            }
        }
    }
    Err(ErrorKind::WouldBlock.into())
}

fn lock(file: &File) -> io::Result<()> {
    match file.try_lock() {
        Err(TryLockError::WouldBlock) => Err(ErrorKind::WouldBlock.into()),
        // Some file systems have no locks; there the author sees to it.
        Ok(()) | Err(TryLockError::Error(_)) => Ok(()),
    }
}

/// Whether both hold the same bytes.
pub fn is_same(one: &Path, other: &Path) -> io::Result<bool> {
    let metadata = fs::metadata(other)?;
    if !metadata.is_file() || fs::metadata(one)?.len() != metadata.len() {
        return Ok(false);
    }
    let (mut one, mut other) = (File::open(one)?, File::open(other)?);
    let (mut here, mut there) = (vec![0; COMPARED_BYTES], vec![0; COMPARED_BYTES]);
    loop {
        let len = one.read(&mut here)?;
        if len == 0 {
            return Ok(true);
        }
        match other.read_exact(&mut there[..len]) {
            Ok(()) if here[..len] == there[..len] => {}
            Err(error) if error.kind() != ErrorKind::UnexpectedEof => return Err(error),
            _ => return Ok(false),
        }
    }
}

fn unwritable(path: &Path, error: &io::Error) -> Problem {
    Problem::at(path, format!("can't be written: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(folder: &Path) -> Vec<String> {
        let entries = fs::read_dir(folder).expect("listed");
        let mut names: Vec<_> =
            entries.map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned()).collect();
        names.sort();
        names
    }

    fn written(folder: &Path, name: &str, bytes: &[u8]) -> Part {
        let part = Part::create(folder, name).expect("begun");
        let mut read = Vec::new();
        part.tee(bytes).expect("a reader").read_to_end(&mut read).expect("read");
        assert_eq!(read, bytes);
        part
    }

    #[test]
    fn what_is_read_is_kept_once_it_is_known_to_be_right() {
        let dir = tempfile::tempdir().expect("a temporary folder");
        let folder = dir.path().join("kept/here");
        let part = written(&folder, "a.mp3", b"medium");
        assert_eq!(names(&folder), ["a.mp3.part"]);
        let path = part.commit().expect("committed");
        assert_eq!(fs::read(path).expect("read"), b"medium");
        drop(written(&folder, "b.mp3", b"damaged"));
        assert_eq!(names(&folder), ["a.mp3"]);
    }

    #[test]
    fn a_file_that_is_there_stays_what_it_is() {
        let dir = tempfile::tempdir().expect("a temporary folder");
        let path = dir.path().join("a.mp3");
        let (long, mut other) = (vec![7; 3 * COMPARED_BYTES], vec![7; 3 * COMPARED_BYTES]);
        other[2 * COMPARED_BYTES] = 8;
        written(dir.path(), "a.mp3", &long).commit().expect("committed");
        written(dir.path(), "a.mp3", &long).commit().expect("the same bytes");
        for bytes in [&other[..], b"medium"] {
            let problem = written(dir.path(), "a.mp3", bytes).commit().expect_err("other bytes");
            assert_eq!(problem.message(), "is there already, with other bytes");
        }
        assert!(fs::read(path).expect("read") == long);
        assert_eq!(names(dir.path()), ["a.mp3"]);
    }

    #[test]
    fn a_part_has_one_writer_and_one_that_was_left_has_none() {
        let dir = tempfile::tempdir().expect("a temporary folder");
        fs::write(dir.path().join("a.mp3.part"), b"left by a run that was killed").expect("written");
        let first = written(dir.path(), "a.mp3", b"medium");
        let problem = Part::create(dir.path(), "a.mp3").expect_err("it has a writer");
        assert_eq!(problem.message(), "is being written at this moment");
        first.commit().expect("committed");
        assert_eq!(fs::read(dir.path().join("a.mp3")).expect("read"), b"medium");
    }

    #[test]
    fn a_name_that_leaves_the_folder_is_refused() {
        let dir = tempfile::tempdir().expect("a temporary folder");
        for name in ["", ".", "..", "../a", "a/b", "a/", "/a"] {
            Part::create(dir.path(), name).expect_err(name);
        }
        fs::create_dir(dir.path().join("a.part")).expect("made");
        Part::create(dir.path(), "a").expect_err("a folder stands there");
        assert_eq!(names(dir.path()), ["a.part"]);
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_full_disk_is_told_with_the_file_it_is_about() {
        let file = File::options().write(true).open("/dev/full").expect("the device");
        let mut tee = Tee { reader: &b"medium"[..], file, path: "a.mp3.part".into() };
        let error = tee.read(&mut [0; 10]).expect_err("no space");
        let problem = Problem::carried_by(&error).expect("a problem").to_string();
        assert_eq!(problem, "a.mp3.part: can't be written: No space left on device (os error 28)");
    }
}
