//! For which versions of the protocol a torrent is made.

use std::fmt;
use std::str::FromStr;

use crate::id::InfoHashes;

/// The versions of the protocol that a torrent is shared by.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// BEP 3 alone: every client takes it.
    #[default]
    V1,
    /// BEP 52 alone.
    V2,
    /// Both at once (BEP 52, "upgrade path").
    Hybrid,
}

impl Kind {
    /// Each kind.
    pub const ALL: [Self; 3] = [Self::V1, Self::V2, Self::Hybrid];

    /// That of a torrent with these info-hashes.
    pub fn of(hashes: InfoHashes) -> Self {
        match hashes {
            InfoHashes::V1(_) => Self::V1,
            InfoHashes::V2(_) => Self::V2,
            InfoHashes::Hybrid(..) => Self::Hybrid,
        }
    }

    /// As it is written in settings.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::V1 => "v1",
            Self::V2 => "v2",
            Self::Hybrid => "hybrid",
        }
    }

    /// Whether it has pieces of v1.
    pub fn has_v1(self) -> bool {
        self != Self::V2
    }

    /// Whether it has trees of v2.
    pub fn has_v2(self) -> bool {
        self != Self::V1
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// A text that names no [`Kind`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NotAKind(String);

impl NotAKind {
    /// What to write instead.
    pub const HELP: &str = "write v1, v2 or hybrid";
}

impl fmt::Display for NotAKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} is no kind of torrent", self.0)
    }
}

impl std::error::Error for NotAKind {}

impl FromStr for Kind {
    type Err = NotAKind;

    fn from_str(text: &str) -> Result<Self, NotAKind> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == text).ok_or_else(|| NotAKind(text.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kind_reads_back_as_it_is_written() {
        for kind in Kind::ALL {
            assert_eq!(kind.to_string().parse(), Ok(kind));
            assert!(kind.has_v1() || kind.has_v2());
        }
        let error = "V3".parse::<Kind>().expect_err("no kind");
        assert_eq!(error.to_string(), "\"V3\" is no kind of torrent");
    }
}
