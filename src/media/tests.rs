//! What holds of every format: cuts change nothing, and whatever the bytes are, the scanner ends and is bounded.

use expect_test::expect;
use proptest::prelude::*;

use super::testing::*;
use super::*;

/// A medium in every format, with tags.
fn samples() -> Vec<(&'static str, Vec<u8>)> {
    let text = |text: &str| [&[3], text.as_bytes()].concat();
    let chapter = [b"c1\0".as_slice(), &words(&[0, 10, 0, 0]), &id3(&[(b"TIT2", &text("One"))])[10..]].concat();
    let tag = id3(&[(b"TIT2", &text("Title")), (b"APIC", b"\0image/png\0\x03\0PNG"), (b"CHAP", &chapter)]);
    let mp3 = [tag.clone(), xing(20, 576, 1000), vbr(20), b"TAG".to_vec(), vec![b'x'; 125]].concat();
    let adts = [tag.clone(), adts_frame(100, 0).repeat(9)].concat();

    let title = mp4_box(b"data", &[&words(&[1, 0]), b"Title"]);
    let cover = mp4_box(b"data", &[&words(&[13, 0]), b"JPEG"]);
    let list = mp4_box(b"ilst", &[&mp4_box(b"\xa9nam", &[&title]), &mp4_box(b"covr", &[&cover])]);
    let chapters = mp4_box(b"chpl", &[&[1, 0, 0, 0, 0, 0, 0, 0, 1], &0_u64.to_be_bytes(), b"\x03One"]);
    let meta = mp4_box(b"meta", &[&[0; 4], &mp4_box(b"hdlr", &[&[0; 25]]), &list]);
    let told = mp4_box(b"tref", &[&mp4_box(b"chap", &[&words(&[2])])]);
    let edits = mp4_box(b"edts", &[&mp4_box(b"elst", &[&words(&[0, 1, 1000, 1024, 0x1_0000])])]);
    let tables = [
        mp4_box(b"stts", &[&words(&[0, 1, 2, 22_050])]),
        mp4_box(b"stsc", &[&words(&[0, 1, 1, 2, 1])]),
        mp4_box(b"stsz", &[&words(&[0, 5, 2])]),
        mp4_box(b"stco", &[&words(&[0, 1, 32])]),
    ];
    let moov = mp4_box(
        b"moov",
        &[
            &mvhd(1000),
            &mp4_track(1, b"soun", 44_100, &[told, edits].concat(), &[]),
            &mp4_track(2, b"text", 44_100, &[], &tables.concat()),
            &mp4_box(b"udta", &[&chapters, &meta]),
        ],
    );
    let mdat = mp4_box(b"mdat", &[b"\0\x03One\0\x03Two", &[0; 500]]);
    let mp4 = [mp4_box(b"ftyp", &[b"M4A \0\0\0\0"]), [0, 0, 0, 8].to_vec(), b"free".to_vec(), mdat, moov].concat();

    let picture = [words(&[3, 9]).as_slice(), b"image/png", &words(&[0, 1, 1, 24, 0, 3]), b"PNG"].concat();
    let comments = comments(&[b"TITLE=Title", b"CHAPTER001=00:00:00.500", b"CHAPTER001NAME=One"]);
    let tags = [b"OpusTags".as_slice(), &comments].concat();
    let ogg = [
        ogg_page(7, 2, 0, &[&opus_head(312)]),
        ogg_page(7, 0, 0, &[&tags]),
        ogg_page(7, 0, 24_000, &[&[0; 300]]),
        ogg_page(7, 4, 48_312, &[&[0; 30], &[0; 40]]),
    ];
    let frames = (0..5).flat_map(|number| flac_frame(number, None)).collect();
    let flac = [flac(0, &[(4, &comments), (6, &picture), (1, &[0; 9])]), frames, flac_frame(5, Some(99))].concat();
    let texts = chunk(b"LIST", &[b"INFO".to_vec(), chunk(b"INAM", b"Title")].concat());
    let wav = wav(b"RIFF", &[&texts, &chunk(b"data", &[0x80; 801]), &chunk(b"id3 ", &tag)]);
    let info = element(0x1549_a966, &[&element(0x4489, &[&1000_f64.to_be_bytes()]), &element(0x7ba9, &[b"Title"])]);
    let tracks = element(0x1654_ae6b, &[&element(0xae, &[&element(0x83, &[&[2]])])]);
    let display = element(0x80, &[&element(0x85, &[b"One"])]);
    let chapter = element(0xb6, &[&element(0x91, &[&[5, 0, 0, 0]]), &display]);
    let chapters = element(0x1043_a770, &[&element(0x45b9, &[&chapter])]);
    let attached = element(0x61a7, &[&element(0x4660, &[b"image/png"]), &element(0x465c, &[b"PNG"])]);
    let attached = element(0x1941_a469, &[&attached]);
    let cluster = element(0x1f43_b675, &[&element(0xe7, &[&[0]]), &element(0xa3, &[b"\x81\0\x05\0sound"])]);
    let segment = element(0x1853_8067, &[&info, &tracks, &chapters, &attached, &cluster]);
    let matroska = [element(0x1a45_dfa3, &[&element(0x4282, &[b"webm"])]), segment].concat();
    vec![
        ("a.mp3", mp3),
        ("a.aac", adts),
        ("a.m4a", mp4),
        ("a.opus", ogg.concat()),
        ("a.flac", flac),
        ("a.wav", wav),
        ("a.webm", matroska),
    ]
}

#[test]
fn every_format_tells_its_facts() {
    let told: Vec<_> = samples().iter().map(|(name, bytes)| told(name, bytes)).collect();
    expect![[r#"
        audio/mpeg 487 ms
        title Title
        cover image/png 3
        0 ms One

        audio/aac 209 ms
        title Title
        cover image/png 3
        0 ms One

        audio/mp4 1000 ms
        title Title
        cover image/jpeg 4
        0 ms One
        500 ms Two

        audio/ogg 1000 ms
        title Title
        500 ms One

        audio/flac 467 ms
        title Title
        cover image/png 3
        500 ms One

        audio/wav 100 ms
        title Title
        cover image/png 3
        0 ms One

        audio/webm 1000 ms
        title Title
        cover image/png 3
        83 ms One"#]]
    .assert_eq(&told.join("\n\n"));
}

#[test]
fn the_name_need_not_say_anything() {
    for (name, bytes) in samples() {
        let named = scan(name, &bytes);
        assert_eq!(scan("file", &bytes), named, "{name}");
        let other = if name == "a.wav" { "a.ogg" } else { "a.wav" };
        let misnamed = scan(other, &bytes);
        assert_eq!(misnamed.facts, named.facts, "{name}");
        assert_eq!(misnamed.warnings.len(), named.warnings.len() + 1, "{name}: {:?}", misnamed.warnings);
    }
}

#[test]
fn a_file_that_is_cut_off_anywhere_is_no_failure_and_never_longer() {
    for (name, bytes) in samples() {
        let whole = scan(name, &bytes).facts.duration_ms;
        for length in 0..bytes.len() {
            let mut scanner = Scanner::new(name, length as u64);
            scanner.push(&bytes[..length]);
            let found = scanner.finish();
            let longer = found.facts.duration_ms > whole && name != "a.mp3";
            assert!(!longer, "{name} at {length}: {found:?}");
        }
    }
}

#[test]
fn sizes_that_lie_are_not_believed() {
    let large = u32::MAX.to_be_bytes();
    let huge = [words(&[1]).as_slice(), b"moov", &u64::MAX.to_be_bytes(), &[0; 100]].concat();
    let table = mp4_box(b"moov", &[&mp4_box(b"udta", &[&[0x7f, 0xff, 0xff, 0xff], b"chpl", &[0; 64]])]);
    let nested = (0..500).fold(Vec::new(), |inner: Vec<u8>, _| mp4_box(b"moov", &[&mp4_box(b"udta", &[&inner])]));
    let page = ogg_page_laced(1, 2, 0, &[255; 255], b"OpusHead");
    let comment = [b"OpusTags".as_slice(), &[0xff; 60]].concat();
    let cases = [
        ("a.mp3", [b"ID3\x04\0\0\x7f\x7f\x7f\x7fTIT2".as_slice(), &large, &[0; 90]].concat()),
        ("a.mp3", id3(&[(b"CHAP", b"\0\0")])),
        ("a.m4a", [mp4_box(b"ftyp", &[b"M4A "]), huge].concat()),
        ("a.m4a", [mp4_box(b"ftyp", &[b"M4A "]), table].concat()),
        ("a.m4a", [mp4_box(b"ftyp", &[b"M4A "]), nested].concat()),
        ("a.opus", page),
        ("a.opus", [ogg_page(1, 2, 0, &[&opus_head(0)]), ogg_page(1, 0, u64::MAX - 1, &[&comment])].concat()),
        ("a.flac", [b"fLaC\x84".as_slice(), &large[1..], &large].concat()),
        ("a.wav", wav(b"RIFF", &[b"LIST", &large, b"INFO", &[0xff; 40]])),
        (
            "a.webm",
            [element(0x1a45_dfa3, &[&element(0x4282, &[b"webm"])]), b"\x18\x53\x80\x67\xff\x01".to_vec()].concat(),
        ),
    ];
    for (name, bytes) in cases {
        let mut scanner = Scanner::new(name, 1 << 40);
        scanner.push(&bytes);
        assert!(scanner.finish().facts.duration_ms.is_none(), "{name}");
        assert!(!scan(name, &bytes).warnings.is_empty(), "{name}");
    }
}

#[test]
fn what_is_no_medium_is_what_its_name_says() {
    assert_eq!(told("a.iso", &[0; 5000]), "application/octet-stream");
    assert_eq!(told("a.zip", b"PK\x03\x04 and so on, for longer than a head is"), "application/zip");
    assert_eq!(told("a.mp3", b""), "audio/mpeg");
    let page = b"<!doctype html><title>404</title>".repeat(40);
    assert_eq!(told("a.mp3", &page), "audio/mpeg\nwarning: its name says audio/mpeg, but its content is not");
    let picture = [mp4_box(b"ftyp", &[b"avif\0\0\0\0"]), mp4_box(b"mdat", &[&[0; 99]])].concat();
    assert_eq!(told("a.avif", &picture), "image/avif");
}

proptest! {
    #[test]
    fn random_bytes_are_no_failure(bytes in prop::collection::vec(any::<u8>(), 0..4000), which in 0_usize..7, name in "[a-z]{0,4}\\.(mp3|aac|m4a|ogg|wav|bin)") {
        scan(&name, &bytes);
        // Behind a true beginning they are looked at by its reader.
        let samples = samples();
        let (_, sample) = &samples[which];
        let begin = sample.len().min(bytes.first().copied().unwrap_or_default().into());
        scan(&name, &[&sample[..begin], &bytes].concat());
    }

    #[test]
    fn damaged_media_are_no_failure(which in 0_usize..7, damages in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..12)) {
        let samples = samples();
        let (name, sample) = &samples[which];
        let mut bytes = sample.clone();
        for (at, byte) in damages {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        scan(name, &bytes);
    }

    #[test]
    fn parts_that_are_left_out_or_doubled_are_no_failure(which in 0_usize..7, a in any::<prop::sample::Index>(), b in any::<prop::sample::Index>(), double in any::<bool>()) {
        let samples = samples();
        let (name, sample) = &samples[which];
        let (a, b) = (a.index(sample.len()), b.index(sample.len()));
        let (a, b) = (a.min(b), a.max(b));
        let middle: &[u8] = if double { &sample[a..] } else { &[] };
        scan(name, &[&sample[..if double { b } else { a }], middle, &sample[b..]].concat());
    }
}
