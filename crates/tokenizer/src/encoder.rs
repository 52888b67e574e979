//! One call of the tokenizer: a text through all of its steps.

use std::ops::Range;

use crate::aligned::{Aligned, source};
use crate::cutter::Cutter;
use crate::encoding::{Encoding, Piece};
use crate::normalize::{Marks, Sink, normalize};
use crate::options::TokenizerOptions;
use crate::pretokenize::Words;
use crate::vocab::Vocab;
use crate::wordpiece::WordPiece;

/// What a call reads.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Tables<'a> {
    pub(crate) vocab: &'a Vocab,
    pub(crate) options: &'a TokenizerOptions,
    /// The unknown token.
    pub(crate) unknown: u32,
    /// The tokens that are cut out of the text as it came.
    pub(crate) raw: &'a Cutter,
    /// The tokens that are cut out of normalised text.
    pub(crate) normalized: &'a Cutter,
}

/// The buffers of one call.
pub(crate) struct Encoder<'a> {
    marks: Marks,
    normalized: Aligned,
    output: Output<'a>,
}

/// Where words become pieces.
struct Output<'a> {
    tables: Tables<'a>,
    word: Aligned,
    wordpiece: WordPiece,
    pieces: Vec<Piece>,
}

impl Output<'_> {
    /// Takes normalised characters and appends the pieces of their words.
    fn words(&mut self, mut next_word: impl FnMut() -> u32) -> Words<'_, impl FnMut(&Aligned)> {
        let Self { tables: Tables { vocab, options, unknown, .. }, word, wordpiece, pieces } = self;
        Words::new(word, move |word| {
            wordpiece.split(vocab, *unknown, options.max_chars_per_word, word, next_word(), pieces);
        })
    }

    /// Appends an added token.
    fn added(&mut self, id: u32, range: Range<usize>, word: u32) {
        self.pieces.push(Piece { id, range, word, continuation: false });
    }
}

impl<'a> Encoder<'a> {
    /// Buffers for a text of so many bytes.
    pub(crate) fn new(tables: Tables<'a>, bytes: usize) -> Self {
        let output = Output {
            tables,
            word: Aligned::default(),
            wordpiece: WordPiece::default(),
            // About a piece for each four bytes of text.
            pieces: Vec::with_capacity(bytes / 4),
        };
        Self { marks: Marks::default(), normalized: Aligned::default(), output }
    }

    /// Splits a part of the text, a range on character borders; `next_word` gives the index of
    /// each word found.
    pub(crate) fn part(
        &mut self,
        text: &str,
        range: Range<usize>,
        mut next_word: impl FnMut() -> u32,
    ) {
        let Tables { options, raw, .. } = self.output.tables;
        let keep_special = options.encode_special_tokens;
        if raw.is_idle(keep_special) {
            return self.between(text, range, &mut next_word);
        }
        for part in raw.cut(&text[range.clone()], keep_special) {
            let place = range.start + part.range.start..range.start + part.range.end;
            match part.token {
                None => self.between(text, place, &mut next_word),
                Some(id) => self.output.added(id, place, next_word()),
            }
        }
    }

    /// Splits what lies between added tokens that stand in the text as it came.
    fn between(&mut self, text: &str, range: Range<usize>, next_word: &mut impl FnMut() -> u32) {
        let Self { marks, normalized, output } = self;
        let Tables { options, normalized: cutter, .. } = output.tables;
        let keep_special = options.encode_special_tokens;
        let (text, start) = (&text[range.clone()], range.start);
        if cutter.is_idle(keep_special) {
            let mut words = output.words(next_word);
            normalize(text, start, options, marks, &mut words);
            return words.finish();
        }
        normalized.clear();
        normalize(text, start, options, marks, normalized);
        for part in cutter.cut(normalized.text(), keep_special) {
            let characters = normalized.characters_of(&part.range);
            if let Some(id) = part.token {
                output.added(id, source(characters), next_word());
                continue;
            }
            let mut words = output.words(&mut *next_word);
            for (c, character) in normalized.text()[part.range].chars().zip(characters) {
                words.push(c, character.source.clone());
            }
            words.finish();
        }
    }

    /// The pieces of all parts.
    pub(crate) fn finish(self) -> Encoding {
        Encoding { pieces: self.output.pieces }
    }
}
