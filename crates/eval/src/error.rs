//! Everything that evaluation refuses.

use std::io;
use std::path::PathBuf;

use crate::Scheme;

/// Why a file could not be read or tags could not be compared.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The file cannot be read.
    #[error("cannot read {}", file.display())]
    Read {
        /// The file.
        file: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A line is not UTF-8; the first editions of the `CoNLL` files are Latin-1.
    #[error("{file}, line {line}: expected UTF-8, found an invalid byte in column {column}")]
    Encoding {
        /// Name of the file.
        file: String,
        /// Number of the line, from 1.
        line: usize,
        /// Position of the byte in its line, from 1.
        column: usize,
    },
    /// A line has a word, but no tag.
    #[error("{file}, line {line}: expected a word and its tag, found only {word:?}")]
    MissingTag {
        /// Name of the file.
        file: String,
        /// Number of the line, from 1.
        line: usize,
        /// The word.
        word: String,
    },
    /// A line has fewer or more columns than the first one, so that its last may be no tag.
    #[error("{file}, line {line}: expected {expected} columns as in line {first}, found {found}")]
    Columns {
        /// Name of the file.
        file: String,
        /// Number of the line, from 1.
        line: usize,
        /// Columns of the first line that has a word.
        expected: usize,
        /// Number of that line.
        first: usize,
        /// Columns of this line.
        found: usize,
    },
    /// As many sentences must be predicted as there are.
    #[error("tags: expected {expected} sentences, found {found}")]
    Sentences {
        /// Sentences of the reference.
        expected: usize,
        /// Sentences predicted.
        found: usize,
    },
    /// Each word must have a predicted tag.
    #[error("sentence {sentence}: expected {expected} tags, found {found}")]
    Words {
        /// The sentence, from 1.
        sentence: usize,
        /// Its tags in the reference.
        expected: usize,
        /// Its tags predicted.
        found: usize,
    },
    /// A tag that a strict reading does not allow.
    #[error("sentence {sentence}")]
    Tag {
        /// The sentence, from 1.
        sentence: usize,
        /// The tag.
        source: InvalidTag,
    },
    /// Tags that follow no scheme which can be told by its prefixes.
    #[error(
        "tags: expected the prefixes of IOB2, IOE2, IOBES or BILOU, found {found}: name the scheme"
    )]
    UnknownScheme {
        /// The first letters of all tags.
        found: String,
    },
    /// A name that no scheme has.
    #[error("scheme: expected one of iob1, iob2, ioe1, ioe2, iobes, bilou, found {found:?}")]
    SchemeName {
        /// The name given.
        found: String,
    },
}

/// A tag whose prefix its scheme does not have.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("word {word}: expected a tag of {scheme} (prefixes {}), found {tag:?}", scheme.prefixes())]
pub struct InvalidTag {
    /// The word, from 1.
    pub word: usize,
    /// Its tag.
    pub tag: String,
    /// The scheme.
    pub scheme: Scheme,
}
