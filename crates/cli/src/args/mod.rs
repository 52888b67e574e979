//! The command line: what can be asked for, and what it means.

mod decoding;
mod input;
mod model;
mod output;
mod tools;

pub(crate) use decoding::DecodingArgs;
pub(crate) use input::InputArgs;
pub(crate) use model::{EngineArgs, ModelArgs};
pub(crate) use output::{Destination, OutputArgs};
pub(crate) use tools::{
    BenchArgs, CompareArgs, DumpArgs, EvalArgs, InspectArgs, PackArgs, Shape, TokenizeArgs,
};

use std::ffi::OsString;

use clap::{Args, CommandFactory, Parser, Subcommand};

/// Find the named entities of a text: people, places, organisations.
#[derive(Debug, Parser)]
#[command(
    name = "nervio",
    version,
    after_help = "Without a command, the arguments are those of `ner`:\n  \
        nervio \"Me llamo Wolfgang y vivo en Berlín\"\n  \
        nervio --input news.txt --format html --output news.html\n\n\
        `nervio ner --help` lists all that it can do."
)]
pub(crate) struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub(crate) command: Command,
    /// Whether to colour what is written to a terminal.
    #[command(flatten)]
    pub(crate) colour: colorchoice_clap::Color,
}

/// What `nervio` can do.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Recognise entities (the default command)
    Ner(Box<NerArgs>),
    /// Score a model on a CoNLL file: precision, recall and F1
    Eval(EvalArgs),
    /// Show how a text is cut into pieces, as JSON lines
    Tokenize(TokenizeArgs),
    /// Write ids, logits and layers to a safetensors file
    Dump(DumpArgs),
    /// Compare a model with a reference written by `dump` or by another framework
    Compare(CompareArgs),
    /// Measure speed: time, tokens per second, GFLOPS and time per kernel
    Bench(BenchArgs),
    /// Describe a model: its configuration, tensors, sizes and memory
    Inspect(InspectArgs),
    /// Write the weights of a folder as this machine reads them, for an instant start
    Pack(PackArgs),
}

/// Arguments of `nervio ner`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
    nervio \"Me llamo Wolfgang y vivo en Berlín\"\n  \
    nervio ner --input news.jsonl --text-field body --format csv --output entities.csv\n  \
    cat sentences.txt | nervio ner --labels PER,LOC --min-score 0.8\n  \
    nervio ner --model ./my-model --input book.txt --input-format text --format html > book.html\n\n\
    A text that is the name of a command, or begins with a dash, goes after `--`:\n  \
    nervio ner -- eval\n\n\
    NERVIO_ISA=portable|avx2|avxvnni|avx512|avx512vnni|amx|neon|neondot forces an instruction set.\n\
    The exit status is 0, or 1 if something failed (a bad record is reported on standard\n\
    error and the others are answered), or 2 if the command line is wrong.")]
pub(crate) struct NerArgs {
    /// Where the documents come from.
    #[command(flatten)]
    pub(crate) input: InputArgs,
    /// Where the answers go.
    #[command(flatten)]
    pub(crate) output: OutputArgs,
    /// Which entities are reported, and how.
    #[command(flatten)]
    pub(crate) decoding: DecodingArgs,
    /// The model.
    #[command(flatten)]
    pub(crate) model: ModelArgs,
    /// How the model is run.
    #[command(flatten)]
    pub(crate) engine: EngineArgs,
    /// Show no progress bar
    #[arg(long, short, help_heading = "Output")]
    pub(crate) quiet: bool,
}

/// `arguments` with the command `ner` put in where the first one names no command.
pub(crate) fn with_default_command(arguments: impl IntoIterator<Item = OsString>) -> Vec<OsString> {
    let mut arguments: Vec<OsString> = arguments.into_iter().collect();
    if !arguments.get(1).is_some_and(is_command) {
        let place = arguments.len().min(1);
        arguments.insert(place, OsString::from("ner"));
    }
    arguments
}

/// Whether `argument` is for [`Cli`] itself: a command, or a request for help or the version.
fn is_command(argument: &OsString) -> bool {
    let Some(argument) = argument.to_str() else { return false };
    matches!(argument, "help" | "-h" | "--help" | "-V" | "--version")
        || Cli::command().get_subcommands().any(|command| command.get_name() == argument)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::output::OutputFormat;

    /// Parses a command line given without the program's name.
    fn parse(arguments: &[&str]) -> Result<Cli, clap::Error> {
        let arguments = std::iter::once("nervio").chain(arguments.iter().copied());
        Cli::try_parse_from(with_default_command(arguments.map(OsString::from)))
    }

    fn ner(arguments: &[&str]) -> NerArgs {
        match parse(arguments).unwrap().command {
            Command::Ner(arguments) => *arguments,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn the_definition_is_sound() {
        Cli::command().debug_assert();
    }

    #[test]
    fn ner_is_the_default() {
        assert_eq!(ner(&["Me llamo Ana"]).input.texts, ["Me llamo Ana"]);
        assert_eq!(ner(&["--format", "json", "a", "b"]).output.format, Some(OutputFormat::Json));
        assert_eq!(ner(&[]).input.texts.len(), 0);
        assert_eq!(ner(&["ner", "eval"]).input.texts, ["eval"]);
        assert_eq!(ner(&["--", "eval"]).input.texts, ["eval"]);
        assert_eq!(ner(&["ner", "--", "--quiet"]).input.texts, ["--quiet"]);
    }

    #[test]
    fn help_and_version_are_of_the_whole_program() {
        for (argument, kind) in [
            ("--help", clap::error::ErrorKind::DisplayHelp),
            ("--version", clap::error::ErrorKind::DisplayVersion),
        ] {
            assert_eq!(parse(&[argument]).unwrap_err().kind(), kind);
        }
        assert!(parse(&["ner", "--help"]).unwrap_err().to_string().contains("--label-map"));
    }

    #[test]
    fn other_commands_are_found() {
        let arguments = ["eval", "--model", "m", "--data", "d", "--json"];
        let Command::Eval(eval) = parse(&arguments).unwrap().command else { panic!("not eval") };
        assert!(eval.json && !eval.errors);
        let Command::Bench(bench) = parse(&["bench", "--shapes", "1x16,8x128"]).unwrap().command
        else {
            panic!("not bench")
        };
        assert_eq!(bench.shapes, [Shape { batch: 1, length: 16 }, Shape { batch: 8, length: 128 }]);
    }

    #[test]
    fn wrong_values_are_refused() {
        let wrong: [&[&str]; 9] = [
            &["--format", "xml"],
            &["--threads", "0"],
            &["--threads", "many"],
            &["--min-score", "1.5"],
            &["--min-score", "nan"],
            &["--aggregation", "mean"],
            &["--dtype", "f8"],
            &["bench", "--shapes", "0x16"],
            &["compare", "--reference", "r", "--tolerance", "-1"],
        ];
        for arguments in wrong {
            let error = parse(arguments).unwrap_err();
            assert_eq!(error.exit_code(), 2, "{arguments:?}");
        }
    }

    #[test]
    fn lists_are_parted_by_commas() {
        let arguments = ner(&["--labels", "PER,LOC", "--exclude-labels", "MISC", "--input", "f"]);
        assert_eq!(arguments.decoding.labels.as_deref().unwrap(), ["PER", "LOC"]);
        assert_eq!(arguments.decoding.exclude_labels, ["MISC"]);
    }
}
