//! Feeds that are hard to amend, before and after.

use expect_test::expect;

use super::testing::{amended, everything, feed, summary, text_with_everything, with_everything, without_ours};
use super::{Amendment, ItemAmendment};

const PLAIN: &str = "\
<?xml version=\"1.0\" encoding=\"utf-8\"?>
<rss version=\"2.0\">
  <channel>
    <title>A show</title>
    <link>https://example.org/</link>
    <item>
      <title>One</title>
      <enclosure url=\"https://example.org/1.mp3?a=1&amp;b=2\" length=\"0\" type=\"audio/mpeg\"/>
      <guid>1</guid>
    </item>
  </channel>
</rss>
";

#[test]
fn a_plain_feed() {
    expect![[r#"
        <?xml version="1.0" encoding="utf-8"?>
        <rss xmlns:atom="http://www.w3.org/2005/Atom" xmlns:podcast="https://podcastindex.org/namespace/1.0" version="2.0">
          <channel>
            <title>A show</title>
            <link>https://example.org/</link>
            <!-- everseed --><atom:link rel="alternate" type="application/rss+xml" title="Torrents" href="https://a.example.org/torrents.xml"/>
            <item>
              <title>One</title>
              <enclosure url="https://example.org/1.mp3?a=1&amp;b=2" length="0" type="audio/mpeg"/>
              <!-- everseed --><podcast:alternateEnclosure type="audio/mpeg" length="1000" bitrate="64000" default="true" title="Standard">
                <podcast:source uri="https://example.org/1.mp3?a=1&amp;b=2"/>
                <podcast:source uri="https://a.example.org/torrents/0.torrent" contentType="application/x-bittorrent"/>
                <podcast:source uri="magnet:?xt=urn:btih:0&amp;dn=a" contentType="application/x-bittorrent"/>
                <podcast:integrity type="sri" value="sha384-AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"/>
              </podcast:alternateEnclosure>
              <guid>1</guid>
            </item>
          </channel>
        </rss>
    "#]].assert_eq(&text_with_everything(PLAIN));
}

#[test]
fn lengths_and_durations_are_mended_where_they_are() {
    let mended = amended(PLAIN.replace(" length=\"0\"", ""), |_| Amendment {
        torrents_feed: None,
        items: vec![ItemAmendment { alternates: vec![None], lengths: vec![Some(1234)], duration_secs: Some(62) }],
    });
    expect![[r#"
        <?xml version="1.0" encoding="utf-8"?>
        <rss xmlns:itunes="http://www.itunes.com/dtds/podcast-1.0.dtd" version="2.0">
          <channel>
            <title>A show</title>
            <link>https://example.org/</link>
            <item>
              <title>One</title>
              <itunes:duration>62</itunes:duration>
              <enclosure url="https://example.org/1.mp3?a=1&amp;b=2" length="1234" type="audio/mpeg"/>
              <guid>1</guid>
            </item>
          </channel>
        </rss>
    "#]]
    .assert_eq(&String::from_utf8(mended).expect("UTF-8"));
    let mended = amended(PLAIN, |feed| Amendment {
        items: vec![ItemAmendment {
            lengths: vec![Some(1234)],
            duration_secs: Some(62),
            ..everything(feed, "https://a.example.org/").items.remove(0)
        }],
        ..Amendment::default()
    });
    expect![[r#"
        <?xml version="1.0" encoding="utf-8"?>
        <rss xmlns:itunes="http://www.itunes.com/dtds/podcast-1.0.dtd" xmlns:podcast="https://podcastindex.org/namespace/1.0" version="2.0">
          <channel>
            <title>A show</title>
            <link>https://example.org/</link>
            <item>
              <title>One</title>
              <itunes:duration>62</itunes:duration>
              <enclosure url="https://example.org/1.mp3?a=1&amp;b=2" length="1234" type="audio/mpeg"/>
              <!-- everseed --><podcast:alternateEnclosure type="audio/mpeg" length="1000" bitrate="64000" default="true" title="Standard">
                <podcast:source uri="https://example.org/1.mp3?a=1&amp;b=2"/>
                <podcast:source uri="https://a.example.org/torrents/0.torrent" contentType="application/x-bittorrent"/>
                <podcast:source uri="magnet:?xt=urn:btih:0&amp;dn=a" contentType="application/x-bittorrent"/>
                <podcast:integrity type="sri" value="sha384-AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"/>
              </podcast:alternateEnclosure>
              <guid>1</guid>
            </item>
          </channel>
        </rss>
    "#]].assert_eq(&String::from_utf8(mended).expect("UTF-8"));
}

#[test]
fn a_minified_feed() {
    expect![[r#"<rss xmlns:atom="http://www.w3.org/2005/Atom" xmlns:podcast="https://podcastindex.org/namespace/1.0"><channel><!-- everseed --><atom:link rel="alternate" type="application/rss+xml" title="Torrents" href="https://a.example.org/torrents.xml"/><item><enclosure url='a'/><!-- everseed --><podcast:alternateEnclosure type="audio/mpeg" length="1000" bitrate="64000" default="true" title="Standard"><podcast:source uri="a"/><podcast:source uri="https://a.example.org/torrents/0.torrent" contentType="application/x-bittorrent"/><podcast:source uri="magnet:?xt=urn:btih:0&amp;dn=a" contentType="application/x-bittorrent"/><podcast:integrity type="sri" value="sha384-AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"/></podcast:alternateEnclosure><enclosure url='b'></enclosure><!-- everseed --><podcast:alternateEnclosure type="audio/mpeg" length="1001"><podcast:source uri="b"/><podcast:source uri="https://a.example.org/torrents/1.torrent" contentType="application/x-bittorrent"/><podcast:source uri="magnet:?xt=urn:btih:1&amp;dn=a" contentType="application/x-bittorrent"/></podcast:alternateEnclosure></item></channel></rss>"#]].assert_eq(&text_with_everything(
        "<rss><channel><item><enclosure url='a'/><enclosure url='b'></enclosure></item></channel></rss>",
    ));
}

#[test]
fn tabs_and_crlf() {
    let text = "<rss xmlns:atom=\"http://www.w3.org/2005/Atom\">\r\n\t<channel>\r\n\t\t<atom:link href='f' rel='self'/>\r\n\t\t<item>\r\n\
        \t\t\t<enclosure\r\n\t\t\t\turl=\"a\"\r\n\t\t\t\tlength=\"5\"\r\n\t\t\t/>\r\n\t\t</item>\r\n\t</channel>\r\n</rss>";
    expect![[r#"
        <rss xmlns:podcast="https://podcastindex.org/namespace/1.0" xmlns:atom="http://www.w3.org/2005/Atom">^
        	<channel>^
        		<atom:link href='f' rel='self'/>^
        		<!-- everseed --><atom:link rel="alternate" type="application/rss+xml" title="Torrents" href="https://a.example.org/torrents.xml"/>^
        		<item>^
        			<enclosure^
        				url="a"^
        				length="5"^
        			/>^
        			<!-- everseed --><podcast:alternateEnclosure type="audio/mpeg" length="1000" bitrate="64000" default="true" title="Standard">^
        				<podcast:source uri="a"/>^
        				<podcast:source uri="https://a.example.org/torrents/0.torrent" contentType="application/x-bittorrent"/>^
        				<podcast:source uri="magnet:?xt=urn:btih:0&amp;dn=a" contentType="application/x-bittorrent"/>^
        				<podcast:integrity type="sri" value="sha384-AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"/>^
        			</podcast:alternateEnclosure>^
        		</item>^
        	</channel>^
        </rss>"#]].assert_eq(&text_with_everything(text).replace('\r', "^"));
}

#[test]
fn prefixes_that_are_bound_otherwise() {
    expect![[r#"
        <rss xmlns:podcast1="https://podcastindex.org/namespace/1.0" xmlns:podcast="https://example.org/other" xmlns:a="http://www.w3.org/2005/Atom">
         <channel>
          <item xmlns:p="https://github.com/Podcastindex-org/podcast-namespace/blob/main/docs/1.0.md">
           <enclosure url="a"/>
           <!-- everseed --><p:alternateEnclosure type="audio/mpeg" length="1000" bitrate="64000" default="true" title="Standard">
            <p:source uri="a"/>
            <p:source uri="https://a.example.org/torrents/0.torrent" contentType="application/x-bittorrent"/>
            <p:source uri="magnet:?xt=urn:btih:0&amp;dn=a" contentType="application/x-bittorrent"/>
            <p:integrity type="sri" value="sha384-AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"/>
           </p:alternateEnclosure>
          </item>
          <item>
           <enclosure url="b"/>
           <!-- everseed --><podcast1:alternateEnclosure type="audio/mpeg" length="1001" default="true" title="Standard">
            <podcast1:source uri="b"/>
            <podcast1:source uri="https://a.example.org/torrents/1.torrent" contentType="application/x-bittorrent"/>
            <podcast1:source uri="magnet:?xt=urn:btih:1&amp;dn=a" contentType="application/x-bittorrent"/>
           </podcast1:alternateEnclosure>
           <podcast:alternateEnclosure default="true"/>
          </item>
          <item xmlns:a="https://podcastindex.org/namespace/1.0">
           <enclosure url="c"/>
           <!-- everseed --><a:alternateEnclosure type="audio/mpeg" length="1002" bitrate="64000">
            <a:source uri="c"/>
            <a:source uri="https://a.example.org/torrents/2.torrent" contentType="application/x-bittorrent"/>
            <a:source uri="magnet:?xt=urn:btih:2&amp;dn=a" contentType="application/x-bittorrent"/>
           </a:alternateEnclosure>
           <a:alternateEnclosure default="true" type="audio/opus"/>
          </item>
          <title>Late</title>
          <!-- everseed --><a:link rel="alternate" type="application/rss+xml" title="Torrents" href="https://a.example.org/torrents.xml"/>
          <item xmlns:atom="https://example.org/other"/>
         </channel>
        </rss>"#]].assert_eq(&text_with_everything(
        r#"<rss xmlns:podcast="https://example.org/other" xmlns:a="http://www.w3.org/2005/Atom">
 <channel>
  <item xmlns:p="https://github.com/Podcastindex-org/podcast-namespace/blob/main/docs/1.0.md">
   <enclosure url="a"/>
  </item>
  <item>
   <enclosure url="b"/>
   <podcast:alternateEnclosure default="true"/>
  </item>
  <item xmlns:a="https://podcastindex.org/namespace/1.0">
   <enclosure url="c"/>
   <a:alternateEnclosure default="true" type="audio/opus"/>
  </item>
  <title>Late</title>
  <item xmlns:atom="https://example.org/other"/>
 </channel>
</rss>"#,
    ));
}

#[test]
fn a_prefix_that_is_hidden_by_an_inner_one() {
    expect![[r#"
        <rss xmlns:atom="http://www.w3.org/2005/Atom" xmlns:podcast="https://podcastindex.org/namespace/1.0" xmlns:pc="https://podcastindex.org/namespace/1.0"><channel>
          <!-- everseed --><atom:link rel="alternate" type="application/rss+xml" title="Torrents" href="https://a.example.org/torrents.xml"/>
          <item><enclosure url="a"/><!-- everseed --><pc:alternateEnclosure type="audio/mpeg" length="1000" bitrate="64000" default="true" title="Standard"><pc:source uri="a"/><pc:source uri="https://a.example.org/torrents/0.torrent" contentType="application/x-bittorrent"/><pc:source uri="magnet:?xt=urn:btih:0&amp;dn=a" contentType="application/x-bittorrent"/><pc:integrity type="sri" value="sha384-AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"/></pc:alternateEnclosure></item>
          <item xmlns:pc="https://example.org/other"><enclosure url="b"/><!-- everseed --><podcast:alternateEnclosure type="audio/mpeg" length="1001" default="true" title="Standard"><podcast:source uri="b"/><podcast:source uri="https://a.example.org/torrents/1.torrent" contentType="application/x-bittorrent"/><podcast:source uri="magnet:?xt=urn:btih:1&amp;dn=a" contentType="application/x-bittorrent"/></podcast:alternateEnclosure></item>
        </channel></rss>"#]].assert_eq(&text_with_everything(
        r#"<rss xmlns:pc="https://podcastindex.org/namespace/1.0"><channel>
  <item><enclosure url="a"/></item>
  <item xmlns:pc="https://example.org/other"><enclosure url="b"/></item>
</channel></rss>"#,
    ));
}

#[test]
fn markup_that_only_looks_like_some() {
    expect![[r#"
        <!DOCTYPE rss [ <!ENTITY e "<enclosure url='no'/>"> <!-- <rss> > --> ]>
        <!-- <rss><channel><item><enclosure url="no"/></item></channel></rss> -->
        <rss xmlns:atom="http://www.w3.org/2005/Atom" xmlns:podcast="https://podcastindex.org/namespace/1.0" version="2.0" xmlns:content="http://purl.org/rss/1.0/modules/content/"><?enclosure url="no"?>
          <channel><!-- everseed --><atom:link rel="alternate" type="application/rss+xml" title="Torrents" href="https://a.example.org/torrents.xml"/><!-- everseed --><!-- everseed -->
            <description>&e; &lt;enclosure url="no"/&gt;</description>
            <item>
              <description><![CDATA[<!-- everseed --><podcast:alternateEnclosure/> <enclosure url="no"/>]]></description>
              <content:encoded>&lt;enclosure url="no"/&gt; &e;</content:encoded>
              <enclosure other="!-- everseed -->" url='yes>"'><!-- everseed --></enclosure>
              <!-- everseed --><podcast:alternateEnclosure type="audio/mpeg" length="1000" bitrate="64000" default="true" title="Standard">
                <podcast:source uri="yes&gt;&quot;"/>
                <podcast:source uri="https://a.example.org/torrents/0.torrent" contentType="application/x-bittorrent"/>
                <podcast:source uri="magnet:?xt=urn:btih:0&amp;dn=a" contentType="application/x-bittorrent"/>
                <podcast:integrity type="sri" value="sha384-AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"/>
              </podcast:alternateEnclosure><!-- everseed -->
              <x:group xmlns:x="urn:x"><enclosure url="no"/><x:enclosure url="no"/></x:group>
            </item>
            <enclosure url="no"/>
          </channel>
        </rss>"#]].assert_eq(&text_with_everything(
        r#"<!DOCTYPE rss [ <!ENTITY e "<enclosure url='no'/>"> <!-- <rss> > --> ]>
<!-- <rss><channel><item><enclosure url="no"/></item></channel></rss> -->
<rss version="2.0" xmlns:content="http://purl.org/rss/1.0/modules/content/"><?enclosure url="no"?>
  <channel><!-- everseed --><!-- everseed -->
    <description>&e; &lt;enclosure url="no"/&gt;</description>
    <item>
      <description><![CDATA[<!-- everseed --><podcast:alternateEnclosure/> <enclosure url="no"/>]]></description>
      <content:encoded>&lt;enclosure url="no"/&gt; &e;</content:encoded>
      <enclosure other="!-- everseed -->" url='yes>"'><!-- everseed --></enclosure><!-- everseed -->
      <x:group xmlns:x="urn:x"><enclosure url="no"/><x:enclosure url="no"/></x:group>
    </item>
    <enclosure url="no"/>
  </channel>
</rss>"#,
    ));
}

#[test]
fn an_atom_feed_with_and_without_a_prefix() {
    let plain = r#"<feed xmlns="http://www.w3.org/2005/Atom" xml:lang="de">
  <title type="html">A &lt;b>show&lt;/b></title>
  <link rel="self" href="https://example.org/feed"/>
  <entry>
    <title>One</title><id>urn:1</id>
    <link href="https://example.org/1"/>
    <link rel="enclosure" href="https://example.org/1.mp3" type="audio/mpeg" title="One"/>
    <updated>2026-05-01T06:00:00Z</updated>
    <summary type="xhtml"><div xmlns="http://www.w3.org/1999/xhtml">Some <p>words</p><link rel="enclosure" href="no"/></div></summary>
  </entry>
</feed>
"#;
    expect![[r#"
        <feed xmlns:podcast="https://podcastindex.org/namespace/1.0" xmlns="http://www.w3.org/2005/Atom" xml:lang="de">
          <title type="html">A &lt;b>show&lt;/b></title>
          <link rel="self" href="https://example.org/feed"/>
          <!-- everseed --><link rel="related" type="application/rss+xml" title="Torrents" href="https://a.example.org/torrents.xml"/>
          <entry>
            <title>One</title><id>urn:1</id>
            <link href="https://example.org/1"/>
            <link rel="enclosure" href="https://example.org/1.mp3" type="audio/mpeg" title="One"/>
            <!-- everseed --><podcast:alternateEnclosure type="audio/mpeg" length="1000" bitrate="64000" default="true" title="Standard">
              <podcast:source uri="https://example.org/1.mp3"/>
              <podcast:source uri="https://a.example.org/torrents/0.torrent" contentType="application/x-bittorrent"/>
              <podcast:source uri="magnet:?xt=urn:btih:0&amp;dn=a" contentType="application/x-bittorrent"/>
              <podcast:integrity type="sri" value="sha384-AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"/>
            </podcast:alternateEnclosure>
            <updated>2026-05-01T06:00:00Z</updated>
            <summary type="xhtml"><div xmlns="http://www.w3.org/1999/xhtml">Some <p>words</p><link rel="enclosure" href="no"/></div></summary>
          </entry>
        </feed>
    "#]].assert_eq(&text_with_everything(plain));
    expect![[r#"
        Atom "A show" link None self Some("https://example.org/feed")
        language Some("de") description ""
        4: "One" link Some("https://example.org/1") guid Some("urn:1")
          date Some(2026-05-01 6:00:00.0 +00:00:00) duration (false, None) description "Some words"
          7: "https://example.org/1.mp3" None Some("audio/mpeg")"#]]
    .assert_eq(&summary(plain));
    expect![[r#"<a:feed xmlns:podcast="https://podcastindex.org/namespace/1.0" xmlns:a='http://www.w3.org/2005/Atom'><!-- everseed --><a:link rel="related" type="application/rss+xml" title="Torrents" href="https://a.example.org/torrents.xml"/><a:entry><a:link rel='enclosure' href='x'/><!-- everseed --><podcast:alternateEnclosure type="audio/mpeg" length="1000" bitrate="64000" default="true" title="Standard"><podcast:source uri="x"/><podcast:source uri="https://a.example.org/torrents/0.torrent" contentType="application/x-bittorrent"/><podcast:source uri="magnet:?xt=urn:btih:0&amp;dn=a" contentType="application/x-bittorrent"/><podcast:integrity type="sri" value="sha384-AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"/></podcast:alternateEnclosure></a:entry></a:feed>"#]].assert_eq(&text_with_everything(
        "<a:feed xmlns:a='http://www.w3.org/2005/Atom'><a:entry><a:link rel='enclosure' href='x'/></a:entry></a:feed>",
    ));
}

#[test]
fn elements_in_any_order_and_texts_between_them() {
    expect![[r#"
        <rss xmlns:atom="http://www.w3.org/2005/Atom" xmlns:podcast="https://podcastindex.org/namespace/1.0"><channel>
          <item>
            text<enclosure url="a"/><!-- everseed --><podcast:alternateEnclosure type="audio/mpeg" length="1000" bitrate="64000" default="true" title="Standard"><podcast:source uri="a"/><podcast:source uri="https://a.example.org/torrents/0.torrent" contentType="application/x-bittorrent"/><podcast:source uri="magnet:?xt=urn:btih:0&amp;dn=a" contentType="application/x-bittorrent"/><podcast:integrity type="sri" value="sha384-AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"/></podcast:alternateEnclosure>more
            <enclosure length="1" url="b"/>
            <!-- everseed --><podcast:alternateEnclosure type="audio/mpeg" length="1001">
              <podcast:source uri="b"/>
              <podcast:source uri="https://a.example.org/torrents/1.torrent" contentType="application/x-bittorrent"/>
              <podcast:source uri="magnet:?xt=urn:btih:1&amp;dn=a" contentType="application/x-bittorrent"/>
            </podcast:alternateEnclosure>&amp;<title>Last</title>
          </item>
          <item><title>None</title></item>
          <link>https://example.org/</link>
          <!-- everseed --><atom:link rel="alternate" type="application/rss+xml" title="Torrents" href="https://a.example.org/torrents.xml"/>
          <title>A show</title>
        </channel></rss>"#]].assert_eq(&text_with_everything(
        "<rss><channel>
  <item>
    text<enclosure url=\"a\"/>more
    <enclosure length=\"1\" url=\"b\"/>&amp;<title>Last</title>
  </item>
  <item><title>None</title></item>
  <link>https://example.org/</link>
  <title>A show</title>
</channel></rss>",
    ));
}

#[test]
fn a_mark_at_the_beginning_stays() {
    let feed = format!("\u{feff}{PLAIN}");
    let text = text_with_everything(&feed);
    assert_eq!(text.strip_prefix('\u{feff}'), Some(&*text_with_everything(PLAIN)));
}

#[test]
fn a_default_namespace_of_rss_is_that_of_its_elements() {
    expect![[r#"
        <rss xmlns:atom="http://www.w3.org/2005/Atom" xmlns:podcast="https://podcastindex.org/namespace/1.0" xmlns='http://backend.userland.com/rss2'><channel><title>A show</title><!-- everseed --><atom:link rel="alternate" type="application/rss+xml" title="Torrents" href="https://a.example.org/torrents.xml"/><m:title xmlns:m='urn:m'>no</m:title><item>
          <enclosure url='a'/>
          <!-- everseed --><podcast:alternateEnclosure type="audio/mpeg" length="1000" bitrate="64000" default="true" title="Standard">
            <podcast:source uri="a"/>
            <podcast:source uri="https://a.example.org/torrents/0.torrent" contentType="application/x-bittorrent"/>
            <podcast:source uri="magnet:?xt=urn:btih:0&amp;dn=a" contentType="application/x-bittorrent"/>
            <podcast:integrity type="sri" value="sha384-AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"/>
          </podcast:alternateEnclosure><enclosure url='no' xmlns=''/></item></channel></rss>"#]].assert_eq(&text_with_everything(
        "<rss xmlns='http://backend.userland.com/rss2'><channel><title>A show</title><m:title xmlns:m='urn:m'>no</m:title><item>
  <enclosure url='a'/><enclosure url='no' xmlns=''/></item></channel></rss>",
    ));
}

#[test]
fn addresses_that_are_not_ascii_are_written_as_ascii() {
    let text = "<rss><channel><item><enclosure url=' https://example.org/\u{e9}\u{1f600}&#x20;&quot;&lt;.mp3\n'/></item></channel></rss>";
    let text = text_with_everything(text);
    let source = text.split("<podcast:source uri=").nth(1).expect("a source");
    assert!(source.starts_with("\"https://example.org/&#xE9;&#x1F600; &quot;&lt;.mp3\"/>"), "{source}");
}

#[test]
fn every_encoding_keeps_its_bytes() {
    let with = |label: &str| {
        PLAIN.replace("utf-8", label).replace("A show", "Caf\u{e9} \u{20ac}").replace("One", "\u{fc}\u{fc} \u{e9}")
    };
    for label in ["iso-8859-15", "windows-1252", "gb18030", "utf-8"] {
        let encoding = encoding_rs::Encoding::for_label(label.as_bytes()).expect("a label");
        let encode = |text: &str| encoding.encode(text).0.into_owned();
        let found = with_everything(encode(&with(label)));
        assert_eq!(found, encode(&text_with_everything(&with(label).replace(label, "utf-8")).replace("utf-8", label)));
        let read = feed(&found);
        assert_eq!((&*read.title, &*read.items[0].title), ("Caf\u{e9} \u{20ac}", "\u{fc}\u{fc} \u{e9}"), "{label}");
    }
    let text = with("utf-16");
    for (mark, encode) in [("", u16::to_le_bytes as fn(u16) -> [u8; 2]), ("\u{feff}", u16::to_be_bytes)] {
        let encode = |text: &str| format!("{mark}{text}").encode_utf16().flat_map(encode).collect::<Vec<u8>>();
        let expected = text_with_everything(&text.replace("utf-16", "utf-8")).replace("utf-8", "utf-16");
        assert_eq!(with_everything(encode(&text)), encode(&expected));
    }
}

#[test]
fn trail_bytes_that_look_like_markup() {
    // The second byte of these is `\`, `|` and `[`.
    let (bytes, ..) = encoding_rs::SHIFT_JIS.encode(
        "<?xml version='1.0' encoding='Shift_JIS'?><rss><channel><title>\u{8868}\u{30dd}\u{30bc}</title><item><title>\u{30bd}</title>\
         <enclosure url='a'/></item></channel></rss>",
    );
    let found = with_everything(&*bytes);
    expect![[r#"<?xml version='1.0' encoding='Shift_JIS'?><rss xmlns:atom="http://www.w3.org/2005/Atom" xmlns:podcast="https://podcastindex.org/namespace/1.0"><channel><title>表ポゼ</title><!-- everseed --><atom:link rel="alternate" type="application/rss+xml" title="Torrents" href="https://a.example.org/torrents.xml"/><item><title>ソ</title><enclosure url='a'/><!-- everseed --><podcast:alternateEnclosure type="audio/mpeg" length="1000" bitrate="64000" default="true" title="Standard"><podcast:source uri="a"/><podcast:source uri="https://a.example.org/torrents/0.torrent" contentType="application/x-bittorrent"/><podcast:source uri="magnet:?xt=urn:btih:0&amp;dn=a" contentType="application/x-bittorrent"/><podcast:integrity type="sri" value="sha384-AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"/></podcast:alternateEnclosure></item></channel></rss>"#]].assert_eq(&encoding_rs::SHIFT_JIS.decode(&found).0);
    assert_eq!((&*feed(&found).title, &*feed(&found).items[0].title), ("\u{8868}\u{30dd}\u{30bc}", "\u{30bd}"));
}

#[test]
fn what_is_ours_goes_from_wherever_it_stands() {
    let text =
        "<rss xmlns:p=\"https://podcastindex.org/namespace/1.0\" xmlns:a=\"http://www.w3.org/2005/Atom\"><channel>
  <!-- everseed --><a:link rel=\"alternate\" title=\"Torrents\" href=\"x\"/>
  <!-- everseed --><a:link title=\"Torrents\" rel=\"related\"/>
  <!-- everseed --><a:link title=\"Torrents\" href=\"mine\"/>
  <!-- everseed --><a:link rel=\"alternate\" href=\"mine\"/>
  <title>A show</title>
  <!-- everseed --><a:link rel=\"self\" href=\"x\"/>
  <item>
    <!-- everseed --><p:alternateEnclosure><p:source contentType=\"application/x-bittorrent\"/></p:alternateEnclosure>
    <title>Without an enclosure</title>
    text   <!-- everseed -->
    <p:alternateEnclosure><p:source contentType=\"application/x-bittorrent\"/></p:alternateEnclosure><!-- everseed --><p:alternateEnclosure default=\"true\"><p:source contentType=\"application/x-bittorrent\"/></p:alternateEnclosure>
    <!-- everseed --><p:transcript/>
    <!-- everseed -->text<p:alternateEnclosure/>
  </item>
  <item>
    <enclosure url=\"a\"/>
    <!-- somebody else --><p:alternateEnclosure default=\"true\"/>
    <!-- everseed --><p:alternateEnclosure default=\"true\"><p:source contentType=\"application/x-bittorrent\"/></p:alternateEnclosure>
    <!-- everseed --><p:alternateEnclosure><p:source uri=\"mine.opus\"/></p:alternateEnclosure>
  </item>
</channel></rss>";
    expect![[r#"
        <rss xmlns:p="https://podcastindex.org/namespace/1.0" xmlns:a="http://www.w3.org/2005/Atom"><channel>
          <!-- everseed --><a:link title="Torrents" href="mine"/>
          <!-- everseed --><a:link rel="alternate" href="mine"/>
          <title>A show</title>
          <!-- everseed --><a:link rel="self" href="x"/>
          <item>
            <title>Without an enclosure</title>
            text   
            <!-- everseed --><p:transcript/>
            <!-- everseed -->text<p:alternateEnclosure/>
          </item>
          <item>
            <enclosure url="a"/>
            <!-- somebody else --><p:alternateEnclosure default="true"/>
            <!-- everseed --><p:alternateEnclosure><p:source uri="mine.opus"/></p:alternateEnclosure>
          </item>
        </channel></rss>"#]]
    .assert_eq(&String::from_utf8(without_ours(text)).expect("UTF-8"));
    expect![[r#"
        <rss xmlns:p="https://podcastindex.org/namespace/1.0" xmlns:a="http://www.w3.org/2005/Atom"><channel>
          <!-- everseed --><a:link title="Torrents" href="mine"/>
          <!-- everseed --><a:link rel="alternate" href="mine"/>
          <title>A show</title>
          <!-- everseed --><a:link rel="self" href="x"/><!-- everseed --><a:link rel="alternate" type="application/rss+xml" title="Torrents" href="https://a.example.org/torrents.xml"/>
          <item>
            <title>Without an enclosure</title>
            text   
            <!-- everseed --><p:transcript/>
            <!-- everseed -->text<p:alternateEnclosure/>
          </item>
          <item>
            <enclosure url="a"/>
            <!-- everseed --><p:alternateEnclosure type="audio/mpeg" length="1000" bitrate="64000">
              <p:source uri="a"/>
              <p:source uri="https://a.example.org/torrents/0.torrent" contentType="application/x-bittorrent"/>
              <p:source uri="magnet:?xt=urn:btih:0&amp;dn=a" contentType="application/x-bittorrent"/>
              <p:integrity type="sri" value="sha384-AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"/>
            </p:alternateEnclosure>
            <!-- somebody else --><p:alternateEnclosure default="true"/>
            <!-- everseed --><p:alternateEnclosure><p:source uri="mine.opus"/></p:alternateEnclosure>
          </item>
        </channel></rss>"#]].assert_eq(&text_with_everything(text));
}

#[test]
fn a_channel_without_anything_and_none() {
    expect![[r#"
        <rss xmlns:atom="http://www.w3.org/2005/Atom"><channel>
        	<!-- everseed --><atom:link rel="alternate" type="application/rss+xml" title="Torrents" href="https://a.example.org/torrents.xml"/>
        	<item/>
        </channel></rss>"#]].assert_eq(&text_with_everything("<rss><channel>\n\t<item/>\n</channel></rss>"));
    expect![[r#"

        <rss  version='2.0'><channel/></rss>
        <!-- end -->"#]]
    .assert_eq(&text_with_everything("\n<rss  version='2.0'><channel/></rss>\n<!-- end -->"));
    expect!["<rss/>"].assert_eq(&text_with_everything("<rss/>"));
}
