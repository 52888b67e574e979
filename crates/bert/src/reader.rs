//! What a model asks of whatever its weights come from.

use nervio_kernels::PackedMatrix;

use crate::LoadError;
use crate::embeddings::Table;
use crate::encoder::{LayerNorm, Linear};

/// The weights of one model: a checkpoint, or a file of panels.
pub(crate) trait WeightReader: Sync {
    /// A vector of floats, such as a bias; `[len]`.
    fn vector(&self, name: &str, len: usize) -> Result<Vec<f32>, LoadError>;

    /// The weights of one or more linear layers with the same input, one below the other;
    /// `[outputs, inputs]` each.
    fn matrix(
        &self,
        names: &[&str],
        outputs: usize,
        inputs: usize,
    ) -> Result<PackedMatrix, LoadError>;

    /// An embedding table; `[rows, hidden]`.
    fn table(&self, name: &str, rows: usize, hidden: usize) -> Result<Table, LoadError>;

    /// The first row of a table; `[hidden]`.
    fn first_row(&self, name: &str, rows: usize, hidden: usize) -> Result<Vec<f32>, LoadError>;

    /// A layer norm; `[hidden]`.
    fn layer_norm(&self, name: &str, hidden: usize) -> Result<LayerNorm, LoadError> {
        Ok(LayerNorm {
            weight: self.vector(&format!("{name}.weight"), hidden)?,
            bias: self.vector(&format!("{name}.bias"), hidden)?,
        })
    }

    /// One or more linear layers with the same input as one.
    fn linear(&self, names: &[&str], outputs: usize, inputs: usize) -> Result<Linear, LoadError> {
        let weights = self.matrix(names, outputs, inputs)?;
        let mut bias = Vec::with_capacity(names.len() * outputs);
        for name in names {
            bias.append(&mut self.vector(&format!("{name}.bias"), outputs)?);
        }
        Ok(Linear { weights, bias })
    }
}
