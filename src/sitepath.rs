//! Paths below a site's root: parsed once into a type that cannot leave it.

use std::fmt;
use std::path::{Path, PathBuf};

use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};

/// The most bytes a path below a site's root has.
pub const PATH_BYTES_MAX: usize = 4096;

/// Everything but the unreserved characters of RFC 3986 and the few that stand in a path segment unharmed.
const SEGMENT: &AsciiSet = &CONTROLS
    .add(b' ')
    .add(b'"')
    .add(b'#')
    .add(b'%')
    .add(b'&')
    .add(b'\'')
    .add(b'+')
    .add(b'/')
    .add(b':')
    .add(b';')
    .add(b'<')
    .add(b'=')
    .add(b'>')
    .add(b'?')
    .add(b'@')
    .add(b'[')
    .add(b'\\')
    .add(b']')
    .add(b'^')
    .add(b'`')
    .add(b'{')
    .add(b'|')
    .add(b'}');

/// A path below the root of a site: one or more names with `/` between them, each neither empty, `.` nor `..`, and
/// free of `\` and NUL. Joined to a folder it stays in that folder (symbolic links aside).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SitePath(String);

/// A text that is no path below a root.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NotASitePath(String);

impl fmt::Display for NotASitePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} is not a path below the site's root (no `..`, no leading `/`, no `\\`)", self.0)
    }
}

impl std::error::Error for NotASitePath {}

impl SitePath {
    /// Takes `text` if it is such a path.
    pub fn new(text: impl Into<String>) -> Result<Self, NotASitePath> {
        let text = text.into();
        let fits = text.len() <= PATH_BYTES_MAX && text.split('/').all(is_plain_name);
        if fits { Ok(Self(text)) } else { Err(NotASitePath(text)) }
    }

    /// The path with `/` between its names.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The names of the path, outermost first.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.0.split('/')
    }

    /// The path below the folder `root`.
    pub fn below(&self, root: &Path) -> PathBuf {
        root.join(&self.0)
    }

    /// The path, percent-encoded for a URL.
    pub fn url(&self) -> String {
        self.names().map(encode_segment).collect::<Vec<_>>().join("/")
    }
}

impl fmt::Display for SitePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Whether `name` can stand between two `/` of a path and names something in that folder.
pub fn is_plain_name(name: &str) -> bool {
    !name.is_empty() && name != "." && name != ".." && !name.contains(['/', '\\', '\0'])
}

/// One segment of a URL's path, percent-encoded (RFC 3986).
pub fn encode_segment(segment: &str) -> String {
    utf8_percent_encode(segment, SEGMENT).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_that_leaves_the_root_is_refused() {
        for text in ["", "/", "/etc/passwd", "..", "a/../b", "a//b", "a/", "./a", "a\\b", "a\0", &"a/".repeat(3000)] {
            assert!(SitePath::new(text).is_err(), "{text:?}");
        }
        for text in ["index.html", "media/ep 1.mp3", "a/.../b", "ü/é"] {
            assert!(SitePath::new(text).is_ok(), "{text:?}");
        }
    }

    #[test]
    fn a_url_holds_only_what_every_client_asks_for_unchanged() {
        let path = SitePath::new("media/a b#c?d%/é&+.mp3").expect("below the root");
        assert_eq!(path.url(), "media/a%20b%23c%3Fd%25/%C3%A9%26%2B.mp3");
    }
}
