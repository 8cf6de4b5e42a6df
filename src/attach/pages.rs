//! The pages of a site with elements that ask for links.

use std::io::ErrorKind;

use super::Finding;
use super::page::{self, Links, PAGE_BYTES_MAX};
use super::site::Site;
use crate::fsx;
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
pub fn fill(site: &Site, find: &dyn Fn(&str) -> Option<Links>) -> Result<Pages, Problem> {
    let mut pages = Pages::default();
    for (place, path) in site.files(is_page)? {
        let shown = site.shown(&place);
        let html = match fsx::read_at_most(&path, PAGE_BYTES_MAX as u64) {
            Ok(html) => html,
            Err(error) if error.kind() == ErrorKind::FileTooLarge => {
                let problem = Problem::at(shown, format!("is not looked at: {error}"));
                pages.findings.push(Finding { rule: "page", problem });
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
            pages.edits.push((place, filled.edits));
        }
    }
    Ok(pages)
}

fn is_page(name: &str) -> bool {
    let ending = name.rsplit_once('.').map(|(_, ending)| ending.to_ascii_lowercase());
    matches!(ending.as_deref(), Some("html" | "htm"))
}
