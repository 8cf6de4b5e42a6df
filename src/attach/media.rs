//! Finding the file of an enclosure: in the site, or below the folders that hold its media.

use std::path::{Path, PathBuf};

use super::address::Address;
use crate::problem::Problem;

/// Where the files of enclosures are looked for.
#[derive(Debug)]
pub struct Finder;

/// The file of an enclosure.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// Where it is.
    pub path: PathBuf,
    /// Whether it stands in the site, at the path that its URL names.
    pub is_in_site: bool,
}

impl Finder {
    /// Looks in the folder `site`, then below `folders`. A folder that is not there is a problem.
    pub fn new(_site: &Path, _folders: &[PathBuf]) -> Result<Self, Problem> {
        Ok(Self)
    }

    /// The file of `address`, where there is one. Two of them are a problem, which names both.
    pub fn find(&self, _address: &Address) -> Result<Option<Found>, Problem> {
        Ok(None)
    }
}
