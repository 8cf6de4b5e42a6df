//! What the site had and does not name any more, as its `.torrent` is gone or can't be looked at: its files stay where
//! they are, and it is named again when the `.torrent` is back.

use std::path::Path;

use super::Mirror;
use super::settle::title_of;
use super::site::Lost;
use crate::fsx;
use crate::manifest::{self, Entry, Manifest};
use crate::output;
use crate::problem::Problem;

/// The file below the data folder. Its format is that of a site's manifest.
const FILE_NAME: &str = "lost.json";

/// What a former run has lost; nothing where that can't be read.
pub fn read(data: &Path) -> Vec<Entry> {
    let bytes = fsx::read_at_most(&data.join(FILE_NAME), manifest::BYTES_MAX).unwrap_or_default();
    Manifest::parse(&bytes).map(|manifest| manifest.torrents).unwrap_or_default()
}

impl Mirror {
    /// Writes down what is lost, or that nothing is any more.
    pub(super) fn write_lost(&self) -> Result<(), Problem> {
        let at = self.data.join(FILE_NAME);
        let torrents: Vec<_> = self.site.lost().iter().map(|lost| lost.entry.clone()).collect();
        let written = if torrents.is_empty() {
            fsx::remove_if_there(&at)
        } else {
            let (generator, title) = (self.site.generator().to_owned(), String::new());
            let lost = Manifest { generator, title, base_url: self.show_url.to_string(), torrents };
            fsx::write_whole(&at, lost.to_json().as_bytes())
        };
        written.map_err(|error| output::unwritable(&at, &error))
    }

    /// Tells what is lost.
    pub(super) fn tell_lost(&self) {
        for Lost { entry, why } in self.site.lost() {
            let at = entry.torrent.below(self.site.root());
            self.tell(&format!(
                "WARNING: mirror: {}: {} {why}: the torrent is not served, and its files stay where they are\n  help: it \
                 is fetched again where the show still has it; else put the .torrent back and start the mirror again, or \
                 remove its files",
                title_of(entry),
                at.display()
            ));
        }
    }
}
