//! The tag schemes of strict evaluation.

use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;

use crate::Error;

/// A tag scheme that strict evaluation knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Scheme {
    /// `I`; `B` only between neighbours of one type.
    Iob1,
    /// `B I…`, also called BIO.
    Iob2,
    /// `I`; `E` only between neighbours of one type.
    Ioe1,
    /// `…I E`.
    Ioe2,
    /// `B I… E` or `S`, also called BIOES.
    Iobes,
    /// `B I… L` or `U`.
    Bilou,
}

const SCHEMES: [(&str, Scheme); 6] = [
    ("iob1", Scheme::Iob1),
    ("iob2", Scheme::Iob2),
    ("ioe1", Scheme::Ioe1),
    ("ioe2", Scheme::Ioe2),
    ("iobes", Scheme::Iobes),
    ("bilou", Scheme::Bilou),
];

/// The sets of first letters, sorted, that tell a scheme (`scheme.py`, `auto_detect`). No letters,
/// and `O` alone, follow every scheme; upstream refuses them.
const DETECTED: [(Scheme, &[&str]); 4] = [
    (Scheme::Iob2, &["", "O", "BIO", "BI", "BO", "B"]),
    (Scheme::Ioe2, &["EIO", "EI", "EO", "E"]),
    (Scheme::Iobes, &["BEIOS", "BEIS", "BEIO", "BEOS", "BEI", "BES", "BEO", "BE", "S"]),
    (Scheme::Bilou, &["BILOU", "BILU", "BILO", "BLOU", "BIL", "BLU", "BLO", "BL", "U"]),
];

impl Scheme {
    /// The scheme that tags follow, told by the set of their first letters as seqeval tells it.
    ///
    /// # Errors
    ///
    /// When the set belongs to no scheme, or to one that it cannot tell apart: `I` and `O` alone
    /// may be IOB1 or IOE1.
    pub fn detect<S: AsRef<str>>(tags: impl IntoIterator<Item = S>) -> Result<Self, Error> {
        let mut letters = BTreeSet::new();
        for tag in tags {
            letters.extend(tag.as_ref().chars().next());
        }
        let found: String = letters.into_iter().collect();
        let scheme = DETECTED.iter().find(|(_, sets)| sets.contains(&found.as_str()));
        scheme.map(|(scheme, _)| *scheme).ok_or(Error::UnknownScheme { found })
    }

    /// The letters that a tag may begin with.
    #[must_use]
    pub const fn prefixes(self) -> &'static str {
        match self {
            Self::Iob1 | Self::Iob2 => "BIO",
            Self::Ioe1 | Self::Ioe2 => "EIO",
            Self::Iobes => "BEIOS",
            Self::Bilou => "BILOU",
        }
    }
}

impl FromStr for Scheme {
    type Err = Error;

    fn from_str(name: &str) -> Result<Self, Error> {
        let scheme = SCHEMES.iter().find(|(known, _)| known.eq_ignore_ascii_case(name));
        scheme
            .map(|(_, scheme)| *scheme)
            .ok_or_else(|| Error::SchemeName { found: name.to_owned() })
    }
}

impl fmt::Display for Scheme {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = SCHEMES.iter().find(|(_, scheme)| scheme == self).map_or("", |(name, _)| name);
        f.pad(name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_and_written() {
        for (name, scheme) in SCHEMES {
            assert_eq!(name.parse::<Scheme>().unwrap(), scheme);
            assert_eq!(name.to_uppercase().parse::<Scheme>().unwrap(), scheme);
            assert_eq!(scheme.to_string(), name);
        }
        let error = "bio".parse::<Scheme>().unwrap_err().to_string();
        assert!(error.ends_with("iobes, bilou, found \"bio\""), "{error}");
    }

    #[test]
    fn ambiguous_prefixes_are_not_guessed() {
        assert_eq!(Scheme::detect(["O", "B-PER", ""]).unwrap(), Scheme::Iob2);
        assert_eq!(Scheme::detect::<&str>([]).unwrap(), Scheme::Iob2);
        assert_eq!(Scheme::detect(["U-PER"]).unwrap(), Scheme::Bilou);
        for odd in [vec!["I-PER", "O"], vec!["I-PER"], vec!["PER"], vec!["S-A", "O"]] {
            assert!(matches!(Scheme::detect(&odd), Err(Error::UnknownScheme { .. })), "{odd:?}");
        }
    }
}
