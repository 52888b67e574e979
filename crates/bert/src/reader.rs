//! What a model asks of whatever its weights come from.

use nervio_kernels::{PackedMatrix, WeightKind};
use nervio_simd::Isa;

use crate::LoadError;
use crate::embeddings::Table;
use crate::encoder::{LayerNorm, Linear};
use crate::matrices::MatrixSource;

/// The weights of one model: a checkpoint, or a file of panels.
pub(crate) trait WeightReader: Sync {
    /// The instruction set that matrices are packed for.
    fn isa(&self) -> Isa;

    /// A vector of floats, such as a bias; `[len]`.
    fn vector(&self, name: &str, len: usize) -> Result<Vec<f32>, LoadError>;

    /// How the panels of a matrix will be held that has to be packed; nothing where they are used in
    /// place.
    fn packs(&self, matrix: &MatrixSource) -> Result<Option<WeightKind>, LoadError>;

    /// Reads a matrix; if it has to be packed into `room`, which is zeroed and has place for its panels.
    fn matrix(&self, matrix: &MatrixSource, room: &mut [u8]) -> Result<Panels, LoadError>;

    /// Told of every matrix once its panels are where they stay.
    fn placed(&self, _matrix: &MatrixSource, _packed: &PackedMatrix) {}

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

    /// Linear layers with the same input as one, with the weights that were read from `source`.
    fn linear(&self, source: &MatrixSource, weights: PackedMatrix) -> Result<Linear, LoadError> {
        let mut bias = Vec::with_capacity(weights.rows());
        for name in &source.names {
            bias.append(&mut self.vector(&format!("{name}.bias"), source.outputs)?);
        }
        Ok(Linear { weights, bias })
    }
}

/// Where the panels of a matrix are.
pub(crate) enum Panels {
    /// Where they lay before.
    InPlace(PackedMatrix),
    /// In the room for them; with the scale and the sum of each column of panels of 8-bit integers.
    InRoom(WeightKind, (Vec<f32>, Vec<i32>)),
}
