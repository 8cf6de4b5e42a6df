//! What the file system is asked for beyond `std::fs`: files that appear whole, files placed without copying them
//! where that is possible, and files read up to a limit.

pub mod cached;
mod part;

pub use part::{Part, Tee, is_same};

use std::fs::{self, File, FileTimes};
use std::io::{self, ErrorKind, Read, Write};
use std::path::Path;

/// How a file came to its second place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Placed {
    /// It shares its blocks with the first until one of them is written to.
    Reflink,
    /// It is the same file under a second name.
    HardLink,
    /// It was copied.
    Copy,
}

/// The bytes of the regular file `path`, at most `bytes_max` of them.
///
/// Errors beside those of the disk: `FileTooLarge`, `IsADirectory`, and `InvalidInput` for a pipe or a device, which
/// may have no end or let a reader wait for ever.
pub fn read_at_most(path: &Path, bytes_max: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    // It may have grown meanwhile, and files of /proc say that they are empty.
    open_at_most(path, bytes_max)?.take(bytes_max.saturating_add(1)).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > bytes_max { Err(too_large(bytes_max)) } else { Ok(bytes) }
}

/// Opens a regular file that has `bytes_max` bytes at most, for now.
pub fn open_at_most(path: &Path, bytes_max: u64) -> io::Result<File> {
    // Before it is opened: the opening of a pipe waits for its writer.
    let metadata = fs::metadata(path)?;
    if metadata.is_dir() {
        return Err(io::Error::new(ErrorKind::IsADirectory, "it is a folder"));
    }
    if !metadata.is_file() {
        return Err(io::Error::new(ErrorKind::InvalidInput, "it is not a regular file"));
    }
    if metadata.len() > bytes_max { Err(too_large(bytes_max)) } else { File::open(path) }
}

fn too_large(bytes_max: u64) -> io::Error {
    io::Error::new(ErrorKind::FileTooLarge, format!("it has more than {bytes_max} bytes"))
}

/// Lets the system forget what it has in memory of these bytes of `file`, and not read ahead of them: whoever reads them
/// next has them from the disk. Where that can't be had nothing happens; what was written and is not on the disk yet
/// stays.
pub fn forget_cached(file: &File, offset: u64, bytes: u64) {
    #[cfg(target_os = "linux")]
    {
        use rustix::fs::{Advice, fadvise};
        // Both are wishes.
        let _ = fadvise(file, 0, None, Advice::Random);
        let _ = fadvise(file, offset, std::num::NonZeroU64::new(bytes), Advice::DontNeed);
    }
    #[cfg(not(target_os = "linux"))]
    let _ = (file, offset, bytes);
}

/// Writes `bytes` to `path` by way of a file beside it, so that `path` is seen with its old content or with the new.
pub fn write_whole(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let name = path.file_name().ok_or(io::ErrorKind::InvalidInput)?;
    let mut temporary = std::ffi::OsString::from(".");
    temporary.push(name);
    temporary.push(".new");
    let temporary = path.with_file_name(temporary);
    let written = File::create(&temporary).and_then(|mut file| {
        file.write_all(bytes)?;
        // The name must not arrive on the disk before the bytes do.
        file.sync_data()
    });
    written.and_then(|()| fs::rename(&temporary, path)).inspect_err(|_| {
        let _ = fs::remove_file(&temporary);
    })
}

/// Makes `to`, which does not exist, hold what the file `from` holds: as a reflink where the file system has it, else
/// as a hard link, else as a copy.
pub fn place(from: &Path, to: &Path) -> io::Result<Placed> {
    if reflink_copy::reflink(from, to).is_ok() {
        keep_mtime(from, to)?;
        return Ok(Placed::Reflink);
    }
    // A failed reflink may leave an empty file behind.
    remove_if_there(to)?;
    if fs::hard_link(from, to).is_ok() {
        return Ok(Placed::HardLink);
    }
    copy(from, to)?;
    Ok(Placed::Copy)
}

/// Makes `to`, which does not exist, share the blocks of `from` until one of them is written to; an error where the file
/// system has no such thing, with nothing left.
pub fn reflink(from: &Path, to: &Path) -> io::Result<()> {
    reflink_copy::reflink(from, to).inspect_err(|_| {
        // A failed reflink may leave an empty file behind.
        let _ = remove_if_there(to);
    })
}

/// Makes `to`, which does not exist, a file of its own with what `from` holds: as a reflink where the file system has it,
/// else as a copy. Who writes to it leaves the first as it is.
pub fn duplicate(from: &Path, to: &Path) -> io::Result<()> {
    match reflink(from, to) {
        Ok(()) => keep_mtime(from, to),
        Err(_) => copy(from, to),
    }
}

/// How many bytes the disk below `folder` has left for this user, where the system tells.
#[cfg(target_os = "linux")]
pub fn available_bytes(folder: &Path) -> Option<u64> {
    let stat = rustix::fs::statvfs(folder).ok()?;
    Some(stat.f_bavail.saturating_mul(stat.f_frsize))
}

/// How many bytes the disk below `folder` has left for this user, where the system tells.
#[cfg(not(target_os = "linux"))]
pub fn available_bytes(_folder: &Path) -> Option<u64> {
    None
}

/// Copies `from` to `to` with its time of change, and with the permissions of a new file: what is published is not
/// hidden from the web server because its author hid it.
pub fn copy(from: &Path, to: &Path) -> io::Result<()> {
    let mut source = File::open(from)?;
    let mut target = File::create(to)?;
    io::copy(&mut source, &mut target)?;
    drop(target);
    keep_mtime(from, to)
}

/// Sends the content of the files in `folder` to the disk, so that names given to them later do not arrive there first.
#[cfg(target_os = "linux")]
pub fn sync_below(folder: &Path) -> io::Result<()> {
    // One call for all: to wait for each of a thousand small files by itself takes some hundred times as long.
    Ok(rustix::fs::syncfs(File::open(folder)?)?)
}

/// Sends the content of the files in `folder` to the disk, so that names given to them later do not arrive there first.
#[cfg(not(target_os = "linux"))]
pub fn sync_below(folder: &Path) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        File::open(entry?.path())?.sync_data()?;
    }
    Ok(())
}

/// Asks the system to read `bytes` bytes of `file` from `at` on into its cache, and does not wait for them. It is a hint
/// that may be left unheard.
#[cfg(target_os = "linux")]
pub fn read_ahead(file: &File, at: u64, bytes: u64) {
    let bytes = std::num::NonZeroU64::new(bytes);
    let _ = rustix::fs::fadvise(file, at, bytes, rustix::fs::Advice::WillNeed);
}

/// Asks the system to read `bytes` bytes of `file` from `at` on into its cache, where it can be asked.
#[cfg(not(target_os = "linux"))]
pub fn read_ahead(_file: &File, _at: u64, _bytes: u64) {}

/// Removes a file; that there is none is no error.
pub fn remove_if_there(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

fn keep_mtime(from: &Path, to: &Path) -> io::Result<()> {
    let modified = fs::metadata(from)?.modified()?;
    File::options().write(true).open(to)?.set_times(FileTimes::new().set_modified(modified))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_replaced_whole_and_nothing_is_left_beside_it() {
        let dir = tempfile::tempdir().expect("a temporary folder");
        let path = dir.path().join("a");
        write_whole(&path, b"one").expect("written");
        write_whole(&path, b"two").expect("written");
        assert_eq!(fs::read(&path).expect("read"), b"two");
        assert_eq!(fs::read_dir(dir.path()).expect("listed").count(), 1);
        let folder = dir.path().join("folder");
        fs::create_dir(&folder).expect("made");
        write_whole(&folder, b"three").expect_err("a folder is not replaced");
        assert_eq!(fs::read_dir(dir.path()).expect("listed").count(), 2);
    }

    #[test]
    fn a_file_is_read_up_to_the_limit_and_what_is_no_file_is_not_read() {
        let dir = tempfile::tempdir().expect("a temporary folder");
        let path = dir.path().join("a");
        fs::write(&path, b"four").expect("written");
        assert_eq!(read_at_most(&path, 4).expect("as long as is allowed"), b"four");
        let kind = |path: &Path| read_at_most(path, 3).expect_err("not read").kind();
        assert_eq!(kind(&path), ErrorKind::FileTooLarge);
        assert_eq!(kind(dir.path()), ErrorKind::IsADirectory);
        assert_eq!(kind(Path::new("/dev/zero")), ErrorKind::InvalidInput);
        assert_eq!(kind(&dir.path().join("b")), ErrorKind::NotFound);
    }

    #[test]
    fn a_placed_file_has_the_bytes_and_the_time_of_the_first() {
        let dir = tempfile::tempdir().expect("a temporary folder");
        let (from, to, copied) = (dir.path().join("a"), dir.path().join("b"), dir.path().join("c"));
        fs::write(&from, b"medium").expect("written");
        let old = std::time::UNIX_EPOCH + std::time::Duration::from_secs(1_000_000_000);
        File::options().write(true).open(&from).and_then(|file| file.set_modified(old)).expect("an old time");
        place(&from, &to).expect("placed");
        copy(&from, &copied).expect("copied");
        for path in [to, copied] {
            assert_eq!(fs::read(&path).expect("read"), b"medium");
            assert_eq!(fs::metadata(&path).and_then(|metadata| metadata.modified()).expect("its time"), old);
        }
        place(Path::new("/nowhere"), &dir.path().join("d")).expect_err("there is no such file");
    }
}
