//! What can be wrong with a weights file.

use std::path::PathBuf;

use safetensors::Dtype;

/// Why a checkpoint or a tensor was refused. Every message is one sentence that names the file.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A file cannot be opened, read, mapped or written.
    #[error("cannot {action} {}", file.display())]
    Io {
        /// `open`, `read`, `map` or `write`.
        action: &'static str,
        /// The file.
        file: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// A folder, a pipe or a device stands where a file should.
    #[error("{}: expected a file, found {found}", file.display())]
    NotAFile {
        /// The path.
        file: PathBuf,
        /// `a folder` or `something else, such as a pipe or a device`.
        found: &'static str,
    },
    /// A file became longer or shorter while it was read.
    #[error("{}: expected {expected} bytes, found another length while reading; is it still being written?", file.display())]
    Changed {
        /// The file.
        file: PathBuf,
        /// Its length when it was opened.
        expected: u64,
    },
    /// The folder holds no weights.
    #[error("{}: expected model.safetensors or model.safetensors.index.json, found {found}", folder.display())]
    NoWeights {
        /// The folder.
        folder: PathBuf,
        /// What is there instead.
        found: String,
    },

    /// The file ends before the length of its header.
    #[error("{}: expected a safetensors file, which begins with 8 bytes of length, found {found} bytes", file.display())]
    TooShort {
        /// The file.
        file: PathBuf,
        /// Its length.
        found: usize,
    },
    /// A header, an index or a name is longer than it can sensibly be.
    #[error("{}: {what}: expected at most {limit} bytes, found {found}", file.display())]
    TooLong {
        /// The file.
        file: PathBuf,
        /// `the header`, `the shard index` or the beginning of a name.
        what: String,
        /// The most that is accepted.
        limit: u64,
        /// The length there, or the length that the file claims.
        found: u64,
    },
    /// The header is longer than the rest of the file.
    #[error("{}: the header: expected {expected} bytes, as its length says, found {found} in the file", file.display())]
    HeaderCut {
        /// The file.
        file: PathBuf,
        /// The length that the file claims.
        expected: u64,
        /// The bytes behind that length.
        found: usize,
    },
    /// The header or the index is not JSON of the right form.
    #[error("{}: {what}: expected {expected}, found a mistake: {reason}", file.display())]
    Json {
        /// The file.
        file: PathBuf,
        /// `the header` or `the shard index`.
        what: &'static str,
        /// What it should be.
        expected: &'static str,
        /// The key, what is wrong and where.
        reason: String,
    },
    /// The header or the index is nested deeper than it can sensibly be.
    #[error("{}: {what}: expected JSON of at most {limit} levels, found deeper recursion", file.display())]
    TooDeep {
        /// The file.
        file: PathBuf,
        /// `the header` or `the shard index`.
        what: &'static str,
        /// The most levels that are accepted.
        limit: usize,
    },
    /// A JSON object has a key twice, which readers answer differently.
    #[error("{}: {what}: expected unique keys, found {key} twice", file.display())]
    DuplicateKey {
        /// The file.
        file: PathBuf,
        /// `the header`, `__metadata__` or `weight_map`.
        what: &'static str,
        /// The key.
        key: String,
    },
    /// A tensor name is empty, is the key of the metadata, or holds control characters, such as NUL.
    #[error("{}: tensor names: expected names that are not empty, not __metadata__ and without control characters, found {tensor:?}", file.display())]
    Name {
        /// The file.
        file: PathBuf,
        /// The name.
        tensor: String,
    },

    /// A tensor has too many dimensions.
    #[error("{}: tensor {tensor}: expected at most {limit} dimensions, found {found}", file.display())]
    Rank {
        /// The file.
        file: PathBuf,
        /// The tensor.
        tensor: String,
        /// The most that are accepted.
        limit: usize,
        /// The number in the file.
        found: usize,
    },
    /// The size of a tensor overflows, or is no whole number of bytes.
    #[error("{}: tensor {tensor}: expected a size in whole bytes that fits in memory, found shape {shape:?} of {dtype}", file.display())]
    Size {
        /// The file.
        file: PathBuf,
        /// The tensor.
        tensor: String,
        /// Its shape.
        shape: Vec<usize>,
        /// Its type.
        dtype: Dtype,
    },
    /// The data of a tensor is longer or shorter than its shape says.
    #[error("{}: tensor {tensor}: expected {expected} bytes for its shape, found {found}", file.display())]
    Length {
        /// The file.
        file: PathBuf,
        /// The tensor.
        tensor: String,
        /// Bytes by shape and type.
        expected: usize,
        /// The offsets, or the bytes of data.
        found: String,
    },
    /// Two tensors share bytes.
    #[error("{}: tensor {tensor}: expected its data from byte {expected} on, where the tensor before it ends, found overlapping offsets {begin}..{end}", file.display())]
    Overlap {
        /// The file.
        file: PathBuf,
        /// The later tensor.
        tensor: String,
        /// Where it should begin, counted from the end of the header.
        expected: usize,
        /// Where it begins.
        begin: usize,
        /// Where it ends.
        end: usize,
    },
    /// There are bytes between two tensors that belong to neither.
    #[error("{}: tensor {tensor}: expected its data from byte {expected} on, where the tensor before it ends, found a hole before offsets {begin}..{end}", file.display())]
    Hole {
        /// The file.
        file: PathBuf,
        /// The later tensor.
        tensor: String,
        /// Where it should begin, counted from the end of the header.
        expected: usize,
        /// Where it begins.
        begin: usize,
        /// Where it ends.
        end: usize,
    },
    /// The file ends before the data that its header lists.
    #[error("{}: tensor {tensor}: expected data up to byte {expected}, found {found} bytes of data; the file is cut short", file.display())]
    Truncated {
        /// The file.
        file: PathBuf,
        /// The first tensor that is not whole.
        tensor: String,
        /// Where it ends, counted from the end of the header.
        expected: usize,
        /// The bytes of data that are there.
        found: usize,
    },
    /// The file goes on behind the data that its header lists.
    #[error("{}: the data: expected {expected} bytes, as the header says, found {found}", file.display())]
    Trailing {
        /// The file.
        file: PathBuf,
        /// The bytes that the tensors take.
        expected: usize,
        /// The bytes that are there.
        found: usize,
    },

    /// A shard index lists no tensors.
    #[error("{}: weight_map: expected tensor names, found none", file.display())]
    EmptyIndex {
        /// The index.
        file: PathBuf,
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
    /// A shard lacks a tensor that the index says it has.
    #[error("{}: weight_map: {tensor}: expected the tensor in {}, found no such tensor there", file.display(), shard.display())]
    NotInShard {
        /// The index.
        file: PathBuf,
        /// The tensor.
        tensor: String,
        /// The shard.
        shard: PathBuf,
    },
    /// A tensor is in two shards.
    #[error("tensor {tensor}: expected in one shard, found in {} and in {}", first.display(), second.display())]
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
        /// The file, or the index of the shards.
        file: PathBuf,
        /// Its name as the model has it.
        tensor: String,
        /// The shape it should have.
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
        found: Dtype,
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
    /// An 8-bit weight, or the scale of a row of them, is outside of its range.
    #[error("{}: tensor {tensor}: expected {expected}, found {value} at element {index}", file.display())]
    Range {
        /// The file.
        file: PathBuf,
        /// The tensor.
        tensor: String,
        /// The range.
        expected: &'static str,
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
