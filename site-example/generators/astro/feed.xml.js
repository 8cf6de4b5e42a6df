// src/pages/feed.xml.js: the podcast's feed, by the package @astrojs/rss, out of a content collection `episodes`.
import rss from "@astrojs/rss";
import { getCollection } from "astro:content";

export async function GET(context) {
  const address = new URL(`${import.meta.env.BASE_URL}/`.replace(/\/+$/, "/"), context.site);
  const episodes = await getCollection("episodes");
  episodes.sort((a, b) => b.data.date - a.data.date);
  return rss({
    title: "Tide Tables",
    description: "A quiet show about the coast, and about the numbers that people write down there.",
    site: address,
    xmlns: { itunes: "http://www.itunes.com/dtds/podcast-1.0.dtd" },
    customData: "<language>en-GB</language><itunes:explicit>false</itunes:explicit>",
    items: episodes.map(({ id, data }) => ({
      title: data.title,
      description: data.description,
      pubDate: data.date,
      link: new URL(`episodes/${id}/`, address).href,
      // `audio/ep001.mp3` for public/audio/ep001.mp3
      enclosure: { url: new URL(data.audio, address).href, length: data.bytes, type: "audio/mpeg" },
      customData: `<itunes:duration>${data.duration}</itunes:duration>`,
    })),
  });
}
