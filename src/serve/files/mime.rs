//! What a file is called in the headers (`Content-Type`), who may read it from another origin (CORS), and how long a
//! cache may keep it: all three follow from its name.

use crate::mime;

/// How a file is presented.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Presentation {
    /// `Content-Type`.
    pub content_type: String,
    /// Whether pages of other origins may read it: feeds, torrents, chapters, transcripts, data and media, but no page.
    pub any_origin: bool,
    /// `Cache-Control`.
    pub cache_control: &'static str,
}

/// Asks again whether it changed, which costs a 304: what a build rewrites under the same name.
const REVALIDATE: &str = "no-cache";
/// An hour for media, images and fonts. Not for ever: a corrected episode keeps its name, and a cache that holds the
/// former bytes feeds a web seed that fails every hash.
const AN_HOUR: &str = "public, max-age=3600";

/// Types of text that are not `text/*`: they are UTF-8 here, and say so.
const TEXTS: [&str; 4] = ["application/atom+xml", "application/rss+xml", "application/x-subrip", "application/xml"];
/// The names of the feeds a site has at its root.
const FEEDS: [&str; 2] = ["feed.xml", "torrents.xml"];

/// How the file at `path`, names with `/` between them below the site's root, is presented.
pub fn present(path: &str) -> Presentation {
    let content_type = content_type(&path.to_ascii_lowercase());
    let essence = content_type.split(';').next().unwrap_or_default();
    let (class, _) = essence.split_once('/').unwrap_or_default();
    let page = matches!(essence, "text/html" | "application/xhtml+xml");
    let keeps = matches!(class, "audio" | "video" | "image" | "font");
    Presentation {
        any_origin: !page && !matches!(essence, "text/css" | "text/javascript"),
        cache_control: if keeps { AN_HOUR } else { REVALIDATE },
        content_type,
    }
}

/// How bytes of a torrent are presented that have no name of their own.
pub fn medium() -> Presentation {
    Presentation { content_type: "application/octet-stream".to_owned(), any_origin: true, cache_control: AN_HOUR }
}

fn content_type(path: &str) -> String {
    let name = path.rsplit('/').next().unwrap_or(path);
    if FEEDS.contains(&name) {
        return "application/rss+xml; charset=utf-8".to_owned();
    }
    // The name is in lower case already.
    let is_of_chapters = path.strip_suffix(".json").is_some() && path.split('/').any(|folder| folder == "chapters");
    if name == "chapters.json" || is_of_chapters {
        return "application/json+chapters".to_owned();
    }
    let essence = mime::of(name);
    if essence.starts_with("text/") || TEXTS.contains(&essence.as_str()) {
        return format!("{essence}; charset=utf-8");
    }
    essence
}

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::expect;

    #[test]
    fn names_and_how_they_are_presented() {
        let names = [
            "index.html",
            "theme.css",
            "swarms.js",
            "feed.xml",
            "torrents.xml",
            "show/other.rss",
            "sitemap.xml",
            "robots.txt",
            "everseed.json",
            "torrents/ep1.torrent",
            "media/ep1.mp3",
            "media/EP1.MP3",
            "media/ep1.m4a",
            "media/film.mp4",
            "media/film.webm",
            "media/talk.opus",
            "media/set/data.iso",
            "media/set/noending",
            "ep1.vtt",
            "ep1.srt",
            "ep1.chapters.json",
            "chapters/ep1.json",
            "episodes/ep1/chapters.json",
            "cover.jpg",
            "cover.png",
            "logo.svg",
            "font.woff2",
        ];
        let lines = names.map(|name| {
            let Presentation { content_type, any_origin, cache_control } = present(name);
            format!("{name}: {content_type}; {cache_control}{}", if any_origin { "; *" } else { "" })
        });
        expect![[r#"
            index.html: text/html; charset=utf-8; no-cache
            theme.css: text/css; charset=utf-8; no-cache
            swarms.js: text/javascript; charset=utf-8; no-cache
            feed.xml: application/rss+xml; charset=utf-8; no-cache; *
            torrents.xml: application/rss+xml; charset=utf-8; no-cache; *
            show/other.rss: application/rss+xml; charset=utf-8; no-cache; *
            sitemap.xml: application/xml; charset=utf-8; no-cache; *
            robots.txt: text/plain; charset=utf-8; no-cache; *
            everseed.json: application/json; no-cache; *
            torrents/ep1.torrent: application/x-bittorrent; no-cache; *
            media/ep1.mp3: audio/mpeg; public, max-age=3600; *
            media/EP1.MP3: audio/mpeg; public, max-age=3600; *
            media/ep1.m4a: audio/mp4; public, max-age=3600; *
            media/film.mp4: video/mp4; public, max-age=3600; *
            media/film.webm: video/webm; public, max-age=3600; *
            media/talk.opus: audio/ogg; public, max-age=3600; *
            media/set/data.iso: application/octet-stream; no-cache; *
            media/set/noending: application/octet-stream; no-cache; *
            ep1.vtt: text/vtt; charset=utf-8; no-cache; *
            ep1.srt: application/x-subrip; charset=utf-8; no-cache; *
            ep1.chapters.json: application/json+chapters; no-cache; *
            chapters/ep1.json: application/json+chapters; no-cache; *
            episodes/ep1/chapters.json: application/json+chapters; no-cache; *
            cover.jpg: image/jpeg; public, max-age=3600; *
            cover.png: image/png; public, max-age=3600; *
            logo.svg: image/svg+xml; public, max-age=3600; *
            font.woff2: font/woff2; public, max-age=3600; *"#]]
        .assert_eq(&lines.join("\n"));
    }
}
