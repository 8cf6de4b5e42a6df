//! Judges that are not us: real clients download from a running `everseed serve`, foreign readers read what it
//! publishes, a browser opens its pages.
//!
//! `.ci/install-judges` installs what they need, as root on Debian; `.ci/run` does that and runs them:
//! `cargo test --test judges -- --ignored`.
#![cfg(target_os = "linux")]

#[path = "../house/mod.rs"]
mod house;

mod attach;
mod bencode;
mod clients;
mod downloads;
mod downloads_v2;
mod faults;
mod feeds;
mod locked;
mod matrix;
mod media;
mod net;
mod pages;
mod torrents;
mod wires;

use std::process::Command;

use house::{House, episode, files, with_chapters};

/// The example show in a temporary folder.
fn example() -> House {
    let example = concat!(env!("CARGO_MANIFEST_DIR"), "/site-example");
    files(example.as_ref()).into_iter().fold(House::new(), |house, (name, bytes)| house.write(&name, &bytes))
}

/// It with an episode that has chapters and a hybrid torrent, and one whose torrent is of v2 alone.
fn example_with_chapters() -> House {
    let page = |title, kind| {
        let page = episode(title, "2026-05-01", &format!("{kind}.mp3"));
        page.replace("media =", &format!("kind = \"{kind}\"\nmedia ="))
    };
    // A browser plays it, and not the noise that does for others.
    let sound = include_bytes!("../../site-example/content/ep001.mp3");
    let chapters = [(0, "Ebb"), (4_500, "Slack water, where nothing moves & nothing is <said>"), (9_000, "")];
    example()
        .page("hybrid.md", &page("Ebb and flow", "hybrid"))
        .write("content/hybrid.mp3", &with_chapters(sound, &chapters))
        .page("v2.md", &page("Spring tide", "v2"))
        .write("content/v2.mp3", sound)
}

/// Where `.ci/install-judges` puts what does not come from Debian.
const TOOLS: &str = concat!(env!("CARGO_TARGET_TMPDIR"), "/judges");

/// Python with its modules, about to run a script of this folder.
fn script(name: &str) -> Command {
    let mut command = bounded(&format!("{TOOLS}/venv/bin/python3"));
    // Without `-B` it leaves compiled modules in this folder.
    command.arg("-B").arg(format!("{}/tests/judges/{name}", env!("CARGO_MANIFEST_DIR")));
    command
}

/// The machine's own Python, which has what Debian alone packages, about to run a script of this folder.
fn machine_script(name: &str) -> Command {
    let mut command = bounded("/usr/bin/python3");
    command.arg("-B").arg(format!("{}/tests/judges/{name}", env!("CARGO_MANIFEST_DIR")));
    command
}

/// Node with its packages, about to run a script of this folder.
fn node_script(name: &str) -> Command {
    let mut command = bounded("node");
    command.env("NODE_PATH", format!("{TOOLS}/node_modules"));
    command.arg(format!("{}/tests/judges/{name}", env!("CARGO_MANIFEST_DIR")));
    command
}

/// A program that is ended when it has not ended by itself.
fn bounded(program: &str) -> Command {
    let mut command = Command::new("timeout");
    command.args(["--kill-after=5", PROGRAM_SECS, program]);
    command
}

/// How long a foreign program may run, in seconds, before it is ended and the test fails.
const PROGRAM_SECS: &str = "120";

/// Says what a person wants to know although all is well: past the harness, which keeps what is printed to itself.
fn tell(text: &str) {
    use std::io::Write;
    // Nobody may be listening.
    let _ = writeln!(std::io::stderr(), "\n{text}");
}

/// What a program printed, if it ended well.
#[track_caller]
fn printed(mut command: Command) -> String {
    let output = command.output().expect("the program starts");
    let (stdout, stderr) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{command:?}: {}\n{stdout}\n{stderr}", output.status);
    stdout.into_owned()
}
