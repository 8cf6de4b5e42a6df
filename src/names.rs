//! Which names of files clients rename, can't save or can't ask a web seed for, and what to call them instead.

use std::borrow::Cow;
use std::fmt;

use icu_normalizer::{ComposingNormalizerBorrowed, DecomposingNormalizerBorrowed};

/// The most bytes of a name: what file systems take.
pub const NAME_BYTES_MAX: usize = 255;
/// What Transmission renames when it asks a web seed, what WebTorrent does not escape, and what Windows can't save.
const UNSAFE: &str = "\"*:<>?|\\#%";
/// The names that are devices on Windows, with any extension.
const DEVICES: [&str; 4] = ["CON", "PRN", "AUX", "NUL"];
/// The names that are devices on Windows with a digit from 1 to 9 behind them.
const NUMBERED_DEVICES: [&str; 2] = ["COM", "LPT"];

/// What is wrong with a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// It holds a character that some clients rename or do not escape.
    Character(char),
    /// It holds a control character.
    Control,
    /// It begins with a space, or ends with a space or a dot.
    Ends,
    /// Windows takes it for a device.
    Device,
    /// It has more than [`NAME_BYTES_MAX`] bytes.
    Long,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Character(c) => write!(f, "a name with {c}, which some clients can't save or ask for"),
            Self::Control => f.write_str("a name with a control character, which some clients can't save"),
            Self::Ends => f.write_str(
                "a name with a space at its beginning, or a space or dot at its end, which some clients drop",
            ),
            Self::Device => f.write_str("a name that is a device on Windows"),
            Self::Long => write!(f, "a name of more than {NAME_BYTES_MAX} bytes, which no file system takes"),
        }
    }
}

/// The first thing that is wrong with `name`.
pub fn fault(name: &str) -> Option<Fault> {
    if let Some(c) = name.chars().find(|&c| UNSAFE.contains(c)) {
        return Some(Fault::Character(c));
    }
    if name.chars().any(char::is_control) {
        return Some(Fault::Control);
    }
    if name.starts_with(' ') || name.ends_with([' ', '.']) {
        return Some(Fault::Ends);
    }
    if is_device(name) {
        return Some(Fault::Device);
    }
    (name.len() > NAME_BYTES_MAX).then_some(Fault::Long)
}

/// `name` with `_` in the place of what is wrong with it, shortened where it is too long; the same where nothing is.
pub fn safe(name: &str) -> String {
    let inner = name.trim_start_matches(' ').trim_end_matches([' ', '.']);
    let from = name.len() - name.trim_start_matches(' ').len();
    let safe = |(at, c): (usize, char)| {
        let at_the_end = at < from || at >= from + inner.len();
        if at_the_end || c.is_control() || UNSAFE.contains(c) { '_' } else { c }
    };
    let mut name: String = name.char_indices().map(safe).collect();
    if is_device(&name) {
        name.insert(stem(&name).len(), '_');
    }
    shortened(&name)
}

/// Another name for a file whose `name` is taken: in ASCII, so that it has one form only, and with `-2` before its
/// extension.
pub fn another(name: &str) -> String {
    let decomposed = const { DecomposingNormalizerBorrowed::new_nfd() }.normalize(name);
    // The letter itself without its accents, which are characters of their own now.
    let ascii = |c: char| match c {
        '\u{300}'..='\u{36f}' => None,
        _ => Some(if c.is_ascii() { c } else { '_' }),
    };
    let name = safe(&decomposed.chars().filter_map(ascii).collect::<String>());
    let dot = name.rfind('.').filter(|&at| at > 0).unwrap_or(name.len());
    let (stem, extension) = name.split_at(dot);
    shortened(&format!("{stem}-2{extension}"))
}

/// What two names have in common that are one on some file system: those that differ in upper and lower case, and those
/// that differ in how Unicode composes their letters.
pub fn folded(name: &str) -> String {
    composed(&composed(name).to_lowercase()).into_owned()
}

/// `text` in the one form of those in which Unicode composes its letters (NFC).
pub fn composed(text: &str) -> Cow<'_, str> {
    const { ComposingNormalizerBorrowed::new_nfc() }.normalize(text)
}

/// `name` without what is too long before its extension.
fn shortened(name: &str) -> String {
    /// The most bytes of an extension that is kept.
    const EXTENSION_BYTES_MAX: usize = 16;
    if name.len() <= NAME_BYTES_MAX {
        return name.to_owned();
    }
    let extension = name.rfind('.').filter(|&at| name.len() - at <= EXTENSION_BYTES_MAX).map_or("", |at| &name[at..]);
    let mut ends = (0..=NAME_BYTES_MAX - extension.len()).rev();
    let end = ends.find(|&at| name.is_char_boundary(at)).unwrap_or(0);
    format!("{}{extension}", name[..end].trim_end_matches([' ', '.']))
}

fn is_device(name: &str) -> bool {
    let stem = stem(name).to_ascii_uppercase();
    let numbered =
        |device: &str| stem.strip_prefix(device).is_some_and(|rest| matches!(rest.as_bytes(), [b'1'..=b'9']));
    DEVICES.contains(&&stem[..]) || NUMBERED_DEVICES.iter().any(|device| numbered(device))
}

/// What stands before the first dot.
fn stem(name: &str) -> &str {
    name.split_once('.').map_or(name, |(stem, _)| stem)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_name_that_some_client_changes_is_found_and_made_safe() {
        let long = format!("{}.mp3", "ü".repeat(130));
        let cases = [
            ("a\"*:<>?|\\#%b", "a__________b", Some(Fault::Character('"'))),
            ("Part 1: the start", "Part 1_ the start", Some(Fault::Character(':'))),
            (" a. ", "_a__", Some(Fault::Ends)),
            ("a.", "a_", Some(Fault::Ends)),
            ("...", "___", Some(Fault::Ends)),
            ("a\u{7}\n", "a__", Some(Fault::Control)),
            ("con", "con_", Some(Fault::Device)),
            ("Aux.tar.gz", "Aux_.tar.gz", Some(Fault::Device)),
            ("LPT9.txt", "LPT9_.txt", Some(Fault::Device)),
            (&long, &format!("{}.mp3", "ü".repeat(125)), Some(Fault::Long)),
            ("a b.mp3", "a b.mp3", None),
            (".hidden", ".hidden", None),
            ("lpt0.txt", "lpt0.txt", None),
            ("ü é 😀 &+';,[]{}~@=$!^.bin", "ü é 😀 &+';,[]{}~@=$!^.bin", None),
        ];
        for (name, safe, fault) in cases {
            assert_eq!((super::safe(name).as_str(), super::fault(name)), (safe, fault), "{name:?}");
        }
    }

    #[test]
    fn names_that_some_file_system_takes_for_one_are_folded_to_one() {
        assert_eq!(folded("Ä.MP3"), folded("a\u{308}.mp3"));
        assert_ne!(folded("a.mp3"), folded("ä.mp3"));
        assert_eq!(["a.b.mp3", "a", ".a", "Ä日.c"].map(another), ["a.b-2.mp3", "a-2", ".a-2", "A_-2.c"]);
    }

    proptest! {
        #[test]
        fn a_safe_name_has_no_fault(name in "\\PC{1,300}|[ .a:CONcon1]{1,6}|\\p{any}{1,20}") {
            let safe = safe(&name);
            prop_assert_eq!(fault(&safe), None, "{:?}", safe);
            prop_assert!(!safe.is_empty());
            prop_assert_eq!(safe == name, fault(&name).is_none());
        }
    }
}
