//! A browser opens the pages as `everseed serve` gives them, on a phone and on a desk, and two validators
//! read them: html-validate, and axe for what people need who cannot see or use a mouse.

use std::fmt::Write as _;
use std::fs;

use expect_test::expect;
use serde_json::Value;

use crate::net::{Net, SERVER};
use crate::{TOOLS, bounded, example_with_chapters, printed, script};

/// A page of each kind, below the site's root.
const PAGES: [&str; 8] = [
    "",
    "episodes/ep001/",
    "episodes/hybrid/",
    "episodes/v2/",
    "episodes/field-recordings/",
    "about/",
    "swarms",
    "there/is/nothing.html",
];

#[test]
#[ignore = "needs root, iproute2, chromium and axe-core; .ci/run installs them"]
fn a_browser_opens_the_pages_without_a_fault() {
    Net::inside(|_| {
        let house = example_with_chapters().serving_with(&[
            "--listen",
            &format!("{SERVER}:0"),
            "--peer-listen",
            &format!("{SERVER}:0"),
        ]);
        let server = house.serve();
        let mut command = script("pages.py");
        command.arg(format!("{TOOLS}/node_modules/axe-core/axe.min.js")).arg(server.url()).args(PAGES);
        let (mut seen, mut faults) = (String::new(), String::new());
        for line in printed(command).lines() {
            let page: Value = serde_json::from_str(line).expect("JSON");
            let text = |key: &str| page[key].as_str().unwrap_or_default().to_owned();
            let place = format!("{} /{}", text("place"), text("path"));
            let mut note = |line: &str| writeln!(seen, "{line}").expect("a String takes all that is written");
            note(&format!("{place}: {} {}", page["status"], text("title")));
            note(&format!("    {}", text("heading")));
            for numbers in texts(&page["numbers"]) {
                note(&format!("    {}", numbers.split_whitespace().collect::<Vec<_>>().join(" ")));
            }
            if let Some(steered) = page["steered"].as_str() {
                note(&format!("    {steered}"));
            }
            for fault in ["faults", "too_wide", "barriers"].iter().flat_map(|key| texts(&page[key])) {
                writeln!(faults, "{place}: {fault}").expect("a String takes all that is written");
            }
        }
        expect![[r#"
            phone /: 200 Tide Tables
                Tide Tables
            desk /: 200 Tide Tables
                Tide Tables
            phone /episodes/ep001/: 200 The lamp at Sallow Point – Tide Tables
                The lamp at Sallow Point
                Seeds 1 Peers 0 Completed 0
            desk /episodes/ep001/: 200 The lamp at Sallow Point – Tide Tables
                The lamp at Sallow Point
                Seeds 1 Peers 0 Completed 0
            phone /episodes/hybrid/: 200 Ebb and flow – Tide Tables
                Ebb and flow
                Seeds 1 Peers 0 Completed 0
                plays 0:09 Chapter 3
            desk /episodes/hybrid/: 200 Ebb and flow – Tide Tables
                Ebb and flow
                Seeds 1 Peers 0 Completed 0
                plays 0:09 Chapter 3
            phone /episodes/v2/: 200 Spring tide – Tide Tables
                Spring tide
                Seeds 1 Peers 0 Completed 0
            desk /episodes/v2/: 200 Spring tide – Tide Tables
                Spring tide
                Seeds 1 Peers 0 Completed 0
            phone /episodes/field-recordings/: 200 Tides of Kettle Bay, January and February 2026 – Tide Tables
                Tides of Kettle Bay, January and February 2026
                Seeds 1 Peers 0 Completed 0
            desk /episodes/field-recordings/: 200 Tides of Kettle Bay, January and February 2026 – Tide Tables
                Tides of Kettle Bay, January and February 2026
                Seeds 1 Peers 0 Completed 0
            phone /about/: 200 About – Tide Tables
                About
            desk /about/: 200 About – Tide Tables
                About
            phone /swarms: 200 Swarms – Tide Tables
                Swarms
                Ebb and flow 8f3e523b21fc7b8415ab93eaf120efabc5ba601d hybrid · Details Verified 1 0 0 619.7 kB 0 B 0 B
                Spring tide ebff65638b40d9a1a25cbd024d859258e82c1f18b8a250f1b2bfe70be1af4662 v2 · Details Verified 1 0 0 619.5 kB 0 B 0 B
                Tides of Kettle Bay, January and February 2026 563c64775d4fda59b6f6f06164c28e17428204fb v1 · Details Verified 1 0 0 768.8 kB 0 B 0 B
                Three minutes of silence 8dd15d08159c950f41e02d458d6cff381a53189a v1 · Details Verified 1 0 0 469.9 kB 0 B 0 B
                How to read a tide table 75416f9535c57fb9aeed952ec5bcd231deea61ea v1 · Details Verified 1 0 0 619.1 kB 0 B 0 B
                The lamp at Sallow Point 7e87b761dc0bbf0b17098c7b5ce943d26fad5f8b v1 · Details Verified 1 0 0 619.5 kB 0 B 0 B
            desk /swarms: 200 Swarms – Tide Tables
                Swarms
                Ebb and flow 8f3e523b21fc7b8415ab93eaf120efabc5ba601d hybrid · Details Verified 1 0 0 619.7 kB 0 B 0 B
                Spring tide ebff65638b40d9a1a25cbd024d859258e82c1f18b8a250f1b2bfe70be1af4662 v2 · Details Verified 1 0 0 619.5 kB 0 B 0 B
                Tides of Kettle Bay, January and February 2026 563c64775d4fda59b6f6f06164c28e17428204fb v1 · Details Verified 1 0 0 768.8 kB 0 B 0 B
                Three minutes of silence 8dd15d08159c950f41e02d458d6cff381a53189a v1 · Details Verified 1 0 0 469.9 kB 0 B 0 B
                How to read a tide table 75416f9535c57fb9aeed952ec5bcd231deea61ea v1 · Details Verified 1 0 0 619.1 kB 0 B 0 B
                The lamp at Sallow Point 7e87b761dc0bbf0b17098c7b5ce943d26fad5f8b v1 · Details Verified 1 0 0 619.5 kB 0 B 0 B
            phone /there/is/nothing.html: 404 Page not found – Tide Tables
                This page is not here
            desk /there/is/nothing.html: 404 Page not found – Tide Tables
                This page is not here
        "#]].assert_eq(&seen);
        assert!(faults.is_empty(), "{faults}");
    });
}

#[test]
#[ignore = "needs html-validate; .ci/run installs it"]
fn the_pages_are_valid_html() {
    let house = example_with_chapters().serving_with(&["--base-url", "https://tides.example.org/"]);
    let server = house.serve();
    let folder = house.beside("pages");
    fs::create_dir(&folder).expect("a folder");
    for (number, page) in PAGES.iter().enumerate() {
        let response = server.get(&format!("/{page}"));
        fs::write(folder.join(format!("{number}.html")), response.body).expect("written");
    }
    let mut command = bounded(&format!("{TOOLS}/node_modules/.bin/html-validate"));
    command.arg(&folder);
    printed(command);
}

fn texts(list: &Value) -> Vec<&str> {
    list.as_array().expect("a list").iter().map(|text| text.as_str().expect("a text")).collect()
}
