//! How much of the machine others have while something is measured.

use std::fs;
use std::time::Instant;

use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::time::TimeValLike as _;

use super::now;

/// Ticks in a second of `/proc/stat`: `USER_HZ`, the same on every Linux that is in use.
const TICKS_PER_SEC: f64 = 100.0;

/// A moment, and what was taken of the processors until then.
pub struct Machine {
    since: Instant,
    all_secs: f64,
    own_secs: f64,
}

impl Machine {
    /// As it is now.
    pub fn new() -> Self {
        Self { since: now(), all_secs: all_secs(), own_secs: own_secs() }
    }

    /// What programs other than this one and the ended ones that it started have had of all cores since, in percent.
    pub fn others_percent(&self) -> f64 {
        // This program is kept to one of them, and would be told of one.
        let stat = fs::read_to_string("/proc/stat").unwrap_or_default();
        let cores = stat.lines().filter(|line| line.starts_with("cpu") && !line.starts_with("cpu ")).count().max(1);
        let others = (all_secs() - self.all_secs) - (own_secs() - self.own_secs);
        100.0 * others.max(0.0) / self.since.elapsed().as_secs_f64() / cores as f64
    }
}

/// Of programs, of the system for them, and of other machines on the same host; what is done for the network on no
/// program's account is left out.
fn all_secs() -> f64 {
    let stat = fs::read_to_string("/proc/stat").unwrap_or_default();
    let fields: Vec<f64> =
        stat.lines().next().unwrap_or_default().split(' ').filter_map(|at| at.parse().ok()).collect();
    [0, 1, 2, 7].iter().filter_map(|&at| fields.get(at)).sum::<f64>() / TICKS_PER_SEC
}

fn own_secs() -> f64 {
    let secs = |who: UsageWho| {
        getrusage(who).map_or(0.0, |usage| (usage.user_time() + usage.system_time()).num_microseconds() as f64 / 1e6)
    };
    secs(UsageWho::RUSAGE_SELF) + secs(UsageWho::RUSAGE_CHILDREN)
}
