//! Namespaces as they are in scope: what a prefix means at a place, and which prefix means what we write.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// The most meanings of prefixes in a document, and the most declarations in scope.
pub(super) const NAMESPACES_MAX: usize = 4096;

/// A namespace.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Space {
    /// That of names without one.
    None,
    Atom,
    Itunes,
    Podcast,
    /// Another one, by its number.
    Other(usize),
}

/// That of prefixes which are not declared.
const UNDECLARED: Space = Space::Other(usize::MAX);

impl Space {
    /// The URI with which it is declared, and the prefix that is asked for.
    pub(super) fn declaration(self) -> (&'static str, &'static str) {
        match self {
            Self::Atom => ("atom", "http://www.w3.org/2005/Atom"),
            Self::Itunes => ("itunes", "http://www.itunes.com/dtds/podcast-1.0.dtd"),
            Self::Podcast => ("podcast", "https://podcastindex.org/namespace/1.0"),
            Self::None | Self::Other(_) => unreachable!("nothing is written in these"),
        }
    }

    fn known(uri: &str) -> Option<Self> {
        const PODCAST_BEFORE: &str = "https://github.com/Podcastindex-org/podcast-namespace/blob/main/docs/1.0.md";
        match uri {
            "" => Some(Self::None),
            uri if uri == Self::Atom.declaration().1 => Some(Self::Atom),
            // Feeds write it in several cases, and apps take all of them.
            uri if uri.eq_ignore_ascii_case(Self::Itunes.declaration().1) => Some(Self::Itunes),
            uri if uri == Self::Podcast.declaration().1 || uri == PODCAST_BEFORE => Some(Self::Podcast),
            _ => None,
        }
    }
}

/// The declarations in scope.
#[derive(Debug, Default)]
pub(super) struct Namespaces {
    bindings: Vec<Binding>,
    others: BTreeMap<Box<str>, usize>,
    meanings: Meanings,
    kept_bytes: usize,
}

#[derive(Debug)]
struct Binding {
    depth: usize,
    prefix: Arc<str>,
    space: Space,
}

/// What the prefixes of a document mean anywhere in it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Meanings(BTreeSet<(Arc<str>, Space)>);

impl Meanings {
    /// A prefix that can be declared at the root for `space`: nowhere below does it mean something else.
    pub(super) fn free_prefix(&self, space: Space) -> String {
        let (wanted, _) = space.declaration();
        let is_free = |prefix: &String| !self.0.iter().any(|(bound, to)| **bound == **prefix && *to != space);
        (0..=self.0.len())
            .map(|number| if number == 0 { wanted.to_owned() } else { format!("{wanted}{number}") })
            .find(is_free)
            .expect("one more is tried than there are")
    }
}

impl Namespaces {
    /// Takes a declaration of the element that is now the innermost. `prefix` is empty for the default namespace.
    /// Returns whether there is room.
    pub(super) fn declare(&mut self, depth: usize, prefix: &str, uri: &str) -> bool {
        let space = Space::known(uri).unwrap_or_else(|| {
            let next = self.others.len();
            Space::Other(*self.others.entry(uri.into()).or_insert_with(|| {
                self.kept_bytes += uri.len();
                next
            }))
        });
        let prefix: Arc<str> = prefix.into();
        self.mean(prefix.clone(), space);
        self.kept_bytes += prefix.len();
        self.bindings.push(Binding { depth, prefix, space });
        self.meanings.0.len() <= NAMESPACES_MAX && self.bindings.len() <= NAMESPACES_MAX
    }

    /// Keeps that a prefix means something somewhere; returns whether that is new.
    fn mean(&mut self, prefix: Arc<str>, space: Space) -> bool {
        let bytes = prefix.len();
        let is_new = self.meanings.0.insert((prefix, space));
        self.kept_bytes += if is_new { bytes } else { 0 };
        is_new
    }

    /// Takes a prefix that is used: if it is not declared, and was not seen so before, whether there is room. It means
    /// something already then: it is not free.
    pub(super) fn undeclared(&mut self, prefix: &str) -> Option<bool> {
        let is_declared = matches!(prefix, "" | "xml" | "xmlns") || self.is_declared(prefix);
        (!is_declared && self.mean(prefix.into(), UNDECLARED)).then_some(self.meanings.0.len() <= NAMESPACES_MAX)
    }

    /// The bytes of what is kept.
    pub(super) fn kept_bytes(&self) -> usize {
        self.kept_bytes
    }

    /// Forgets the declarations of the elements that are as deep as that, or deeper.
    pub(super) fn leave(&mut self, depth: usize) {
        while self.bindings.last().is_some_and(|binding| binding.depth >= depth) {
            self.kept_bytes -= self.bindings.pop().map_or(0, |binding| binding.prefix.len());
        }
    }

    /// The namespace of an element with this prefix. A prefix that is not declared means nothing we know.
    pub(super) fn space(&self, prefix: &str) -> Space {
        self.binding(prefix).map_or(if prefix.is_empty() { Space::None } else { UNDECLARED }, |binding| binding.space)
    }

    /// Whether the prefix is declared; the empty one is where there is a default namespace.
    pub(super) fn is_declared(&self, prefix: &str) -> bool {
        self.binding(prefix).is_some()
    }

    fn binding(&self, prefix: &str) -> Option<&Binding> {
        self.bindings.iter().rev().find(|binding| *binding.prefix == *prefix)
    }

    /// The prefix that means `space` here; the innermost, and the last of those: so that one which was inserted, which
    /// stands first in the root, is not preferred to one that was taken before it was there.
    pub(super) fn prefix(&self, space: Space) -> Option<Arc<str>> {
        let mut from_inside = self.bindings.iter().enumerate().rev();
        let (_, found) = from_inside.find(|(at, binding)| {
            binding.space == space
                && is_plain(&binding.prefix)
                && !self.bindings[at + 1..].iter().any(|inner| inner.prefix == binding.prefix)
        })?;
        Some(found.prefix.clone())
    }

    /// What all prefixes meant.
    pub(super) fn into_meanings(self) -> Meanings {
        self.meanings
    }
}

/// Whether a prefix is one that can be written in any encoding; the empty one is.
fn is_plain(prefix: &str) -> bool {
    !prefix.starts_with(|c: char| !c.is_ascii_alphabetic() && c != '_')
        && prefix.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.'))
}

#[cfg(test)]
mod tests {
    use super::*;

    const PODCAST: &str = "https://podcastindex.org/namespace/1.0";

    #[test]
    fn a_prefix_means_what_the_innermost_element_says() {
        let mut namespaces = Namespaces::default();
        assert_eq!(namespaces.space(""), Space::None);
        assert!(matches!(namespaces.space("podcast"), Space::Other(_)));
        for (depth, prefix, uri) in [
            (1, "podcast", "https://example.org/other"),
            (1, "p", PODCAST),
            (1, "I", "HTTP://www.iTunes.com/DTDs/Podcast-1.0.dtd"),
            (2, "", "http://www.w3.org/2005/Atom"),
            (3, "p", "https://example.org/other"),
            (3, "q", "https://github.com/Podcastindex-org/podcast-namespace/blob/main/docs/1.0.md"),
        ] {
            assert!(namespaces.declare(depth, prefix, uri));
        }
        assert_eq!(namespaces.prefix(Space::Podcast).as_deref(), Some("q"));
        assert_eq!(namespaces.prefix(Space::Atom).as_deref(), Some(""));
        assert_eq!(namespaces.prefix(Space::Itunes).as_deref(), Some("I"));
        assert_eq!(namespaces.space("p"), namespaces.space("podcast"));
        namespaces.leave(3);
        assert_eq!(namespaces.prefix(Space::Podcast).as_deref(), Some("p"));
        namespaces.leave(2);
        assert_eq!(namespaces.space(""), Space::None);
        namespaces.leave(1);
        assert_eq!(namespaces.prefix(Space::Podcast), None);
        let meanings = namespaces.into_meanings();
        assert_eq!(meanings.free_prefix(Space::Podcast), "podcast1");
        assert_eq!(meanings.free_prefix(Space::Itunes), "itunes");
    }

    #[test]
    fn an_inner_declaration_hides_the_outer_one() {
        let mut namespaces = Namespaces::default();
        assert!(namespaces.declare(1, "p", PODCAST) && namespaces.declare(2, "p", "https://example.org/other"));
        assert_eq!(namespaces.prefix(Space::Podcast), None);
        assert!(namespaces.declare(2, "\u{e9}", PODCAST));
        assert_eq!(namespaces.prefix(Space::Podcast), None);
        assert_eq!(namespaces.space("\u{e9}"), Space::Podcast);
        assert!(namespaces.declare(2, "0", PODCAST) && namespaces.declare(2, "a b", PODCAST));
        assert_eq!(namespaces.prefix(Space::Podcast), None);
    }

    #[test]
    fn there_is_room_for_so_many_namespaces_and_no_more() {
        let mut namespaces = Namespaces::default();
        let mut declare = |number, depth| {
            namespaces.leave(depth);
            namespaces.declare(depth, "p", &format!("https://example.org/{number}"))
        };
        assert!((0..NAMESPACES_MAX).all(|number| declare(number, 1)));
        assert!(!declare(NAMESPACES_MAX, 1));
        let mut namespaces = Namespaces::default();
        assert!((0..NAMESPACES_MAX).all(|depth| namespaces.declare(depth, "p", PODCAST)));
        assert!(!namespaces.declare(NAMESPACES_MAX, "p", PODCAST));
    }
}
