//! Front matter: the TOML between `+++` lines at the head of a page, read strictly, each fault with its line.

use std::ops::Range;
use std::path::Path;

use serde_json::{Map, Value};
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::date::Published;
use crate::metainfo;
use crate::problem::{Problem, nearest};
use crate::tomlfile;

/// The line that begins and ends front matter.
const FENCE: &str = "+++";
/// The keys that front matter may have.
const KEYS: [&str; 17] = [
    "date",
    "description",
    "draft",
    "episode",
    "explicit",
    "extra",
    "files",
    "guid",
    "image",
    "kind",
    "media",
    "private",
    "season",
    "slug",
    "tags",
    "title",
    "transcript",
];
/// The deepest nesting below `extra`.
const EXTRA_DEPTH_MAX: usize = 16;

/// A value and the line where it stands, counted from 1.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Located<T> {
    /// The value.
    pub value: T,
    /// Its line in the file.
    pub line: usize,
}

/// What front matter says. `None`: it does not say it.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Front {
    /// The title.
    pub title: Option<String>,
    /// The date of publication.
    pub date: Option<Published>,
    /// A sentence on what it is.
    pub description: Option<String>,
    /// The medium, where the release is one file.
    pub media: Option<Located<String>>,
    /// The files, where it is several.
    pub files: Option<Vec<Located<String>>>,
    /// The last part of its address.
    pub slug: Option<Located<String>>,
    /// Whether it is kept back.
    pub draft: bool,
    /// Its picture.
    pub image: Option<Located<String>>,
    /// The number of its season, from 1.
    pub season: Option<u32>,
    /// Its number in the season, from 1.
    pub episode: Option<u32>,
    /// Words to find it by.
    pub tags: Vec<String>,
    /// Its transcript.
    pub transcript: Option<Located<String>>,
    /// For which versions of the protocol its torrent is made.
    pub kind: Option<metainfo::Kind>,
    /// Whether it holds matter for adults.
    pub explicit: Option<bool>,
    /// Whether its peers come from the trackers alone (BEP 27).
    pub private: Option<bool>,
    /// Its identity in feeds.
    pub guid: Option<String>,
    /// What templates find in `page.extra`.
    pub extra: Map<String, Value>,
}

/// A file of `content/`, read: what its front matter says, its text, and every fault of the front matter.
#[derive(Debug)]
pub struct Document<'a> {
    /// What the front matter says, as far as it could be read.
    pub front: Front,
    /// The text below it.
    pub body: &'a str,
    /// The line at which the text begins, counted from 1.
    pub body_line: usize,
    /// What is wrong with the front matter.
    pub problems: Vec<Problem>,
    /// The keys it has, also those whose values are wrong.
    pub keys: Vec<String>,
}

/// Reads the file `path`, which holds `text`. An error: there is no front matter in it, or it is no TOML.
pub fn read<'a>(path: &Path, text: &'a str) -> Result<Document<'a>, Problem> {
    // Windows editors write a byte order mark.
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let (head, body) = split(path, text)?;
    let toml = &text[head.clone()];
    // The line of the fence is the first, whatever its bytes.
    let lines = Lines { toml, first: 2 };
    let table = DeTable::parse(toml).map_err(|error| {
        let line = error.span().map_or(1, |span| lines.of(span.start));
        let help = tomlfile::syntax_help(error.message());
        Problem::at(path, format!("the front matter is not TOML: {}", error.message().trim())).line(line).help(help)
    })?;
    let mut reader = Reader { path, lines, problems: Vec::new() };
    let front = reader.front(table.get_ref());
    Ok(Document {
        front,
        body: &text[body..],
        body_line: 1 + text[..body].matches('\n').count(),
        problems: reader.problems,
        keys: table.get_ref().keys().map(|key| key.get_ref().to_string()).collect(),
    })
}

/// The span of the TOML, and where the text begins.
fn split(path: &Path, text: &str) -> Result<(Range<usize>, usize), Problem> {
    let mut at = 0;
    let mut begin = None;
    for line in text.split_inclusive('\n') {
        let end = at + line.len();
        let is_fence = line.trim_end() == FENCE;
        match begin {
            None if is_fence => begin = Some(end),
            None => break,
            Some(begin) if is_fence => return Ok((begin..at, end)),
            Some(_) => {}
        }
        at = end;
    }
    if begin.is_some() {
        return Err(Problem::at(path, "the front matter has no end")
            .line(1)
            .help("write a line `+++` between it and the text"));
    }
    let problem = Problem::at(path, "has no front matter").line(1);
    Err(if text.trim_start().starts_with("---") {
        problem.help("front matter is TOML between two lines `+++`, not YAML between `---`: title = \"...\"")
    } else {
        problem.help("begin the file with a line `+++`, a line title = \"...\", and another line `+++`")
    })
}

/// From a byte of the TOML to a line of the file.
struct Lines<'a> {
    toml: &'a str,
    first: usize,
}

impl Lines<'_> {
    fn of(&self, byte: usize) -> usize {
        self.first + self.toml.get(..byte).unwrap_or(self.toml).matches('\n').count()
    }
}

struct Reader<'a> {
    path: &'a Path,
    lines: Lines<'a>,
    problems: Vec<Problem>,
}

type Entry<'a> = Spanned<DeValue<'a>>;

impl Reader<'_> {
    fn front(&mut self, table: &DeTable) -> Front {
        let mut front = Front::default();
        for (key, value) in table {
            let name = key.get_ref().as_ref();
            match name {
                "title" => front.title = self.line_of_text(name, value),
                "date" => front.date = self.date(value),
                "description" => front.description = self.line_of_text(name, value),
                "kind" => front.kind = self.torrent_kind(value),
                "media" => front.media = self.string(name, value),
                "files" => front.files = self.strings(name, value),
                "slug" => front.slug = self.string(name, value),
                "draft" => front.draft = self.boolean(name, value).unwrap_or(false),
                "image" => front.image = self.string(name, value),
                "season" => front.season = self.number(name, value),
                "episode" => front.episode = self.number(name, value),
                "tags" => {
                    let tags = self.strings(name, value).unwrap_or_default();
                    front.tags = tags.into_iter().map(|tag| tag.value).collect();
                }
                "transcript" => front.transcript = self.string(name, value),
                "explicit" => front.explicit = self.boolean(name, value),
                "private" => front.private = self.boolean(name, value),
                "guid" => front.guid = self.line_of_text(name, value),
                "extra" => front.extra = self.extra(value),
                _ => self.unknown(name, key.span().start),
            }
        }
        front
    }

    fn unknown(&mut self, key: &str, at: usize) {
        let help = match nearest(key, KEYS) {
            Some(known) => format!("did you mean `{known}`? Keys of your own stand in a table [extra]"),
            None => format!("the keys are {}; keys of your own stand in a table [extra]", KEYS.join(", ")),
        };
        self.problem(at, format!("unknown key `{key}`"), help);
    }

    fn problem(&mut self, at: usize, message: String, help: impl Into<String>) {
        self.problems.push(Problem::at(self.path, message).line(self.lines.of(at)).help(help));
    }

    fn wrong(&mut self, key: &str, value: &Entry, wanted: &str, example: &str) {
        let message = format!("`{key}` is {}, not {wanted}", kind(value.get_ref()));
        self.problem(value.span().start, message, format!("write it as {key} = {example}"));
    }

    fn string(&mut self, key: &str, value: &Entry) -> Option<Located<String>> {
        let Some(text) = value.get_ref().as_str() else {
            self.wrong(key, value, "a text", "\"...\"");
            return None;
        };
        if text.trim().is_empty() {
            self.problem(value.span().start, format!("`{key}` is empty"), format!("write it as {key} = \"...\""));
            return None;
        }
        Some(Located { value: text.to_owned(), line: self.lines.of(value.span().start) })
    }

    /// A text in one line: line feeds in it are spaces.
    fn line_of_text(&mut self, key: &str, value: &Entry) -> Option<String> {
        let text = self.string(key, value)?.value;
        Some(text.split_whitespace().collect::<Vec<_>>().join(" "))
    }

    fn torrent_kind(&mut self, value: &Entry) -> Option<metainfo::Kind> {
        let text = self.string("kind", value)?;
        let kind = text.value.parse();
        kind.map_err(|error| self.problem(value.span().start, format!("`kind`: {error}"), metainfo::NotAKind::HELP))
            .ok()
    }

    fn strings(&mut self, key: &str, value: &Entry) -> Option<Vec<Located<String>>> {
        let Some(list) = value.get_ref().as_array() else {
            self.wrong(key, value, "a list of texts", "[\"...\", \"...\"]");
            return None;
        };
        let mut strings = Vec::new();
        for value in list {
            if value.get_ref().as_str().is_none() {
                let message = format!("`{key}` holds {}, not a text", kind(value.get_ref()));
                self.problem(value.span().start, message, format!("write it as {key} = [\"...\", \"...\"]"));
                return None;
            }
            strings.push(self.string(key, value)?);
        }
        Some(strings)
    }

    fn boolean(&mut self, key: &str, value: &Entry) -> Option<bool> {
        let boolean = value.get_ref().as_bool();
        if boolean.is_none() {
            self.wrong(key, value, "true or false", "true");
        }
        boolean
    }

    /// A whole number from 1: feeds allow no other for seasons and episodes.
    fn number(&mut self, key: &str, value: &Entry) -> Option<u32> {
        let DeValue::Integer(number) = value.get_ref() else {
            self.wrong(key, value, "a whole number from 1", "1");
            return None;
        };
        let read = u32::from_str_radix(number.as_str(), number.radix()).ok().filter(|&number| number > 0);
        if read.is_none() {
            let message = format!("`{key}` is {number}, not a whole number from 1");
            self.problem(value.span().start, message, format!("write it as {key} = 1, or leave it out"));
        }
        read
    }

    fn date(&mut self, value: &Entry) -> Option<Published> {
        let (date, shown) = match value.get_ref() {
            DeValue::Datetime(datetime) => (Published::from_toml(datetime), datetime.to_string()),
            DeValue::String(text) => (Published::parse(text), format!("{text:?}")),
            _ => {
                self.wrong("date", value, "a date", "2026-05-01");
                return None;
            }
        };
        if date.is_none() {
            let help = "write it as 2026-05-01 or 2026-05-01T06:00:00Z";
            self.problem(value.span().start, format!("`date` is not a date: {shown}"), help);
        }
        date
    }

    fn extra(&mut self, value: &Entry) -> Map<String, Value> {
        if value.get_ref().as_table().is_none() {
            self.wrong("extra", value, "a table", "{ ... }");
            return Map::new();
        }
        if let Some(Value::Object(map)) = json(value.get_ref(), EXTRA_DEPTH_MAX) {
            return map;
        }
        let message = "`extra` holds a number that is none, or tables in tables beyond 16".to_owned();
        self.problem(value.span().start, message, "write such values as text");
        Map::new()
    }
}

fn kind(value: &DeValue) -> &'static str {
    match value {
        DeValue::String(_) => "a text",
        DeValue::Integer(_) | DeValue::Float(_) => "a number",
        DeValue::Boolean(_) => "true or false",
        DeValue::Datetime(_) => "a date",
        DeValue::Array(_) => "a list",
        DeValue::Table(_) => "a table",
    }
}

/// A TOML value for templates; dates become text.
fn json(value: &DeValue, depth: usize) -> Option<Value> {
    let depth = depth.checked_sub(1)?;
    Some(match value {
        DeValue::String(text) => Value::String(text.to_string()),
        DeValue::Integer(number) => Value::from(i64::from_str_radix(number.as_str(), number.radix()).ok()?),
        DeValue::Float(number) => Value::from(number.as_str().parse::<f64>().ok().filter(|n| n.is_finite())?),
        DeValue::Boolean(boolean) => Value::Bool(*boolean),
        DeValue::Datetime(datetime) => Value::String(datetime.to_string()),
        DeValue::Array(list) => {
            Value::Array(list.iter().map(|value| json(value.get_ref(), depth)).collect::<Option<_>>()?)
        }
        DeValue::Table(table) => {
            let entries =
                table.iter().map(|(key, value)| Some((key.get_ref().to_string(), json(value.get_ref(), depth)?)));
            Value::Object(entries.collect::<Option<_>>()?)
        }
    })
}

#[cfg(test)]
mod tests {
    use expect_test::expect;
    use proptest::prelude::*;

    use super::*;

    fn problems(text: &str) -> String {
        match read(Path::new("content/a.md"), text) {
            Ok(document) => document.problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"),
            Err(problem) => problem.to_string(),
        }
    }

    #[test]
    fn every_key_is_read() {
        let text = "+++\ntitle = \"A\\n title\"\ndate = 2026-05-01\ndescription = \"d\"\nmedia = \"a.mp3\"\nslug = \"a\"\n\
            draft = true\nimage = \"a.jpg\"\nseason = 1\nepisode = 0x2\ntags = [\"x\", \"y\"]\ntranscript = \"a.vtt\"\n\
            explicit = false\nprivate = true\nguid = \"g\"\n[extra]\ncolour = [1, 2.5, true, 2026-05-01, {a = \"b\"}]\n+++\nText\n";
        let document = read(Path::new("a.md"), text).expect("front matter");
        assert_eq!(document.problems, []);
        let front = document.front;
        assert_eq!(front.title.as_deref(), Some("A title"));
        assert_eq!(front.media, Some(Located { value: "a.mp3".into(), line: 5 }));
        assert_eq!((front.season, front.episode, front.draft), (Some(1), Some(2), true));
        assert_eq!((front.tags.len(), front.explicit, front.private), (2, Some(false), Some(true)));
        assert_eq!(Value::Object(front.extra).to_string(), r#"{"colour":[1,2.5,true,"2026-05-01",{"a":"b"}]}"#);
        assert_eq!((document.body, document.body_line), ("Text\n", 19));
    }

    #[test]
    fn a_byte_order_mark_and_carriage_returns_change_nothing() {
        let document = read(Path::new("a.md"), "\u{feff}+++\r\ntitle = \"A\"\r\nseason = 0\r\n+++\r\nText\r\n");
        let document = document.expect("front matter");
        assert_eq!(document.front.title.as_deref(), Some("A"));
        assert!(document.problems[0].to_string().starts_with("a.md:3:"));
        assert_eq!((document.body, document.body_line), ("Text\r\n", 5));
    }

    #[test]
    fn front_matter_alone_is_a_page_without_text() {
        let document = read(Path::new("a.md"), "+++\n+++").expect("front matter");
        assert_eq!((document.front, document.body), (Front::default(), ""));
    }

    proptest! {
        #[test]
        fn no_text_panics_the_reader(text in "([+]{3}\n|[a-z]{1,6} = |[0-9\"'\\[\\]{}#.:é\r\n-]){0,40}") {
            let text = format!("+++\n{text}\n+++\n");
            if let Ok(document) = read(Path::new("a.md"), &text) {
                prop_assert!(document.body_line <= 1 + text.matches('\n').count());
            }
        }
    }

    #[test]
    fn each_fault_names_its_line_and_its_remedy() {
        let cases = [
            "",
            "# A heading",
            "---\ntitle: a\n---\n",
            "+++\ntitle = \"a\"\n",
            "+++\ntitle = \"a\"\ndate = yesterday\n+++\n",
            "+++\ntitle = a title\n+++\n",
            "+++\ntitle = \"a\"\ntitle = \"b\"\n+++\n",
            "+++\n\ntitel = \"a\"\nxyzzy = 1\n+++\n",
            "+++\ntitle = 1\nmedia = [\"a\"]\nfiles = \"a\"\ndraft = \"yes\"\nseason = \"1\"\nepisode = 0\ndate = \"yesterday\"\n+++\n",
            "+++\ndate = 06:00:00\ntitle = \" \"\ntags = [1]\nextra = 1\nseason = -1\n+++\n",
            "+++\nextra = { a = inf }\n+++\n",
        ];
        expect![[r#"
            content/a.md:1: has no front matter
              help: begin the file with a line `+++`, a line title = "...", and another line `+++`
            --
            content/a.md:1: has no front matter
              help: begin the file with a line `+++`, a line title = "...", and another line `+++`
            --
            content/a.md:1: has no front matter
              help: front matter is TOML between two lines `+++`, not YAML between `---`: title = "..."
            --
            content/a.md:1: the front matter has no end
              help: write a line `+++` between it and the text
            --
            content/a.md:3: the front matter is not TOML: string values must be quoted, expected literal string
              help: write each value as `key = value`; text stands in quotation marks
            --
            content/a.md:2: the front matter is not TOML: string values must be quoted, expected literal string
              help: write each value as `key = value`; text stands in quotation marks
            --
            content/a.md:3: the front matter is not TOML: duplicate key
              help: keep one of the two
            --
            content/a.md:3: unknown key `titel`
              help: did you mean `title`? Keys of your own stand in a table [extra]
            content/a.md:4: unknown key `xyzzy`
              help: the keys are date, description, draft, episode, explicit, extra, files, guid, image, kind, media, private, season, slug, tags, title, transcript; keys of your own stand in a table [extra]
            --
            content/a.md:8: `date` is not a date: "yesterday"
              help: write it as 2026-05-01 or 2026-05-01T06:00:00Z
            content/a.md:5: `draft` is a text, not true or false
              help: write it as draft = true
            content/a.md:7: `episode` is 0, not a whole number from 1
              help: write it as episode = 1, or leave it out
            content/a.md:4: `files` is a text, not a list of texts
              help: write it as files = ["...", "..."]
            content/a.md:3: `media` is a list, not a text
              help: write it as media = "..."
            content/a.md:6: `season` is a text, not a whole number from 1
              help: write it as season = 1
            content/a.md:2: `title` is a number, not a text
              help: write it as title = "..."
            --
            content/a.md:2: `date` is not a date: 06:00:00
              help: write it as 2026-05-01 or 2026-05-01T06:00:00Z
            content/a.md:5: `extra` is a number, not a table
              help: write it as extra = { ... }
            content/a.md:6: `season` is -1, not a whole number from 1
              help: write it as season = 1, or leave it out
            content/a.md:4: `tags` holds a number, not a text
              help: write it as tags = ["...", "..."]
            content/a.md:3: `title` is empty
              help: write it as title = "..."
            --
            content/a.md:2: `extra` holds a number that is none, or tables in tables beyond 16
              help: write such values as text"#]].assert_eq(&cases.map(problems).join("\n--\n"));
    }
}
