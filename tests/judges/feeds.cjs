// Tells what podcast-partytime, the reader of the Podcast Index, makes of a podcast feed: feeds.cjs SITE BASE_URL
//
// Prints the feed as feeds.py does, then its alternate enclosures, where the digest of the file that each names has
// been compared with its `podcast:integrity`.
"use strict";

const { createHash } = require("node:crypto");
const { readFileSync } = require("node:fs");
const { join } = require("node:path");
const { parseFeed } = require("podcast-partytime");

const [site, base] = process.argv.slice(2);
const feed = parseFeed(readFileSync(join(site, "feed.xml"), "utf8"));

function alternate(enclosure) {
  const [first, ...others] = enclosure.source.map((source) => source.uri);
  const bytes = readFileSync(join(site, decodeURIComponent(first.slice(base.length))));
  const digest = createHash("sha384").update(bytes).digest("base64");
  return {
    source: first,
    others,
    default: enclosure.default,
    length_is_right: enclosure.length === bytes.length,
    integrity_is_right: enclosure.integrity.type === "sri" && enclosure.integrity.value === `sha384-${digest}`,
  };
}

console.log(
  JSON.stringify({
    title: feed.title,
    link: feed.link,
    items: feed.items.map((item) => ({
      title: item.title,
      guid: item.guid,
      published: item.pubDate.getTime() / 1000,
      link: item.link,
      enclosures: [[item.enclosure.url, item.enclosure.length, item.enclosure.type]],
      chapters: item.podcastChapters?.type === "application/json+chapters" ? item.podcastChapters.url : undefined,
    })),
  }),
);
console.log(
  JSON.stringify({
    guid: feed.guid,
    explicit: feed.explicit,
    category: feed.itunesCategory,
    understood: Object.values(feed.pc20support).flat(),
    alternates: feed.items.map((item) => item.alternativeEnclosures.map(alternate)),
  }),
);
