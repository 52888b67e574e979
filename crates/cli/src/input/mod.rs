//! Documents from files, standard input and the command line: one reader per format.
//!
//! Everything is read as a stream of records; a record that cannot be read is a
//! [`RecordError`] with its place, and the reader goes on with the next one.

mod conll;
mod csv;
mod jsonl;
mod line_reader;
mod lines;
mod prefetch;
mod record;
mod records;
mod source;
mod text;

pub(crate) use prefetch::{Limits, Prefetch};
pub(crate) use record::{Id, Item, Origin, Record, RecordError};
pub(crate) use records::Records;
pub(crate) use source::Source;

use std::path::Path;

use record::{Fault, Parsed};
use source::Input;

/// How a stream of bytes is cut into documents.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum InputFormat {
    /// One document a line
    Lines,
    /// The whole file is one document
    Text,
    /// One JSON object a line
    Jsonl,
    /// Words in the first column, a blank line after each sentence
    Conll,
    /// Comma-separated values with a header row
    Csv,
}

impl InputFormat {
    /// The format a file's extension speaks of; [`InputFormat::Lines`] for any other.
    fn of_path(path: &Path) -> Self {
        let extension = path.extension().and_then(|extension| extension.to_str());
        match extension.map(str::to_ascii_lowercase).as_deref() {
            Some("jsonl" | "ndjson") => Self::Jsonl,
            Some("conll") => Self::Conll,
            Some("csv") => Self::Csv,
            _ => Self::Lines,
        }
    }
}

/// What the readers need to know beside the bytes.
#[derive(Clone, Debug, Default)]
pub(crate) struct ReadOptions {
    /// The format; `None` goes by the file's extension.
    pub(crate) format: Option<InputFormat>,
    /// Field or column with the text, when the user named one.
    pub(crate) text_field: Option<String>,
    /// Field or column with the id, when the user named one.
    pub(crate) id_field: Option<String>,
}

/// A stream of the documents of one input.
type Reader = Box<dyn Iterator<Item = Result<Parsed, Fault>> + Send>;

/// The reader of `format` over `input`.
fn reader(input: Input, format: InputFormat, options: &ReadOptions) -> Reader {
    match format {
        InputFormat::Lines => Box::new(lines::Lines::new(input)),
        InputFormat::Text => Box::new(text::Text::new(input)),
        InputFormat::Jsonl => Box::new(jsonl::Jsonl::new(input, options)),
        InputFormat::Conll => Box::new(conll::Conll::new(input)),
        InputFormat::Csv => Box::new(csv::Csv::new(input, options)),
    }
}

#[cfg(test)]
mod testing {
    //! Shorthands for the readers' tests.

    use super::{Fault, InputFormat, Parsed, ReadOptions, reader, source};

    /// What `format` reads from `bytes`.
    pub(crate) fn read(
        format: InputFormat,
        bytes: &[u8],
        options: &ReadOptions,
    ) -> Vec<Result<Parsed, Fault>> {
        let input = source::buffered(std::io::Cursor::new(bytes.to_vec())).unwrap();
        reader(input, format, options).collect()
    }

    /// The texts and faults of [`read`], faults as `line: message`.
    pub(crate) fn texts(format: InputFormat, bytes: &[u8]) -> Vec<Result<String, String>> {
        read(format, bytes, &ReadOptions::default())
            .into_iter()
            .map(|item| {
                item.map(|parsed| parsed.document.text).map_err(|fault| {
                    format!("{}: {}", fault.line.unwrap_or_default(), fault.message)
                })
            })
            .collect()
    }
}
