//! Normalisation and splitting into words in one pass over the text.
//!
//! Each character of the text goes through the steps of `BertNormalizer` and `BertPreTokenizer`:
//! clean, set ideographs apart, strip accents, lower-case, split at white space, split at
//! punctuation. What it turns into keeps the byte range it came from.

use std::ops::Range;

use crate::options::TokenizerOptions;
use crate::unicode::{
    canonical_combining_class, decompose_canonical, is_cjk, is_combining_mark, is_dropped,
    is_punctuation,
};

/// A normalised word on its way to WordPiece; its memory is used again for the next word.
#[derive(Debug, Default)]
pub(crate) struct Word {
    /// The normalised characters.
    pub(crate) text: String,
    /// For each character where it starts in `text` and which bytes of the original it came from.
    pub(crate) characters: Vec<Character>,
}

/// One normalised character.
#[derive(Clone, Debug)]
pub(crate) struct Character {
    /// Where it starts in the word.
    pub(crate) start: usize,
    /// The bytes of the original text that it came from.
    pub(crate) source: Range<usize>,
}

impl Word {
    /// Appends a character.
    pub(crate) fn push(&mut self, c: char, source: Range<usize>) {
        self.characters.push(Character { start: self.text.len(), source });
        self.text.push(c);
    }

    fn clear(&mut self) {
        self.text.clear();
        self.characters.clear();
    }

    /// The bytes of the original from the first character to the last.
    pub(crate) fn source(&self) -> Range<usize> {
        match (self.characters.first(), self.characters.last()) {
            (Some(first), Some(last)) => first.source.start..last.source.end,
            _ => 0..0,
        }
    }
}

/// Splits `text`, which begins at byte `base` of the original, and hands each word to `found`.
pub(crate) fn for_each_word(
    text: &str,
    base: usize,
    options: &TokenizerOptions,
    word: &mut Word,
    found: &mut impl FnMut(&Word),
) {
    word.clear();
    let mut splitter = Splitter { options, word, found, marks: Marks::default() };
    for (start, c) in text.char_indices() {
        let source = base + start..base + start + c.len_utf8();
        splitter.character(c, source);
    }
    splitter.end_word();
}

struct Splitter<'a, F> {
    options: &'a TokenizerOptions,
    word: &'a mut Word,
    found: &'a mut F,
    marks: Marks,
}

/// Combining marks since the last base character, which wait for their canonical order.
#[derive(Default)]
struct Marks {
    marks: Vec<Mark>,
    /// The places of those that stood in the text themselves, in the order of the text.
    places: Vec<Range<usize>>,
    /// The place of the last character that stood in the text itself.
    last: Range<usize>,
}

struct Mark {
    c: char,
    class: u8,
    /// Whether it came out of a composed character before it, such as the accent of `é`.
    composed: bool,
}

impl<F: FnMut(&Word)> Splitter<'_, F> {
    /// One character of the original.
    fn character(&mut self, c: char, source: Range<usize>) {
        if c.is_ascii_alphanumeric() {
            self.settle_marks();
            let c = if self.options.lowercase { c.to_ascii_lowercase() } else { c };
            self.marks.last = source.clone();
            return self.word.push(c, source);
        }
        if self.options.clean_text && is_dropped(c) {
            return;
        }
        if c.is_whitespace() {
            return self.end_word();
        }
        let apart = self.options.tokenize_chinese_chars && is_cjk(c);
        if apart {
            self.end_word();
        }
        if self.options.strip_accents {
            let mut composed = false;
            decompose_canonical(c, |c| {
                self.decomposed(c, source.clone(), composed);
                composed = true;
            });
        } else {
            self.lower(c, source);
        }
        if apart {
            self.end_word();
        }
    }

    /// One character of a canonical decomposition (NFD), `composed` when not the first.
    fn decomposed(&mut self, c: char, source: Range<usize>, composed: bool) {
        let class = canonical_combining_class(c);
        if class > 0 {
            if !composed {
                self.marks.places.push(source);
            }
            return self.marks.marks.push(Mark { c, class, composed });
        }
        self.settle_marks();
        if !is_combining_mark(c) {
            self.lower(c, source.clone());
        }
        self.marks.last = source;
    }

    /// Orders the marks behind a base character by combining class, as NFD does, and drops those
    /// of category Mn. `tokenizers` moves the characters and leaves the places, where a composed
    /// one has that of the character before it: so do we.
    fn settle_marks(&mut self) {
        if self.marks.marks.is_empty() {
            return;
        }
        let Marks { mut marks, mut places, mut last } = std::mem::take(&mut self.marks);
        marks.sort_by_key(|mark| mark.class);
        let mut next_place = places.drain(..);
        for mark in marks.drain(..) {
            if !mark.composed {
                last = next_place.next().unwrap_or(last);
            }
            if !is_combining_mark(mark.c) {
                self.lower(mark.c, last.clone());
            }
        }
        drop(next_place);
        self.marks = Marks { marks, places, last };
    }

    /// One character after accents were stripped.
    fn lower(&mut self, c: char, source: Range<usize>) {
        if self.options.lowercase {
            for c in c.to_lowercase() {
                self.place(c, source.clone());
            }
        } else {
            self.place(c, source);
        }
    }

    /// One normalised character: it ends a word, is one, or belongs to one.
    fn place(&mut self, c: char, source: Range<usize>) {
        if c.is_whitespace() {
            self.flush();
        } else if is_punctuation(c) {
            self.flush();
            self.word.push(c, source);
            self.flush();
        } else {
            self.word.push(c, source);
        }
    }

    /// Ends the word, with the marks that are still to come.
    fn end_word(&mut self) {
        self.settle_marks();
        self.flush();
    }

    fn flush(&mut self) {
        if !self.word.characters.is_empty() {
            (self.found)(self.word);
            self.word.clear();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(text: &str, options: &TokenizerOptions) -> Vec<(String, Range<usize>)> {
        let mut words = Vec::new();
        for_each_word(text, 0, options, &mut Word::default(), &mut |word| {
            words.push((word.text.clone(), word.source()));
        });
        words
    }

    fn split(text: &str) -> String {
        let words = words(text, &TokenizerOptions::cased());
        words.into_iter().map(|(word, _)| word).collect::<Vec<_>>().join("|")
    }

    #[test]
    fn words_are_split_as_the_reference_does() {
        for (text, expected) in [
            ("a_b", "a|_|b"),
            ("@user#tag", "@|user|#|tag"),
            ("e-mail", "e|-|mail"),
            ("3.5€", "3|.|5€"),
            ("¡Hola!", "¡|Hola|!"),
            ("l’Hospitalet", "l|’|Hospitalet"),
            ("日本語テスト", "日|本|語|テスト"),
            ("👨\u{200d}👩\u{200d}👧", "👨👩👧"),
            ("a\u{2028}b", "a|b"),
            ("x\u{85}y", "xy"),
            ("a\u{378}b", "a\u{378}b"),
            ("\u{2b830}a", "\u{2b830}a"),
            ("a\u{b}b", "ab"),
            ("a\u{a0}b", "a|b"),
            ("", ""),
        ] {
            assert_eq!(split(text), expected, "{text:?}");
        }
    }

    #[test]
    fn ranges_are_those_of_the_original() {
        let cased = TokenizerOptions::cased();
        assert_eq!(words("a\u{200b}b", &cased), [("ab".into(), 0..5)]);
        let uncased = TokenizerOptions::uncased();
        assert_eq!(
            words("cafe\u{301} Él", &uncased),
            [("cafe".into(), 0..4), ("el".into(), 7..10)]
        );
        assert_eq!(words("İ", &uncased), [("i".into(), 0..2)]);
    }

    #[test]
    fn marks_change_places_when_they_change_their_order() {
        // U+1D165 is a mark that stays and goes before U+0301, whether that stood alone ...
        let uncased = TokenizerOptions::uncased();
        assert_eq!(words("\u{301}\u{1d165}", &uncased), [("\u{1d165}".into(), 0..2)]);
        // ... or was part of a composed letter, which has no place to give.
        assert_eq!(words("é\u{1d165}", &uncased), [("e\u{1d165}".into(), 0..6)]);
        // A class that only newer tables have is none.
        assert_eq!(words("\u{1ac0}\u{302e}\u{1ac0}", &uncased).len(), 1);
    }
}
