//! Files read from the system's cache alone, without ever waiting for a disk.

use std::fs::File;
use std::io::{self, IoSliceMut};
use std::path::Path;

/// Opens a file for reading where nothing needs to be read from a disk for that; an error where something does, or where
/// the system can't tell. Reading from it is [`read`]'s.
#[cfg(target_os = "linux")]
pub fn open(path: &Path) -> io::Result<File> {
    use rustix::fs::{CWD, Mode, OFlags, ResolveFlags, openat2};
    use std::sync::atomic::{AtomicBool, Ordering};

    /// Only the owner of a file may ask that the time of its last reading is not kept. That time is written at most once
    /// a day, and that may wait.
    static KEEPS_TIME: AtomicBool = AtomicBool::new(false);

    // A pipe that stands where the file was lets nobody wait.
    let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NONBLOCK;
    let open = |flags| openat2(CWD, path, flags, Mode::empty(), ResolveFlags::CACHED);
    if !KEEPS_TIME.load(Ordering::Relaxed) {
        match open(flags | OFlags::NOATIME) {
            Err(rustix::io::Errno::PERM) => KEEPS_TIME.store(true, Ordering::Relaxed),
            opened => return Ok(opened?.into()),
        }
    }
    Ok(open(flags)?.into())
}

/// Fills `parts` with the bytes from `at` on, as far as they are in the cache, and returns how many these are; an error
/// where the file is not of a kind, or in a file system, that can be asked so.
#[cfg(target_os = "linux")]
pub fn read(file: &File, parts: &mut [IoSliceMut<'_>], at: u64) -> io::Result<usize> {
    Ok(rustix::io::preadv2(file, parts, at, rustix::io::ReadWriteFlags::NOWAIT)?)
}

/// Never: the system can't be asked.
#[cfg(not(target_os = "linux"))]
pub fn open(_path: &Path) -> io::Result<File> {
    Err(io::ErrorKind::Unsupported.into())
}

/// Never: the system can't be asked.
#[cfg(not(target_os = "linux"))]
pub fn read(_file: &File, _parts: &mut [IoSliceMut<'_>], _at: u64) -> io::Result<usize> {
    Err(io::ErrorKind::Unsupported.into())
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn what_was_just_written_is_read_and_pipes_are_not() {
        let dir = tempfile::tempdir().expect("a temporary folder");
        let path = dir.path().join("a");
        std::fs::write(&path, b"0123456789").expect("written");
        let file = open(&path).expect("its name is known");
        let (mut one, mut two) = ([0; 2], [0; 4]);
        match read(&file, &mut [IoSliceMut::new(&mut one), IoSliceMut::new(&mut two)], 5) {
            Ok(bytes) => assert_eq!((bytes, &one, &two), (5, b"56", b"789\0")),
            // Some file systems can't be asked.
            Err(error) => assert_eq!(error.kind(), io::ErrorKind::Unsupported),
        }
        let pipe = dir.path().join("pipe");
        rustix::fs::mknodat(rustix::fs::CWD, &pipe, rustix::fs::FileType::Fifo, 0o600.into(), 0).expect("made");
        let file = open(&pipe).expect("at once");
        read(&file, &mut [IoSliceMut::new(&mut one)], 0).expect_err("it has no places to read at");
    }
}
