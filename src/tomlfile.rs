//! TOML that people write, read into a type: what is wrong with it is told with its line and the nearest known key.

use std::path::Path;

use serde::de::DeserializeOwned;

use crate::problem::{Problem, nearest};

/// Reads `text` into `T`. A problem names `path` and a line, counted from `first_line` where the text begins.
///
/// `T` refuses unknown keys (`deny_unknown_fields`); the problem then names the known key that is nearest.
pub fn read<T: DeserializeOwned>(text: &str, path: &Path, first_line: usize) -> Result<T, Problem> {
    let problem = |error: &toml::de::Error, words: fn(&str, Option<&str>) -> (String, Option<String>)| {
        let at = error.span().map_or(0, |span| span.start);
        let line = text.get(..at).unwrap_or(text).matches('\n').count();
        let (message, help) = words(error.message(), key_of(text, line));
        let problem = Problem::at(path, message).line(first_line + line);
        match help {
            Some(help) => problem.help(help),
            None => problem,
        }
    };
    let values = toml::Deserializer::parse(text).map_err(|error| problem(&error, syntax))?;
    T::deserialize(values).map_err(|error| problem(&error, meaning))
}

/// The remedy for a text that is no TOML. `message` is what the parser says of it.
pub fn syntax_help(message: &str) -> &'static str {
    if message.contains("duplicate") {
        "keep one of the two"
    } else if message.starts_with("unclosed table") {
        "write the name of a table in brackets, on a line of its own: `[table]`"
    } else {
        "write each value as `key = value`; text stands in quotation marks"
    }
}

/// The key that is set on a line, where one is.
fn key_of(text: &str, line: usize) -> Option<&str> {
    let (key, _) = text.lines().nth(line)?.split_once('=')?;
    let key = key.trim();
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.');
    (!key.is_empty() && key.chars().all(plain)).then_some(key)
}

/// What the parser says of a text that is no TOML, said to a person: message and remedy.
fn syntax(message: &str, key: Option<&str>) -> (String, Option<String>) {
    let said = match key {
        Some(key) if message == "duplicate key" => format!("`{key}` stands twice"),
        Some(key) => format!("`{key}`: {}", message.trim()),
        None => message.trim().to_owned(),
    };
    (said, Some(syntax_help(message).to_owned()))
}

/// What the parser says of values that are not those that are read, said to a person: message and remedy.
fn meaning(message: &str, key: Option<&str>) -> (String, Option<String>) {
    let mut quoted = message.split('`').skip(1).step_by(2);
    if message.starts_with("unknown field") {
        let unknown = quoted.next().unwrap_or_default();
        let known: Vec<_> = quoted.collect();
        let help = match nearest(unknown, known.iter().copied()) {
            Some(known) => format!("did you mean `{known}`?"),
            None => format!("known keys: {}", known.join(", ")),
        };
        return (format!("unknown key `{unknown}`"), Some(help));
    }
    if message.starts_with("missing field") {
        let missing = quoted.next().unwrap_or_default();
        return (format!("`{missing}` is missing"), Some(format!("add a line `{missing} = ...`")));
    }
    let said = key.map_or_else(|| message.to_owned(), |key| format!("`{key}`: {message}"));
    (said, value_help(message).map(str::to_owned))
}

/// How a value is written that was written as something else.
fn value_help(message: &str) -> Option<&'static str> {
    if message.contains("IP address") {
        return Some("write an address without a name or port, as 192.0.2.1 or 2001:db8::1");
    }
    match message.rsplit_once("expected ")?.1 {
        "u16" | "u32" | "u64" | "usize" => Some("write a whole number, 0 or more, as 30"),
        "a string" => Some("write it in quotation marks"),
        "a boolean" => Some("write true or false"),
        "a sequence" => Some("write a list in brackets, as [\"a\", \"b\"]"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::expect;
    use serde::Deserialize;

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    #[expect(dead_code, reason = "only whether it reads matters")]
    struct Sample {
        title: String,
        count: Option<u32>,
    }

    #[test]
    fn what_is_wrong_is_told_with_line_key_and_remedy() {
        let cases = [
            "count = 1\ntitel = \"a\"",
            "title = \"a\"\nxyz = 1",
            "count = 1",
            "title = 3",
            "title = \"a\"\n\ncount = -1",
            "title = \"a\"\ntitle = \"b\"",
            "title = \"a",
            "title = T",
            "title",
            "[site",
            "title = 2026-13-01",
            "[a]\n[a]",
        ];
        let told =
            cases.map(|text| read::<Sample>(text, Path::new("a.toml"), 1).expect_err("something is wrong").to_string());
        expect![[r#"
            a.toml:2: unknown key `titel`
              help: did you mean `title`?
            a.toml:2: unknown key `xyz`
              help: known keys: title, count
            a.toml:1: `title` is missing
              help: add a line `title = ...`
            a.toml:1: `title`: invalid type: integer `3`, expected a string
              help: write it in quotation marks
            a.toml:3: `count`: invalid value: integer `-1`, expected u32
              help: write a whole number, 0 or more, as 30
            a.toml:2: `title` stands twice
              help: keep one of the two
            a.toml:1: `title`: invalid basic string, expected `"`
              help: write each value as `key = value`; text stands in quotation marks
            a.toml:1: `title`: invalid boolean, expected `true`
              help: write each value as `key = value`; text stands in quotation marks
            a.toml:1: key with no value, expected `=`
              help: write each value as `key = value`; text stands in quotation marks
            a.toml:1: unclosed table, expected `]`
              help: write the name of a table in brackets, on a line of its own: `[table]`
            a.toml:1: `title`: invalid date, expected month between 01 and 12
              help: write each value as `key = value`; text stands in quotation marks
            a.toml:2: duplicate key
              help: keep one of the two"#]]
        .assert_eq(&told.join("\n"));
    }

    #[test]
    fn lines_are_counted_from_where_the_text_begins_in_its_file() {
        let problem = read::<Sample>("titel = 1", Path::new("ep1.md"), 2).expect_err("unknown key");
        assert!(problem.to_string().starts_with("ep1.md:2:"), "{problem}");
    }
}
