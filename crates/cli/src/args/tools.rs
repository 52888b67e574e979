//! The commands beside `ner`.

use std::fmt;
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::str::FromStr;

use clap::Args;
use nervio::Dtype;

use super::model::{DTYPES, one_of};
use super::{EngineArgs, InputArgs, ModelArgs};
use crate::output::OffsetUnit;

/// Arguments of `nervio eval`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
    nervio eval --model ./my-model --data esp.testa\n  \
    nervio eval --compare embedded ./my-model ./another --data esp.testa\n\n\
    The words are taken as given; each has the label of its first piece, as in transformers'\n\
    own scripts. The first column is the word, the last one the gold tag.")]
pub(crate) struct EvalArgs {
    /// A CoNLL file with gold tags in the last column
    #[arg(long, value_name = "FILE")]
    pub(crate) data: PathBuf,
    /// Evaluate several models and write a Markdown table, best F1 first
    #[arg(long, value_name = "DIR", num_args = 1.., conflicts_with_all = ["model", "errors"])]
    pub(crate) compare: Vec<PathBuf>,
    /// List the entities that were missed, mistyped, cut wrongly or made up
    #[arg(long)]
    pub(crate) errors: bool,
    /// Write the scores as JSON, as fractions of 1
    #[arg(long)]
    pub(crate) json: bool,
    /// Show no progress bar
    #[arg(long, short)]
    pub(crate) quiet: bool,
    /// The model.
    #[command(flatten)]
    pub(crate) model: ModelArgs,
    /// How the model is run.
    #[command(flatten)]
    pub(crate) engine: EngineArgs,
}

/// Arguments of `nervio tokenize`.
#[derive(Debug, Args)]
#[command(
    after_help = "A line is {\"id\":…,\"text\":…,\"pieces\":[…],\"ids\":[…],\"offsets\":[[0,2],…],\"words\":[…]},\n\
    without [CLS] and [SEP]; words holds the number of each piece's word."
)]
pub(crate) struct TokenizeArgs {
    /// What offsets count [default: char]
    #[arg(long, value_enum, value_name = "UNIT")]
    pub(crate) offsets: Option<OffsetUnit>,
    /// Where the documents come from.
    #[command(flatten)]
    pub(crate) input: InputArgs,
    /// The model.
    #[command(flatten)]
    pub(crate) model: ModelArgs,
}

/// Arguments of `nervio dump`.
#[derive(Debug, Args)]
#[command(
    after_help = "The file holds, for each document i counted from 0, i.input_ids (I64) and \
    i.logits (F32), and where\nasked i.hidden_states.L and i.attentions.L; its metadata `texts` \
    holds the documents as a JSON array."
)]
pub(crate) struct DumpArgs {
    /// The safetensors file to write
    #[arg(long, short, value_name = "FILE")]
    pub(crate) output: PathBuf,
    /// Write the embeddings and the output of every layer
    #[arg(long)]
    pub(crate) hidden_states: bool,
    /// Write the attention weights of every layer
    #[arg(long)]
    pub(crate) attentions: bool,
    /// Where the documents come from.
    #[command(flatten)]
    pub(crate) input: InputArgs,
    /// The model.
    #[command(flatten)]
    pub(crate) model: ModelArgs,
    /// How the model is run.
    #[command(flatten)]
    pub(crate) engine: EngineArgs,
}

/// Arguments of `nervio compare`.
#[derive(Debug, Args)]
pub(crate) struct CompareArgs {
    /// A safetensors file in the form that `nervio dump` writes
    #[arg(long, value_name = "FILE")]
    pub(crate) reference: PathBuf,
    /// Largest absolute difference that passes; above it the exit status is 1
    #[arg(long, value_name = "X", default_value_t = 1e-4, value_parser = tolerance)]
    pub(crate) tolerance: f64,
    /// The model.
    #[command(flatten)]
    pub(crate) model: ModelArgs,
    /// How the model is run.
    #[command(flatten)]
    pub(crate) engine: EngineArgs,
}

/// Arguments of `nervio bench`.
#[derive(Debug, Args)]
pub(crate) struct BenchArgs {
    /// Batches to time: documents x pieces of each, special tokens included
    #[arg(long, value_name = "SHAPES", value_delimiter = ',', default_value = "1x16,1x128,8x128")]
    pub(crate) shapes: Vec<Shape>,
    /// Timed runs of each shape, taken in turns; the median counts
    #[arg(long, value_name = "N", default_value = "11")]
    pub(crate) runs: NonZeroUsize,
    /// Show the time of each layer too
    #[arg(long)]
    pub(crate) layers: bool,
    /// Write the figures as JSON
    #[arg(long)]
    pub(crate) json: bool,
    /// The model.
    #[command(flatten)]
    pub(crate) model: ModelArgs,
    /// How the model is run.
    #[command(flatten)]
    pub(crate) engine: EngineArgs,
}

/// Arguments of `nervio inspect`.
#[derive(Debug, Args)]
pub(crate) struct InspectArgs {
    /// A Hugging Face model folder
    #[arg(value_name = "DIR")]
    pub(crate) folder: PathBuf,
    /// Write the description as JSON
    #[arg(long)]
    pub(crate) json: bool,
}

/// Arguments of `nervio pack`.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  \
    nervio pack ./my-model && nervio --model ./my-model \"Ana vive en Lima\"\n\n\
    Writes model.INSTRUCTION_SET.DTYPE.panels.safetensors into the folder, about as large as the weights.\n\
    Commands that load the folder with the same --dtype on such a machine then use it in place: they\n\
    start in milliseconds and share its memory. It is refused, with the reason, when the weights of the\n\
    folder have changed.")]
pub(crate) struct PackArgs {
    /// A Hugging Face model folder
    #[arg(value_name = "DIR")]
    pub(crate) folder: PathBuf,
    /// How weights are held; auto keeps what the file has
    #[arg(long, value_name = "TYPE", default_value = "auto",
          value_parser = one_of::<Dtype>(&DTYPES))]
    pub(crate) dtype: Dtype,
}

/// A batch of `batch` documents of `length` pieces each, written `8x128`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Shape {
    /// Documents.
    pub(crate) batch: usize,
    /// Pieces of each, special tokens included.
    pub(crate) length: usize,
}

impl FromStr for Shape {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let sizes = text.split_once('x').map(|(batch, length)| (batch.parse(), length.parse()));
        match sizes {
            Some((Ok(batch), Ok(length))) if batch > 0 && length > 0 => Ok(Self { batch, length }),
            _ => Err("expected documents x pieces, as in 8x128".to_owned()),
        }
    }
}

impl fmt::Display for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}x{}", self.batch, self.length)
    }
}

/// A number that is not negative.
fn tolerance(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(value) if value >= 0.0 => Ok(value),
        _ => Err("expected a number that is not negative".to_owned()),
    }
}
