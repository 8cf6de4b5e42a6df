//! The texts of a feed that are kept, by the elements that hold them.

use super::attributes::Attributes;
use super::namespaces::Space;
use super::{Foreign, Format, Item, date, text};

/// A text that is kept, of a channel or of an item.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Field {
    Title(Form),
    Link,
    Guid {
        is_link: bool,
    },
    /// The higher the rank, the better.
    Date(u8),
    Description(u8, Form),
    Language,
    Duration,
}

/// What the text of an element is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    Plain,
    Html,
}

impl Form {
    /// That of a text construct (RFC 4287, section 3.1). The tags of XHTML are elements of the feed, and not in the text.
    fn of(attributes: &Attributes) -> Self {
        match attributes.get("type").as_deref() {
            Some("html" | "text/html") => Self::Html,
            _ => Self::Plain,
        }
    }
}

/// What is known of an item besides what is told.
#[derive(Debug, Default)]
pub(super) struct Parent {
    pub(super) guid_is_link: bool,
    date_rank: u8,
    description_rank: u8,
}

impl Field {
    /// The text that a child of the channel holds, if it is kept.
    pub(super) fn of_channel(format: Format, is_own: bool, local: &str, attributes: &Attributes) -> Option<Self> {
        Some(match (format, is_own, local) {
            (Format::Rss, true, "title") => Self::Title(Form::Plain),
            (Format::Rss, true, "link") => Self::Link,
            (Format::Rss, true, "description") => Self::Description(1, Form::Html),
            (Format::Rss, true, "language") => Self::Language,
            (Format::Atom, true, "title") => Self::Title(Form::of(attributes)),
            (Format::Atom, true, "subtitle") => Self::Description(1, Form::of(attributes)),
            _ => return None,
        })
    }

    /// The text that a child of an item holds, if it is kept.
    pub(super) fn of_item(
        format: Format,
        is_own: bool,
        space: Space,
        local: &str,
        attributes: &Attributes,
    ) -> Option<Self> {
        Some(match (format, is_own, local) {
            (_, _, "duration") if space == Space::Itunes => Self::Duration,
            (_, _, "summary") if space == Space::Itunes => Self::Description(1, Form::Html),
            (Format::Rss, true, "title") => Self::Title(Form::Plain),
            (Format::Rss, true, "link") => Self::Link,
            (Format::Rss, true, "guid") => {
                Self::Guid { is_link: attributes.get("isPermaLink").is_none_or(|is| is != "false") }
            }
            (Format::Rss, true, "description") => Self::Description(2, Form::Html),
            (Format::Atom, true, "title") => Self::Title(Form::of(attributes)),
            (Format::Atom, true, "id") => Self::Guid { is_link: false },
            (Format::Rss, true, "pubDate") | (Format::Atom, true, "updated") => Self::Date(1),
            (Format::Atom, true, "published") => Self::Date(2),
            (Format::Atom, true, "content") => Self::Description(2, Form::of(attributes)),
            (Format::Atom, true, "summary") => Self::Description(3, Form::of(attributes)),
            _ => return None,
        })
    }

    /// Whether its text is HTML, in which entities that XML does not know may stand.
    pub(super) fn is_html(self) -> bool {
        matches!(self, Self::Description(_, Form::Html))
    }

    /// Whether our link can follow the element, and how good a place that is.
    pub(super) fn anchor_rank(self) -> Option<u8> {
        match self {
            Self::Title(_) => Some(1),
            Self::Link => Some(2),
            _ => None,
        }
    }

    pub(super) fn put_into_channel(self, text: &str, feed: &mut Foreign) {
        match self {
            Self::Title(form) if feed.title.is_empty() => feed.title = title(text, form),
            Self::Link => put(&mut feed.link, text),
            Self::Description(_, form) if feed.description.is_empty() => feed.description = description(text, form),
            Self::Language => put(&mut feed.language, text),
            _ => {}
        }
    }

    pub(super) fn put_into_item(self, text: &str, item: &mut Item, parent: &mut Parent) {
        match self {
            Self::Title(form) if item.title.is_empty() => item.title = title(text, form),
            Self::Link => put(&mut item.link, text),
            Self::Guid { is_link } => {
                put(&mut item.guid, text);
                let is_url = |guid: &String| guid.starts_with("http://") || guid.starts_with("https://");
                parent.guid_is_link = is_link && item.guid.as_ref().is_some_and(is_url);
            }
            Self::Date(rank) if rank > parent.date_rank => {
                if let Some(date) = date::date(text) {
                    (item.date, parent.date_rank) = (Some(date), rank);
                }
            }
            Self::Description(rank, form) if rank > parent.description_rank => {
                let description = description(text, form);
                if !description.is_empty() {
                    (item.description, parent.description_rank) = (description, rank);
                }
            }
            Self::Duration => {
                item.has_duration = true;
                item.duration_secs = item.duration_secs.or_else(|| date::duration(text));
            }
            _ => {}
        }
    }
}

/// The first of several counts.
fn put(known: &mut Option<String>, text: &str) {
    let text = text.trim();
    if known.is_none() && !text.is_empty() {
        *known = Some(text.to_owned());
    }
}

fn title(text: &str, form: Form) -> String {
    match form {
        Form::Plain => text::collapsed(text),
        Form::Html => text::plain(text),
    }
}

fn description(text: &str, form: Form) -> String {
    match form {
        Form::Plain => text::description(text),
        Form::Html => text::plain(text),
    }
}
