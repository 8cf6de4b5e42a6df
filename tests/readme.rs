//! The README's commands that need no network run as they stand there, and its pictures are there.

mod house;

use std::path::Path;
use std::process::Command;

use house::Run;

#[test]
fn the_commands_marked_offline_run() {
    let readme = readme();
    let blocks: Vec<_> = readme.split("```sh offline\n").skip(1).filter_map(|rest| rest.split("```").next()).collect();
    assert!(blocks.len() >= 2, "the README has blocks that run offline");
    let dir = tempfile::tempdir().expect("a temporary folder");
    let program = Path::new(env!("CARGO_BIN_EXE_everseed")).parent().expect("its folder");
    let path = format!("{}:{}", program.display(), std::env::var("PATH").unwrap_or_default());
    for block in blocks {
        let mut shell = Command::new("sh");
        Run::of(shell.args(["-euc", block]).env("PATH", &path).current_dir(dir.path()), dir.path()).ok();
    }
}

#[test]
fn the_readme_names_the_command_that_tests() {
    let readme = readme();
    assert!(readme.contains("```sh\ncargo test\n```"), ".ci/run takes the command from there");
}

#[test]
fn the_pictures_of_the_readme_are_there() {
    let readme = readme();
    let links = readme.split("](").skip(1).filter_map(|rest| rest.split_once(')'));
    let links = links.map(|(path, _)| Path::new(path));
    let pictures: Vec<_> = links.filter(|path| path.extension().is_some_and(|end| end == "svg")).collect();
    assert!(pictures.len() >= 2, "the README shows plots");
    for picture in pictures {
        let svg = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(picture)).expect("a picture");
        assert!(svg.starts_with("<svg ") && svg.ends_with("</svg>\n"), "{} is whole", picture.display());
    }
}

fn readme() -> String {
    std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md")).expect("README.md")
}
