//! The output folder: what differs is written beside it first, then renamed into place, so that a build that fails leaves the
//! former site whole, one that is killed is taken back, and at each instant the manifest that stands is true.

use std::fs::{self, File, Metadata};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use super::Error;
use super::plan::Plan;
use super::record::{Known, Record};
use crate::fingerprint::Fingerprint;
use crate::fsx;
use crate::manifest::{self, Manifest};
use crate::output::{self, Does, Entry, Staging, Watch, hold_state};
use crate::problem::Problem;
use crate::retired;
use crate::sitepath::SitePath;

/// The folders of a site in which no output may stand.
const SOURCES: [&str; 4] = ["content", "static", "templates", "themes"];

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
    /// Held while this build runs: of what builds remember, and of the folder where it is there.
    _memory: File,
    folder: Option<File>,
}

impl Output {
    /// Takes the folder `out` for the site in `root`, with what is known of it below the folder `state`. A folder that holds
    /// other things than a site of everseed is refused.
    pub fn open(out: &Path, state: &Path, root: &Path) -> Result<Self, Error> {
        let (state, memory) = hold_state(state).map_err(Error::Trouble)?;
        let path = real(out).map_err(|error| Error::Trouble(output::unwritable(out, &error)))?;
        let refused = |problem| Error::Content(vec![problem]);
        place_fits(&path, &state, root)
            .map_err(|why| refused(Problem::at(out, why).help("name a folder that holds nothing else: public")))?;
        let former = Record::load(&state, &path);
        let mut output = Self { path, state, former, _memory: memory, folder: None };
        if output.path.is_dir() {
            output.hold().map_err(Error::Trouble)?;
            output::recover(&output.path, &mut || Ok(())).map_err(Error::Trouble)?;
        }
        output.is_ours(out).map_err(refused)?;
        Ok(output)
    }

    /// The folder.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// What the former build published.
    pub fn manifest(&self) -> Option<Manifest> {
        let json = fsx::read_at_most(&self.path.join(manifest::FILE_NAME), manifest::BYTES_MAX).ok()?;
        Manifest::parse(&json).ok()
    }

    /// What is the build's own and no content, though it may stand in the site's folder, and what each is.
    pub fn own(&self) -> [(PathBuf, &'static str); 2] {
        [(self.path.clone(), "the output of builds"), (self.state.clone(), "what builds remember")]
    }

    /// Makes the folder what `plan` says. `guard` is asked when everything is staged and nothing is in place yet; its error
    /// ends the build and leaves the former site, as does every error later on. `watch` sees each change to the folder.
    pub fn write(
        mut self,
        plan: &Plan,
        guard: impl FnOnce() -> Result<(), Problem>,
        watch: Watch,
    ) -> Result<Written, Problem> {
        let changed = self.changed(plan)?;
        let removed = self.removed(plan);
        fs::create_dir_all(&self.path).map_err(|error| problem(&self.path, &error))?;
        self.hold()?;
        let mut staging = Staging::make(&self.path)?;
        let done = self.stage(plan, &changed, &removed, &mut staging).and_then(|()| guard()).and_then(|()| {
            if !staging.is_empty() {
                self.record_all(plan)?;
                staging.commit(watch).inspect_err(|_| self.record_again())?;
            }
            output::remove_empty_folders(&self.path, &removed);
            self.record(plan)
        });
        done.and(staging.clean())?;
        Ok(Written { changed: changed.len(), unchanged: plan.files.len() - changed.len(), removed: removed.len() })
    }

    /// Takes the folder for this build alone: another one may know it from elsewhere.
    fn hold(&mut self) -> Result<(), Problem> {
        if self.folder.is_none() {
            self.folder = Some(output::hold(&self.path)?);
        }
        Ok(())
    }

    fn is_ours(&self, out: &Path) -> Result<(), Problem> {
        let refuse = |why: String| Err(Problem::at(out, why).help("name a folder that is empty or not there yet"));
        let entries = match fs::read_dir(&self.path) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            Err(error) => return refuse(format!("can't be read: {error}")),
        };
        if self.former.is_some() || is_built(&self.path.join(manifest::FILE_NAME)) {
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
            output::check_folders(&self.path, &self.path, place)?;
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
            let does = if existing.is_some() { Does::Replaces } else { Does::Adds };
            changed.push(Change { rank: rank(place), does, place, entry });
        }
        // What is new comes before what is replaced: only the latter can be linked to from what is in place already.
        changed.sort_by_key(|change| (change.rank, change.does == Does::Replaces, change.place));
        Ok(changed)
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

    fn stage(
        &self,
        plan: &Plan,
        changed: &[Change],
        removed: &[SitePath],
        staging: &mut Staging,
    ) -> Result<(), Problem> {
        // Bytes that are retired are in their new place before others take their former one.
        let is_retired = |change: &&Change| change.rank == RETIRED && change.does == Does::Adds;
        for change in changed.iter().filter(is_retired) {
            staging.put(change.place, change.does, change.entry)?;
        }
        if let Some(json) = self.interim(plan, changed) {
            staging.put(&manifest::place(), Does::Replaces, &Entry::Bytes(json.into_bytes()))?;
        }
        for change in changed.iter().filter(|change| !is_retired(change)) {
            staging.put(change.place, change.does, change.entry)?;
        }
        removed.iter().for_each(|place| staging.remove(place));
        Ok(())
    }

    /// The manifest that is true while files are replaced, where neither the former nor the new one is.
    fn interim(&self, plan: &Plan, changed: &[Change]) -> Option<String> {
        let place = manifest::place();
        let Some(Entry::Bytes(new)) = plan.files.get(&place) else { return None };
        let replaced = changed.iter().filter(|change| change.does == Does::Replaces).map(|change| change.place);
        output::interim_manifest(&self.path, new, &replaced.collect())
    }

    /// What the former build wrote and this one does not.
    fn removed(&self, plan: &Plan) -> Vec<SitePath> {
        let former = self.former.iter().flat_map(|former| former.files.keys());
        let places = former.filter_map(|name| SitePath::new(name.as_str()).ok());
        // Through a symbolic link it could be anybody's.
        let is_gone = |place: &SitePath| {
            !plan.files.contains_key(place)
                && !plan.kept.contains(place)
                && output::check_folders(&self.path, &self.path, place).is_ok()
        };
        let is_file =
            |place: &SitePath| fs::symlink_metadata(place.below(&self.path)).is_ok_and(|metadata| !metadata.is_dir());
        places.filter(is_gone).filter(is_file).collect()
    }

    /// Writes down what will be everseed's, before it is: a build that is killed then knows its files.
    fn record_all(&self, plan: &Plan) -> Result<(), Problem> {
        let mut record = Record::new(&self.path);
        record.files.extend(plan.files.keys().map(|place| (place.to_string(), None)));
        // By these, files that stay are known again.
        record.files.extend(self.former.iter().flat_map(|former| former.files.clone()));
        record.save(&self.state)
    }

    /// Writes down what was known before, when the former site stands again.
    fn record_again(&self) {
        if let Some(former) = &self.former {
            // Without it, the next build takes longer, and no more.
            let _ = former.save(&self.state);
        }
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
        for place in &plan.kept {
            let known = self.former.as_ref().and_then(|former| former.files.get_key_value(place.as_str()));
            record.files.extend(known.map(|(name, known)| (name.clone(), *known)));
        }
        if self.former.as_ref() == Some(&record) { Ok(()) } else { record.save(&self.state) }
    }
}

/// Whether the manifest at `path` is that of a site that was built: of one that everseed was attached to, the other files
/// are another generator's.
fn is_built(path: &Path) -> bool {
    let Ok(json) = fsx::read_at_most(path, manifest::BYTES_MAX) else { return false };
    Manifest::parse(&json).map_or(true, |manifest| !manifest.generator.ends_with(manifest::ATTACHED))
}

fn problem(path: &Path, error: &io::Error) -> Problem {
    Problem::at(path, format!("can't be written: {error}"))
}

/// A file that is to be written.
struct Change<'p> {
    rank: u8,
    does: Does,
    place: &'p SitePath,
    entry: &'p Entry,
}

/// The rank of what is retired.
const RETIRED: u8 = 0;

/// In which order files come into place: what is linked to before what links, and the manifest, which `serve` watches, last.
fn rank(place: &SitePath) -> u8 {
    let text = place.as_str();
    let is_page = text.rsplit_once('.').is_some_and(|(_, extension)| extension == "html");
    match text {
        manifest::FILE_NAME => 8,
        "sitemap.xml" | "robots.txt" => 7,
        "feed.xml" | "torrents.xml" => 6,
        "index.html" => 5,
        _ if retired::is_place(place) => RETIRED,
        _ if text.starts_with("media/") => 1,
        _ if text.starts_with("torrents/") => 3,
        _ if is_page => 4,
        _ => 2,
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
    if out.starts_with(root.join(retired::FOLDER)) {
        return Err(format!(
            "is inside the site's folder {}, which holds what is not published any more",
            retired::FOLDER
        ));
    }
    if state.starts_with(out) {
        return Err("holds the folder in which builds keep what they know".into());
    }
    Ok(())
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
            Err(Error::Content(problems) | Error::Changed(problems) | Error::Media(problems)) => {
                problems[0].to_string()
            }
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
        // One that remembers elsewhere.
        house.build();
        let first = Output::open(&house.out(), &state, house.root()).expect("free");
        let other = Output::open(&house.out(), &house.root().join(".everseed"), house.root());
        assert!(matches!(other, Err(Error::Trouble(_))), "{other:?}");
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
        let problem = output.write(&plan, || Ok(()), &mut || Ok(())).expect_err("there is no such medium");
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
            "robots.txt",
            "feed.xml",
            "index.html",
            "about/index.html",
            "torrents/a.torrent",
            "style.css",
            "media/a.html",
            "retired/0123456789abcdef0123456789abcdef01234567.torrent",
        ];
        let ranks = paths.map(|path| rank(&SitePath::new(path).expect("plain")));
        assert!(ranks.is_sorted_by(|a, b| a > b), "{ranks:?}");
    }
}
