//! What every reader of a foreign format hands over.

use safetensors::Dtype;

/// A tensor as a foreign checkpoint holds it.
#[derive(Clone, Debug, PartialEq)]
pub struct SourceTensor {
    /// Its name in the checkpoint.
    pub name: String,
    /// The type of its elements.
    pub dtype: Dtype,
    /// Its dimensions; empty for a single number.
    pub shape: Vec<usize>,
    /// Its elements, little-endian, row-major, contiguous.
    pub bytes: Vec<u8>,
}
