//! One thing that is wrong with what a person wrote or ran: where it stands, what it is, and what to do about it.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

/// Something wrong, with its place and its remedy. It prints as
///
/// ```text
/// content/ep3.md:4: `date` is not a date: "yesterday"
///   help: write it as 2026-05-01
/// ```
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Problem {
    path: Option<PathBuf>,
    // No file that a person writes has more; a problem is moved about often, and is small.
    line: Option<u32>,
    column: Option<u32>,
    message: String,
    help: Option<String>,
}

impl Problem {
    /// A problem without a place.
    pub fn new(message: impl Into<String>) -> Self {
        Self { path: None, line: None, column: None, message: message.into(), help: None }
    }

    /// A problem of the file or folder at `path`.
    pub fn at(path: impl AsRef<Path>, message: impl Into<String>) -> Self {
        Self { path: Some(path.as_ref().to_owned()), ..Self::new(message) }
    }

    /// Adds the line, counted from 1.
    pub fn line(mut self, line: usize) -> Self {
        self.line = Some(u32::try_from(line).unwrap_or(u32::MAX));
        self
    }

    /// Adds the character of the line, counted from 1.
    pub fn column(mut self, column: usize) -> Self {
        self.column = Some(u32::try_from(column).unwrap_or(u32::MAX));
        self
    }

    /// The same as a problem of the file at `path`, where it names none itself.
    pub fn or_at(mut self, path: impl AsRef<Path>) -> Self {
        self.path.get_or_insert_with(|| path.as_ref().to_owned());
        self
    }

    /// The same as a problem of a line of the file at `path`, where it names no file itself.
    pub fn or_at_line(mut self, path: impl AsRef<Path>, line: usize) -> Self {
        if self.path.is_none() {
            self.line = Some(u32::try_from(line).unwrap_or(u32::MAX));
        }
        self.or_at(path)
    }

    /// Adds the remedy.
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    /// The file or folder that it is one of.
    pub fn path(&self) -> Option<&Path> {
        self.path.as_deref()
    }

    /// What is wrong, without place and remedy.
    pub fn message(&self) -> &str {
        &self.message
    }

    /// The problem that a reader gave as its error, where it was made of one.
    pub fn carried_by(error: &io::Error) -> Option<&Self> {
        error.get_ref()?.downcast_ref()
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(path) = &self.path {
            write!(f, "{}:", harmless(&path.display().to_string()))?;
            if let Some(line) = self.line {
                write!(f, "{line}:")?;
                if let Some(column) = self.column {
                    write!(f, "{column}:")?;
                }
            }
            f.write_str(" ")?;
        }
        f.write_str(&harmless(&self.message))?;
        if let Some(help) = &self.help {
            write!(f, "\n  help: {help}")?;
        }
        Ok(())
    }
}

impl std::error::Error for Problem {}

/// `text` without the control characters that names of files and foreign torrents can hold: they do not reach the terminal.
fn harmless(text: &str) -> String {
    text.chars().map(|c| if c.is_control() && c != '\n' { '\u{fffd}' } else { c }).collect()
}

/// A reader can return no other error; [`Problem::carried_by`] finds the problem again.
impl From<Problem> for io::Error {
    fn from(problem: Problem) -> Self {
        Self::other(problem)
    }
}

/// The known word nearest to `word`, where one is near enough that a slip of the hand explains it.
pub fn nearest<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    /// Words less alike than this are not a slip of the hand.
    const SIMILARITY_MIN: f64 = 0.7;
    known
        .into_iter()
        .map(|candidate| (strsim::jaro_winkler(word, candidate), candidate))
        .filter(|(similarity, _)| *similarity >= SIMILARITY_MIN)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, candidate)| candidate)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_problem_prints_its_place_and_its_remedy() {
        let problem =
            Problem::at("content/ep3.md", "`date` is not a date: \"yesterday\"").line(4).help("write it as 2026-05-01");
        assert_eq!(
            problem.to_string(),
            "content/ep3.md:4: `date` is not a date: \"yesterday\"\n  help: write it as 2026-05-01"
        );
        assert_eq!(Problem::at("a.xml", "broken").line(3).column(7).to_string(), "a.xml:3:7: broken");
        assert_eq!(Problem::at("a.md", "empty").to_string(), "a.md: empty");
        assert_eq!(Problem::at("a\u{1b}[31m", "b\u{7}\nc").to_string(), "a\u{fffd}[31m: b\u{fffd}\nc");
        assert_eq!(Problem::new("wrong").or_at_line("a.xml", 3).or_at_line("b.xml", 4).to_string(), "a.xml:3: wrong");
        assert_eq!(Problem::new("nothing to do").to_string(), "nothing to do");
        assert_eq!(Problem::new("nothing to do").or_at("a.md").or_at("b.md").to_string(), "a.md: nothing to do");
    }

    #[test]
    fn a_problem_goes_through_a_reader_unchanged() {
        let problem = Problem::at("a.mp3", "is damaged").help("make it again");
        let error = io::Error::from(problem.clone());
        assert_eq!(error.to_string(), problem.to_string());
        assert_eq!(Problem::carried_by(&error), Some(&problem));
        assert_eq!(Problem::carried_by(&io::Error::other("no problem")), None);
        assert_eq!(Problem::carried_by(&io::ErrorKind::NotFound.into()), None);
    }

    #[test]
    fn the_nearest_known_word_is_named_only_when_it_is_near() {
        assert_eq!(nearest("titel", ["title", "date"]), Some("title"));
        assert_eq!(nearest("baseurl", ["base_url", "language"]), Some("base_url"));
        assert_eq!(nearest("xyzzy", ["title", "date"]), None);
    }
}
