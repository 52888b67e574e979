//! Writing a file of panels.

use std::collections::HashMap;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use nervio_kernels::{PackedMatrix, SharedBytes, WeightKind};
use nervio_simd::Isa;
use nervio_weights::{Dtype, TensorView, write_in_order};

use super::{PanelKey, panels_name, scales_name, sums_name};
use crate::LoadError;
use crate::embeddings::Table;
use crate::load::Loader;
use crate::matrices::MatrixSource;
use crate::reader::{Panels, WeightReader};

/// Bytes of a cache line: what is a multiple of it lies first in the file.
const LINE: usize = 64;

/// A tensor of a file of panels.
struct PanelTensor {
    name: String,
    dtype: Dtype,
    shape: Vec<usize>,
    data: SharedBytes,
}

/// Reads a checkpoint and keeps what it gave, to write it to a file.
pub(crate) struct Recorder<'a> {
    loader: Loader<'a>,
    tensors: Mutex<Vec<PanelTensor>>,
}

impl<'a> Recorder<'a> {
    pub(crate) fn new(loader: Loader<'a>) -> Self {
        Self { loader, tensors: Mutex::default() }
    }

    fn keep(&self, name: String, dtype: Dtype, shape: Vec<usize>, data: SharedBytes) {
        let mut tensors = self.tensors.lock().unwrap_or_else(PoisonError::into_inner);
        tensors.push(PanelTensor { name, dtype, shape, data });
    }

    fn keep_floats(&self, name: String, values: &[f32]) {
        let bytes: Vec<u8> = values.iter().flat_map(|x| x.to_le_bytes()).collect();
        self.keep(name, Dtype::F32, vec![values.len()], Arc::new(bytes));
    }

    /// Writes all that was read; the same model gives the same bytes.
    pub(crate) fn write(self, path: &Path, key: &PanelKey) -> Result<(), LoadError> {
        let mut tensors = self.tensors.into_inner().unwrap_or_else(PoisonError::into_inner);
        tensors.sort_by(|a, b| {
            let unaligned = |x: &PanelTensor| !(*x.data).as_ref().len().is_multiple_of(LINE);
            let order = unaligned(a).cmp(&unaligned(b)).then(b.dtype.cmp(&a.dtype));
            order.then_with(|| a.name.cmp(&b.name))
        });
        let views: Vec<_> = tensors.iter().map(PanelTensor::view).collect();
        let metadata = key.metadata().map(|(key, value)| (key.to_owned(), value));
        Ok(write_in_order(path, &views, HashMap::from(metadata))?)
    }
}

impl PanelTensor {
    fn view(&self) -> TensorView<'_> {
        let Self { name, dtype, shape, data } = self;
        TensorView { name, dtype: *dtype, shape, data: (**data).as_ref() }
    }
}

impl WeightReader for Recorder<'_> {
    fn isa(&self) -> Isa {
        self.loader.isa
    }

    fn vector(&self, name: &str, len: usize) -> Result<Vec<f32>, LoadError> {
        let vector = self.loader.vector(name, len)?;
        self.keep_floats(name.to_owned(), &vector);
        Ok(vector)
    }

    fn packs(&self, matrix: &MatrixSource) -> Result<Option<WeightKind>, LoadError> {
        self.loader.packs(matrix)
    }

    fn matrix(&self, matrix: &MatrixSource, room: &mut [u8]) -> Result<Panels, LoadError> {
        self.loader.matrix(matrix, room)
    }

    fn placed(&self, matrix: &MatrixSource, packed: &PackedMatrix) {
        let (name, kind) = (panels_name(&matrix.names), packed.kind());
        let (rows, inputs) = matrix.shape();
        let shape = PackedMatrix::panel_shape(self.loader.isa, kind, rows, inputs);
        if kind == WeightKind::Int8 {
            self.keep_floats(scales_name(&name), packed.scales());
            let sums: Vec<u8> = packed.sums().iter().flat_map(|x| x.to_le_bytes()).collect();
            let len = packed.sums().len();
            self.keep(sums_name(&name), Dtype::I32, vec![len], Arc::new(sums));
        }
        self.keep(name, dtype(kind), shape, packed.shared());
    }

    fn table(&self, name: &str, rows: usize, hidden: usize) -> Result<Table, LoadError> {
        let table = self.loader.table(name, rows, hidden)?;
        let (kind, data) = match &table {
            Table::F32(values) => (WeightKind::F32, values.shared()),
            Table::F16(values) => (WeightKind::F16, values.shared()),
            Table::BF16(values) => (WeightKind::BF16, values.shared()),
            Table::Int8(values, scales) => {
                self.keep_floats(scales_name(name), scales);
                (WeightKind::Int8, values.shared())
            }
        };
        self.keep(name.to_owned(), dtype(kind), vec![rows, hidden], data);
        Ok(table)
    }

    fn first_row(&self, name: &str, rows: usize, hidden: usize) -> Result<Vec<f32>, LoadError> {
        let row = self.loader.first_row(name, rows, hidden)?;
        self.keep_floats(name.to_owned(), &row);
        Ok(row)
    }
}

/// The type under which a file stores weights.
fn dtype(kind: WeightKind) -> Dtype {
    match kind {
        WeightKind::F32 => Dtype::F32,
        WeightKind::F16 => Dtype::F16,
        WeightKind::BF16 => Dtype::BF16,
        WeightKind::Int8 => Dtype::I8,
    }
}
