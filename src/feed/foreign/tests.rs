//! What is read of a feed, and every way in which one is refused.

use std::io::Cursor;

use expect_test::expect;

use super::testing::{amended, everything, feed, summary};
use super::*;

/// What is wrong with `bytes`, as a person is told.
fn told(bytes: &[u8]) -> String {
    match read(&mut Cursor::new(bytes)) {
        Ok(feed) => format!("reads {} items", feed.items.len()),
        Err(error) => {
            let line = error.line().map_or(String::new(), |line| format!("{line}: "));
            format!("{line}{error}; {}", error.help().unwrap_or("no help"))
        }
    }
}

#[test]
fn everything_of_a_feed_that_is_needed_is_read() {
    let text = r#"<rss version="2.0" xmlns:itunes="HTTP://WWW.iTunes.com/dtds/podcast-1.0.dtd" xmlns:atom="http://www.w3.org/2005/Atom">
<channel>
  <title> A &amp; <![CDATA[B <i>show</i>]]>
    &#233;</title>
  <link>https://example.org/</link>
  <atom:link rel="SELF" href=" https://example.org/feed.xml "/>
  <description><![CDATA[<p>First.</p><p>Second &amp; last.</p>]]></description>
  <language>en</language>
  <image><title>Not this</title><link>https://example.org/not</link></image>
  <item>
    <title>One</title>
    <guid>https://example.org/1</guid>
    <pubDate>Fri, 01 May 2026 06:00:00 GMT</pubDate>
    <itunes:summary>Not this</itunes:summary>
    <description>&lt;p>Words&lt;/p>&amp;nbsp;&nbsp;more</description>
    <enclosure url="
      https://example.org/1.mp3?a&#x3D;1&amp;b
    " length=" 123 " type="audio/mpeg"/>
    <enclosure url="https://example.org/1.ogg" length="many"/>
    <itunes:duration>1:02:03</itunes:duration>
  </item>
  <item><title>No enclosure, and &bad; references in &what; is not needed</title></item>
  <item>
    <guid isPermaLink="false">https://example.org/2</guid>
    <enclosure length="5"/>
    <enclosure url=" "/>
    <enclosure url="relative.mp3"></enclosure>
    <pubDate>yesterday</pubDate>
    <itunes:duration/>
  </item>
</channel>
</rss>"#;
    expect![[r#"
        Rss "A & B <i>show</i> é" link Some("https://example.org/") self Some("https://example.org/feed.xml")
        language Some("en") description "First. Second & last."
        10: "One" link Some("https://example.org/1") guid Some("https://example.org/1")
          date Some(2026-05-01 6:00:00.0 +00:00:00) duration (true, Some(3723)) description "Words more"
          16: "https://example.org/1.mp3?a=1&b" Some(123) Some("audio/mpeg")
          19: "https://example.org/1.ogg" None None
        23: "" link None guid Some("https://example.org/2")
          date None duration (true, None) description ""
          27: "relative.mp3" None None
        25: the enclosure has no `url`
        26: the enclosure has no `url`"#]]
    .assert_eq(&summary(text));
}

#[test]
fn what_is_no_feed_is_told() {
    let cases: [&[u8]; 12] = [
        b"",
        b" \n ",
        b"words",
        b"<!DOCTYPE html>\n<html><br></html>",
        b"<rdf:RDF xmlns:rdf='http://www.w3.org/1999/02/22-rdf-syntax-ns#'/>",
        b"<feed><entry/></feed>",
        b"<x:rss xmlns:x='urn:x'/>",
        b"&amp;<rss/>",
        b"<![CDATA[x]]><rss/>",
        b"{\"version\": \"https://jsonfeed.org/version/1.1\"}",
        b"<?xml version='1.0' encoding='utf-16'?><rss/>",
        b"\xff\xfe\0\0<\0\0\0",
    ];
    expect![[r#"
        is not a feed: it is empty; name an RSS or Atom feed; an HTML page is none, whatever its file is called
        is not a feed: it is empty; name an RSS or Atom feed; an HTML page is none, whatever its file is called
        is not a feed: it begins with text; name an RSS or Atom feed; an HTML page is none, whatever its file is called
        is not a feed: its root is `html`; name an RSS or Atom feed; an HTML page is none, whatever its file is called
        is not a feed: its root is `rdf:RDF`; name an RSS or Atom feed; an HTML page is none, whatever its file is called
        is not a feed: its root is `feed`; name an RSS or Atom feed; an HTML page is none, whatever its file is called
        is not a feed: its root is `x:rss`; name an RSS or Atom feed; an HTML page is none, whatever its file is called
        is not a feed: it begins with text; name an RSS or Atom feed; an HTML page is none, whatever its file is called
        is not a feed: it begins with text; name an RSS or Atom feed; an HTML page is none, whatever its file is called
        is not a feed: it begins with text; name an RSS or Atom feed; an HTML page is none, whatever its file is called
        says that it is written in `utf-16`, and is not; have the feed written in UTF-8
        is written in UTF-32; have the feed written in UTF-8"#]].assert_eq(&cases.map(told).join("\n"));
}

#[test]
fn what_is_broken_is_told_with_its_place() {
    let cases: [&[u8]; 32] = [
        b"<rss><channel>\n<item>\n",
        b"<rss>\n<channel></rss>",
        b"<rss></rss></rss>",
        b"<rss></rss>\n<rss/>",
        b"<rss></rss>\nwords",
        b"<rss></rss>\n&amp;",
        b"<rss>\n <item",
        b"<rss>\n <item a=\"",
        b"<rss>\n <item a='",
        b"<rss>\n <!-- ",
        b"<rss>\n <![CDATA[ ]]",
        b"<rss>\n <? ",
        b"<!DOCTYPE rss [",
        b"<rss>\n <! >",
        b"<rss>\n a < b</rss>",
        b"<rss>\n <>",
        b"<rss>\n <",
        "<rss>\u{e9}\u{20ac}\u{1f600} & co</rss>".as_bytes(),
        b"<rss>AT&T is; good</rss>",
        b"<rss>&#0;</rss>",
        "<rss>\n<\u{e9}tude a='1' \u{e9}='2' a='3'/></rss>".as_bytes(),
        b"<rss><a b></rss>",
        b"<rss><a b=></rss>",
        b"<rss><a b=c/></rss>",
        b"<rss><a b=\"c d=\"e\"/></rss>",
        b"<rss><a b='<'/></rss>",
        b"<rss><channel><title>&nbsp;</title></channel></rss>",
        b"<rss><channel><item>\n<title>a&nbsp;</title>\n<enclosure url='a'/></item></channel></rss>",
        b"<rss><channel><item>\n<enclosure url='a?b=1&c=2'/></item></channel></rss>",
        b"<rss><channel><item>\n<enclosure length='1'\n url='a&nbsp;'/></item></channel></rss>",
        b"<rss><channel><item>\n<enclosure url='a\xe9'/></item></channel></rss>",
        b"<rss xmlns:a='&b;'/>",
    ];
    expect![[r#"
        3: the file ends inside of `<item>`, which begins on line 2; mend the template that writes the feed; feed readers stumble there too
        2: `</rss>` ends `<channel>`, which begins on line 2; mend the template that writes the feed; feed readers stumble there too
        1: `</rss>` ends nothing; mend the template that writes the feed; feed readers stumble there too
        2: there is a second root element; mend the template that writes the feed; feed readers stumble there too
        1: there is text behind the root element; mend the template that writes the feed; feed readers stumble there too
        2: there is text behind the root element; mend the template that writes the feed; feed readers stumble there too
        2: tag not closed: `>` not found before end of input; mend the template that writes the feed; feed readers stumble there too
        2: attribute value not closed: `"` not found before end of input; mend the template that writes the feed; feed readers stumble there too
        2: attribute value not closed: `'` not found before end of input; mend the template that writes the feed; feed readers stumble there too
        2: comment not closed: `-->` not found before end of input; mend the template that writes the feed; feed readers stumble there too
        2: CDATA not closed: `]]>` not found before end of input; mend the template that writes the feed; feed readers stumble there too
        2: processing instruction not closed: `?>` not found before end of input; mend the template that writes the feed; feed readers stumble there too
        1: DOCTYPE not closed: `>` not found before end of input; mend the template that writes the feed; feed readers stumble there too
        2: unknown or missed symbol in markup; mend the template that writes the feed; feed readers stumble there too
        2: `<` begins no tag; write `<` as `&lt;`, or end what is before it
        2: `<` begins no tag; write `<` as `&lt;`, or end what is before it
        2: tag not closed: `>` not found before end of input; mend the template that writes the feed; feed readers stumble there too
        1: `&` begins no reference; write `&` as `&amp;`
        1: `&` begins no reference; write `&` as `&amp;`
        1: `&` begins no reference; write `&` as `&amp;`
        2: the attribute `a` stands twice; mend the template that writes the feed; feed readers stumble there too
        1: an attribute has no `=`; mend the template that writes the feed; feed readers stumble there too
        1: an attribute has no value; mend the template that writes the feed; feed readers stumble there too
        1: the value of an attribute stands in no quotation marks; mend the template that writes the feed; feed readers stumble there too
        1: attribute value not closed: `"` not found before end of input; mend the template that writes the feed; feed readers stumble there too
        1: `<` in the value of `b`; write `<` as `&lt;`, or end what is before it
        1: the entity `&nbsp;` is none of XML's own; write the character itself, or its number: `&#160;`
        2: the entity `&nbsp;` is none of XML's own; write the character itself, or its number: `&#160;`
        2: `&` begins no reference; write `&` as `&amp;`
        3: the entity `&nbsp;` is none of XML's own; write the character itself, or its number: `&#160;`
        2: `url` is no text in the encoding of the feed; mend the template that writes the feed; feed readers stumble there too
        1: the entity `&b;` is none of XML's own; write the character itself, or its number: `&#160;`"#]].assert_eq(&cases.map(told).join("\n"));
    // Positions are those of characters, in every encoding.
    let utf16: Vec<u8> = "\u{feff}<rss>\n\u{e9}\u{1f600} & </rss>".encode_utf16().flat_map(u16::to_le_bytes).collect();
    expect!["2: `&` begins no reference; write `&` as `&amp;`"].assert_eq(&told(&utf16));
}

#[test]
fn there_is_a_most_of_everything() {
    let item = |enclosures: usize| format!("<item>{}</item>", "<enclosure url='a'/>".repeat(enclosures));
    let rss = |items: &str| format!("<rss>\n<channel>{items}</channel></rss>");
    let long_url = rss(&format!("<item><enclosure url='{}'/></item>", "a".repeat((64 << 10) + 1)));
    let attributes = (0..257).fold(String::new(), |all, number| all + &format!(" a{number}=''"));
    let namespaces = (0..4097).fold(String::new(), |all, number| all + &format!("<a xmlns='{number}'/>"));
    let cases = [
        rss(&item(1).repeat(ITEMS_MAX + 1)),
        rss(&item(ENCLOSURES_MAX + 1)),
        rss(&format!("<item><title>{}</title></item>", "a".repeat(9 << 20))),
        rss(&format!("\n<!-- {} -->", " ".repeat(9 << 20))),
        rss(&format!("\n<a b='{}'/>", " ".repeat(9 << 20))),
        rss(&"<a>".repeat(255)),
        long_url,
        rss(&format!("<a{attributes}/>")),
        rss(&namespaces),
        rss(&format!("<item><title>{}</title>{}</item>", "a".repeat(60_000), "<enclosure url='a'/>").repeat(2300)),
    ];
    expect![[r#"
        2: more than 100000 items; have less written into the feed, or split it
        2: an item with more than 64 enclosures; have less written into the feed, or split it
        2: a tag or text of more than 8 MiB; have less written into the feed, or split it
        3: a tag or text of more than 8 MiB; have less written into the feed, or split it
        3: a tag or text of more than 8 MiB; have less written into the feed, or split it
        2: more than 256 elements within each other; have less written into the feed, or split it
        2: an address of more than 64 KiB; have less written into the feed, or split it
        2: more than 256 attributes; have less written into the feed, or split it
        2: more than 4096 namespaces; have less written into the feed, or split it
        2: titles, descriptions and addresses of more than 128 MiB; have less written into the feed, or split it"#]]
    .assert_eq(&cases.map(|case| told(case.as_bytes())).join("\n"));
    let fits = rss(&item(ENCLOSURES_MAX));
    assert_eq!(feed(&fits).items[0].enclosures.len(), ENCLOSURES_MAX);
}

#[test]
fn a_long_text_of_an_item_is_cut_and_the_feed_is_read() {
    let text =
        "<rss><channel><item><title>T</title><description>%</description><enclosure url='a'/></item></channel></rss>";
    let found = feed(text.replace('%', &"\u{e9} &lt;b>&lt;/b>".repeat(300_000)));
    assert!(found.items[0].description.len() <= crate::feed::DESCRIPTION_BYTES_MAX);
}

#[test]
fn a_feed_is_known_by_its_beginning() {
    let utf16: Vec<u8> = "\u{feff}<?xml version='1.0'?><rss><chan".encode_utf16().flat_map(u16::to_be_bytes).collect();
    let feeds: [&[u8]; 9] = [
        b"<rss>",
        b"<rss version='2.0' xml",
        b"<?xml version='1.0'?>\n<?xml-stylesheet href='x'?><!-- <html> --><!DOCTYPE rss [<!ENTITY a 'b'>]>\r\n<rss\r\n",
        b"\xef\xbb\xbf<feed xmlns='http://www.w3.org/2005/Atom' xmlns:a='",
        b"<a:feed xmlns:a",
        b"\n <rss/>",
        b"<rss><channel><title>\xe9",
        b"<rss",
        &utf16,
    ];
    for feed in feeds {
        assert!(looks_like_a_feed(feed), "{}", String::from_utf8_lossy(feed));
    }
    let others: [&[u8]; 9] = [
        b"",
        b"rss",
        b"<html><rss>",
        b"<!DOCTYPE html><html",
        b"<urlset xmlns='http://www.sitemaps.org/schemas/sitemap/0.9'>",
        b"<!-- <rss>",
        b"<rssx>",
        b"\x7fELF<rss>",
        b"words <rss>",
    ];
    for other in others {
        assert!(!looks_like_a_feed(other), "{}", String::from_utf8_lossy(other));
    }
}

#[test]
fn an_item_can_have_many_and_only_some_are_amended() {
    let text =
        "<rss><channel><item><enclosure url='a'/><enclosure url='b'/><enclosure url='c'/></item></channel></rss>";
    let some = amended(text, |feed| {
        let mut all = everything(feed, "https://a.example.org/");
        all.torrents_feed = None;
        all.items[0].alternates[0] = None;
        all.items[0].alternates.truncate(2);
        all
    });
    expect![[r#"<rss xmlns:podcast="https://podcastindex.org/namespace/1.0"><channel><item><enclosure url='a'/><enclosure url='b'/><!-- everseed --><podcast:alternateEnclosure type="audio/mpeg" length="1001" default="true" title="Standard"><podcast:source uri="b"/><podcast:source uri="https://a.example.org/torrents/1.torrent" contentType="application/x-bittorrent"/><podcast:source uri="magnet:?xt=urn:btih:1&amp;dn=a" contentType="application/x-bittorrent"/></podcast:alternateEnclosure><enclosure url='c'/></item></channel></rss>"#]].assert_eq(&String::from_utf8(some).expect("UTF-8"));
}
