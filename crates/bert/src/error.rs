//! What can be wrong with a model or a batch.

use std::path::PathBuf;

use nervio_kernels::UnknownActivation;

/// Why a `config.json` was refused.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("cannot read {}", file.display())]
    Read {
        /// The config file.
        file: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The file is not JSON, or is nested too deep.
    #[error("{} is not valid JSON", file.display())]
    Json {
        /// The config file.
        file: PathBuf,
        /// Where and why.
        source: serde_json::Error,
    },
    /// The file is JSON, but not an object.
    #[error("{}: expected a JSON object of settings", file.display())]
    NotAnObject {
        /// The config file.
        file: PathBuf,
    },
    /// A key holds something else than it should.
    #[error("{}: {key}: expected {expected}, found {found}", file.display())]
    Key {
        /// The config file.
        file: PathBuf,
        /// The key.
        key: String,
        /// What it should hold.
        expected: String,
        /// What it holds.
        found: String,
    },
    /// The activation is not supported.
    #[error("{}: hidden_act", file.display())]
    Activation {
        /// The config file.
        file: PathBuf,
        /// Which one, and which are.
        source: UnknownActivation,
    },
}

/// Why a model could not be made from a checkpoint.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// A tensor is missing, or has another shape or type, or is not a number.
    #[error(transparent)]
    Weights(#[from] nervio_weights::Error),
    /// The config has no labels.
    #[error("{}: id2label: expected the labels of the classifier, found none", file.display())]
    NoLabels {
        /// The config file.
        file: PathBuf,
    },
    /// A file of panels is for another model, machine or version.
    #[error("{}: {key}: expected {expected}, found {found}; write it again with `nervio pack`, or remove it", file.display())]
    Panels {
        /// The file of panels.
        file: PathBuf,
        /// The key of its metadata.
        key: &'static str,
        /// What this model on this machine has.
        expected: String,
        /// What the file says.
        found: String,
    },
    /// A tensor of a file of panels cannot be used in place.
    #[error("{}: tensor {tensor}: expected {expected}, found {found}", file.display())]
    PanelTensor {
        /// The file of panels.
        file: PathBuf,
        /// The tensor.
        tensor: String,
        /// What it should be.
        expected: &'static str,
        /// What it is.
        found: String,
    },
    /// A weight does not fit the type that was asked for.
    #[error("{}: {tensor}: {value} does not fit {dtype}; expected magnitudes up to {limit}", file.display())]
    Overflow {
        /// The weights file.
        file: PathBuf,
        /// The tensor.
        tensor: String,
        /// The weight.
        value: f32,
        /// The type asked for.
        dtype: &'static str,
        /// The largest magnitude of that type.
        limit: f32,
    },
}

/// Why a batch was refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BatchError {
    /// A sequence is longer than the position table.
    #[error("a sequence of {tokens} tokens is longer than max_position_embeddings, {limit}")]
    TooLong {
        /// Its length.
        tokens: usize,
        /// The rows of the position table.
        limit: usize,
    },
    /// A token id is not a row of the embedding table.
    #[error("token id {id} is not below vocab_size, {vocab_size}")]
    UnknownToken {
        /// The id.
        id: u32,
        /// The rows of the embedding table.
        vocab_size: usize,
    },
}
