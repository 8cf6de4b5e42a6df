//! The memory of a program, as Linux counts it.

use std::{fs, io};

/// What is no page of a file, in KiB.
pub fn anon_kib(pid: u32) -> io::Result<u64> {
    kib(pid, "RssAnon:")
}

/// A line of `/proc/PID/status`, in KiB.
pub fn kib(pid: u32, name: &str) -> io::Result<u64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix(name));
    Ok(line.and_then(|line| line.split_whitespace().next()?.parse().ok()).expect("since Linux 4.5"))
}
