//! From logits to probabilities, and the largest of a row.

use crate::Error;

/// Turns logits, `[rows, labels]` row-major, into probabilities of the same shape.
///
/// In `f32`, less the largest of the row, as the token classification pipeline of transformers
/// does (`pipelines/token_classification.py`, `postprocess`).
///
/// # Errors
///
/// When `labels` is 0, the logits are not whole rows, or a row has no probabilities: it holds NaN
/// or positive infinity, or nothing but negative infinity.
pub fn softmax_rows(logits: &[f32], labels: usize) -> Result<Vec<f32>, Error> {
    check_shape(logits, logits.len().checked_div(labels).unwrap_or(0), labels)?;
    let mut scores = logits.to_vec();
    if labels == 0 {
        return Ok(scores);
    }
    for (row, scores) in scores.chunks_exact_mut(labels).enumerate() {
        softmax(row, scores)?;
    }
    Ok(scores)
}

fn softmax(row: usize, scores: &mut [f32]) -> Result<(), Error> {
    check_row(row, scores)?;
    let largest = scores.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let mut sum = 0.0;
    for score in &mut *scores {
        *score = (*score - largest).exp();
        sum += *score;
    }
    for score in scores {
        *score /= sum;
    }
    Ok(())
}

/// Refuses logits that are not `rows` rows of `labels` numbers.
pub(crate) fn check_shape(logits: &[f32], rows: usize, labels: usize) -> Result<(), Error> {
    if labels == 0 {
        return Err(Error::NoLabels);
    }
    if rows.checked_mul(labels) != Some(logits.len()) {
        return Err(Error::Shape { rows, labels, found: logits.len() });
    }
    Ok(())
}

/// Refuses a row that has no largest finite number.
pub(crate) fn check_row(row: usize, logits: &[f32]) -> Result<(), Error> {
    let bad = |logit: &f32| logit.is_nan() || *logit == f32::INFINITY;
    let hopeless = || logits.iter().all(|logit| *logit == f32::NEG_INFINITY).then_some(0);
    match logits.iter().position(bad).or_else(hopeless) {
        Some(label) => {
            let found = logits.get(label).copied().unwrap_or(f32::NAN);
            Err(Error::NotFinite { row, label, found })
        }
        None => Ok(()),
    }
}

/// Position and value of the largest number, the first of equals.
pub(crate) fn argmax(row: &[f32]) -> (usize, f32) {
    let larger =
        |best: (usize, f32), (index, value)| if value > best.1 { (index, value) } else { best };
    row.iter().copied().enumerate().fold((0, f32::NEG_INFINITY), larger)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_sum_to_one() {
        let scores = softmax_rows(&[1.0, 2.0, 3.0, 1000.0, 1000.0, f32::NEG_INFINITY], 3).unwrap();
        let expected = [0.090_030_57, 0.244_728_47, 0.665_240_94, 0.5, 0.5, 0.0];
        for (score, expected) in scores.iter().zip(expected) {
            assert!((score - expected).abs() < 1e-7, "{score} {expected}");
        }
        assert_eq!(softmax_rows(&[], 3), Ok(vec![]));
    }

    #[test]
    fn what_has_no_probabilities_is_refused() {
        let error = softmax_rows(&[0.0, 0.0, 0.0, f32::NAN], 2).unwrap_err();
        assert!(matches!(error, Error::NotFinite { row: 1, label: 1, .. }), "{error}");
        let error = softmax_rows(&[f32::INFINITY, 0.0], 2).unwrap_err();
        assert!(matches!(error, Error::NotFinite { row: 0, label: 0, .. }), "{error}");
        let error = softmax_rows(&[f32::NEG_INFINITY; 2], 2).unwrap_err();
        assert!(matches!(error, Error::NotFinite { row: 0, label: 0, .. }), "{error}");
        let error = softmax_rows(&[0.0; 5], 2).unwrap_err();
        assert_eq!(error, Error::Shape { rows: 2, labels: 2, found: 5 });
        assert_eq!(softmax_rows(&[], 0), Err(Error::NoLabels));
    }

    #[test]
    fn the_first_of_equals_is_the_largest() {
        assert_eq!(argmax(&[1.0, 3.0, 3.0, 2.0]), (1, 3.0));
    }
}
