//! Movies: where the index stands, how lengths are told, and chapters.

use super::super::testing::{mp4_box, mp4_track, mvhd, told, words};
use super::*;

fn ftyp() -> Vec<u8> {
    mp4_box(b"ftyp", &[b"M4A \0\0\0\0"])
}

fn moov(parts: &[&[u8]]) -> Vec<u8> {
    mp4_box(b"moov", &[&mvhd(5000), &parts.concat()])
}

fn sound(units: u32, more: &[u8]) -> Vec<u8> {
    mp4_track(1, b"soun", units, more, &[])
}

fn elst(entries: &[[u32; 3]]) -> Vec<u8> {
    let count = u32::try_from(entries.len()).expect("small");
    mp4_box(b"edts", &[&mp4_box(b"elst", &[&words(&[0, count]), &words(entries.as_flattened())])])
}

#[test]
fn the_index_stands_in_front_or_at_the_end_and_data_can_be_longer_than_32_bits_tell() {
    let index = moov(&[&sound(44_100, &[])]);
    let data = mp4_box(b"mdat", &[&[0; 300]]);
    let large = [words(&[1]).as_slice(), b"mdat", &316_u64.to_be_bytes(), &[0; 300]].concat();
    let open = [words(&[0]).as_slice(), b"mdat", &[0; 300]].concat();
    for parts in [[&index, &data], [&data, &index], [&large, &index], [&index, &open]] {
        assert_eq!(told("a.m4a", &[ftyp(), parts[0].clone(), parts[1].clone()].concat()), "audio/mp4 1000 ms");
    }
    let cut = [ftyp(), index, data[..200].to_vec()].concat();
    assert_eq!(told("a.m4a", &cut), "audio/mp4 1000 ms\nwarning: it is cut off");
    let none = [ftyp(), data].concat();
    assert_eq!(told("a.m4a", &none), "audio/mp4\nwarning: it is cut off or damaged: it has no index (`moov`)");
}

#[test]
fn an_edit_list_tells_what_is_heard() {
    let cases = [
        (elst(&[[900, 1024, 0x1_0000]]), 900),
        // An empty edit only waits.
        (elst(&[[300, u32::MAX, 0x1_0000], [400, 0, 0x1_0000], [250, 9, 0x1_0000]]), 650),
        // One that lasts for as long as there is something.
        (elst(&[[0, 441, 0x1_0000]]), 990),
        (Vec::new(), 1000),
    ];
    for (edits, expected) in cases {
        let bytes = [ftyp(), moov(&[&sound(44_100, &edits)])].concat();
        assert_eq!(told("a.m4a", &bytes), format!("audio/mp4 {expected} ms"));
    }
    let mvhd_alone = [ftyp(), moov(&[&sound(0, &[])])].concat();
    assert_eq!(told("a.m4a", &mvhd_alone), "audio/mp4 5000 ms");
}

#[test]
fn the_longest_track_counts_and_pictures_of_chapters_are_no_film() {
    let film = moov(&[&sound(44_100, &[]), &mp4_track(2, b"vide", 88_200, &[], &[])]);
    assert_eq!(told("a.mp4", &[ftyp(), film.clone()].concat()), "video/mp4 2000 ms");
    assert_eq!(told("a.mov", &[ftyp(), film].concat()), "video/quicktime 2000 ms");
    let chap = mp4_box(b"tref", &[&mp4_box(b"chap", &[&words(&[2, 3])])]);
    let talk = moov(&[&sound(44_100, &chap), &mp4_track(2, b"vide", 88_200, &[], &[])]);
    assert_eq!(told("a.m4a", &[ftyp(), talk].concat()), "audio/mp4 1000 ms");
    let pictures = moov(&[&mp4_track(2, b"pict", 88_200, &[], &[])]);
    assert_eq!(told("a.heic", &[ftyp(), pictures].concat()), "image/heic");
}

#[test]
fn fragments_add_up() {
    let trex = mp4_box(b"trex", &[&words(&[0, 1, 1, 1024, 0, 0])]);
    let edits = elst(&[[0, 1024, 0x1_0000]]);
    let head = |mehd: &[u8]| mp4_box(b"moov", &[&mvhd(0), &sound(0, &edits), &mp4_box(b"mvex", &[mehd, &trex])]);
    let fragment = |tfhd: &[u32], trun: &[u32]| {
        let run = [mp4_box(b"tfhd", &[&words(tfhd)]), mp4_box(b"trun", &[&words(trun)])].concat();
        let traf = mp4_box(b"traf", &[&run]);
        [mp4_box(b"moof", &[&mp4_box(b"mfhd", &[&[0; 8]]), &traf]), mp4_box(b"mdat", &[&[0; 99]])].concat()
    };
    let fragments = [
        // 40 samples of 1,024 units, 2 of 500, 3 that say it themselves, and those of another track.
        fragment(&[0x2_0000, 1], &[1, 40, 7]),
        fragment(&[0x2_0003 | 8, 1, 0, 0, 1, 500], &[0, 2]),
        fragment(&[0, 1], &[0x305, 3, 0, 0, 100, 9, 200, 9, 1000, 9]),
        fragment(&[0, 9], &[1, 4000, 7]),
    ];
    let bytes = [ftyp(), head(&[]), fragments.concat()].concat();
    let units = 40 * 1024 + 2 * 500 + 1300 - 1024;
    assert_eq!(told("a.m4a", &bytes), format!("audio/mp4 {} ms", (units * 1000 + 22_050) / 44_100));
    let told_in_front = [ftyp(), head(&mp4_box(b"mehd", &[&words(&[0, 3000])]))].concat();
    assert_eq!(told("a.m4a", &told_in_front), "audio/mp4 3000 ms");
}

/// A track of texts: three chapters in two chunks.
fn texts(offsets: [u32; 2]) -> Vec<u8> {
    let tables = [
        mp4_box(b"stts", &[&words(&[0, 2, 1, 441, 2, 44_100])]),
        mp4_box(b"stsc", &[&words(&[0, 2, 1, 2, 1, 2, 1, 1])]),
        mp4_box(b"stsz", &[&words(&[0, 0, 3, 5, 5, 10])]),
        mp4_box(b"stco", &[&words(&[0, 2, offsets[0], offsets[1]])]),
    ];
    mp4_track(2, b"text", 88_641, &[], &tables.concat())
}

#[test]
fn chapters_in_a_track_are_read_from_the_data_before_and_behind_the_index() {
    let chap = mp4_box(b"tref", &[&mp4_box(b"chap", &[&words(&[2])])]);
    let chapters = b"\0\x03One\0\x03Two....\0\x08\xfe\xff\0\xdc\0b\0r";
    let data = mp4_box(b"mdat", &[chapters, &vec![0; 70_000]]);
    let expected = "audio/mp4 1000 ms\n0 ms One\n10 ms Two\n1010 ms Übr";
    let index = |offset: u32| moov(&[&sound(44_100, &chap), &texts([offset, offset + 14])]);
    let begin = u32::try_from(ftyp().len() + 8).expect("small");
    assert_eq!(told("a.m4a", &[ftyp(), data.clone(), index(begin)].concat()), expected);
    let behind = begin + u32::try_from(index(0).len()).expect("small");
    assert_eq!(told("a.m4a", &[ftyp(), index(behind), data.clone()].concat()), expected);
    let lost = "audio/mp4 1000 ms\nwarning: some of its chapters stand where they are not looked for";
    assert_eq!(told("a.m4a", &[ftyp(), index(5), data].concat()), lost);
}

#[test]
fn a_list_of_chapters_counts_unless_the_track_has_more() {
    let entry = |ms: u64, title: &str| {
        [(ms * 10_000).to_be_bytes().as_slice(), &[u8::try_from(title.len()).expect("small")], title.as_bytes()]
            .concat()
    };
    let list = [entry(2000, "Zwei"), entry(0, "Eins")].concat();
    for (head, count) in [(&[1, 0, 0, 0, 0, 0, 0, 0][..], 2), (&[0, 0, 0, 0], 2), (&[0, 0, 0, 0], 200)] {
        let chpl = mp4_box(b"chpl", &[head, &[count], &list]);
        let bytes = [ftyp(), moov(&[&sound(44_100, &[]), &mp4_box(b"udta", &[&chpl])])].concat();
        assert_eq!(told("a.m4b", &bytes), "audio/mp4 1000 ms\n0 ms Eins\n2000 ms Zwei");
    }
}

#[test]
fn titles_stand_in_three_places() {
    let data = mp4_box(b"data", &[&words(&[1, 0]), "Größe".as_bytes()]);
    let list = mp4_box(b"ilst", &[&mp4_box(b"\xa9ART", &[&data]), &mp4_box(b"\xa9nam", &[&data])]);
    let meta = mp4_box(b"meta", &[&[0; 4], &list]);
    let plain = mp4_box(b"meta", &[&mp4_box(b"hdlr", &[&[0; 25]]), &list]);
    let quicktime = mp4_box(b"\xa9nam", &[b"\0\x07\x55\xc4", "Größe".as_bytes()]);
    for tags in [mp4_box(b"udta", &[&meta]), mp4_box(b"udta", &[&plain]), plain, mp4_box(b"udta", &[&quicktime])] {
        let bytes = [ftyp(), moov(&[&sound(44_100, &[]), &tags])].concat();
        assert_eq!(told("a.m4a", &bytes), "audio/mp4 1000 ms\ntitle Größe");
    }
}

#[test]
fn tables_and_tracks_have_maxima() {
    let large = mp4_box(b"udta", &[&mp4_box(b"chpl", &[&vec![0; 1 << 19]])]);
    let bytes = [ftyp(), moov(&[&sound(44_100, &[]), &large])].concat();
    assert_eq!(told("a.m4a", &bytes), "audio/mp4 1000 ms\nwarning: a table of it is too large, and is passed over");
    let many: Vec<u8> = (0..100).flat_map(|_| sound(44_100, &[])).collect();
    let mut mp4 = Mp4::default();
    let (bytes, mut at) = ([ftyp(), moov(&[&many])].concat(), 0);
    while let Some(window) = bytes.get(at..).filter(|window| !window.is_empty()) {
        let Step::Take(taken) = mp4.step(at as u64, window, &mut Seen::default()) else { break };
        at += usize::try_from(taken).expect("small");
    }
    assert_eq!((at, mp4.tracks.len()), (bytes.len(), TRACKS_MAX));
    // An endless table of as many chapters as a number can say.
    let chap = mp4_box(b"tref", &[&mp4_box(b"chap", &[&words(&[2])])]);
    let tables = [
        mp4_box(b"stts", &[&words(&[0, 1, u32::MAX, 1])]),
        mp4_box(b"stsc", &[&words(&[0, 1, 1, u32::MAX, 1])]),
        mp4_box(b"stsz", &[&words(&[0, 5, u32::MAX])]),
        mp4_box(b"stco", &[&words(&[0, 1, 0])]),
    ];
    let index = moov(&[&sound(44_100, &chap), &mp4_track(2, b"text", 1, &[], &tables.concat())]);
    told("a.m4a", &[ftyp(), index, mp4_box(b"mdat", &[&[0; 9000]])].concat());
}
