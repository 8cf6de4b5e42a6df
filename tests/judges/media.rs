//! Media: ffmpeg makes them in every format, and what it decodes is as long as we say.

use std::path::{Path, PathBuf};
use std::process::Command;

use everseed::media::{Chapter, Found, Scanner};

use super::{bounded, printed};

/// How far a length may be from that of the decoded sound, in milliseconds.
const FAR_MS: u64 = 50;

const TITLE: &str = "Über den Wolken – Folge 1";

/// Seven seconds of sound that is loud and quiet in turn, so that a variable bit rate varies.
const SOUND: &str = "aevalsrc='(random(0)-0.5)*abs(sin(t))*gt(mod(t\\,2)\\,1)+0.1*sin(440*2*PI*t)':s=44100:d=7.3";

const METADATA: &str = ";FFMETADATA1
title=Über den Wolken – Folge 1
[CHAPTER]
TIMEBASE=1/1000
START=0
END=2250
title=Anfang
[CHAPTER]
TIMEBASE=1/1000
START=2250
END=5250
title=Mitte – Größe
[CHAPTER]
TIMEBASE=1/1000
START=5250
END=7300
title=Ende
";

/// What a muxer of ffmpeg takes beside the sound.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Takes {
    Nothing,
    Title,
    /// Title and chapters.
    Chapters,
    /// Title and cover.
    Cover,
    All,
}

/// A name, how ffmpeg makes it, the type that we should find, and what the muxer takes.
const CASES: [(&str, &str, &str, Takes); 33] = [
    ("cbr.mp3", "-c:a libmp3lame -b:a 128k", "audio/mpeg", Takes::All),
    ("v23.mp3", "-c:a libmp3lame -b:a 64k -ac 1 -id3v2_version 3 -write_id3v1 1", "audio/mpeg", Takes::All),
    ("vbr.mp3", "-c:a libmp3lame -q:a 4", "audio/mpeg", Takes::All),
    ("bare.mp3", "-c:a libmp3lame -q:a 4 -write_xing 0", "audio/mpeg", Takes::All),
    ("naked.mp3", "-c:a libmp3lame -q:a 4 -write_xing 0 -id3v2_version 0", "audio/mpeg", Takes::Nothing),
    ("low.mp3", "-c:a libmp3lame -q:a 6 -ar 22050 -ac 1", "audio/mpeg", Takes::All),
    ("lower.mp3", "-c:a libmp3lame -b:a 16k -ar 8000 -ac 1 -write_xing 0", "audio/mpeg", Takes::All),
    ("two.mp2", "-c:a mp2 -b:a 192k", "audio/mpeg", Takes::Nothing),
    ("adts.aac", "-c:a aac -f adts", "audio/aac", Takes::Nothing),
    ("tagged.aac", "-c:a aac -f adts -write_id3v2 1", "audio/aac", Takes::Chapters),
    ("a.m4a", "-c:a aac", "audio/mp4", Takes::All),
    ("fast.m4a", "-c:a aac -movflags +faststart", "audio/mp4", Takes::All),
    ("track.m4a", "-c:a aac -movflags +disable_chpl", "audio/mp4", Takes::All),
    ("fasttrack.m4a", "-c:a aac -movflags +disable_chpl+faststart", "audio/mp4", Takes::All),
    ("book.m4b", "-c:a aac -ar 22050 -f ipod", "audio/mp4", Takes::All),
    ("parts.m4a", "-c:a aac -movflags +frag_keyframe+empty_moov -frag_duration 1000000", "audio/mp4", Takes::Title),
    ("dash.mp4", "-c:a aac -movflags +dash+delay_moov -frag_duration 1000000", "audio/mp4", Takes::Title),
    ("lossless.m4a", "-c:a alac", "audio/mp4", Takes::All),
    ("film.mp4", "FILM -c:v libx264 -c:a aac -shortest", "video/mp4", Takes::Chapters),
    ("fast.mp4", "FILM -c:v libx264 -c:a aac -shortest -movflags +faststart", "video/mp4", Takes::Chapters),
    ("film.mov", "FILM -c:v libx264 -c:a pcm_s16le -shortest", "video/quicktime", Takes::Chapters),
    ("vorbis.ogg", "-c:a libvorbis -q:a 3", "audio/ogg", Takes::Title),
    ("a.opus", "-c:a libopus -b:a 48k", "audio/ogg", Takes::Chapters),
    ("flac.oga", "-c:a flac -f ogg", "audio/ogg", Takes::Title),
    ("speex.ogg", "-c:a libspeex -ar 16000 -ac 1", "audio/ogg", Takes::Title),
    ("a.flac", "-c:a flac", "audio/flac", Takes::Cover),
    ("piped.flac", "PIPE -c:a flac -f flac", "audio/flac", Takes::Cover),
    ("a.wav", "-c:a pcm_s16le", "audio/wav", Takes::Title),
    ("piped.wav", "PIPE -c:a pcm_s24le -f wav", "audio/wav", Takes::Title),
    ("large.wav", "-c:a pcm_f32le -rf64 always", "audio/wav", Takes::Title),
    ("a.webm", "FILM -c:v libvpx -b:v 100k -c:a libopus -shortest", "video/webm", Takes::Chapters),
    ("sound.webm", "-c:a libopus", "audio/webm", Takes::Chapters),
    ("piped.mkv", "PIPE -c:a aac -f matroska", "audio/matroska", Takes::Chapters),
];

fn ffmpeg(dir: &Path) -> Command {
    let mut ffmpeg = bounded("ffmpeg");
    ffmpeg.current_dir(dir).args(["-nostdin", "-v", "error", "-y"]);
    ffmpeg
}

/// The file of a case, made in `dir`.
fn made(dir: &Path, name: &str, how: &str, takes: Takes) -> PathBuf {
    let mut command = ffmpeg(dir);
    command.args(["-f", "lavfi", "-i", SOUND, "-i", "metadata.txt"]);
    let mut how = how.split(' ').peekable();
    let film = how.next_if_eq(&"FILM").is_some();
    let pipe = how.next_if_eq(&"PIPE").is_some();
    if film {
        command.args([
            "-f",
            "lavfi",
            "-i",
            "testsrc=s=64x64:r=10:d=7.3",
            "-map",
            "0:a",
            "-map",
            "2:v",
            "-pix_fmt",
            "yuv420p",
        ]);
    } else if matches!(takes, Takes::Cover | Takes::All) {
        command.args([
            "-i",
            "cover.png",
            "-map",
            "0:a",
            "-map",
            "2:v",
            "-c:v",
            "copy",
            "-disposition:v",
            "attached_pic",
        ]);
    }
    command.args(if takes == Takes::Nothing { ["-map_metadata", "-1"] } else { ["-map_metadata", "1"] });
    command.args(["-map_chapters", if matches!(takes, Takes::Chapters | Takes::All) { "1" } else { "-1" }]);
    command.args(how);
    let path = dir.join(name);
    if pipe {
        // To a pipe nothing can be written again that was not known at first.
        let output = command.arg("pipe:1").output().expect("the program starts");
        assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
        std::fs::write(&path, output.stdout).expect("written");
    } else {
        printed({
            command.arg(&path);
            command
        });
    }
    path
}

/// How long the decoded sound of a file is, in milliseconds.
fn decoded_ms(dir: &Path, path: &Path) -> u64 {
    let mut command = ffmpeg(dir);
    command.arg("-i").arg(path).args(["-map", "0:a:0", "-ac", "1", "-ar", "48000", "-f", "s16le", "pipe:1"]);
    let output = command.output().expect("the program starts");
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
    output.stdout.len() as u64 / 96
}

fn scanned(name: &str, bytes: &[u8], cut: usize) -> Found {
    let mut scanner = Scanner::new(name, bytes.len() as u64);
    bytes.chunks(cut).for_each(|bytes| scanner.push(bytes));
    scanner.finish()
}

/// What is wrong with what was found of a case.
fn wrong(found: &Found, decoded_ms: u64, mime: &str, takes: Takes, cover_bytes: u64) -> Vec<String> {
    let facts = &found.facts;
    let mut wrong = Vec::new();
    if facts.duration_ms.is_none_or(|ms| ms.abs_diff(decoded_ms) > FAR_MS) {
        wrong.push(format!("{:?} ms, decoded {decoded_ms} ms", facts.duration_ms));
    }
    if facts.mime != mime || !found.warnings.is_empty() {
        wrong.push(format!("{} {:?}", facts.mime, found.warnings));
    }
    if takes != Takes::Nothing && facts.title.as_deref() != Some(TITLE) {
        wrong.push(format!("title {:?}", facts.title));
    }
    let chapter = |start_ms, title: &str| Chapter { start_ms, title: title.into() };
    let chapters = [chapter(0, "Anfang"), chapter(2250, "Mitte – Größe"), chapter(5250, "Ende")];
    if matches!(takes, Takes::Chapters | Takes::All) && facts.chapters != chapters {
        wrong.push(format!("chapters {:?}", facts.chapters));
    }
    let cover = facts.cover.as_ref().map(|cover| (cover.mime.as_str(), cover.bytes));
    if cover != matches!(takes, Takes::Cover | Takes::All).then_some(("image/png", cover_bytes)) {
        wrong.push(format!("cover {cover:?}"));
    }
    wrong
}

#[test]
#[ignore = "needs ffmpeg; .ci/run installs it"]
fn every_format_is_as_long_as_it_decodes_and_its_tags_are_read() {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let dir = dir.path();
    std::fs::write(dir.join("metadata.txt"), METADATA).expect("written");
    let mut cover = ffmpeg(dir);
    cover.args(["-f", "lavfi", "-i", "testsrc=s=300x300", "-frames:v", "1", "cover.png"]);
    printed(cover);
    let cover_bytes = std::fs::metadata(dir.join("cover.png")).expect("made").len();
    let mut all = Vec::new();
    for (name, how, mime, takes) in CASES {
        let path = made(dir, name, how, takes);
        let bytes = std::fs::read(&path).expect("read");
        let found = scanned(name, &bytes, 1 << 22);
        for cut in [1, 7, 4093] {
            assert_eq!(scanned(name, &bytes, cut), found, "{name} in cuts of {cut} bytes");
        }
        for wrong in wrong(&found, decoded_ms(dir, &path), mime, takes, cover_bytes) {
            all.push(format!("{name}: {wrong}"));
        }
    }
    assert!(all.is_empty(), "{}", all.join("\n"));
}

#[test]
#[ignore = "needs ffmpeg; .ci/run installs it"]
fn what_was_cut_joined_or_damaged_is_as_long_as_it_decodes() {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let dir = dir.path();
    std::fs::write(dir.join("metadata.txt"), METADATA).expect("written");
    let made = |name: &str, how: &str| std::fs::read(made(dir, name, how, Takes::Title)).expect("read");
    let bare = made("naked.mp3", "-c:a libmp3lame -q:a 2 -id3v2_version 0");
    let tagged = made("tagged.mp3", "-c:a libmp3lame -q:a 6 -write_id3v1 1");
    let aac = made("a.aac", "-c:a aac -f adts");
    let opus = made("a.opus", "-c:a libopus");
    let vorbis = made("a.ogg", "-c:a libvorbis");
    let wav = made("a.wav", "-c:a pcm_s16le");
    let mkv = made("a.mkv", "PIPE -c:a aac -f matroska");
    // Where the frame with the Xing header ends.
    let second = 4 + bare[4..].windows(2).position(|pair| pair == [0xff, 0xfb]).expect("a second frame");
    let half = |bytes: &[u8]| bytes[..bytes.len() / 2].to_vec();
    let cases = [
        ("unxinged.mp3", bare[second..].to_vec()),
        ("joined.mp3", [bare[second..].to_vec(), tagged.clone(), tagged.clone()].concat()),
        ("damaged.mp3", [half(&bare[second..]), vec![0x55; 5000], tagged.clone()].concat()),
        ("half.mp3", half(&bare[second..])),
        ("half.aac", half(&aac)),
        ("joined.aac", [aac.clone(), aac].concat()),
        ("half.opus", half(&opus)),
        ("joined.opus", [opus.clone(), opus].concat()),
        ("half.ogg", half(&vorbis)),
        ("half.wav", half(&wav)),
        ("half.mkv", half(&mkv)),
    ];
    let mut all = Vec::new();
    for (name, bytes) in cases {
        let path = dir.join(name);
        std::fs::write(&path, &bytes).expect("written");
        let (found, decoded_ms) = (scanned(name, &bytes, 1000), decoded_ms(dir, &path));
        if found.facts.duration_ms.is_none_or(|ms| ms.abs_diff(decoded_ms) > FAR_MS) {
            all.push(format!(
                "{name}: {:?} ms, decoded {decoded_ms} ms, {:?}",
                found.facts.duration_ms, found.warnings
            ));
        }
    }
    assert!(all.is_empty(), "{}", all.join("\n"));
}
