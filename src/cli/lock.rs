//! `everseed lock`: what is known of each medium, for builds without media.

use super::args::LockArgs;
use super::build::{STATE_FOLDER, failure, read_config};
use super::report::{self, Bar, Failure};
use crate::config::Target;
use crate::site::{self, LockSummary, Options, Update};
use crate::units::{count_text, size_text};

/// Brings the lock up to date, or verifies it.
pub fn run(args: &LockArgs) -> Result<(), Failure> {
    let config = read_config(args.config.as_deref(), &args.root)?;
    let mut options = config.site_options(&args.root, &Target::Configured, false).map_err(Failure::Usage)?;
    options.kind = args.kind.unwrap_or(options.kind);
    options.accept_changed = args.accept_changed;
    if args.verify { verify(args, &options) } else { update(args, &options) }
}

fn update(args: &LockArgs, options: &Options) -> Result<(), Failure> {
    let progress = Bar::new();
    let how = Update { prune: args.prune, keep: args.keep.clone() };
    let summary = site::update_lock(options, &args.root.join(STATE_FOLDER), &how, &progress);
    drop(progress);
    let summary = summary.map_err(failure)?;
    summary.warnings.iter().for_each(report::warn);
    report::say(if args.json {
        serde_json::to_string(&summary).expect("strings and numbers are JSON")
    } else {
        line(&summary)
    })
}

/// What was done, in a line.
fn line(summary: &LockSummary) -> String {
    format!(
        "{}: {}; added {}, changed {}, removed {}; hashed {} ({})",
        summary.lock.display(),
        count_text(summary.records as u64, "record"),
        summary.added,
        summary.changed,
        summary.removed,
        count_text(summary.files_hashed as u64, "file"),
        size_text(summary.bytes_hashed),
    )
}

fn verify(args: &LockArgs, options: &Options) -> Result<(), Failure> {
    let progress = Bar::new();
    let verified = site::verify_lock(options, &args.root.join(STATE_FOLDER), &progress);
    drop(progress);
    let verified = verified.map_err(failure)?;
    verified.findings.iter().try_for_each(report::say)?;
    let (lock, releases) = (verified.lock.display(), count_text(verified.releases as u64, "release"));
    if verified.findings.is_empty() {
        return report::say(format_args!("{lock}: {releases}, all as it says"));
    }
    let findings = count_text(verified.findings.len() as u64, "finding");
    report::say(format_args!("{lock}: {releases}, {findings}"))?;
    Err(Failure::Findings)
}
