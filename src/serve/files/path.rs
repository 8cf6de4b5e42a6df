//! The path of a URL as names below the site's root: decoded once, and free of every name that could lead elsewhere.

use percent_encoding::percent_decode_str;

use crate::id::hex_value;

/// The most bytes a decoded path has.
pub const PATH_BYTES_MAX: usize = 4096;

/// A path below the site's root.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UrlPath {
    /// The names, outermost first; none for the root itself.
    pub names: Vec<String>,
    /// Whether a `/` stands at the end: a folder is meant.
    pub folder: bool,
}

/// Why a path names nothing here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refused {
    /// It is no path of a URL: 400.
    Malformed,
    /// It names nothing that is served: 404, which does not tell what exists.
    Hidden,
}

/// Reads the path of a request.
///
/// It is decoded once, so that `%252e` stays the name `%2e`. Refused are `.` and `..` (also encoded), empty names
/// (`//host` in a redirect would lead to another host), dot-files (a site has none; a stray `.git` or `.env` stays
/// private), `\`, NUL, an encoded `/`, and what is not UTF-8.
pub fn parse(path: &str) -> Result<UrlPath, Refused> {
    let below = path.strip_prefix('/').ok_or(Refused::Malformed)?;
    if path.len() > 3 * PATH_BYTES_MAX {
        return Err(Refused::Hidden);
    }
    if !is_well_encoded(below.as_bytes()) {
        return Err(Refused::Malformed);
    }
    let (below, folder) = match below.strip_suffix('/') {
        Some(folder) => (folder, true),
        None => (below, below.is_empty()),
    };
    if below.is_empty() {
        return if path == "/" { Ok(UrlPath { names: Vec::new(), folder: true }) } else { Err(Refused::Hidden) };
    }
    let names = below.split('/').map(name).collect::<Option<Vec<_>>>().ok_or(Refused::Hidden)?;
    let bytes = names.iter().map(|name| name.len() + 1).sum::<usize>();
    if bytes > PATH_BYTES_MAX { Err(Refused::Hidden) } else { Ok(UrlPath { names, folder }) }
}

impl UrlPath {
    /// The path below `base` where this one lies there.
    pub fn below(&self, base: &[String]) -> Option<UrlPath> {
        let names = self.names.strip_prefix(base)?.to_vec();
        Some(Self { names, folder: self.folder })
    }

    /// The names with `/` between them, and one at the end where a folder is meant.
    pub fn text(&self) -> String {
        let mut text = self.names.join("/");
        if self.folder && !text.is_empty() {
            text.push('/');
        }
        text
    }
}

fn name(segment: &str) -> Option<String> {
    let name = percent_decode_str(segment).decode_utf8().ok()?;
    // A leading dot covers `.` and `..` as well.
    let served = !name.is_empty() && !name.starts_with('.') && !name.contains(['/', '\\', '\0']);
    served.then(|| name.into_owned())
}

fn is_well_encoded(path: &[u8]) -> bool {
    path.iter().enumerate().filter(|&(_, &byte)| byte == b'%').all(|(at, _)| {
        let digit = |offset| path.get(at + offset).copied().and_then(hex_value).is_some();
        digit(1) && digit(2)
    })
}

#[cfg(test)]
mod tests {
    use super::Refused::{Hidden, Malformed};
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn attempts_to_leave_the_site_are_refused() {
        let hidden = [
            "/..",
            "/../",
            "/../etc/passwd",
            "/a/../../etc/passwd",
            "/%2e%2e/etc/passwd",
            "/%2E%2e%2fetc/passwd",
            "/.%2e/x",
            "/a/%2e%2e/b",
            "/..%2fetc/passwd",
            "/..%5cetc",
            "/..\\etc",
            "/a\\b",
            "/a%00.mp3",
            "/.git/config",
            "/.env",
            "/a/.hidden/b",
            "/.../b",
            "/.",
            "/./a",
            "//",
            "//example.org/x",
            "/a//b",
            "/a%2fb",
            "/%ff",
            "/%c0%ae%c0%ae/x",
        ];
        for path in hidden {
            assert_eq!(parse(path), Err(Hidden), "{path}");
        }
        for path in ["", "*", "etc", "/%", "/%2", "/%zz", "/a%g0"] {
            assert_eq!(parse(path), Err(Malformed), "{path}");
        }
        assert_eq!(parse(&format!("/{}", "a".repeat(5000))), Err(Hidden));
        assert_eq!(parse(&format!("/{}", "%61".repeat(5000))), Err(Hidden));
    }

    #[test]
    fn a_path_is_decoded_once() {
        let cases: &[(&str, &[&str], bool)] = &[
            ("/", &[], true),
            ("/a", &["a"], false),
            ("/a/", &["a"], true),
            ("/a%20b/c+d.mp3", &["a b", "c+d.mp3"], false),
            ("/%252e%252e/x", &["%2e%2e", "x"], false),
            ("/%C3%A9/a%25", &["é", "a%"], false),
            ("/a..b/c.", &["a..b", "c."], false),
        ];
        for (path, names, folder) in cases {
            let names: Vec<String> = names.iter().map(|&name| name.to_owned()).collect();
            assert_eq!(parse(path), Ok(UrlPath { names, folder: *folder }), "{path}");
        }
    }

    #[test]
    fn a_path_below_the_base_loses_it() {
        let base = ["show".to_owned()];
        let below = |path: &str| parse(path).expect("a path").below(&base).map(|path| path.text());
        assert_eq!(below("/show/a/b/").as_deref(), Some("a/b/"));
        assert_eq!(below("/%73how/a").as_deref(), Some("a"));
        assert_eq!(below("/show").as_deref(), Some(""));
        assert_eq!(below("/shows/a"), None);
        assert_eq!(below("/"), None);
    }

    proptest! {
        #[test]
        fn no_name_leads_out_of_its_folder(path in prop_oneof![".*", "/[a./%2eE5cC\\\\]{0,24}"]) {
            for name in parse(&path).map(|path| path.names).unwrap_or_default() {
                prop_assert!(crate::sitepath::is_plain_name(&name) && !name.starts_with('.'), "{}", name);
            }
        }
    }
}
