//! Column files: one word a line, its tag last.

use std::fs;
use std::path::Path;

use crate::Error;

/// First column of the lines that part documents in the English and German files.
const DOCUMENT_START: &str = "-DOCSTART-";

/// The mark that some editors put at the beginning of UTF-8 files.
const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// Words with their tags.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sentence {
    /// Number of its first line in the file, from 1.
    pub line: usize,
    /// The words: the first column.
    pub words: Vec<String>,
    /// One tag for each word: the last column.
    pub tags: Vec<String>,
}

/// Reads a column file; see [`parse_conll`].
///
/// # Errors
///
/// When the file cannot be read, and as [`parse_conll`].
pub fn read_conll(file: &Path) -> Result<Vec<Sentence>, Error> {
    let bytes = fs::read(file).map_err(|source| Error::Read { file: file.to_owned(), source })?;
    parse_conll(&file.display().to_string(), &bytes)
}

/// Reads the contents of a column file called `name` in errors.
///
/// Columns are parted by blanks and tabs, sentences by blank lines and by lines that begin with
/// `-DOCSTART-`; lines end with LF or CRLF. All lines must have the same number of columns, at
/// least two: the word is the first, the tag the last.
///
/// # Errors
///
/// When a line is not UTF-8, has no tag, or has not as many columns as the first one.
///
/// ```
/// let sentences = nervio_eval::parse_conll("demo", b"Ana NP B-PER\n\nSevilla NP B-LOC\n")?;
/// assert_eq!(sentences[1].words, ["Sevilla"]);
/// assert_eq!(sentences[1].tags, ["B-LOC"]);
/// assert_eq!(sentences[1].line, 3);
/// # Ok::<(), nervio_eval::Error>(())
/// ```
pub fn parse_conll(name: &str, bytes: &[u8]) -> Result<Vec<Sentence>, Error> {
    let mut reader = Reader { name, columns: None, sentences: Vec::new(), open: false };
    let bytes = bytes.strip_prefix(BYTE_ORDER_MARK).unwrap_or(bytes);
    for (index, line) in bytes.split(|byte| *byte == b'\n').enumerate() {
        reader.line(index + 1, line)?;
    }
    Ok(reader.sentences)
}

struct Reader<'a> {
    name: &'a str,
    /// Number of the first line with a word, and how many columns it has.
    columns: Option<(usize, usize)>,
    sentences: Vec<Sentence>,
    /// Whether the last sentence may go on.
    open: bool,
}

impl Reader<'_> {
    fn line(&mut self, line: usize, bytes: &[u8]) -> Result<(), Error> {
        let bytes = bytes.strip_suffix(b"\r").unwrap_or(bytes);
        let text = str::from_utf8(bytes).map_err(|error| Error::Encoding {
            file: self.name.to_owned(),
            line,
            column: error.valid_up_to() + 1,
        })?;
        // No-break spaces and their like may stand within a word.
        let mut columns = text.split([' ', '\t']).filter(|column| !column.is_empty());
        let Some(word) = columns.next().filter(|word| *word != DOCUMENT_START) else {
            self.open = false;
            return Ok(());
        };
        let (more, tag) = columns.fold((0, None), |(count, _), column| (count + 1, Some(column)));
        let file = || self.name.to_owned();
        let Some(tag) = tag else {
            return Err(Error::MissingTag { file: file(), line, word: word.to_owned() });
        };
        let found = 1 + more;
        let (first, expected) = *self.columns.get_or_insert((line, found));
        if found != expected {
            return Err(Error::Columns { file: file(), line, expected, first, found });
        }
        self.word(line, word, tag);
        Ok(())
    }

    fn word(&mut self, line: usize, word: &str, tag: &str) {
        let (word, tag) = (word.to_owned(), tag.to_owned());
        match self.sentences.last_mut() {
            Some(sentence) if self.open => {
                sentence.words.push(word);
                sentence.tags.push(tag);
            }
            _ => self.sentences.push(Sentence { line, words: vec![word], tags: vec![tag] }),
        }
        self.open = true;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(bytes: impl AsRef<[u8]>) -> Result<Vec<Sentence>, String> {
        parse_conll("demo.txt", bytes.as_ref()).map_err(|error| error.to_string())
    }

    #[test]
    fn blank_lines_and_document_starts_part_sentences() {
        let text = "-DOCSTART- -X- O O\n\nAna NP x B-PER\nvive\tV  x\tO\r\n \t\r\n\nEl D x O\n\
                    -DOCSTART- -X- O O\nFin N x O";
        let sentences = parse(text).unwrap();
        let words: Vec<_> = sentences.iter().map(|sentence| sentence.words.join(" ")).collect();
        assert_eq!(words, ["Ana vive", "El", "Fin"]);
        let lines: Vec<_> = sentences.iter().map(|sentence| sentence.line).collect();
        assert_eq!(lines, [3, 7, 9]);
        assert_eq!(sentences[0].tags, ["B-PER", "O"]);
    }

    #[test]
    fn empty_files_have_no_sentences() {
        for empty in ["", "\n\n", "\r\n", "\u{feff}", "-DOCSTART- -X- O O\n"] {
            assert_eq!(parse(empty), Ok(vec![]), "{empty:?}");
        }
    }

    #[test]
    fn a_byte_order_mark_is_no_part_of_a_word() {
        assert_eq!(parse("\u{feff}Ana O\n").unwrap()[0].words, ["Ana"]);
    }

    #[test]
    fn a_no_break_space_is_part_of_a_word() {
        assert_eq!(parse("10\u{a0}000 O\n").unwrap()[0].words, ["10\u{a0}000"]);
    }

    #[test]
    fn bad_lines_are_named() {
        let cases: [(&[u8], &str); 5] = [
            (
                b"Ana B-PER\nvive\n",
                "demo.txt, line 2: expected a word and its tag, found only \"vive\"",
            ),
            (b"Ana\t\n", "demo.txt, line 1: expected a word and its tag, found only \"Ana\""),
            (
                b"\nAna NP O\n\nvive V\n",
                "demo.txt, line 4: expected 3 columns as in line 2, found 2",
            ),
            (b"a O\n10 000 O\n", "demo.txt, line 2: expected 2 columns as in line 1, found 3"),
            (
                b"a O\nEspa\xf1a O\n",
                "demo.txt, line 2: expected UTF-8, found an invalid byte in column 5",
            ),
        ];
        for (bytes, expected) in cases {
            assert_eq!(parse(bytes).unwrap_err(), expected);
        }
    }

    #[test]
    fn a_missing_file_is_named() {
        let error = read_conll(Path::new("missing.conll")).unwrap_err();
        assert_eq!(error.to_string(), "cannot read missing.conll");
    }
}
