//! Damaged files of a site that is served: what would be done about them is shown, and where that is wanted, done.

use std::fs::{self, File};
use std::time::{Duration, UNIX_EPOCH};

use super::client::Answer;
use super::server::{House, bound};
use super::show::{Show, noise};
use crate::heal::Mode;
use crate::serve::heal::Pauses;
use crate::serve::{Healing, Options};

const FILES: [&str; 3] = ["ep1.mp3", "ep2.mp3", "ep3.mp3"];

/// A show of three releases, whose media are older than their torrents.
fn show() -> Show {
    let mut show = Show::at("https://show.example.org/show/");
    for (name, len) in FILES.into_iter().zip([100_000, 70_000, 20_000]) {
        show.release(name, &noise(len));
        age(&show, name);
    }
    show.publish();
    show
}

fn age(show: &Show, name: &str) {
    let file = File::options().write(true).open(show.path(&format!("media/{name}"))).expect("a file");
    file.set_modified(UNIX_EPOCH + Duration::from_secs(1_000_000_000)).expect("set");
}

/// Changes a byte of a file, and neither its size nor its time.
fn rot(show: &Show, name: &str, at: usize) {
    let path = show.path(&format!("media/{name}"));
    let mut bytes = fs::read(&path).expect("a file");
    bytes[at] ^= 0x55;
    fs::write(&path, bytes).expect("written");
    age(show, name);
}

/// A server of the show that heals in this way, from these servers.
async fn open(show: &Show, mode: Mode, mirrors: &[&House]) -> House {
    let now = Duration::from_millis(1);
    let pauses = Pauses { look: now, decayed: now, missing: now, again: Duration::from_secs(600), ..Pauses::default() };
    let mut healing = Healing { mode, pauses, ..Healing::default() };
    healing.options.mirrors = mirrors.iter().map(|house| format!("http://{}/", house.at)).collect();
    healing.options.http.tries_max = 1;
    House::with(show, Options { healing, ..Options::new(show.root()) }, bound()).await
}

/// What stands in the field `heal` of each torrent.
fn healing(answer: &Answer) -> Vec<Option<String>> {
    let value: serde_json::Value = serde_json::from_slice(&answer.body).expect("JSON");
    let rows = value["torrents"].as_array().expect("a list");
    rows.iter().map(|row| row["heal"].as_str().map(str::to_owned)).collect()
}

/// Whether all three are seeded, with nothing wrong.
fn is_well(answer: &Answer) -> bool {
    let value: serde_json::Value = serde_json::from_slice(&answer.body).expect("JSON");
    value["seeded"] == 3 && value["verifying"] == 0 && value["status"] == "ok"
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_heals_by_itself_where_that_is_wanted() {
    let (copy, show) = (show(), show());
    let mirror = open(&copy, Mode::Off, &[]).await;
    rot(&show, "ep1.mp3", 50_000);
    fs::remove_file(show.path("media/ep2.mp3")).expect("removed");
    let house = open(&show, Mode::On, &[&mirror]).await;
    house.until("/healthz", is_well).await;
    for name in FILES {
        assert!(
            fs::read(show.path(&format!("media/{name}"))).ok() == fs::read(copy.path(&format!("media/{name}"))).ok()
        );
    }
    let lines = house.lines().replace(&mirror.at.to_string(), "MIRROR");
    for line in [
        "heal: media/ep1.mp3 of Title of ep1.mp3 is whole again (16.4 kB, from http://MIRROR/)",
        "heal: media/ep2.mp3 of Title of ep2.mp3 is whole again (70.0 kB, from http://MIRROR/)",
    ] {
        assert!(lines.contains(line), "{line}: {lines}");
    }
    assert_eq!(healing(&house.get("/api/swarms.json").await), [None, None, None]);
    house.close().await;
    mirror.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_is_to_ask_says_what_it_would_do_and_does_nothing() {
    let (copy, show) = (show(), show());
    let mirror = open(&copy, Mode::Off, &[]).await;
    rot(&show, "ep1.mp3", 50_000);
    show.write("media/ep2.mp3", b"a new version");
    let before = fs::read(show.path("media/ep1.mp3")).expect("a file");
    let house = open(&show, Mode::Ask, &[&mirror]).await;
    let all_told = |answer: &Answer| healing(answer).iter().flatten().count() == 2;
    let answer = house.until("/api/swarms.json", all_told).await;
    let told = healing(&answer).into_iter().flatten().collect::<Vec<_>>().join("\n");
    expect_test::expect![[r#"
        1 piece (16.4 kB) would be fetched from http://MIRROR/ or the swarm; `everseed heal --yes` does it
        it may be a new version: build the site again, or take back what was published with `everseed heal --yes --force "ep2.mp3"`"#]].assert_eq(&told.replace(&mirror.at.to_string(), "MIRROR"));
    assert!(fs::read(show.path("media/ep1.mp3")).expect("a file") == before);
    // The page shows it too.
    let page = house.get("/swarms").await.text();
    assert!(page.contains("would be fetched from"), "{page}");
    // What comes back is not told of any more.
    fs::copy(copy.path("media/ep1.mp3"), show.path("media/ep1.mp3")).expect("restored");
    show.publish();
    house.until("/api/swarms.json", |answer| healing(answer)[0].is_none()).await;
    house.close().await;
    mirror.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_healing_that_fails_says_why_and_waits() {
    let (copy, show) = (show(), show());
    let mirror = open(&copy, Mode::Off, &[]).await;
    for show in [&copy, &show] {
        rot(show, "ep1.mp3", 50_000);
    }
    let house = open(&show, Mode::On, &[&mirror]).await;
    let is_told = |answer: &Answer| healing(answer)[0].as_ref().is_some_and(|text| text.contains("again"));
    let answer = house.until("/api/swarms.json", is_told).await;
    expect_test::expect!["media/ep1.mp3 1 piece could not be had; tried again in 600 s"]
        .assert_eq(healing(&answer)[0].as_deref().unwrap_or_default());
    let lines = house.lines().replace(&mirror.at.to_string(), "MIRROR");
    let at = lines.find("WARNING: heal").expect("a warning");
    let warning: Vec<_> = lines[at..].lines().take(4).collect();
    expect_test::expect![[r#"
        WARNING: heal: Title of ep1.mp3 is not whole
          media/ep1.mp3: 1 piece could not be had
          http://MIRROR/: 0 pieces; http://MIRROR/media/ep1.mp3: answered 503 Service Unavailable
          the swarm: 0 pieces; nobody is known who has "ep1.mp3""#]]
    .assert_eq(&warning.join("\n"));
    house.close().await;
    mirror.close().await;
}

/// A folder that is not mounted is no reason to fetch everything.
#[tokio::test(flavor = "multi_thread")]
async fn media_that_are_gone_all_at_once_are_not_fetched_again_by_themselves() {
    let (copy, show) = (show(), show());
    let mirror = open(&copy, Mode::Off, &[]).await;
    fs::rename(show.path("media"), show.path("elsewhere")).expect("renamed");
    let house = open(&show, Mode::On, &[&mirror]).await;
    let answer = house.until("/api/swarms.json", |answer| healing(answer).iter().all(Option::is_some)).await;
    expect_test::expect!["3 torrents are missing at once, as if a disk were: they are not fetched again by themselves; `everseed heal` does it"].assert_eq(healing(&answer)[2].as_deref().unwrap_or_default());
    assert!(!show.path("media").exists());
    house.close().await;
    mirror.close().await;
}
