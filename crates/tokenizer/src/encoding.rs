//! What a text is turned into.

use std::ops::Range;

/// A word piece with its place in the original text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Piece {
    /// Its id in the vocabulary.
    pub id: u32,
    /// Its bytes in the original text, on character borders.
    pub range: Range<usize>,
    /// Which word it belongs to.
    pub word: u32,
    /// Whether it continues a word (`##`).
    pub continuation: bool,
}

/// The pieces of a text, without `[CLS]` and `[SEP]`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Encoding {
    /// The pieces in the order of the text.
    pub pieces: Vec<Piece>,
}

impl Encoding {
    /// The bytes of each word that has pieces, from its first piece to its last.
    #[must_use]
    pub fn word_ranges(&self) -> Vec<Range<usize>> {
        let words = self.pieces.chunk_by(|a, b| a.word == b.word);
        let range = |pieces: &[Piece]| match (pieces.first(), pieces.last()) {
            (Some(first), Some(last)) => first.range.start..last.range.end,
            _ => 0..0,
        };
        words.map(range).collect()
    }
}
