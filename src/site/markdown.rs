//! Markdown to HTML: for pages, for feeds, and the few tags that a feed's description may hold.
//!
//! Links are not judged here: [`references`] lists them, and whoever renders says where each one leads. HTML within
//! the text is the author's own and passes as it is.

use std::ops::Range;

use pulldown_cmark::{CowStr, Event, HeadingLevel, LinkType, Options, Parser, Tag, TagEnd, html};

use crate::feed::DESCRIPTION_BYTES_MAX;

/// A link or an image in a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reference {
    /// Where it leads, as it is written.
    pub target: String,
    /// The line of the text, counted from 0.
    pub line: usize,
    /// Whether it is an image.
    pub is_image: bool,
}

/// The links and images of `text`, in order.
pub fn references(text: &str) -> Vec<Reference> {
    let line_of = |span: Range<usize>| text[..span.start].matches('\n').count();
    parser(text)
        .into_offset_iter()
        .filter_map(|(event, span)| match event {
            Event::Start(Tag::Link { link_type, dest_url, .. }) if link_type != LinkType::Email => {
                Some(Reference { target: dest_url.into_string(), line: line_of(span), is_image: false })
            }
            Event::Start(Tag::Image { dest_url, .. }) => {
                Some(Reference { target: dest_url.into_string(), line: line_of(span), is_image: true })
            }
            _ => None,
        })
        .collect()
}

/// The HTML of `text`, with each target of a link as `link` says. The highest heading is an `h2` at most: the `h1` of a page is its
/// title.
pub fn page(text: &str, link: &dyn Fn(&str) -> String) -> String {
    let has_h1 = parser(text).any(|event| matches!(event, Event::Start(Tag::Heading { level: HeadingLevel::H1, .. })));
    let events =
        parser(text).map(|event| with_link(event, link)).map(|event| if has_h1 { lowered(event) } else { event });
    let mut out = String::new();
    html::push_html(&mut out, events);
    out
}

/// The text of `text` in the tags that directories allow in a description: `p ol ul li a b i strong em`.
///
/// It ends with a whole paragraph or list within [`DESCRIPTION_BYTES_MAX`]; a first paragraph that is longer is cut
/// off as plain text.
pub fn description(text: &str, link: &dyn Fn(&str) -> String) -> String {
    let mut reduced = Reduced::default();
    for event in parser(text).map(|event| with_link(event, link)) {
        reduced.push(event);
        // What is beyond is never shown.
        if reduced.whole > 0 && reduced.out.len() > DESCRIPTION_BYTES_MAX {
            break;
        }
    }
    let Reduced { mut out, whole, .. } = reduced;
    if out.len() <= DESCRIPTION_BYTES_MAX {
        return out;
    }
    if whole > 0 && whole <= DESCRIPTION_BYTES_MAX {
        out.truncate(whole);
        return out;
    }
    let words = plain(text);
    let mut paragraph = String::from("<p>");
    for c in words.chars() {
        let escaped = escape_char(c);
        if paragraph.len() + escaped.as_ref().map_or(c.len_utf8(), |text| text.len()) + "…</p>".len()
            > DESCRIPTION_BYTES_MAX
        {
            paragraph.push('…');
            break;
        }
        match escaped {
            Some(text) => paragraph.push_str(text),
            None => paragraph.push(c),
        }
    }
    paragraph + "</p>"
}

/// The words of `text` without any markup, in one line.
pub fn plain(text: &str) -> String {
    let mut out = String::new();
    for event in parser(text) {
        match event {
            Event::Text(text) | Event::Code(text) => out.push_str(&text),
            Event::SoftBreak
            | Event::HardBreak
            | Event::End(TagEnd::Paragraph | TagEnd::Heading(_) | TagEnd::Item | TagEnd::TableCell) => {
                out.push(' ');
            }
            _ => {}
        }
    }
    out.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// `text` with what has a meaning in HTML escaped.
pub fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match escape_char(c) {
            Some(text) => out.push_str(text),
            None => out.push(c),
        }
    }
    out
}

fn escape_char(c: char) -> Option<&'static str> {
    match c {
        '&' => Some("&amp;"),
        '<' => Some("&lt;"),
        '>' => Some("&gt;"),
        '"' => Some("&quot;"),
        _ => None,
    }
}

fn parser(text: &str) -> Parser<'_> {
    Parser::new_ext(text, Options::ENABLE_TABLES | Options::ENABLE_FOOTNOTES | Options::ENABLE_STRIKETHROUGH)
}

fn with_link<'a>(event: Event<'a>, link: &dyn Fn(&str) -> String) -> Event<'a> {
    match event {
        Event::Start(Tag::Link { link_type, dest_url, title, id }) if link_type != LinkType::Email => {
            Event::Start(Tag::Link { link_type, dest_url: CowStr::from(link(&dest_url)), title, id })
        }
        Event::Start(Tag::Image { link_type, dest_url, title, id }) => {
            Event::Start(Tag::Image { link_type, dest_url: CowStr::from(link(&dest_url)), title, id })
        }
        other => other,
    }
}

/// A heading one level lower; the sixth has none below it.
fn lowered(event: Event) -> Event {
    let lower = |level| match level {
        HeadingLevel::H1 => HeadingLevel::H2,
        HeadingLevel::H2 => HeadingLevel::H3,
        HeadingLevel::H3 => HeadingLevel::H4,
        HeadingLevel::H4 => HeadingLevel::H5,
        HeadingLevel::H5 | HeadingLevel::H6 => HeadingLevel::H6,
    };
    match event {
        Event::Start(Tag::Heading { level, id, classes, attrs }) => {
            Event::Start(Tag::Heading { level: lower(level), id, classes, attrs })
        }
        Event::End(TagEnd::Heading(level)) => Event::End(TagEnd::Heading(lower(level))),
        other => other,
    }
}

/// HTML of few tags as it grows.
#[derive(Default)]
struct Reduced {
    out: String,
    /// Open elements that stand in the output, outermost first.
    open: Vec<&'static str>,
    /// How far the output is made of whole outermost elements.
    whole: usize,
    /// Within a table, whose rows become paragraphs.
    cells: usize,
}

impl Reduced {
    fn push(&mut self, event: Event) {
        match event {
            Event::Start(tag) => self.start(tag),
            Event::End(tag) => self.end(tag),
            Event::Text(text) | Event::Code(text) => self.out.push_str(&escape(&text)),
            Event::SoftBreak | Event::HardBreak => self.out.push('\n'),
            Event::FootnoteReference(name) => {
                self.out.push_str(&escape(&format!("[{name}]")));
            }
            _ => {}
        }
    }

    fn start(&mut self, tag: Tag) {
        match tag {
            Tag::Paragraph => self.block("p"),
            Tag::Heading { .. } => {
                self.block("p");
                self.element("strong");
            }
            Tag::CodeBlock(_) | Tag::TableHead | Tag::TableRow => {
                self.cells = 0;
                self.block("p");
            }
            Tag::TableCell => {
                if self.cells > 0 {
                    self.out.push_str(" | ");
                }
                self.cells += 1;
            }
            Tag::List(None) => self.element("ul"),
            Tag::List(Some(_)) => self.element("ol"),
            Tag::Item => self.element("li"),
            Tag::Emphasis => self.element("em"),
            Tag::Strong => self.element("strong"),
            Tag::Link { link_type, dest_url, .. } => {
                let scheme = if link_type == LinkType::Email { "mailto:" } else { "" };
                self.out.extend(["<a href=\"", scheme, &escape(&dest_url), "\">"]);
                self.open.push("a");
            }
            _ => {}
        }
    }

    fn end(&mut self, tag: TagEnd) {
        match tag {
            TagEnd::Heading(_) => {
                self.close("strong");
                self.close("p");
            }
            TagEnd::TableHead | TagEnd::TableRow => {
                let cells = self.out.trim_end_matches(" | ").len();
                self.out.truncate(cells);
                self.close("p");
            }
            TagEnd::Paragraph | TagEnd::CodeBlock => self.close("p"),
            TagEnd::List(true) => self.close("ol"),
            TagEnd::List(false) => self.close("ul"),
            TagEnd::Item => self.close("li"),
            TagEnd::Emphasis => self.close("em"),
            TagEnd::Strong => self.close("strong"),
            TagEnd::Link => self.close("a"),
            _ => {}
        }
        if self.open.is_empty() {
            self.whole = self.out.len();
        }
    }

    /// Text within an item of a list stands there without a paragraph around it.
    fn block(&mut self, name: &'static str) {
        if self.open.contains(&"li") {
            if !self.out.ends_with('>') {
                self.out.push(' ');
            }
            return;
        }
        self.element(name);
    }

    fn element(&mut self, name: &'static str) {
        self.out.push('<');
        self.out.push_str(name);
        self.out.push('>');
        self.open.push(name);
    }

    fn close(&mut self, name: &'static str) {
        if self.open.last() == Some(&name) {
            self.open.pop();
            self.out.push_str("</");
            self.out.push_str(name);
            self.out.push('>');
        }
    }
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use super::*;

    const TEXT: &str = "# One & two\n\nA *b* **c** `d<` ~~e~~ [f](g.md \"t\") ![h](i.png)[^1].\n\n> quote\n\n\
        1. a\n2. b\n\n   c\n\n| x | y |\n|---|---|\n| 1 | 2 |\n\n```\ncode\n```\n\n<b>raw</b>\n\n## Two\n\n[^1]: A note.\n";

    #[test]
    fn a_page_has_all_of_it() {
        expect![[r##"
            <h2>One &amp; two</h2>
            <p>A <em>b</em> <strong>c</strong> <code>d&lt;</code> <del>e</del> <a href="/g.md" title="t">f</a> <img src="/i.png" alt="h" /><sup class="footnote-reference"><a href="#1">1</a></sup>.</p>
            <blockquote>
            <p>quote</p>
            </blockquote>
            <ol>
            <li>
            <p>a</p>
            </li>
            <li>
            <p>b</p>
            <p>c</p>
            </li>
            </ol>
            <table><thead><tr><th>x</th><th>y</th></tr></thead><tbody>
            <tr><td>1</td><td>2</td></tr>
            </tbody></table>
            <pre><code>code
            </code></pre>
            <p><b>raw</b></p>
            <h3>Two</h3>
            <div class="footnote-definition" id="1"><sup class="footnote-definition-label">1</sup>
            <p>A note.</p>
            </div>
        "##]].assert_eq(&page(TEXT, &|target| format!("/{target}")));
    }

    #[test]
    fn a_description_has_few_tags() {
        expect![[r#"
            <p><strong>One &amp; two</strong></p><p>A <em>b</em> <strong>c</strong> d&lt; e <a href="/g.md">f</a> h[1].</p><p>quote</p><ol><li>a</li><li>b c</li></ol><p>x | y</p><p>1 | 2</p><p>code
            </p><p>raw</p><p><strong>Two</strong></p><p>A note.</p>"#]].assert_eq(&description(TEXT, &|target| format!("/{target}")));
    }

    #[test]
    fn headings_below_the_first_level_stay_where_they_are() {
        assert_eq!(page("## a\n\n### b\n", &str::to_owned), "<h2>a</h2>\n<h3>b</h3>\n");
    }

    #[test]
    fn a_long_description_ends_with_a_whole_paragraph_within_the_limit() {
        let paragraph = format!("{}\n\n", "é <".repeat(300));
        let text = description(&paragraph.repeat(10), &str::to_owned);
        assert!(text.len() <= DESCRIPTION_BYTES_MAX && text.ends_with("</p>"), "{}", text.len());
        assert!(text.len() > DESCRIPTION_BYTES_MAX / 2);
        let text = description(&"é<".repeat(3000), &str::to_owned);
        assert!(text.len() <= DESCRIPTION_BYTES_MAX && text.ends_with("…</p>"), "{}", text.len());
        assert!(text.len() > DESCRIPTION_BYTES_MAX - 10);
    }

    #[test]
    fn references_have_their_lines() {
        let found = references("a [b](c.md)\n\n![d](e.png)\n<ff:g>\n");
        let found: Vec<_> = found.iter().map(|found| (found.target.as_str(), found.line, found.is_image)).collect();
        assert_eq!(found, [("c.md", 0, false), ("e.png", 2, true), ("ff:g", 3, false)]);
    }

    #[test]
    fn plain_words_are_in_one_line() {
        assert_eq!(plain("# a\n\nb *c*\nd\n\n- e\n- f\n"), "a b c d e f");
    }
}
