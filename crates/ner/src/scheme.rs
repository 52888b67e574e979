//! Tag schemes: how `B-PER` and its kin mark where entities begin and end.

use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;

use crate::{Error, names};

/// The label of what is in no entity.
pub(crate) const OUTSIDE: &str = "O";

/// Where in its entity a tag puts a word.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Prefix {
    /// `B`: the first word.
    Begin,
    /// `I` or `M`: goes on.
    Inside,
    /// `E` or `L`: the last word.
    End,
    /// `S` or `U`: the only word.
    Single,
}

/// A tag scheme (Ramshaw and Marcus 1995; Tjong Kim Sang and Veenstra 1999; Ratinov and Roth
/// 2009).
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
    /// `B I… E` or `S`, also called BIOES; `M` is read as `I`.
    Iobes,
    /// `B I… L` or `U`.
    Bilou,
    /// The label is the type: neighbours of one type are one entity.
    None,
}

const SCHEMES: [(&str, Scheme); 7] = [
    ("iob1", Scheme::Iob1),
    ("iob2", Scheme::Iob2),
    ("ioe1", Scheme::Ioe1),
    ("ioe2", Scheme::Ioe2),
    ("iobes", Scheme::Iobes),
    ("bilou", Scheme::Bilou),
    ("none", Scheme::None),
];

impl Scheme {
    /// The scheme that a classifier's labels seem to follow, by their prefixes.
    ///
    /// Labels say which prefixes there are, not how they are used: `B` and `I` pass for IOB2, `I`
    /// alone for IOB1, `I` and `E` for IOE2. Where fewer than half of the labels have a prefix
    /// (`O` not counted) what looks like one belongs to the type, as in `E-Mail` beside `Phone`.
    #[must_use]
    pub fn detect<S: AsRef<str>>(labels: &[S]) -> Self {
        let labels = labels.iter().map(AsRef::as_ref).filter(|label| *label != OUTSIDE);
        let (mut with, mut without, mut letters) = (0, 0, BTreeSet::new());
        for label in labels {
            match split_letter(label).filter(|(letter, _)| "BIESLUM".contains(*letter)) {
                Some((letter, _)) => {
                    with += 1;
                    letters.insert(letter);
                }
                None => without += 1,
            }
        }
        let any = |wanted: &str| wanted.chars().any(|letter| letters.contains(&letter));
        if with == 0 || with < without {
            Self::None
        } else if any("LU") && !any("ES") {
            Self::Bilou
        } else if any("SM") || any("E") && any("B") {
            Self::Iobes
        } else if any("E") {
            Self::Ioe2
        } else if any("B") {
            Self::Iob2
        } else {
            Self::Iob1
        }
    }

    /// Cuts a label at its first hyphen into prefix and type. A label whose prefix the scheme does
    /// not have is a type as a whole.
    #[must_use]
    pub fn split(self, label: &str) -> (Option<Prefix>, &str) {
        let prefix = |(letter, kind)| Some((self.prefix(letter)?, kind));
        match split_letter(label).and_then(prefix) {
            Some((prefix, kind)) => (Some(prefix), kind),
            None => (None, label),
        }
    }

    /// Whether each entity begins with a tag of its own, so that an inside tag never does.
    pub(crate) const fn marks_starts(self) -> bool {
        matches!(self, Self::Iob2 | Self::Iobes | Self::Bilou)
    }

    fn prefix(self, letter: char) -> Option<Prefix> {
        let letters = match self {
            Self::Iob1 | Self::Iob2 => "BI",
            Self::Ioe1 | Self::Ioe2 => "IE",
            Self::Iobes => "BIMES",
            Self::Bilou => "BILU",
            Self::None => "",
        };
        letters.contains(letter).then_some(match letter {
            'B' => Prefix::Begin,
            'E' | 'L' => Prefix::End,
            'S' | 'U' => Prefix::Single,
            _ => Prefix::Inside,
        })
    }
}

/// A label that begins with one letter and a hyphen, in its two parts.
fn split_letter(label: &str) -> Option<(char, &str)> {
    let mut chars = label.chars();
    let letter = chars.next()?;
    chars.as_str().strip_prefix('-').map(|kind| (letter, kind))
}

impl FromStr for Scheme {
    type Err = Error;

    fn from_str(name: &str) -> Result<Self, Error> {
        names::parse("scheme", &SCHEMES, name)
    }
}

impl fmt::Display for Scheme {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(names::name(&SCHEMES, self))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_tell_their_scheme() {
        let detect = |labels: &str| Scheme::detect(&labels.split(' ').collect::<Vec<_>>());
        assert_eq!(detect("O B-PER I-PER"), Scheme::Iob2);
        assert_eq!(detect("O B-PER"), Scheme::Iob2);
        assert_eq!(detect("O I-PER I-LOC"), Scheme::Iob1);
        assert_eq!(detect("O I-PER E-PER"), Scheme::Ioe2);
        assert_eq!(detect("O B-PER I-PER E-PER S-PER"), Scheme::Iobes);
        assert_eq!(detect("O B-PER M-PER E-PER"), Scheme::Iobes);
        assert_eq!(detect("O B-PER I-PER L-PER U-PER"), Scheme::Bilou);
        assert_eq!(detect("O PER LOC"), Scheme::None);
        assert_eq!(detect("O"), Scheme::None);
        assert_eq!(detect(""), Scheme::None);
        assert_eq!(detect("LABEL_0 LABEL_1"), Scheme::None);
        // BERT-NER's extra labels do not hide the scheme, nor does one hyphen make it.
        assert_eq!(detect("O B-PER I-PER B-LOC I-LOC X [CLS] [SEP]"), Scheme::Iob2);
        assert_eq!(detect("O E-Mail Phone URL"), Scheme::None);
        // All prefixes at once: whatever is decided, it is decided.
        assert_eq!(detect("B-A I-A E-A S-A L-A U-A M-A"), Scheme::Iobes);
    }

    #[test]
    fn labels_are_cut_at_the_first_hyphen() {
        assert_eq!(Scheme::Iob2.split("B-a-b"), (Some(Prefix::Begin), "a-b"));
        assert_eq!(Scheme::Iob2.split("I-"), (Some(Prefix::Inside), ""));
        assert_eq!(Scheme::Iob2.split("S-PER"), (None, "S-PER"));
        assert_eq!(Scheme::Bilou.split("L-PER"), (Some(Prefix::End), "PER"));
        assert_eq!(Scheme::Bilou.split("U-PER"), (Some(Prefix::Single), "PER"));
        assert_eq!(Scheme::None.split("B-PER"), (None, "B-PER"));
        for odd in ["", "-", "--", "B", "ñ-PER", "BI-PER"] {
            assert_eq!(Scheme::Iobes.split(odd), (None, odd));
        }
    }

    #[test]
    fn names_are_read_and_written() {
        for (name, scheme) in SCHEMES {
            assert_eq!(name.parse(), Ok(scheme));
            assert_eq!(scheme.to_string(), name);
        }
        assert!("IOB".parse::<Scheme>().is_err());
    }
}
