//! What tells that a file is still the one that was read: size, times and inode, without reading it again.

use std::fs::Metadata;
use std::os::unix::fs::MetadataExt;

/// The state of a file as the file system keeps it. Two equal fingerprints of one path mean the same bytes, as far as
/// that can be known without reading them: whoever writes a file cannot set its `ctime` back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Fingerprint {
    /// Size in bytes.
    pub bytes: u64,
    /// Last change of the content, in nanoseconds since 1970.
    pub mtime_ns: i64,
    /// Last change of content or attributes, in nanoseconds since 1970.
    pub ctime_ns: i64,
    /// The file's number in its file system.
    pub inode: u64,
}

impl Fingerprint {
    /// The fingerprint in a file's metadata.
    pub fn of(metadata: &Metadata) -> Self {
        Self {
            bytes: metadata.len(),
            mtime_ns: nanoseconds(metadata.mtime(), metadata.mtime_nsec()),
            ctime_ns: nanoseconds(metadata.ctime(), metadata.ctime_nsec()),
            inode: metadata.ino(),
        }
    }
}

fn nanoseconds(secs: i64, rest: i64) -> i64 {
    secs.saturating_mul(1_000_000_000).saturating_add(rest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_rewritten_with_its_old_size_and_time_is_another() {
        let dir = tempfile::tempdir().expect("a temporary folder");
        let path = dir.path().join("a");
        let of = || Fingerprint::of(&std::fs::metadata(&path).expect("the file"));
        std::fs::write(&path, "one").expect("written");
        let before = of();
        assert_eq!(before, of());
        std::fs::remove_file(&path).expect("removed");
        std::fs::write(dir.path().join("b"), "takes the inode").expect("written");
        std::fs::write(&path, "two").expect("written");
        let file = std::fs::File::options().write(true).open(&path).expect("opened");
        let old = std::time::UNIX_EPOCH + std::time::Duration::from_nanos(before.mtime_ns.unsigned_abs());
        file.set_modified(old).expect("the old time");
        let after = of();
        assert_eq!((before.bytes, before.mtime_ns), (after.bytes, after.mtime_ns));
        assert_ne!(before, after);
    }
}
