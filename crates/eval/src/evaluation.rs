//! Precision, recall and F1 from counts.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::report;

/// How many spans of one type there are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Spans that are in both taggings.
    pub correct: usize,
    /// Spans that were predicted.
    pub predicted: usize,
    /// Spans of the reference.
    pub expected: usize,
}

impl Counts {
    /// The score of these counts; what would divide by zero is 0.
    #[must_use]
    pub fn score(self) -> Score {
        let precision = share(self.correct, self.predicted);
        let recall = share(self.correct, self.expected);
        Score { precision, recall, f1: harmonic_mean(precision, recall), support: self.expected }
    }
}

/// How good a prediction is. Fractions, 0 to 1.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Score {
    /// Share of the predicted spans that are right.
    pub precision: f64,
    /// Share of the spans of the reference that were found.
    pub recall: f64,
    /// Harmonic mean of both.
    pub f1: f64,
    /// Spans of the reference.
    pub support: usize,
}

/// What was counted for each type, and its averages.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Evaluation {
    types: BTreeMap<String, Counts>,
}

impl Evaluation {
    pub(crate) const fn new(types: BTreeMap<String, Counts>) -> Self {
        Self { types }
    }

    /// The counts of each type that is in one of the taggings, in the order of their names.
    #[must_use]
    pub const fn types(&self) -> &BTreeMap<String, Counts> {
        &self.types
    }

    /// The score of all spans whatever their type: the figure that is usually called F1.
    #[must_use]
    pub fn micro(&self) -> Score {
        self.total().score()
    }

    /// The plain mean of the scores of the types; 0 without types.
    #[must_use]
    pub fn macro_average(&self) -> Score {
        self.average(|_| 1)
    }

    /// The mean of the scores of the types, each as often as there are spans of it in the
    /// reference; 0 without spans.
    #[must_use]
    pub fn weighted_average(&self) -> Score {
        self.average(|counts| counts.expected)
    }

    /// The table of seqeval's `classification_report`, to the character, with `digits` behind the
    /// decimal point.
    ///
    /// Without spans seqeval fails; here the table has no types.
    #[must_use]
    pub fn report(&self, digits: usize) -> String {
        report::seqeval(self, digits)
    }

    fn total(&self) -> Counts {
        self.types.values().fold(Counts::default(), |sum, counts| Counts {
            correct: sum.correct + counts.correct,
            predicted: sum.predicted + counts.predicted,
            expected: sum.expected + counts.expected,
        })
    }

    fn average(&self, weight: impl Fn(&Counts) -> usize) -> Score {
        let mut sum = Score { support: self.total().expected, ..Score::default() };
        let mut weights = 0;
        for counts in self.types.values() {
            let (score, weight) = (counts.score(), weight(counts));
            sum.precision += score.precision * weight as f64;
            sum.recall += score.recall * weight as f64;
            sum.f1 += score.f1 * weight as f64;
            weights += weight;
        }
        for mean in [&mut sum.precision, &mut sum.recall, &mut sum.f1] {
            *mean /= weights.max(1) as f64;
        }
        sum
    }
}

/// A share of a whole; 0 of nothing.
pub(crate) fn share(part: usize, whole: usize) -> f64 {
    if whole == 0 { 0.0 } else { part as f64 / whole as f64 }
}

/// Harmonic mean of two numbers; 0 of zeros.
pub(crate) fn harmonic_mean(left: f64, right: f64) -> f64 {
    let sum = left + right;
    if sum == 0.0 { 0.0 } else { 2.0 * left * right / sum }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn averages_pool_or_weigh_the_types() {
        let mut types = BTreeMap::new();
        types.insert("LOC".to_owned(), Counts { correct: 1, predicted: 2, expected: 4 });
        types.insert("PER".to_owned(), Counts { correct: 1, predicted: 1, expected: 1 });
        types.insert("MISC".to_owned(), Counts { correct: 0, predicted: 3, expected: 0 });
        let evaluation = Evaluation::new(types);
        let micro = evaluation.micro();
        assert_eq!((micro.precision, micro.recall, micro.support), (2.0 / 6.0, 2.0 / 5.0, 5));
        assert_eq!(evaluation.macro_average().precision, 0.5);
        assert_eq!(evaluation.weighted_average().recall, (0.25 * 4.0 + 1.0) / 5.0);
        assert_eq!(Evaluation::default().weighted_average(), Score::default());
        assert_eq!(Evaluation::default().macro_average(), Score::default());
    }
}
