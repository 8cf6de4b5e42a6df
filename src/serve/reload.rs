//! A site that is published again is served as it is then, without a restart: its manifest is looked at every second.

use std::path::Path;
use std::sync::Arc;

use super::log::Log;
use super::site::{self, Site, Stamp};
use super::state::State;
use crate::manifest;
use crate::problem::Problem;

/// Looks after which a site that could not be read is tried again: its files may still be on their way.
const RETRY_AFTER_LOOKS: u32 = 5;
/// Looks for which a manifest may be gone before that is a fault: a folder is being put in the place of another.
const GONE_LOOKS: u32 = 3;

/// Looks at the manifest.
#[derive(Debug)]
pub struct Watch {
    /// The manifest that was last read, well or not.
    seen: Option<Stamp>,
    /// Looks since it could not be read.
    failed: Option<u32>,
    /// Looks in a row for which it is gone.
    gone: u32,
}

impl Watch {
    /// A watch over a site that was read when its manifest had this stamp.
    pub fn new(seen: Option<Stamp>) -> Self {
        Self { seen, failed: None, gone: 0 }
    }

    /// Looks once, and reads the site again where its manifest changed, or where `asked` for.
    pub async fn look(&mut self, state: &Arc<State>, asked: bool) {
        let root = state.root.clone();
        let Ok(stamp) = tokio::task::spawn_blocking(move || site::stamp(&root)).await else { return };
        self.gone = if stamp.is_none() && state.site().has_manifest { self.gone.saturating_add(1) } else { 0 };
        if self.gone > 0 && self.gone < GONE_LOOKS && !asked {
            return;
        }
        let retry = self.failed.as_mut().is_some_and(|looks| {
            *looks += 1;
            looks.is_multiple_of(RETRY_AFTER_LOOKS)
        });
        if stamp != self.seen || retry || asked {
            self.seen = stamp;
            self.read(state, asked).await;
        }
    }

    /// Reads the site, all of it where it is `asked` for.
    async fn read(&mut self, state: &Arc<State>, asked: bool) {
        let (root, own) = (state.root.clone(), state.own.clone());
        let former = if asked { Arc::default() } else { state.site() };
        let loading = tokio::task::spawn_blocking(move || site::load_again(&root, &own, &former));
        let Ok(loaded) = loading.await else { return };
        let loaded = match loaded {
            Ok(site) if !site.has_manifest && state.site().has_manifest => Err(vec![
                Problem::at(state.root.join(manifest::FILE_NAME), "is gone").help("build or copy the site again"),
            ]),
            loaded => loaded,
        };
        match loaded {
            Ok(site) => {
                self.failed = None;
                put_in_force(state, site).await;
            }
            Err(problems) => {
                self.failed = Some(0);
                let first = problems.first().map(|problem| below(&state.root, problem)).unwrap_or_default();
                let fault = format!("the site was published again and can't be read: {first}");
                if state.set_site_fault(Some(fault)) {
                    state
                        .log
                        .line("WARNING: the site has changed and can't be read; what was there before is served on");
                    tell(&state.log, &problems);
                }
            }
        }
    }
}

/// What is wrong, with the file as it is called below the site's root: everybody may read it.
fn below(root: &Path, problem: &Problem) -> String {
    match problem.path().map(|path| path.strip_prefix(root).unwrap_or(path)) {
        Some(path) if !path.as_os_str().is_empty() => format!("{}: {}", path.display(), problem.message()),
        _ => problem.message().to_owned(),
    }
}

/// Writes each problem to `log`.
pub fn tell(log: &Log, problems: &[Problem]) {
    problems.iter().for_each(|problem| log.line(problem.to_string()));
}

async fn put_in_force(state: &Arc<State>, site: Site) {
    let torrents = site.torrents.len();
    let theirs = Arc::clone(state);
    // Of thousands of torrents it is work, and it waits for announces in between: no thread that answers them does it.
    let Ok(changed) = tokio::task::spawn_blocking(move || theirs.enforce(site)).await else { return };
    state.look_for_media().await;
    state.log.line(format!(
        "the site was read again: {torrents} torrents, {} new, {} withdrawn",
        changed.added, changed.removed
    ));
}
