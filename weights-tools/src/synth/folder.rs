//! From a recipe to a Hugging Face folder on disk.

use std::borrow::Cow;
use std::collections::HashMap;
use std::fs;
use std::path::Path;

use anyhow::{Context, Result, ensure};
use half::{bf16, f16};
use rayon::prelude::*;
use safetensors::{Dtype, View};
use serde_json::{Map, Value, json};

use super::random::Stream;
use super::shape::Shape;
use super::tensors::{ACTIVATION_GAIN, TensorSpec, tensor_specs};
use super::vocabulary::Vocabulary;
use crate::output::{whole_folder, write_json};

/// Most bytes of weights written; beyond it the configuration is taken for a mistake.
const MAX_BYTES: u64 = 64 << 30;

/// How numbers are stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum StoredAs {
    /// IEEE single precision.
    #[default]
    F32,
    /// IEEE half precision.
    F16,
    /// bfloat16.
    Bf16,
}

impl StoredAs {
    fn dtype(self) -> Dtype {
        match self {
            Self::F32 => Dtype::F32,
            Self::F16 => Dtype::F16,
            Self::Bf16 => Dtype::BF16,
        }
    }

    /// PyTorch's name, as `config.json` has it.
    fn torch_name(self) -> &'static str {
        match self {
            Self::F32 => "float32",
            Self::F16 => "float16",
            Self::Bf16 => "bfloat16",
        }
    }

    fn bytes(self) -> usize {
        match self {
            Self::F32 => 4,
            Self::F16 | Self::Bf16 => 2,
        }
    }
}

/// How the files spell and hold the tensors. None of it changes a number before rounding.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Layout {
    /// Storage of every tensor.
    pub stored_as: StoredAs,
    /// 1: `model.safetensors`; more: an index and that many files.
    pub shards: usize,
    /// Encoder names begin with `bert.`.
    pub prefix: bool,
    /// `LayerNorm.gamma`/`beta` for `LayerNorm.weight`/`bias`, as Google's checkpoints have.
    pub gamma_beta: bool,
}

impl Default for Layout {
    fn default() -> Self {
        Self { stored_as: StoredAs::F32, shards: 1, prefix: true, gamma_beta: false }
    }
}

impl Layout {
    /// The name in the file of a canonical name.
    fn file_name(&self, canonical: &str) -> String {
        let mut name = canonical.to_owned();
        if self.gamma_beta {
            name = name.replace("LayerNorm.weight", "LayerNorm.gamma");
            name = name.replace("LayerNorm.bias", "LayerNorm.beta");
        }
        if self.prefix && !canonical.starts_with("classifier.") {
            name.insert_str(0, "bert.");
        }
        name
    }
}

/// Everything that decides the bytes of a folder.
#[derive(Debug, Clone, PartialEq)]
pub struct Recipe {
    /// Configuration and sizes.
    pub shape: Shape,
    /// Seed of every stream.
    pub seed: u64,
    /// Storage and names.
    pub layout: Layout,
    /// Where the pieces come from.
    pub vocabulary: Vocabulary,
    /// The tokenizer lower-cases (and so strips accents).
    pub lowercase: bool,
    /// Write `tokenizer.json` and no `vocab.txt`.
    pub tokenizer_json: bool,
    /// Standard deviation of the activation function's inputs.
    pub activation_gain: f64,
}

impl Recipe {
    /// Seed 0, one f32 file, made-up vocabulary in a `vocab.txt`, the preset's casing.
    #[must_use]
    pub fn new(shape: Shape) -> Self {
        Self {
            lowercase: shape.lowercase(),
            shape,
            seed: 0,
            layout: Layout::default(),
            vocabulary: Vocabulary::Synthetic,
            tokenizer_json: false,
            activation_gain: ACTIVATION_GAIN,
        }
    }

    fn tensor_specs(&self) -> Result<Vec<TensorSpec>> {
        let gain = self.activation_gain;
        ensure!(gain.is_finite() && gain > 0.0, "activation gain: {gain}, expected above 0");
        Ok(tensor_specs(&self.shape.dimensions()?, gain))
    }

    /// Bytes of all tensors together.
    ///
    /// # Errors
    /// As [`Shape::dimensions`], and when the activation gain is not a positive number.
    pub fn tensor_bytes(&self) -> Result<u64> {
        let specs = self.tensor_specs()?;
        Ok(specs.iter().map(|spec| byte_length(spec, self.layout.stored_as) as u64).sum())
    }
}

/// Writes the folder `out` (new or empty): `config.json`, `vocab.txt` or `tokenizer.json`,
/// `tokenizer_config.json` and the weights. It appears whole or not at all. `progress` is told
/// the bytes of each tensor made; it is called from one thread.
///
/// # Errors
/// When the shape is invalid, the vocabulary does not fit it, there are more shards than tensors,
/// or a file cannot be read or written.
pub fn synth_to_folder(recipe: &Recipe, out: &Path, progress: &dyn Fn(u64)) -> Result<()> {
    let sizes = recipe.shape.dimensions()?;
    let tensors = lazy_tensors(recipe, recipe.tensor_specs()?, progress);
    let shards = recipe.layout.shards;
    ensure!(
        (1..=tensors.len()).contains(&shards),
        "shards: {shards}, expected 1 to {} (the tensors)",
        tensors.len()
    );
    let bytes = recipe.tensor_bytes()?;
    ensure!(
        bytes <= MAX_BYTES,
        "the weights would take {bytes} bytes, at most {MAX_BYTES} are made"
    );
    whole_folder(out, |folder| {
        let json = recipe.tokenizer_json.then_some(recipe.lowercase);
        recipe.vocabulary.write(folder, sizes.vocabulary, json)?;
        let tokenizer = json!({
            "do_lower_case": recipe.lowercase,
            "model_max_length": sizes.positions,
            "tokenizer_class": "BertTokenizer",
        });
        write_json(&folder.join("tokenizer_config.json"), &tokenizer)?;
        let config = recipe.shape.completed(recipe.layout.stored_as.torch_name());
        write_json(&folder.join("config.json"), &Value::Object(config))?;
        write_weights(folder, tensors, shards)
    })
}

/// One tensor whose bytes are made when the writer asks for them.
struct LazyTensor<'a> {
    name: String,
    shape: Vec<usize>,
    stream: Stream,
    stored_as: StoredAs,
    length: usize,
    progress: &'a dyn Fn(u64),
}

impl View for &LazyTensor<'_> {
    fn dtype(&self) -> Dtype {
        self.stored_as.dtype()
    }

    fn shape(&self) -> &[usize] {
        &self.shape
    }

    fn data(&self) -> Cow<'_, [u8]> {
        let bytes = tensor_bytes(&self.stream, self.stored_as, self.length);
        (self.progress)(bytes.len() as u64);
        bytes.into()
    }

    fn data_len(&self) -> usize {
        self.length
    }
}

/// The tensors under their names in the file, sorted by them.
fn lazy_tensors<'a>(
    recipe: &Recipe,
    specs: Vec<TensorSpec>,
    progress: &'a dyn Fn(u64),
) -> Vec<LazyTensor<'a>> {
    let layout = recipe.layout;
    let lazy = |spec: TensorSpec| LazyTensor {
        name: layout.file_name(&spec.canonical),
        stream: Stream::new(&spec.canonical, recipe.seed, spec.law),
        stored_as: layout.stored_as,
        length: byte_length(&spec, layout.stored_as),
        shape: spec.shape,
        progress,
    };
    let mut tensors: Vec<_> = specs.into_iter().map(lazy).collect();
    tensors.sort_by(|a, b| a.name.cmp(&b.name));
    tensors
}

fn byte_length(spec: &TensorSpec, stored_as: StoredAs) -> usize {
    spec.shape.iter().product::<usize>() * stored_as.bytes()
}

/// Little-endian bytes of a whole tensor; threads share it by ranges of elements.
fn tensor_bytes(stream: &Stream, stored_as: StoredAs, length: usize) -> Vec<u8> {
    const ELEMENTS: usize = 1 << 15;
    let mut bytes = vec![0; length];
    bytes.par_chunks_mut(ELEMENTS * stored_as.bytes()).enumerate().for_each(|(chunk, out)| {
        let values = (0u64..).map(|i| stream.value((chunk * ELEMENTS) as u64 + i));
        match stored_as {
            StoredAs::F32 => fill(out, values.map(f32::to_le_bytes)),
            StoredAs::F16 => fill(out, values.map(|v| f16::from_f32(v).to_le_bytes())),
            StoredAs::Bf16 => fill(out, values.map(|v| bf16::from_f32(v).to_le_bytes())),
        }
    });
    bytes
}

fn fill<const N: usize>(out: &mut [u8], values: impl Iterator<Item = [u8; N]>) {
    let (elements, _) = out.as_chunks_mut::<N>();
    for (element, value) in elements.iter_mut().zip(values) {
        *element = value;
    }
}

/// One file, or contiguous runs of the sorted tensors, about as many in each, and their index.
fn write_weights(folder: &Path, tensors: Vec<LazyTensor<'_>>, shards: usize) -> Result<()> {
    if shards == 1 {
        return write_safetensors(&folder.join("model.safetensors"), &tensors);
    }
    let mut weight_map = Map::new();
    for shard in 0..shards {
        let bound = |shard: usize| shard * tensors.len() / shards;
        let run = &tensors[bound(shard)..bound(shard + 1)];
        let file = format!("model-{:05}-of-{shards:05}.safetensors", shard + 1);
        write_safetensors(&folder.join(&file), run)?;
        weight_map.extend(run.iter().map(|t| (t.name.clone(), Value::from(file.as_str()))));
    }
    let total: usize = tensors.iter().map(|tensor| tensor.length).sum();
    let index = json!({ "metadata": { "total_size": total }, "weight_map": weight_map });
    write_json(&folder.join("model.safetensors.index.json"), &index)
}

fn write_safetensors(file: &Path, tensors: &[LazyTensor<'_>]) -> Result<()> {
    let metadata = HashMap::from([("format".to_owned(), "pt".to_owned())]);
    let named = tensors.iter().map(|tensor| (tensor.name.as_str(), tensor));
    safetensors::serialize_to_file(named, Some(metadata), file)
        .with_context(|| format!("{}: cannot be written", file.display()))?;
    // The library writes through a temporary file that only its owner may read.
    let ordinary = fs::metadata(file.with_file_name("config.json"))?.permissions();
    fs::set_permissions(file, ordinary)?;
    Ok(())
}
