//! `conll`: one word a line in the first column, sentences ended by blank lines.

use nervio::Document;

use super::line_reader::{Line, LineReader};
use super::record::{Fault, Parsed};
use super::source::Input;

/// Marks the start of a document in CoNLL files; it is no word.
const DOCUMENT_START: &str = "-DOCSTART-";

/// Reader of sentences given as words; the text is the words joined by one space.
pub(super) struct Conll(LineReader);

impl Conll {
    /// Sentences of `input`.
    pub(super) fn new(input: Input) -> Self {
        Self(LineReader::new(input))
    }
}

impl Iterator for Conll {
    type Item = Result<Parsed, Fault>;

    fn next(&mut self) -> Option<Self::Item> {
        let mut sentence = Sentence::default();
        for line in self.0.by_ref() {
            match line {
                Ok(line) if line.is_blank() && sentence.is_empty() => {}
                Ok(line) if line.is_blank() => break,
                Ok(line) => sentence.push(line),
                Err(fault) => return Some(Err(fault)),
            }
        }
        sentence.finish()
    }
}

/// The words of the sentence being read.
#[derive(Default)]
struct Sentence {
    first_line: u64,
    words: Vec<String>,
    fault: Option<Fault>,
}

impl Sentence {
    fn is_empty(&self) -> bool {
        self.words.is_empty() && self.fault.is_none()
    }

    /// Takes the first column of a line; after a fault the rest of the sentence is passed over.
    fn push(&mut self, line: Line) {
        let number = line.number;
        if self.is_empty() {
            self.first_line = number;
        }
        if self.fault.is_some() {
            return;
        }
        match line.into_text() {
            Ok(text) => self.words.extend(first_column(&text).map(str::to_owned)),
            Err(fault) => self.fault = Some(fault),
        }
    }

    fn finish(self) -> Option<Result<Parsed, Fault>> {
        if let Some(fault) = self.fault {
            return Some(Err(fault));
        }
        (!self.words.is_empty()).then(|| {
            let document = Document::from_words(&self.words);
            Ok(Parsed { id: None, document, line: self.first_line })
        })
    }
}

/// The word of a line. Columns are parted by blanks and tabs only: a no-break space may stand in
/// a word.
fn first_column(line: &str) -> Option<&str> {
    line.split([' ', '\t']).find(|column| !column.is_empty()).filter(|&word| word != DOCUMENT_START)
}

#[cfg(test)]
mod tests {
    use super::super::{
        InputFormat::Conll,
        ReadOptions,
        testing::{read, texts},
    };

    #[test]
    fn sentences_become_documents_with_words() {
        let input = "-DOCSTART- -X- O\n\n\nAna NP B-PER\r\nvive\tV\tO\n \nEl DA O\n";
        let parsed = read(Conll, input.as_bytes(), &ReadOptions::default());
        let first = parsed[0].as_ref().unwrap();
        assert_eq!(first.document.text, "Ana vive");
        assert_eq!(first.document.words, Some(vec![0..3, 4..8]));
        assert_eq!(first.line, 4);
        assert_eq!(parsed[1].as_ref().unwrap().document.text, "El");
        assert_eq!(parsed.len(), 2);
    }

    #[test]
    fn one_bad_byte_costs_one_sentence() {
        let read = texts(Conll, b"uno O\n\ndos O\n\xFF O\n\xFE O\n\ntres O\n");
        assert_eq!(
            read,
            [Ok("uno".into()), Err("4: invalid UTF-8 at byte 1".into()), Ok("tres".into())]
        );
    }

    #[test]
    fn a_no_break_space_belongs_to_its_word() {
        assert_eq!(texts(Conll, "10\u{a0}000 O\n".as_bytes()), [Ok("10\u{a0}000".into())]);
    }
}
