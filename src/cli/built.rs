//! The built sites that a command means, and what a server knows of their files, found as `everseed serve` finds them.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use super::build::{read_config, read_config_if_any};
use super::report::Failure;
use crate::config::Config;
use crate::manifest;
use crate::output;
use crate::problem::Problem;
use crate::serve::{self, OwnTrackers, Site};

/// What was typed of where they are.
#[derive(Debug)]
pub struct Asked<'a> {
    /// The folder that holds everseed.toml.
    pub root: &'a Path,
    /// Whether it was typed.
    pub has_root: bool,
    /// The folder of one built site.
    pub site: Option<&'a Path>,
    /// The configuration, where it stands elsewhere.
    pub config: Option<&'a Path>,
    /// The folder in which a server keeps what it knows.
    pub data: Option<&'a Path>,
    /// What to do to name a site, for the help of errors.
    pub help: &'static str,
}

impl Asked<'_> {
    /// The configuration.
    pub fn config(&self) -> Result<Config, Failure> {
        match (self.site, self.config) {
            (Some(_), None) => Ok(Config::default()),
            (Some(_), Some(path)) => read_config(Some(path), self.root),
            (None, path) => Ok(read_config_if_any(path, self.root)?.unwrap_or_default()),
        }
    }

    /// The folder in which a server keeps what it knows.
    pub fn data(&self, config: &Config) -> PathBuf {
        let beside = if self.site.is_some() { config.folder() } else { self.root };
        let data = self.data.map(Path::to_owned).or_else(|| config.data());
        data.unwrap_or_else(|| beside.join(output::STATE_FOLDER))
    }

    /// The built sites, each once, with the folder that it stands in as the server calls it, which remembers files by
    /// their whole paths.
    pub fn sites(&self, config: &Config, data: &Path) -> Result<Vec<(PathBuf, Site)>, Failure> {
        self.folders(config, data)?.iter().map(|folder| self.load(folder)).collect()
    }

    fn folders(&self, config: &Config, data: &Path) -> Result<Vec<PathBuf>, Failure> {
        if let Some(site) = self.site {
            return Ok(vec![site.to_owned()]);
        }
        if let Some(site) = config.served_site().filter(|_| !self.has_root) {
            return Ok(vec![site]);
        }
        let below = |folder: &str| self.root.join(folder);
        let output = config.output().unwrap_or_else(|| below("public"));
        let attached = config.attach.as_ref().and_then(|attach| attach.site.as_ref());
        let attached = attached.map(|site| config.folder().join(site));
        let all = [Some(output), attached, Some(below("_site")), Some(below("dist")), Some(data.join("site"))];
        let mut seen = BTreeSet::new();
        let sites = all.into_iter().flatten().filter(|site| site.join(manifest::FILE_NAME).is_file());
        let sites: Vec<_> = sites.filter(|site| site.canonicalize().is_ok_and(|real| seen.insert(real))).collect();
        if sites.is_empty() {
            let problem = Problem::at(self.root, "holds no built site");
            return Err(Failure::usage(problem.help(format!("build it, or {}", self.help))));
        }
        Ok(sites)
    }

    fn load(&self, folder: &Path) -> Result<(PathBuf, Site), Failure> {
        let root = std::path::absolute(folder)
            .map_err(|error| Failure::Trouble(Problem::at(folder, format!("is no path: {error}"))))?;
        let site = serve::load_site(&root, &OwnTrackers::default()).map_err(Failure::Usage)?;
        if site.has_manifest {
            return Ok((root, site));
        }
        let problem = Problem::at(folder, format!("has no {}", manifest::FILE_NAME));
        Err(Failure::usage(problem.help(self.help)))
    }
}
