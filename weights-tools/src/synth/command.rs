//! `nervio-weights synth`.

use std::path::PathBuf;

use anyhow::{Context, Result};
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::Value;

use super::folder::{Layout, Recipe, StoredAs, synth_to_folder};
use super::shape::Shape;
use super::tensors::ACTIVATION_GAIN;
use super::vocabulary::Vocabulary;

/// Arguments of `nervio-weights synth`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example: nervio-weights synth --shape beto --layers 2 --seed 7 small-beto")]
pub struct Args {
    /// beto, beto-uncased, mbert, tinybert or a config.json
    #[arg(long, value_name = "NAME|FILE")]
    shape: String,
    /// Seed of all random numbers
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// How the numbers are stored
    #[arg(long, value_enum, default_value_t)]
    dtype: StoredAs,
    /// Encoder layers, instead of the shape's
    #[arg(long, value_name = "N")]
    layers: Option<u32>,
    /// Any other key of the configuration, instead of the shape's; VALUE is JSON or a plain word
    #[arg(long = "set", value_name = "KEY=VALUE", value_parser = parse_setting)]
    settings: Vec<(String, Value)>,
    /// Labels in the order of their ids [default: the configuration's, else CoNLL-2002's nine]
    #[arg(long, value_delimiter = ',')]
    labels: Vec<String>,
    /// A vocab.txt to copy [default: a made-up vocabulary of the right size]
    #[arg(long, value_name = "FILE")]
    vocab: Option<PathBuf>,
    /// The tokenizer lower-cases and strips accents (as beto-uncased and tinybert do)
    #[arg(long)]
    lowercase: bool,
    /// Write tokenizer.json instead of vocab.txt
    #[arg(long)]
    tokenizer_json: bool,
    /// Split the weights over this many files, with an index
    #[arg(long, default_value_t = 1, value_name = "N")]
    shards: usize,
    /// Leave the bert. prefix of tensor names out
    #[arg(long)]
    no_prefix: bool,
    /// LayerNorm.gamma and LayerNorm.beta for LayerNorm.weight and LayerNorm.bias
    #[arg(long)]
    gamma_beta: bool,
    /// Standard deviation of the activation function's inputs
    #[arg(long, default_value_t = ACTIVATION_GAIN, value_name = "X")]
    activation_gain: f64,
    /// Folder to write: a new or an empty one
    out: PathBuf,
}

/// Runs `nervio-weights synth`.
///
/// # Errors
/// As [`synth_to_folder`], and when the shape is unknown.
pub fn run(args: &Args) -> Result<()> {
    let recipe = args.recipe()?;
    let bar = ProgressBar::new(recipe.tensor_bytes()?);
    bar.set_style(ProgressStyle::with_template("{bar:40} {bytes}/{total_bytes} {eta}")?);
    synth_to_folder(&recipe, &args.out, &|bytes| bar.inc(bytes))?;
    bar.finish_and_clear();
    Ok(())
}

impl Args {
    fn recipe(&self) -> Result<Recipe> {
        let mut shape = Shape::named(&self.shape)?;
        for (key, value) in &self.settings {
            shape.set(key, value.clone());
        }
        if let Some(layers) = self.layers {
            shape.set("num_hidden_layers", layers);
        }
        if !self.labels.is_empty() {
            shape.set_labels(&self.labels);
        }
        Ok(Recipe {
            seed: self.seed,
            layout: Layout {
                stored_as: self.dtype,
                shards: self.shards,
                prefix: !self.no_prefix,
                gamma_beta: self.gamma_beta,
            },
            vocabulary: self.vocab.clone().map_or(Vocabulary::Synthetic, Vocabulary::File),
            lowercase: self.lowercase || shape.lowercase(),
            tokenizer_json: self.tokenizer_json,
            activation_gain: self.activation_gain,
            shape,
        })
    }
}

fn parse_setting(text: &str) -> Result<(String, Value)> {
    let (key, value) = text.split_once('=').context("expected KEY=VALUE")?;
    let value = serde_json::from_str(value).unwrap_or_else(|_| Value::from(value));
    Ok((key.to_owned(), value))
}
