//! A folder, served.

use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

use expect_test::expect;
use hyper::body::Incoming;
use hyper::{Request, StatusCode};
use tempfile::TempDir;
use tokio::net::TcpListener;

use super::client::{Answer, ask, get};
use crate::serve::clock;
use crate::serve::files::{Ask, Files, path};
use crate::serve::http::{Counters, Options, serve};
use crate::serve::log::Log;
use crate::serve::reply;

struct House {
    at: SocketAddr,
    folder: TempDir,
}

async fn house() -> House {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let root = folder.path().join("public");
    write(&root, "index.html", "<p>home");
    write(&root, "404.html", "<p>lost");
    write(&root, "episodes/one/index.html", "<p>one");
    write(&root, "empty/readme.txt", "");
    write(&root, "media/ep 1.mp3", "0123456789");
    write(&root, "feed.xml", "<rss/>");
    write(&root, ".env", "secret");
    write(&root, ".git/config", "secret");
    write(folder.path(), "secret.txt", "secret");
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let at = listener.local_addr().expect("bound");
    let answer = move |_, request: Request<Incoming>| {
        let root = root.clone();
        async move {
            let shelf = Arc::default();
            let files = Files { root: &root, shelf: &shelf, media: |_: [&str; 2]| None };
            let uri = request.uri();
            match path::parse(uri.path()) {
                Ok(path) => {
                    let target = (uri.path().to_owned(), uri.query().map(str::to_owned));
                    let ask =
                        Ask { method: request.method().clone(), path, target, headers: request.headers().clone() };
                    files.answer(&ask, clock::now())
                }
                Err(path::Refused::Hidden) => files.not_found(clock::now()),
                Err(path::Refused::Malformed) => reply::text(StatusCode::BAD_REQUEST, "no path"),
            }
        }
    };
    let (log, _) = Log::memory();
    let never = std::future::pending();
    tokio::spawn(serve(listener, None, Options::default(), Arc::new(Counters::default()), log, answer, never));
    House { at, folder }
}

fn write(root: &Path, path: &str, text: &str) {
    let path = root.join(path);
    fs::create_dir_all(path.parent().expect("below a folder")).expect("a folder");
    fs::write(path, text).expect("written");
}

impl House {
    fn root(&self) -> std::path::PathBuf {
        self.folder.path().join("public")
    }

    async fn get(&self, target: &str) -> Answer {
        get(self.at, target).await
    }

    async fn ask(&self, method: &str, target: &str, headers: &[&str]) -> Answer {
        ask(self.at, method, target, headers).await
    }
}

#[tokio::test]
async fn a_file_comes_with_its_headers() {
    let house = house().await;
    let answer = house.get("/media/ep%201.mp3").await;
    let mut fields: Vec<String> = answer.head.lines().skip(1).map(str::to_owned).collect();
    fields.retain(|field| !field.starts_with("date:") && !field.starts_with("connection:"));
    for field in &mut fields {
        if field.starts_with("etag: \"") || field.starts_with("last-modified: ") {
            field.truncate(field.find(' ').expect("a space"));
        }
    }
    expect![[r#"
        accept-ranges: bytes
        cache-control: public, max-age=3600
        etag:
        last-modified:
        access-control-allow-origin: *
        access-control-expose-headers: accept-ranges, content-length, content-range, etag, last-modified
        content-type: audio/mpeg
        x-content-type-options: nosniff
        referrer-policy: strict-origin-when-cross-origin
        content-length: 10"#]]
    .assert_eq(&fields.join("\n"));
    assert_eq!((answer.status, answer.text().as_str()), (200, "0123456789"));
}

#[tokio::test]
async fn folders_lead_to_their_pages_and_the_lost_to_the_404_page() {
    let house = house().await;
    let mut lines = Vec::new();
    for target in [
        "/",
        "/index.html",
        "/?utm=1",
        "/episodes/one/",
        "/episodes/one",
        "/episodes/one?a=b",
        "/episodes",
        "/episodes/",
        "/empty",
        "/empty/",
        "/empty/readme.txt",
        "/feed.xml/",
        "/feed.xml/x",
        "/nothing",
        "/%zz",
        "//example.org/..",
    ] {
        let answer = house.get(target).await;
        let location = answer.header("location").map(|to| format!(" -> {to}")).unwrap_or_default();
        lines.push(format!("{target}: {}{location} {:?}", answer.status, answer.text()));
    }
    expect![[r#"
        /: 200 "<p>home"
        /index.html: 200 "<p>home"
        /?utm=1: 200 "<p>home"
        /episodes/one/: 200 "<p>one"
        /episodes/one: 301 -> /episodes/one/ "the folder stands behind a `/`\\n"
        /episodes/one?a=b: 301 -> /episodes/one/?a=b "the folder stands behind a `/`\\n"
        /episodes: 404 "<p>lost"
        /episodes/: 404 "<p>lost"
        /empty: 404 "<p>lost"
        /empty/: 404 "<p>lost"
        /empty/readme.txt: 200 ""
        /feed.xml/: 404 "<p>lost"
        /feed.xml/x: 404 "<p>lost"
        /nothing: 404 "<p>lost"
        /%zz: 400 "no path\\n"
        //example.org/..: 404 "<p>lost""#]]
    .assert_eq(&lines.join("\n"));
}

#[tokio::test]
async fn nothing_outside_the_folder_is_read() {
    let house = house().await;
    let link = |to: &str, name: &str| std::os::unix::fs::symlink(to, house.root().join(name)).expect("a link");
    link("../secret.txt", "out.txt");
    link("..", "up");
    link(".env", "env.txt");
    link(".git", "git");
    link("loop", "loop");
    link("nowhere", "dangling");
    link("media", "sound");
    let targets = [
        "/../secret.txt",
        "/%2e%2e/secret.txt",
        "/media/../../secret.txt",
        "/..%2fsecret.txt",
        "/.env",
        "/%2eenv",
        "/.git/config",
        "/out.txt",
        "/up/secret.txt",
        "/up/",
        "/env.txt",
        "/git/config",
        "/loop",
        "/dangling",
        "/secret.txt%00.html",
        &format!("/{}", "a".repeat(300)),
    ];
    for target in targets {
        let answer = house.get(target).await;
        assert_eq!((answer.status, answer.text().as_str()), (404, "<p>lost"), "{target}");
    }
    assert_eq!(house.get("/sound/ep%201.mp3").await.status, 200, "a link within the site");
}

#[tokio::test]
async fn ranges_of_a_file() {
    let house = house().await;
    let mut lines = Vec::new();
    for (method, range) in [
        ("GET", "bytes=0-3"),
        ("GET", "bytes=7-"),
        ("GET", "bytes=-2"),
        ("GET", "bytes=8-99"),
        ("GET", "bytes=10-"),
        ("GET", "bytes=-0"),
        ("GET", "bytes=0-1,4-5"),
        ("GET", "bytes=nonsense"),
        ("HEAD", "bytes=0-3"),
    ] {
        let answer = house.ask(method, "/media/ep%201.mp3", &[&format!("Range: {range}")]).await;
        let header = |name| answer.header(name).unwrap_or("-");
        lines.push(format!(
            "{method} {range}: {} {} of {} {:?}",
            answer.status,
            header("content-range"),
            header("content-length"),
            answer.text()
        ));
    }
    expect![[r#"
        GET bytes=0-3: 206 bytes 0-3/10 of 4 "0123"
        GET bytes=7-: 206 bytes 7-9/10 of 3 "789"
        GET bytes=-2: 206 bytes 8-9/10 of 2 "89"
        GET bytes=8-99: 206 bytes 8-9/10 of 2 "89"
        GET bytes=10-: 416 bytes */10 of 0 ""
        GET bytes=-0: 416 bytes */10 of 0 ""
        GET bytes=0-1,4-5: 200 - of 10 "0123456789"
        GET bytes=nonsense: 200 - of 10 "0123456789"
        HEAD bytes=0-3: 200 - of 10 """#]]
    .assert_eq(&lines.join("\n"));
}

#[tokio::test]
async fn conditions_of_a_request() {
    let house = house().await;
    let media = "/media/ep%201.mp3";
    let old = std::time::SystemTime::UNIX_EPOCH + std::time::Duration::from_secs(784_111_777);
    let file = fs::File::options().append(true).open(house.root().join("media/ep 1.mp3")).expect("opened");
    file.set_modified(old).expect("dated");
    let answer = house.get(media).await;
    let etag = answer.header("etag").expect("a tag").to_owned();
    let date = answer.header("last-modified").expect("a date").to_owned();
    assert_eq!(date, "Sun, 06 Nov 1994 08:49:37 GMT");
    let range = "Range: bytes=0-0".to_owned();
    let cases: &[(&[String], u16)] = &[
        (&[format!("If-None-Match: {etag}")], 304),
        (&[format!("If-None-Match: W/{etag}, \"x\"")], 304),
        (&["If-None-Match: \"x\"".into(), format!("If-Modified-Since: {date}")], 200),
        (&[format!("If-Modified-Since: {date}")], 304),
        (&[format!("If-Match: {etag}")], 200),
        (&["If-Match: \"x\"".into()], 412),
        (&[range.clone(), format!("If-Range: {etag}")], 206),
        (&[range.clone(), format!("If-Range: {date}")], 206),
        (&[range.clone(), "If-Range: \"x\"".into()], 200),
        (&[range.clone(), format!("If-None-Match: {etag}")], 304),
    ];
    for (headers, status) in cases {
        let lines: Vec<&str> = headers.iter().map(String::as_str).collect();
        for method in ["GET", "HEAD"] {
            // To HEAD no range applies.
            let status = if method == "HEAD" && *status == 206 { 200 } else { *status };
            let answer = house.ask(method, media, &lines).await;
            assert_eq!(answer.status, status, "{method} {headers:?}");
            assert_eq!(answer.header("etag"), Some(&etag[..]));
            assert!(status < 300 || answer.body.is_empty());
            // A 304 has no body, and must not say that the file has none either.
            assert!(status != 304 || answer.header("content-length").is_none(), "{}", answer.head);
        }
    }
    fs::write(house.root().join("media/ep 1.mp3"), "9876543210").expect("written");
    let changed = house.ask("GET", media, &[&format!("If-None-Match: {etag}")]).await;
    assert_eq!((changed.status, changed.text().as_str()), (200, "9876543210"));
}

#[tokio::test]
async fn methods_and_preflights() {
    let house = house().await;
    for method in ["POST", "PUT", "DELETE", "TRACE", "PROPFIND"] {
        let answer = house.ask(method, "/feed.xml", &["Content-Length: 0"]).await;
        assert_eq!((answer.status, answer.header("allow")), (405, Some("GET, HEAD, OPTIONS")), "{method}");
    }
    let preflight = house.ask("OPTIONS", "/media/ep%201.mp3", &["Origin: https://other.example.org"]).await;
    assert_eq!((preflight.status, preflight.header("access-control-allow-origin")), (204, Some("*")));
    let allowed = preflight.header("access-control-allow-headers").expect("headers");
    assert!(allowed.contains("range") && allowed.contains("cache-control"), "{allowed}");
    assert_eq!(house.get("/").await.header("access-control-allow-origin"), None);
    assert_eq!(house.get("/feed.xml").await.header("access-control-allow-origin"), Some("*"));
}

#[tokio::test]
async fn a_file_that_shrinks_while_it_is_sent_ends_the_connection() {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    const BYTES: u64 = 64 << 20;
    let house = house().await;
    let path = house.root().join("media/large.bin");
    // Sparse, and larger than all buffers between server and client.
    fs::File::create(&path).and_then(|file| file.set_len(BYTES)).expect("a large file");
    let mut stream = tokio::net::TcpStream::connect(house.at).await.expect("connected");
    stream.write_all(b"GET /media/large.bin HTTP/1.1\r\n\r\n").await.expect("sent");
    let mut some = vec![0; 1000];
    stream.read_exact(&mut some).await.expect("it begins");
    fs::File::options().write(true).open(&path).and_then(|file| file.set_len(0)).expect("shrunk");
    let mut rest = Vec::new();
    let _ = stream.read_to_end(&mut rest).await;
    assert!((rest.len() as u64) < BYTES - 1000);
    assert!(!rest.ends_with(b"\n"), "no error is glued to half a file");
}

#[tokio::test]
async fn a_pipe_in_the_folder_holds_nobody() {
    let house = house().await;
    let made = std::process::Command::new("mkfifo").arg(house.root().join("pipe")).status();
    if made.is_ok_and(|status| status.success()) {
        assert_eq!(house.get("/pipe").await.status, 404);
    }
}
