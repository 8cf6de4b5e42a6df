//! What is kept, brought in line with what the show says of it: titles, paths, `.torrent` files, and what is retired.

use std::cmp::Reverse;
use std::collections::{HashMap, HashSet};

use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use tokio::time::Instant;

use super::Mirror;
use super::budget::{Ledger, Size, Standing};
use super::own::Own;
use super::place::{Free, Places};
use super::wish::{Show, Wish, moment};
use crate::id::InfoHash;
use crate::manifest::Entry;
use crate::problem::Problem;
use crate::sitepath::SitePath;
use crate::units::{count_text, size_text};

/// The wishes of which the info-hash is known: their places in the show, by what the torrent is called here.
pub type Known = HashMap<InfoHash, usize>;

impl Mirror {
    /// Brings what is kept in line with the show, and writes the manifest.
    pub(super) fn settle(&mut self, show: &Show, now: OffsetDateTime) -> Result<(), Problem> {
        let known = self.known(show);
        // A wish of which it is not known which torrent it is may be any of those that are kept.
        let is_all_known = show.wishes.iter().all(|wish| self.hash_of(wish).is_some());
        self.show_url = show.base_url.clone();
        let base_url = self.address.as_ref().map_or(&show.base_url, Own::base_url);
        self.site.describe(&show.title, base_url);
        self.describe_entries(show, &known, is_all_known, now);
        // A show that has nothing is not trusted with it: it may be at the beginning of its next build.
        if self.options.forgets_withdrawn && is_all_known && !show.wishes.is_empty() {
            let hashes: Vec<_> = self.site.entries().iter().map(|entry| entry.info_hashes.main()).collect();
            for hash in hashes.into_iter().filter(|hash| !known.contains_key(hash)) {
                self.drop_torrent(hash, "the show has withdrawn it");
            }
        }
        if self.is_new {
            self.move_where_the_show_has_them(show, &known)?;
        }
        self.sort(&known);
        self.take_stock(&known, is_all_known);
        if is_all_known {
            for hash in self.ledger.excess() {
                self.drop_torrent(hash, "more is kept than the budget allows");
            }
        }
        self.write()
    }

    pub(super) fn known(&self, show: &Show) -> Known {
        let wishes = show.wishes.iter().enumerate();
        wishes.filter_map(|(place, wish)| Some((self.hash_of(wish)?, place))).collect()
    }

    /// The info-hash by which a wished torrent is called here, where it is known.
    pub(super) fn hash_of(&self, wish: &Wish) -> Option<InfoHash> {
        let hash = wish.said.main().or_else(|| Some(self.state.torrent_at(&wish.torrent_url)?.0))?;
        // A document may know a hybrid torrent by its other info-hash.
        Some(self.site.entry(hash).map_or(hash, |entry| entry.info_hashes.main()))
    }

    /// Titles, and what is retired; nothing more of it where it is not known of all wishes which torrents they are.
    fn describe_entries(&mut self, show: &Show, known: &Known, is_all_known: bool, now: OffsetDateTime) {
        let now = now.format(&Rfc3339).expect("a moment of this age has a text");
        let (mut retired, mut back) = (0, 0);
        for mut entry in self.site.entries().to_vec() {
            let was_retired = entry.retired.is_some();
            match known.get(&entry.info_hashes.main()).map(|&place| &show.wishes[place]) {
                Some(wish) => describe(&mut entry, wish),
                None if is_all_known => _ = entry.retired.get_or_insert_with(|| now.clone()),
                None => {}
            }
            retired += u64::from(!was_retired && entry.retired.is_some());
            back += u64::from(was_retired && entry.retired.is_none());
            self.site.put(entry);
        }
        if retired > 0 {
            self.tell(&format!("mirror: the show has given up {}", count_text(retired, "torrent")));
        }
        if back > 0 {
            self.tell(&format!("mirror: the show publishes {} again", count_text(back, "retired torrent")));
        }
    }

    /// The newest first, and those that are retired last, of these the one that was retired last in front.
    pub(super) fn sort(&mut self, known: &Known) {
        self.site.sort_by_key(|entry| {
            let place = known.get(&entry.info_hashes.main()).copied().unwrap_or(usize::MAX);
            (entry.retired.is_some(), Reverse(entry.retired.clone()), place)
        });
    }

    /// Counts what is kept. What may be wished for, for all that is known, counts as the newest, which goes for nobody.
    fn take_stock(&mut self, known: &Known, is_all_known: bool) {
        let unknown = if is_all_known { usize::MAX } else { 0 };
        let mut ledger = Ledger::new(self.options.budget_bytes, self.options.is_rolling);
        for entry in self.site.entries() {
            let hash = entry.info_hashes.main();
            let place = known.get(&hash).copied().unwrap_or(unknown);
            ledger.put(hash, size_of(entry.bytes, place, entry.retired.as_deref(), entry.published.as_deref()));
        }
        self.ledger = ledger;
    }

    fn move_where_the_show_has_them(&mut self, show: &Show, known: &Known) -> Result<(), Problem> {
        let hashes: Vec<_> = self.site.entries().iter().map(|entry| entry.info_hashes.main()).collect();
        for hash in hashes {
            let wish = known.get(&hash).map(|&place| &show.wishes[place]);
            // Those before it may have moved it.
            let (Some(wish), Some(entry)) = (wish, self.site.entry(hash)) else { continue };
            if wish.places.is_none() || wish.places.as_ref() == Some(&Places::of(entry)) {
                continue;
            }
            let Some(torrent) = self.site.torrent(entry) else { continue };
            if let Some(wanted) = Places::wanted(wish, &torrent, &show.base_url)
                && self.clear(&wanted, hash, show, known)?
            {
                self.move_to(hash, &wanted)?;
            }
        }
        Ok(())
    }

    /// Makes paths free for a torrent, by moving away those that the show does not have there any more. Whether they are.
    pub(super) fn clear(
        &mut self,
        wanted: &Places,
        hash: InfoHash,
        show: &Show,
        known: &Known,
    ) -> Result<bool, Problem> {
        if self.site.has_a_strangers_file(wanted, hash, &self.state.own_paths()) {
            return Ok(false);
        }
        let movers = match self.site.taken().is_free(wanted, hash) {
            Free::Yes => return Ok(true),
            Free::Never => return Ok(false),
            Free::After(movers) => movers,
        };
        let stays = |mover: &InfoHash| {
            let at = self.site.entry(*mover).map(Places::of);
            let wish = known.get(mover).map(|&place| &show.wishes[place]);
            wish.is_some_and(|wish| wish.places.is_none() || wish.places == at)
        };
        if movers.iter().any(stays) {
            return Ok(false);
        }
        for mover in movers {
            let Some(torrent) = self.site.entry(mover).and_then(|entry| self.site.torrent(entry)) else {
                return Ok(false);
            };
            self.move_to(mover, &Places::own(&torrent))?;
        }
        Ok(self.site.taken().is_free(wanted, hash) == Free::Yes)
    }

    /// Moves the files of a torrent that is kept. The manifest names files that are there at each moment.
    fn move_to(&mut self, hash: InfoHash, places: &Places) -> Result<(), Problem> {
        let Some(mut entry) = self.site.entry(hash).cloned() else { return Ok(()) };
        let former = Places::of(&entry);
        if former == *places {
            return Ok(());
        }
        if places.cross(&former) {
            // One of its files would be written over another: all of them get out of the way first.
            let aside = self.site.torrent(&entry).map(|torrent| Places::own(&torrent));
            let Some(aside) = aside.filter(|aside| !aside.cross(&former)) else { return Ok(()) };
            self.move_to(hash, &aside)?;
            return self.move_to(hash, places);
        }
        let is_known = self.is_known(&entry);
        self.own(places.all().map(ToString::to_string).collect())?;
        self.site.copy_to(&entry, places)?;
        entry.torrent = places.torrent.clone();
        entry.files.iter_mut().zip(&places.files).for_each(|(file, path)| file.path = path.clone());
        if let Some(published) = self.address.as_ref().and_then(|_| self.published(&entry)) {
            let magnet = entry.magnet.clone();
            self.hand_out(&mut entry, &published, Some(&magnet))?;
        }
        self.site.put(entry.clone());
        self.site.doom(former.all().cloned());
        self.write()?;
        if is_known {
            self.still_knows(&entry);
        }
        Ok(())
    }

    /// Writes down, before anything is written to them, that files at these paths are the mirror's.
    pub(super) fn own(&mut self, paths: Vec<String>) -> Result<(), Problem> {
        self.state.ours.extend(paths);
        self.state.write(&self.data)
    }

    /// Writes the manifest where it has changed, and removes what it does not name any more.
    pub(super) fn write(&mut self) -> Result<(), Problem> {
        if !self.site.is_changed() {
            return Ok(());
        }
        let doomed: Vec<_> = self.site.doomed().iter().map(ToString::to_string).collect();
        if !doomed.is_empty() {
            self.own(doomed.clone())?;
        }
        self.site.write()?;
        self.write_lost()?;
        self.record.write(&self.data)?;
        self.write_pages()?;
        // What the manifest names now is known by it, and the others are gone.
        let doomed: HashSet<_> = doomed.into_iter().collect();
        let taken = self.site.taken();
        self.state
            .ours
            .retain(|path| !doomed.contains(path) && SitePath::new(path.as_str()).is_ok_and(|path| !taken.has(&path)));
        self.written = Some(Instant::now());
        Ok(())
    }

    /// Takes a torrent out of the site; its files go when the manifest is written.
    pub(super) fn drop_torrent(&mut self, hash: InfoHash, why: &str) {
        self.ledger.remove(hash);
        self.record.remove(hash);
        self.forget_published(hash);
        if let Some(entry) = self.site.remove(hash) {
            self.tell(&format!("mirror: {} is removed, {}: {why}", title_of(&entry), size_text(entry.bytes)));
        }
    }
}

/// Takes over what a show says of a torrent.
pub fn describe(entry: &mut Entry, wish: &Wish) {
    let title = if wish.title.is_empty() { &entry.name } else { &wish.title };
    entry.title.clone_from(title);
    entry.page.clone_from(&wish.page);
    entry.published.clone_from(&wish.published);
    entry.retired.clone_from(&wish.retired);
}

/// What counts of a torrent; `place` is its place among the wishes.
pub fn size_of(bytes: u64, place: usize, retired: Option<&str>, published: Option<&str>) -> Size {
    let standing = retired.map_or(Standing::Current(place), |since| {
        Standing::Retired(moment(since).unwrap_or(OffsetDateTime::UNIX_EPOCH))
    });
    Size { bytes, standing, published: published.and_then(moment) }
}

/// What a person calls a torrent.
pub fn title_of(entry: &Entry) -> &str {
    if entry.title.is_empty() { &entry.name } else { &entry.title }
}
