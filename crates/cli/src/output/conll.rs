//! `conll`: `WORD TAG` lines in IOB2, a blank line after each document.

use std::io::Write;

use anyhow::{Context, Result};

use super::{Answer, Writer};

/// Writer of words with IOB2 tags.
pub(super) struct Conll;

impl Writer for Conll {
    fn record(&mut self, out: &mut dyn Write, answer: &Answer<'_>) -> Result<()> {
        let recognition = answer.recognition;
        let tags = nervio::iob2_tags(&recognition.words, &recognition.entities);
        for (word, tag) in recognition.words.iter().zip(tags) {
            let word = answer.text.get(word.clone()).context("a word outside its text")?;
            writeln!(out, "{} {tag}", column(word))?;
        }
        Ok(out.write_all(b"\n")?)
    }
}

/// A word as one column: blanks that a word given by the user may hold become `_`.
fn column(word: &str) -> String {
    word.replace(|c: char| c.is_whitespace(), "_")
}

#[cfg(test)]
mod tests {
    use super::super::testing::{example, write};
    use super::super::{OutputFormat::Conll, WriteOptions};
    use crate::input::Id;

    #[test]
    fn every_word_has_a_line() {
        let examples = [
            example(Id::Ordinal(0), "Ana López vive", &[("Ana López", "PER")]),
            example(Id::Ordinal(1), "en León", &[("León", "LOC")]),
        ];
        assert_eq!(
            write(Conll, WriteOptions::default(), &examples),
            "Ana B-PER\nLópez I-PER\nvive O\n\nen O\nLeón B-LOC\n\n"
        );
    }
}
