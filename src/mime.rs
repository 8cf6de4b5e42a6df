//! MIME types by the names of files: one table for feeds, pages and the server.

/// The type of a `.torrent`, and of what leads to one.
pub const TORRENT_MIME: &str = "application/x-bittorrent";

/// Names whose type is fixed here, because the common tables do not know it or podcast apps and players know another one.
const TYPES: [(&str, &str); 25] = [
    (".chapters.json", "application/json+chapters"),
    (".torrent", TORRENT_MIME),
    (".vtt", "text/vtt"),
    (".srt", "application/x-subrip"),
    (".rss", "application/rss+xml"),
    (".atom", "application/atom+xml"),
    (".xml", "application/xml"),
    (".json", "application/json"),
    (".js", "text/javascript"),
    (".mjs", "text/javascript"),
    (".mp3", "audio/mpeg"),
    (".m4a", "audio/mp4"),
    (".m4b", "audio/mp4"),
    (".aac", "audio/aac"),
    (".ogg", "audio/ogg"),
    (".oga", "audio/ogg"),
    (".opus", "audio/ogg"),
    (".flac", "audio/flac"),
    (".wav", "audio/wav"),
    (".mp4", "video/mp4"),
    (".m4v", "video/mp4"),
    (".webm", "video/webm"),
    // RFC 9559.
    (".mkv", "video/matroska"),
    (".mov", "video/quicktime"),
    (".webmanifest", "application/manifest+json"),
];

/// The MIME type of a file with this name, without parameters; `application/octet-stream` where its extension says nothing.
pub fn of(name: &str) -> String {
    let name = name.to_ascii_lowercase();
    match TYPES.iter().find(|(ending, _)| name.ends_with(ending)) {
        Some((_, known)) => (*known).to_owned(),
        None => mime_guess::from_path(name).first_or_octet_stream().essence_str().to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_type_is_what_podcast_apps_expect() {
        let cases = [
            ("a.mp3", "audio/mpeg"),
            ("a.M4A", "audio/mp4"),
            ("a.opus", "audio/ogg"),
            ("a.ogg", "audio/ogg"),
            ("a.mp4", "video/mp4"),
            ("a.webm", "video/webm"),
            ("a.mkv", "video/matroska"),
            ("a.iso", "application/octet-stream"),
            ("a", "application/octet-stream"),
            ("mp3", "application/octet-stream"),
            ("a.zip", "application/zip"),
            ("a.chapters.json", "application/json+chapters"),
        ];
        for (name, expected) in cases {
            assert_eq!(of(name), expected, "{name}");
        }
    }
}
