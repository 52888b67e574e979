//! The `nervio` command: named entities from text, on a hand-written BERT encoder.
//!
//! [`args`] says what can be asked for, [`input`] reads documents, [`commands`] do the work with
//! the library `nervio`, [`output`] writes answers, [`failure`] says how a run ends.
#![forbid(unsafe_code)]

mod args;
mod commands;
mod failure;
mod input;
mod output;
mod progress;

use std::process::ExitCode;

use clap::Parser;

fn main() -> ExitCode {
    let cli = args::Cli::parse_from(args::with_default_command(std::env::args_os()));
    cli.colour.write_global();
    failure::exit_code(commands::run(&cli.command))
}
