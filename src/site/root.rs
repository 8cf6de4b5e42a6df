//! The site's folder: paths as authors write them become files that are inside it, or a fault that says why not.

use std::fs::{self, File};
use std::io;
use std::path::{Component, Path, PathBuf};

use crate::problem::{Problem, nearest};

/// The most names of a folder among which a mistyped one is looked for.
const NEIGHBOURS_MAX: usize = 1000;

/// The folder of a site, without symbolic links in its own path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Root(PathBuf);

/// What a path leads to; without symbolic links in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Found {
    /// A file that can be read.
    File {
        /// Where it stands.
        path: PathBuf,
        /// Its size.
        bytes: u64,
    },
    /// A folder.
    Folder(PathBuf),
}

/// Why a path leads to nothing that can be published.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fault {
    /// It is a URL.
    Remote,
    /// It leaves the site's folder by `..`.
    Outside,
    /// It leaves the site's folder by a symbolic link.
    Linked(PathBuf),
    /// There is nothing.
    Missing {
        /// A file of the same folder whose name is near.
        near: Option<String>,
    },
    /// It can't be read.
    Unreadable(String),
    /// It is neither a file nor a folder.
    Special,
}

impl Fault {
    /// The fault as a problem of the file `path`, in which `what` is written.
    pub fn problem(&self, path: &Path, what: &str) -> Problem {
        let (message, help) = match self {
            Self::Remote => (
                "is a URL; only `media` is".to_owned(),
                "put the file into the site's folder and write its path, or make a release of its own of it: media = \"https://...\"".to_owned(),
            ),
            Self::Outside => (
                "is outside the site's folder".to_owned(),
                "put the file into the site's folder; a path that begins with `/` counts from there".to_owned(),
            ),
            Self::Linked(to) => (
                format!("is outside the site's folder: a symbolic link leads to {}", to.display()),
                "put the file itself, or a hard link to it, into the site's folder".to_owned(),
            ),
            Self::Missing { near } => (
                "does not exist".to_owned(),
                match near {
                    Some(near) => format!("did you mean `{near}`?"),
                    None => {
                        "a path counts from the folder of this file; one that begins with `/`, from the site's folder"
                            .to_owned()
                    }
                },
            ),
            Self::Unreadable(error) => {
                (format!("can't be read: {error}"), "make it readable for the user who builds".to_owned())
            }
            Self::Special => ("is neither a file nor a folder".to_owned(), "name a file".to_owned()),
        };
        Problem::at(path, format!("{what} {message}")).help(help)
    }
}

impl Root {
    /// Opens the folder at `path`.
    pub fn open(path: &Path) -> Result<Self, Problem> {
        let unusable = |why: &str| {
            Problem::at(path, why.to_owned())
                .help("name the folder that holds everseed.toml, or make one with `everseed init`")
        };
        let real = path.canonicalize().map_err(|error| match error.kind() {
            io::ErrorKind::NotFound => unusable("there is no such folder"),
            _ => unusable(&format!("can't be read: {error}")),
        })?;
        if real.is_dir() { Ok(Self(real)) } else { Err(unusable("is not a folder")) }
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// `path` for people: as it is seen from the site's folder.
    pub fn shown<'a>(&self, path: &'a Path) -> &'a Path {
        path.strip_prefix(&self.0).unwrap_or(path)
    }

    /// What `text` leads to, as it is written in a file of the folder `folder`: from there, or from the site's folder
    /// where it begins with `/`.
    pub fn resolve(&self, folder: &Path, text: &str) -> Result<Found, Fault> {
        // Judged before the disk is asked: a path that leaves is not said to be missing.
        self.meant(folder, text)?;
        let path = self.joined(folder, text);
        let real = path.canonicalize().map_err(|error| match error.kind() {
            io::ErrorKind::NotFound => Fault::Missing { near: near(&path) },
            _ => Fault::Unreadable(error.to_string()),
        })?;
        if !real.starts_with(&self.0) {
            return Err(Fault::Linked(real));
        }
        let unreadable = |error: io::Error| Fault::Unreadable(error.to_string());
        let metadata = fs::metadata(&real).map_err(unreadable)?;
        if metadata.is_dir() {
            return Ok(Found::Folder(real));
        }
        // A pipe is not opened: that would wait for its writer.
        if !metadata.is_file() {
            return Err(Fault::Special);
        }
        File::open(&real).map_err(unreadable)?;
        Ok(Found::File { path: real, bytes: metadata.len() })
    }

    /// Where `text` leads by its words, as in [`Root::resolve`]; whether anything is there is not asked.
    pub fn meant(&self, folder: &Path, text: &str) -> Result<PathBuf, Fault> {
        if text.contains("://") {
            return Err(Fault::Remote);
        }
        let path = lexical(&self.joined(folder, text));
        if path.starts_with(&self.0) { Ok(path) } else { Err(Fault::Outside) }
    }

    fn joined(&self, folder: &Path, text: &str) -> PathBuf {
        match text.strip_prefix('/') {
            Some(rest) => self.0.join(rest.trim_start_matches('/')),
            None => folder.join(text),
        }
    }
}

/// Whether the name of `path` begins with a dot; page hosts drop such files.
pub fn is_dot_file(path: &Path) -> bool {
    path.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(b"."))
}

/// The path with `.` and `..` taken away by their meaning without symbolic links.
fn lexical(path: &Path) -> PathBuf {
    let mut out = PathBuf::new();
    for component in path.components() {
        match component {
            Component::CurDir => {}
            Component::ParentDir => {
                out.pop();
            }
            other => out.push(other),
        }
    }
    out
}

fn near(path: &Path) -> Option<String> {
    let wanted = path.file_name()?.to_str()?;
    let mut names: Vec<_> = fs::read_dir(path.parent()?)
        .ok()?
        .take(NEIGHBOURS_MAX)
        .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
        .filter(|name| !name.starts_with('.') && Path::new(name).extension() == path.extension())
        .collect();
    names.sort();
    // Without what is the same in all of them, which would make any two names look alike.
    let stem = |name: &str| Path::new(name).file_stem().map(|stem| stem.to_string_lossy().into_owned());
    let stems: Vec<_> = names.iter().filter_map(|name| stem(name)).collect();
    let near = nearest(&stem(wanted)?, stems.iter().map(String::as_str))?;
    stems.iter().position(|stem| stem == near).map(|at| names.swap_remove(at))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_stays_inside_or_says_how_it_leaves() {
        let outer = tempfile::tempdir().expect("a temporary folder");
        let site = outer.path().join("site");
        fs::create_dir_all(site.join("content/sub")).expect("made");
        fs::write(outer.path().join("secret.mp3"), "s").expect("written");
        fs::write(site.join("a.mp3"), "a").expect("written");
        std::os::unix::fs::symlink(outer.path().join("secret.mp3"), site.join("content/link.mp3")).expect("linked");
        std::os::unix::fs::symlink("loop.mp3", site.join("content/loop.mp3")).expect("linked");
        std::os::unix::fs::symlink("../a.mp3", site.join("content/inner.mp3")).expect("linked");
        let root = Root::open(&site).expect("a folder");
        let folder = root.path().join("content");
        let resolve = |text: &str| root.resolve(&folder, text);

        let a = Found::File { path: root.path().join("a.mp3"), bytes: 1 };
        for text in ["/a.mp3", "../a.mp3", "sub/../../a.mp3", "inner.mp3", "//a.mp3"] {
            assert_eq!(resolve(text), Ok(a.clone()), "{text}");
        }
        fs::write(folder.join("unread.mp3"), "u").expect("written");
        let missing = |near: Option<&str>| Err(Fault::Missing { near: near.map(str::to_owned) });
        assert_eq!(resolve("nope.mp3"), missing(None), "an extension makes no two names alike");
        assert_eq!(resolve("unraed.mp3"), missing(Some("unread.mp3")));
        assert_eq!(resolve("unread.wav"), missing(None));
        assert_eq!(resolve("sub"), Ok(Found::Folder(folder.join("sub"))));
        assert_eq!(resolve("../../secret.mp3"), Err(Fault::Outside));
        assert_eq!(resolve("/../secret.mp3"), Err(Fault::Outside));
        assert_eq!(resolve("../../nowhere.mp3"), Err(Fault::Outside));
        assert!(matches!(resolve("link.mp3"), Err(Fault::Linked(_))));
        assert!(matches!(resolve("loop.mp3"), Err(Fault::Unreadable(_))));
        assert!(matches!(resolve("/a.mp3/b"), Err(Fault::Unreadable(_))));
        assert_eq!(resolve("https://show.example.org/a.mp3"), Err(Fault::Remote));
        assert_eq!(resolve("innre.mp3"), Err(Fault::Missing { near: Some("inner.mp3".into()) }));
        assert_eq!(resolve("x.ogg"), Err(Fault::Missing { near: None }));
    }
}
