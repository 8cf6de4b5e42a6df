//! A site in a temporary folder, for tests that read as a story.

use std::fs;
use std::path::{Path, PathBuf};

use super::{Error, Options, Summary, build};
use crate::baseurl::BaseUrl;

/// Front matter and text of an episode.
pub const EP1: &str = "+++\ntitle = \"One\"\ndate = 2026-05-01\nmedia = \"ep1.mp3\"\n+++\nThe *first*.\n";

/// Those of another, which is newer.
pub const EP2: &str = "+++\ntitle = \"Two\"\ndate = 2026-05-08T06:00:00Z\nmedia = \"ep2.mp3\"\n+++\n";

/// A site's folder, its options, and the output beside it.
pub struct House {
    folder: tempfile::TempDir,
    /// What it is built with.
    pub options: Options,
}

impl House {
    /// An empty site.
    pub fn new() -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let root = folder.path().join("site");
        fs::create_dir_all(root.join("content")).expect("made");
        let url = BaseUrl::parse("https://show.example.org/").expect("a URL");
        Self { options: Options::new(root, "A show", url), folder }
    }

    /// A site with one episode.
    pub fn with_episode() -> Self {
        Self::new().page("ep1.md", EP1).file("content/ep1.mp3", "medium 1")
    }

    /// The site's folder.
    pub fn root(&self) -> &Path {
        &self.options.root
    }

    /// A page below `content/`.
    pub fn page(self, path: &str, text: &str) -> Self {
        self.file(&format!("content/{path}"), text)
    }

    /// A file of the site.
    pub fn file(self, path: &str, content: impl AsRef<[u8]>) -> Self {
        self.write(path, content);
        self
    }

    /// Writes a file of the site.
    pub fn write(&self, path: &str, content: impl AsRef<[u8]>) {
        let path = self.root().join(path);
        fs::create_dir_all(path.parent().expect("a folder")).expect("made");
        fs::write(path, content).expect("written");
    }

    /// Says of the show what podcast directories ask for.
    pub fn described(self) -> Self {
        self.file("cover.jpg", "a cover").with(|options| {
            options.description = "About things.".into();
            options.show.image = Some("cover.jpg".into());
            options.show.categories = super::categories(["Arts"]);
        })
    }

    /// Changes the options.
    pub fn with(mut self, change: impl FnOnce(&mut Options)) -> Self {
        change(&mut self.options);
        self
    }

    /// Where it is built.
    pub fn out(&self) -> PathBuf {
        self.folder.path().join("public")
    }

    /// Builds it, or not.
    pub fn try_build(&self) -> Result<Summary, Error> {
        build(&self.options, &self.out(), &self.folder.path().join("state"), &())
    }

    /// Builds it.
    pub fn build(&self) -> Summary {
        self.try_build().unwrap_or_else(|error| panic!("it builds: {error:?}"))
    }

    /// Everything that is wrong with it, as it is printed.
    pub fn faults(&self) -> String {
        match self.try_build() {
            Ok(summary) => panic!("it has faults: {summary:?}"),
            Err(Error::Content(problems)) => problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"),
            Err(Error::Changed(problems)) => {
                problems.iter().map(|problem| format!("changed: {problem}")).collect::<Vec<_>>().join("\n")
            }
            Err(Error::Media(problems)) => {
                problems.iter().map(|problem| format!("trouble: {problem}")).collect::<Vec<_>>().join("\n")
            }
            Err(Error::Trouble(problem)) => format!("trouble: {problem}"),
        }
        .replace(&self.folder.path().canonicalize().expect("a folder").display().to_string(), "[folder]")
        .replace(&self.folder.path().display().to_string(), "[folder]")
    }

    /// A file of the output.
    pub fn output(&self, path: &str) -> String {
        let path = self.out().join(path);
        fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
    }

    /// The paths of all files of the output.
    pub fn listing(&self) -> Vec<String> {
        let walk = walkdir::WalkDir::new(self.out()).sort_by_file_name().into_iter().flatten();
        let files = walk.filter(|entry| !entry.file_type().is_dir());
        files.map(|entry| entry.path().strip_prefix(self.out()).expect("below").display().to_string()).collect()
    }

    /// All files of the output with their contents.
    pub fn contents(&self) -> Vec<(String, Vec<u8>)> {
        let read = |path: String| (path.clone(), fs::read(self.out().join(path)).expect("read"));
        self.listing().into_iter().map(read).collect()
    }
}
