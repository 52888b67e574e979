//! Answers in every format: one writer per format behind [`Writer`].

mod brat;
mod conll;
mod csv;
mod document;
mod hf;
mod html;
mod json;
mod jsonl;
mod label_studio;
mod offsets;
mod palette;
mod pretty;
mod segments;
mod stream;

pub(crate) use offsets::{OffsetUnit, Offsets};
pub(crate) use stream::AnswerStream;

use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::Result;
use nervio::Recognition;

use crate::input::Id;

/// How answers are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum OutputFormat {
    /// For people: the text with its entities marked, then a table
    Pretty,
    /// One JSON object a document
    Jsonl,
    /// One JSON array of all documents
    Json,
    /// Hugging Face's token-classification schema, one array a document
    Hf,
    /// One word a line with its IOB2 tag
    Conll,
    /// One row an entity
    Csv,
    /// brat standoff (.ann); with --output DIR a .txt and an .ann a document
    Brat,
    /// Label Studio tasks with predictions
    Labelstudio,
    /// A web page with the entities marked
    Html,
}

impl OutputFormat {
    /// The format that a file's extension speaks of.
    pub(crate) fn of_path(path: &Path) -> Option<Self> {
        match path.extension()?.to_str()?.to_ascii_lowercase().as_str() {
            "jsonl" | "ndjson" => Some(Self::Jsonl),
            "json" => Some(Self::Json),
            "conll" => Some(Self::Conll),
            "csv" => Some(Self::Csv),
            "ann" => Some(Self::Brat),
            "html" | "htm" => Some(Self::Html),
            _ => None,
        }
    }

    /// Whether the format itself says that offsets count code points.
    pub(crate) fn has_fixed_offsets(self) -> bool {
        matches!(self, Self::Hf | Self::Brat)
    }
}

/// What a writer needs to know beside the answers.
#[derive(Clone, Debug, Default)]
pub(crate) struct WriteOptions {
    /// What `start` and `end` count.
    pub(crate) offsets: OffsetUnit,
    /// Whether the terminal shows colours.
    pub(crate) colour: bool,
    /// The folder of `--format brat --output DIR`.
    pub(crate) folder: Option<PathBuf>,
}

/// One document with what was found in it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Answer<'a> {
    /// The document's name.
    pub(crate) id: &'a Id,
    /// Its text.
    pub(crate) text: &'a str,
    /// What was found.
    pub(crate) recognition: &'a Recognition,
}

/// Writes answers in one format, as a stream.
pub(crate) trait Writer {
    /// Before the first document.
    fn begin(&mut self, _out: &mut dyn Write) -> Result<()> {
        Ok(())
    }

    /// One document.
    fn record(&mut self, out: &mut dyn Write, answer: &Answer<'_>) -> Result<()>;

    /// After the last document.
    fn end(&mut self, _out: &mut dyn Write) -> Result<()> {
        Ok(())
    }
}

/// The writer of `format`.
pub(crate) fn writer(format: OutputFormat, options: WriteOptions) -> Box<dyn Writer> {
    match format {
        OutputFormat::Pretty => Box::new(pretty::Pretty::new(options.offsets, options.colour)),
        OutputFormat::Jsonl => Box::new(jsonl::Jsonl::new(options.offsets)),
        OutputFormat::Json => Box::new(json::JsonArray::new(options.offsets)),
        OutputFormat::Hf => Box::new(hf::HuggingFace),
        OutputFormat::Conll => Box::new(conll::Conll),
        OutputFormat::Csv => Box::new(csv::Csv::new(options.offsets)),
        OutputFormat::Brat => match options.folder {
            Some(folder) => Box::new(brat::BratFolder::new(folder)),
            None => Box::new(brat::BratStream::default()),
        },
        OutputFormat::Labelstudio => Box::new(label_studio::LabelStudio::new(options.offsets)),
        OutputFormat::Html => Box::new(html::Html::new(options.offsets)),
    }
}

#[cfg(test)]
mod testing {
    //! Documents to write in the writers' tests.

    use nervio::{Entity, Recognition};

    use super::{Answer, OutputFormat, WriteOptions, Writer, writer};
    use crate::input::Id;

    /// A document with entities given as `(part of the text, label)`, found in order.
    pub(crate) struct Example {
        pub(crate) id: Id,
        pub(crate) text: String,
        pub(crate) recognition: Recognition,
    }

    /// Makes an example; words are parted by white space, scores fall from 0.998.
    pub(crate) fn example(id: Id, text: &str, entities: &[(&str, &str)]) -> Example {
        let mut from = 0;
        let mut found = Vec::new();
        for (index, (part, label)) in entities.iter().enumerate() {
            let start = from + text[from..].find(part).unwrap();
            from = start + part.len();
            found.push(Entity {
                label: (*label).to_owned(),
                score: 0.998 - index as f32 * 0.1,
                start,
                end: from,
                word: (*part).to_owned(),
                index: None,
            });
        }
        let words = text
            .split_whitespace()
            .map(|word| {
                let start = word.as_ptr() as usize - text.as_ptr() as usize;
                start..start + word.len()
            })
            .collect::<Vec<_>>();
        let pieces = words.len();
        let recognition = Recognition { entities: found, words, windows: 1, pieces };
        Example { id, text: text.to_owned(), recognition }
    }

    /// Wolfgang in Berlin.
    pub(crate) fn wolfgang() -> Example {
        let text = "Me llamo Wolfgang y vivo en Berlín";
        example(Id::Ordinal(0), text, &[("Wolfgang", "PER"), ("Berlín", "LOC")])
    }

    /// Everything `writer` writes of `examples`.
    pub(crate) fn write_with(mut writer: Box<dyn Writer>, examples: &[Example]) -> String {
        let mut out = Vec::new();
        writer.begin(&mut out).unwrap();
        for Example { id, text, recognition } in examples {
            writer.record(&mut out, &Answer { id, text, recognition }).unwrap();
        }
        writer.end(&mut out).unwrap();
        String::from_utf8(out).unwrap()
    }

    /// Everything the writer of `format` writes of `examples`.
    pub(crate) fn write(
        format: OutputFormat,
        options: WriteOptions,
        examples: &[Example],
    ) -> String {
        write_with(writer(format, options), examples)
    }
}
