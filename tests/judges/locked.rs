//! A build from the lock where there is nothing else: a clean clone of a show whose media are not in version control, in
//! a network without an interface.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

use crate::house::web::{File, Web};
use crate::house::{House, KIB, Run, episode, everseed, files, mp3};
use crate::printed;

/// What is built, without the media themselves.
fn built(site: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut made = files(site);
    made.retain(|name, _| !name.starts_with("media/"));
    made
}

fn git(folder: &Path, args: &[&str]) {
    let mut command = Command::new("git");
    command.args(["-c", "user.name=Author", "-c", "user.email=author@example.org"]).args(args).current_dir(folder);
    command.env("GIT_CONFIG_GLOBAL", "/dev/null").env("GIT_CONFIG_NOSYSTEM", "1");
    printed(command);
}

#[test]
#[ignore = "needs root and unshare, of util-linux"]
fn a_clean_clone_without_media_and_network_is_built_to_the_same_bytes() {
    for kind in ["v1", "v2", "hybrid"] {
        let web = Web::new();
        web.put("far.mp3", File::of(&mp3(3, 200 * KIB)));
        let house = House::furnished()
            .described()
            .page("far.md", &episode("Far", "2026-05-03", &web.url("far.mp3")))
            .page("about.md", "+++\ntitle = \"About\"\n+++\n[listen](ep1.mp3) [a](set/a.bin)\n")
            .write(".gitignore", b"*.mp3\n*.bin\nempty.txt\n/public/\n/.everseed/\n");
        let toml = std::fs::read_to_string(house.root().join("everseed.toml")).expect("its configuration");
        let house = house.toml(&format!("{toml}[torrent]\nkind = \"{kind}\"\n"));
        house.build().ok();
        git(&house.root(), &["init", "--quiet"]);
        git(&house.root(), &["add", "."]);
        git(&house.root(), &["commit", "--quiet", "-m", "a show"]);
        let clone = house.beside("clone");
        git(&house.root(), &["clone", "--quiet", ".", &clone.display().to_string()]);
        let is_page = |name: &str| Path::new(name).extension().is_some_and(|extension| extension == "md");
        assert!(files(&clone).keys().all(|name| !name.starts_with("content/") || is_page(name)));
        // Not even the loopback is up there.
        let program = everseed().get_program().to_owned();
        let mut alone = Command::new("unshare");
        alone.arg("--net").arg(program).args(["build", "--locked"]).current_dir(&clone);
        web.asked();
        let run = Run::of(&mut alone, &clone).ok();
        assert_eq!(web.asked_count(), 0);
        // Of several files of v2 the build with media warns as well.
        assert_eq!(run.stderr.lines().count(), usize::from(kind == "v2"), "{}", run.stderr);
        let (here, there) = (built(&house.public()), built(&clone.join("public")));
        assert_eq!(here.keys().collect::<Vec<_>>(), there.keys().collect::<Vec<_>>());
        for (name, bytes) in here {
            assert!(there[&name] == bytes, "{kind}: {name} differs");
        }
        assert!(!clone.join("public/media").exists());
    }
}
