//! Where the bytes of a piece can be had over HTTP: other copies of the site, the torrent's web seeds, and wherever a file
//! is published.

use std::collections::HashMap;
use std::io::{self, Read};

use super::{Options, Subject};
use crate::fetch::{Client, Download, Failed, Slow};
use crate::metainfo::Layout;
use crate::problem::Problem;
use crate::sitepath::encode_segment;

/// The most sources over HTTP that are tried for one torrent.
pub const SOURCES_MAX: usize = 32;
/// Gaps up to so many bytes are read over: it is less work for the server than another request.
const GAP_BYTES_MAX: u64 = 256 * 1024;

/// What came of a source that was tried.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tried {
    /// The source: a URL, or `the swarm`.
    pub source: String,
    /// The pieces that it had.
    pub pieces: u64,
    /// The bytes that came from it, those of no use among them.
    pub bytes: u64,
    /// Why it did not have all.
    pub problem: Option<Problem>,
}

/// A web server that may have the files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Source {
    /// As the operator knows it.
    pub name: String,
    /// Where each file is, where it is there at all.
    pub urls: Vec<Option<String>>,
}

/// The sources of a torrent, the operator's own first.
pub(super) fn sources(subject: &Subject<'_>, options: &Options) -> Vec<Source> {
    let is_own = |url: &str| !subject.base_url.is_empty() && url.starts_with(&subject.base_url);
    // Also one of our own address, if the operator says so: this may be a copy of what stands there.
    let mirrors = options.mirrors.iter().map(|root| Source {
        name: root.clone(),
        urls: subject.files.iter().map(|place| Some(format!("{root}{}", place.below.url()))).collect(),
    });
    let metainfo = &subject.torrent.metainfo;
    let web_seeds = metainfo.web_seeds.iter().filter(|url| !is_own(url)).map(|base| {
        let files = metainfo.info.files();
        let is_single = matches!(metainfo.info.layout, Layout::Single(_)) || !files[0].0.contains('/');
        let url = |path: &str| {
            let path = path.split('/').map(encode_segment).collect::<Vec<_>>().join("/");
            match (is_single, base.ends_with('/')) {
                // BEP 19: a base that ends with `/` is one for the name, also of a single file.
                (_, true) => format!("{base}{path}"),
                (true, false) => base.clone(),
                (false, false) => format!("{base}/{path}"),
            }
        };
        Source { name: base.clone(), urls: files.iter().map(|(path, _)| Some(url(path))).collect() }
    });
    let elsewhere: Vec<_> = subject.files.iter().map(|place| place.url.clone().filter(|url| !is_own(url))).collect();
    let elsewhere = elsewhere.iter().flatten().next().cloned().map(|name| Source { name, urls: elsewhere });
    let mut sources: Vec<Source> = Vec::new();
    for source in mirrors.chain(web_seeds).chain(elsewhere) {
        if sources.len() < SOURCES_MAX && sources.iter().all(|other| other.urls != source.urls) {
            sources.push(source);
        }
    }
    sources
}

/// Reads parts of files of one source.
pub(super) struct Reader<'c> {
    client: &'c Client,
    open: HashMap<usize, Download>,
    /// What is too slow, where it is not what the client takes for it.
    slow: Option<Slow>,
    /// The bytes that have come.
    pub bytes: u64,
    /// Whether one of the files was given up because it came too slowly.
    pub was_too_slow: bool,
}

impl<'c> Reader<'c> {
    pub fn new(client: &'c Client, slow: Option<Slow>) -> Self {
        Self { client, open: HashMap::new(), slow, bytes: 0, was_too_slow: false }
    }

    /// Fills `buffer` with the bytes from `offset` on of the file at `url`, which has `total`; up to `until` more of it
    /// will be asked for next.
    pub fn read(
        &mut self,
        file: usize,
        url: &str,
        total: u64,
        offset: u64,
        until: u64,
        buffer: &mut [u8],
    ) -> Result<(), Failed> {
        let end = offset + buffer.len() as u64;
        let is_ahead = |download: &Download| {
            // Without ranges the file comes from its start again: what lies between is read, however far it is.
            let gap = offset.checked_sub(download.at());
            end <= download.end() && gap.is_some_and(|gap| gap <= GAP_BYTES_MAX || !download.remote().ranges)
        };
        let mut download = if let Some(download) = self.open.remove(&file).filter(is_ahead) {
            download
        } else {
            // One connection a source: the others of it are given up.
            self.open.clear();
            let mut download = self.client.part(url, &(offset..until.max(end)), total)?;
            self.slow.into_iter().for_each(|slow| download.hurry(slow));
            download
        };
        let failed = |error: io::Error| match Problem::carried_by(&error) {
            Some(problem) => Failed::from(problem.clone()),
            None => Problem::new(format!("{url}: {error}")).into(),
        };
        let gap = offset.saturating_sub(download.at());
        let read = io::copy(&mut download.by_ref().take(gap), &mut io::sink()).and_then(|skipped| {
            self.bytes += skipped;
            download.read_exact(buffer)
        });
        self.was_too_slow |= download.was_too_slow();
        read.map_err(failed)?;
        self.bytes += buffer.len() as u64;
        self.open.insert(file, download);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::heal::testing::Show;
    use crate::metainfo::Kind;

    fn told(subject: &Subject<'_>, mirrors: &[&str]) -> String {
        let options = Options { mirrors: mirrors.iter().map(|url| (*url).to_owned()).collect(), ..Options::default() };
        let line = |source: Source| {
            let urls: Vec<_> = source.urls.into_iter().map(Option::unwrap_or_default).collect();
            format!("{}: {}", source.name, urls.join(" "))
        };
        sources(subject, &options).into_iter().map(line).collect::<Vec<_>>().join("\n")
    }

    #[test]
    fn mirrors_come_first_and_our_own_web_seed_never() {
        let mut show = Show::new(Kind::V1, &[("a b.mp3", 5)]);
        show.torrent.metainfo.web_seeds =
            ["https://show.example.org/media/a b.mp3", "https://b.example.org/x.mp3", "https://c.example.org/m/"]
                .map(str::to_owned)
                .to_vec();
        let mut subject = show.subject();
        subject.files[0].url = Some("https://b.example.org/x.mp3".into());
        let told = told(&subject, &["https://a.example.org/copy/"]);
        expect_test::expect![[r#"
            https://a.example.org/copy/: https://a.example.org/copy/media/a%20b.mp3
            https://b.example.org/x.mp3: https://b.example.org/x.mp3
            https://c.example.org/m/: https://c.example.org/m/a%20b.mp3"#]]
        .assert_eq(&told);
    }

    #[test]
    fn a_release_of_several_files_lies_below_its_name_on_a_web_seed() {
        let mut show = Show::new(Kind::V1, &[("a#1", 5), ("b", 5)]);
        show.torrent.metainfo.web_seeds =
            ["https://b.example.org/m", "https://c.example.org/"].map(str::to_owned).to_vec();
        let mut subject = show.subject();
        subject.files[1].url = Some("https://d.example.org/b".into());
        expect_test::expect![[r#"
            https://a.example.org/: https://a.example.org/media/a%231 https://a.example.org/media/b
            https://b.example.org/m: https://b.example.org/m/set/a%231 https://b.example.org/m/set/b
            https://c.example.org/: https://c.example.org/set/a%231 https://c.example.org/set/b
            https://d.example.org/b:  https://d.example.org/b"#]]
        .assert_eq(&told(&subject, &["https://a.example.org/"]));
        let many: Vec<_> = (0..=SOURCES_MAX).map(|n| format!("https://{n}.example.org/")).collect();
        let many = sources(&subject, &Options { mirrors: many, ..Options::default() });
        assert_eq!(many.len(), SOURCES_MAX);
    }
}
