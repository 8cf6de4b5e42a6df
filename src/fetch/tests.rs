use std::io::Read;
use std::net::TcpStream;

use expect_test::expect;
use tokio::net::TcpSocket;

use super::testing::{Answer, SHORT, Server, body, client, fetch, fetch_with, file, patient};
use super::{Client, Opened, Options, REDIRECTS_MAX, Validators};
use crate::problem::Problem;

/// What is said when a server answers like this, a paragraph a server.
fn refusals<const N: usize>(servers: [Vec<Answer>; N]) -> String {
    servers.map(|answers| failed(&Server::new(answers))).join("\n")
}

#[track_caller]
fn failed(server: &Server) -> String {
    failed_with(server, &patient())
}

#[track_caller]
fn failed_with(server: &Server, options: &Options) -> String {
    fetch_with(server, options).map(|bytes| bytes.len()).expect_err("not fetched")
}

#[test]
fn a_file_comes_whole_with_all_that_the_server_says_about_it() {
    let server = Server::new([Answer::part(0)]);
    let mut download = body(client(&patient()).open(&format!("{}/a b.mp3?c#d", server.url), &[]));
    let mut bytes = Vec::new();
    download.read_to_end(&mut bytes).expect("read");
    assert!(bytes == file());
    expect![[r#"
        Remote {
            url: "http://127.0.0.1:PORT/a b.mp3?c#d",
            final_url: "http://127.0.0.1:PORT/a%20b.mp3?c",
            redirects: [],
            bytes: 100000,
            etag: Some(
                "\"1\"",
            ),
            last_modified: Some(
                "Fri, 01 May 2026 12:00:00 GMT",
            ),
            content_type: Some(
                "audio/mpeg",
            ),
            ranges: true,
        }"#]]
    .assert_eq(&server.hide_port(&format!("{:#?}", download.remote())));
    expect![[r#"
        GET /a%20b.mp3?c HTTP/1.1
        range: bytes=0-
        accept-encoding: identity
        user-agent: everseed/0.1.0"#]]
    .assert_eq(&server.asked().join("\n\n"));
}

#[test]
fn a_server_without_ranges_is_read_too() {
    let server = Server::new([Answer::whole()]);
    let download = body(client(&patient()).open(&server.url, &[]));
    assert!(!download.remote().ranges);
    assert!(fetch(&server) == Ok(file()));
    assert!(fetch(&Server::new([Answer::part(0).chunked()])) == Ok(file()), "a range tells the size, chunks or not");
    assert!(fetch(&Server::new([Answer::status("416 Range Not Satisfiable"), Answer::whole()])) == Ok(file()));
    assert!(fetch(&Server::new([Answer::status("200 OK")])) == Ok(Vec::new()));
}

#[test]
fn a_download_is_taken_up_where_it_broke() {
    let server = Server::new([Answer::part(0).cut(60_000), Answer::part(60_000).cut(1), Answer::part(60_001)]);
    assert!(fetch(&server) == Ok(file()));
    expect![[r#"
        GET /a.mp3 HTTP/1.1
        range: bytes=60000-
        if-range: "1"
        accept-encoding: identity
        user-agent: everseed/0.1.0

        GET /a.mp3 HTTP/1.1
        range: bytes=60001-
        if-range: "1"
        accept-encoding: identity
        user-agent: everseed/0.1.0"#]]
    .assert_eq(&server.asked()[1..].join("\n\n"));
    let without_etag = |from| Answer::part(from).without("ETag");
    let server = Server::new([without_etag(0).cut(5), without_etag(5).without("Last-Modified")]);
    assert!(fetch(&server) == Ok(file()), "If-Range held, so the answer need not repeat the date");
    assert!(server.asked()[1].contains("if-range: Fri, 01 May 2026 12:00:00 GMT"));
    let weak = |from| Answer::part(from).with("ETag", "W/\"1\"").without("Last-Modified");
    let server = Server::new([weak(0).chunked().cut(1005), weak(1000)]);
    assert!(fetch(&server) == Ok(file()), "a weak ETag is compared, though it is not sent");
    assert!(!server.asked()[1].contains("if-range"));
}

/// The bytes `wanted` of `/a.mp3`, with where they begin, or why not.
fn part(server: &Server, wanted: std::ops::Range<u64>, bytes: u64) -> Result<(u64, Vec<u8>), String> {
    let shown = |problem: &Problem| server.hide_port(problem);
    let download = client(&patient()).part(&format!("{}/a.mp3", server.url), &wanted, bytes);
    let mut download = download.map_err(|failed| shown(&failed.problem))?;
    let (at, mut got) = (download.at(), Vec::new());
    let read = download.read_to_end(&mut got).map_err(|error| shown(Problem::carried_by(&error).expect("a problem")));
    assert!(read.is_err() || download.at() == download.end());
    read.map(|_| (at, got))
}

#[test]
fn a_part_of_a_file_comes_alone_where_the_server_can() {
    let (file, total) = (file(), 100_000);
    let wanted = || Ok((60_000, file[60_000..70_000].to_vec()));
    // The rest of the file behind it is not taken, nor is it once the connection broke.
    let server = Server::new([Answer::part(60_000).cut(4_000), Answer::part(64_000)]);
    assert!(part(&server, 60_000..70_000, total) == wanted());
    expect![[r#"
        GET /a.mp3 HTTP/1.1
        range: bytes=60000-69999
        accept-encoding: identity
        user-agent: everseed/0.1.0

        GET /a.mp3 HTTP/1.1
        range: bytes=64000-69999
        accept-encoding: identity
        user-agent: everseed/0.1.0"#]]
    .assert_eq(&server.asked().join("\n\n"));
    // A server without ranges gives all of it.
    assert!(part(&Server::new([Answer::whole()]), 60_000..70_000, total) == Ok((0, file.clone())));
    let refused = [
        part(&Server::new([Answer::part(5)]), 60_000..70_000, total),
        part(&Server::new([Answer::part(60_000)]), 60_000..70_000, total + 1),
        part(&Server::new([Answer::status("416 Range Not Satisfiable"), Answer::whole()]), 200_000..200_001, 300_000),
    ];
    expect![[r#"
        http://127.0.0.1:PORT/a.mp3: the answer begins at byte 5 instead of byte 60000
          help: mend how the server answers Range
        http://127.0.0.1:PORT/a.mp3: has 100000 bytes, and 100001 are wanted
          help: it is another file: correct the URL, or copy the file there
        http://127.0.0.1:PORT/a.mp3: has 100000 bytes, and 300000 are wanted
          help: it is another file: correct the URL, or copy the file there"#]]
    .assert_eq(&refused.map(|refused| refused.expect_err("it is refused")).join("\n"));
}

#[test]
fn a_server_that_stalls_is_left_and_asked_again() {
    let server = Server::new([Answer::part(0).cut(60_000).stall(), Answer::asked_part()]);
    // A slow machine may take the second answer for a stalled one too: it is asked for as often as it needs.
    let hasty = Options { stall_within: SHORT, tries_max: u32::MAX, resumes_max: u32::MAX, ..patient() };
    assert!(fetch_with(&server, &hasty) == Ok(file()));
    let hasty = Options { stall_within: SHORT, ..patient() };
    let server = Server::new([Answer::part(0).cut(5).stall(), Answer::asked_part().cut(0).stall()]);
    // Not the whole sentence: on a slow machine the five bytes may have come too late.
    assert!(failed_with(&server, &hasty).contains(" of 100000 (nothing came for 0.02 s)\n  help: try again later"));
    let hasty = Options { head_within: SHORT, ..patient() };
    let server = Server::new([Answer::silent()]);
    expect![[r#"
        http://127.0.0.1:PORT/a.mp3: no answer came within 0.02 s
          help: try again later"#]]
    .assert_eq(&failed_with(&server, &hasty));
}

#[test]
fn what_passes_is_tried_again_so_often_and_no_oftener() {
    let busy = || Answer::status("503 Service Unavailable").with("Retry-After", "3600");
    let server = Server::new([busy(), Answer::part(0).cut(5), Answer::status("500 Oops"), Answer::part(5)]);
    assert!(fetch(&server) == Ok(file()));
    expect![[r#"
        http://127.0.0.1:PORT/a.mp3: answered 503 Service Unavailable
          help: try again later"#]]
    .assert_eq(&refusals([vec![busy()]]));
    let server = Server::new([Answer::part(0).cut(5), Answer::part(5).cut(0)]);
    expect![[r#"
        http://127.0.0.1:PORT/a.mp3: the connection broke at byte 5 of 100000 (end of file before message length reached)
          help: try again later"#]].assert_eq(&failed(&server));
    assert_eq!(server.asked().len(), 1 + 3);
    let server = Server::new((0..9).map(|from| Answer::part(from).cut(1)));
    expect![[r#"
        http://127.0.0.1:PORT/a.mp3: the connection broke at byte 6 of 100000 (end of file before message length reached)
          help: try again later"#]].assert_eq(&failed(&server));
    assert_eq!(server.asked().len(), 1 + 5);
}

#[test]
fn what_is_no_longer_the_same_file_is_not_joined_to_the_first_part() {
    let first = || Answer::part(0).cut(60_000);
    expect![[r#"
        http://127.0.0.1:PORT/a.mp3: the file changed while it was downloaded, at byte 60000 of 100000
          help: run it again when the file is complete on its server
        http://127.0.0.1:PORT/a.mp3: the file changed while it was downloaded, at byte 60000 of 100000
          help: run it again when the file is complete on its server
        http://127.0.0.1:PORT/a.mp3: the file changed while it was downloaded, at byte 60000 of 100000
          help: run it again when the file is complete on its server
        http://127.0.0.1:PORT/a.mp3: the file changed while it was downloaded, at byte 60000 of 100000
          help: run it again when the file is complete on its server
        http://127.0.0.1:PORT/a.mp3: the file changed while it was downloaded, at byte 60000 of 100000
          help: run it again when the file is complete on its server
        http://127.0.0.1:PORT/a.mp3: answered 404 Not Found
          help: correct the URL where it is written: the file is not there"#]]
    .assert_eq(&refusals([
        vec![first(), Answer::part(60_000).with("ETag", "\"2\"")],
        vec![first(), Answer::part(60_000).with("Last-Modified", "Sat, 02 May 2026 12:00:00 GMT")],
        vec![first(), Answer::part(60_000).with("Content-Range", "bytes 60000-99999/100001")],
        vec![first(), Answer::whole().with("ETag", "\"2\"")],
        vec![first(), Answer::status("416 Range Not Satisfiable")],
        vec![first(), Answer::status("404 Not Found")],
    ]));
    // The same file, and not the bytes that were asked for.
    expect![[r#"
        http://127.0.0.1:PORT/a.mp3: asked for the bytes from 60000 on, the server sent others
          help: mend how the server answers Range
        http://127.0.0.1:PORT/a.mp3: asked for the bytes from 60000 on, the server sent others
          help: mend how the server answers Range
        http://127.0.0.1:PORT/a.mp3: asked for the bytes from 60000 on, the server sent others
          help: mend how the server answers Range
        http://127.0.0.1:PORT/a.mp3: asked for the bytes from 60000 on, the server sent others
          help: mend how the server answers Range"#]]
    .assert_eq(&refusals([
        vec![first(), Answer::whole()],
        vec![first(), Answer::part(0)],
        vec![first(), Answer::part(60_000).without("Content-Range")],
        vec![first(), Answer::status("304 Not Modified")],
    ]));
}

#[test]
fn what_cannot_be_taken_up_says_why() {
    expect![[r#"
        http://127.0.0.1:PORT/a.mp3: the connection broke at byte 60000 of 100000 (end of file before message length reached), and the server sends files from their start only
          help: try again; a server that answers Range with 206 could go on
        http://127.0.0.1:PORT/a.mp3: the connection broke at byte 60000 of 100000 (end of file before message length reached), and the server doesn't say whether the file is still the same
          help: try again; a server that sends ETag or Last-Modified could go on"#]].assert_eq(&refusals([
        vec![Answer::whole().cut(60_000)],
        vec![Answer::part(0).without("ETag").without("Last-Modified").cut(60_000)],
    ]));
}

#[test]
fn an_answer_that_is_not_the_file_is_refused() {
    expect![[r#"
        http://127.0.0.1:PORT/a.mp3: answered 404 Not Found
          help: correct the URL where it is written: the file is not there
        http://127.0.0.1:PORT/a.mp3: answered 403 Forbidden
          help: let the server give the file to everybody, as listeners need it
        http://127.0.0.1:PORT/a.mp3: answered 204 No Content
          help: open the URL in a browser: it should give the file itself
        http://127.0.0.1:PORT/a.mp3: answered 304 Not Modified
          help: open the URL in a browser: it should give the file itself
        http://127.0.0.1:PORT/a.mp3: answered 416 Range Not Satisfiable
          help: open the URL in a browser: it should give the file itself
        http://127.0.0.1:PORT/a.mp3: invalid HTTP status-code parsed
          help: open the URL in a browser: what answers there is not a web server
        http://127.0.0.1:PORT/a.mp3: message head is too large
          help: open the URL in a browser: what answers there is not a web server"#]]
    .assert_eq(&refusals([
        vec![Answer::status("404 Not Found")],
        vec![Answer::status("403 Forbidden")],
        vec![Answer::status("204 No Content")],
        vec![Answer::status("304 Not Modified")],
        vec![Answer::status("416 Range Not Satisfiable")],
        vec![Answer::status("four hundred")],
        vec![Answer::part(0).with("Set-Cookie", &"a".repeat(2 * super::BUFFER_BYTES_MAX))],
    ]));
    expect![[r#"
        http://127.0.0.1:PORT/a.mp3: the server doesn't say how large the file is
          help: let it send Content-Length: podcast apps need it
        http://127.0.0.1:PORT/a.mp3: the server doesn't say how large the file is
          help: let it send Content-Length: podcast apps need it
        http://127.0.0.1:PORT/a.mp3: the server doesn't say how large the file is
          help: let it send Content-Length: podcast apps need it
        http://127.0.0.1:PORT/a.mp3: more came than the 10 bytes that were announced
          help: mend what the server says about the size
        http://127.0.0.1:PORT/a.mp3: the answer begins at byte 5 instead of byte 0
          help: mend how the server answers Range
        http://127.0.0.1:PORT/a.mp3: is sent as `gzip`, though the file itself was asked for
          help: switch compression off for media on the server"#]]
    .assert_eq(&refusals([
        vec![Answer::whole().without("Content-Length")],
        vec![Answer::whole().chunked()],
        vec![Answer::part(0).with("Content-Range", "bytes 0-99999/*")],
        vec![Answer::part(0).with("Content-Range", "bytes 0-9/10")],
        vec![Answer::part(5)],
        vec![Answer::whole().with("Content-Encoding", "gzip")],
    ]));
}

#[test]
fn long_validators_are_as_good_as_none() {
    let long = "a".repeat(super::VALUE_BYTES_MAX + 1);
    let server = Server::new([Answer::part(0).with("ETag", &long).with("Last-Modified", " ")]);
    let download = body(client(&patient()).open(&server.url, &[]));
    assert_eq!(download.remote().validators(), Validators { bytes: 100_000, etag: None, last_modified: None });
}

#[test]
fn redirects_are_followed_and_recorded() {
    let other = Server::new([Answer::part(0)]);
    let server = Server::new([
        Answer::redirect("301 Moved Permanently", "/b?c"),
        Answer::redirect("302 Found", "d"),
        Answer::redirect("303 See Other", "//127.0.0.1/e").with("Location", &format!("{}/e#f", other.url)),
    ]);
    let mut download = body(client(&patient()).open(&format!("{}/x/a.mp3", server.url), &[]));
    let mut bytes = Vec::new();
    download.read_to_end(&mut bytes).expect("read");
    assert!(bytes == file());
    let lines: Vec<_> = server.asked().iter().map(|head| head.lines().next().unwrap_or_default().to_owned()).collect();
    assert_eq!(lines, ["GET /x/a.mp3 HTTP/1.1", "GET /b?c HTTP/1.1", "GET /d HTTP/1.1"]);
    let remote = download.remote();
    assert_eq!(remote.final_url, format!("{}/e", other.url));
    let statuses: Vec<_> = remote.redirects.iter().map(|redirect| redirect.status).collect();
    assert_eq!(statuses, [301, 302, 303]);
    let urls: Vec<_> = remote.redirects.iter().map(|redirect| redirect.url.clone()).collect();
    assert_eq!(urls, [format!("{}/b?c", server.url), format!("{}/d", server.url), format!("{}/e", other.url)]);
}

#[test]
fn redirects_that_lead_nowhere_are_refused() {
    let server = Server::new([Answer::redirect("307 Temporary Redirect", "/a.mp3")]);
    expect![[r#"
        http://127.0.0.1:PORT/a.mp3: redirects more than 10 times
          help: use the URL that the file has now"#]]
    .assert_eq(&failed(&server));
    assert_eq!(server.asked().len(), REDIRECTS_MAX + 1);
    expect![[r#"
        http://127.0.0.1:PORT/a.mp3: answered 308 without saying where the file is
          help: use the URL that the file has now
        http://127.0.0.1:PORT/a.mp3: answered 302 without saying where the file is
          help: use the URL that the file has now
        http://127.0.0.1:PORT/a.mp3: redirects to ftp://example.org/a.mp3: files are fetched over http and https only
          help: use the URL that the file has now
        http://127.0.0.1:PORT/a.mp3: redirects to https://example.org/a.mp3: a user name or password stands in the URL, and all who read the feed would see it
          help: use the URL that the file has now
        http://127.0.0.1:PORT/a.mp3 (redirected to http://127.0.0.1:PORT/b.mp3): answered 404 Not Found
          help: correct the URL where it is written: the file is not there"#]].assert_eq(&refusals([
        vec![Answer::status("308 Permanent Redirect")],
        vec![Answer::redirect("302 Found", "http://[")],
        vec![Answer::redirect("302 Found", "ftp://example.org/a.mp3")],
        vec![Answer::redirect("302 Found", "https://me:secret@example.org/a.mp3")],
        vec![Answer::redirect("302 Found", "/b.mp3"), Answer::status("404 Not Found")],
    ]));
}

#[test]
fn a_file_that_is_known_is_read_only_if_it_is_another_one() {
    let etag = Validators { bytes: 100_000, etag: Some("\"1\"".into()), last_modified: Some("long ago".into()) };
    let date = Validators { etag: None, last_modified: Some("Fri, 01 May 2026 12:00:00 GMT".into()), ..etag.clone() };
    let none = Validators { bytes: 100_000, etag: None, last_modified: None };
    let other = Validators { etag: Some("\"0\"".into()), ..date.clone() };
    let opened = |answer: Answer, known: &Validators| {
        let server = Server::new([answer]);
        let opened = client(&patient()).open(&server.url, std::slice::from_ref(known)).expect("answered");
        let condition = server.asked()[0].lines().find(|line| line.starts_with("if-")).map(str::to_owned);
        (matches!(opened, Opened::Same { known: 0, .. }), condition)
    };
    let unchanged = || Answer::status("304 Not Modified").without("Content-Length");
    assert_eq!(opened(unchanged(), &etag), (true, Some("if-none-match: \"1\"".into())));
    assert_eq!(opened(unchanged(), &date), (true, Some("if-modified-since: Fri, 01 May 2026 12:00:00 GMT".into())));
    // A server that doesn't know conditions says with the head of the file what it is.
    assert!(opened(Answer::part(0), &etag).0);
    assert!(opened(Answer::whole(), &date).0);
    assert!(!opened(Answer::part(0), &other).0, "the ETag decides, where there is one");
    assert!(!opened(Answer::part(0), &Validators { bytes: 99_999, ..etag.clone() }).0);
    assert_eq!(opened(Answer::part(0), &none), (false, None));
    let server = Server::new([Answer::redirect("302 Found", "/b.mp3"), Answer::part(0)]);
    let found = client(&patient()).open(&server.url, &[other, etag]).expect("answered");
    let Opened::Same { known, final_url } = found else { panic!("one of them is the file") };
    assert_eq!((known, final_url), (1, format!("{}/b.mp3", server.url)));
    // What can't stand in a header is not sent.
    assert_eq!(opened(Answer::part(0), &Validators { etag: Some("\n".into()), ..none }), (false, None));
}

#[test]
fn a_url_that_is_none_or_holds_credentials_is_refused_before_anybody_is_asked() {
    let client = client(&patient());
    let said = |url| client.open(url, &[]).expect_err("refused").to_string();
    expect![[r#"
        `media/a.mp3` is not a URL: relative URL without a base
          help: write it as https://example.org/episode.mp3"#]]
    .assert_eq(&said("media/a.mp3"));
    expect![[r#"
        file:///etc/passwd: files are fetched over http and https only
          help: write it as https://example.org/episode.mp3"#]]
    .assert_eq(&said("file:///etc/passwd"));
    expect![[r#"
        https://example.org/a.mp3: a user name or password stands in the URL, and all who read the feed would see it
          help: write it as https://example.org/episode.mp3"#]]
    .assert_eq(&said("https://me:secret@example.org/a.mp3"));
    expect![[r#"
        `https:///` is not a URL: empty host
          help: write it as https://example.org/episode.mp3"#]]
    .assert_eq(&said("https:///"));
}

#[test]
fn a_server_that_is_not_there_is_named() {
    // Bound, so that nobody else has the port, and not listening.
    let socket = TcpSocket::new_v4().expect("a socket");
    socket.bind(([127, 0, 0, 1], 0).into()).expect("a free port");
    let address = socket.local_addr().expect("bound");
    let url = format!("http://{address}/a.mp3");
    let problem = client(&patient()).open(&url, &[]).expect_err("nobody listens");
    let reason = TcpStream::connect(address).expect_err("nobody listens");
    let help = "correct the host in the URL, or try again when it is reachable";
    assert_eq!(problem, Problem::new(format!("{url}: {reason}")).help(help));
}

#[test]
fn tls_is_spoken_with_those_whom_a_root_vouches_for() {
    let (server, roots) = Server::tls([Answer::part(0).cut(60_000), Answer::part(60_000)]);
    let trusting = Client::with_roots(&patient(), roots).expect("a client");
    let mut bytes = Vec::new();
    body(trusting.open(&server.url, &[])).read_to_end(&mut bytes).expect("read");
    assert!(bytes == file());
    expect![[r#"
        https://localhost:PORT/a.mp3: invalid peer certificate: UnknownIssuer
          help: mend the certificate of the server; SSL_CERT_FILE names certificates to trust instead of the system's"#]]
    .assert_eq(&failed(&server));
    let problem = trusting.open(&server.url.replace("localhost", "127.0.0.1"), &[]);
    let problem = problem.expect_err("the certificate is for a name");
    expect![[r#"
        https://127.0.0.1:PORT/: invalid peer certificate: certificate not valid for name "127.0.0.1"; certificate is only valid for DnsName("localhost")
          help: mend the certificate of the server; SSL_CERT_FILE names certificates to trust instead of the system's"#]].assert_eq(&server.hide_port(&problem));
}

#[test]
fn a_redirect_from_https_to_http_is_not_followed() {
    let (server, roots) = Server::tls([Answer::redirect("302 Found", "http://example.org/a.mp3")]);
    let problem = Client::with_roots(&patient(), roots).and_then(|client| client.open(&server.url, &[]));
    expect![[r#"
        https://localhost:PORT/: redirects from https to http://example.org/a.mp3, where anybody could change it
          help: use the URL that the file has now"#]]
    .assert_eq(&server.hide_port(&problem.expect_err("not followed")));
}

#[test]
fn a_download_that_is_dropped_gives_its_connection_up() {
    // The server takes one connection at a time, and holds the first until the client leaves it.
    let server = Server::new([Answer::part(0).cut(60_000).stall(), Answer::part(0)]);
    let client = client(&patient());
    let mut first = body(client.open(&server.url, &[]));
    first.read_exact(&mut [0; 10]).expect("ten bytes");
    drop(first);
    body(client.open(&server.url, &[])).read_to_end(&mut Vec::new()).expect("read");
}

#[test]
fn an_error_stays_one_and_a_download_outlives_its_client() {
    let server = Server::new([Answer::whole().cut(5)]);
    let mut download = body(client(&patient()).open(&server.url, &[]));
    let mut bytes = Vec::new();
    let first = download.read_to_end(&mut bytes).expect_err("it breaks").to_string();
    assert_eq!(bytes, [0, 1, 2, 3, 4]);
    let later = std::thread::spawn(move || download.read(&mut [0]).expect_err("broken").to_string());
    assert_eq!(later.join().expect("no panic"), first);
}

#[test]
fn one_client_serves_many_threads() {
    let server = Server::new([Answer::asked_part()]);
    let client = client(&patient());
    let get = || {
        let mut bytes = Vec::new();
        body(client.open(&server.url, &[])).read_to_end(&mut bytes).expect("read");
        assert!(bytes == file());
    };
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(get);
        }
    });
}

#[test]
fn a_client_of_the_system_trusts_somebody() {
    Client::new(&Options::default()).expect("a client");
    assert!(!super::tls::roots().expect("roots").is_empty());
}
