//! What a reader yields: a document with its id and its place, or an error with its place.

use std::fmt;
use std::sync::Arc;

use nervio::Document;
use serde::Serialize;

/// The name of a document in the output.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(untagged)]
pub(crate) enum Id {
    /// The input gave none: the record's number in the whole run, counted from 0.
    Ordinal(u64),
    /// A number of the input's own.
    Number(serde_json::Number),
    /// A string of the input's own.
    Text(String),
}

impl Id {
    /// Whether the id comes from the input, so that it tells the reader something.
    pub(crate) fn is_given(&self) -> bool {
        !matches!(self, Self::Ordinal(_))
    }
}

impl fmt::Display for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ordinal(number) => number.fmt(f),
            Self::Number(number) => number.fmt(f),
            Self::Text(text) => text.fmt(f),
        }
    }
}

/// Where a record stands: `FILE` or `FILE:LINE`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Origin {
    /// The file's name as the user gave it, `<stdin>` or `argument N`.
    pub(crate) source: Arc<str>,
    /// The first line of the record, counted from 1, where lines exist.
    pub(crate) line: Option<u64>,
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.source)?;
        self.line.map_or(Ok(()), |line| write!(f, ":{line}"))
    }
}

/// One document of the input.
#[derive(Clone, Debug)]
pub(crate) struct Record {
    /// Its name in the output.
    pub(crate) id: Id,
    /// The text, with its words where the input gave them.
    pub(crate) document: Document,
    /// Where it stands in the input.
    pub(crate) origin: Origin,
    /// Bytes of all files read until it was complete.
    pub(crate) bytes_read: u64,
}

/// A record, or a file, that could not be read.
#[derive(Clone, Debug)]
pub(crate) struct RecordError {
    /// Where it stands in the input.
    pub(crate) origin: Origin,
    /// What is wrong with it.
    pub(crate) message: String,
}

impl fmt::Display for RecordError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.origin, self.message)
    }
}

/// What the stream of records yields.
pub(crate) type Item = Result<Record, RecordError>;

/// A document as a format's reader sees it: it knows its line but not its file.
#[derive(Debug)]
pub(crate) struct Parsed {
    /// The id, where the input has one.
    pub(crate) id: Option<Id>,
    /// The text, with its words where the input gave them.
    pub(crate) document: Document,
    /// The first line of the record, counted from 1.
    pub(crate) line: u64,
}

/// A record that a format's reader could not make a document of.
#[derive(Debug)]
pub(crate) struct Fault {
    /// The line at fault, counted from 1; `None` speaks of the whole file.
    pub(crate) line: Option<u64>,
    /// What is wrong.
    pub(crate) message: String,
}

impl Fault {
    /// A fault of one line.
    pub(crate) fn at(line: u64, message: impl Into<String>) -> Self {
        Self { line: Some(line), message: message.into() }
    }

    /// A fault of the whole file.
    pub(crate) fn of_file(message: impl Into<String>) -> Self {
        Self { line: None, message: message.into() }
    }

    /// Bytes of a record on line `line` that are not UTF-8.
    pub(crate) fn utf8(line: u64, error: std::str::Utf8Error) -> Self {
        Self::at(line, format!("invalid UTF-8 at byte {}", error.valid_up_to() + 1))
    }

    /// The bytes could not be had at all.
    pub(crate) fn read(error: &std::io::Error) -> Self {
        Self::of_file(format!("cannot read: {error}"))
    }
}
