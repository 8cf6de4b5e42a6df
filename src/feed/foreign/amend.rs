//! The edits that make a feed say what it is to say: what is inserted where, and what of an earlier run goes.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::namespaces::Space;
use super::text::push_escaped;
use super::{
    Alternate, Amendment, Enclosure, FEED_MIME, Foreign, Format, Item, ItemAmendment, LINK_TITLE, Layout, Length,
    MARKER, Place,
};
use crate::feed::alternate::{self, Facts};
use crate::splice::Edit;

/// What [`Foreign::amend`] says.
pub(super) fn amend(feed: &Foreign, amendment: &Amendment) -> Vec<Edit> {
    let mut edits = Edits { feed, declared: BTreeMap::new(), spans: Vec::new() };
    let wanted = amendment.torrents_feed.as_ref().filter(|url| !feed.linked.contains(url));
    if let (Some(url), Some(anchor)) = (wanted, &feed.anchor) {
        let prefix = edits.prefix(anchor.prefix.as_ref(), Space::Atom);
        // Of those that are alternates, an Atom feed has one of a type and language at most (RFC 4287, section 4.1.1).
        let rel = if feed.format == Format::Atom { "related" } else { "alternate" };
        let attributes = [("rel", rel), ("type", FEED_MIME), ("title", LINK_TITLE), ("href", url.as_str())];
        let mut text = format!("{}<!-- {MARKER} -->", anchor.indent);
        push_tag(&mut text, &prefix, "link", attributes, true);
        edits.insert(anchor.end, text);
    }
    for (item, amendment) in feed.items.iter().zip(&amendment.items) {
        edits.item(item, amendment);
    }
    edits.finish()
}

/// The edits, in any order.
struct Edits<'a> {
    feed: &'a Foreign,
    /// The prefixes that are to be declared at the root.
    declared: BTreeMap<Space, String>,
    /// Where, up to which offset, and what is to stand there.
    spans: Vec<(Place, u64, String)>,
}

impl Edits<'_> {
    fn insert(&mut self, at: Place, text: String) {
        self.spans.push((at, at.offset, text));
    }

    /// A prefix that means `space`, with its colon: the one in scope, else one that the root is to declare.
    fn prefix(&mut self, in_scope: Option<&Arc<str>>, space: Space) -> String {
        let prefix = match in_scope {
            Some(prefix) => prefix,
            None => &**self.declared.entry(space).or_insert_with(|| self.feed.meanings.free_prefix(space)),
        };
        if prefix.is_empty() { String::new() } else { format!("{prefix}:") }
    }

    fn item(&mut self, item: &Item, amendment: &ItemAmendment) {
        if let (Some(secs), false, Some(first)) = (amendment.duration_secs, item.has_duration, item.enclosures.first())
        {
            let prefix = self.prefix(item.itunes.as_ref(), Space::Itunes);
            // Before the enclosure: what stands behind it is replaced by every run.
            let text = format!("<{prefix}duration>{secs}</{prefix}duration>{}", first.layout.indent);
            self.insert(first.begin, text);
        }
        for (enclosure, length) in item.enclosures.iter().zip(&amendment.lengths) {
            match (length, enclosure.length_at) {
                (Some(length), _) if enclosure.length == Some(*length) => {}
                (Some(length), Length::Value(begin, end)) => self.spans.push((begin, end, length.to_string())),
                (Some(length), Length::Missing(at)) => self.insert(at, format!(" length=\"{length}\"")),
                (None, _) => {}
            }
        }
        let mut is_default = !item.has_default;
        for (enclosure, alternate) in item.enclosures.iter().zip(&amendment.alternates) {
            if let Some(alternate) = alternate.as_ref().filter(|one| !item.names(one)) {
                let prefix = self.prefix(enclosure.podcast.as_ref(), Space::Podcast);
                let text = alternate_enclosure(enclosure, alternate, &prefix, is_default);
                self.insert(enclosure.end, text);
                is_default = false;
            }
        }
    }

    fn finish(mut self) -> Vec<Edit> {
        let declarations = self.declared.iter().map(|(space, prefix)| {
            let (_, uri) = space.declaration();
            format!(" xmlns:{prefix}=\"{uri}\"")
        });
        let declarations: String = declarations.collect();
        if let (Some(root), false) = (self.feed.root, declarations.is_empty()) {
            self.insert(root, declarations);
        }
        let former = self.feed.former.iter().map(|(begin, end)| (*begin, *end, String::new()));
        self.spans.extend(former);
        // What is inserted where something of ours begins replaces it: behind it, as the sort is stable, and merged.
        self.spans.sort_by_key(|(begin, end, _)| (begin.offset, *end));
        let mut edits: Vec<Edit> = Vec::new();
        for (begin, end, text) in self.spans {
            let bytes = self.feed.encoding.encode(&text);
            match edits.last_mut() {
                Some(last) if last.span == (begin.offset..begin.offset) => {
                    last.span.end = end;
                    last.bytes.extend(bytes);
                }
                _ => edits.push(Edit { span: begin.offset..end, bytes, line: begin.line }),
            }
        }
        edits
    }
}

fn alternate_enclosure(enclosure: &Enclosure, alternate: &Alternate, prefix: &str, is_default: bool) -> String {
    let facts = Facts {
        url: alternate.url.as_ref().unwrap_or(&enclosure.url),
        mime: &alternate.mime,
        bytes: alternate.bytes,
        bitrate_bps: alternate.bitrate_bps,
        torrent_url: &alternate.torrent_url,
        magnet: &alternate.magnet,
        sha384: alternate.sha384.as_ref(),
        is_default,
    };
    let Layout { indent, unit } = &enclosure.layout;
    let unit = if indent.is_empty() { "" } else { unit };
    let mut text = format!("{indent}<!-- {MARKER} -->");
    let attributes = alternate::attributes(&facts);
    push_tag(&mut text, prefix, "alternateEnclosure", borrowed(&attributes), false);
    for (name, attributes) in alternate::children(&facts) {
        text.extend([indent, unit]);
        push_tag(&mut text, prefix, name, borrowed(&attributes), true);
    }
    text.push_str(indent);
    text.extend(["</", prefix, "alternateEnclosure>"]);
    text
}

fn borrowed<'a>(attributes: &'a [(&'static str, String)]) -> impl Iterator<Item = (&'static str, &'a str)> {
    attributes.iter().map(|(key, value)| (*key, value.as_str()))
}

fn push_tag<'a>(
    text: &mut String,
    prefix: &str,
    name: &str,
    attributes: impl IntoIterator<Item = (&'static str, &'a str)>,
    is_empty: bool,
) {
    text.extend(["<", prefix, name]);
    for (key, value) in attributes {
        text.extend([" ", key, "=\""]);
        push_escaped(text, value);
        text.push('"');
    }
    text.push_str(if is_empty { "/>" } else { ">" });
}
