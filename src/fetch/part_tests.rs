//! Parts of files, and documents.

use std::io::Read;
use std::ops::Range;

use expect_test::expect;

use super::testing::{Answer, SHORT, Server, client, file, patient};
use super::{Document, Failed, Options, Validators};
use crate::problem::Problem;

fn part_with(server: &Server, wanted: Range<u64>, options: &Options) -> Result<Vec<u8>, String> {
    let shown = |problem: &Problem| server.hide_port(problem);
    let opened = client(options).part(&format!("{}/a.mp3", server.url), &wanted, file().len() as u64);
    let (mut download, mut bytes) = (opened.map_err(|failed| shown(&failed.problem))?, Vec::new());
    let read = download.read_to_end(&mut bytes).map(|_| bytes);
    read.map_err(|error| shown(Problem::carried_by(&error).expect("a problem")))
}

fn part(server: &Server, wanted: Range<u64>) -> Result<Vec<u8>, String> {
    part_with(server, wanted, &patient())
}

#[test]
fn a_part_is_taken_up_where_it_broke_though_nothing_tells_that_the_file_is_the_same() {
    let bare = |from: usize| Answer::part(from).without("ETag").without("Last-Modified");
    let server = Server::new([bare(5).cut(10), bare(15).cut(5).with("ETag", "\"2\""), bare(20)]);
    assert!(part(&server, 5..50) == Ok(file()[5..50].to_vec()));
    let ranges: Vec<_> =
        server.asked().iter().map(|asked| asked.lines().nth(1).unwrap_or_default().to_owned()).collect();
    assert_eq!(ranges, ["range: bytes=5-49", "range: bytes=15-49", "range: bytes=20-49"]);
}

#[test]
fn a_server_that_sends_next_to_nothing_is_given_up() {
    let tries = Options { tries_max: u32::MAX, resumes_max: u32::MAX, ..patient() };
    let options = Options { stall_within: SHORT, slow_within: SHORT / 2, slow_bytes: 1000, ..tries };
    // One byte, and nothing for the rest of the time; then one more.
    let server = Server::new([Answer::asked_part().cut(1).stall()]);
    let error = part_with(&server, 0..90_000, &options).expect_err("too slow");
    assert!(error.contains("sent less than 1000 bytes in 0.01 s"), "{error}");
}

fn document(server: &Server, known: Option<&Validators>, bytes_max: u64) -> Result<Document, Failed> {
    client(&patient()).document(&format!("{}/feed.xml", server.url), known, bytes_max)
}

#[test]
fn a_document_comes_whole_chunked_or_not_and_is_known_again() {
    let server = Server::new([Answer::whole().chunked(), Answer::status("304 Not Modified")]);
    let Ok(Document::Body { bytes, validators, .. }) = document(&server, None, 100_000) else { panic!("it is there") };
    assert!(bytes == file());
    assert_eq!(validators.etag.as_deref(), Some("\"1\""));
    assert_eq!(document(&server, Some(&validators), 100_000), Ok(Document::Same));
    expect![[r#"
        GET /feed.xml HTTP/1.1
        accept-encoding: identity
        user-agent: everseed/0.1.0

        GET /feed.xml HTTP/1.1
        if-none-match: "1"
        accept-encoding: identity
        user-agent: everseed/0.1.0"#]]
    .assert_eq(&server.asked().join("\n\n"));
}

#[test]
fn a_document_that_is_too_large_or_not_given_is_refused() {
    let said = |server: Server, bytes_max| {
        let failed = document(&server, None, bytes_max).expect_err("refused");
        format!("{} [{} s, {}]", server.hide_port(&failed.problem), failed.after.as_secs(), failed.is_unreachable)
    };
    let busy = || Answer::status("429 Too Many Requests").with("Retry-After", "3600");
    let refused = [
        said(Server::new([Answer::whole()]), 99_999),
        said(Server::new([Answer::whole().chunked()]), 99_999),
        said(Server::new([busy()]), 1),
        said(Server::new([Answer::status("404 Not Found")]), 1),
        said(Server::new([Answer::status("304 Not Modified")]), 1),
        said(Server::new([Answer::part(0)]), 100_000),
        said(Server::new([Answer::whole().cut(5)]), 100_000),
    ];
    expect![[r#"
        http://127.0.0.1:PORT/feed.xml: has more than 99999 bytes [0 s, false]
        http://127.0.0.1:PORT/feed.xml: has more than 99999 bytes [0 s, false]
        http://127.0.0.1:PORT/feed.xml: answered 429 Too Many Requests
          help: try again later, with fewer downloads at a time [3600 s, false]
        http://127.0.0.1:PORT/feed.xml: answered 404 Not Found
          help: correct the URL where it is written: the file is not there [0 s, false]
        http://127.0.0.1:PORT/feed.xml: answered 304 Not Modified
          help: open the URL in a browser: it should give the file itself [0 s, false]
        http://127.0.0.1:PORT/feed.xml: answered 206 Partial Content
          help: open the URL in a browser: it should give the file itself [0 s, false]
        http://127.0.0.1:PORT/feed.xml: the connection broke at byte 5 (end of file before message length reached)
          help: try again later [0 s, false]"#]]
    .assert_eq(&refused.join("\n"));
    let nobody = client(&patient()).document("http://127.0.0.1:1/", None, 1).expect_err("nobody there");
    assert!(nobody.is_unreachable, "{nobody:?}");
}
