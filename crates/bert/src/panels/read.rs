//! Weights that were packed before.

use std::sync::Arc;

use nervio_kernels::{Frozen, PackedMatrix, SharedBytes, WeightKind};
use nervio_simd::Isa;
use nervio_weights::{Checkpoint, Dtype, Error, Tensor};

use super::{panels_name, scales_name, sums_name};
use crate::LoadError;
use crate::embeddings::Table;
use crate::matrices::MatrixSource;
use crate::reader::{Panels, WeightReader};

/// A file of panels.
pub(crate) struct PanelReader<'a> {
    pub(crate) isa: Isa,
    pub(crate) file: &'a Checkpoint,
}

impl PanelReader<'_> {
    /// A tensor that must be there with a certain shape.
    fn require(&self, name: &str, shape: &[usize]) -> Result<Tensor<'_>, LoadError> {
        let tensor = self.file.get(name).ok_or_else(|| Error::Missing {
            file: self.file.path().to_owned(),
            tensor: name.to_owned(),
            expected: shape.to_vec(),
        })?;
        tensor.expect_shape(shape)?;
        Ok(tensor)
    }

    /// The bytes of a tensor where they lie.
    fn shared(&self, name: &str) -> SharedBytes {
        self.file.shared(name).unwrap_or_else(|| Arc::new([]))
    }

    /// How the elements of a tensor are held, by its type.
    fn kind(&self, name: &str) -> Result<WeightKind, LoadError> {
        let Some(tensor) = self.file.get(name) else { return Ok(WeightKind::F32) };
        match tensor.dtype {
            Dtype::F32 => Ok(WeightKind::F32),
            Dtype::F16 => Ok(WeightKind::F16),
            Dtype::BF16 => Ok(WeightKind::BF16),
            Dtype::I8 => Ok(WeightKind::Int8),
            other => Err(self.misfit(name, "F32, F16, BF16 or I8", other.to_string())),
        }
    }

    /// The sums of the columns of 8-bit panels.
    fn sums(&self, name: &str, len: usize) -> Result<Vec<i32>, LoadError> {
        let tensor = self.require(name, &[len])?;
        if tensor.dtype != Dtype::I32 {
            return Err(self.misfit(name, "I32", tensor.dtype.to_string()));
        }
        let (numbers, _) = tensor.data.as_chunks::<4>();
        Ok(numbers.iter().map(|bytes| i32::from_le_bytes(*bytes)).collect())
    }

    fn misfit(&self, name: &str, expected: &'static str, found: String) -> LoadError {
        let (file, tensor) = (self.file.path().to_owned(), name.to_owned());
        LoadError::PanelTensor { file, tensor, expected, found }
    }
}

impl WeightReader for PanelReader<'_> {
    fn isa(&self) -> Isa {
        self.isa
    }

    fn vector(&self, name: &str, len: usize) -> Result<Vec<f32>, LoadError> {
        let tensor = self.require(name, &[len])?.floats()?;
        tensor.check_finite()?;
        Ok(tensor.to_vec())
    }

    fn packs(&self, _: &MatrixSource) -> Result<Option<WeightKind>, LoadError> {
        Ok(None)
    }

    fn matrix(&self, matrix: &MatrixSource, _: &mut [u8]) -> Result<Panels, LoadError> {
        let name = panels_name(&matrix.names);
        let kind = self.kind(&name)?;
        let (rows, inputs) = matrix.shape();
        let shape = PackedMatrix::panel_shape(self.isa, kind, rows, inputs);
        self.require(&name, &shape)?;
        let columns = match kind {
            WeightKind::Int8 => {
                let len = shape[0] * self.isa.panel_width();
                (self.vector(&scales_name(&name), len)?, self.sums(&sums_name(&name), len)?)
            }
            _ => Default::default(),
        };
        let shape = (rows, inputs);
        PackedMatrix::from_panels(self.isa, kind, shape, self.shared(&name), columns)
            .map(Panels::InPlace)
            .ok_or_else(|| self.misfit(&name, "aligned panels", "another alignment".to_owned()))
    }

    fn table(&self, name: &str, rows: usize, hidden: usize) -> Result<Table, LoadError> {
        self.require(name, &[rows, hidden])?;
        let bytes = self.shared(name);
        let table = match self.kind(name)? {
            WeightKind::F32 => Frozen::new(bytes).map(Table::F32),
            WeightKind::F16 => Frozen::new(bytes).map(Table::F16),
            WeightKind::BF16 => Frozen::new(bytes).map(Table::BF16),
            WeightKind::Int8 => {
                let scales = self.vector(&scales_name(name), rows)?;
                Frozen::new(bytes).map(|values| Table::Int8(values, scales))
            }
        };
        table.ok_or_else(|| self.misfit(name, "an aligned table", "another alignment".to_owned()))
    }

    fn first_row(&self, name: &str, _: usize, hidden: usize) -> Result<Vec<f32>, LoadError> {
        self.vector(name, hidden)
    }
}
