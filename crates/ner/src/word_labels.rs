//! One label for each word, as token classifiers are evaluated.

use crate::Error;
use crate::entity::check_words;
use crate::softmax::{argmax, check_row, check_shape};

/// The likeliest label of each of `count` words, by its first piece; `None` for a word without
/// pieces.
///
/// `words` is the word of each piece, `logits` is `[pieces, labels]`, row-major. Among equals the
/// lowest id wins. This is what transformers' `run_ner.py` compares.
///
/// # Errors
///
/// When the logits have another shape or are not numbers, or a piece is of a word that is not
/// there or comes after its time.
pub fn word_labels(
    words: &[u32],
    logits: &[f32],
    labels: usize,
    count: usize,
) -> Result<Vec<Option<usize>>, Error> {
    check_shape(logits, words.len(), labels)?;
    check_words(words.iter().copied())?;
    let mut found = vec![None; count];
    for (piece, (word, row)) in words.iter().zip(logits.chunks_exact(labels)).enumerate() {
        check_row(piece, row)?;
        let slot = usize::try_from(*word).ok().and_then(|word| found.get_mut(word));
        let slot = slot.ok_or(Error::WordCount { piece, words: count, found: *word })?;
        slot.get_or_insert_with(|| argmax(row).0);
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_piece_speaks_for_its_word() {
        let logits = [0.0, 1.0, 9.0, 0.0, 2.0, 2.0];
        assert_eq!(word_labels(&[0, 0, 2], &logits, 2, 4), Ok(vec![Some(1), None, Some(0), None]));
        assert_eq!(word_labels(&[], &[], 2, 1), Ok(vec![None]));
    }

    #[test]
    fn words_that_are_not_there_are_refused() {
        let logits = [0.0; 4];
        let error = word_labels(&[0, 2], &logits, 2, 2).unwrap_err();
        assert_eq!(error, Error::WordCount { piece: 1, words: 2, found: 2 });
        let error = word_labels(&[1, 0], &logits, 2, 2).unwrap_err();
        assert_eq!(error, Error::WordOrder { piece: 1, previous: 1, found: 0 });
        assert!(word_labels(&[0], &logits, 2, 1).is_err());
        assert!(word_labels(&[0], &[f32::NAN, 0.0], 2, 1).is_err());
        assert_eq!(word_labels(&[], &[], 0, 0), Err(Error::NoLabels));
    }
}
