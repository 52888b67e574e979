//! Pre-tokenisation: normalised text becomes words.
//!
//! White space separates words and is part of none; each punctuation mark is a word of its own.

use std::ops::Range;

use crate::aligned::Aligned;
use crate::normalize::Sink;
use crate::unicode::is_punctuation;

/// Collects normalised characters and hands out each word when it is complete.
pub(crate) struct Words<'a, F: FnMut(&Aligned)> {
    word: &'a mut Aligned,
    found: F,
}

impl<'a, F: FnMut(&Aligned)> Words<'a, F> {
    /// Words for `found`, collected in `word`.
    pub(crate) fn new(word: &'a mut Aligned, found: F) -> Self {
        word.clear();
        Self { word, found }
    }

    /// The text ends here, and its last word with it.
    pub(crate) fn finish(mut self) {
        self.end_word();
    }

    fn end_word(&mut self) {
        if !self.word.characters().is_empty() {
            (self.found)(self.word);
            self.word.clear();
        }
    }
}

impl<F: FnMut(&Aligned)> Sink for Words<'_, F> {
    #[inline]
    fn push(&mut self, c: char, source: Range<usize>) {
        if c.is_ascii_alphanumeric() {
            self.word.push(c, source);
        } else if c.is_whitespace() {
            self.end_word();
        } else if is_punctuation(c) {
            self.end_word();
            self.word.push(c, source);
            self.end_word();
        } else {
            self.word.push(c, source);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::aligned::source;
    use crate::normalize::{Marks, normalize};
    use crate::options::TokenizerOptions;

    fn words(text: &str, options: &TokenizerOptions) -> Vec<(String, Range<usize>)> {
        let mut found = Vec::new();
        let mut buffer = Aligned::default();
        let mut words = Words::new(&mut buffer, |word| {
            found.push((word.text().to_owned(), source(word.characters())));
        });
        normalize(text, 0, options, &mut Marks::default(), &mut words);
        words.finish();
        found
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
}
