//! `everseed lock`: what is known of each medium, for builds without media and for sites of other generators.

use std::path::Path;

use super::args::{LockArgs, SiteArgs};
use super::attach as attached;
use super::build::{failure, read_config, read_config_if_any};
use super::report::{self, Bar, Failure};
use crate::attach;
use crate::config::{Config, Target, TypedAttach};
use crate::output;
use crate::problem::Problem;
use crate::site;
use crate::units::{count_text, size_text};

/// Brings the lock up to date, or verifies it. `typed` tells whether an argument stood on the command line.
pub fn run(args: &LockArgs, typed: impl Fn(&str) -> bool) -> Result<(), Failure> {
    let config = read_config_if_any(args.config.as_deref(), &args.root)?;
    let is_of_another = match &config {
        Some(config) => config.is_of_another_generator(),
        // A show that is built here has a configuration.
        None => SiteArgs::IDS.into_iter().any(&typed),
    };
    if args.site.site.is_some() || is_of_another {
        attached::check_root(&args.root)?;
        return of_attached(args, &config.unwrap_or_default());
    }
    refuse_flags_of_attached(&typed)?;
    // Without one there is an error that says where it was looked for.
    let config = config.map_or_else(|| read_config(args.config.as_deref(), &args.root), Ok)?;
    let mut options = config.site_options(&args.root, &Target::Configured, false).map_err(Failure::Usage)?;
    options.kind = args.kind.unwrap_or(options.kind);
    options.accept_changed = args.accept_changed;
    if args.verify { verify(args, &options) } else { update(args, &options) }
}

/// Flags that say something of the site of another generator mean nothing for a show that is built here.
fn refuse_flags_of_attached(typed: &dyn Fn(&str) -> bool) -> Result<(), Failure> {
    let Some(id) = SiteArgs::IDS.into_iter().chain(["data", "no_data"]).find(|id| typed(id)) else { return Ok(()) };
    let flag = match id {
        "feeds" => "feed".to_owned(),
        "prefixes" => "prefix".to_owned(),
        id => id.replace('_', "-"),
    };
    let problem = Problem::new(format!("--{flag} is for a site that another generator builds"));
    Err(Failure::usage(
        problem.help("name its folder with --site, or with `site` in the table [attach] of everseed.toml"),
    ))
}

fn of_attached(args: &LockArgs, config: &Config) -> Result<(), Failure> {
    // What is to be looked at keeps nothing from being known.
    let typed = TypedAttach { kind: args.kind, strict: Some(false), ..attached::typed(&args.site) };
    let mut options = config.attach_options(&args.root, &typed).map_err(Failure::Usage)?;
    options.accept_changed = args.accept_changed;
    let progress = Bar::new();
    if args.verify {
        let verified = attach::verify_lock(&options, &progress);
        drop(progress);
        let verified = verified.map_err(attached::failure)?;
        return tell_verified(&verified.lock, verified.releases, &verified.findings);
    }
    options.data = (!args.no_data).then(|| args.data.clone().unwrap_or_else(|| config.attach_data(&args.root)));
    let how = attach::Update { prune: args.prune, keep: args.keep.clone() };
    let summary = attach::update_lock(&options, &how, &progress);
    drop(progress);
    let summary = summary.map_err(attached::failure)?;
    attached::tell(&summary.findings, &summary.warnings);
    report::say(if args.json { report::as_json(&summary)? } else { line_of_attached(&summary) })
}

fn update(args: &LockArgs, options: &site::Options) -> Result<(), Failure> {
    let progress = Bar::new();
    let how = site::Update { prune: args.prune, keep: args.keep.clone() };
    let summary = site::update_lock(options, &args.root.join(output::STATE_FOLDER), &how, &progress);
    drop(progress);
    let summary = summary.map_err(failure)?;
    summary.warnings.iter().for_each(report::warn);
    report::say(if args.json { report::as_json(&summary)? } else { line(&summary) })
}

/// What was done, in a line.
fn line(summary: &site::LockSummary) -> String {
    let site::LockSummary { lock, records, added, changed, removed, files_hashed, bytes_hashed, .. } = summary;
    in_a_line(lock, [*records, *added, *changed, *removed], *files_hashed, *bytes_hashed)
}

fn line_of_attached(summary: &attach::LockSummary) -> String {
    let attach::LockSummary { lock, records, added, changed, removed, files_hashed, bytes_hashed, .. } = summary;
    let line = in_a_line(lock, [*records, *added, *changed, *removed], *files_hashed, *bytes_hashed);
    let data = summary.data.as_ref().map(|data| format!("; for templates {}", data.display()));
    line + &data.unwrap_or_default() + &attached::findings(&summary.findings)
}

/// `counts` are the records, and those that were added, changed and removed.
fn in_a_line(lock: &Path, counts: [usize; 4], files_hashed: usize, bytes_hashed: u64) -> String {
    let [records, added, changed, removed] = counts;
    format!(
        "{}: {}; added {added}, changed {changed}, removed {removed}; hashed {} ({})",
        lock.display(),
        count_text(records as u64, "record"),
        count_text(files_hashed as u64, "file"),
        size_text(bytes_hashed),
    )
}

fn verify(args: &LockArgs, options: &site::Options) -> Result<(), Failure> {
    let progress = Bar::new();
    let verified = site::verify_lock(options, &args.root.join(output::STATE_FOLDER), &progress);
    drop(progress);
    let verified = verified.map_err(failure)?;
    tell_verified(&verified.lock, verified.releases, &verified.findings)
}

fn tell_verified(lock: &Path, releases: usize, findings: &[Problem]) -> Result<(), Failure> {
    findings.iter().try_for_each(report::say)?;
    let (lock, releases) = (lock.display(), count_text(releases as u64, "release"));
    if findings.is_empty() {
        return report::say(format_args!("{lock}: {releases}, all as it says"));
    }
    let findings = count_text(findings.len() as u64, "finding");
    report::say(format_args!("{lock}: {releases}, {findings}"))?;
    Err(Failure::Findings)
}
