//! Scores for other programs.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::{Evaluation, Score};

/// Scores of one run with its size and its time, as `nervio eval --json` prints them. Fractions,
/// not percentages.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Scores {
    /// All spans whatever their type.
    pub micro: Score,
    /// The spans of each type.
    pub types: BTreeMap<String, Score>,
    /// Sentences that were tagged.
    pub sentences: usize,
    /// Words that were tagged.
    pub tokens: usize,
    /// How long that took.
    pub seconds: f64,
}

impl Scores {
    /// The scores of an evaluation.
    #[must_use]
    pub fn new(evaluation: &Evaluation, sentences: usize, tokens: usize, seconds: f64) -> Self {
        let types = evaluation.types().iter();
        let types = types.map(|(name, counts)| (name.clone(), counts.score())).collect();
        Self { micro: evaluation.micro(), types, sentences, tokens, seconds }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Counts;

    #[test]
    fn programs_read_fractions() {
        let types = [("PER".to_owned(), Counts { correct: 1, predicted: 2, expected: 4 })];
        let scores = Scores::new(&Evaluation::new(types.into()), 3, 30, 1.5);
        let score = r#"{"precision":0.5,"recall":0.25,"f1":0.3333333333333333,"support":4}"#;
        let expected = format!(
            r#"{{"micro":{score},"types":{{"PER":{score}}},"sentences":3,"tokens":30,"seconds":1.5}}"#
        );
        assert_eq!(serde_json::to_string(&scores).unwrap(), expected);
    }
}
