//! Whatever a feed looks like, amending it changes nothing but what is ours, as another parser sees it.

use std::io::Cursor;

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{Index, select};
use quick_xml::NsReader;
use quick_xml::events::Event;
use quick_xml::name::ResolveResult;

use super::testing::{amended, everything, feed, with_everything, without_ours};
use super::{Amendment, ItemAmendment, read};
use crate::splice::apply;

/// What stands in an item: `@` is the prefix of the feed's own elements, `%` a number, `\n` a line break.
const RSS_CHILDREN: [&str; 18] = [
    "<enclosure url=\"https://example.org/%.mp3?a=1&amp;b=\u{e9}\" length=\"12\" type=\"audio/mpeg\"/>",
    "<enclosure type='a>b' url='%.ogg'></enclosure>",
    "<enclosure\n  url = \"\n%.flac\n\"\n/>",
    "<enclosure url='%.m4a'><!-- everseed --> </enclosure >",
    "<enclosure length='5'/>",
    "<title>Caf\u{e9} &amp; &#233;</title>",
    "<title><![CDATA[<!-- everseed --><podcast:alternateEnclosure/> ]]></title>",
    "<description><![CDATA[<enclosure url=\"no\"/>]]> &lt;enclosure url='no'/> \n</description>",
    "<!-- a comment with an <enclosure url='no'/> -->",
    "<?pi <enclosure url=\"no\"/> ?>",
    "text \u{20ac} &#160;",
    "<guid isPermaLink='false'>%</guid>",
    "<x:group xmlns:x='urn:x'><enclosure url='no'/><x:enclosure url='no'/></x:group>",
    "<q:alternateEnclosure xmlns:q='https://podcastindex.org/namespace/1.0' default='true'><q:source uri='x'/></q:alternateEnclosure>",
    "<i:duration xmlns:i='http://www.itunes.com/DTDs/Podcast-1.0.dtd'>5</i:duration>",
    "<pubDate>Fri, 01 May 2026 06:00:00 GMT</pubDate>",
    // Their prefixes are declared in some feeds alone.
    "<podcast:transcript url='x' xml:base='https://example.org/'/>",
    "<x y='' atom:z=''/><itunes:title>%</itunes:title>",
];
const ATOM_CHILDREN: [&str; 10] = [
    "<@link rel=\"enclosure\" href=\"https://example.org/%.mp3?a=1&amp;b=\u{e9}\" length=\"12\" type=\"audio/mpeg\"/>",
    "<@link href='%.ogg' rel='enclosure' title='a>b'></@link>",
    "<@link\n  href = \"%.flac\"\n rel=' Enclosure '/>",
    "<@link href='https://example.org/%'/>",
    "<@title>Caf\u{e9} &amp; &#233;</@title>",
    "<@content type='xhtml'><div xmlns='http://www.w3.org/1999/xhtml'><link rel='enclosure' href='no'/></div></@content>",
    "<@summary type='html'><![CDATA[<!-- everseed --><link/> ]]></@summary>",
    "<@id>urn:%</@id>",
    "<@updated>2026-05-01T06:00:00Z</@updated>",
    "<@source><@link rel='enclosure' href='no'/></@source>",
];
const CHANNEL_CHILDREN: [&str; 6] = [
    "<@title>A show\u{e9}</@title>",
    "<l:link xmlns:l='http://www.w3.org/2005/Atom' rel='self' href='https://example.org/feed'/>",
    "<!-- everseeds -->",
    "<@link href='https://example.org/' rel='alternate'>https://example.org/</@link>",
    "<y:link xmlns:y='urn:y' rel='self' href='no'/>",
    "text",
];
const PROLOGS: [&str; 4] =
    ["", "<!DOCTYPE rss [ <!ENTITY e \"<rss>\"> ]>\n", "<!-- <rss> -->", "<?xml-stylesheet href='a'?>\n"];
/// Prefixes that the root, and items, may declare, and what each should mean.
const DECLARATIONS: [(&str, &str); 8] = [
    ("podcast", PODCAST[0]),
    ("pc", PODCAST[1]),
    ("pd", PODCAST[0]),
    ("podcast1", "urn:another"),
    ("atom", "http://www.w3.org/2005/Atom"),
    ("ab", "http://www.w3.org/2005/Atom"),
    ("itunes", "http://www.itunes.com/dtds/podcast-1.0.dtd"),
    ("atom1", "urn:another"),
];
const PODCAST: [&str; 2] = [
    "https://podcastindex.org/namespace/1.0",
    "https://github.com/Podcastindex-org/podcast-namespace/blob/main/docs/1.0.md",
];

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Written {
    Utf8,
    Utf8WithMark,
    Latin9,
    Utf16 { big: bool, mark: bool },
}

impl Written {
    fn encode(self, text: &str) -> Vec<u8> {
        match self {
            Self::Utf8 => text.as_bytes().to_vec(),
            Self::Utf8WithMark => format!("\u{feff}{text}").into_bytes(),
            Self::Latin9 => {
                let (bytes, _, is_lossy) = encoding_rs::ISO_8859_15.encode(text);
                assert!(!is_lossy, "the texts of these tests fit");
                bytes.into_owned()
            }
            Self::Utf16 { big, mark } => {
                let units = mark.then_some(0xfeff).into_iter().chain(text.encode_utf16());
                units.flat_map(|unit| if big { unit.to_be_bytes() } else { unit.to_le_bytes() }).collect()
            }
        }
    }

    fn decode(self, bytes: &[u8]) -> String {
        let encoding = match self {
            Self::Utf8 | Self::Utf8WithMark => encoding_rs::UTF_8,
            Self::Latin9 => encoding_rs::ISO_8859_15,
            Self::Utf16 { big: true, .. } => encoding_rs::UTF_16BE,
            Self::Utf16 { big: false, .. } => encoding_rs::UTF_16LE,
        };
        let (text, is_lossy) = encoding.decode_with_bom_removal(bytes);
        assert!(!is_lossy);
        text.into_owned()
    }
}

fn written() -> impl Strategy<Value = Written> {
    let utf16 = (any::<bool>(), any::<bool>()).prop_map(|(big, mark)| Written::Utf16 { big, mark });
    prop_oneof![
        4 => Just(Written::Utf8),
        1 => Just(Written::Utf8WithMark),
        2 => Just(Written::Latin9),
        2 => utf16,
    ]
}

/// Children of an element: which, and what stands before each.
fn children(of: &'static [&'static str]) -> impl Strategy<Value = Vec<(&'static str, &'static str)>> {
    let before = prop_oneof![4 => Just("\n    "), 1 => Just(""), 1 => Just(" "), 1 => Just("\n\n \n      ")];
    vec((before, select(of)), 0..6)
}

/// Some declarations, some of them of something else.
fn declarations() -> impl Strategy<Value = String> {
    proptest::array::uniform8(0..10_u8).prop_map(|choices| {
        let declared = DECLARATIONS.iter().zip(choices).filter_map(|((prefix, uri), choice)| match choice {
            0 => Some(format!(" xmlns:{prefix}='{uri}'")),
            1 => Some(format!("\n xmlns:{prefix} = \"{uri}\"")),
            2 => Some(format!(" xmlns:{prefix}='urn:other'")),
            _ => None,
        });
        declared.collect()
    })
}

fn item(of: &'static [&'static str]) -> impl Strategy<Value = String> {
    (declarations(), children(of)).prop_map(|(declared, children)| {
        let children: String = children.into_iter().flat_map(|(before, child)| [before, child]).collect();
        format!("<@item{declared}>{children}\n  </@item>")
    })
}

fn document(is_atom: bool, prefix: &'static str) -> impl Strategy<Value = String> {
    let of: &'static [&'static str] = if is_atom { &ATOM_CHILDREN } else { &RSS_CHILDREN };
    let before = prop_oneof![4 => Just("\n  "), 1 => Just("")];
    let child = prop_oneof![3 => item(of), 2 => select(&CHANNEL_CHILDREN[..]).prop_map(str::to_owned)];
    let parts = (declarations(), vec((before, child), 0..6), select(PROLOGS.to_vec()), any::<bool>());
    parts.prop_map(move |(declared, children, prolog, is_small)| {
        let mut numbers = 0..;
        let children: String = children.into_iter().flat_map(|(before, child)| [before.to_owned(), child]).collect();
        let children: String = children
            .split('%')
            .enumerate()
            .map(|(at, part)| if at == 0 { part.to_owned() } else { format!("{}{part}", numbers.next().unwrap_or(0)) })
            .collect();
        let text = if is_atom {
            let own = prefix.trim_end_matches(':');
            let own = if own.is_empty() { String::new() } else { format!(":{own}") };
            format!("{prolog}<@feed{declared} xmlns{own}='http://www.w3.org/2005/Atom'>{children}\n</@feed>\n")
        } else {
            format!("{prolog}<rss{declared} version='2.0'>\n<channel>{children}\n</channel>\n</rss>\n")
        };
        let text = text.replace("@item", if is_atom { "@entry" } else { "@item" }).replace('@', prefix);
        if is_small { text.replace("\n    <", "<").replace("\n  <", "<").replace('\n', " ") } else { text }
    })
}

/// A feed as text, and how it is written.
fn feeds() -> impl Strategy<Value = (String, Written)> {
    let text = prop_oneof![
        3 => document(false, ""),
        1 => document(true, ""),
        1 => document(true, "own:"),
    ];
    (text, written(), any::<bool>(), any::<bool>()).prop_map(|(text, written, is_crlf, is_tabbed)| {
        let label = match written {
            Written::Utf8 | Written::Utf8WithMark => "utf-8",
            Written::Latin9 => "iso-8859-15",
            Written::Utf16 { .. } => "utf-16",
        };
        let text = format!("<?xml version='1.0' encoding='{label}'?>\n{text}");
        let text = if is_tabbed { text.replace("  ", "\t") } else { text };
        (if is_crlf { text.replace('\n', "\r\n") } else { text }, written)
    })
}

/// What another parser sees: elements with their namespaces, attributes, and texts.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Seen {
    Start(String, String, Vec<(String, String)>),
    End,
    Other(String),
}

fn seen(text: &str) -> Vec<Seen> {
    let mut reader = NsReader::from_str(text);
    let mut seen = Vec::new();
    loop {
        let event = reader.read_event().expect("well-formed");
        let (start, is_empty) = match event {
            Event::Eof => return seen,
            Event::Start(start) => (start, false),
            Event::Empty(start) => (start, true),
            Event::End(_) => {
                seen.push(Seen::End);
                continue;
            }
            other => {
                seen.push(Seen::Other(format!("{other:?}")));
                continue;
            }
        };
        let (space, local) = reader.resolver().resolve_element(start.name());
        let space = match space {
            ResolveResult::Bound(space) => space.0.to_owned(),
            _ => String::new(),
        };
        let attributes = start.attributes().map(|attribute| attribute.expect("well-formed"));
        let attributes = attributes.map(|attribute| (attribute.key.0.to_owned(), attribute.value.into_owned()));
        // Declarations are what the namespaces tell.
        let attributes = attributes.filter(|(key, _)| !key.starts_with("xmlns")).collect();
        seen.push(Seen::Start(space, local.as_ref().to_owned(), attributes));
        if is_empty {
            seen.push(Seen::End);
        }
    }
}

/// What was seen without the marked elements, and these.
fn apart(seen: Vec<Seen>) -> (Vec<Seen>, Vec<Vec<Seen>>) {
    let marker = "Comment(BytesText { content: Borrowed(\" everseed \") })";
    let (mut rest, mut ours) = (Vec::new(), Vec::new());
    let mut events = seen.into_iter().peekable();
    while let Some(event) = events.next() {
        let is_marker = matches!(&event, Seen::Other(text) if text == marker);
        let is_ours =
            |next: &Seen| matches!(next, Seen::Start(_, local, _) if local == "alternateEnclosure" || local == "link");
        if !is_marker || !events.peek().is_some_and(is_ours) {
            rest.push(event);
            continue;
        }
        // The white space before the marker.
        rest.pop_if(|before| matches!(before, Seen::Other(text) if text.starts_with("Text(")) && is_white(before));
        let mut element = Vec::new();
        let mut depth = 0;
        while depth > 0 || element.is_empty() {
            let event = events.next().expect("elements end");
            match event {
                Seen::Start(..) => depth += 1,
                Seen::End => depth -= 1,
                Seen::Other(_) => continue,
            }
            element.push(event);
        }
        ours.push(element);
    }
    (rest, ours)
}

fn is_white(event: &Seen) -> bool {
    let Seen::Other(text) = event else { return false };
    let content = text.split('"').nth(1).unwrap_or_default();
    content.replace("\\n", "").replace("\\r", "").replace("\\t", "").trim().is_empty()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn only_what_is_ours_comes_and_goes((text, written) in feeds()) {
        let original = written.encode(&text);
        let found = feed(&original);
        let edits = found.amend(&everything(&found, "https://a.example.org/"));
        prop_assert!(edits.iter().all(|edit| edit.span.is_empty()), "an edit of a new feed takes nothing away");
        let full = with_everything(&original);

        // Another parser sees the same, and ours.
        let full_text = written.decode(&full);
        let (rest, ours) = apart(seen(&full_text));
        prop_assert_eq!(rest, seen(&text));
        let (mut alternates, mut links) = (Vec::new(), 0);
        for element in ours {
            let Some(Seen::Start(space, local, _)) = element.first() else { unreachable!("an element starts") };
            if local == "link" {
                prop_assert_eq!(space, "http://www.w3.org/2005/Atom");
                links += 1;
                continue;
            }
            prop_assert!(PODCAST.contains(&&**space), "{}", space);
            let Some(Seen::Start(_, _, attributes)) = element.get(1) else { unreachable!("a source is in it") };
            alternates.push(quick_xml::escape::unescape(&attributes[0].1).expect("escaped").into_owned());
        }
        let urls: Vec<_> = found.items.iter().flat_map(|item| &item.enclosures).map(|one| one.url.clone()).collect();
        prop_assert_eq!(alternates, urls);
        prop_assert_eq!(links, 1);

        // With another address the same comes of both.
        let other = |feed: &super::Foreign| everything(feed, "https://b.example.org/sub/path/");
        prop_assert_eq!(amended(&full, other), amended(&original, other));

        // Without ours, it is what it was, and declarations.
        let bare = written.decode(&without_ours(&full));
        let root = text.rfind("</").expect("a root ends");
        let tag = format!("<{}", text[root + 2..].trim_end().trim_end_matches('>'));
        let declared = bare.len() - text.len();
        let is_as_before = bare.match_indices(&tag).any(|(at, _)| {
            let (begin, end) = (at + tag.len(), at + tag.len() + declared);
            let is_declared = bare[begin..].is_char_boundary(declared) && bare[begin..end].split(" xmlns:").skip(1).count() < 3;
            is_declared && format!("{}{}", &bare[..begin], &bare[end..]) == text
        });
        prop_assert!(is_as_before, "{} is not {}", bare, text);
    }

    #[test]
    fn lengths_and_durations_are_mended_for_good((text, written) in feeds(), length in any::<u32>()) {
        let original = written.encode(&text);
        let mend = |feed: &super::Foreign| Amendment {
            torrents_feed: None,
            items: feed.items.iter().map(|item| ItemAmendment {
                alternates: vec![None; item.enclosures.len()],
                lengths: vec![Some(length.into()); item.enclosures.len()],
                duration_secs: Some(62),
            }).collect(),
        };
        let mended = feed(amended(&original, mend));
        prop_assert_eq!(mended.items.len(), feed(&original).items.len());
        for item in &mended.items {
            prop_assert!(item.has_duration && item.duration_secs.is_some());
            prop_assert!(item.enclosures.iter().all(|enclosure| enclosure.length == Some(length.into())));
        }
        // With everything, in one run or in two.
        let both = |feed: &super::Foreign| {
            let (mut all, mended) = (everything(feed, "https://a.example.org/"), mend(feed));
            for (item, mended) in all.items.iter_mut().zip(mended.items) {
                (item.lengths, item.duration_secs) = (mended.lengths, mended.duration_secs);
            }
            all
        };
        let two = feed(amended(amended(&original, mend), both));
        prop_assert_eq!(feed(amended(&original, both)).items.len(), two.items.len());
    }

    #[test]
    fn no_bytes_panic((text, written) in feeds(), at in any::<Index>(), byte in any::<u8>(), cut in any::<bool>()) {
        let mut bytes = with_everything(written.encode(&text));
        let at = at.index(bytes.len());
        if cut { bytes.truncate(at) } else { bytes[at] = byte }
        if let Ok(found) = read(&mut Cursor::new(&bytes)) {
            for amendment in [everything(&found, "https://b.example.org/"), Amendment::default()] {
                let mut out = Vec::new();
                apply(&bytes[..], &found.amend(&amendment), &mut out).expect("edits in order");
                read(&mut Cursor::new(&out)).expect("a feed again");
            }
        }
    }
}
