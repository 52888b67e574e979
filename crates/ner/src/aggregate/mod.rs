//! From probabilities of pieces to entities, one module for each rule.

mod best;
mod hugging_face;
mod spark;
mod units;

use std::ops::Range;

use crate::join::join;
use crate::softmax::argmax;
use crate::{Aggregation, Entity, LabelSet, Piece, TypeChange, WordUnit};

/// A text in pieces with the probabilities of its labels. Sizes have been checked.
pub(crate) struct Scored<'a> {
    pub(crate) labels: &'a LabelSet,
    pub(crate) text: &'a str,
    pub(crate) pieces: &'a [Piece<'a>],
    /// `[pieces, labels]`, row-major.
    pub(crate) scores: &'a [f32],
}

impl<'a> Scored<'a> {
    /// The probabilities of one piece, by label.
    fn row(&self, piece: usize) -> &'a [f32] {
        let labels = self.labels.labels().len();
        &self.scores[piece * labels..(piece + 1) * labels]
    }

    /// The likeliest label of one piece with its probability.
    fn likeliest(&self, piece: usize) -> (usize, f32) {
        argmax(self.row(piece))
    }

    /// The name of a label.
    fn label(&self, id: usize) -> &'a str {
        &self.labels.labels()[id]
    }

    /// An entity that is made of `pieces`, at least one, and covers `bytes`.
    fn entity(&self, label: &str, score: f32, pieces: Range<usize>, bytes: Range<usize>) -> Entity {
        Entity {
            label: label.to_owned(),
            score,
            start: bytes.start,
            end: bytes.end,
            word: join(self.pieces[pieces].iter().map(|piece| piece.spelling(self.text))),
            index: None,
        }
    }
}

/// How pieces become words and words become entities.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rules {
    pub(crate) aggregation: Aggregation,
    pub(crate) word_unit: WordUnit,
    pub(crate) type_change: TypeChange,
}

/// The entities by `rules`, in the order of the text.
pub(crate) fn entities(scored: &Scored<'_>, rules: Rules) -> Vec<Entity> {
    use hugging_face::Judge;
    let units = || units::units(scored.text, scored.pieces, rules.word_unit);
    match rules.aggregation {
        Aggregation::Best => best::entities(scored, &units(), rules.type_change),
        Aggregation::Spark => spark::entities(scored, &units()),
        Aggregation::None => hugging_face::pieces(scored),
        Aggregation::Simple => hugging_face::simple(scored),
        Aggregation::First => hugging_face::words(scored, Judge::First),
        Aggregation::Average => hugging_face::words(scored, Judge::Average),
        Aggregation::Max => hugging_face::words(scored, Judge::Max),
    }
}

/// Mean of numbers, summed in `f64`; 0 of none.
fn mean(numbers: impl ExactSizeIterator<Item = f32>) -> f32 {
    let count = numbers.len().max(1);
    let sum: f64 = numbers.map(f64::from).sum();
    (sum / count as f64) as f32
}
