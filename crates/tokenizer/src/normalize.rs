//! Normalisation, one character after the other.
//!
//! Each character of the text goes through the steps of `BertNormalizer`: clean, set ideographs
//! apart, strip accents, lower-case. What it turns into keeps the byte range it came from.

use std::ops::Range;

use crate::aligned::Aligned;
use crate::options::TokenizerOptions;
use crate::unicode::{
    canonical_combining_class, decompose_canonical, is_cjk, is_combining_mark, is_dropped,
};

/// What takes normalised characters.
pub(crate) trait Sink {
    /// Takes one character, which came from the bytes `source` of the original text.
    fn push(&mut self, c: char, source: Range<usize>);
}

impl Sink for Aligned {
    fn push(&mut self, c: char, source: Range<usize>) {
        Aligned::push(self, c, source);
    }
}

/// Normalises `text`, which begins at byte `base` of the original; `marks` lends its memory.
pub(crate) fn normalize<S: Sink>(
    text: &str,
    base: usize,
    options: &TokenizerOptions,
    marks: &mut Marks,
    sink: &mut S,
) {
    let mut normalizer = Normalizer { options, marks, sink };
    for (start, c) in text.char_indices() {
        let source = base + start..base + start + c.len_utf8();
        normalizer.character(c, source);
    }
    normalizer.settle_marks();
}

struct Normalizer<'a, S> {
    options: &'a TokenizerOptions,
    marks: &'a mut Marks,
    sink: &'a mut S,
}

/// Combining marks since the last base character, which wait for their canonical order.
#[derive(Debug, Default)]
pub(crate) struct Marks {
    waiting: Vec<Mark>,
    /// The places of those that stood in the text themselves, in the order of the text.
    places: Vec<Range<usize>>,
    /// The place of the last character that stood in the text itself.
    last: Range<usize>,
}

#[derive(Debug)]
struct Mark {
    c: char,
    class: u8,
    /// Whether it came out of a composed character before it, such as the accent of `é`.
    composed: bool,
}

impl<S: Sink> Normalizer<'_, S> {
    /// One character of the original.
    #[inline]
    fn character(&mut self, c: char, source: Range<usize>) {
        if c.is_ascii_alphanumeric() {
            self.settle_marks();
            self.marks.last = source.clone();
            let c = if self.options.lowercase { c.to_ascii_lowercase() } else { c };
            self.sink.push(c, source);
        } else if !(self.options.clean_text && is_dropped(c)) {
            self.kept(c, source);
        }
    }

    /// One character that is not dropped: white space, an ideograph, or any other.
    fn kept(&mut self, c: char, source: Range<usize>) {
        if c.is_whitespace() {
            self.settle_marks();
            let c = if self.options.clean_text { ' ' } else { c };
            self.sink.push(c, source);
        } else if self.options.tokenize_chinese_chars && is_cjk(c) {
            self.settle_marks();
            self.sink.push(' ', source.clone());
            self.letter(c, source.clone());
            self.settle_marks();
            self.sink.push(' ', source);
        } else {
            self.letter(c, source);
        }
    }

    fn letter(&mut self, c: char, source: Range<usize>) {
        if !self.options.strip_accents {
            return self.lower(c, source);
        }
        let mut composed = false;
        decompose_canonical(c, |c| {
            self.decomposed(c, source.clone(), composed);
            composed = true;
        });
    }

    /// One character of a canonical decomposition (NFD), `composed` when not the first.
    fn decomposed(&mut self, c: char, source: Range<usize>, composed: bool) {
        let class = canonical_combining_class(c);
        if class > 0 {
            if !composed {
                self.marks.places.push(source);
            }
            return self.marks.waiting.push(Mark { c, class, composed });
        }
        self.settle_marks();
        if !is_combining_mark(c) {
            self.lower(c, source.clone());
        }
        self.marks.last = source;
    }

    #[inline]
    fn settle_marks(&mut self) {
        if !self.marks.waiting.is_empty() {
            self.order_marks();
        }
    }

    /// Orders the marks behind a base character by combining class, as NFD does, and drops those
    /// of category Mn. `tokenizers` moves the characters and leaves the places, where a composed
    /// one has that of the character before it: so do we.
    fn order_marks(&mut self) {
        let Marks { mut waiting, mut places, mut last } = std::mem::take(self.marks);
        waiting.sort_by_key(|mark| mark.class);
        let mut next_place = places.drain(..);
        for mark in waiting.drain(..) {
            if !mark.composed {
                last = next_place.next().unwrap_or(last);
            }
            if !is_combining_mark(mark.c) {
                self.lower(mark.c, last.clone());
            }
        }
        drop(next_place);
        *self.marks = Marks { waiting, places, last };
    }

    /// One character after accents were stripped.
    fn lower(&mut self, c: char, source: Range<usize>) {
        if self.options.lowercase {
            for c in c.to_lowercase() {
                self.sink.push(c, source.clone());
            }
        } else {
            self.sink.push(c, source);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::aligned::source;

    fn normalized(text: &str, options: &TokenizerOptions) -> (String, Range<usize>) {
        let mut aligned = Aligned::default();
        normalize(text, 0, options, &mut Marks::default(), &mut aligned);
        (aligned.text().to_owned(), source(aligned.characters()))
    }

    #[test]
    fn white_space_becomes_blanks_and_ideographs_get_some() {
        let cased = TokenizerOptions::cased();
        assert_eq!(normalized("a\t\u{2028}B\0", &cased), ("a  B".into(), 0..6));
        assert_eq!(normalized("a日", &cased), ("a 日 ".into(), 0..4));
        let raw = TokenizerOptions { clean_text: false, tokenize_chinese_chars: false, ..cased };
        assert_eq!(normalized("a\t\0日", &raw), ("a\t\0日".into(), 0..6));
    }

    #[test]
    fn letters_lose_accents_and_case_where_asked() {
        let uncased = TokenizerOptions::uncased();
        assert_eq!(normalized("ÑÍ", &uncased), ("ni".into(), 0..4));
        let accents = TokenizerOptions { strip_accents: false, ..uncased.clone() };
        assert_eq!(normalized("ÑÍ", &accents), ("ñí".into(), 0..4));
        assert_eq!(normalized("İ", &accents), ("i\u{307}".into(), 0..2));
        let case = TokenizerOptions { lowercase: false, ..uncased };
        assert_eq!(normalized("ÑÍ", &case), ("NI".into(), 0..4));
    }

    #[test]
    fn marks_change_places_when_they_change_their_order() {
        // U+1D165 is a mark that stays and goes before U+0301, whether that stood alone ...
        let uncased = TokenizerOptions::uncased();
        assert_eq!(normalized("\u{301}\u{1d165}", &uncased), ("\u{1d165}".into(), 0..2));
        // ... or was part of a composed letter, which has no place to give.
        assert_eq!(normalized("é\u{1d165}", &uncased), ("e\u{1d165}".into(), 0..6));
        // A class that only newer tables have is none.
        let (text, _) = normalized("\u{1ac0}\u{302e}\u{1ac0}", &uncased);
        assert_eq!(text, "\u{1ac0}\u{302e}\u{1ac0}");
    }
}
