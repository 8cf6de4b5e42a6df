//! What is read of a feed, and every way in which one is refused.

use std::io::Cursor;

use expect_test::expect;

use super::scan::{KEPT_BYTES_MAX, Most, scan};
use super::testing::{amended, everything, feed, summary, text_with_everything, with_everything};
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

/// What `text` is, with `%` in the place of what stands in its items.
fn faults(text: &str) -> String {
    let faults = feed(text).faults;
    faults.iter().fold(String::new(), |all, (line, fault)| format!("{all}{line}: {fault}\n"))
}

#[test]
fn an_enclosure_has_the_base_around_it() {
    let bases = |text: &str| {
        let items = feed(text).items;
        let enclosures = items.iter().flat_map(|item| &item.enclosures);
        enclosures.map(|one| format!("{} {:?}", one.url, one.base)).collect::<Vec<_>>().join("\n")
    };
    expect![[r#"
        a Some("https://example.org/show/feed.xml")
        b Some("https://example.org/show/1/")
        c Some("https://example.org/show/1/&x/")
        d Some("https://b.example.org/")
        e Some("https://example.org/show/feed.xml")"#]]
    .assert_eq(&bases(
        "<feed xmlns='http://www.w3.org/2005/Atom' xml:base=' https://example.org/show/feed.xml '>
         <entry><link rel='enclosure' href='a'/><summary xml:base='no'/></entry>
         <entry xml:base='1/'><link rel='enclosure' href='b'/><link rel='enclosure' xml:base='&amp;x/' href='c'/></entry>
         <entry xml:base='https://b.example.org/'><link rel='enclosure' href='d'/></entry>
         <entry><link rel='enclosure' href='e'/></entry></feed>",
    ));
    expect![[r#"
        a None
        b Some("x/")"#]]
    .assert_eq(&bases(
        "<rss><channel><item><enclosure url='a'/><enclosure url='b' xml:base='x/'/></item></channel></rss>",
    ));
}

/// A feed of as many items as others have them.
fn ordinary(items: usize) -> String {
    let item = |number: usize| {
        format!(
            "<item><title>Episode {number}: a title as they are</title><link>https://show.example.org/episodes/{number}/</link>\
             <guid>https://show.example.org/episodes/{number}/</guid><pubDate>Fri, 01 May 2026 06:00:00 GMT</pubDate>\
             <description>{}</description><enclosure url='https://show.example.org/audio/episode-{number:06}.mp3' \
             length='12345678' type='audio/mpeg'/></item>\n",
            "words ".repeat(40)
        )
    };
    format!("<rss version='2.0'><channel>\n{}</channel></rss>", (0..items).map(item).collect::<String>())
}

/// Reads a feed of as many items, amends it and reads it again, with that part of all that is kept.
fn read_twice(items: usize) {
    let most = Most { items, bytes: KEPT_BYTES_MAX / (ITEMS_MAX / items), links: false };
    let read = |text: &[u8]| scan(text, Encoding::Utf8, most).unwrap_or_else(|_| panic!("{items} items fit"));
    let text = ordinary(items);
    let found = read(text.as_bytes());
    let mut amended = Vec::new();
    let edits = found.amend(&everything(&found, "https://show.example.org/"));
    crate::splice::apply(text.as_bytes(), &edits, &mut amended).expect("edits in order");
    let again = read(&amended);
    assert_eq!((again.items.len(), again.former.len()), (items, items + 1));
}

#[test]
fn a_feed_of_as_many_ordinary_items_as_there_may_be_is_read_again_when_it_is_amended() {
    read_twice(ITEMS_MAX / 100);
}

#[test]
#[ignore = "takes a minute: the same in full size"]
fn a_feed_of_full_size_is_read_again_when_it_is_amended() {
    read_twice(ITEMS_MAX);
}

#[test]
fn what_fits_is_read_again_when_it_is_amended() {
    let text = ordinary(100);
    let amended = with_everything(&text);
    let fits = |text: &[u8], bytes: usize| scan(text, Encoding::Utf8, Most { bytes, ..Most::OF_A_FEED }).is_ok();
    // The least with which it is read, by halves.
    let (mut least, mut step) = (1 << 18, 1 << 17);
    while step > 0 {
        least -= if fits(text.as_bytes(), least - step) { step } else { 0 };
        step /= 2;
    }
    assert!(fits(text.as_bytes(), least) && !fits(text.as_bytes(), least - 1));
    // All that comes are the prefixes that are declared.
    assert!(fits(&amended, least + 64));
}

#[test]
fn a_prefix_that_is_not_declared_keeps_meaning_nothing() {
    let text = "<rss><channel>
<item><itunes:duration>5</itunes:duration><podcast:x/><enclosure url='a' atom:a=''/></item>
<item><itunes:duration>5</itunes:duration><x:y xmlns:x='urn:x' xml:lang=''/></item></channel></rss>";
    expect![[r"
        2: the prefix `itunes` is not declared: feed readers refuse that
        2: the prefix `podcast` is not declared: feed readers refuse that
        2: the prefix `atom` is not declared: feed readers refuse that
    "]]
    .assert_eq(&faults(text));
    let amended = text_with_everything(text);
    let root =
        "<rss xmlns:atom1=\"http://www.w3.org/2005/Atom\" xmlns:podcast1=\"https://podcastindex.org/namespace/1.0\">";
    assert!(amended.starts_with(root), "{amended}");
    assert!(!feed(text).items[0].has_duration);
}

#[test]
fn entities_of_the_doctype_stay_and_are_refused_in_addresses_alone() {
    let dtd =
        "<!DOCTYPE rss PUBLIC '-//Netscape Communications//DTD RSS 0.91//EN' 'http://my.example.org/rss-0.91.dtd'>\n";
    let inner = "<!DOCTYPE rss [ <!ENTITY show 'A show'> <!ENTITY eacute '&#233;'> ]>\n";
    let text = "<rss xmlns:x='urn:&show;'><channel><title>&show; caf&eacute;</title><link>https://example.org/&show;</link>
<item><title>&show;</title><guid>&show;</guid><description>&show; &eacute;</description><enclosure url='a' type='&show;'/></item></channel></rss>";
    for doctype in [dtd, inner] {
        expect![[r#"
            Rss "&show; café" link Some("https://example.org/&show;") self None
            language None description ""
            3: "&show;" link None guid Some("&show;")
              date None duration (false, None) description "&show; é"
              3: "a" None Some("&show;")"#]]
        .assert_eq(&summary(&format!("{doctype}{text}")));
    }
    let address = format!("{inner}<rss><channel><item>\n<enclosure url='&show;/a'/></item></channel></rss>");
    expect!["3: the entity `&show;` is declared in the DOCTYPE, not resolved; write the character itself, or its number: `&#160;`"]
        .assert_eq(&told(address.as_bytes()));
    let other = format!("{inner}<rss><channel><title>&nbsp;</title></channel></rss>");
    expect!["2: the entity `&nbsp;` is none of XML's own; write the character itself, or its number: `&#160;`"]
        .assert_eq(&told(other.as_bytes()));
}

#[test]
fn enclosures_that_are_not_read_are_told() {
    let text = "<rss xmlns:a='http://www.w3.org/2005/Atom'><channel>
<item><title>a</title>
 <a:link rel='&#101;nclosure' href='a'/></item>
<item><a:link rel='enclosure' href='b'/><enclosure url='b'/></item>
<item><enclosure xmlns='urn:x' url='c'/></item>
<item xmlns='urn:x'><enclosure url='d'/></item></channel></rss>";
    expect![[r"
        3: an atom:link that is an enclosure is not one for podcast apps: they look for `<enclosure>`
        5: an `<enclosure>` is of another namespace than the feed: it is not read
        6: an `<item>` is of another namespace than the feed: it is not read
    "]]
    .assert_eq(&faults(text));
    expect![[r"
        2: the `<channel>` is of another namespace than the feed: it is not read
    "]]
    .assert_eq(&faults("<rss>\n<channel xmlns='urn:x'><item><enclosure url='a'/></item></channel></rss>"));
    let text = "<feed xmlns='http://www.w3.org/2005/Atom'>
<entry><link rel='e&#110;closure' href='a'/></entry>
<entry><link xmlns='' rel='enclosure' href='b'/></entry>
<entry xmlns=''><link rel='enclosure' href='c'/></entry></feed>";
    assert_eq!(feed(text).items.len(), 1);
    expect![[r"
        3: a `<link>` is of another namespace than the feed: it is not read
        4: an `<entry>` is of another namespace than the feed: it is not read
    "]]
    .assert_eq(&faults(text));
}

#[test]
fn rss_may_stand_in_any_default_namespace() {
    for space in ["http://www.w3.org/2005/Atom", "https://podcastindex.org/namespace/1.0", "urn:x"] {
        let text = format!(
            "<rss xmlns='{space}'><channel><link href='https://example.org/feed' rel='self'/><link>https://example.org/</link>\
             <item><enclosure url='a'/></item></channel></rss>"
        );
        assert!(looks_like_a_feed(text.as_bytes()));
        let found = feed(&text);
        assert_eq!((found.format, found.items.len()), (Format::Rss, 1), "{space}");
        assert_eq!(found.link.as_deref(), Some("https://example.org/"), "{space}");
        with_everything(&text);
    }
    // White space belongs to a namespace's name.
    let spaced = "<feed xmlns=' http://www.w3.org/2005/Atom'/>";
    assert!(!looks_like_a_feed(spaced.as_bytes()));
    assert_eq!(told(spaced.as_bytes()).split(';').next(), Some("is not a feed: its root is `feed`"));
}

#[test]
fn names_and_namespaces_are_kept_within_bounds() {
    let long = "a".repeat((64 << 10) + 1);
    let cases = [
        format!("<rss>\n<{long}/></rss>"),
        format!("<rss>\n<a xmlns='{long}'/></rss>"),
        format!("<rss>\n<a xmlns:{long}='a'/></rss>"),
        format!("<rss>\n<a {long}:a='a'/></rss>"),
        format!("<{long}/>"),
    ];
    expect![[r"
        2: a name of more than 64 KiB
        2: a namespace of more than 64 KiB
        2: a namespace of more than 64 KiB
        2: a name of more than 64 KiB
        1: a name of more than 64 KiB"]]
    .assert_eq(&cases.map(|case| told(case.as_bytes()).split(';').next().unwrap_or_default().to_owned()).join("\n"));
    let most = Most { bytes: 1 << 20, ..Most::OF_A_FEED };
    let told = |text: &str| match scan(text.as_bytes(), Encoding::Utf8, most) {
        Err(Fault::TooLarge(_, message)) => message,
        Ok(_) => "fits".to_owned(),
        Err(_) => "other".to_owned(),
    };
    let long = "a".repeat(60 << 10);
    let twenty = |of: &dyn Fn(usize) -> String| (0..20).map(of).collect::<String>();
    let texts = [
        twenty(&|_| format!("<{long}>")),
        twenty(&|_| format!("<{long}/>")),
        twenty(&|number| format!("<a xmlns:p{number}{long}=''/>")),
        twenty(&|number| format!("<a xmlns='{number}{long}'/>")),
        twenty(&|number| format!("<p{number}{long}:a/>")),
    ];
    expect![[r#"
        names and namespaces of more than 1 MiB
        fits
        names and namespaces of more than 1 MiB
        names and namespaces of more than 1 MiB
        names and namespaces of more than 1 MiB"#]]
    .assert_eq(&texts.map(|text| told(&format!("<rss>{text}</rss>"))).join("\n"));
}

#[test]
fn what_feed_readers_refuse_is_told_once_and_read_all_the_same() {
    let text = "\n<?xml version='1.0'?><!-- a\n-- b -->
<rss><channel><title>]]
]]></title><!-- a -- b --><description>a\u{1}b\u{0}</description><x:a/><x:b/>
<item><title>&#1;]]></title><enclosure url='a'/></item></channel></rss>\n<!-- c --->";
    let mut bytes = text.as_bytes().to_vec();
    bytes.splice(text.len() - 5..text.len() - 5, *b"\xff");
    let found = feed(&bytes);
    let told = found.faults.iter().fold(String::new(), |all, (line, fault)| format!("{all}{line}: {fault}\n"));
    expect![[r#"
        2: there is something before `<?xml`, were it a blank line: feed readers refuse that
        3: `--` in a comment, which XML does not allow: feed readers refuse it
        5: `]]>` in a text, which XML does not allow: feed readers refuse it
        5: the prefix `x` is not declared: feed readers refuse that
        5: the character U+0001, which XML does not allow: feed readers refuse it
        6: a reference to a character that XML does not allow: feed readers refuse it
        7: bytes that are no text in the encoding of the feed: feed readers refuse them
    "#]]
    .assert_eq(&told);
    assert_eq!(found.items.len(), 1);
    with_everything(&bytes);
    expect![[r"
        1: `--` in a comment, which XML does not allow: feed readers refuse it
    "]]
    .assert_eq(&faults("<!-- - - -a-a--->\n<!-- -- --><rss/>"));
    assert_eq!(faults("\u{feff}<?xml version='1.0'?><!---a--><!----><rss>\u{fffd}]]&gt;<![CDATA[--]]]]></rss>"), "");
    let utf16: Vec<u8> = "<rss>\n\u{fffe}\n</rss>".encode_utf16().flat_map(u16::to_le_bytes).collect();
    expect![[r#"Ok([(2, "the character U+FFFE, which XML does not allow: feed readers refuse it")])"#]]
        .assert_eq(&format!("{:?}", read(&mut Cursor::new(utf16)).map(|feed| feed.faults)));
    let japanese = b"<?xml version='1.0' encoding='Shift_JIS'?><rss>\n\x81<a/></rss>";
    expect![[r#"[(2, "bytes that are no text in the encoding of the feed: feed readers refuse them")]"#]]
        .assert_eq(&format!("{:?}", feed(japanese).faults));
}

#[test]
fn links_to_torrents_are_kept_for_who_asks_whosever_they_are() {
    let text = with_everything(
        "<rss xmlns:podcast='https://podcastindex.org/namespace/1.0'><channel><item><enclosure url='a'/>\
         <podcast:alternateEnclosure><podcast:source uri='magnet:?a'/><podcast:source uri='magnet:?b'/>\
         <podcast:source uri='b.torrent'/></podcast:alternateEnclosure>\
         <podcast:alternateEnclosure><podcast:source uri='b.mp3'/></podcast:alternateEnclosure></item></channel></rss>",
    );
    let links = |feed: &Foreign| {
        let link = |link: &TorrentLink| {
            format!("{} {}", link.torrent.as_deref().unwrap_or("-"), link.magnet.as_deref().unwrap_or("-"))
        };
        feed.items[0].links.iter().map(link).collect::<Vec<_>>()
    };
    let read = read_links(&mut Cursor::new(&text)).expect("a feed");
    let ours = "https://a.example.org/torrents/0.torrent magnet:?xt=urn:btih:0&dn=a";
    assert_eq!(links(&read), [ours, "b.torrent magnet:?a"]);
    assert!(links(&feed(&text)).is_empty());
    let fits = |links, bytes| scan(&text[..], Encoding::Utf8, Most { bytes, links, ..Most::OF_A_FEED }).is_ok();
    let least = (1..1 << 14).find(|&bytes| fits(false, bytes)).expect("a small feed");
    assert!(!fits(true, least) && fits(true, least + 1000), "they are counted");
}
