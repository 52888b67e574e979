//! `nervio ner`: documents in, entities out.

use std::io::{self, IsTerminal};

use anyhow::{Context, Result};
use nervio::{Aggregation, Document, Recognizer};

use crate::args::{Destination, NerArgs};
use crate::failure::{Outcome, usage};
use crate::input::{Item, Limits, Prefetch, Record, Records};
use crate::output::{Answer, AnswerStream, OutputFormat, WriteOptions};
use crate::progress::Progress;

/// What is recognised at once: enough to fill batches of documents of like length, little enough
/// that answers keep coming.
const CHUNK: Limits = Limits { records: 512, bytes: 256 * 1024 };

/// Runs the command.
pub(crate) fn run(arguments: &NerArgs) -> Result<Outcome> {
    let sources = arguments.input.sources()?;
    let format = arguments.output.format()?;
    if format == OutputFormat::Conll && arguments.decoding.aggregation == Aggregation::None {
        return Err(usage("format conll tags words: choose an aggregation other than none"));
    }
    let destination = arguments.output.destination(format, &sources)?;
    let recognizer = build(arguments)?;

    let shares_terminal = destination == Destination::Stdout && io::stdout().is_terminal();
    let engine = format!("{}, {}", recognizer.dtype_name(), recognizer.isa_name());
    let progress = Progress::new(&sources, shares_terminal, arguments.quiet, engine);
    let options = WriteOptions {
        offsets: arguments.output.offsets.unwrap_or_default(),
        ..WriteOptions::default()
    };
    let mut stream = AnswerStream::open(format, &destination, options)?;
    let records = Records::new(sources, arguments.input.options());
    let mut input = Prefetch::start(records).context("cannot start to read")?;
    let mut outcome = Outcome::Success;
    while let Some(chunk) = input.next_chunk(CHUNK) {
        if !answer(&recognizer, chunk, &mut stream, &progress)? {
            outcome = Outcome::Failed;
        }
        stream.flush()?;
    }
    stream.finish()?;
    Ok(outcome)
}

/// The recogniser the arguments ask for.
fn build(arguments: &NerArgs) -> Result<Recognizer> {
    let builder = Recognizer::builder()
        .model(arguments.model.source()?)
        .decoder(arguments.decoding.options()?);
    Ok(arguments.engine.configure(builder).build()?)
}

/// Writes the answers of a chunk in order and reports its bad records; whether there were none.
fn answer(
    recognizer: &Recognizer,
    chunk: Vec<Item>,
    stream: &mut AnswerStream,
    progress: &Progress,
) -> Result<bool> {
    let mut all_well = true;
    let mut documents: Vec<Document> = Vec::with_capacity(chunk.len());
    let mut names = Vec::with_capacity(chunk.len());
    let mut bytes_read = 0;
    for item in chunk {
        match item {
            Ok(record) => {
                let Record { id, document, origin, .. } = record;
                documents.push(document);
                names.push((id, origin));
                bytes_read = record.bytes_read;
            }
            Err(error) => {
                all_well = false;
                progress.report(error);
            }
        }
    }
    let results = recognizer.recognize_batch(&documents);
    for ((document, (id, origin)), result) in documents.iter().zip(&names).zip(results) {
        match result {
            Ok(recognition) => {
                stream.write(&Answer { id, text: &document.text, recognition: &recognition })?;
            }
            Err(error) => {
                all_well = false;
                progress.report(format_args!("{origin}: {:#}", anyhow::Error::from(error)));
            }
        }
    }
    progress.reached(bytes_read);
    Ok(all_well)
}
