//! Foreign parsers read the feeds, all of them the same.

use everseed::metainfo;
use expect_test::expect;
use serde_json::Value;

use crate::house::House;
use crate::{example, example_with_chapters, node_script, printed, script};

const BASE_URL: &str = "https://tides.example.org/";

#[test]
#[ignore = "needs feedparser, podcastparser and podcast-partytime; .ci/run installs them"]
fn foreign_parsers_read_the_podcast_feed() {
    let house = example();
    house.build().ok();
    let read = read_by_python(&house, "feed.xml");
    assert_eq!(read, read_by_node(&house)[0], "as feedparser and podcast-partytime read it");
    expect![[r#"
        {
          "items": [
            {
              "enclosures": [
                [
                  "https://tides.example.org/media/three-minutes-of-silence.mp3",
                  469910,
                  "audio/mpeg"
                ]
              ],
              "guid": "5a0949fb-c354-58e8-add6-661a566dc813",
              "link": "https://tides.example.org/episodes/three-minutes-of-silence/",
              "published": 1775192400,
              "title": "Three minutes of silence"
            },
            {
              "enclosures": [
                [
                  "https://tides.example.org/media/ep002.mp3",
                  619054,
                  "audio/mpeg"
                ]
              ],
              "guid": "545fd260-4210-5e67-bf0e-5f4e9c2b3728",
              "link": "https://tides.example.org/episodes/ep002/",
              "published": 1773986400,
              "title": "How to read a tide table"
            },
            {
              "enclosures": [
                [
                  "https://tides.example.org/media/ep001.mp3",
                  619472,
                  "audio/mpeg"
                ]
              ],
              "guid": "bc2e8928-4f4c-56f4-aa47-9bc3ff2d2419",
              "link": "https://tides.example.org/episodes/ep001/",
              "published": 1772755200,
              "title": "The lamp at Sallow Point"
            }
          ],
          "link": "https://tides.example.org/",
          "title": "Tide Tables"
        }
    "#]]
    .assert_eq(&format!("{read:#}\n"));
}

#[test]
#[ignore = "needs feedparser, podcastparser and podcast-partytime; .ci/run installs them"]
fn foreign_parsers_find_the_chapters() {
    let house = example_with_chapters();
    house.build().ok();
    let read = read_by_python(&house, "feed.xml");
    let by_node = read_by_node(&house);
    assert_eq!(read, by_node[0], "as feedparser and podcast-partytime read it");
    assert!(by_node[1]["understood"].as_array().expect("a list").contains(&"chapters".into()));
    let items = read["items"].as_array().expect("a list");
    let urls: Vec<_> = items.iter().filter_map(|item| item.get("chapters")?.as_str()).collect();
    assert_eq!(urls, ["https://tides.example.org/episodes/hybrid/chapters.json"]);
    let path = urls[0].strip_prefix(BASE_URL).expect("on the site");
    let chapters: Value =
        serde_json::from_slice(&std::fs::read(house.public().join(path)).expect("read")).expect("JSON");
    expect![[r#"
        {
          "chapters": [
            {
              "startTime": 0,
              "title": "Ebb"
            },
            {
              "startTime": 4.5,
              "title": "Slack water, where nothing moves & nothing is <said>"
            },
            {
              "startTime": 9
            }
          ],
          "version": "1.2.0"
        }
    "#]]
    .assert_eq(&format!("{chapters:#}\n"));
}

/// The torrent and the magnet link of each episode, and the digest that Node makes of the medium itself.
#[test]
#[ignore = "needs podcast-partytime; .ci/run installs it"]
fn the_podcast_feed_leads_to_the_torrents() {
    let house = example();
    house.build().ok();
    let alternates = &read_by_node(&house)[1];
    expect![[r#"
        {
          "alternates": [
            [
              {
                "default": true,
                "integrity_is_right": true,
                "length_is_right": true,
                "others": [
                  "https://tides.example.org/torrents/three-minutes-of-silence.torrent",
                  "magnet:?xt=urn:btih:8dd15d08159c950f41e02d458d6cff381a53189a&dn=three-minutes-of-silence.mp3&xl=469910&tr=https%3A%2F%2Ftides.example.org%2Fannounce&ws=https%3A%2F%2Ftides.example.org%2Fmedia%2Fthree-minutes-of-silence.mp3"
                ],
                "source": "https://tides.example.org/media/three-minutes-of-silence.mp3"
              }
            ],
            [
              {
                "default": true,
                "integrity_is_right": true,
                "length_is_right": true,
                "others": [
                  "https://tides.example.org/torrents/ep002.torrent",
                  "magnet:?xt=urn:btih:75416f9535c57fb9aeed952ec5bcd231deea61ea&dn=ep002.mp3&xl=619054&tr=https%3A%2F%2Ftides.example.org%2Fannounce&ws=https%3A%2F%2Ftides.example.org%2Fmedia%2Fep002.mp3"
                ],
                "source": "https://tides.example.org/media/ep002.mp3"
              }
            ],
            [
              {
                "default": true,
                "integrity_is_right": true,
                "length_is_right": true,
                "others": [
                  "https://tides.example.org/torrents/ep001.torrent",
                  "magnet:?xt=urn:btih:7e87b761dc0bbf0b17098c7b5ce943d26fad5f8b&dn=ep001.mp3&xl=619472&tr=https%3A%2F%2Ftides.example.org%2Fannounce&ws=https%3A%2F%2Ftides.example.org%2Fmedia%2Fep001.mp3"
                ],
                "source": "https://tides.example.org/media/ep001.mp3"
              }
            ]
          ],
          "category": [
            "Science > Nature",
            "Society & Culture > Places & Travel"
          ],
          "explicit": false,
          "guid": "25c2e59b-643c-5b83-8a0b-5043ceda0bbb",
          "understood": [
            "transcript",
            "season",
            "episode",
            "guid",
            "alternateEnclosure"
          ]
        }
    "#]].assert_eq(&format!("{alternates:#}\n"));
}

#[test]
#[ignore = "needs feedparser and podcastparser; .ci/run installs them"]
fn foreign_parsers_read_the_torrent_feed() {
    let house = example();
    house.build().ok();
    let read = read_by_python(&house, "torrents.xml");
    expect![[r#"
        {
          "items": [
            {
              "enclosures": [
                [
                  "https://tides.example.org/torrents/field-recordings.torrent",
                  1019,
                  "application/x-bittorrent"
                ]
              ],
              "guid": "563c64775d4fda59b6f6f06164c28e17428204fb",
              "link": "https://tides.example.org/episodes/field-recordings/",
              "published": 1775779200,
              "title": "Tides of Kettle Bay, January and February 2026"
            },
            {
              "enclosures": [
                [
                  "https://tides.example.org/torrents/three-minutes-of-silence.torrent",
                  649,
                  "application/x-bittorrent"
                ]
              ],
              "guid": "8dd15d08159c950f41e02d458d6cff381a53189a",
              "link": "https://tides.example.org/episodes/three-minutes-of-silence/",
              "published": 1775192400,
              "title": "Three minutes of silence"
            },
            {
              "enclosures": [
                [
                  "https://tides.example.org/torrents/ep002.torrent",
                  671,
                  "application/x-bittorrent"
                ]
              ],
              "guid": "75416f9535c57fb9aeed952ec5bcd231deea61ea",
              "link": "https://tides.example.org/episodes/ep002/",
              "published": 1773986400,
              "title": "How to read a tide table"
            },
            {
              "enclosures": [
                [
                  "https://tides.example.org/torrents/ep001.torrent",
                  671,
                  "application/x-bittorrent"
                ]
              ],
              "guid": "7e87b761dc0bbf0b17098c7b5ce943d26fad5f8b",
              "link": "https://tides.example.org/episodes/ep001/",
              "published": 1772755200,
              "title": "The lamp at Sallow Point"
            }
          ],
          "link": "https://tides.example.org/",
          "title": "Tide Tables"
        }
    "#]]
    .assert_eq(&format!("{read:#}\n"));

    for item in read["items"].as_array().expect("a list") {
        let [enclosure] = &item["enclosures"].as_array().expect("a list")[..] else { panic!("one enclosure: {item}") };
        let path = enclosure[0].as_str().and_then(|url| url.strip_prefix(BASE_URL)).expect("on the site");
        let bytes = std::fs::read(house.public().join(path)).expect("the torrent");
        assert_eq!(enclosure[1], bytes.len());
        assert_eq!(item["guid"], metainfo::parse(bytes).expect("a torrent").info_hashes.main().to_string());
    }
}

/// What feedparser and podcastparser read, which is the same.
fn read_by_python(house: &House, feed: &str) -> Value {
    let mut command = script("feeds.py");
    command.arg(house.public().join(feed));
    let [first, second] = &objects(&printed(command))[..] else { panic!("an object from each") };
    assert_eq!(first, second, "as feedparser and podcastparser read it");
    first.clone()
}

/// What podcast-partytime reads: first what others read too, then what it alone does.
fn read_by_node(house: &House) -> Vec<Value> {
    let mut command = node_script("feeds.cjs");
    command.arg(house.public()).arg(BASE_URL);
    objects(&printed(command))
}

fn objects(lines: &str) -> Vec<Value> {
    lines.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect()
}
