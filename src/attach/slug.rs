//! The names that media go by: short, of their file's name, and the same in each run.

use std::collections::{HashMap, HashSet};

use crate::names;

/// The most characters of a part of a slug.
const SLUG_CHARACTERS_MAX: usize = 100;
/// The most bytes of a slug: with `.torrent` behind it, it stays a file's name.
const SLUG_BYTES_MAX: usize = 200;

/// What is to be named.
#[derive(Debug, Clone, Copy)]
pub struct Nameless<'a> {
    /// What the lock knows it by.
    pub source: &'a str,
    /// The names of the path of its URL, the file's last.
    pub path: &'a [String],
    /// Its size, as far as that is known.
    pub bytes: Option<u64>,
}

/// The names that are given already.
#[derive(Debug, Default)]
pub struct Given<'a> {
    /// The slugs by what the lock knows them by.
    pub slugs: HashMap<&'a str, &'a str>,
    /// The sizes of what has a slug and is in no feed any more, by slug. Something of the same size may be the same, from
    /// another host, and takes its name.
    pub left_over: HashMap<&'a str, u64>,
}

/// Names each of `media`, which stand in the order in which they came: a later one never takes the name of an earlier one.
///
/// `ep3.mp3` is `ep3`; another file of that stem is `ep3.ogg`, and one of another folder `2025-ep3`.
pub fn assign(media: &[Nameless], given: &Given) -> Vec<String> {
    let mut taken: HashSet<String> = HashSet::new();
    let given_to = |one: &Nameless| {
        let slug = given.slugs.get(one.source)?;
        taken.insert(names::folded(slug)).then(|| (*slug).to_owned())
    };
    let mut slugs: Vec<Option<String>> = media.iter().map(given_to).collect();
    let left_over: HashMap<_, _> = given.left_over.iter().map(|(slug, bytes)| (names::folded(slug), *bytes)).collect();
    // Two files of one name must not be one in a folder of downloads.
    let mut files: HashSet<String> = (media.iter().zip(&slugs))
        .filter_map(|(one, slug)| Some(names::folded(&file_name(slug.as_ref()?, one.path))))
        .collect();
    let mut numbers: HashMap<String, u32> = HashMap::new();
    for (one, slug) in media.iter().zip(&mut slugs) {
        if slug.is_some() {
            continue;
        }
        let mut is_free = |candidate: &String| {
            let folded = names::folded(candidate);
            let is_anothers = left_over.get(&folded).is_some_and(|bytes| one.bytes != Some(*bytes));
            let file = names::folded(&file_name(candidate, one.path));
            !is_anothers && !taken.contains(&folded) && files.insert(file)
        };
        let number = numbers.entry(stem(one.path)).or_insert(2);
        let found = candidates(one.path).find(&mut is_free).unwrap_or_else(|| {
            // From where the last of that name ended: thousands of files can have it.
            let numbered = (*number..).map(|next| (next, format!("{}-{next}", stem(one.path))));
            let (last, found) = { numbered }.find(|(_, slug)| is_free(slug)).expect("numbers do not end");
            *number = last + 1;
            found
        });
        taken.insert(names::folded(&found));
        *slug = Some(found);
    }
    slugs.into_iter().map(|slug| slug.expect("each has its name now")).collect()
}

/// The file's name in its torrent: its own where its slug says no more than that.
pub fn file_name(slug: &str, path: &[String]) -> String {
    let file = path.last().map_or("", String::as_str);
    let (stem, ending) = split(file);
    if slug == plain(stem) || slug == plain(file) { names::safe(file) } else { names::safe(&format!("{slug}{ending}")) }
}

/// The slugs that a file can have before it is given a number, the best first.
fn candidates(path: &[String]) -> impl Iterator<Item = String> {
    let file = path.last().map_or("", String::as_str).to_owned();
    let (stem, _) = split(&file);
    let short = [plain(stem), plain(&file)];
    let folders: Vec<_> = path[..path.len().saturating_sub(1)].iter().map(|name| plain(name)).collect();
    let with_folders = (1..=folders.len()).map({
        let stem = plain(stem);
        move |count| format!("{}-{stem}", folders[folders.len() - count..].join("-"))
    });
    let fits = |slug: &String| slug.len() <= SLUG_BYTES_MAX;
    short.into_iter().chain(with_folders.filter(fits))
}

/// The slug of a file's name without its extension.
fn stem(path: &[String]) -> String {
    plain(split(path.last().map_or("", String::as_str)).0)
}

/// A file's name before its extension, and the extension with its point.
fn split(file: &str) -> (&str, &str) {
    match file.rfind('.') {
        Some(at) if at > 0 => file.split_at(at),
        _ => (file, ""),
    }
}

/// `name` in letters that stand unchanged in a URL.
fn plain(name: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    let plain = if name.chars().all(is_plain) { name.to_owned() } else { slug::slugify(name) };
    let plain = plain.trim_start_matches('.');
    if plain.is_empty() { "file".to_owned() } else { plain.chars().take(SLUG_CHARACTERS_MAX).collect() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(paths: &[&str], given: &Given) -> Vec<String> {
        let split: Vec<Vec<String>> = paths.iter().map(|path| path.split('/').map(str::to_owned).collect()).collect();
        let media: Vec<_> =
            paths.iter().zip(&split).map(|(source, path)| Nameless { source, path, bytes: Some(9) }).collect();
        let slugs = assign(&media, given);
        slugs.iter().zip(&split).map(|(slug, path)| format!("{slug} {}", file_name(slug, path))).collect()
    }

    #[test]
    fn a_file_goes_by_its_own_name_and_a_later_one_by_more_of_its_path() {
        let paths = ["a/ep3.mp3", "a/ep3.ogg", "2025/ep3.mp3", "b/2025/ep3.mp3", "a/EP3.MP3", "x/a/ep3.ogg", "ep3.ogg"];
        assert_eq!(
            named(&paths, &Given::default()),
            [
                "ep3 ep3.mp3",
                "ep3.ogg ep3.ogg",
                "2025-ep3 2025-ep3.mp3",
                "b-2025-ep3 b-2025-ep3.mp3",
                "a-EP3 a-EP3.MP3",
                "x-a-ep3 x-a-ep3.ogg",
                "ep3-2 ep3-2.ogg",
            ]
        );
    }

    #[test]
    fn what_the_lock_named_keeps_its_name() {
        assert_eq!(
            named(
                &["new/ep3.mp3", "old/ep3.mp3"],
                &Given { slugs: [("old/ep3.mp3", "ep3")].into(), ..Given::default() }
            ),
            ["new-ep3 new-ep3.mp3", "ep3 ep3.mp3"]
        );
    }

    #[test]
    fn a_name_is_not_given_twice() {
        let given = Given { slugs: [("a/x.mp3", "x"), ("b/y.mp3", "X")].into(), ..Given::default() };
        assert_eq!(named(&["a/x.mp3", "b/y.mp3"], &given), ["x x.mp3", "y y.mp3"]);
    }

    #[test]
    fn what_is_in_no_feed_any_more_gives_its_name_to_what_may_be_the_same() {
        let given = Given { left_over: [("same", 9), ("ep3", 10)].into(), ..Given::default() };
        assert_eq!(named(&["x/same.mp3", "x/ep3.mp3"], &given), ["same same.mp3", "ep3.mp3 ep3.mp3"]);
    }

    #[test]
    fn a_slug_stands_in_a_url_as_it_is() {
        assert_eq!(
            named(&["Über uns/Folge 1 – é.mp3", ".mp3", "…", "…/…", "noending"], &Given::default()),
            ["folge-1-e Folge 1 – é.mp3", "mp3 .mp3", "file …", "file-file file-file", "noending noending"]
        );
    }
}
