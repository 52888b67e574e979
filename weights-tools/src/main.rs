//! The `nervio-weights` command: one subcommand per tool.
#![forbid(unsafe_code)]

use std::process::ExitCode;

use clap::{Parser, Subcommand};
use nervio_weights_tools::{convert, diff, prune, pull, quantize, synth};

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
    /// Compare two checkpoints tensor by tensor
    Diff(diff::Args),
    /// Fetch a model from a Hugging Face hub into the cache
    Pull(pull::Args),
    /// Drop the tokens that a language never uses
    PruneVocab(prune::Args),
    /// Write a model folder with smaller weights
    Quantize(quantize::Args),
}

fn main() -> ExitCode {
    let (outcome, failure) = match Cli::parse().command {
        Command::Synth(args) => (done(synth::run(&args)), 1),
        Command::Convert(args) => (done(convert::run(&args)), 1),
        // 1 says that the checkpoints differ.
        Command::Diff(args) => (diff::run(&args), 2),
        Command::Pull(args) => (done(pull::run(&args)), 1),
        Command::PruneVocab(args) => (done(prune::run(&args)), 1),
        Command::Quantize(args) => (done(quantize::run(&args)), 1),
    };
    outcome.unwrap_or_else(|error| {
        eprintln!("error: {error:#}");
        ExitCode::from(failure)
    })
}

fn done(outcome: anyhow::Result<()>) -> anyhow::Result<ExitCode> {
    outcome.map(|()| ExitCode::SUCCESS)
}
