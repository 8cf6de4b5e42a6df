//! The elements of an HTML page that carry `data-everseed`, with their places in its bytes. It knows tags, not what they
//! mean: as much of HTML's grammar as it takes to tell where an element that is well nested ends.

use std::collections::HashMap;
use std::ops::Range;

use html5gum::emitters::callback::{CallbackEmitter, CallbackEvent};
use html5gum::{Span, State, Tokenizer};

/// The attribute that names what an element is to be filled with.
pub const ATTRIBUTE: &str = "data-everseed";
/// The attributes with the author's own words for the links.
const WORDS: [&str; 3] = ["data-everseed-download", "data-everseed-torrent", "data-everseed-magnet"];
/// What the comment holds that stands before what an element was filled with.
const MARK: &[u8] = b" everseed ";
/// Elements that have no content and no end.
const VOID: [&str; 14] =
    ["area", "base", "br", "col", "embed", "frame", "hr", "img", "input", "link", "meta", "source", "track", "wbr"];
/// Elements in which links are lost, moved to another place, or read as text.
const NO_PLACES: [&str; 29] = [
    "a",
    "audio",
    "button",
    "canvas",
    "colgroup",
    "frameset",
    "head",
    "html",
    "iframe",
    "math",
    "noembed",
    "noframes",
    "noscript",
    "object",
    "optgroup",
    "option",
    "plaintext",
    "script",
    "select",
    "style",
    "svg",
    "table",
    "tbody",
    "textarea",
    "tfoot",
    "thead",
    "title",
    "tr",
    "video",
];

/// What asks to be filled in a page.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Asking {
    /// The elements, in the order of their start tags.
    pub slots: Vec<Slot>,
    /// The tags that are read as text, in the order of what holds them. Those in comments and scripts that end are meant to
    /// be.
    pub unread: Vec<Unread>,
}

/// Something that HTML reads as text and that holds tags with [`ATTRIBUTE`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unread {
    /// The byte at which it begins.
    pub start: usize,
    /// The name of the element; empty for a comment.
    pub name: String,
    /// Whether it has an end of its own.
    pub is_ended: bool,
}

/// An element that asks to be filled.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Slot {
    /// The byte at which its start tag begins.
    pub start: usize,
    /// Its name.
    pub name: String,
    /// What it names: a URL or a slug.
    pub what: String,
    /// The author's words for the download, the torrent and the magnet link: where they stand, as they are written.
    pub words: [Option<Range<usize>>; 3],
    /// The place between its tags, or why there is none.
    pub room: Result<Room, &'static str>,
}

/// The place between the tags of an element.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Room {
    /// Its bytes.
    pub span: Range<usize>,
    /// Whether it was filled before; else there is white space at most.
    pub is_filled: bool,
}

/// What of `html` asks to be filled. Elements in comments, scripts and other places that HTML reads as text do not.
pub fn asking(html: &[u8]) -> Asking {
    let is_ended = [&b"-->"[..], b"--!>"].iter().any(|end| html.ends_with(end));
    let mut outline = Outline { cut_at: (!is_ended).then_some(html.len()), ..Outline::default() };
    let emitter =
        CallbackEmitter::new(|event: CallbackEvent<'_>, span: Span<usize>| outline.take(&event, span.start..span.end));
    let mut tokenizer = Tokenizer::new_with_emitter(html, emitter);
    while let Some(Ok(state)) = tokenizer.next() {
        tokenizer.set_state(state);
    }
    drop(tokenizer);
    outline.asking()
}

/// How what follows the start tag of such an element is read, where it is read as text.
fn text_state(name: &[u8]) -> Option<State> {
    Some(match name {
        b"textarea" | b"title" => State::RcData,
        b"plaintext" => State::PlainText,
        b"script" => State::ScriptData,
        b"iframe" | b"noembed" | b"noframes" | b"noscript" | b"style" | b"xmp" => State::RawText,
        _ => return None,
    })
}

/// Whether a tag with [`ATTRIBUTE`] stands in a text.
fn has_tag(text: &[u8]) -> bool {
    let mut is_in_tag = false;
    text.iter().enumerate().any(|(at, byte)| {
        let rest = &text[at + 1..];
        match byte {
            b'<' => is_in_tag = rest.first().is_some_and(u8::is_ascii_alphabetic),
            b'>' => is_in_tag = false,
            byte if is_in_tag && byte.is_ascii_whitespace() => {
                let name = rest.get(..ATTRIBUTE.len()).unwrap_or_default();
                let is_longer = |byte: &u8| byte.is_ascii_alphanumeric() || *byte == b'-';
                return name.eq_ignore_ascii_case(ATTRIBUTE.as_bytes())
                    && !rest.get(ATTRIBUTE.len()).is_some_and(is_longer);
            }
            _ => {}
        }
        false
    })
}

/// The tags of a page and what stands between them, in their order.
#[derive(Debug, Default)]
struct Outline {
    /// The end of the page, if it is not that of a comment.
    cut_at: Option<usize>,
    pieces: Vec<Piece>,
    /// The start tag that is being read.
    tag: Option<Tag>,
    /// The elements that are open, innermost last: the name and the piece of each.
    open: Vec<(Vec<u8>, usize)>,
    /// How many elements of each name are open.
    open_by_name: HashMap<Vec<u8>, usize>,
    /// The pieces of the links that are open.
    open_links: Vec<usize>,
    /// The slots with the piece of each and of the link around it.
    slots: Vec<(Slot, usize, Option<usize>)>,
    /// Where the tags are that are read as text, with the piece of what holds them.
    unread: Vec<(Unread, Option<usize>)>,
}

#[derive(Debug)]
struct Piece {
    span: Range<usize>,
    kind: Kind,
    /// Whether it is a tag without its other half.
    is_loose: bool,
}

#[derive(Debug)]
enum Kind {
    /// A start tag, with the piece that is its end tag.
    Start(Option<usize>),
    End,
    /// The comment before what was filled in.
    Mark,
    Space,
    /// Text, a comment, or an element without an end.
    Content,
}

#[derive(Debug, Default)]
struct Tag {
    start: usize,
    name: Vec<u8>,
    /// [`ATTRIBUTE`] and [`WORDS`]: the value of each, and where it stands.
    values: [Option<(Vec<u8>, Range<usize>)>; 4],
    /// Which of them is being read.
    reading: Option<usize>,
}

impl Outline {
    /// Takes what comes next; returns how what follows is read, if that is another way than before.
    fn take(&mut self, event: &CallbackEvent<'_>, span: Range<usize>) -> Option<State> {
        match *event {
            CallbackEvent::OpenStartTag { name } => {
                self.tag = Some(Tag { start: span.start, name: name.to_owned(), ..Tag::default() });
            }
            CallbackEvent::AttributeName { name } => {
                // The attributes of an end tag mean nothing, and of two with one name the first counts.
                let tag = self.tag.as_mut()?;
                let known = |known: &&str| known.as_bytes() == name;
                tag.reading = [ATTRIBUTE].iter().chain(&WORDS).position(known).filter(|&at| tag.values[at].is_none());
                if let Some(at) = tag.reading {
                    tag.values[at] = Some((Vec::new(), 0..0));
                }
            }
            CallbackEvent::AttributeValue { value } => {
                if let Some(tag) = &mut self.tag
                    && let Some(at) = tag.reading.take()
                {
                    tag.values[at] = Some((value.to_owned(), span));
                }
            }
            CallbackEvent::CloseStartTag { self_closing } => {
                if let Some(tag) = self.tag.take() {
                    return self.start(tag, span.end, self_closing);
                }
            }
            CallbackEvent::EndTag { name } => self.end(name, span),
            CallbackEvent::String { value } => {
                if let Some((name, at)) =
                    self.open.last().filter(|(name, _)| text_state(name).is_some() && has_tag(value))
                {
                    let name = String::from_utf8_lossy(name).into_owned();
                    let start = self.pieces[*at].span.start;
                    self.unread.push((Unread { start, name, is_ended: false }, Some(*at)));
                }
                let is_space = value.iter().all(u8::is_ascii_whitespace);
                self.push(span, if is_space { Kind::Space } else { Kind::Content });
            }
            CallbackEvent::Comment { value } => {
                if self.cut_at == Some(span.end) && has_tag(value) {
                    self.unread.push((Unread { start: span.start, name: String::new(), is_ended: false }, None));
                }
                self.push(span, if value == MARK { Kind::Mark } else { Kind::Content });
            }
            CallbackEvent::Doctype { .. } => self.push(span, Kind::Content),
            CallbackEvent::Error(_) => {}
        }
        None
    }

    fn push(&mut self, span: Range<usize>, kind: Kind) {
        self.pieces.push(Piece { span, kind, is_loose: false });
    }

    fn start(&mut self, tag: Tag, end: usize, self_closing: bool) -> Option<State> {
        let Tag { start, name, values, .. } = tag;
        let at = self.pieces.len();
        let is_void = VOID.iter().any(|void| void.as_bytes() == name);
        // Only in SVG and MathML does a `/` end an element; in HTML it says nothing.
        let is_foreign = [&b"svg"[..], b"math"].into_iter().any(|foreign| name == foreign || self.is_open(foreign));
        let has_content = !(is_void || self_closing && is_foreign);
        let [what, words @ ..] = values;
        if let Some((what, _)) = what {
            let room = if !has_content {
                Err("is an element without content")
            } else if self_closing {
                Err("ends in `/>`, which does not end it: it needs an end tag of its own")
            } else {
                Err("has no end tag")
            };
            let words = words.map(|word| word.map(|(_, span)| span).filter(|span| !span.is_empty()));
            let name = String::from_utf8_lossy(&name).into_owned();
            let slot = Slot { start, name, what: text(what), words, room };
            self.slots.push((slot, at, self.open_links.last().copied()));
        }
        self.push(start..end, if has_content { Kind::Start(None) } else { Kind::Content });
        let state = text_state(&name).filter(|_| has_content);
        if has_content {
            if name == b"a" {
                self.open_links.push(at);
            }
            *self.open_by_name.entry(name.clone()).or_default() += 1;
            self.open.push((name, at));
        }
        state
    }

    /// Ends the innermost element of this name. Those within it that are still open have no end of their own.
    fn end(&mut self, name: &[u8], span: Range<usize>) {
        let end = self.pieces.len();
        self.push(span, Kind::End);
        if !self.is_open(name) {
            self.pieces[end].is_loose = true;
            return;
        }
        while let Some((open, at)) = self.open.pop() {
            *self.open_by_name.get_mut(&open).expect("it counts what is open") -= 1;
            if self.open_links.last() == Some(&at) {
                self.open_links.pop();
            }
            if open == name {
                self.pieces[at].kind = Kind::Start(Some(end));
                return;
            }
            self.pieces[at].is_loose = true;
        }
    }

    fn is_open(&self, name: &[u8]) -> bool {
        self.open_by_name.get(name).is_some_and(|&count| count > 0)
    }

    fn asking(mut self) -> Asking {
        for (_, at) in &self.open {
            self.pieces[*at].is_loose = true;
        }
        // How many loose tags stand before each piece.
        let count = |sum: &mut usize, piece: &Piece| Some(std::mem::replace(sum, *sum + usize::from(piece.is_loose)));
        let loose: Vec<_> = self.pieces.iter().scan(0, count).collect();
        let pieces = &self.pieces;
        let room = |at: usize, end: usize| {
            let inner = at + 1..end;
            let span = pieces[at].span.end..pieces[end].span.start;
            match inner.clone().find(|&piece| !matches!(pieces[piece].kind, Kind::Space)).map(|at| &pieces[at].kind) {
                None => Ok(Room { span, is_filled: false }),
                Some(Kind::Mark) if loose[inner.start] == loose[end] => Ok(Room { span, is_filled: true }),
                Some(_) => Err("has content of its own; empty it, or put an empty element beside it"),
            }
        };
        let end_of = |at: usize| if let Kind::Start(end) = pieces[at].kind { end } else { None };
        let place = |(mut slot, at, link): (Slot, usize, Option<usize>)| {
            if NO_PLACES.contains(&slot.name.as_str()) {
                slot.room = Err("is no place for links; take a `div` or a `span`");
            } else if link.and_then(end_of).is_some_and(|end| end > at) {
                slot.room = Err("stands in a link, which can't hold other links");
            } else if let (Some(end), Err("has no end tag")) = (end_of(at), &slot.room) {
                slot.room = room(at, end);
            }
            slot
        };
        let unread = self.unread.into_iter().map(|(unread, at)| {
            let is_ended = at.is_some_and(|at| end_of(at).is_some());
            Unread { is_ended, ..unread }
        });
        let unread = unread.filter(|unread| !(unread.is_ended && unread.name == "script")).collect();
        Asking { slots: self.slots.into_iter().map(place).collect(), unread }
    }
}

/// What an attribute names: UTF-8, or what can only be Latin-1 then.
fn text(value: Vec<u8>) -> String {
    let text =
        String::from_utf8(value).unwrap_or_else(|error| error.into_bytes().into_iter().map(char::from).collect());
    text.trim().to_owned()
}

#[cfg(test)]
mod tests {
    use std::fmt::Write;

    use expect_test::expect;
    use proptest::prelude::*;

    use super::*;

    /// The slots of each page: what each names, its words, and its room or why there is none.
    fn table(pages: &[&str]) -> String {
        let mut table = String::new();
        for page in pages {
            writeln!(table, "{}", page.escape_debug()).expect("written");
            let Asking { slots, unread } = asking(page.as_bytes());
            for Unread { start, name, is_ended } in unread {
                assert!(page[start..].starts_with('<'), "{page}: {start}");
                writeln!(
                    table,
                    "  in the text of {name:?} at {start}{}",
                    if is_ended { "" } else { ", which does not end" }
                )
                .expect("written");
            }
            for slot in slots {
                let words =
                    slot.words.iter().flatten().fold(String::new(), |all, word| all + " " + &page[word.clone()]);
                assert!(page[slot.start..].starts_with('<'), "{page}: {}", slot.start);
                let room = match slot.room {
                    Ok(Room { span, is_filled }) => {
                        format!("{:?}{}", &page[span], if is_filled { " filled before" } else { "" })
                    }
                    Err(why) => why.to_owned(),
                };
                writeln!(table, "  {} {:?}{words}: {room}", slot.name, slot.what).expect("written");
            }
        }
        table
    }

    #[test]
    fn an_element_is_found_as_html_reads_it() {
        expect![[r#"
            <div data-everseed=ep1></div>
              div "ep1": ""
            <DIV class=\'x\' DATA-Everseed = \' ep1 \' ></DIV >
              div "ep1": ""
            <p data-everseed=\'https://show.example.org/?a=1&amp;b=&#50;\'> \r\n</p>
              p "https://show.example.org/?a=1&b=2": " \r\n"
            <div data-everseed></div><div data-everseed=\'\'></div>
              div "": ""
              div "": ""
            <div data-everseed=a data-everseed=b></div>
              div "a": ""
            <div data-everseed-x=a everseed=b></div>
            <div data-everseed=a data-everseed-download=\'A &amp; B\' data-everseed-magnet=M data-everseed-torrent=\"\"></div>
              div "a" A &amp; B M: ""
            <x-links data-everseed=ep1>&#32;</x-links>
              x-links "ep1": "&#32;"
            é<span data-everseed=ü></span>\0<b data-everseed=\'a\0\'></b>
              span "ü": ""
              b "a�": ""
            <template><div data-everseed=ep1></div></template>
              div "ep1": ""
            <div a=\'<p data-everseed=no>\' data-everseed=yes b=\">\"></div>
              div "yes": ""
        "#]].assert_eq(&table(&[
            "<div data-everseed=ep1></div>",
            "<DIV class='x' DATA-Everseed = ' ep1 ' ></DIV >",
            "<p data-everseed='https://show.example.org/?a=1&amp;b=&#50;'> \r\n</p>",
            "<div data-everseed></div><div data-everseed=''></div>",
            "<div data-everseed=a data-everseed=b></div>",
            "<div data-everseed-x=a everseed=b></div>",
            "<div data-everseed=a data-everseed-download='A &amp; B' data-everseed-magnet=M data-everseed-torrent=\"\"></div>",
            "<x-links data-everseed=ep1>&#32;</x-links>",
            "é<span data-everseed=ü></span>\0<b data-everseed='a\0'></b>",
            "<template><div data-everseed=ep1></div></template>",
            "<div a='<p data-everseed=no>' data-everseed=yes b=\">\"></div>",
        ]));
    }

    #[test]
    fn what_html_reads_as_text_holds_no_element() {
        expect![[r#"
            <!-- <div data-everseed=ep1></div> -->
            <script>\'<div data-everseed=ep1></div>\'</script>
            <script><!--<script><div data-everseed=a></div></script><div data-everseed=b></div>--></script><p data-everseed=c></p>
              p "c": ""
            <style><div data-everseed=ep1></div></style>
              in the text of "style" at 0
            <textarea><div data-everseed=ep1></div></textarea>
              in the text of "textarea" at 0
            <title><div data-everseed=ep1></div></title>
              in the text of "title" at 0
            <noscript><div data-everseed=ep1></div></noscript>
              in the text of "noscript" at 0
            <!doctype html <div data-everseed=ep1></div>
            </div data-everseed=ep1></div>
            <div data-everseed=ep1
        "#]].assert_eq(&table(&[
            "<!-- <div data-everseed=ep1></div> -->",
            "<script>'<div data-everseed=ep1></div>'</script>",
            "<script><!--<script><div data-everseed=a></div></script><div data-everseed=b></div>--></script><p data-everseed=c></p>",
            "<style><div data-everseed=ep1></div></style>",
            "<textarea><div data-everseed=ep1></div></textarea>",
            "<title><div data-everseed=ep1></div></title>",
            "<noscript><div data-everseed=ep1></div></noscript>",
            "<!doctype html <div data-everseed=ep1></div>",
            "</div data-everseed=ep1></div>",
            "<div data-everseed=ep1",
        ]));
    }

    #[test]
    fn a_drawing_swallows_nothing_and_what_is_swallowed_is_told() {
        expect![[r#"
            <svg><style/><title/><script href=x /></svg><div data-everseed=ep1></div>
              div "ep1": ""
            <math><title/></math><div data-everseed=ep1></div>
              div "ep1": ""
            <svg><style>a{}</style></svg><div data-everseed=ep1></div>
              div "ep1": ""
            <svg><title>A <b></title></svg><div data-everseed=ep1></div>
              div "ep1": ""
            <style/><div data-everseed=ep1></div>
              in the text of "style" at 0, which does not end
            <title><p>x<div data-everseed=ep1></div><div data-everseed=ep2></div>
              in the text of "title" at 0, which does not end
            <noframes><div data-everseed=ep1></div></noframes><p data-everseed=ep2></p>
              in the text of "noframes" at 0
              p "ep2": ""
            <script><div data-everseed=ep1></div>
              in the text of "script" at 0, which does not end
            <p>\n<!-- <div data-everseed=ep1></div>
              in the text of "" at 4, which does not end
            <p>\n<!-- <div data-everseed=ep1></div>-->
            <textarea><p>data-everseed <p data-everseed-x> <p xdata-everseed></textarea>
        "#]]
        .assert_eq(&table(&[
            "<svg><style/><title/><script href=x /></svg><div data-everseed=ep1></div>",
            "<math><title/></math><div data-everseed=ep1></div>",
            "<svg><style>a{}</style></svg><div data-everseed=ep1></div>",
            "<svg><title>A <b></title></svg><div data-everseed=ep1></div>",
            "<style/><div data-everseed=ep1></div>",
            "<title><p>x<div data-everseed=ep1></div><div data-everseed=ep2></div>",
            "<noframes><div data-everseed=ep1></div></noframes><p data-everseed=ep2></p>",
            "<script><div data-everseed=ep1></div>",
            "<p>\n<!-- <div data-everseed=ep1></div>",
            "<p>\n<!-- <div data-everseed=ep1></div>-->",
            "<textarea><p>data-everseed <p data-everseed-x> <p xdata-everseed></textarea>",
        ]));
    }

    #[test]
    fn an_element_ends_at_its_own_end_tag() {
        expect![[r#"
            <div data-everseed=ep1>
              div "ep1": has no end tag
            <div><div data-everseed=ep1></div>
              div "ep1": ""
            <ul><li data-everseed=ep1><li>2</ul>
              li "ep1": has no end tag
            <div data-everseed=ep1><div></div></div>
              div "ep1": has content of its own; empty it, or put an empty element beside it
            <div data-everseed=ep1>text</div>
              div "ep1": has content of its own; empty it, or put an empty element beside it
            <div data-everseed=ep1>&nbsp;</div>
              div "ep1": has content of its own; empty it, or put an empty element beside it
            <div data-everseed=ep1><!-- mine --></div>
              div "ep1": has content of its own; empty it, or put an empty element beside it
            <div data-everseed=ep1><br></div>
              div "ep1": has content of its own; empty it, or put an empty element beside it
            <div data-everseed=a> <div data-everseed=b> </div> </div>
              div "a": has content of its own; empty it, or put an empty element beside it
              div "b": " "
            <img data-everseed=ep1>
              img "ep1": is an element without content
            <div data-everseed=ep1 /></div>
              div "ep1": ends in `/>`, which does not end it: it needs an end tag of its own
            <svg><path data-everseed=a /><foreignObject><div data-everseed=b></div></foreignObject></svg>
              path "a": is an element without content
              div "b": ""
            <svg/><div data-everseed=ep1></div>
              div "ep1": ""
            <p>one<p>two<div data-everseed=ep1></div></b></i>
              div "ep1": ""
            <td data-everseed=a></td><tr data-everseed=b></tr><a data-everseed=c></a><textarea data-everseed=d></textarea>
              td "a": ""
              tr "b": is no place for links; take a `div` or a `span`
              a "c": is no place for links; take a `div` or a `span`
              textarea "d": is no place for links; take a `div` or a `span`
            <a href=x><div data-everseed=ep1></div></a>
              div "ep1": stands in a link, which can't hold other links
            <a name=x><div data-everseed=ep1></div>
              div "ep1": ""
            <a href=x></a><div data-everseed=ep1></div>
              div "ep1": ""
        "#]].assert_eq(&table(&[
            "<div data-everseed=ep1>",
            "<div><div data-everseed=ep1></div>",
            "<ul><li data-everseed=ep1><li>2</ul>",
            "<div data-everseed=ep1><div></div></div>",
            "<div data-everseed=ep1>text</div>",
            "<div data-everseed=ep1>&nbsp;</div>",
            "<div data-everseed=ep1><!-- mine --></div>",
            "<div data-everseed=ep1><br></div>",
            "<div data-everseed=a> <div data-everseed=b> </div> </div>",
            "<img data-everseed=ep1>",
            "<div data-everseed=ep1 /></div>",
            "<svg><path data-everseed=a /><foreignObject><div data-everseed=b></div></foreignObject></svg>",
            "<svg/><div data-everseed=ep1></div>",
            "<p>one<p>two<div data-everseed=ep1></div></b></i>",
            "<td data-everseed=a></td><tr data-everseed=b></tr><a data-everseed=c></a><textarea data-everseed=d></textarea>",
            "<a href=x><div data-everseed=ep1></div></a>",
            "<a name=x><div data-everseed=ep1></div>",
            "<a href=x></a><div data-everseed=ep1></div>",
        ]));
    }

    #[test]
    fn what_was_filled_before_ends_where_the_element_ends() {
        expect![[r#"
            <div data-everseed=ep1><!-- everseed --></div>
              div "ep1": "<!-- everseed -->" filled before
            <div data-everseed=ep1>\n  <!-- everseed --><a href=x>1</a> <span>2<br></span></div>
              div "ep1": "\n  <!-- everseed --><a href=x>1</a> <span>2<br></span>" filled before
            <span data-everseed=ep1><!-- everseed --><span>(1 B)</span></span></span>
              span "ep1": "<!-- everseed --><span>(1 B)</span>" filled before
            <div data-everseed=a><!-- everseed --><p data-everseed=b></p></div>
              div "a": "<!-- everseed --><p data-everseed=b></p>" filled before
              p "b": ""
            <div data-everseed=ep1><!-- everseed --><a>1</div></a>
              div "ep1": has content of its own; empty it, or put an empty element beside it
            <div data-everseed=ep1><!-- everseed --></b></div>
              div "ep1": has content of its own; empty it, or put an empty element beside it
            <div data-everseed=ep1><!-- everseed --><p></div>
              div "ep1": has content of its own; empty it, or put an empty element beside it
            <div data-everseed=ep1><!--everseed--></div>
              div "ep1": has content of its own; empty it, or put an empty element beside it
            <div data-everseed=ep1>mine<!-- everseed --></div>
              div "ep1": has content of its own; empty it, or put an empty element beside it
        "#]]
        .assert_eq(&table(&[
            "<div data-everseed=ep1><!-- everseed --></div>",
            "<div data-everseed=ep1>\n  <!-- everseed --><a href=x>1</a> <span>2<br></span></div>",
            "<span data-everseed=ep1><!-- everseed --><span>(1 B)</span></span></span>",
            "<div data-everseed=a><!-- everseed --><p data-everseed=b></p></div>",
            "<div data-everseed=ep1><!-- everseed --><a>1</div></a>",
            "<div data-everseed=ep1><!-- everseed --></b></div>",
            "<div data-everseed=ep1><!-- everseed --><p></div>",
            "<div data-everseed=ep1><!--everseed--></div>",
            "<div data-everseed=ep1>mine<!-- everseed --></div>",
        ]));
    }

    #[test]
    fn a_page_of_tags_without_ends_is_read_in_one_go() {
        let open = "<div data-everseed=x><!-- everseed -->".repeat(20_000);
        assert_eq!(asking(open.as_bytes()).slots.len(), 20_000);
        let closed = open + &"</p>".repeat(20_000) + &"</div>".repeat(20_000);
        assert!(asking(closed.as_bytes()).slots.iter().all(|slot| slot.room.is_err()));
    }

    proptest! {
        #[test]
        fn every_place_is_where_it_is_said_to_be(
            parts in prop::collection::vec(
                prop::sample::select(vec![
                    "<div data-everseed=a>", "<p Data-Everseed='&amp;b' data-everseed-magnet='&lt;M&gt;'>", "</div>", "</p>",
                    "<a>", "</a>", "<br>", "<!-- everseed -->", "<!--", "-->", "<script>", "</script>", " ", "\r\n", "\0",
                    "é", "&amp;", "&", "<", ">", "\"", "'", "<svg>", "</svg>", "/>", "<![CDATA[", "]]>", "<title>",
                    "</title>", "&#x", "&notit;", "\u{feff}", "<div", "data-everseed-download=\"W\r\nX\"",
                ]),
                0..24,
            ),
            wild in prop::collection::vec(any::<u8>(), 0..8),
        ) {
            let mut page = parts.concat().into_bytes();
            page.extend(wild);
            page.extend(b"<i data-everseed=z>");
            for slot in asking(&page).slots {
                prop_assert_eq!(page[slot.start], b'<');
                let name = &page[slot.start + 1..][..slot.name.len()];
                // A NUL and what is not UTF-8 are shown as another character.
                prop_assert!(!slot.name.is_ascii() || name.eq_ignore_ascii_case(slot.name.as_bytes()));
                for word in slot.words.iter().flatten() {
                    let word = &page[word.clone()];
                    prop_assert!([&b"&lt;M&gt;"[..], b"W\r\nX"].contains(&word), "{}", word.escape_ascii());
                }
                if let Ok(Room { span, is_filled }) = slot.room {
                    prop_assert_eq!(page[span.start - 1], b'>');
                    prop_assert!(page[span.end..].starts_with(b"</"));
                    // Readers of HTML pass over the end of nothing.
                    let inner = String::from_utf8_lossy(&page[span]).replace("</>", "");
                    let inner = inner.trim_ascii();
                    prop_assert_eq!(inner.starts_with("<!-- everseed -->"), is_filled);
                    prop_assert!(is_filled || inner.is_empty() || inner == "\0", "{}", inner.escape_debug());
                }
            }
        }
    }
}
