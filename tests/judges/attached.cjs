// Tells what readers of podcast feeds make of a feed of RSS: attached.cjs FEED MEDIA
//
// Prints the feed as feeds.py does, as podcast-partytime and feedsmith read it, then the alternate enclosures of its
// items as both read them, where the digest of the file of that name below MEDIA has been compared with theirs.
"use strict";

const { createHash } = require("node:crypto");
const { readFileSync } = require("node:fs");
const { basename, join } = require("node:path");
const { parseFeed } = require("podcast-partytime");
const { parseRssFeed } = require("feedsmith");

const [path, media] = process.argv.slice(2);
const text = readFileSync(path, "utf8");
const party = parseFeed(text);
const smith = parseRssFeed(text);

const seconds = (date) => new Date(date).getTime() / 1000;

const of_partytime = {
  title: party.title,
  link: party.link,
  items: party.items.map((item) => ({
    title: item.title,
    guid: item.guid,
    published: seconds(item.pubDate),
    link: item.link,
    enclosures: [[item.enclosure.url, item.enclosure.length, item.enclosure.type]],
  })),
};

const of_feedsmith = {
  title: smith.title,
  link: smith.link,
  items: smith.items.map((item) => ({
    title: item.title,
    guid: item.guid.value,
    published: seconds(item.pubDate),
    link: item.link,
    enclosures: item.enclosures.map((file) => [file.url, file.length, file.type]),
  })),
};

function alternate(enclosure, sources) {
  const bytes = readFileSync(join(media, basename(sources[0].uri)));
  const digest = createHash("sha384").update(bytes).digest("base64");
  return {
    type: enclosure.type,
    length: enclosure.length,
    title: enclosure.title,
    default: enclosure.default,
    // A source without a type has that of the enclosure.
    sources: sources.map((source) => [source.uri, source.contentType ?? enclosure.type]),
    integrity_is_right: enclosure.integrity?.type === "sri" && enclosure.integrity.value === `sha384-${digest}`,
  };
}

const by_partytime = party.items.map((item) =>
  (item.alternativeEnclosures ?? []).map((one) => alternate(one, one.source)),
);
const by_feedsmith = smith.items.map((item) =>
  (item.podcast?.alternateEnclosures ?? []).map((one) => alternate(one, one.sources)),
);

for (const read of [of_partytime, of_feedsmith, by_partytime, by_feedsmith]) {
  console.log(JSON.stringify(read));
}
