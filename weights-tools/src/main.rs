//! The `nervio-weights` command: one subcommand per tool.
#![forbid(unsafe_code)]

use std::process::ExitCode;

use clap::{Parser, Subcommand};
use nervio_weights_tools::{convert, quantize, synth};

/// Make, convert and check BERT checkpoints for nervio.
#[derive(Debug, Parser)]
#[command(name = "nervio-weights", version, about)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Write a model folder of random but well-scaled weights, the same bytes everywhere
    Synth(synth::Args),
    /// Turn a checkpoint of another format into a model folder
    Convert(convert::Args),
    /// Write a model folder with smaller weights
    Quantize(quantize::Args),
}

fn main() -> ExitCode {
    let outcome = match Cli::parse().command {
        Command::Synth(args) => synth::run(&args),
        Command::Convert(args) => convert::run(&args),
        Command::Quantize(args) => quantize::run(&args),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}
