//! The processor time of a program, as Linux counts it.

use std::time::Duration;
use std::{fs, io};

/// Ticks in a second of `/proc/PID/stat`: `USER_HZ`, the same on every Linux that is in use.
const TICKS_PER_SEC: u64 = 100;

/// What all threads of a process have taken so far, those that have ended among them.
pub fn time(pid: u32) -> io::Result<Duration> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat"))?;
    // Behind the name, which may hold anything: utime and stime, fields 14 and 15 of proc(5), are 12 and 13 from there.
    let fields = stat.rsplit_once(')').expect("a name in brackets").1.split_whitespace();
    let ticks: u64 = fields.skip(11).take(2).map(|field| field.parse::<u64>().expect("a number")).sum();
    Ok(Duration::from_millis(ticks * 1000 / TICKS_PER_SEC))
}
