//! What goes into decoding and what comes out.

use std::ops::Range;

use crate::Error;

/// One word piece of a text, as its tokenizer cut it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Piece<'a> {
    /// The string of the vocabulary, with `##` where it continues a word.
    pub token: &'a str,
    /// Bytes of the text, on character boundaries.
    pub range: Range<usize>,
    /// The word it belongs to; never less than that of the piece before.
    pub word: u32,
    /// Whether it is the unknown token, which says nothing of the text.
    pub is_unknown: bool,
}

impl<'a> Piece<'a> {
    /// The piece as a string: what the vocabulary calls it, or the text behind an unknown one.
    pub(crate) fn spelling(&self, text: &'a str) -> &'a str {
        if self.is_unknown { text.get(self.range.clone()).unwrap_or_default() } else { self.token }
    }
}

/// Something in the text that has a name.
#[derive(Clone, Debug, PartialEq)]
pub struct Entity {
    /// Its type, as in `PER`; for [`Aggregation::None`](crate::Aggregation::None) the tag of one
    /// piece, as in `B-PER`. Renamed if the options say so.
    pub label: String,
    /// How sure the model is, 0 to 1.
    pub score: f32,
    /// First byte in the text, on a character boundary.
    pub start: usize,
    /// The byte behind the last one, on a character boundary.
    pub end: usize,
    /// Its pieces joined again as Hugging Face does, which is often not how the text spells it.
    pub word: String,
    /// Position of the piece, counting `[CLS]` as 0; only for
    /// [`Aggregation::None`](crate::Aggregation::None).
    pub index: Option<usize>,
}

/// Refuses pieces that are not ranges of `text` or whose words are not in order.
pub(crate) fn check_pieces(text: &str, pieces: &[Piece<'_>]) -> Result<(), Error> {
    for (index, piece) in pieces.iter().enumerate() {
        let Range { start, end } = piece.range;
        if text.get(start..end).is_none() {
            return Err(Error::Range { piece: index, start, end, length: text.len() });
        }
    }
    check_words(pieces.iter().map(|piece| piece.word))
}

/// Refuses word ids that fall.
pub(crate) fn check_words(words: impl Iterator<Item = u32>) -> Result<(), Error> {
    let mut previous = 0;
    for (piece, found) in words.enumerate() {
        if found < previous {
            return Err(Error::WordOrder { piece, previous, found });
        }
        previous = found;
    }
    Ok(())
}
