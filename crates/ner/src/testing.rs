//! Texts in pieces for the tests of this crate.

use std::ops::Range;

use crate::Piece;

/// A text with its pieces.
pub(crate) struct Words<'a> {
    pub(crate) text: &'a str,
    pieces: Vec<(&'a str, u32, Range<usize>)>,
}

impl<'a> Words<'a> {
    /// Pieces given as `(token, word, bytes)`.
    pub(crate) fn new(text: &'a str, pieces: &[(&'a str, u32, Range<usize>)]) -> Self {
        Self { text, pieces: pieces.to_vec() }
    }

    /// A piece for each word that BERT's tokenizer finds, but for its rarer rules.
    pub(crate) fn pre_tokens(text: &'a str) -> Self {
        let mut ranges: Vec<Range<usize>> = Vec::new();
        let mut open = false;
        for (at, c) in text.char_indices() {
            let end = at + c.len_utf8();
            let alone =
                c.is_ascii_punctuation() || "’¿«»·".contains(c) || ('一'..='鿿').contains(&c);
            match ranges.last_mut() {
                _ if c.is_whitespace() => open = false,
                _ if c == '\u{ad}' => {}
                Some(last) if open && !alone => last.end = end,
                _ => {
                    ranges.push(at..end);
                    open = !alone;
                }
            }
        }
        let piece = |(word, range): (u32, Range<usize>)| (&text[range.clone()], word, range);
        Self { text, pieces: (0..).zip(ranges).map(piece).collect() }
    }

    /// The pieces as the decoder takes them; `[UNK]` is unknown.
    pub(crate) fn pieces(&self) -> Vec<Piece<'a>> {
        let piece = |(token, word, range): &(&'a str, u32, Range<usize>)| Piece {
            token,
            range: range.clone(),
            word: *word,
            is_unknown: *token == "[UNK]",
        };
        self.pieces.iter().map(piece).collect()
    }
}
