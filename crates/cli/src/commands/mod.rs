//! What each command does.

mod bench;
mod compare;
mod dump;
mod eval;
mod inspect;
mod ner;
mod pack;
mod tokenize;

use std::io::Write;

use anyhow::Result;

use crate::args::{Command, InputArgs};
use crate::failure::{Outcome, report};
use crate::input::{Record, Records};

/// Runs a command to its end.
pub(crate) fn run(command: &Command) -> Result<Outcome> {
    match command {
        Command::Ner(arguments) => ner::run(arguments),
        Command::Eval(arguments) => eval::run(arguments),
        Command::Tokenize(arguments) => tokenize::run(arguments),
        Command::Dump(arguments) => dump::run(arguments),
        Command::Compare(arguments) => compare::run(arguments),
        Command::Bench(arguments) => bench::run(arguments),
        Command::Inspect(arguments) => inspect::run(arguments),
        Command::Pack(arguments) => pack::run(arguments),
    }
}

/// Hands the documents of the input to `work` one by one; bad ones are reported and counted.
fn for_each_record(
    input: &InputArgs,
    mut work: impl FnMut(Record) -> Result<()>,
) -> Result<Outcome> {
    let mut outcome = Outcome::Success;
    for item in Records::new(input.sources()?, input.options()) {
        match item {
            Ok(record) => work(record)?,
            Err(error) => {
                outcome = Outcome::Failed;
                report(error);
            }
        }
    }
    Ok(outcome)
}

/// Writes `value` as indented JSON.
fn write_json(out: &mut dyn Write, value: &impl serde::Serialize) -> Result<()> {
    serde_json::to_writer_pretty(&mut *out, value)?;
    Ok(out.write_all(b"\n")?)
}
