//! What was attached as Markdown, for the pages of CI jobs.

use std::fmt::Write as _;
use std::fs::File;
use std::io::Write as _;
use std::path::Path;

use super::report::Failure;
use crate::attach::{Finding, Summary};
use crate::problem::Problem;
use crate::units::{count_text, size_text};

/// The most rows of the table, and the most findings.
const ROWS_MAX: usize = 100;

/// Whether a section can be added to `file`, where one is named: known before anything is done.
pub fn check(file: Option<&Path>) -> Result<(), Failure> {
    add(file, String::new)
}

/// Adds a section to `file`, where one is named; others may have written there before.
pub fn add(file: Option<&Path>, section: impl FnOnce() -> String) -> Result<(), Failure> {
    let Some(path) = file else { return Ok(()) };
    let written = File::options()
        .append(true)
        .create(true)
        .open(path)
        // In one go, so that sections of several runs do not mingle.
        .and_then(|mut file| file.write_all(section().as_bytes()));
    written.map_err(|error| {
        let problem = Problem::at(path, format!("the summary can't be written: {error}"));
        Failure::Trouble(problem.help("name a file in a folder that exists and can be written with --summary"))
    })
}

/// The section on what was done. `line` says it in short.
pub fn of(attached: &Summary, line: &str) -> String {
    let mut text = format!("## Torrents of {}\n\n{}\n\n", escaped(&attached.base_url), escaped(line));
    if !attached.releases.is_empty() {
        text.push_str("| Title | Size | Torrent | Magnet link |\n| --- | ---: | --- | --- |\n");
    }
    for released in attached.releases.iter().take(ROWS_MAX) {
        let title = if released.title.trim().is_empty() { &released.slug } else { &released.title };
        put(
            &mut text,
            format_args!(
                "| {} | {} | [{}.torrent](<{}>) | {} |\n",
                escaped(title),
                size_text(released.bytes),
                escaped(&released.slug),
                address(&released.torrent),
                code(&released.magnet)
            ),
        );
    }
    if !attached.releases.is_empty() {
        more(&mut text, attached.releases.len());
        text.push('\n');
    }
    list(&mut text, &attached.findings);
    text
}

/// The section on what kept `site` from being changed.
pub fn of_findings(site: &Path, findings: &[Finding]) -> String {
    let mut text = format!("## {}: nothing was changed\n\n", escaped(&site.display().to_string()));
    list(&mut text, findings);
    text
}

fn list(text: &mut String, findings: &[Finding]) {
    if findings.is_empty() {
        return;
    }
    put(text, format_args!("### {}\n\n", count_text(findings.len() as u64, "finding")));
    for finding in findings.iter().take(ROWS_MAX) {
        // The remedy stands in a line of its own.
        let lines: Vec<_> = finding.problem.to_string().lines().map(escaped).collect();
        put(text, format_args!("- {}\n", lines.join("\n  ")));
    }
    more(text, findings.len());
    text.push('\n');
}

fn more(text: &mut String, count: usize) {
    if let Some(rest) = count.checked_sub(ROWS_MAX).filter(|&rest| rest > 0) {
        put(text, format_args!("\nand {rest} more\n"));
    }
}

fn put(text: &mut String, what: std::fmt::Arguments<'_>) {
    text.write_fmt(what).expect("a String takes all that is written");
}

/// `text` as itself in a line of Markdown and in a cell of a table: each mark of ASCII stands behind a `\` (`CommonMark` 2.4).
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.trim().chars() {
        // Behind digits a `.` would begin a list.
        let begins = out.bytes().all(|byte| byte.is_ascii_digit());
        match c {
            // They mark nothing inside of a line, and are easier to read so.
            '.' | ',' | '\'' | '"' | '/' | '-' | '(' | ')' | ':' | ';' | '?' | '%' | '=' if !begins => out.push(c),
            _ if c.is_ascii_punctuation() => out.extend(['\\', c]),
            _ if c.is_control() => out.push(' '),
            _ => out.push(c),
        }
    }
    out
}

/// `text` between backticks: more of them than stand in it. A `|` would end the cell all the same.
fn code(text: &str) -> String {
    let text: String = text.chars().filter(|c| !c.is_control()).collect::<String>().replace('|', "%7C");
    let longest = text.split(|c| c != '`').map(str::len).max().unwrap_or_default();
    let fence = "`".repeat(longest + 1);
    if longest == 0 { format!("{fence}{text}{fence}") } else { format!("{fence} {text} {fence}") }
}

/// An address between `<` and `>`, in a cell.
fn address(url: &str) -> String {
    let mut out = String::with_capacity(url.len());
    for c in url.chars() {
        match c {
            '<' => out.push_str("%3C"),
            '>' => out.push_str("%3E"),
            '|' => out.push_str("%7C"),
            '\\' => out.push_str("%5C"),
            ' ' => out.push_str("%20"),
            _ if c.is_control() => {}
            _ => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::attach::Released;
    use expect_test::expect;

    fn released(title: &str, slug: &str) -> Released {
        Released {
            slug: slug.into(),
            title: title.into(),
            url: format!("https://show.example.org/{slug}.mp3"),
            torrent: format!("https://show.example.org/torrents/{slug}.torrent"),
            magnet: format!("magnet:?xt=urn:btih:00&dn={slug}"),
            info_hash: "00".into(),
            bytes: 1_234_567,
            is_in_site: true,
        }
    }

    fn summary(releases: Vec<Released>, findings: Vec<Finding>) -> Summary {
        Summary {
            site: "public".into(),
            base_url: "https://show.example.org/".into(),
            dry_run: false,
            feeds: Vec::new(),
            releases,
            slots: 0,
            files_hashed: 0,
            bytes_hashed: 0,
            files_written: 0,
            files_unchanged: 0,
            files_removed: 0,
            findings,
            retired: Vec::new(),
            warnings: Vec::new(),
            changes: Vec::new(),
        }
    }

    fn finding(message: &str) -> Finding {
        Finding { problem: Problem::at("public/feed.xml", message).line(3).help("look"), rule: "no-media" }
    }

    #[test]
    fn a_section_has_a_line_a_table_and_the_findings() {
        let releases = vec![released("One", "ep1"), released(" ", "ep2")];
        let attached = summary(releases, vec![finding("`a.mp3` is not there"), finding("b")]);
        expect![[r#"
            ## Torrents of https://show.example.org/

            public: 1 feed, 2 torrents; hashed 0 files (0 B)

            | Title | Size | Torrent | Magnet link |
            | --- | ---: | --- | --- |
            | One | 1.2 MB | [ep1.torrent](<https://show.example.org/torrents/ep1.torrent>) | `magnet:?xt=urn:btih:00&dn=ep1` |
            | ep2 | 1.2 MB | [ep2.torrent](<https://show.example.org/torrents/ep2.torrent>) | `magnet:?xt=urn:btih:00&dn=ep2` |

            ### 2 findings

            - public/feed.xml:3: \`a.mp3\` is not there
              help: look
            - public/feed.xml:3: b
              help: look

        "#]].assert_eq(&of(&attached, "public: 1 feed, 2 torrents; hashed 0 files (0 B)"));
        expect![[r#"
            ## Torrents of https://show.example.org/

            public: 0 feeds

        "#]]
        .assert_eq(&of(&summary(Vec::new(), Vec::new()), "public: 0 feeds"));
        expect![[r#"
            ## \_site: nothing was changed

            ### 1 finding

            - public/feed.xml:3: b
              help: look

        "#]]
        .assert_eq(&of_findings(Path::new("_site"), &[finding("b")]));
    }

    #[test]
    fn no_title_leaves_its_cell_and_no_finding_its_item() {
        let titles = [
            "a | b",
            "`a` *b* _c_ ~~d~~ [e](f) <b>g</b> & &amp; \\",
            "1. a",
            "- a",
            "# a",
            "a\nb\r\n| c",
            "=== $x$ www.example.org https://example.org",
        ];
        let told = titles.map(escaped).join("\n");
        expect![[r#"
            a \| b
            \`a\` \*b\* \_c\_ \~\~d\~\~ \[e\](f) \<b\>g\</b\> \& \&amp; \\
            1\. a
            \- a
            \# a
            a b  \| c
            \=== \$x\$ www.example.org https://example.org"#]]
        .assert_eq(&told);
        let told = ["a", "a`b", "``", "a|b\nc"].map(code).join("\n");
        expect![[r#"
            `a`
            `` a`b ``
            ``` `` ```
            `a%7Cbc`"#]]
        .assert_eq(&told);
        assert_eq!(address("https://a/<b>|c d\\e\n"), "https://a/%3Cb%3E%7Cc%20d%5Ce");
    }

    #[test]
    fn a_long_list_ends_with_how_many_more_there_are() {
        let releases: Vec<_> = (0..ROWS_MAX + 7).map(|index| released("A", &format!("ep{index}"))).collect();
        let findings: Vec<_> = (0..=ROWS_MAX).map(|index| finding(&format!("number {index}"))).collect();
        let text = of(&summary(releases, findings), "line");
        assert_eq!(text.lines().filter(|line| line.starts_with("| A |")).count(), ROWS_MAX);
        assert_eq!(text.lines().filter(|line| line.starts_with("- ")).count(), ROWS_MAX);
        assert!(text.contains("\n\nand 7 more\n") && text.ends_with("\n\nand 1 more\n\n"), "{text}");
        let text = of(&summary((0..ROWS_MAX).map(|_| released("A", "a")).collect(), Vec::new()), "line");
        assert!(!text.contains("more"), "{text}");
    }
}
