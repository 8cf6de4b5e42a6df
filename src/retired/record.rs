//! `retired.toml`: since when a torrent is retired, what it was, and what its files were like then.

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use std::path::Path;

use crate::problem::Problem;
use crate::tomlfile;

/// Its name in the folder of a torrent.
pub const FILE_NAME: &str = "retired.toml";
/// The version of the format that is written, and the only one that is read.
const VERSION: u32 = 1;
/// The most bytes of it: a line or three for each file of a large torrent.
pub const BYTES_MAX: u64 = 64 << 20;
/// What stands at its head.
const HEAD: &str = "\
# Made by everseed: a torrent that the site does not publish any more. It is seeded for a while longer, see `retired_days`.
# To stop that at once, remove this folder and build again.
";

/// What is known of a torrent that is retired.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// When it was retired; whole seconds.
    pub retired: OffsetDateTime,
    /// The title people know it by.
    pub title: String,
    /// The absolute URL of the page about it.
    pub page: Option<String>,
    /// When it was published, as the manifest had it.
    pub published: Option<String>,
    /// Its files, in the torrent's order.
    pub files: Vec<File>,
}

/// A file of such a torrent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct File {
    /// Its path, as the torrent gives it.
    pub path: String,
    /// Its size.
    pub bytes: u64,
    /// Its last change, in nanoseconds since 1970: whoever writes into it later is found out.
    pub mtime_ns: i64,
}

impl Record {
    /// Reads the text of a record, which stands at `path`.
    pub fn parse(text: &str, path: &Path) -> Result<Self, Problem> {
        // The version first: a later one may hold anything else.
        let version = toml::from_str(text).map_or(VERSION, |Version { version }| version);
        if version != VERSION {
            let problem = Problem::at(path, format!("is of version {version}; this everseed reads {VERSION}"));
            return Err(problem.help("use the version of everseed that wrote it, or remove the folder"));
        }
        let wire: Wire = tomlfile::read(text, path, 1)?;
        let retired = OffsetDateTime::parse(&wire.retired, &Rfc3339).map_err(|_| {
            let problem = Problem::at(path, format!("`retired` is not a moment: {:?}", wire.retired));
            problem.help("write it as 2026-05-01T12:00:00Z, or remove the folder")
        })?;
        let Wire { title, page, published, files, .. } = wire;
        Ok(Self { retired, title, page, published, files })
    }

    /// The record as it is written.
    pub fn to_toml(&self) -> String {
        let Self { title, page, published, files, .. } = self.clone();
        let wire = Wire { version: VERSION, retired: moment(self.retired), title, page, published, files };
        format!("{HEAD}{}", toml::to_string_pretty(&wire).expect("texts and numbers are TOML"))
    }
}

/// A moment as manifests have it.
pub fn moment(at: OffsetDateTime) -> String {
    at.format(&Rfc3339).expect("years up to 9999 stand in this format")
}

#[derive(Deserialize)]
struct Version {
    version: u32,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Wire {
    version: u32,
    retired: String,
    title: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    page: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    published: Option<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    files: Vec<File>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::expect;
    use time::macros::datetime;

    #[test]
    fn it_is_this_toml_and_reads_back_the_same() {
        let record = Record {
            retired: datetime!(2026-05-01 12:00 UTC),
            title: "The \"door\"".into(),
            page: Some("https://show.example.org/episodes/ep1/".into()),
            published: None,
            files: vec![File { path: "ep1.mp3".into(), bytes: 8, mtime_ns: 5_000_000_001 }],
        };
        let text = record.to_toml();
        expect![[r##"
            # Made by everseed: a torrent that the site does not publish any more. It is seeded for a while longer, see `retired_days`.
            # To stop that at once, remove this folder and build again.
            version = 1
            retired = "2026-05-01T12:00:00Z"
            title = 'The "door"'
            page = "https://show.example.org/episodes/ep1/"

            [[files]]
            path = "ep1.mp3"
            bytes = 8
            mtime_ns = 5000000001
        "##]].assert_eq(&text);
        assert_eq!(Record::parse(&text, Path::new("retired.toml")), Ok(record));
    }

    #[test]
    fn what_is_wrong_in_it_is_told() {
        let cases = [
            "version = 2\nlater = true\n",
            "version = 1\nretired = \"yesterday\"\ntitle = \"A\"\n",
            "version = 1\nretired = \"2026-05-01T12:00:00Z\"\ntitel = \"A\"\n",
        ];
        let told = cases.map(|text| Record::parse(text, Path::new("retired.toml")).expect_err("wrong").to_string());
        expect![[r#"
            retired.toml: is of version 2; this everseed reads 1
              help: use the version of everseed that wrote it, or remove the folder
            retired.toml: `retired` is not a moment: "yesterday"
              help: write it as 2026-05-01T12:00:00Z, or remove the folder
            retired.toml:3: unknown key `titel`
              help: did you mean `title`?"#]]
        .assert_eq(&told.join("\n"));
    }
}
