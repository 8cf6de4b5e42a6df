//! Text as feeds hold it: references, HTML that becomes plain text, and text that is written back as ASCII.

use std::fmt::Write;

use crate::feed::DESCRIPTION_BYTES_MAX;
use crate::feed::xml::limited;

/// The names of HTML that stand in feeds' descriptions, and what they mean.
const HTML_NAMES: [(&str, &str); 26] = [
    ("amp", "&"),
    ("lt", "<"),
    ("gt", ">"),
    ("quot", "\""),
    ("apos", "'"),
    ("nbsp", " "),
    ("ndash", "\u{2013}"),
    ("mdash", "\u{2014}"),
    ("lsquo", "\u{2018}"),
    ("rsquo", "\u{2019}"),
    ("sbquo", "\u{201a}"),
    ("ldquo", "\u{201c}"),
    ("rdquo", "\u{201d}"),
    ("bdquo", "\u{201e}"),
    ("laquo", "\u{ab}"),
    ("raquo", "\u{bb}"),
    ("hellip", "\u{2026}"),
    ("bull", "\u{2022}"),
    ("middot", "\u{b7}"),
    ("copy", "\u{a9}"),
    ("euro", "\u{20ac}"),
    ("eacute", "\u{e9}"),
    ("auml", "\u{e4}"),
    ("ouml", "\u{f6}"),
    ("uuml", "\u{fc}"),
    ("szlig", "\u{df}"),
];

/// What a reference without `&` and `;` means: one to a character, or to an entity that XML itself defines.
pub(super) fn referred(name: &str) -> Option<char> {
    if let Some(number) = name.strip_prefix('#') {
        let number = match number.strip_prefix('x') {
            Some(digits) if !digits.starts_with('+') => u32::from_str_radix(digits, 16),
            None if !number.starts_with('+') => number.parse(),
            _ => return None,
        };
        return number.ok().filter(|&number| number != 0).and_then(char::from_u32);
    }
    Some(match name {
        "amp" => '&',
        "lt" => '<',
        "gt" => '>',
        "apos" => '\'',
        "quot" => '"',
        _ => return None,
    })
}

/// Whether a reference is one, whatever it means: a name, or a number.
pub(super) fn is_reference(name: &str) -> bool {
    let is_name = |c: char| c.is_alphanumeric() || matches!(c, '_' | ':' | '-' | '.');
    match name.strip_prefix('#') {
        Some(_) => referred(name).is_some(),
        None => name.starts_with(|c: char| c.is_alphabetic() || matches!(c, '_' | ':')) && name.chars().all(is_name),
    }
}

/// Whether XML allows a character.
pub(super) fn is_allowed(character: char) -> bool {
    matches!(character, '\t' | '\n' | '\r' | ' '..='\u{fffd}' | '\u{10000}'..)
}

/// What HTML means by a name of those that stand in feeds.
pub(super) fn html_name(name: &str) -> Option<&'static str> {
    HTML_NAMES.iter().find(|(known, _)| *known == name).map(|(_, meant)| *meant)
}

/// The value of an attribute with its references resolved, those to entities that XML itself does not define by `entity`;
/// the error is what is wrong with one, and the byte at which it begins.
pub(super) fn attribute_value(
    raw: &str,
    entity: impl Fn(&str) -> Result<String, String>,
) -> Result<String, (usize, String)> {
    let mut value = String::with_capacity(raw.len());
    let mut rest = raw;
    while let Some(at) = rest.find(['&', '\t', '\n', '\r']) {
        value.push_str(&rest[..at]);
        if !rest[at..].starts_with('&') {
            value.push(' ');
            rest = &rest[at + 1..];
            continue;
        }
        let begins_at = raw.len() - rest.len() + at;
        let name = rest[at + 1..].find(';').map(|end| &rest[at + 1..at + 1 + end]).filter(|name| is_reference(name));
        let name = name.ok_or_else(|| (begins_at, LONE_AMPERSAND.to_owned()))?;
        match referred(name) {
            Some(character) => value.push(character),
            None => value.push_str(&entity(name).map_err(|message| (begins_at, message))?),
        }
        rest = &rest[at + name.len() + 2..];
    }
    value.push_str(rest);
    Ok(value)
}

/// What is wrong with an `&` that is only that.
pub(super) const LONE_AMPERSAND: &str = "`&` begins no reference";

/// What is wrong with a reference to an entity that XML does not define.
pub(super) fn unknown_entity(name: &str) -> String {
    format!("the entity `&{name};` is none of XML's own")
}

/// The plain text of HTML: without tags, comments, scripts and styles, each white space one space.
pub(super) fn plain(html: &str) -> String {
    let mut text = String::new();
    let mut rest = html;
    while let Some(at) = rest.find(['<', '&']) {
        text.push_str(&rest[..at]);
        rest = &rest[at..];
        rest = if rest.starts_with('<') { tag(rest, &mut text) } else { reference(rest, &mut text) };
    }
    text.push_str(rest);
    description(&text)
}

/// Plain text as a description holds it: each white space one space, within [`DESCRIPTION_BYTES_MAX`].
pub(super) fn description(text: &str) -> String {
    limited(&collapsed(text), DESCRIPTION_BYTES_MAX).trim_end().to_owned()
}

/// `text` with one space for each white space within, and none around.
pub(super) fn collapsed(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// What comes behind the tag with which `html` begins.
fn tag<'a>(html: &'a str, text: &mut String) -> &'a str {
    let behind = |end: &str, from: usize| html[from..].find(end).map_or("", |at| &html[from + at + end.len()..]);
    if html.starts_with("<!--") {
        return behind("-->", 4);
    }
    if !html[1..].starts_with(|c: char| c.is_ascii_alphabetic() || matches!(c, '/' | '!' | '?')) {
        text.push('<');
        return &html[1..];
    }
    for element in ["script", "style"] {
        if html.get(1..=element.len()).is_some_and(|name| name.eq_ignore_ascii_case(element)) {
            let end = format!("</{element}");
            // Not by way of a copy in small letters: the offsets in one may be others.
            let at = html.as_bytes().windows(end.len()).position(|bytes| bytes.eq_ignore_ascii_case(end.as_bytes()));
            return at.and_then(|at| html[at..].split_once('>')).map_or("", |(_, rest)| rest);
        }
    }
    // Words of two paragraphs do not become one; those around `<b>` do not become two.
    let name = html[1..].trim_start_matches('/').split(|c: char| !c.is_ascii_alphanumeric()).next().unwrap_or_default();
    let is_inline =
        ["a", "abbr", "b", "cite", "code", "em", "i", "q", "s", "small", "span", "strong", "sub", "sup", "u"]
            .iter()
            .any(|inline| inline.eq_ignore_ascii_case(name));
    if !is_inline {
        text.push(' ');
    }
    behind(">", 1)
}

/// What comes behind the reference with which `html` begins; an `&` that begins none is one.
fn reference<'a>(html: &'a str, text: &mut String) -> &'a str {
    /// No name of HTML is longer.
    const NAME_BYTES_MAX: usize = 32;
    let end = html.bytes().take(NAME_BYTES_MAX).position(|byte| byte == b';');
    if let Some((name, rest)) = end.map(|end| (&html[1..end], &html[end + 1..])) {
        if let Some(meant) = html_name(name) {
            text.push_str(meant);
            return rest;
        }
        if let Some(character) = referred(&name.to_ascii_lowercase()) {
            text.push(character);
            return rest;
        }
    }
    text.push('&');
    &html[1..]
}

/// Writes `value` so that it can stand between double quotation marks in any encoding.
pub(super) fn push_escaped(to: &mut String, value: &str) {
    for character in value.chars() {
        match character {
            '&' => to.push_str("&amp;"),
            '<' => to.push_str("&lt;"),
            '>' => to.push_str("&gt;"),
            '"' => to.push_str("&quot;"),
            ' '..='~' => to.push(character),
            '\t' | '\n' | '\r' | '\u{7f}'..='\u{fffd}' | '\u{10000}'.. => {
                write!(to, "&#x{:X};", u32::from(character)).expect("a String takes all that is written");
            }
            // XML 1.0 has no way to write these.
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references_are_resolved_and_bad_ones_are_told() {
        assert_eq!(referred("#65"), Some('A'));
        assert_eq!(referred("#x1F600"), Some('\u{1f600}'));
        for wrong in ["#", "#x", "#+1", "#x+1", "#0", "#xD800", "#1114112", "#99999999999", "nbsp", ""] {
            assert_eq!(referred(wrong), None, "{wrong}");
        }
        for (name, is) in
            [("nbsp", true), ("#65", true), ("#x", false), ("T is good", false), ("", false), ("1", false)]
        {
            assert_eq!(is_reference(name), is, "{name}");
        }
        let attribute_value = |raw| attribute_value(raw, |name| Err(unknown_entity(name)));
        assert_eq!(attribute_value("a\r\nb&amp;&#233;&lt;").expect("a value"), "a  b&\u{e9}<");
        let wrong = ["a&b", "x?a=1&b=2;", "\u{e9}&nbsp;", "&#0;"].map(|raw| attribute_value(raw).expect_err("wrong"));
        assert_eq!(
            wrong.map(|(at, message)| format!("{at} {message}")),
            [
                "1 `&` begins no reference",
                "5 `&` begins no reference",
                "2 the entity `&nbsp;` is none of XML's own",
                "0 `&` begins no reference",
            ]
        );
    }

    #[test]
    fn html_becomes_plain_text() {
        for (html, text) in [
            ("<p>One <b>bo</b>ld.</p><p>Two&nbsp;&amp;&#32;three&hellip;</p>", "One bold. Two & three\u{2026}"),
            ("a < b, AT&T &bogus; 1&2", "a < b, AT&T &bogus; 1&2"),
            ("x<!-- <p> -->y<SCRIPT>alert('<')</Script >z<style>", "xyz"),
            ("an <a href=\"b\">end", "an end"),
            ("cut <a href=\"", "cut"),
            (" \r\n\t ", ""),
            (
                "&#X41;&eacute;\u{e9}&\u{e9}\u{e9}\u{e9}\u{e9}\u{e9}\u{e9}\u{e9}\u{e9}\u{e9}\u{e9}\u{e9}\u{e9}\u{e9}\u{e9}\u{e9};",
                "A\u{e9}\u{e9}&\u{e9}\u{e9}\u{e9}\u{e9}\u{e9}\u{e9}\u{e9}\u{e9}\u{e9}\u{e9}\u{e9}\u{e9}\u{e9}\u{e9}\u{e9};",
            ),
        ] {
            assert_eq!(plain(html), text, "{html}");
        }
        assert_eq!(plain(&"\u{e9}".repeat(DESCRIPTION_BYTES_MAX)).len(), DESCRIPTION_BYTES_MAX);
    }

    #[test]
    fn what_is_written_is_ascii() {
        let mut written = String::new();
        push_escaped(&mut written, "a?b=1&c=\"<\u{e9}>\"\u{1f600}\u{0}\t\u{ffff}'");
        assert_eq!(written, "a?b=1&amp;c=&quot;&lt;&#xE9;&gt;&quot;&#x1F600;&#x9;'");
    }
}
