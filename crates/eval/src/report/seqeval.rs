//! The text of seqeval's `classification_report` (`reporters.py`, `StringReporter`).

use super::{WIDEST, column_width};
use crate::{Evaluation, Score};

const COLUMNS: [&str; 4] = ["precision", "recall", "f1-score", "support"];

/// The longest name that no type has.
const WEIGHTED: &str = "weighted avg";

/// The table: a row for each type, then the averages.
pub(crate) fn report(evaluation: &Evaluation, digits: usize) -> String {
    let digits = digits.min(WIDEST);
    let names = evaluation.types().keys().map(String::as_str);
    let width = column_width(names.chain([WEIGHTED])).max(digits);
    let mut lines = vec![row("", &COLUMNS.map(str::to_owned), width), String::new()];
    let numbers = |name: &str, score: Score| {
        let [precision, recall, f1] =
            [score.precision, score.recall, score.f1].map(|share| format!("{share:.digits$}"));
        row(name, &[precision, recall, f1, score.support.to_string()], width)
    };
    lines.extend(evaluation.types().iter().map(|(name, counts)| numbers(name, counts.score())));
    lines.push(String::new());
    lines.push(numbers("micro avg", evaluation.micro()));
    lines.push(numbers("macro avg", evaluation.macro_average()));
    lines.push(numbers(WEIGHTED, evaluation.weighted_average()));
    lines.join("\n") + "\n"
}

fn row(name: &str, cells: &[String; 4], width: usize) -> String {
    let [precision, recall, f1, support] = cells;
    format!("{name:>width$}  {precision:>9} {recall:>9} {f1:>9} {support:>9}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Counts;

    #[test]
    fn nothing_has_an_empty_table() {
        let expected = "              precision    recall  f1-score   support\n\
                        \n\
                        \n\
                        \u{20}  micro avg       0.00      0.00      0.00         0\n\
                        \u{20}  macro avg       0.00      0.00      0.00         0\n\
                        weighted avg       0.00      0.00      0.00         0\n";
        assert_eq!(report(&Evaluation::default(), 2), expected);
    }

    #[test]
    fn no_name_and_no_number_is_too_long() {
        let name = "ñ".repeat(70_000);
        let types = [(name, Counts { correct: 1, predicted: 1, expected: 1 })];
        let text = report(&Evaluation::new(types.into()), usize::MAX);
        assert!(text.chars().count() > 70_000);
    }
}
