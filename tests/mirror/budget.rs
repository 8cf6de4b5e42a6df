//! What fits into the budget, and who goes.

use std::fs;

use expect_test::expect;

use super::house::web::File;
use super::house::{House, KIB, episode};
use super::{Fan, Publisher, day};

/// A show of four episodes of 100 KiB each, of which the last is the newest.
fn show() -> House {
    (1..=4).fold(House::new(), add)
}

fn add(house: House, n: u8) -> House {
    let media = format!("ep{n}.mp3");
    house
        .page(&format!("ep{n}.md"), &episode(&format!("No. {n}"), &format!("2026-05-0{n}"), &media))
        .media(&media, 100 * KIB)
}

fn withdraw(house: House, n: u8) -> House {
    fs::remove_file(house.root().join(format!("content/ep{n}.md"))).expect("removed");
    // Nor is it listed as retired by the show itself.
    fs::remove_dir_all(house.root().join("retired")).ok();
    house
}

#[test]
fn the_newest_come_first_and_what_does_not_fit_is_told_once() {
    // The show keeps nothing that it has withdrawn.
    let publisher = Publisher::of(show(), "[torrent]\nretired_days = 0\n");
    let fan = Fan::of(&publisher.web.url("torrents.xml")).with(|options| options.budget_bytes = Some(250_000));
    let mut mirror = fan.mirror();
    let round = mirror.round(day(1), None);
    assert_eq!((round.fetched, round.missing, round.left_out), (2, 0, 2));
    expect![[r#"
        WARNING: mirror: No. 2 is left out: it has 102.4 kB, and the budget lacks 57.2 kB
        WARNING: mirror: No. 1 is left out: it has 102.4 kB, and the budget lacks 57.2 kB
        mirror: No. 4 is here, 102.4 kB, 7 pieces from web seeds
        mirror: No. 3 is here, 102.4 kB, 7 pieces from web seeds"#]]
    .assert_eq(&publisher.web.hide_port(&fan.told()));
    assert_eq!((mirror.round(day(2), None).left_out, fan.told()), (2, String::new()));

    // One is withdrawn, and stays while there is room; a new one needs it.
    let publisher = publisher.change(|house| withdraw(house, 3));
    mirror.round(day(3), None);
    expect![[r#"
        No. 4: media/ep4.mp3
        No. 3, retired 2026-06-03T12:00:00Z: media/ep3.mp3
    "#]]
    .assert_eq(&fan.listed());
    let publisher = publisher.change(|house| add(house, 5));
    let round = mirror.round(day(4), None);
    assert_eq!(round.fetched, 1);
    expect![[r#"
        No. 5: media/ep5.mp3
        No. 4: media/ep4.mp3
    "#]]
    .assert_eq(&fan.listed());
    expect![[r#"
        mirror: the show has given up 1 torrent
        mirror: No. 3 is removed, 102.4 kB: the budget is needed for a newer one
        mirror: No. 5 is here, 102.4 kB, 7 pieces from web seeds"#]]
    .assert_eq(&fan.told());
    let media: Vec<_> = fan.files().into_keys().filter(|name| name.starts_with("media/")).collect();
    assert_eq!(media, ["media/ep4.mp3", "media/ep5.mp3"], "its file has gone");
    drop(publisher);
}

#[test]
fn where_it_rolls_the_oldest_go_for_the_new() {
    let publisher = Publisher::of(show(), "[torrent]\nretired_days = 0\n");
    let fan = Fan::of(&publisher.web.url("everseed.json"));
    let fan = fan.with(|options| {
        options.budget_bytes = Some(250_000);
        options.is_rolling = true;
    });
    let mut mirror = fan.mirror();
    mirror.round(day(1), None);
    expect![[r#"
        No. 4: media/ep4.mp3
        No. 3: media/ep3.mp3
    "#]]
    .assert_eq(&fan.listed());
    let publisher = publisher.change(|house| add(house, 5));
    mirror.round(day(2), None);
    expect![[r#"
        No. 5: media/ep5.mp3
        No. 4: media/ep4.mp3
    "#]]
    .assert_eq(&fan.listed());
    assert_eq!(mirror.round(day(3), None).fetched, 0, "and do not come back");
    drop(publisher);
}

#[test]
fn a_smaller_budget_takes_what_is_retired_and_nothing_goes_for_what_never_comes() {
    let publisher = Publisher::of(show(), "[torrent]\nretired_days = 0\n");
    let fan = Fan::of(&publisher.web.url("everseed.json"));
    fan.round();
    let publisher = publisher.change(|house| withdraw(house, 4));
    fan.round();
    fan.told();
    // A new one is announced, and its bytes are nowhere.
    let publisher = publisher.change(|house| add(house, 5));
    publisher.web.remove("media/ep5.mp3");
    let fan = fan.with(|options| options.budget_bytes = Some(420_000));
    let round = fan.round();
    assert_eq!((round.missing, fan.entries().len()), (1, 4), "{}", fan.told());
    let fan = fan.with(|options| options.budget_bytes = Some(310_000));
    fan.told();
    fan.round();
    expect![[r#"
        mirror: No. 4 is removed, 102.4 kB: more is kept than the budget allows
        WARNING: mirror: No. 5 is left out: it has 102.4 kB, and the budget lacks 99.6 kB"#]]
    .assert_eq(&publisher.web.hide_port(&fan.told()));
    expect![[r#"
        No. 3: media/ep3.mp3
        No. 2: media/ep2.mp3
        No. 1: media/ep1.mp3
    "#]]
    .assert_eq(&fan.listed());
    let fan = fan.with(|options| options.budget_bytes = Some(50_000));
    let round = fan.round();
    assert_eq!((fan.entries().len(), round.left_out), (3, 1), "what is published stays");
}

#[test]
fn what_is_withdrawn_is_forgotten_where_that_is_wanted() {
    let publisher = Publisher::of(show(), "[torrent]\nretired_days = 0\n");
    let fan = Fan::of(&publisher.web.url("everseed.json"));
    fan.round();
    let publisher = publisher.change(|house| withdraw(house, 4));
    fan.round();
    assert_eq!(fan.entries().len(), 4);
    let fan = fan.with(|options| options.forgets_withdrawn = true);
    fan.told();
    fan.round();
    expect!["mirror: No. 4 is removed, 102.4 kB: the show has withdrawn it"].assert_eq(&fan.told());
    assert_eq!((fan.entries().len(), fan.site().join("media/ep4.mp3").exists()), (3, false));
    // It has nothing for a moment.
    let document = fs::read(publisher.house.public().join("everseed.json")).expect("a manifest");
    publisher.web.put(
        "everseed.json",
        File::of(br#"{"version": 1, "base_url": "https://show.example.org/", "title": "A show", "torrents": []}"#),
    );
    fan.round();
    assert_eq!(fan.entries().len(), 3, "{}", fan.told());
    publisher.web.put("everseed.json", File::of(&document));
    fan.round();
    // Another show, by mistake: nothing of the first is removed.
    let other = publisher.web.url("torrents.xml");
    let fan = fan.with(|options| options.source = other);
    let refused = everseed::mirror::Mirror::open(fan.data(), fan.options.clone(), std::sync::Arc::new(|_: &str| ()));
    assert!(refused.expect_err("refused").message().contains("would be removed"));
    assert_eq!(fan.entries().len(), 3);
}
