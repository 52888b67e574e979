//! From the tensors of a checkpoint to packed weights, in the type asked for.

use half::{bf16, f16};
use nervio_kernels::{Aligned, Frozen, PackedMatrix, WeightKind};
use nervio_simd::Isa;
use nervio_weights::BertTensors;
use rayon::prelude::*;

use crate::LoadError;
use crate::embeddings::Table;
use crate::matrices::MatrixSource;
use crate::reader::{Panels, WeightReader};
use crate::source::{Element, Source};

/// How weights are to be held in memory; `Auto` keeps the type of the checkpoint.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum WeightDtype {
    /// As the checkpoint stores them.
    #[default]
    Auto,
    /// All in one type.
    Fixed(WeightKind),
}

/// Reads the tensors of one model.
pub(crate) struct Loader<'a> {
    pub(crate) isa: Isa,
    pub(crate) dtype: WeightDtype,
    pub(crate) tensors: &'a BertTensors,
}

impl WeightReader for Loader<'_> {
    fn isa(&self) -> Isa {
        self.isa
    }

    fn vector(&self, name: &str, len: usize) -> Result<Vec<f32>, LoadError> {
        let tensor = self.tensors.require(name, &[len])?.floats()?;
        tensor.check_finite()?;
        Ok(tensor.to_vec())
    }

    fn packs(&self, matrix: &MatrixSource) -> Result<Option<WeightKind>, LoadError> {
        Ok(Some(self.kind(&self.sources(matrix)?)))
    }

    fn matrix(&self, matrix: &MatrixSource, room: &mut [u8]) -> Result<Panels, LoadError> {
        let sources = self.sources(matrix)?;
        let kind = self.kind(&sources);
        sources.iter().for_each(Source::begin);
        let columns = self.pack(kind, &sources, matrix, room);
        sources.iter().try_for_each(Source::finish)?;
        Ok(Panels::InRoom(kind, columns))
    }

    fn table(&self, name: &str, rows: usize, hidden: usize) -> Result<Table, LoadError> {
        let source = self.source(name, &[rows, hidden])?;
        source.begin();
        let table = match self.kind(std::slice::from_ref(&source)) {
            WeightKind::F32 => Table::F32(read_all(&source, WeightKind::F32, rows, hidden)),
            WeightKind::F16 => Table::F16(read_all(&source, WeightKind::F16, rows, hidden)),
            WeightKind::BF16 => Table::BF16(read_all(&source, WeightKind::BF16, rows, hidden)),
            WeightKind::Int8 => read_int8(&source, rows, hidden),
        };
        source.finish()?;
        Ok(table)
    }

    fn first_row(&self, name: &str, rows: usize, hidden: usize) -> Result<Vec<f32>, LoadError> {
        let mut row = vec![0.0; hidden];
        let source = self.source(name, &[rows, hidden])?;
        source.read(0, &mut row);
        source.finish()?;
        Ok(row)
    }
}

impl<'a> Loader<'a> {
    /// A matrix of the checkpoint, of the right shape.
    fn source(&self, name: &str, shape: &[usize]) -> Result<Source<'a>, LoadError> {
        Source::open(self.tensors, name, shape)
    }

    /// The type to hold matrices in that are packed together.
    fn kind(&self, sources: &[Source<'_>]) -> WeightKind {
        match self.dtype {
            WeightDtype::Fixed(kind) => kind,
            WeightDtype::Auto => {
                let mut kinds = sources.iter().map(Source::kind);
                let first = kinds.next().unwrap_or(WeightKind::F32);
                if kinds.all(|kind| kind == first) { first } else { WeightKind::F32 }
            }
        }
    }

    /// The matrices that are packed together.
    fn sources(&self, matrix: &MatrixSource) -> Result<Vec<Source<'a>>, LoadError> {
        let shape = [matrix.outputs, matrix.inputs];
        matrix.names.iter().map(|name| self.source(&format!("{name}.weight"), &shape)).collect()
    }

    /// Packs matrices as one; gives what [`PackedMatrix::pack_into`] does.
    fn pack(
        &self,
        kind: WeightKind,
        sources: &[Source<'_>],
        matrix: &MatrixSource,
        room: &mut [u8],
    ) -> (Vec<f32>, Vec<i32>) {
        let job = Packing { isa: self.isa, sources, matrix };
        match kind {
            WeightKind::F32 => job.floats::<f32>(room),
            WeightKind::F16 => job.floats::<f16>(room),
            WeightKind::BF16 => job.floats::<bf16>(room),
            WeightKind::Int8 => job.int8(room),
        }
    }
}

/// Matrices that are packed as one.
struct Packing<'a> {
    isa: Isa,
    sources: &'a [Source<'a>],
    matrix: &'a MatrixSource,
}

impl Packing<'_> {
    /// The matrix in which a row of the whole is, and which one it is there.
    fn place(&self, row: usize) -> (&Source<'_>, usize) {
        (&self.sources[row / self.matrix.outputs], row % self.matrix.outputs)
    }

    fn floats<T: Element>(&self, room: &mut [u8]) -> (Vec<f32>, Vec<i32>) {
        let fill = |row: usize, out: &mut [T]| {
            let (source, source_row) = self.place(row);
            source.read(source_row, out);
        };
        self.write(fill, Vec::new(), room)
    }

    fn int8(&self, room: &mut [u8]) -> (Vec<f32>, Vec<i32>) {
        let limit = self.isa.int8_limit();
        let scales: Vec<f32> =
            self.sources.iter().flat_map(|source| source.scales(limit)).collect();
        let fill = |row: usize, out: &mut [i8]| {
            let (source, source_row) = self.place(row);
            source.read_int8(source_row, scales[row], &mut vec![0.0; self.matrix.inputs], out);
        };
        self.write(fill, scales.clone(), room)
    }

    fn write<T: nervio_kernels::Element>(
        &self,
        fill: impl Fn(usize, &mut [T]) + Sync,
        scales: Vec<f32>,
        room: &mut [u8],
    ) -> (Vec<f32>, Vec<i32>) {
        let len = self.matrix.panels_len(self.isa, T::KIND);
        let room = &mut bytemuck::cast_slice_mut(room)[..len];
        PackedMatrix::pack_into(self.isa, self.matrix.shape(), fill, scales, room)
    }
}

/// All rows in a type of floats, which is that of `kind`.
fn read_all<T: Element>(
    source: &Source<'_>,
    kind: WeightKind,
    rows: usize,
    columns: usize,
) -> Frozen<T> {
    if let Some(values) = source.in_place(kind) {
        return values;
    }
    let mut values = Aligned::new(rows * columns);
    let rows = values.as_mut_slice().par_chunks_mut(columns.max(1)).enumerate();
    rows.for_each(|(row, out)| source.read(row, out));
    values.into()
}

/// All rows as 8-bit integers.
fn read_int8(source: &Source<'_>, rows: usize, columns: usize) -> Table {
    let scales = source.scales(i8::MAX);
    if let Some(values) = source.in_place(WeightKind::Int8) {
        return Table::Int8(values, scales);
    }
    let mut values = Aligned::new(rows * columns);
    values.as_mut_slice().par_chunks_mut(columns.max(1)).enumerate().for_each_init(
        || vec![0.0; columns],
        |buffer, (row, out)| source.read_int8(row, scales[row], buffer, out),
    );
    Table::Int8(values.into(), scales)
}
