//! How the formats are read: what is there first, then one tensor at a time.

use std::path::Path;

use anyhow::Result;
use safetensors::Dtype;

use super::SourceTensor;

/// What is known of a tensor before it is read.
#[derive(Clone, Debug, PartialEq)]
pub struct Entry {
    /// Its name in the checkpoint.
    pub name: String,
    /// The type of its elements.
    pub dtype: Dtype,
    /// Its dimensions.
    pub shape: Vec<usize>,
}

/// Whose names a checkpoint has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Naming {
    /// `bert.encoder.layer.0.output.dense.weight`, as PyTorch and safetensors files have.
    HuggingFace,
    /// `bert/encoder/layer_0/output/dense/kernel`, transposed.
    TensorFlow,
}

/// An open checkpoint of any format. Opening has checked that every tensor lies within the file.
pub trait Reader {
    /// The file that messages name.
    fn path(&self) -> &Path;

    /// Whose names the tensors have.
    fn naming(&self) -> Naming {
        Naming::HuggingFace
    }

    /// All tensors; each name once.
    fn entries(&self) -> Vec<Entry>;

    /// What the checkpoint holds beside tensors, for the list of what was left out.
    fn others(&self) -> Vec<String> {
        Vec::new()
    }

    /// Reads one tensor of [`entries`](Self::entries).
    ///
    /// # Errors
    /// When the file cannot be read or its bytes do not pass their checksum.
    fn read(&mut self, name: &str) -> Result<SourceTensor>;
}
