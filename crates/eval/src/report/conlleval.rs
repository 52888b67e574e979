//! The text that the `conlleval` script prints.

use crate::Counts;
use crate::conlleval::Conlleval;
use crate::evaluation::harmonic_mean;

/// Two lines of totals, then a line for each type. Without words there is no second line.
pub(crate) fn report(counted: &Conlleval) -> String {
    let total = |count: fn(&Counts) -> usize| counted.types.values().map(count).sum::<usize>();
    let correct = total(|counts| counts.correct);
    let (expected, predicted) = (total(|counts| counts.expected), total(|counts| counts.predicted));
    let tokens = counted.tokens;
    let mut text = format!("processed {tokens} tokens with {expected} phrases; ");
    text += &format!("found: {predicted} phrases; correct: {correct}.\n");
    if tokens > 0 {
        let accuracy = percent(counted.correct_tags, tokens);
        let total = line(Counts { correct, predicted, expected });
        text += &format!("accuracy: {accuracy:6.2}%; {total}\n");
    }
    for (name, counts) in &counted.types {
        text += &format!("{name:>17}: {}  {}\n", line(*counts), counts.predicted);
    }
    text
}

/// Precision, recall and F1 in percent.
fn line(counts: Counts) -> String {
    let precision = percent(counts.correct, counts.predicted);
    let recall = percent(counts.correct, counts.expected);
    let f1 = harmonic_mean(precision, recall);
    format!("precision: {precision:6.2}%; recall: {recall:6.2}%; FB1: {f1:6.2}")
}

fn percent(part: usize, whole: usize) -> f64 {
    if whole == 0 { 0.0 } else { 100.0 * part as f64 / whole as f64 }
}
