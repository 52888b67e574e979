//! From the tensors of a checkpoint to packed weights, in the type asked for.

use half::{bf16, f16};
use nervio_kernels::{Aligned, Frozen, PackedMatrix, WeightKind};
use nervio_simd::Isa;
use nervio_weights::BertTensors;
use rayon::prelude::*;

use crate::LoadError;
use crate::embeddings::Table;
use crate::reader::WeightReader;
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
    fn vector(&self, name: &str, len: usize) -> Result<Vec<f32>, LoadError> {
        let tensor = self.tensors.require(name, &[len])?.floats()?;
        tensor.check_finite()?;
        Ok(tensor.to_vec())
    }

    fn matrix(
        &self,
        names: &[&str],
        outputs: usize,
        inputs: usize,
    ) -> Result<PackedMatrix, LoadError> {
        let open = |name: &&str| self.source(&format!("{name}.weight"), &[outputs, inputs]);
        let sources: Vec<_> = names.iter().map(open).collect::<Result<_, _>>()?;
        let packed = self.pack(&sources, outputs, inputs);
        sources.iter().try_for_each(Source::finish)?;
        Ok(packed)
    }

    fn table(&self, name: &str, rows: usize, hidden: usize) -> Result<Table, LoadError> {
        let source = self.source(name, &[rows, hidden])?;
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

    fn pack(&self, sources: &[Source<'_>], outputs: usize, inputs: usize) -> PackedMatrix {
        let rows = sources.len() * outputs;
        let place = |row: usize| (&sources[row / outputs], row % outputs);
        match self.kind(sources) {
            WeightKind::F32 => pack_floats::<f32>(self.isa, rows, inputs, place),
            WeightKind::F16 => pack_floats::<f16>(self.isa, rows, inputs, place),
            WeightKind::BF16 => pack_floats::<bf16>(self.isa, rows, inputs, place),
            WeightKind::Int8 => {
                let limit = self.isa.int8_limit();
                let scales: Vec<f32> =
                    sources.iter().flat_map(|source| source.scales(limit)).collect();
                let fill = |row: usize, out: &mut [i8]| {
                    let (source, source_row) = place(row);
                    source.read_int8(source_row, scales[row], &mut vec![0.0; inputs], out);
                };
                PackedMatrix::pack(self.isa, rows, inputs, fill, scales.clone())
            }
        }
    }
}

/// Packs rows in a type of floats; `place` tells where row `row` is.
fn pack_floats<'a, T: Element>(
    isa: Isa,
    rows: usize,
    inputs: usize,
    place: impl Fn(usize) -> (&'a Source<'a>, usize) + Sync,
) -> PackedMatrix {
    let fill = |row: usize, out: &mut [T]| {
        let (source, source_row) = place(row);
        source.read(source_row, out);
    };
    PackedMatrix::pack(isa, rows, inputs, fill, Vec::new())
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
