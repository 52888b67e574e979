//! A writer with the place it writes to.

use std::fs::File;
use std::io::{self, BufWriter, Write};

use anyhow::{Context, Result};

use super::{Answer, OutputFormat, WriteOptions, Writer, writer};
use crate::args::Destination;

/// Answers on their way out.
pub(crate) struct AnswerStream {
    writer: Box<dyn Writer>,
    out: Box<dyn Write>,
}

impl AnswerStream {
    /// Opens `destination`, which empties a file, and writes what comes before the answers.
    ///
    /// # Errors
    /// When it cannot be opened or written.
    pub(crate) fn open(
        format: OutputFormat,
        destination: &Destination,
        mut options: WriteOptions,
    ) -> Result<Self> {
        let out: Box<dyn Write> = match destination {
            Destination::Stdout if format == OutputFormat::Pretty => {
                let stdout = anstream::AutoStream::auto(io::stdout());
                options.colour = stdout.current_choice() != anstream::ColorChoice::Never;
                Box::new(BufWriter::new(stdout))
            }
            Destination::Stdout => Box::new(BufWriter::new(io::stdout())),
            Destination::File(path) => {
                let file = File::create(path)
                    .with_context(|| format!("cannot write {}", path.display()))?;
                Box::new(BufWriter::new(file))
            }
            Destination::Folder(path) => {
                options.folder = Some(path.clone());
                Box::new(io::sink())
            }
        };
        let mut stream = Self { writer: writer(format, options), out };
        stream.writer.begin(&mut *stream.out)?;
        Ok(stream)
    }

    /// Writes one answer.
    pub(crate) fn write(&mut self, answer: &Answer<'_>) -> Result<()> {
        self.writer.record(&mut *self.out, answer)
    }

    /// Sends on what is still held back.
    pub(crate) fn flush(&mut self) -> Result<()> {
        Ok(self.out.flush()?)
    }

    /// Writes what comes after the answers.
    pub(crate) fn finish(mut self) -> Result<()> {
        self.writer.end(&mut *self.out)?;
        self.flush()
    }
}
