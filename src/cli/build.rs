//! `everseed build`: a folder of episodes becomes a site.

use std::path::{Path, PathBuf};
use std::time::SystemTime;

use time::OffsetDateTime;

use super::args::BuildArgs;
use super::report::{self, Bar, Failure};
use crate::config::{self, Config, Target};
use crate::output;
use crate::problem::Problem;
use crate::retired::Told;
use crate::site::{self, LockUse};
use crate::units::{count_text, size_text};

/// Builds the site and says what was done.
pub fn run(args: &BuildArgs) -> Result<(), Failure> {
    check_locked(args.locked, args.accept_changed)?;
    let config = read_config(args.config.as_deref(), &args.root)?;
    let target = match &args.base_url {
        Some(url) => Target::At(url.clone()),
        None => Target::Configured,
    };
    let mut options = config.site_options(&args.root, &target, args.drafts).map_err(Failure::Usage)?;
    options.kind = args.kind.unwrap_or(options.kind);
    options.accept_changed = args.accept_changed;
    options.now = Some(now()?);
    options.lock = match (args.locked, args.drafts) {
        (true, _) => LockUse::Alone,
        // With drafts it is a preview.
        (false, true) => LockUse::Read,
        (false, false) => LockUse::Write,
    };
    let output = args.output.clone().or_else(|| config.output()).unwrap_or_else(|| args.root.join("public"));
    let summary = site(&options, &output, &args.root.join(output::STATE_FOLDER))?;
    if args.json {
        return report::say(report::as_json(&summary)?);
    }
    report::say(line(&summary))?;
    retired(&summary.output, &summary.retired).map_or(Ok(()), report::say)
}

/// What goes on being seeded though it is not published any more, in a line.
pub fn retired(site: &Path, retired: &[Told]) -> Option<String> {
    let day = |told: &Told| told.until.split('T').next().unwrap_or_default().to_owned();
    let (last, first) = (day(retired.first()?), day(retired.last()?));
    let torrents = count_text(retired.len() as u64, "torrent");
    let until = if first == last { first } else { format!("{first}, the last until {last}") };
    Some(format!("{}: {torrents} retired, seeded until {until}", site.display()))
}

/// The time of the build: `SOURCE_DATE_EPOCH`, else that of the clock.
pub fn now() -> Result<OffsetDateTime, Failure> {
    #[expect(clippy::disallowed_methods, reason = "the clock of the command line; what it tells is passed on")]
    let clock = || OffsetDateTime::from(SystemTime::now());
    let Some(secs) = source_date_epoch()? else { return Ok(clock()) };
    OffsetDateTime::from_unix_timestamp(secs).map_err(|_| {
        let problem = Problem::new(format!("SOURCE_DATE_EPOCH is no moment of the years up to 9999: {secs}"));
        Failure::usage(problem.help("set it to seconds since 1970, or unset it"))
    })
}

/// Refuses to change what is locked. Not left to the parser, for which `EVERSEED_LOCKED=0` is the flag as well.
pub fn check_locked(locked: bool, accept_changed: bool) -> Result<(), Failure> {
    if locked && accept_changed {
        let problem = Problem::new("--locked and --accept-changed contradict each other");
        return Err(Failure::usage(problem.help("`everseed lock --accept-changed` changes what is locked")));
    }
    Ok(())
}

/// What a build did, in a line.
fn line(summary: &site::Summary) -> String {
    format!(
        "{}: {}, {}; hashed {} ({}), wrote {}, removed {}, left {} as they were",
        summary.output.display(),
        count_text(summary.pages as u64, "page"),
        count_text(summary.torrents as u64, "torrent"),
        count_text(summary.files_hashed as u64, "file"),
        size_text(summary.bytes_hashed),
        summary.files_written,
        summary.files_removed,
        summary.files_unchanged,
    )
}

/// Builds `options` into `output`, with a progress bar and the warnings on stderr.
pub fn site(options: &site::Options, output: &Path, state: &Path) -> Result<site::Summary, Failure> {
    let progress = Bar::new();
    let built = site::build(options, output, state, &progress);
    drop(progress);
    let summary = built.map_err(failure)?;
    summary.warnings.iter().for_each(report::warn);
    Ok(summary)
}

/// Why a site was not made, as it is told.
pub fn failure(error: site::Error) -> Failure {
    match error {
        site::Error::Content(problems) => Failure::Usage(problems),
        site::Error::Changed(problems) => Failure::Changed(problems),
        site::Error::Media(problems) => Failure::Media(problems),
        site::Error::Trouble(problem) => Failure::Trouble(problem),
    }
}

/// The configuration at `path`, else the one in `root`.
pub fn read_config(path: Option<&Path>, root: &Path) -> Result<Config, Failure> {
    let path = path.map_or_else(|| config_in(root), PathBuf::from);
    Config::read(&path).map_err(Failure::usage)
}

/// The configuration at `path`, else the one in `root` where it is there.
pub fn read_config_if_any(path: Option<&Path>, root: &Path) -> Result<Option<Config>, Failure> {
    match config_in(root).try_exists() {
        Ok(false) if path.is_none() => Ok(None),
        _ => read_config(path, root).map(Some),
    }
}

fn config_in(root: &Path) -> PathBuf {
    // Without `./` before it, as a person would write it.
    if root == Path::new(".") { PathBuf::from(config::FILE_NAME) } else { root.join(config::FILE_NAME) }
}

/// `SOURCE_DATE_EPOCH`, in seconds since 1970, where it is set (reproducible-builds.org).
pub fn source_date_epoch() -> Result<Option<i64>, Failure> {
    let value = std::env::var_os("SOURCE_DATE_EPOCH").filter(|value| !value.is_empty());
    let Some(value) = value else { return Ok(None) };
    match value.to_str().map(str::parse) {
        Some(Ok(secs)) => Ok(Some(secs)),
        _ => Err(Failure::usage(
            Problem::new(format!("SOURCE_DATE_EPOCH is not a number: {}", value.display()))
                .help("set it to seconds since 1970, or unset it"),
        )),
    }
}
