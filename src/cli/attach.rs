//! `everseed attach`: a site that another generator has built gets torrents.

use std::path::Path;

use super::args::{AttachArgs, SiteArgs};
use super::build::{check_locked, now, read_config_if_any, retired};
use super::report::{self, Bar, Failure};
use super::summary;
use crate::attach::{self, Change, Done, Finding, Inserted, Summary};
use crate::config::TypedAttach;
use crate::problem::Problem;
use crate::units::{count_text, size_text};

/// Attaches and says what was done. `said` tells whether an argument was typed or stands in the environment.
pub fn run(args: &AttachArgs, said: impl Fn(&str) -> bool) -> Result<(), Failure> {
    check_locked(args.locked, args.accept_changed)?;
    check_root(&args.root)?;
    let config = read_config_if_any(args.config.as_deref(), &args.root)?.unwrap_or_default();
    let typed = TypedAttach {
        kind: args.kind,
        place: args.place,
        html: said("html").then_some(args.html),
        fix: args.fix.clone(),
        strict: said("strict").then_some(args.strict),
        torrent_feed: args.torrent_feed.clone(),
        ..typed(&args.site)
    };
    let mut options = config.attach_options(&args.root, &typed).map_err(Failure::Usage)?;
    options.locked = args.locked;
    options.accept_changed = args.accept_changed;
    options.dry_run = args.dry_run;
    options.now = Some(now()?);
    options.data = Some(config.attach_data(&args.root));
    summary::check(args.summary.as_deref())?;
    let progress = Bar::new();
    let attached = attach::attach(&options, &progress);
    drop(progress);
    match attached {
        Ok(attached) => {
            tell(&attached.findings, &attached.warnings);
            say(args, &attached)?;
            summary::add(args.summary.as_deref(), || summary::of(&attached, &line(&attached)))
        }
        Err(error) => {
            if let attach::Error::Findings(findings) = &error {
                summary::add(args.summary.as_deref(), || summary::of_findings(&options.site, findings))?;
                if args.json {
                    report::say(serde_json::json!({ "findings": findings }))?;
                }
            }
            Err(failure(error))
        }
    }
}

fn say(args: &AttachArgs, attached: &Summary) -> Result<(), Failure> {
    if args.json {
        return report::say(report::as_json(attached)?);
    }
    if attached.dry_run {
        attached.changes.iter().flat_map(|change| listed(&attached.site, change)).try_for_each(report::say)?;
    }
    report::say(line(attached))?;
    retired(&attached.site, &attached.retired).map_or(Ok(()), report::say)
}

/// What attaching did, in a line.
fn line(attached: &Summary) -> String {
    let (written, removed, unchanged) = (attached.files_written, attached.files_removed, attached.files_unchanged);
    let slots = count_text(attached.slots as u64, "element");
    format!(
        "{}: {}, {}{}; hashed {} ({}), {}{}",
        attached.site.display(),
        count_text(attached.feeds.len() as u64, "feed"),
        count_text(attached.releases.len() as u64, "torrent"),
        if attached.slots > 0 { format!(", {slots} of pages") } else { String::new() },
        count_text(attached.files_hashed as u64, "file"),
        size_text(attached.bytes_hashed),
        if attached.dry_run {
            format!("would write {written}, remove {removed}, leave {unchanged} as they are")
        } else {
            format!("wrote {written}, removed {removed}, left {unchanged} as they were")
        },
        findings(&attached.findings),
    )
}

/// How many there are, for the end of a line.
pub fn findings(findings: &[Finding]) -> String {
    match findings.len() {
        0 => String::new(),
        count => format!(", {}", count_text(count as u64, "finding")),
    }
}

/// What becomes of a file, a line for each line that comes.
fn listed(site: &Path, change: &Change) -> Vec<String> {
    let path = shown(&site.join(&change.path).display().to_string());
    let does = match change.does {
        Done::Added => "added",
        Done::Replaced => "replaced",
        Done::Removed => "removed",
        Done::Amended => return change.edits.iter().flat_map(|edit| inserted(&path, edit)).collect(),
    };
    vec![format!("{path}: {does}")]
}

fn inserted(path: &str, edit: &Inserted) -> Vec<String> {
    let at = format!("{path}:{}:", edit.line);
    let lines = || edit.text.lines().filter(|line| !line.trim().is_empty());
    let indent = |line: &str| line.len() - line.trim_start_matches([' ', '\t']).len();
    let indent = lines().map(indent).min().unwrap_or_default();
    let gone = (edit.removed_bytes > 0).then(|| format!("{at} - {}", count_text(edit.removed_bytes, "byte")));
    gone.into_iter().chain(lines().map(|line| format!("{at} + {}", shown(line[indent..].trim_end())))).collect()
}

/// `text` without the control characters that names and foreign feeds can hold: they do not reach the terminal.
fn shown(text: &str) -> String {
    text.chars().map(|c| if c.is_control() && c != '\t' { '\u{fffd}' } else { c }).collect()
}

/// Says findings and warnings.
pub fn tell(findings: &[Finding], warnings: &[Problem]) {
    findings.iter().map(|finding| &finding.problem).chain(warnings).for_each(report::warn);
}

/// A project's folder that is not there is a slip of the hand: everything else has a default.
pub fn check_root(root: &Path) -> Result<(), Failure> {
    if root.is_dir() {
        return Ok(());
    }
    Err(Failure::usage(Problem::at(root, "is not a folder").help("name the folder of the project")))
}

/// What was said of the site and its media.
pub fn typed(args: &SiteArgs) -> TypedAttach {
    TypedAttach {
        site: args.site.clone(),
        base_url: args.base_url.clone(),
        media: args.media.clone(),
        feeds: args.feeds.clone(),
        prefixes: args.prefixes.clone(),
        tracker_url: args.tracker_url.clone(),
        ..TypedAttach::default()
    }
}

/// Why nothing was attached, as it is told.
pub fn failure(error: attach::Error) -> Failure {
    match error {
        attach::Error::Content(problems) => Failure::Usage(problems),
        attach::Error::Changed(problems) => Failure::Changed(problems),
        attach::Error::Findings(findings) => {
            Failure::Strict(findings.into_iter().map(|finding| finding.problem).collect())
        }
        attach::Error::Media(problems) => Failure::Media(problems),
        attach::Error::Trouble(problem) => Failure::Trouble(problem),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::attach::FeedSummary;

    #[test]
    fn what_would_be_done_is_listed_line_by_line() {
        let edit = |line, removed_bytes, text: &str| Inserted { line, removed_bytes, text: text.into() };
        let change = |path: &str, does, edits: &[Inserted]| Change { path: path.into(), does, edits: edits.to_vec() };
        let changes = [
            change("everseed.json", Done::Replaced, &[]),
            change(
                "feed.xml",
                Done::Amended,
                &[
                    edit(2, 0, " xmlns:podcast=\"https://podcastindex.org/namespace/1.0\""),
                    edit(12, 0, "\r\n    <!-- everseed -->\r\n    <a>\r\n      <b c=\"\u{1b}\"/>\r\n    </a>"),
                    edit(20, 1, "2"),
                    edit(30, 345, ""),
                ],
            ),
            change("torrents/a\u{1b}.torrent", Done::Added, &[]),
            change("torrents/b.torrent", Done::Removed, &[]),
        ];
        let told: Vec<_> = changes.iter().flat_map(|change| listed(Path::new("public"), change)).collect();
        expect_test::expect![[r#"
            public/everseed.json: replaced
            public/feed.xml:2: + xmlns:podcast="https://podcastindex.org/namespace/1.0"
            public/feed.xml:12: + <!-- everseed -->
            public/feed.xml:12: + <a>
            public/feed.xml:12: +   <b c="�"/>
            public/feed.xml:12: + </a>
            public/feed.xml:20: - 1 byte
            public/feed.xml:20: + 2
            public/feed.xml:30: - 345 bytes
            public/torrents/a�.torrent: added
            public/torrents/b.torrent: removed"#]]
        .assert_eq(&told.join("\n"));
    }

    #[test]
    fn what_was_done_fits_in_a_line() {
        let feed = FeedSummary { path: "feed.xml".into(), items: 1, enclosures: 1, with_torrent: 0 };
        let finding = Finding { problem: Problem::new("a"), rule: "no-media" };
        let mut attached = Summary {
            site: "public".into(),
            base_url: "https://show.example.org/".into(),
            dry_run: false,
            feeds: vec![feed.clone(), feed],
            releases: Vec::new(),
            slots: 0,
            files_hashed: 3,
            bytes_hashed: 120_000_000,
            files_written: 18,
            files_unchanged: 0,
            files_removed: 1,
            findings: Vec::new(),
            retired: Vec::new(),
            warnings: Vec::new(),
            changes: Vec::new(),
        };
        let mut told = vec![line(&attached)];
        attached.findings = vec![finding.clone(), finding];
        told.push(line(&attached));
        (attached.slots, attached.dry_run) = (1, true);
        told.push(line(&attached));
        expect_test::expect![[r#"
            public: 2 feeds, 0 torrents; hashed 3 files (120.0 MB), wrote 18, removed 1, left 0 as they were
            public: 2 feeds, 0 torrents; hashed 3 files (120.0 MB), wrote 18, removed 1, left 0 as they were, 2 findings
            public: 2 feeds, 0 torrents, 1 element of pages; hashed 3 files (120.0 MB), would write 18, remove 1, leave 0 as they are, 2 findings"#]].assert_eq(&told.join("\n"));
    }
}
