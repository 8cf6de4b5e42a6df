//! The floor plan in `src/lib.rs` holds: no import points up or sideways, no crate is named out of its room.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// The table of the doc comment, read from where people read it.
#[derive(Debug, Default)]
struct Plan {
    floors: BTreeMap<String, u32>,
    /// Crate -> the modules that may name it.
    rooms: BTreeMap<String, Vec<String>>,
}

impl Plan {
    fn read() -> Self {
        let lib = fs::read_to_string(source("lib.rs")).expect("src/lib.rs");
        let mut plan = Self::default();
        for row in lib.lines().filter_map(|line| line.strip_prefix("//! | ")) {
            let cells: Vec<_> = row.split('|').map(str::trim).collect();
            let Ok(floor) = cells[0].parse::<u32>() else { continue };
            for module in backticked(cells[1]) {
                assert!(plan.floors.insert(module.clone(), floor).is_none(), "`{module}` stands on two floors");
            }
            for room in cells[2].split(';').filter(|room| !room.trim().is_empty()) {
                let (crates, modules) = room.split_once(':').expect("a room is `crates: modules`");
                for name in crates.split(',') {
                    plan.rooms.entry(name.trim().to_owned()).or_default().extend(backticked(modules));
                }
            }
        }
        assert!(plan.floors.len() > 10, "the floor table was not found in src/lib.rs");
        plan
    }
}

fn backticked(text: &str) -> Vec<String> {
    text.split('`').skip(1).step_by(2).map(str::to_owned).collect()
}

fn source(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src").join(path)
}

/// Every source file with the module it belongs to.
fn files() -> Vec<(String, PathBuf)> {
    let mut files = Vec::new();
    let mut folders = vec![source("")];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).expect("a folder of src") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            let below = path.strip_prefix(source("")).expect("below src").to_string_lossy().into_owned();
            let module = below.split('/').next().unwrap_or_default().trim_end_matches(".rs").to_owned();
            if module != "main" && module != "lib" {
                files.push((module, path));
            }
        }
    }
    files.sort();
    files
}

/// The code of a file without comments and strings' worth of noise: whole comment lines are left out.
fn code(path: &Path) -> Vec<(usize, String)> {
    let text = fs::read_to_string(path).expect("a source file");
    let numbered = text.lines().enumerate().map(|(index, line)| (index + 1, line.to_owned()));
    numbered.filter(|(_, line)| !line.trim_start().starts_with("//")).collect()
}

/// The words that follow `prefix` as whole paths: `crate::hash` gives `hash`.
fn after<'a>(line: &'a str, prefix: &str) -> Vec<&'a str> {
    line.match_indices(prefix)
        .map(|(at, _)| {
            let rest = &line[at + prefix.len()..];
            let end = rest.find(|c: char| !(c.is_ascii_alphanumeric() || c == '_')).unwrap_or(rest.len());
            &rest[..end]
        })
        .collect()
}

#[test]
fn every_module_stands_on_a_floor_and_every_floor_holds_modules_that_exist() {
    let plan = Plan::read();
    let present: std::collections::BTreeSet<_> = files().into_iter().map(|(module, _)| module).collect();
    for module in &present {
        assert!(plan.floors.contains_key(module), "`{module}` stands on no floor");
    }
    for module in plan.floors.keys() {
        assert!(present.contains(module), "`{module}` has a floor and no file");
    }
}

#[test]
fn imports_point_down() {
    let plan = Plan::read();
    let mut wrong = Vec::new();
    for (module, path) in files() {
        for (number, line) in code(&path) {
            assert!(!line.contains("use crate::{"), "{}:{number}: name one module an import", path.display());
            for named in after(&line, "crate::") {
                let (Some(own), Some(other)) = (plan.floors.get(&module), plan.floors.get(named)) else { continue };
                if module != named && other >= own {
                    wrong.push(format!(
                        "{}:{number}: `{module}` (floor {own}) names `{named}` (floor {other})",
                        path.display()
                    ));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn outside_crates_stay_in_their_rooms() {
    let plan = Plan::read();
    let mut wrong = Vec::new();
    for (module, path) in files() {
        for (number, line) in code(&path) {
            for (name, rooms) in &plan.rooms {
                let named = line
                    .match_indices(&format!("{name}::"))
                    .any(|(at, _)| !line[..at].ends_with(|c: char| c.is_ascii_alphanumeric() || c == '_' || c == ':'));
                if named && !rooms.contains(&module) {
                    wrong.push(format!("{}:{number}: `{name}` is named outside of {rooms:?}", path.display()));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
