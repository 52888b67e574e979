//! `nervio tokenize`: how a text is cut into pieces.

use std::io::{self, BufWriter, Write};

use anyhow::Result;
use nervio::tokenizer::{Encoding, Tokenizer};
use serde::Serialize;

use super::for_each_record;
use crate::args::TokenizeArgs;
use crate::failure::Outcome;
use crate::input::{Id, Record};
use crate::output::{OffsetUnit, Offsets};

/// The JSON line of one document; special tokens are not among the pieces.
#[derive(Debug, Serialize)]
struct Line<'a> {
    id: &'a Id,
    text: &'a str,
    /// The pieces as the vocabulary spells them.
    pieces: Vec<&'a str>,
    /// Their ids.
    ids: Vec<u32>,
    /// Start and end of each in the text, the end exclusive.
    offsets: Vec<(usize, usize)>,
    /// The number of the word each belongs to, counted from 0.
    words: Vec<u32>,
}

/// Runs the command.
pub(crate) fn run(arguments: &TokenizeArgs) -> Result<Outcome> {
    let tokenizer = arguments.model.source()?.tokenizer()?;
    let unit = arguments.offsets.unwrap_or_default();
    let mut out = BufWriter::new(io::stdout().lock());
    let outcome = for_each_record(&arguments.input, |record| {
        write_line(&mut out, &tokenizer, &record, unit)
    })?;
    out.flush()?;
    Ok(outcome)
}

/// Tokenizes one document.
fn write_line(
    out: &mut dyn Write,
    tokenizer: &Tokenizer,
    record: &Record,
    unit: OffsetUnit,
) -> Result<()> {
    let text = &record.document.text;
    let encoding = match &record.document.words {
        Some(words) => tokenizer.encode_words(text, words),
        None => tokenizer.encode(text),
    };
    let line = line(tokenizer, &record.id, text, &encoding, unit);
    serde_json::to_writer(&mut *out, &line)?;
    Ok(out.write_all(b"\n")?)
}

/// The line of an encoded text.
fn line<'a>(
    tokenizer: &'a Tokenizer,
    id: &'a Id,
    text: &'a str,
    encoding: &Encoding,
    unit: OffsetUnit,
) -> Line<'a> {
    let offsets = Offsets::new(unit, text);
    let pieces = &encoding.pieces;
    Line {
        id,
        text,
        pieces: pieces.iter().map(|piece| tokenizer.token(piece.id).unwrap_or_default()).collect(),
        ids: pieces.iter().map(|piece| piece.id).collect(),
        offsets: pieces
            .iter()
            .map(|piece| (offsets.at(piece.range.start), offsets.at(piece.range.end)))
            .collect(),
        words: pieces.iter().map(|piece| piece.word).collect(),
    }
}
