//! Where documents come from.

use std::path::PathBuf;

use anyhow::Result;
use clap::Args;

use crate::failure::usage;
use crate::input::{InputFormat, ReadOptions, Source};

/// Documents from arguments, files or standard input.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Input")]
pub(crate) struct InputArgs {
    /// Texts, each a document; without texts and files, standard input is read
    #[arg(value_name = "TEXT")]
    pub(crate) texts: Vec<String>,
    /// A file to read, `-` for standard input; may be given several times
    #[arg(long, short, value_name = "FILE|-")]
    pub(crate) input: Vec<PathBuf>,
    /// How files are cut into documents [default: by the file's extension, else lines]
    #[arg(long, value_enum, value_name = "FORMAT")]
    pub(crate) input_format: Option<InputFormat>,
    /// Field (jsonl) or column (csv) with the text [default: text; in csv else the first column]
    #[arg(long, value_name = "NAME")]
    pub(crate) text_field: Option<String>,
    /// Field (jsonl) or column (csv) with the id [default: id, else a number counted from 0]
    #[arg(long, value_name = "NAME")]
    pub(crate) id_field: Option<String>,
}

impl InputArgs {
    /// The sources of the documents, in order.
    ///
    /// # Errors
    /// When nothing was given and standard input is a terminal.
    pub(crate) fn sources(&self) -> Result<Vec<Source>> {
        Source::collect(self.texts.clone(), &self.input).ok_or_else(|| {
            usage(
                "nothing to read: give a text, as in nervio \"Me llamo Ana\", a file with \
                 --input FILE, or pipe text in (--help says more)",
            )
        })
    }

    /// How they are read.
    pub(crate) fn options(&self) -> ReadOptions {
        ReadOptions {
            format: self.input_format,
            text_field: self.text_field.clone(),
            id_field: self.id_field.clone(),
        }
    }
}
