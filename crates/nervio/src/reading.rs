//! Which pieces of a window somebody reads: of the last layer no others are computed.

use std::ops::Range;

use nervio_ner::windows::Window;
use nervio_tokenizer::{Encoding, Tokenizer};

use crate::plan::window_ids;

/// Whose logits are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reading {
    /// Those of all pieces.
    Pieces,
    /// Those of the first piece of each word.
    Words,
}

impl Reading {
    /// Whether the logits of a kept piece are read. The first of a window always are: the word that it
    /// goes on with, if any, began in another window.
    fn reads(self, encoding: &Encoding, keep: &Range<usize>, piece: usize) -> bool {
        let pieces = &encoding.pieces;
        self == Self::Pieces || piece == keep.start || pieces[piece].word != pieces[piece - 1].word
    }

    /// The token ids of a window as in [`window_ids`], each with whether its logits are read.
    pub(crate) fn tokens<'a>(
        self,
        tokenizer: &'a Tokenizer,
        encoding: &'a Encoding,
        window: &'a Window,
    ) -> impl Iterator<Item = (u32, bool)> + 'a {
        let keep = &window.keep;
        let read = move |piece| keep.contains(&piece) && self.reads(encoding, keep, piece);
        let special = std::iter::once(false);
        let marks = special.clone().chain(window.pieces.clone().map(read)).chain(special);
        window_ids(tokenizer, encoding, window.pieces.clone()).zip(marks)
    }

    /// The logits of all kept pieces, `[kept, labels]`, from those that are read, `[read, labels]`: where
    /// nobody looks, those of the piece before stand in.
    pub(crate) fn spread(
        self,
        encoding: &Encoding,
        keep: &Range<usize>,
        read: &[f32],
        labels: usize,
    ) -> Vec<f32> {
        let mut logits = Vec::with_capacity(keep.len() * labels);
        let mut rows = read.chunks_exact(labels);
        let mut row: &[f32] = &[];
        for piece in keep.clone() {
            if self.reads(encoding, keep, piece) {
                row = rows.next().unwrap_or_default();
            }
            logits.extend_from_slice(row);
        }
        logits
    }
}

#[cfg(test)]
mod tests {
    use nervio_tokenizer::Piece;

    use super::*;

    /// An encoding whose pieces are of these words.
    fn encoding(words: &[u32]) -> Encoding {
        let piece = |word: &u32| Piece { id: 5, range: 0..0, word: *word, continuation: false };
        Encoding { pieces: words.iter().map(piece).collect() }
    }

    #[test]
    fn the_first_piece_of_a_word_and_of_a_window_is_read() {
        let encoding = encoding(&[0, 0, 1, 1, 1, 2, 4]);
        let read = |reading: Reading, keep: Range<usize>| -> Vec<usize> {
            keep.clone().filter(|piece| reading.reads(&encoding, &keep, *piece)).collect()
        };
        assert_eq!(read(Reading::Words, 0..7), [0, 2, 5, 6]);
        assert_eq!(read(Reading::Words, 3..6), [3, 5]);
        assert_eq!(read(Reading::Pieces, 3..6), [3, 4, 5]);
    }

    #[test]
    fn logits_that_nobody_reads_are_those_of_the_piece_before() {
        let encoding = encoding(&[0, 0, 1, 1, 1, 2, 4]);
        let spread = |keep, read: &[f32]| Reading::Words.spread(&encoding, &keep, read, 2);
        assert_eq!(
            spread(1..6, &[1.0, 2.0, 3.0, 4.0, 5.0, 6.0]),
            [1.0, 2.0, 3.0, 4.0, 3.0, 4.0, 3.0, 4.0, 5.0, 6.0]
        );
        assert_eq!(spread(0..0, &[]), [0.0; 0]);
        let all = [1.0, 2.0, 3.0, 4.0];
        assert_eq!(Reading::Pieces.spread(&encoding, &(3..5), &all, 2), all);
    }
}
