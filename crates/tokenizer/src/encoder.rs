//! One call of the tokenizer: a text through all of its steps.

use std::ops::Range;

use crate::added::Cutter;
use crate::encoding::{Encoding, Piece};
use crate::normalize::{Word, for_each_word};
use crate::options::TokenizerOptions;
use crate::vocab::Vocab;
use crate::wordpiece::WordPiece;

/// What a call reads.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Tables<'a> {
    pub(crate) vocab: &'a Vocab,
    pub(crate) options: &'a TokenizerOptions,
    /// The unknown token.
    pub(crate) unknown: u32,
    /// The tokens that are cut out of the raw text.
    pub(crate) cutter: &'a Cutter,
}

/// The buffers of one call.
pub(crate) struct Encoder<'a> {
    tables: Tables<'a>,
    word: Word,
    wordpiece: WordPiece,
    pieces: Vec<Piece>,
}

impl<'a> Encoder<'a> {
    /// Buffers for a text of so many bytes.
    pub(crate) fn new(tables: Tables<'a>, bytes: usize) -> Self {
        // About a piece for each four bytes of text.
        let pieces = Vec::with_capacity(bytes / 4);
        Self { tables, word: Word::default(), wordpiece: WordPiece::default(), pieces }
    }

    /// Splits a part of the text, a range on character borders; `next_word` gives the index of
    /// each word found.
    pub(crate) fn part(
        &mut self,
        text: &str,
        range: Range<usize>,
        mut next_word: impl FnMut() -> u32,
    ) {
        if self.tables.cutter.is_empty() {
            return self.plain(text, range, &mut next_word);
        }
        for part in self.tables.cutter.cut(&text[range.clone()]) {
            let place = range.start + part.range.start..range.start + part.range.end;
            match part.token {
                None => self.plain(text, place, &mut next_word),
                Some(id) => {
                    let word = next_word();
                    self.pieces.push(Piece { id, range: place, word, continuation: false });
                }
            }
        }
    }

    fn plain(&mut self, text: &str, range: Range<usize>, next_word: &mut impl FnMut() -> u32) {
        let Self { tables, word, wordpiece, pieces } = self;
        let Tables { vocab, options, unknown, .. } = *tables;
        let start = range.start;
        for_each_word(&text[range], start, options, word, &mut |word| {
            let max_chars = options.max_chars_per_word;
            wordpiece.split(vocab, unknown, max_chars, word, next_word(), pieces);
        });
    }

    /// The pieces of all parts.
    pub(crate) fn finish(self) -> Encoding {
        Encoding { pieces: self.pieces }
    }
}
