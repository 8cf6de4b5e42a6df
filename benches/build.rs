//! A site of 1,000 episodes: the first build, a second one that finds nothing to do, and one after one page changed;
//! against the limit of writing the same files with nothing to think about.
//!
//! `cargo bench --bench build`

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

const EPISODES: usize = 1000;
const MEDIUM_BYTES: usize = 64 << 10;
const RUNS: usize = 3;

#[expect(clippy::disallowed_methods, reason = "a benchmark reads the clock")]
fn time(work: impl FnOnce()) -> Duration {
    let start = Instant::now();
    work();
    start.elapsed()
}

fn median(mut run: impl FnMut() -> Duration) -> Duration {
    let mut took: Vec<_> = (0..RUNS).map(|_| run()).collect();
    took.sort();
    took[RUNS / 2]
}

fn write_show(root: &Path) {
    let content = root.join("content");
    fs::create_dir_all(&content).expect("a folder");
    fs::write(root.join("everseed.toml"), "[site]\ntitle = \"A show\"\nbase_url = \"https://show.example.org/\"\n")
        .expect("written");
    let mut state = 1_u64;
    for number in 0..EPISODES {
        let (month, day) = (number / 28 % 12 + 1, number % 28 + 1);
        let notes = "A paragraph with **strong** words and [a link](https://example.org/).\n\n".repeat(8);
        let text = format!(
            "+++\ntitle = \"Episode {number}\"\ndate = 2026-{month:02}-{day:02}\nmedia = \"ep{number}.mp3\"\n+++\n{notes}"
        );
        fs::write(content.join(format!("ep{number}.md")), text).expect("written");
        let medium: Vec<u8> = std::iter::repeat_with(|| {
            state = state.wrapping_mul(0x5851_f42d_4c95_7f2d).wrapping_add(1);
            state.to_be_bytes()
        })
        .take(MEDIUM_BYTES / 8)
        .flatten()
        .collect();
        fs::write(content.join(format!("ep{number}.mp3")), medium).expect("written");
    }
}

fn build(root: &Path) {
    let status = Command::new(env!("CARGO_BIN_EXE_everseed"))
        .arg("build")
        .arg(root)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status();
    assert!(status.expect("the program starts").success());
}

fn forget(root: &Path) {
    for folder in ["public", ".everseed"] {
        // There is nothing yet before the first build.
        let _ = fs::remove_dir_all(root.join(folder));
    }
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("a folder");
    for entry in fs::read_dir(from).expect("a folder") {
        let entry = entry.expect("an entry");
        let target = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy(&entry.path(), &target);
        } else {
            fs::write(target, fs::read(entry.path()).expect("read")).expect("written");
        }
    }
}

fn main() {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let root = dir.path().join("show");
    write_show(&root);
    let first = median(|| {
        forget(&root);
        time(|| build(&root))
    });
    let second = median(|| time(|| build(&root)));
    let changed = median(|| {
        let page = root.join("content/ep500.md");
        let text = fs::read_to_string(&page).expect("read") + "More.\n";
        fs::write(&page, text).expect("written");
        time(|| build(&root))
    });
    let limit = median(|| {
        let target = dir.path().join("copy");
        // There is nothing yet before the first copy.
        let _ = fs::remove_dir_all(&target);
        time(|| copy(&root.join("public"), &target))
    });
    println!("{EPISODES} episodes of {} KiB, median of {RUNS} runs", MEDIUM_BYTES >> 10);
    println!("{:<44} {:>9} {:>9}", "", "ms", "of limit");
    for (label, took) in [
        ("limit: writing copies of the output's files", limit),
        ("first build", first),
        ("second build, nothing changed", second),
        ("build after one page changed", changed),
    ] {
        println!("{label:<44} {:>9.0} {:>9.2}", took.as_secs_f64() * 1e3, took.as_secs_f64() / limit.as_secs_f64());
    }
}
