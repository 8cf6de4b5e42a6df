//! The lock: made by a build or by itself, built from without media, and kept from changing what is published.

use std::fs;
use std::io::Write;
use std::sync::atomic::{AtomicBool, Ordering};

use expect_test::expect;

use super::super::{Error, LockUse, Update, build, update_lock, verify_lock};
use super::{EP1, EP2, House, two_episodes};
use crate::media::testing::mp3_with_chapters;
use crate::metainfo::Kind;
use crate::units::PieceLength;

/// An episode, a release of several files and a page that links to both.
fn furnished() -> House {
    House::with_episode()
        .page("set/index.md", "+++\ntitle = \"Set\"\ndate = 2026-05-02\nfiles = [\"in\", \"/far/x.bin\"]\n+++\n[one](in/a.txt) [far](/far/x.bin)\n")
        .file("content/set/in/a.txt", "one")
        .file("content/set/in/b.txt", "two")
        .file("far/x.bin", "far")
        .page("about.md", "+++\ntitle = \"About\"\n+++\n[listen](ep1.mp3)\n")
}

/// The site without its media, as version control has it.
fn without_media(house: &House) {
    for gone in ["content/ep1.mp3", "content/set/in/a.txt", "content/set/in/b.txt", "far/x.bin"] {
        fs::remove_file(house.root().join(gone)).expect("removed");
    }
    fs::remove_dir_all(house.out()).expect("removed");
}

fn lock_of(house: &House) -> String {
    fs::read_to_string(house.root().join("everseed.lock")).expect("a lock")
}

fn state(house: &House) -> std::path::PathBuf {
    house.root().join("../state")
}

#[test]
fn a_build_writes_a_lock_and_another_changes_nothing_in_it() {
    let house = furnished();
    house.build();
    expect![[r##"
        # Made by everseed: what is known of each medium. Keep it in version control, with the folder torrents/ beside it;
        # then `everseed build --locked` and `everseed attach --locked` need no media. `everseed lock` brings it up to date.
        version = 1

        [media.ep1]
        source = "content/ep1.mp3"
        bytes = 8
        info_hash = "5c6e4ecb6d8590f70fb72e704699996d2939b185"
        piece_length = 16384
        sha384 = "0c0be967d89ec51fb70b0eacc91ef6579aaaaf725b4393a07fc14c767c82b288b9d3878c351c250319a5cd2c390c4447"
        mime = "audio/mpeg"
        guid = "e07536c3-8ab9-5355-9341-a13139628591"

        [media.set]
        sources = [
            "content/set/in",
            "far/x.bin",
        ]
        bytes = 9
        info_hash = "1e80007b7e3c232fff9d26d138b2cbc194424b65"
        piece_length = 16384
        guid = "325035ba-758f-522e-b9ff-469139d01a26"
    "##]].assert_eq(&lock_of(&house));
    let before = fs::metadata(house.root().join("everseed.lock")).and_then(|file| file.modified()).expect("its time");
    house.build();
    assert_eq!(
        fs::metadata(house.root().join("everseed.lock")).and_then(|file| file.modified()).expect("its time"),
        before
    );
    let torrents = fs::read_dir(house.root().join("torrents")).expect("a folder").count();
    assert_eq!(torrents, 2);
}

#[test]
fn a_site_without_its_media_is_built_to_the_same_bytes() {
    let house = furnished();
    house.build();
    let mut with_media = house.contents();
    without_media(&house);
    let house = house.with(|options| options.lock = LockUse::Alone);
    let summary = house.build();
    assert_eq!((summary.files_hashed, summary.torrents), (0, 2));
    with_media.retain(|(path, _)| !path.starts_with("media/"));
    assert_eq!(house.contents(), with_media);
}

#[test]
fn a_locked_build_leaves_the_media_that_stand_in_the_output() {
    let house = furnished();
    house.build();
    let before = house.listing();
    let house = house.with(|options| options.lock = LockUse::Alone);
    house.build();
    assert_eq!(house.listing(), before);
    let house = house.with(|options| options.lock = LockUse::Write);
    assert_eq!(house.build().files_written, 0, "they are known again");
}

/// The player, the link and what machines read lead to where the medium is; the page knows it from the lock alone.
#[test]
fn a_page_of_a_medium_elsewhere_leads_there() {
    const URL: &str = "https://media.example.org/a%20b/ep1.mp3?x=1&y=2";
    let house = House::with_episode().file("content/ep1.mp3", mp3_with_chapters(&[(0, "In")]));
    house.build();
    let lock = lock_of(&house).replace("\"content/ep1.mp3\"", &format!("\"{URL}\"\nranges = true"));
    house.write("everseed.lock", lock);
    house.write("content/ep1.md", EP1.replace("ep1.mp3", URL));
    fs::remove_file(house.root().join("content/ep1.mp3")).expect("removed");
    fs::remove_dir_all(house.out()).expect("removed");
    let house = house.with(|options| options.lock = LockUse::Alone);
    house.build();
    let page = house.output("episodes/ep1/index.html") + &house.output("index.html");
    let lines: Vec<_> = page.lines().map(str::trim).filter(|line| line.contains("media.example.org")).collect();
    expect![[r#"
        <meta property="og:audio" content="https://media.example.org/a%20b/ep1.mp3?x=1&amp;y=2">
        <script type="application/ld+json">{"@context": "https://schema.org", "@type": "PodcastEpisode", "associatedMedia": {"@type": "AudioObject", "contentSize": "7955 B", "contentUrl": "https://media.example.org/a%20b/ep1.mp3?x=1\u0026y=2", "encodingFormat": "audio/mpeg"}, "datePublished": "2026-05-01", "description": "", "name": "One", "partOfSeries": {"@type": "PodcastSeries", "name": "A show", "url": "https://show.example.org/"}, "url": "https://show.example.org/episodes/ep1/"}</script>
        <source src="https://media.example.org/a%20b/ep1.mp3?x=1&amp;y=2" type="audio/mpeg">
        <a href="https://media.example.org/a%20b/ep1.mp3?x=1&amp;y=2">ep1.mp3</a>
        <li><a href="https://media.example.org/a%20b/ep1.mp3?x=1&amp;y=2#t=0" data-start="0"><span class="mark">0:00</span> <span>In</span></a></li>
        <li><a class="button primary" href="https://media.example.org/a%20b/ep1.mp3?x=1&amp;y=2" download><svg class="icon" viewBox="0 0 24 24" width="20" height="20" aria-hidden="true" focusable="false" fill="none" stroke="currentColor" stroke-width="1.8" stroke-linecap="round" stroke-linejoin="round"><path d="M12 4v11M7.5 10.5 12 15l4.5-4.5M5 19.5h14"/></svg><span>Download <small>8.0 kB</small></span></a></li>
        <li><a class="button" href="magnet:?xt=urn:btih:8b713e52b3fca871ef8491fc63e9eb27bef4cda5&amp;dn=ep1.mp3&amp;xl=7955&amp;tr=https%3A%2F%2Fshow.example.org%2Fannounce&amp;ws=https%3A%2F%2Fmedia.example.org%2Fa%2520b%2Fep1.mp3%3Fx%3D1%26y%3D2"><svg class="icon" viewBox="0 0 24 24" width="20" height="20" aria-hidden="true" focusable="false" fill="none" stroke="currentColor" stroke-width="1.8" stroke-linecap="round" stroke-linejoin="round"><path d="M5 4h4v8.5a3 3 0 0 0 6 0V4h4v8.5a7 7 0 0 1-14 0zM5 8h4M15 8h4"/></svg><span>Magnet link</span></a></li>
        <source src="https://media.example.org/a%20b/ep1.mp3?x=1&amp;y=2" type="audio/mpeg">
        <a href="https://media.example.org/a%20b/ep1.mp3?x=1&amp;y=2">ep1.mp3</a>"#]].assert_eq(&lines.join("\n"));
    assert!(!page.contains("../media/"), "{page}");
}

#[test]
fn a_locked_build_tells_what_the_lock_lacks() {
    let house = two_episodes().with(|options| options.lock = LockUse::Alone);
    expect![[r#"
        [folder]/site/everseed.lock: is missing
          help: run `everseed lock` where the media are, and keep what it writes in version control"#]]
    .assert_eq(&house.faults());
    let house = house.with(|options| options.lock = LockUse::Write);
    house.build();
    let before = house.contents();
    house.write("content/ep3.md", EP1.replace("ep1", "ep3"));
    house.write("content/ep2.md", EP2.replace("ep2.mp3", "other.mp3"));
    let house = house.with(|options| options.lock = LockUse::Alone);
    expect![[r#"
        content/ep2.md:4: is made of content/other.mp3, and everseed.lock of content/ep2.mp3
          help: run `everseed lock` where the media are, and keep what it writes in version control
        content/ep3.md:4: has no record in everseed.lock: `ep3`
          help: run `everseed lock` where the media are, and keep what it writes in version control"#]]
    .assert_eq(&house.faults());
    fs::remove_file(house.root().join("content/ep3.md")).expect("removed");
    house.write("content/ep2.md", EP2.replace("media", "private = true\nmedia"));
    fs::remove_file(house.root().join("torrents/ep1.torrent")).expect("removed");
    expect![[r#"
        content/ep2.md: `private` is true, and everseed.lock was made with false
          help: run `everseed lock --accept-changed` where the media are, or take the setting back
        [folder]/site/torrents/ep1.torrent: is missing; everseed.lock has a record of it
          help: take it from version control, or run `everseed lock` where the media are"#]]
    .assert_eq(&house.faults());
    house.write("everseed.lock", "<<<<<<< HEAD\n");
    expect![[r#"
        [folder]/site/everseed.lock:1: holds a merge conflict that is not resolved
          help: keep the records of both sides and take the marked lines out; then `everseed lock`"#]]
    .assert_eq(&house.faults());
    assert_eq!(house.contents(), before);
}

#[test]
fn what_is_published_changes_only_when_that_is_meant() {
    let house = two_episodes();
    house.build();
    let (before, lock) = (house.contents(), lock_of(&house));
    for media in ["ep1", "ep2"] {
        fs::remove_file(house.root().join(format!("content/{media}.mp3"))).expect("removed");
        house.write(&format!("content/{media}.mp3"), "medium, mended");
    }
    house.write("content/ep2.md", EP2.replace("media", "guid = \"another\"\nmedia"));
    expect![[r#"
        changed: content/ep1.md: the torrent of `ep1` would become another one: its info-hash is be2571ea17afb8d3874379312717515da4d8647e, and was 5c6e4ecb6d8590f70fb72e704699996d2939b185 when it was published (14 bytes, and was 8)
          help: what is published under a name stays as it is: give the new one another slug, take the setting back, or say that it is meant with --accept-changed
        changed: content/ep2.md: `guid` is another, and was 6d1a0518-fe6c-5704-a845-766d5bd0f8ed when it was published
          help: what is published under a name stays as it is: give the new one another slug, take the setting back, or say that it is meant with --accept-changed
        changed: content/ep2.md: the torrent of `ep2` would become another one: its info-hash is 40f09e4ad27afbf17717baf9e0dd0cf890906059, and was 67c849313e3e5bd126ccfa9cc9c05572bd4c4835 when it was published (14 bytes, and was 8)
          help: what is published under a name stays as it is: give the new one another slug, take the setting back, or say that it is meant with --accept-changed"#]].assert_eq(&house.faults());
    assert_eq!((house.contents(), lock_of(&house)), (before, lock.clone()));
    let house = house.with(|options| options.lock = LockUse::Read);
    let warnings: Vec<_> = house.build().warnings.iter().map(ToString::to_string).collect();
    assert!(warnings.iter().any(|warning| warning.contains("the torrent of `ep1`")), "{warnings:?}");
    assert_eq!(lock_of(&house), lock, "a preview leaves it");
    let house = house.with(|options| (options.lock, options.accept_changed) = (LockUse::Write, true));
    house.build();
    let house = house.with(|options| options.accept_changed = false);
    assert_eq!(house.build().files_written, 0);
    assert!(lock_of(&house).contains("guid = \"another\""));
}

#[test]
fn a_piece_length_that_is_published_stays_when_the_automatic_one_is_another() {
    let house = House::with_episode().with(|options| options.piece_length = PieceLength::new(65536).ok());
    house.build();
    let lock = lock_of(&house);
    let house = house.with(|options| options.piece_length = None);
    house.build();
    assert_eq!(lock_of(&house), lock);
    // Other content is cut anew.
    fs::remove_file(house.root().join("content/ep1.mp3")).expect("removed");
    house.write("content/ep1.mp3", "medium, mended");
    let house = house.with(|options| options.accept_changed = true);
    house.build();
    assert!(lock_of(&house).contains("piece_length = 16384"));
    let house = house.with(|options| {
        options.accept_changed = false;
        options.piece_length = PieceLength::new(32768).ok();
    });
    assert!(house.faults().contains("(pieces of 32 KiB, and was 16 KiB)"), "{}", house.faults());
    let house = house.with(|options| (options.piece_length, options.kind) = (None, Kind::Hybrid));
    assert!(house.faults().contains("(of kind hybrid, and was v1)"), "{}", house.faults());
}

#[test]
fn the_identity_of_show_and_episodes_stays_when_the_site_moves() {
    let at = |text| crate::baseurl::BaseUrl::parse(text).expect("a URL");
    let move_to = |house: House, text| {
        let url = at(text);
        house.with(|options| (options.base_url, options.identity_url) = (url.clone(), url))
    };
    let house = two_episodes().described();
    house.build();
    assert!(!lock_of(&house).contains("show_guid"), "as long as the address is that of an example");
    let house = move_to(house, "https://tides.internal/");
    house.build();
    let guids = |house: &House| -> Vec<String> {
        house.output("feed.xml").lines().filter(|line| line.contains("guid")).map(str::to_owned).collect()
    };
    let before = guids(&house);
    let house = move_to(house, "https://elsewhere.internal/");
    house.build();
    assert_eq!(guids(&house), before);
    assert_eq!(before.len(), 3);
}

#[test]
fn a_lock_is_made_by_itself_and_reads_only_what_is_new() {
    let house = furnished();
    let update = |prune| update_lock(&house.options, &state(&house), &Update { prune, keep: None }, &()).expect("made");
    let first = update(false);
    assert_eq!((first.records, first.added, first.files_hashed), (2, 2, 4));
    assert!(!house.out().exists());
    let lock = lock_of(&house);
    let second = update(false);
    assert_eq!((second.unchanged, second.files_hashed, lock_of(&house)), (2, 0, lock.clone()));
    assert_eq!(house.build().files_hashed, 0);
    assert_eq!(lock_of(&house), lock);

    fs::remove_file(house.root().join("content/ep1.md")).expect("removed");
    fs::remove_file(house.root().join("content/about.md")).expect("removed");
    let third = update(false);
    assert_eq!((third.records, third.removed), (2, 0));
    expect![[r#"
        [root]/everseed.lock: `ep1` has a record, and no page that is published
          help: take it out with --prune, if it is not to come back"#]]
    .assert_eq(
        &third
            .warnings
            .iter()
            .map(ToString::to_string)
            .collect::<String>()
            .replace(&house.root().canonicalize().expect("a folder").display().to_string(), "[root]"),
    );
    let fourth = update(true);
    assert_eq!((fourth.records, fourth.removed), (1, 1));
    assert!(!house.root().join("torrents/ep1.torrent").exists());
}

#[test]
fn a_lock_is_held_against_the_media() {
    let house = furnished();
    let verify = || {
        let verified = verify_lock(&house.options, &state(&house), &()).expect("compared");
        let told: Vec<_> = verified.findings.iter().map(ToString::to_string).collect();
        let root = house.root().canonicalize().expect("a folder");
        told.join("\n")
            .replace(&root.display().to_string(), "[root]")
            .replace(&house.root().display().to_string(), "[root]")
    };
    assert!(matches!(verify_lock(&house.options, &state(&house), &()), Err(Error::Content(_))), "there is none");
    house.build();
    assert_eq!(verify(), "");
    let lock = lock_of(&house);
    // With its former size and time, as a disk that fails leaves it.
    let path = house.root().join("content/ep1.mp3");
    let modified = fs::metadata(&path).and_then(|file| file.modified()).expect("its time");
    fs::write(&path, "Medium 1").expect("written");
    fs::File::options().write(true).open(&path).and_then(|file| file.set_modified(modified)).expect("set");
    fs::remove_file(house.root().join("torrents/set.torrent")).expect("removed");
    house.write("content/ep3.md", EP1.replace("ep1", "ep3"));
    house.write("content/ep3.mp3", "medium 3");
    expect![[r#"
        [root]/torrents/set.torrent: is missing; everseed.lock has a record of it
          help: take it from version control, or run `everseed lock` where the media are
        content/ep1.md: the medium of `ep1`: its info-hash is b55138ffd2310ef6cc539dca76879c237036e594, and was 5c6e4ecb6d8590f70fb72e704699996d2939b185 when it was published
        content/ep3.md: has no record in everseed.lock
          help: run `everseed lock`"#]].assert_eq(&verify());
    assert_eq!(lock_of(&house), lock);
}

#[test]
fn a_medium_that_grows_while_it_is_hashed_ends_build_and_lock_before_they_write() {
    struct Recorder<'a>(&'a House, AtomicBool);
    impl crate::hash::Progress for Recorder<'_> {
        fn advance(&self, _: u64) {
            if !self.1.swap(true, Ordering::SeqCst) {
                let path = self.0.root().join("content/ep1.mp3");
                let file = fs::File::options().append(true).open(path);
                file.and_then(|mut file| file.write_all(b"and more")).expect("appended");
            }
        }
    }
    let house = House::with_episode();
    let recorder = || Recorder(&house, AtomicBool::new(false));
    let locked = update_lock(&house.options, &state(&house), &Update::default(), &recorder());
    let built = build(&house.options, &house.out(), &state(&house), &recorder());
    for error in [locked.expect_err("it grew"), built.expect_err("it grew")] {
        let Error::Media(problems) = error else { panic!("{error:?}") };
        let [problem] = &problems[..] else { panic!("{problems:?}") };
        assert!(problem.to_string().contains("content/ep1.mp3: changed while it was hashed"), "{problem}");
    }
    for path in [house.root().join("everseed.lock"), house.root().join("torrents"), house.out()] {
        assert!(!path.exists(), "{}", path.display());
    }
    house.build();
    assert!(lock_of(&house).contains("bytes = 24"));
}

#[test]
fn an_episode_under_another_name_is_told_what_it_was() {
    let house = two_episodes();
    house.build();
    fs::rename(house.root().join("content/ep1.md"), house.root().join("content/first.md")).expect("renamed");
    let warnings: Vec<_> = house.build().warnings.iter().map(ToString::to_string).collect();
    let told: Vec<_> = warnings.iter().filter(|warning| warning.starts_with("content/first.md: seems")).collect();
    expect![[r#"
        content/first.md: seems to be `ep1` of everseed.lock, and podcast apps will take it for another episode
          help: keep its identity with guid = "e07536c3-8ab9-5355-9341-a13139628591", or its address with slug = "ep1""#]].assert_eq(told[0]);
    // It is new once.
    assert!(!house.build().warnings.iter().any(|warning| warning.to_string().contains("seems to be")));
}

#[test]
fn the_record_of_a_draft_is_kept() {
    let house = two_episodes();
    house.build();
    let lock = lock_of(&house);
    house.write("content/ep1.md", EP1.replace("media", "draft = true\nmedia"));
    let how = Update { prune: true, keep: None };
    let summary = update_lock(&house.options, &state(&house), &how, &()).expect("made");
    assert_eq!((summary.removed, summary.records), (0, 2));
    assert_eq!(lock_of(&house), lock);
}

/// What the lock knows of a file is its name in the torrent; pages link to it by the name that it has on disk.
#[test]
fn links_to_files_that_have_other_names_lead_to_the_same_place_from_the_lock() {
    let house = House::new()
        .page(
            "set/index.md",
            "+++\ntitle = \"Set\"\ndate = 2026-05-02\nkind = \"v2\"\nfiles = [\"a#b.zip\", \"link.zip\", \"folder\", \"/far/q?.bin\"]\n+++\n\
             [1](a%23b.zip) [2](link.zip) [3](folder/x.txt) [4](/far/q%3F.bin)\n",
        )
        .page("tool.md", "+++\ntitle = \"Tool\"\ndate = 2026-05-03\nkind = \"v2\"\nfiles = [\"tool\"]\n+++\n[it](tool)\n")
        .file("content/tool", "a program")
        .file("content/set/a#b.zip", "1")
        .file("store/real.zip", "2")
        .file("store/folder/x.txt", "3")
        .file("far/q?.bin", "4");
    let link = |from: &str, to: &str| {
        std::os::unix::fs::symlink(house.root().join("store").join(from), house.root().join("content/set").join(to))
            .expect("linked");
    };
    link("real.zip", "link.zip");
    link("folder", "folder");
    house.build();
    let mut with_media = house.contents();
    let page = house.output("episodes/set/index.html");
    for place in ["a_b.zip", "link.zip", "folder/x.txt", "q_.bin"] {
        assert!(page.contains(&format!("href=\"../../media/set/{place}\"")), "{place}: {page}");
    }
    for gone in ["content/tool", "content/set/a#b.zip", "content/set/link.zip", "content/set/folder", "far/q?.bin"] {
        fs::remove_file(house.root().join(gone)).expect("removed");
    }
    fs::remove_dir_all(house.out()).expect("removed");
    let house = house.with(|options| options.lock = LockUse::Alone);
    house.build();
    with_media.retain(|(path, _)| !path.starts_with("media/"));
    assert_eq!(house.contents(), with_media);
}
