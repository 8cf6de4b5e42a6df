//! The URL of an enclosure: where it leads without tracking prefixes, and where that stands in the site. It asks no
//! server and no disk.

use crate::baseurl::BaseUrl;
use crate::problem::Problem;
use crate::sitepath::SitePath;

/// The tracking prefixes that are taken off an enclosure's URL: those of the industry and those that are configured.
#[derive(Debug, Clone)]
pub struct Prefixes;

impl Prefixes {
    /// The built-in prefixes and `configured` ones: http or https URLs that end in `/`, in which a name of the path may
    /// be `*`, which stands for any name.
    pub fn new(_configured: &[String]) -> Result<Self, Problem> {
        Ok(Self)
    }

    /// `url` without the prefixes that it begins with; they are nested.
    pub fn strip(&self, url: &str) -> String {
        url.to_owned()
    }
}

/// Where the URL of an enclosure leads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Address {
    /// The URL as it stands in the feed, made absolute.
    pub feed_url: String,
    /// The URL without tracking prefixes and fragment, percent-encoded so that every client asks for the same.
    pub direct_url: String,
    /// Where it stands below the site's base URL, percent-decoded.
    pub site_path: Option<SitePath>,
    /// The decoded names of its path, outermost first; the last is the file's. There is at least one.
    pub path_names: Vec<String>,
    /// What the author should hear about it: "is relative, ...".
    pub remarks: Vec<String>,
}

impl Address {
    /// Reads the `url` of an enclosure in the feed at `feed_at`, an absolute URL. An error: why it can't be used, to
    /// stand behind the URL.
    pub fn of(url: &str, _feed_at: &str, _base: &BaseUrl, _prefixes: &Prefixes) -> Result<Self, String> {
        Err(format!("{url} is not read yet"))
    }
}
