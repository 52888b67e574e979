//! What a model folder holds and what it will take, without loading it.

use std::path::Path;

use nervio_bert::{Config, Scratch};
use nervio_weights::{BertTensors, Checkpoint, OpenOptions};

use crate::Error;
use crate::source::check_folder;

/// One tensor of a checkpoint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TensorInfo {
    /// Its name in the file.
    pub name: String,
    /// Its element type.
    pub dtype: String,
    /// Its dimensions.
    pub shape: Vec<usize>,
    /// Its size in bytes.
    pub bytes: u64,
    /// What the encoder makes of it.
    pub use_: TensorUse,
}

/// What becomes of a tensor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TensorUse {
    /// It is a weight of the model.
    Weight,
    /// It belongs to a part that token classification does not have, such as the pooler.
    Ignored,
    /// It is no part of a BERT model.
    Unknown,
}

/// A model folder at a glance.
#[derive(Clone, Debug, PartialEq)]
pub struct Inspection {
    /// The config.
    pub config: Config,
    /// The tensors by name.
    pub tensors: Vec<TensorInfo>,
    /// Bytes of the weights that will be held in memory.
    pub weight_bytes: u64,
    /// Bytes of buffers for a batch of [`DEFAULT_BATCH_TOKENS`](crate::DEFAULT_BATCH_TOKENS), at the
    /// most.
    pub scratch_bytes: u64,
}

/// Looks at the config and the tensors of a model folder.
///
/// # Errors
///
/// When either cannot be read or is malformed; whether they fit together is not checked.
pub fn inspect(folder: &Path) -> Result<Inspection, Error> {
    check_folder(folder)?;
    let config = Config::from_file(&folder.join("config.json"))?;
    let checkpoint = Checkpoint::open(folder, &OpenOptions { mmap: true })?;
    let names = BertTensors::new(&checkpoint)?;
    let (ignored, unknown) = (names.ignored(), names.unknown());
    let tensors: Vec<_> = checkpoint
        .names()
        .filter_map(|name| checkpoint.get(name))
        .map(|tensor| TensorInfo {
            name: tensor.name.to_owned(),
            dtype: tensor.dtype.to_string(),
            shape: tensor.shape.to_vec(),
            bytes: tensor.data.len() as u64,
            use_: if ignored.contains(&tensor.name) {
                TensorUse::Ignored
            } else if unknown.contains(&tensor.name) {
                TensorUse::Unknown
            } else {
                TensorUse::Weight
            },
        })
        .collect();
    let weights = tensors.iter().filter(|tensor| tensor.use_ == TensorUse::Weight);
    Ok(Inspection {
        weight_bytes: weights.map(|tensor| tensor.bytes).sum(),
        scratch_bytes: Scratch::estimate(&config, crate::DEFAULT_BATCH_TOKENS) as u64,
        config,
        tensors,
    })
}
