//! What can be wrong with a weights file.

use std::path::PathBuf;

/// Why a checkpoint or a tensor was refused. Every message names the file.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A file cannot be opened, read or written.
    #[error("cannot {action} {}", file.display())]
    Io {
        /// `open`, `read`, `map` or `write`.
        action: &'static str,
        /// The file.
        file: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The folder holds no weights.
    #[error("{}: expected model.safetensors or model.safetensors.index.json, found {found}", folder.display())]
    NoWeights {
        /// The folder.
        folder: PathBuf,
        /// What is there instead.
        found: String,
    },
    /// The file is not what the safetensors format says.
    #[error("{}: {what}: expected {expected}, found {found}", file.display())]
    Format {
        /// The file.
        file: PathBuf,
        /// Which part: the header, or a tensor by name.
        what: String,
        /// What the format asks for.
        expected: String,
        /// What is there.
        found: String,
    },
    /// The header or the index is not JSON of the right form.
    #[error("{}: {what} is malformed", file.display())]
    Json {
        /// The file.
        file: PathBuf,
        /// `the header` or `the shard index`.
        what: &'static str,
        /// Where and why.
        source: serde_json::Error,
    },
    /// A shard index names a file outside of its folder.
    #[error("{}: weight_map: {tensor}: expected the name of a file in the same folder, found {found:?}", file.display())]
    ShardPath {
        /// The index.
        file: PathBuf,
        /// The tensor.
        tensor: String,
        /// The name given.
        found: String,
    },
    /// A tensor is in two shards.
    #[error("{tensor}: expected in one shard, found in {} and in {}", first.display(), second.display())]
    InTwoShards {
        /// The tensor.
        tensor: String,
        /// One shard.
        first: PathBuf,
        /// The other.
        second: PathBuf,
    },
    /// A tensor is not there.
    #[error("{}: tensor {tensor} is missing; expected shape {expected:?}", file.display())]
    Missing {
        /// The file, or the folder of shards.
        file: PathBuf,
        /// Its name as the model has it.
        tensor: String,
        /// The shape it should have; empty where only its place is known.
        expected: Vec<usize>,
    },
    /// A tensor has another shape than the config says.
    #[error("{}: tensor {tensor}: expected shape {expected:?}, found {found:?}", file.display())]
    Shape {
        /// The file.
        file: PathBuf,
        /// The tensor.
        tensor: String,
        /// The shape that the config asks for.
        expected: Vec<usize>,
        /// The shape in the file.
        found: Vec<usize>,
    },
    /// A tensor has a type that it cannot have.
    #[error("{}: tensor {tensor}: expected dtype {expected}, found {found}", file.display())]
    Dtype {
        /// The file.
        file: PathBuf,
        /// The tensor.
        tensor: String,
        /// The types it may have.
        expected: &'static str,
        /// The type in the file.
        found: String,
    },
    /// A weight is NaN or infinite.
    #[error("{}: tensor {tensor}: expected finite numbers, found {value} at element {index}", file.display())]
    NotFinite {
        /// The file.
        file: PathBuf,
        /// The tensor.
        tensor: String,
        /// The first such element, counted row by row.
        index: usize,
        /// Its value.
        value: f32,
    },
    /// Two tensors are the same weight under two names.
    #[error("{}: tensors {first} and {second} both name {canonical}", file.display())]
    TwoNames {
        /// The file.
        file: PathBuf,
        /// One name in the file.
        first: String,
        /// The other.
        second: String,
        /// The name that both stand for.
        canonical: String,
    },
}
