//! Filling the elements of HTML pages that ask for it, `<div data-everseed="URL-or-slug"></div>`, and leaving every
//! other byte as it is. It knows no feed and no file.

use std::fmt::Write;

use super::outline::{ATTRIBUTE, Asking, Slot, asking};
use crate::splice::Edit;
use crate::units::size_text;

/// The most bytes of a page in which elements are filled.
pub const PAGE_BYTES_MAX: usize = 16 << 20;
/// Stands before what an element was filled with.
const MARKER: &str = "<!-- everseed -->";
/// The words for the links, where the author has none.
const WORDS: [&str; 3] = ["Download", "Torrent", "Magnet link"];

/// What a filled element links to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Links {
    /// What it is called, for screen readers; may be empty.
    pub title: String,
    /// Where a browser downloads it from.
    pub download_url: String,
    /// Its size.
    pub bytes: u64,
    /// The URL of its .torrent.
    pub torrent_url: String,
    /// Its magnet link.
    pub magnet: String,
}

/// What is to be changed in a page.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Filled {
    /// The edits, in the order of their spans; none where the page is as it should be.
    pub edits: Vec<Edit>,
    /// What could not be filled and why, with its line, counted from 1.
    pub faults: Vec<(usize, String)>,
    /// How many elements ask to be filled.
    pub slots: usize,
}

/// Fills the elements of the page `html` with what `find` knows of the URL or slug that each names. An element that is
/// empty, or that was filled before, is filled; also in a `<template>`, but not in comments, scripts and other places
/// that HTML reads as text. Where `find` knows nothing, what an element was filled with before is taken out.
pub fn fill(html: &[u8], find: &dyn Fn(&str) -> Option<Links>) -> Filled {
    let mut filled = Filled::default();
    let is_wide = matches!(html, [0xff, 0xfe, ..] | [0xfe, 0xff, ..] | [0, b'<', ..] | [b'<', 0, ..]);
    // Most pages do not name the attribute, and are not read further.
    if !(if is_wide { is_mentioned_widely(html) } else { is_mentioned(html) }) {
        return filled;
    }
    if let Some(why) = unreadable(html, is_wide) {
        filled.faults.push((1, format!("{why}: its `{ATTRIBUTE}` is not filled")));
        return filled;
    }
    let mut lines = Lines { html, at: 0, line: 1 };
    let mut end = 0;
    let Asking { slots, unread } = asking(html);
    for slot in slots {
        // What was filled in before is not looked into.
        if slot.start < end {
            continue;
        }
        filled.slots += 1;
        let line = lines.of(slot.start);
        let mut fault = |why: &str| {
            filled.faults.push((line, format!("<{} {ATTRIBUTE}=\"{}\"> {why}", slot.name, slot.what)));
        };
        let room = match &slot.room {
            Ok(room) => room,
            Err(why) => {
                fault(why);
                continue;
            }
        };
        end = room.span.end;
        let found = find(&slot.what);
        if found.is_none() {
            fault("names neither an enclosure's URL nor a slug that is known");
        }
        let bytes = found.as_ref().map(|links| filling(links, &slot, html)).unwrap_or_default();
        if (found.is_some() || room.is_filled) && html[room.span.clone()] != bytes {
            let span = room.span.start as u64..room.span.end as u64;
            filled.edits.push(Edit { span, bytes, line: lines.of(room.span.start) });
        }
    }
    let mut lines = Lines { html, at: 0, line: 1 };
    for unread in unread {
        let (name, line) = (unread.name, lines.of(unread.start));
        let what = if name.is_empty() { "a comment".to_owned() } else { format!("<{name}>") };
        let why =
            if unread.is_ended { "what stands in it is text" } else { "it has no end, and all behind it is text" };
        filled.faults.push((line, format!("{what} holds a tag with {ATTRIBUTE} that is not filled: {why}")));
    }
    filled.faults.sort_by_key(|(line, _)| *line);
    filled
}

/// Why the elements of the page can't be found by their bytes, where they can't be.
fn unreadable(html: &[u8], is_wide: bool) -> Option<&'static str> {
    if is_wide {
        return Some("is UTF-16, not UTF-8");
    }
    // The one encoding of the web with `<` and quotes in the middle of other letters.
    if html.windows(2).any(|pair| pair == b"\x1b$") {
        return Some("is ISO-2022-JP, not UTF-8");
    }
    const { assert!(PAGE_BYTES_MAX == 16 << 20, "as it is said below") };
    (html.len() > PAGE_BYTES_MAX).then_some("has more than 16 MiB")
}

/// [`is_mentioned`] in UTF-16 of either order.
fn is_mentioned_widely(html: &[u8]) -> bool {
    [0, 1].into_iter().any(|from| is_mentioned(&html.iter().skip(from).step_by(2).copied().collect::<Vec<_>>()))
}

/// Whether the attribute may stand in the page.
fn is_mentioned(html: &[u8]) -> bool {
    let dash = ATTRIBUTE.find('-').expect("it has a dash");
    html.iter().enumerate().any(|(at, &byte)| {
        byte == b'-'
            && at
                .checked_sub(dash)
                .and_then(|start| html.get(start..start + ATTRIBUTE.len()))
                .is_some_and(|found| found.eq_ignore_ascii_case(ATTRIBUTE.as_bytes()))
    })
}

/// What stands in the element `slot` of `html` when it is filled with `links`.
fn filling(links: &Links, slot: &Slot, html: &[u8]) -> Vec<u8> {
    let mut filling = MARKER.as_bytes().to_vec();
    let [download, torrent, magnet] = [0, 1, 2].map(|at| match &slot.words[at] {
        Some(word) => as_written(&html[word.clone()]),
        None => WORDS[at].as_bytes().to_vec(),
    });
    let size = size_text(links.bytes);
    let mut link = |kind: &str, url: &str, more: &str, word: &[u8], behind: &str| {
        filling.extend(format!("<a class=\"everseed-{kind}\" href=\"{}\"{more}", escaped(url)).as_bytes());
        if !links.title.is_empty() {
            filling.extend([b" aria-label=\"", word, b": ", escaped(&links.title).as_bytes(), b"\""].concat());
        }
        filling.extend([b">", word, b"</a>", behind.as_bytes()].concat());
    };
    let size = format!(" <span class=\"everseed-size\">({size})</span> ");
    link("download", &links.download_url, " download", &download, &size);
    link("torrent", &links.torrent_url, " type=\"application/x-bittorrent\"", &torrent, " ");
    link("magnet", &links.magnet, "", &magnet, "");
    filling
}

/// `text` for HTML of any encoding: in ASCII, what is not as references.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            c if c.is_ascii() => out.push(c),
            c => write!(out, "&#{};", u32::from(c)).expect("a String takes what is written"),
        }
    }
    out
}

/// The value of an attribute as it is written in the page, in the page's encoding, for text and for other attributes.
fn as_written(value: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(value.len());
    for (at, &byte) in value.iter().enumerate() {
        match byte {
            b'&' if !is_reference(&value[at + 1..]) => out.extend(b"&amp;"),
            b'<' => out.extend(b"&lt;"),
            b'>' => out.extend(b"&gt;"),
            b'"' => out.extend(b"&quot;"),
            byte => out.push(byte),
        }
    }
    out
}

/// Whether `rest`, which stands behind a `&`, makes a reference with it.
fn is_reference(rest: &[u8]) -> bool {
    let end = rest.iter().position(|&byte| !(byte.is_ascii_alphanumeric() || byte == b'#'));
    end.is_some_and(|end| end > 0 && rest[end] == b';')
}

/// The lines of a page, asked for in the order of its bytes.
struct Lines<'a> {
    html: &'a [u8],
    at: usize,
    line: usize,
}

impl Lines<'_> {
    /// The line of the byte `at`, counted from 1.
    fn of(&mut self, at: usize) -> usize {
        self.line += self.html[self.at..at].split(|&byte| byte == b'\n').count() - 1;
        self.at = at;
        self.line
    }
}

#[cfg(test)]
mod tests {
    use expect_test::expect;
    use proptest::prelude::*;

    use super::*;
    use crate::splice::apply;

    fn links() -> Links {
        Links {
            title: "Folge 1: \"Öl & <Eis>\"".into(),
            download_url: "https://show.example.org/audio/ep1.mp3?a=1&b=2".into(),
            bytes: 12_345_678,
            torrent_url: "https://show.example.org/torrents/ep1.torrent".into(),
            magnet: "magnet:?xt=urn:btih:0&tr=https%3A%2F%2Fshow.example.org%2Fannounce".into(),
        }
    }

    /// Knows what begins with `ep`.
    fn find(what: &str) -> Option<Links> {
        what.starts_with("ep").then(links)
    }

    fn plain(what: &str) -> Option<Links> {
        find(what).map(|links| Links { title: String::new(), download_url: "/ep1.mp3".into(), ..links })
    }

    fn filled(html: &[u8], find: &dyn Fn(&str) -> Option<Links>) -> (Vec<u8>, Filled) {
        let filled = fill(html, find);
        let mut out = Vec::new();
        apply(html, &filled.edits, &mut out).expect("edits of this page");
        (out, filled)
    }

    fn told(filled: &Filled) -> String {
        filled.faults.iter().fold(String::new(), |all, (line, fault)| format!("{all}\n{line}: {fault}"))
    }

    fn text(html: &str, find: &dyn Fn(&str) -> Option<Links>) -> String {
        let (out, filled) = filled(html.as_bytes(), find);
        format!("{}{}", String::from_utf8_lossy(&out).replace('\r', "\\r"), told(&filled))
    }

    #[test]
    fn an_element_is_filled_with_links() {
        expect![[r#"
            <main>\r
            <div class="x" data-everseed="ep1"><!-- everseed --><a class="everseed-download" href="https://show.example.org/audio/ep1.mp3?a=1&amp;b=2" download aria-label="Download: Folge 1: &quot;&#214;l &amp; &lt;Eis&gt;&quot;">Download</a> <span class="everseed-size">(12.3 MB)</span> <a class="everseed-torrent" href="https://show.example.org/torrents/ep1.torrent" type="application/x-bittorrent" aria-label="Torrent: Folge 1: &quot;&#214;l &amp; &lt;Eis&gt;&quot;">Torrent</a> <a class="everseed-magnet" href="magnet:?xt=urn:btih:0&amp;tr=https%3A%2F%2Fshow.example.org%2Fannounce" aria-label="Magnet link: Folge 1: &quot;&#214;l &amp; &lt;Eis&gt;&quot;">Magnet link</a></div>\r
            </main>"#]].assert_eq(&text("<main>\r\n<div class=\"x\" data-everseed=\"ep1\">\n</div>\r\n</main>", &find));
        let words = "data-everseed-download='Télécharger' data-everseed-magnet='Lien &quot;magnet&quot; & > <'";
        expect![[r#"<p data-everseed=ep1 data-everseed-download='Télécharger' data-everseed-magnet='Lien &quot;magnet&quot; & > <'><!-- everseed --><a class="everseed-download" href="/ep1.mp3" download>Télécharger</a> <span class="everseed-size">(12.3 MB)</span> <a class="everseed-torrent" href="https://show.example.org/torrents/ep1.torrent" type="application/x-bittorrent">Torrent</a> <a class="everseed-magnet" href="magnet:?xt=urn:btih:0&amp;tr=https%3A%2F%2Fshow.example.org%2Fannounce">Lien &quot;magnet&quot; &amp; &gt; &lt;</a></p>"#]].assert_eq(&text(&format!("<p data-everseed=ep1 {words}></p>"), &plain));
    }

    #[test]
    fn what_can_not_be_filled_is_told_with_its_line() {
        let page = "<p data-everseed=no></p>\n<p data-everseed='no'>\n<!-- everseed --><a href=x>old</a></p>\n\
            <p data-everseed=ep1>mine</p>\n<p data-everseed=no>mine</p><img data-everseed=ep1>\n<td data-everseed=ep1>";
        expect![[r#"
            <p data-everseed=no></p>
            <p data-everseed='no'></p>
            <p data-everseed=ep1>mine</p>
            <p data-everseed=no>mine</p><img data-everseed=ep1>
            <td data-everseed=ep1>
            1: <p data-everseed="no"> names neither an enclosure's URL nor a slug that is known
            2: <p data-everseed="no"> names neither an enclosure's URL nor a slug that is known
            4: <p data-everseed="ep1"> has content of its own; empty it, or put an empty element beside it
            5: <p data-everseed="no"> has content of its own; empty it, or put an empty element beside it
            5: <img data-everseed="ep1"> is an element without content
            6: <td data-everseed="ep1"> has no end tag"#]]
        .assert_eq(&text(page, &plain));
        assert_eq!(fill(page.as_bytes(), &find).slots, 6);
    }

    #[test]
    fn what_is_read_as_text_is_told() {
        let page = "<p data-everseed=no></p>\n<noscript><p data-everseed=ep1></p></noscript>\n<p data-everseed=ep1></p>\n\
            <title>\n<p data-everseed=ep1></p>";
        let filled = fill(page.as_bytes(), &find);
        assert_eq!((filled.edits.len(), filled.slots), (1, 2));
        expect![[r#"

            1: <p data-everseed="no"> names neither an enclosure's URL nor a slug that is known
            2: <noscript> holds a tag with data-everseed that is not filled: what stands in it is text
            4: <title> holds a tag with data-everseed that is not filled: it has no end, and all behind it is text"#]]
        .assert_eq(&told(&filled));
        assert!(told(&fill(b"<!-- <p data-everseed=ep1>", &find)).contains("1: a comment holds"));
    }

    #[test]
    fn a_page_without_the_attribute_is_left_alone() {
        for page in
            ["", "<p>-data-everseed", "<p>data-everseed</p>", "<!-- data-everseed=ep1 -->", "<p data-everseec=ep1></p>"]
        {
            assert_eq!(fill(page.as_bytes(), &find), Filled::default(), "{page}");
        }
    }

    #[test]
    fn a_second_run_changes_nothing_and_a_new_address_only_what_was_filled() {
        let page = "<p>ü<div data-everseed=ep1></div><i data-everseed=ep2> </i>";
        let (first, _) = filled(page.as_bytes(), &find);
        let again = fill(&first, &find);
        assert_eq!((again.edits, again.slots), (vec![], 2));
        let (moved, _) = filled(&first, &plain);
        assert_eq!(moved, filled(page.as_bytes(), &plain).0);
        let (emptied, nothing) = filled(&moved, &|_| None);
        assert_eq!(emptied, "<p>ü<div data-everseed=ep1></div><i data-everseed=ep2></i>".as_bytes());
        assert_eq!(nothing.faults.len(), 2);
    }

    #[test]
    fn pages_of_other_encodings_keep_their_bytes() {
        // Latin-1, with the author's word in it.
        let page = b"<p>\xfc<p data-everseed=ep\xfc data-everseed-torrent=f\xfcr></p>";
        let (out, _) = filled(page, &|what| (what == "epü").then(links));
        assert!(out.starts_with(&page[..page.len() - 4]) && out.ends_with(b"</p>"));
        assert!(out.windows(5).any(|word| word == b">f\xfcr<"), "{}", out.escape_ascii());
        assert!(out.windows(6).any(|word| word == b"&#214;"));
        // Shift JIS has bytes of ASCII letters, but none of markup.
        let page = b"<p title='\x83\x5c'>\x83\x5c<p data-everseed=ep1></p>";
        assert_eq!(fill(page, &find).edits.len(), 1);

        let refused = |page: &[u8]| {
            let filled = fill(page, &find);
            assert_eq!((filled.edits.len(), filled.slots), (0, 0));
            told(&filled)
        };
        let page = "<p data-everseed=ep1></p>";
        let wide = |units: Vec<[u8; 2]>| units.concat();
        let little = wide(page.encode_utf16().map(u16::to_le_bytes).collect());
        let big = wide(page.encode_utf16().map(u16::to_be_bytes).collect());
        let japanese = [b"\x1b$B<'\x1b(B", page.as_bytes()].concat();
        let long = [page.as_bytes(), &vec![b' '; PAGE_BYTES_MAX]].concat();
        let pages =
            [&little, &[b"\xff\xfe", &little[..]].concat(), &big, &[b"\xfe\xff", &big[..]].concat(), &japanese, &long];
        expect![[r#"

            1: is UTF-16, not UTF-8: its `data-everseed` is not filled
            1: is UTF-16, not UTF-8: its `data-everseed` is not filled
            1: is UTF-16, not UTF-8: its `data-everseed` is not filled
            1: is UTF-16, not UTF-8: its `data-everseed` is not filled
            1: is ISO-2022-JP, not UTF-8: its `data-everseed` is not filled
            1: has more than 16 MiB: its `data-everseed` is not filled"#]]
        .assert_eq(&pages.map(|page| refused(page)).concat());
        assert_eq!(refused(b"\xff\xfe<\0p\0>\0"), "");
    }

    proptest! {
        #[test]
        fn filling_is_exact_outside_of_its_spans_and_done_once(
            parts in prop::collection::vec(
                prop::sample::select(vec![
                    &b"<div data-everseed=ep1>"[..], b"<P DATA-EVERSEED='no'>", b"</div>", b"</p>", b"<span>", b"</span>",
                    b"<a>", b"</a>", b"<!-- everseed -->", b"<!--", b"-->", b"<script>", b"</script>", b" ", b"\r\n", b"\xfc",
                    b"\0", b"&", b"<", b">", b"<i data-everseed=ep2 data-everseed-download=\"D&\"></i>", b"\"", b"'", b"x",
                ]),
                0..30,
            ),
            wild in prop::collection::vec(any::<u8>(), 0..30),
        ) {
            let page = [&parts.concat()[..], &wild].concat();
            let (once, first) = filled(&page, &find);
            let (twice, second) = filled(&once, &find);
            prop_assert_eq!(twice.escape_ascii().to_string(), once.escape_ascii().to_string());
            prop_assert_eq!(&second.edits, &vec![]);
            prop_assert!(first.edits.is_sorted_by_key(|edit| (edit.span.start, edit.span.end)));
            // And what has no end, of which there is one.
            prop_assert!(first.faults.len() <= first.slots + 1);
            // What is between the spans stands in the result in its order.
            let mut rest = &once[..];
            let mut at = 0;
            for edit in &first.edits {
                let [start, end] = [edit.span.start, edit.span.end].map(|at| usize::try_from(at).expect("in the page"));
                rest = rest.strip_prefix(&page[at..start]).expect("unchanged");
                rest = rest.strip_prefix(&edit.bytes[..]).expect("filled in");
                let line = page[..start].split(|&byte| byte == b'\n').count();
                prop_assert_eq!(edit.line, line);
                at = end;
            }
            prop_assert_eq!(rest, &page[at..]);
        }

        #[test]
        fn no_bytes_are_too_wild(wild in prop::collection::vec(any::<u8>(), 0..200)) {
            let page = [b"<p data-everseed=ep1>", &wild[..]].concat();
            fill(&page, &find);
            fill(&wild, &find);
        }
    }
}
