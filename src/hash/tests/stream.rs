//! Sources that are read once, and those who hear the bytes.

use std::io::{self, Cursor};

use super::*;

fn stream(name: &str, bytes: u64, content: Vec<u8>) -> Source {
    Source::stream(name, bytes, Box::new(Cursor::new(content)))
}

#[test]
fn streams_hash_as_files_do() {
    let contents = [noise(1, 3 * M + 5), Vec::new(), noise(2, 17), noise(3, 70_000)];
    let folder = Folder::new();
    for (wanted, piece) in [(V1, 100_000), (V2, K16), (V2, M), (HYBRID, 4 * K16), (with_sha384(HYBRID), 2 * M)] {
        let is_hybrid = wanted.v1 && wanted.v2;
        let mut sources: Vec<_> = contents
            .iter()
            .enumerate()
            .map(|(index, bytes)| {
                let source = match index {
                    2 => folder.file("a", bytes),
                    _ => stream("s", bytes.len() as u64, bytes.clone()),
                };
                if is_hybrid { source.padded(piece_length(piece)) } else { source }
            })
            .collect();
        let digests = hash(Order::new(&mut sources, piece_length(piece), wanted, &())).expect("hashed");
        let pad = |bytes: &Vec<u8>| if is_hybrid { bytes.len().next_multiple_of(piece) - bytes.len() } else { 0 };
        let pads: Vec<_> = contents.iter().map(pad).collect();
        assert!(digests == plain(&contents, &pads, piece, wanted), "{wanted:?} in pieces of {piece}");
    }
}

#[test]
fn a_stream_of_another_length_is_an_error_that_names_it() {
    let problem = |sources: &mut [Source]| {
        hash(Order::new(sources, piece_length(K16), V1, &())).expect_err("it has another length").to_string()
    };
    let whole = || stream("https://example.org/a", 5, b"whole".to_vec());
    let short = || stream("https://example.org/b", 100_000, vec![1; 99_999]);
    let long = || stream("https://example.org/c", 5, b"longer".to_vec());
    let ended = "https://example.org/b: ended before the 100000 bytes that were announced";
    let goes_on = "https://example.org/c: goes on after the 5 bytes that were announced";
    assert_eq!(problem(&mut [whole(), short(), whole()]), ended);
    assert_eq!(problem(&mut [whole(), long(), whole()]), goes_on);
    assert_eq!(problem(&mut [whole(), long()]), goes_on);
    assert_eq!(problem(&mut [stream("https://example.org/c", 0, b"x".to_vec())]), goes_on.replace("the 5", "the 0"));
}

#[test]
fn a_stream_that_breaks_is_an_error_that_names_it() {
    fn problem() -> Problem {
        Problem::at("a.part", "can't be written").help("make room")
    }
    struct Broken(u64, fn() -> io::Error);
    impl Read for Broken {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            let Some(left) = self.0.checked_sub(1) else { return Err(self.1()) };
            self.0 = left;
            buffer[0] = 1;
            Ok(1)
        }
    }
    let broken = |bytes, why| {
        let mut sources = [Source::stream("https://example.org/a", 1_000_000, Box::new(Broken(bytes, why)))];
        hash(Order::new(&mut sources, piece_length(K16), HYBRID, &())).expect_err("it broke")
    };
    for bytes in [1000, 20_000] {
        let told = broken(bytes, || io::Error::other("connection lost")).to_string();
        assert_eq!(told, "https://example.org/a: can't be read: connection lost");
        assert_eq!(broken(bytes, || problem().into()), problem());
    }
}

#[test]
fn a_listener_hears_every_byte_of_every_file_in_order() {
    #[derive(Default)]
    struct Heard(Vec<(usize, Vec<u8>)>);
    impl Listener for Heard {
        fn bytes(&mut self, file: usize, bytes: &[u8]) {
            match self.0.last_mut() {
                Some((last, heard)) if *last == file => heard.extend_from_slice(bytes),
                _ => self.0.push((file, bytes.to_vec())),
            }
        }
    }
    let contents = [noise(1, 3 * M + 5), Vec::new(), noise(2, 17), noise(3, 70_000)];
    let folder = Folder::new();
    for (wanted, piece) in [(V1, K16), (V2, 4 * M), (with_sha384(HYBRID), 64 * 1024)] {
        let open = |(index, bytes): (usize, &Vec<u8>)| {
            let source = match index {
                3 => stream("s", bytes.len() as u64, bytes.clone()),
                _ => folder.file(&index.to_string(), bytes),
            };
            source.padded(piece_length(piece))
        };
        let mut sources: Vec<_> = contents.iter().enumerate().map(open).collect();
        let mut heard = Heard::default();
        let mut order = Order::new(&mut sources, piece_length(piece), wanted, &());
        order.listener = Some(&mut heard);
        hash(order).expect("hashed");
        let whole = |index: usize| (index, contents[index].clone());
        assert!(heard.0 == [whole(0), whole(2), whole(3)], "{wanted:?}");
    }
}
