//! What goes in and what comes out.

use std::ops::Range;

use nervio_ner::Entity;

use crate::Error;

/// A text to recognise entities in, as one piece or with its words given.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Document {
    /// The text.
    pub text: String,
    /// The words, if they are known: byte ranges of the text, one behind the other.
    pub words: Option<Vec<Range<usize>>>,
}

impl Document {
    /// A document whose words nobody has marked.
    #[must_use]
    pub fn new(text: impl Into<String>) -> Self {
        Self { text: text.into(), words: None }
    }

    /// A document of known words; its text joins them with one space.
    #[must_use]
    pub fn from_words<S: AsRef<str>>(words: &[S]) -> Self {
        let mut text = String::new();
        let mut ranges = Vec::with_capacity(words.len());
        for word in words {
            if !ranges.is_empty() {
                text.push(' ');
            }
            let start = text.len();
            text.push_str(word.as_ref());
            ranges.push(start..text.len());
        }
        Self { text, words: Some(ranges) }
    }

    /// Refuses words that are not ranges of the text in order.
    pub(crate) fn check(&self) -> Result<(), Error> {
        let mut end = 0;
        for (index, word) in self.words.iter().flatten().enumerate() {
            if word.start < end || self.text.get(word.clone()).is_none() {
                return Err(Error::Words { index, start: word.start, end: word.end });
            }
            end = word.end;
        }
        Ok(())
    }
}

/// What was recognised in a document.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Recognition {
    /// The entities in the order of the text.
    pub entities: Vec<Entity>,
    /// The words as byte ranges: those given, else those that the tokenizer found.
    pub words: Vec<Range<usize>>,
    /// How many windows the text was read in; more than one means that it was too long for one.
    pub windows: usize,
    /// How many word pieces the text has, special tokens not counted.
    pub pieces: usize,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_joined_and_checked() {
        let document = Document::from_words(&["Sao", "Paulo", "", "ñ"]);
        assert_eq!(document.text, "Sao Paulo  ñ");
        assert_eq!(document.words, Some(vec![0..3, 4..9, 10..10, 11..13]));
        assert!(document.check().is_ok());
        let bad = [[0..4, 3..5], [0..1, 11..12], [0..1, 2..99], [0..1, Range { start: 5, end: 4 }]];
        for words in bad.map(Vec::from) {
            assert!(Document { words: Some(words), ..document.clone() }.check().is_err());
        }
    }
}
