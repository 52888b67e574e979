//! The choices that a caller of the decoder has.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use crate::{Error, Scheme, names};

/// How labels of pieces become entities.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Aggregation {
    /// Whole words, judged by their first piece and by the probability of each type under all its
    /// prefixes; see the [crate] documentation.
    #[default]
    Best,
    /// Hugging Face's `none`: each piece by itself.
    None,
    /// Hugging Face's `simple`: neighbouring pieces of one type.
    Simple,
    /// Hugging Face's `first`: a word has the label of its first piece.
    First,
    /// Hugging Face's `average`: a word has the label that its pieces together favour.
    Average,
    /// Hugging Face's `max`: a word has the label of its surest piece.
    Max,
    /// The rules of Spark NLP's `NerConverter`: what the first tag of a run says goes for all.
    Spark,
}

const AGGREGATIONS: [(&str, Aggregation); 7] = [
    ("best", Aggregation::Best),
    ("none", Aggregation::None),
    ("simple", Aggregation::Simple),
    ("first", Aggregation::First),
    ("average", Aggregation::Average),
    ("max", Aggregation::Max),
    ("spark", Aggregation::Spark),
];

impl FromStr for Aggregation {
    type Err = Error;

    fn from_str(name: &str) -> Result<Self, Error> {
        names::parse("aggregation", &AGGREGATIONS, name)
    }
}

impl fmt::Display for Aggregation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(names::name(&AGGREGATIONS, self))
    }
}

/// What [`Aggregation::Best`] and [`Aggregation::Spark`] take for a word where nobody has marked
/// the words.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum WordUnit {
    /// What people write without a blank: `O'Brien`, `New-York`, `U.S.` and `3.5` are one word.
    #[default]
    Compound,
    /// What BERT's tokenizer takes for a word: any punctuation mark is a word by itself.
    PreToken,
}

const WORD_UNITS: [(&str, WordUnit); 2] =
    [("compound", WordUnit::Compound), ("pre-token", WordUnit::PreToken)];

impl FromStr for WordUnit {
    type Err = Error;

    fn from_str(name: &str) -> Result<Self, Error> {
        names::parse("word unit", &WORD_UNITS, name)
    }
}

impl fmt::Display for WordUnit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(names::name(&WORD_UNITS, self))
    }
}

/// What [`Aggregation::Best`] makes of a tag that goes on with another type, as `I-LOC` behind
/// `B-PER`. Schemes that mark where entities begin do not allow that; in others it begins an entity
/// in any case.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum TypeChange {
    /// It begins an entity.
    Split,
    /// It goes on with the entity, and all words vote on the type by their masses.
    #[default]
    Vote,
}

const TYPE_CHANGES: [(&str, TypeChange); 2] =
    [("split", TypeChange::Split), ("vote", TypeChange::Vote)];

impl FromStr for TypeChange {
    type Err = Error;

    fn from_str(name: &str) -> Result<Self, Error> {
        names::parse("type change", &TYPE_CHANGES, name)
    }
}

impl fmt::Display for TypeChange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(names::name(&TYPE_CHANGES, self))
    }
}

/// How to decode and what to report.
///
/// The filters run in this order: `label_map`, `labels`, `exclude_labels`, `min_score`; so the two
/// lists hold the new names. What is outside of all entities is never reported.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct DecoderOptions {
    /// How labels of pieces become entities.
    pub aggregation: Aggregation,
    /// How tags are read, if not as the labels suggest (see [`Scheme::detect`]).
    pub scheme: Option<Scheme>,
    /// What a word is where nobody has marked the words.
    pub word_unit: WordUnit,
    /// What becomes of an entity whose words disagree on its type.
    pub type_change: TypeChange,
    /// New names of types or tags.
    pub label_map: BTreeMap<String, String>,
    /// Report only these types; for [`Aggregation::None`] also tags. `None` reports all.
    pub labels: Option<Vec<String>>,
    /// Leave out these types; for [`Aggregation::None`] also tags.
    pub exclude_labels: Vec<String>,
    /// Leave out entities with a lower score, 0 to 1.
    pub min_score: Option<f32>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_and_written() {
        for (name, aggregation) in AGGREGATIONS {
            assert_eq!(name.parse(), Ok(aggregation));
            assert_eq!(aggregation.to_string(), name);
        }
        for (name, unit) in WORD_UNITS {
            assert_eq!(name.parse(), Ok(unit));
            assert_eq!(unit.to_string(), name);
        }
        for (name, change) in TYPE_CHANGES {
            assert_eq!(name.parse(), Ok(change));
            assert_eq!(change.to_string(), name);
        }
        let error = "mean".parse::<Aggregation>().unwrap_err().to_string();
        let expected = "aggregation: expected one of best, none, simple, first, average, max, \
                        spark, found \"mean\"";
        assert_eq!(error, expected);
    }
}
