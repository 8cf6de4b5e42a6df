//! The pages of a site with elements that ask for links.

use std::fs::{self, File};
use std::io::{BufRead, BufReader, ErrorKind};
use std::path::Path;

use super::outline::ATTRIBUTE;
use super::page::{self, Links, PAGE_BYTES_MAX};
use super::report::Finding;
use super::site::Site;
use crate::fingerprint::Fingerprint;
use crate::fsx;
use crate::output::Media;
use crate::problem::Problem;
use crate::sitepath::SitePath;
use crate::splice::Edit;

/// What is to be changed in the pages of a site.
#[derive(Debug, Default)]
pub struct Pages {
    /// The pages that change, in the order of their paths.
    pub edits: Vec<(SitePath, Vec<Edit>)>,
    /// Elements that ask to be filled.
    pub slots: usize,
    /// What could not be filled.
    pub findings: Vec<Finding>,
}

/// Fills the elements of all pages of `site` with what `find` knows of the URL or slug that each names.
pub fn fill(site: &Site, still: &mut Media, find: &dyn Fn(&str) -> Option<Links>) -> Result<Pages, Problem> {
    let mut pages = Pages::default();
    for (place, path) in site.files(is_page)? {
        let shown = site.shown(&place);
        let before = fs::metadata(&path).ok().map(|metadata| Fingerprint::of(&metadata));
        let html = match fsx::read_at_most(&path, PAGE_BYTES_MAX as u64) {
            Ok(html) => html,
            Err(error) if error.kind() == ErrorKind::FileTooLarge => {
                let problem = Problem::at(shown, format!("is not looked at: {error}"));
                pages.findings.extend(mentions(&path).then_some(Finding { rule: "page", problem }));
                continue;
            }
            Err(error) => return Err(Problem::at(shown, format!("can't be read: {error}"))),
        };
        let filled = page::fill(&html, find);
        pages.slots += filled.slots;
        pages.findings.extend(
            filled
                .faults
                .into_iter()
                .map(|(line, fault)| Finding { rule: "page", problem: Problem::at(&shown, fault).line(line) }),
        );
        if !filled.edits.is_empty() {
            // What was read is what is spliced: where it is not, the positions are wrong.
            if fs::metadata(&path).ok().map(|metadata| Fingerprint::of(&metadata)) != before {
                return Err(Problem::at(shown, "changed meanwhile").help("run it again when nothing else writes to it"));
            }
            still.add(&path);
            pages.edits.push((place, filled.edits));
        }
    }
    Ok(pages)
}

/// Whether the page at `path`, which is too large to be read whole, asks for links.
fn mentions(path: &Path) -> bool {
    let Ok(file) = File::open(path) else { return false };
    BufReader::new(file)
        .split(b'>')
        .map_while(Result::ok)
        .any(|tag| String::from_utf8_lossy(&tag).to_ascii_lowercase().contains(ATTRIBUTE))
}

fn is_page(name: &str) -> bool {
    let ending = name.rsplit_once('.').map(|(_, ending)| ending.to_ascii_lowercase());
    matches!(ending.as_deref(), Some("html" | "htm"))
}
