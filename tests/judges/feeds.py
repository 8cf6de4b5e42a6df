"""Tells what feedparser and podcastparser read in a feed: a JSON object from each, in that order."""

import calendar
import io
import json
import sys

import feedparser
import podcastparser


def chapters(url):
    return {"chapters": url} if url else {}


def of_feedparser(path):
    feed = feedparser.parse(path)
    if feed.bozo or feed.version not in ("rss20", "atom10"):
        raise SystemExit(f"feedparser takes it for {feed.version!r}: {feed.get('bozo_exception')}")
    return {
        "title": feed.feed.title,
        "link": feed.feed.link,
        "items": [
            {
                "title": entry.title,
                "guid": entry.id,
                "published": calendar.timegm(entry.get("published_parsed") or entry.updated_parsed),
                "link": entry.link,
                "enclosures": [[file.href, int(file.length), file.type] for file in entry.enclosures],
                **chapters(entry.get("podcast_chapters", {}).get("url")),
            }
            for entry in feed.entries
        ],
    }


def of_podcastparser(path):
    # It knows the podcast namespace by its former name alone.
    former = b"https://github.com/Podcastindex-org/podcast-namespace/blob/main/docs/1.0.md"
    with open(path, "rb") as stream:
        feed = stream.read().replace(b"https://podcastindex.org/namespace/1.0", former)
    feed = podcastparser.parse("https://show.example.org/feed.xml", io.BytesIO(feed))
    return {
        "title": feed["title"],
        "link": feed["link"],
        "items": [
            {
                "title": episode["title"],
                "guid": episode["guid"],
                "published": episode["published"],
                "link": episode["link"],
                "enclosures": [[file["url"], file["file_size"], file["mime_type"]] for file in episode["enclosures"]],
                **chapters(episode.get("chapters_json_url")),
            }
            for episode in feed["episodes"]
        ],
    }


for read in (of_feedparser, of_podcastparser):
    print(json.dumps(read(sys.argv[1])))
