//! `everseed init`: a folder that builds at once.

use std::fs;
use std::path::Path;

use super::args::InitArgs;
use super::report::{self, Failure};
use super::serve;
use crate::problem::Problem;

/// The files of a new show, as `templates/init` holds them.
const FILES: [(&str, &[u8]); 6] = [
    ("everseed.toml", include_bytes!("../../templates/init/everseed.toml")),
    (".gitignore", include_bytes!("../../templates/init/gitignore")),
    ("cover.jpg", include_bytes!("../../templates/init/cover.jpg")),
    ("content/about.md", include_bytes!("../../templates/init/content/about.md")),
    ("content/first-episode.md", include_bytes!("../../templates/init/content/first-episode.md")),
    ("content/first-episode.mp3", include_bytes!("../../templates/init/content/first-episode.mp3")),
];

/// Makes the folder.
pub fn run(args: &InitArgs) -> Result<(), Failure> {
    let folder = &args.folder;
    let trouble =
        |path: &Path, error: std::io::Error| Failure::Trouble(Problem::at(path, format!("can't be written: {error}")));
    match fs::read_dir(folder).map(Iterator::count) {
        Ok(1..) => {
            return Err(Failure::usage(
                Problem::at(folder, "the folder is not empty").help("name a new or an empty folder"),
            ));
        }
        Err(error) if error.kind() == std::io::ErrorKind::NotADirectory => {
            return Err(Failure::usage(Problem::at(folder, "is a file").help("name a new or an empty folder")));
        }
        _ => {}
    }
    fs::create_dir_all(folder.join("content")).map_err(|error| trouble(folder, error))?;
    // By its canonical path, so that `init .` finds a name as well.
    let canonical = folder.canonicalize().map_err(|error| trouble(folder, error))?;
    let title = title(&canonical.file_name().unwrap_or_default().to_string_lossy());
    for (name, bytes) in FILES {
        let path = folder.join(name);
        let filled = std::str::from_utf8(bytes).map(|text| text.replace("{{ title }}", &toml_escape(&title)));
        let content = filled.as_deref().map_or(bytes, str::as_bytes);
        fs::write(&path, content).map_err(|error| trouble(&path, error))?;
    }
    let shown = folder.display();
    let next = serve::next(&shell_word(&shown.to_string()));
    report::say(format_args!("{shown}: a show with one episode.\nNext: {next}"))
}

/// `my-show` as a title: `My show`.
fn title(folder: &str) -> String {
    let words = folder.split(['-', '_', ' ']).filter(|word| !word.is_empty()).collect::<Vec<_>>().join(" ");
    let mut chars = words.chars();
    match chars.next() {
        Some(first) => first.to_uppercase().chain(chars).collect(),
        None => "A new show".to_owned(),
    }
}

/// `path` as it is typed into a POSIX shell, so that the program gets it as it is.
fn shell_word(path: &str) -> String {
    // What begins with a dash would be taken for an option.
    let path = if path.starts_with('-') { format!("./{path}") } else { path.to_owned() };
    let is_plain = |c: char| c.is_alphanumeric() || "-_./,:+@%=".contains(c);
    if path.chars().all(is_plain) { path } else { format!("'{}'", path.replace('\'', r"'\''")) }
}

/// `text` for the inside of a basic TOML string.
fn toml_escape(text: &str) -> String {
    let escape = |c: char| match c {
        '"' | '\\' => format!("\\{c}"),
        c if c.is_control() => format!("\\u{:04X}", u32::from(c)),
        c => c.to_string(),
    };
    text.chars().map(escape).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_folder_names_the_show() {
        assert_eq!(title("my-show"), "My show");
        assert_eq!(title("éclairs_du_soir"), "Éclairs du soir");
        assert_eq!(title("--"), "A new show");
        assert_eq!(toml_escape("a \"b\" \\ \n"), "a \\\"b\\\" \\\\ \\u000A");
    }

    #[test]
    fn a_path_is_printed_as_it_is_typed_into_a_shell() {
        for plain in ["my-show", "../a/b.c", "/srv/été"] {
            assert_eq!(shell_word(plain), plain);
        }
        assert_eq!(shell_word("it's a # show"), r"'it'\''s a # show'");
        assert_eq!(shell_word("~/$HOME"), "'~/$HOME'");
        assert_eq!(shell_word("-x"), "./-x");
    }

    #[test]
    fn the_configuration_has_at_most_twelve_effective_lines() {
        let text = std::str::from_utf8(FILES[0].1).expect("UTF-8");
        let effective = text.lines().filter(|line| !line.trim().is_empty() && !line.trim().starts_with('#'));
        assert!(effective.count() <= 12);
    }
}
