//! The output folder: what differs is written beside it first, then renamed into place, so that a build that fails or is killed
//! leaves the former site whole and every link leads somewhere at each instant.

use std::collections::BTreeSet;
use std::fs::{self, File, Metadata, TryLockError};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use super::Error;
use super::plan::{Entry, Plan};
use super::record::{Known, Record};
use crate::fingerprint::Fingerprint;
use crate::fsx;
use crate::manifest;
use crate::problem::Problem;
use crate::sitepath::SitePath;

/// The folders of a site in which no output may stand.
const SOURCES: [&str; 4] = ["content", "static", "templates", "themes"];
/// The staging folder within the output, where there can be none beside it.
const INNER_STAGING: &str = ".everseed-staging";

/// What was done to the output.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Written {
    /// Files that are new or differ.
    pub changed: usize,
    /// Files that are as they were.
    pub unchanged: usize,
    /// Files of the former build that are no more.
    pub removed: usize,
}

/// An output folder, held by this build alone.
#[derive(Debug)]
pub struct Output {
    path: PathBuf,
    state: PathBuf,
    /// What the former build wrote; `None`: nobody knows.
    former: Option<Record>,
    /// Released when it is dropped.
    _lock: File,
}

impl Output {
    /// Takes the folder `out` for the site in `root`, with what is known of it below the folder `state`. A folder that holds
    /// other things than a site of everseed is refused.
    pub fn open(out: &Path, state: &Path, root: &Path) -> Result<Self, Error> {
        let unwritable = |path: &Path| {
            let path = path.to_owned();
            move |error: io::Error| {
                let problem = Problem::at(&path, format!("can't be written: {error}"));
                Error::Trouble(problem.help("make it writable for the user who builds, or name another folder"))
            }
        };
        fs::create_dir_all(state).map_err(unwritable(state))?;
        let state = state.canonicalize().map_err(unwritable(state))?;
        let lock_path = state.join("build.lock");
        let lock = File::create(&lock_path).map_err(unwritable(&lock_path))?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let problem = Problem::at(&lock_path, "another build of this site is running");
                return Err(Error::Trouble(problem.help("wait until it is done")));
            }
            Err(TryLockError::Error(error)) => return Err(unwritable(&lock_path)(error)),
        }
        let path = real(out).map_err(unwritable(out))?;
        let refused = |problem| Error::Content(vec![problem]);
        place_fits(&path, &state, root)
            .map_err(|why| refused(Problem::at(out, why).help("name a folder that holds nothing else: public")))?;
        let former = Record::load(&state, &path);
        let output = Self { path, state, former, _lock: lock };
        output.is_ours(out).map_err(refused)?;
        // What a killed build left.
        for staging in [output.staging_beside(), output.path.join(INNER_STAGING)] {
            remove_folder(&staging).map_err(unwritable(&staging))?;
        }
        Ok(output)
    }

    /// The folder.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Makes the folder what `plan` says. `guard` is asked when everything is staged and nothing is in place yet; its error ends the
    /// build and leaves the former site.
    pub fn write(self, plan: &Plan, guard: impl FnOnce() -> Result<(), Problem>) -> Result<Written, Problem> {
        let changed = self.changed(plan)?;
        let mut written = Written { changed: changed.len(), unchanged: plan.files.len() - changed.len(), removed: 0 };
        let staging = self.staging()?;
        let done = self.stage(&changed, &staging).and_then(|()| guard()).and_then(|()| {
            self.record_all(plan)?;
            self.rename(&changed, &staging)?;
            written.removed = self.remove_former(plan)?;
            self.record(plan)
        });
        let cleaned = remove_folder(&staging).map_err(|error| problem(&staging, &error));
        done.and(cleaned).map(|()| written)
    }

    fn is_ours(&self, out: &Path) -> Result<(), Problem> {
        let refuse = |why: String| Err(Problem::at(out, why).help("name a folder that is empty or not there yet"));
        let entries = match fs::read_dir(&self.path) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            Err(error) => return refuse(format!("can't be read: {error}")),
        };
        if self.former.is_some() || self.path.join(manifest::FILE_NAME).is_file() {
            return Ok(());
        }
        // A `.git` of a page host's branch is no content.
        let foreign =
            entries.flatten().map(|entry| entry.file_name()).find(|name| !name.as_encoded_bytes().starts_with(b"."));
        match foreign {
            None => Ok(()),
            Some(name) => refuse(format!("is not empty, and was not built by everseed: it holds {}", name.display())),
        }
    }

    /// The files that are to be written.
    fn changed<'p>(&self, plan: &'p Plan) -> Result<Vec<Change<'p>>, Problem> {
        let mut changed = Vec::new();
        for (place, entry) in &plan.files {
            self.check_folders(place)?;
            let path = place.below(&self.path);
            let existing = match fs::symlink_metadata(&path) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => None,
                Err(error) => return Err(problem(&path, &error)),
                Ok(metadata) if metadata.is_dir() => {
                    return Err(
                        Problem::at(&path, "is a folder, and the site has a file of that name").help("remove it")
                    );
                }
                Ok(metadata) => Some(metadata),
            };
            if let Some(metadata) = &existing {
                if self.is_same(place, entry, &path, metadata).map_err(|error| problem(&path, &error))? {
                    continue;
                }
                if self.former.as_ref().is_some_and(|former| !former.files.contains_key(place.as_str())) {
                    return Err(Problem::at(
                        &path,
                        "was not written by everseed, and the site has a file of that name",
                    )
                    .help("move it to another place, or remove it"));
                }
            }
            changed.push(Change { rank: rank(place), replaces: existing.is_some(), place, entry });
        }
        // What is new comes before what is replaced: only the latter can be linked to from what is in place already.
        changed.sort_by_key(|change| (change.rank, change.replaces, change.place));
        Ok(changed)
    }

    /// The folders on the way to a file are folders.
    fn check_folders(&self, place: &SitePath) -> Result<(), Problem> {
        let mut folder = self.path.clone();
        let mut names: Vec<_> = place.names().collect();
        names.pop();
        for name in names {
            folder.push(name);
            match fs::symlink_metadata(&folder) {
                Ok(metadata) if !metadata.is_dir() => {
                    let what = if metadata.is_symlink() { "a symbolic link" } else { "a file" };
                    return Err(Problem::at(&folder, format!("is {what}, and the site has a folder of that name"))
                        .help("remove it"));
                }
                _ => {}
            }
        }
        Ok(())
    }

    fn is_same(&self, place: &SitePath, entry: &Entry, path: &Path, metadata: &Metadata) -> io::Result<bool> {
        if !metadata.is_file() {
            return Ok(false);
        }
        let (source, is_copy) = match entry {
            Entry::Bytes(bytes) => return Ok(metadata.len() == bytes.len() as u64 && fs::read(path)? == *bytes),
            Entry::Copy(source) => (source, true),
            Entry::Media(source) => (source, false),
        };
        let of_source = fs::metadata(source)?;
        if of_source.len() != metadata.len() {
            return Ok(false);
        }
        let is_same_file = of_source.ino() == metadata.ino() && of_source.dev() == metadata.dev();
        if is_same_file {
            // A copy must not be a second name of its source.
            return Ok(!is_copy);
        }
        let known = self.former.as_ref().and_then(|former| former.files.get(place.as_str())).copied().flatten();
        if known == Some(Known::new(&Fingerprint::of(&of_source), &Fingerprint::of(metadata))) {
            return Ok(true);
        }
        // Media are not read for this: they may be large, and placing them again is cheaper or as dear.
        Ok(is_copy && fs::read(source)? == fs::read(path)?)
    }

    /// A folder for files on their way, on the file system of the output.
    fn staging(&self) -> Result<PathBuf, Problem> {
        fs::create_dir_all(&self.path).map_err(|error| problem(&self.path, &error))?;
        let beside = self.staging_beside();
        if fs::create_dir(&beside).is_ok() {
            let device = |path: &Path| fs::metadata(path).map(|metadata| metadata.dev()).ok();
            if device(&beside) == device(&self.path) {
                return Ok(beside);
            }
            remove_folder(&beside).map_err(|error| problem(&beside, &error))?;
        }
        let inner = self.path.join(INNER_STAGING);
        fs::create_dir(&inner).map_err(|error| problem(&inner, &error))?;
        Ok(inner)
    }

    fn staging_beside(&self) -> PathBuf {
        let name = self.path.file_name().unwrap_or_default().display();
        self.path.with_file_name(format!(".{name}{INNER_STAGING}"))
    }

    fn stage(&self, changed: &[Change], staging: &Path) -> Result<(), Problem> {
        for (at, change) in changed.iter().enumerate() {
            let to = staging.join(at.to_string());
            let place = change.place.below(&self.path);
            let from = |source: &Path| {
                let message = format!("can't be put there from {}", source.display());
                let place = place.clone();
                move |error: io::Error| Problem::at(place, format!("{message}: {error}"))
            };
            match change.entry {
                Entry::Bytes(bytes) => fs::write(&to, bytes).map_err(|error| problem(&place, &error))?,
                Entry::Copy(source) => fsx::copy(source, &to).map_err(from(source))?,
                Entry::Media(source) => fsx::place(source, &to).map(drop).map_err(from(source))?,
            }
        }
        Ok(())
    }

    fn rename(&self, changed: &[Change], staging: &Path) -> Result<(), Problem> {
        for (at, change) in changed.iter().enumerate() {
            let to = change.place.below(&self.path);
            let folder = to.parent().expect("a file stands in a folder");
            fs::create_dir_all(folder)
                .and_then(|()| fs::rename(staging.join(at.to_string()), &to))
                .map_err(|error| problem(&to, &error))?;
        }
        Ok(())
    }

    /// Removes what the former build wrote and this one does not, and folders that are empty then.
    fn remove_former(&self, plan: &Plan) -> Result<usize, Problem> {
        let mut removed = 0;
        let mut folders = BTreeSet::new();
        for name in self.former.iter().flat_map(|former| former.files.keys()) {
            let Ok(place) = SitePath::new(name.as_str()) else { continue };
            // Through a symbolic link it could be anybody's.
            if plan.files.contains_key(&place) || self.check_folders(&place).is_err() {
                continue;
            }
            let path = place.below(&self.path);
            if fs::symlink_metadata(&path).is_ok_and(|metadata| !metadata.is_dir()) {
                fs::remove_file(&path).map_err(|error| problem(&path, &error))?;
                removed += 1;
            }
            let above = path.ancestors().skip(1).take_while(|folder| *folder != self.path);
            folders.extend(above.map(Path::to_owned));
        }
        // The deepest first; those that are not empty stay.
        for folder in folders.iter().rev() {
            let _ = fs::remove_dir(folder);
        }
        Ok(removed)
    }

    /// Writes down what will be everseed's, before it is: a build that is killed then knows its files.
    fn record_all(&self, plan: &Plan) -> Result<(), Problem> {
        let mut record = Record::new(&self.path);
        let former = self.former.iter().flat_map(|former| former.files.keys().cloned());
        record.files.extend(former.chain(plan.files.keys().map(SitePath::to_string)).map(|name| (name, None)));
        record.save(&self.state)
    }

    fn record(&self, plan: &Plan) -> Result<(), Problem> {
        let mut record = Record::new(&self.path);
        for (place, entry) in &plan.files {
            let known = match entry {
                Entry::Bytes(_) => None,
                Entry::Copy(source) | Entry::Media(source) => {
                    let of = |path: &Path| fs::metadata(path).map(|metadata| Fingerprint::of(&metadata)).ok();
                    of(source).zip(of(&place.below(&self.path))).map(|(source, output)| Known::new(&source, &output))
                }
            };
            record.files.insert(place.to_string(), known);
        }
        record.save(&self.state)
    }
}

fn problem(path: &Path, error: &io::Error) -> Problem {
    Problem::at(path, format!("can't be written: {error}"))
}

/// A file that is to be written.
struct Change<'p> {
    rank: u8,
    replaces: bool,
    place: &'p SitePath,
    entry: &'p Entry,
}

/// In which order files come into place: what is linked to before what links, and the manifest, which `serve` watches, last.
fn rank(place: &SitePath) -> u8 {
    let text = place.as_str();
    let is_page = text.rsplit_once('.').is_some_and(|(_, extension)| extension == "html");
    match text {
        manifest::FILE_NAME => 7,
        "sitemap.xml" | "robots.txt" => 6,
        "feed.xml" | "torrents.xml" => 5,
        "index.html" => 4,
        _ if text.starts_with("media/") => 0,
        _ if text.starts_with("torrents/") => 2,
        _ if is_page => 3,
        _ => 1,
    }
}

/// The absolute path of `out`, which need not exist, without symbolic links in what exists of it.
fn real(out: &Path) -> io::Result<PathBuf> {
    let absolute = std::path::absolute(out)?;
    let mut rest = Vec::new();
    for ancestor in absolute.ancestors() {
        match ancestor.canonicalize() {
            Ok(real) => return Ok(rest.iter().rev().fold(real, |path, name| path.join(name))),
            Err(error) if error.kind() == io::ErrorKind::NotFound => match ancestor.file_name() {
                Some(name) => rest.push(name.to_owned()),
                None => return Err(io::ErrorKind::InvalidInput.into()),
            },
            Err(error) => return Err(error),
        }
    }
    Err(io::ErrorKind::InvalidInput.into())
}

fn place_fits(out: &Path, state: &Path, root: &Path) -> Result<(), String> {
    if out.exists() && !out.is_dir() {
        return Err("is a file; the site is written into a folder".into());
    }
    if root.starts_with(out) {
        return Err("is the site's own folder, or holds it; the output would stand among its sources".into());
    }
    if let Some(folder) = SOURCES.iter().find(|folder| out.starts_with(root.join(folder))) {
        return Err(format!("is inside the site's folder {folder}, which is read for the site"));
    }
    if state.starts_with(out) {
        return Err("holds the folder in which builds keep what they know".into());
    }
    Ok(())
}

fn remove_folder(path: &Path) -> io::Result<()> {
    match fs::remove_dir_all(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use expect_test::expect;

    use super::super::testing::House;
    use super::*;

    #[test]
    fn files_that_everseed_did_not_write_stay() {
        let house = House::with_episode();
        house.build();
        fs::write(house.out().join("CNAME"), "show.example.org").expect("written");
        fs::write(house.out().join("episodes/ep1/notes.txt"), "notes").expect("written");
        fs::remove_file(house.root().join("content/ep1.md")).expect("removed");
        house.build();
        assert_eq!(house.output("CNAME"), "show.example.org");
        assert_eq!(house.output("episodes/ep1/notes.txt"), "notes");
        house.write("static/CNAME", "other.example.org");
        expect![[r#"
            trouble: [folder]/public/CNAME: was not written by everseed, and the site has a file of that name
              help: move it to another place, or remove it"#]]
        .assert_eq(&house.faults());
        fs::write(house.out().join("CNAME"), "other.example.org").expect("written");
        house.build();
    }

    #[test]
    fn a_folder_of_somebody_elses_is_refused() {
        let house = House::with_episode();
        let build = |out: &Path| match super::super::build(&house.options, out, &house.root().join(".everseed"), &()) {
            Ok(summary) => panic!("it is refused: {summary:?}"),
            Err(Error::Content(problems)) => problems[0].to_string(),
            Err(Error::Trouble(problem)) => format!("trouble: {problem}"),
        };
        let outer = house.out();
        fs::create_dir_all(&outer).expect("made");
        fs::write(outer.join("thesis.txt"), "years of work").expect("written");
        let outs = [
            outer.clone(),
            outer.join("thesis.txt"),
            house.root().to_owned(),
            house.root().join(".."),
            house.root().join("content/public"),
        ];
        let told: Vec<_> = outs.iter().map(|out| build(out)).collect();
        let told = told.join("\n").replace(&outer.parent().expect("a folder").display().to_string(), "[folder]");
        expect![[r#"
            [folder]/public: is not empty, and was not built by everseed: it holds thesis.txt
              help: name a folder that is empty or not there yet
            [folder]/public/thesis.txt: is a file; the site is written into a folder
              help: name a folder that holds nothing else: public
            [folder]/site: is the site's own folder, or holds it; the output would stand among its sources
              help: name a folder that holds nothing else: public
            [folder]/site/..: is the site's own folder, or holds it; the output would stand among its sources
              help: name a folder that holds nothing else: public
            [folder]/site/content/public: is inside the site's folder content, which is read for the site
              help: name a folder that holds nothing else: public"#]]
        .assert_eq(&told);
        assert_eq!(fs::read_dir(&outer).expect("listed").count(), 1);
    }

    #[test]
    fn a_site_whose_record_is_lost_is_taken_over() {
        let house = House::with_episode();
        house.build();
        fs::remove_dir_all(house.root().join("../state")).expect("removed");
        let summary = house.build();
        assert_eq!((summary.files_hashed, summary.files_written), (1, 0));
    }

    #[test]
    fn a_git_folder_is_no_content_and_stays() {
        let house = House::with_episode();
        fs::create_dir_all(house.out().join(".git")).expect("made");
        house.build();
        assert!(house.out().join(".git").is_dir());
    }

    #[test]
    fn two_builds_of_one_site_do_not_meet() {
        let house = House::with_episode();
        let state = house.root().join("../state");
        let first = Output::open(&house.out(), &state, house.root()).expect("free");
        expect![[r#"
            trouble: [folder]/state/build.lock: another build of this site is running
              help: wait until it is done"#]]
        .assert_eq(&house.faults());
        drop(first);
        house.build();
    }

    #[test]
    fn what_a_killed_build_left_is_cleaned() {
        let house = House::with_episode();
        for staging in ["../.public.everseed-staging", "../public/.everseed-staging"] {
            house.write(&format!("{staging}/0"), "half a file");
        }
        house.build();
        assert!(!house.root().join("../.public.everseed-staging").exists());
        assert!(!house.out().join(".everseed-staging").exists());
    }

    #[test]
    fn a_build_that_cannot_stage_leaves_nothing() {
        let house = House::with_episode();
        house.build();
        let before = house.contents();
        let state = house.root().join("../state");
        let path = |text: &str| SitePath::new(text).expect("plain");
        let mut plan = Plan::default();
        plan.files.insert(path("index.html"), Entry::Bytes(b"new".to_vec()));
        plan.files.insert(path("media/gone.mp3"), Entry::Media("/nowhere/gone.mp3".into()));
        let output = Output::open(&house.out(), &state, house.root()).expect("free");
        let problem = output.write(&plan, || Ok(())).expect_err("there is no such medium");
        assert!(problem.to_string().contains("can't be put there from /nowhere/gone.mp3"), "{problem}");
        assert_eq!(house.contents(), before);
        assert!(!house.root().join("../.public.everseed-staging").exists());
    }

    #[test]
    fn nothing_is_written_through_a_symbolic_link() {
        let house = House::with_episode();
        house.build();
        let elsewhere = house.root().join("../elsewhere");
        fs::create_dir(&elsewhere).expect("made");
        fs::remove_dir_all(house.out().join("torrents")).expect("removed");
        symlink(&elsewhere, house.out().join("torrents")).expect("linked");
        let problem = house.faults();
        assert!(problem.contains("is a symbolic link, and the site has a folder of that name"), "{problem}");
        fs::remove_file(house.out().join("torrents")).expect("removed");
        // In the place of a file, a link is replaced.
        fs::write(elsewhere.join("feed.xml"), "elsewhere").expect("written");
        fs::remove_file(house.out().join("feed.xml")).expect("removed");
        symlink(elsewhere.join("feed.xml"), house.out().join("feed.xml")).expect("linked");
        house.build();
        assert_eq!(fs::read_to_string(elsewhere.join("feed.xml")).expect("read"), "elsewhere");
        assert!(house.output("feed.xml").starts_with("<?xml"));
    }

    #[test]
    fn what_is_linked_to_comes_first_and_the_manifest_last() {
        let paths = [
            "everseed.json",
            "feed.xml",
            "index.html",
            "about/index.html",
            "torrents/a.torrent",
            "style.css",
            "media/a.html",
        ];
        let ranks = paths.map(|path| rank(&SitePath::new(path).expect("plain")));
        assert!(ranks.is_sorted_by(|a, b| a > b), "{ranks:?}");
    }
}
