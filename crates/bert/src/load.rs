//! From the tensors of a checkpoint to packed weights, in the type asked for.

use half::{bf16, f16};
use nervio_kernels::{INT8_LIMIT, PackedMatrix, WeightKind};
use nervio_simd::Isa;
use nervio_weights::{BertTensors, Dtype, FloatTensor, Int8Tensor, Tensor};

use crate::LoadError;
use crate::embeddings::Table;
use crate::encoder::{LayerNorm, Linear};

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

/// A weight matrix as the checkpoint has it.
enum Source<'a> {
    Float(FloatTensor<'a>),
    Int8(Int8Tensor<'a>),
}

impl<'a> Loader<'a> {
    /// A vector of floats, such as a bias; `[len]`.
    pub(crate) fn vector(&self, name: &str, len: usize) -> Result<Vec<f32>, LoadError> {
        let tensor = self.tensors.require(name, &[len])?.floats()?;
        tensor.check_finite()?;
        Ok(tensor.to_vec())
    }

    /// A layer norm; `[hidden]`.
    pub(crate) fn layer_norm(&self, name: &str, hidden: usize) -> Result<LayerNorm, LoadError> {
        Ok(LayerNorm {
            weight: self.vector(&format!("{name}.weight"), hidden)?,
            bias: self.vector(&format!("{name}.bias"), hidden)?,
        })
    }

    /// One or more linear layers with the same input as one: `[outputs, inputs]` each.
    pub(crate) fn linear(
        &self,
        names: &[&str],
        outputs: usize,
        inputs: usize,
    ) -> Result<Linear, LoadError> {
        let mut bias = Vec::with_capacity(names.len() * outputs);
        let mut sources = Vec::with_capacity(names.len());
        for name in names {
            sources.push(self.source(&format!("{name}.weight"), &[outputs, inputs])?);
            bias.append(&mut self.vector(&format!("{name}.bias"), outputs)?);
        }
        Ok(Linear { weights: self.pack(&sources, outputs, inputs)?, bias })
    }

    /// An embedding table; `[rows, hidden]`.
    pub(crate) fn table(&self, name: &str, rows: usize, hidden: usize) -> Result<Table, LoadError> {
        let source = self.source(name, &[rows, hidden])?;
        let kind = self.kind(std::slice::from_ref(&source));
        check_range(&source, kind)?;
        Ok(match kind {
            WeightKind::F32 => Table::F32(read_all(&source, rows, hidden, |x| x)),
            WeightKind::F16 => Table::F16(read_all(&source, rows, hidden, f16::from_f32)),
            WeightKind::BF16 => Table::BF16(read_all(&source, rows, hidden, bf16::from_f32)),
            WeightKind::Int8 => {
                let mut values = vec![0; rows * hidden];
                let scales = scales(&source, rows, hidden, i8::MAX);
                let mut buffer = vec![0.0; hidden];
                for (row, out) in values.chunks_exact_mut(hidden).enumerate() {
                    read_int8(&source, row, scales[row], &mut buffer, out);
                }
                Table::Int8(values, scales)
            }
        })
    }

    /// The first row of a table; `[hidden]`.
    pub(crate) fn first_row(
        &self,
        name: &str,
        rows: usize,
        hidden: usize,
    ) -> Result<Vec<f32>, LoadError> {
        let mut row = vec![0.0; hidden];
        read((&self.source(name, &[rows, hidden])?, 0), &mut row);
        Ok(row)
    }

    /// A matrix of the checkpoint, finite and of the right shape.
    fn source(&self, name: &str, shape: &[usize]) -> Result<Source<'a>, LoadError> {
        let tensor: Tensor<'a> = self.tensors.require(name, shape)?;
        if tensor.dtype == Dtype::I8 {
            return Ok(Source::Int8(self.tensors.require_int8(name, shape)?));
        }
        let tensor = tensor.floats()?;
        tensor.check_finite()?;
        Ok(Source::Float(tensor))
    }

    /// The type to hold matrices in that are packed together.
    fn kind(&self, sources: &[Source<'_>]) -> WeightKind {
        let kind = |source: &Source<'_>| match source {
            Source::Int8(_) => WeightKind::Int8,
            Source::Float(tensor) => match tensor.tensor().dtype {
                Dtype::F16 => WeightKind::F16,
                Dtype::BF16 => WeightKind::BF16,
                _ => WeightKind::F32,
            },
        };
        match self.dtype {
            WeightDtype::Fixed(kind) => kind,
            WeightDtype::Auto => {
                let mut kinds = sources.iter().map(kind);
                let first = kinds.next().unwrap_or(WeightKind::F32);
                if kinds.all(|kind| kind == first) { first } else { WeightKind::F32 }
            }
        }
    }

    fn pack(
        &self,
        sources: &[Source<'_>],
        outputs: usize,
        inputs: usize,
    ) -> Result<PackedMatrix, LoadError> {
        let kind = self.kind(sources);
        for source in sources {
            check_range(source, kind)?;
        }
        let rows = sources.len() * outputs;
        let place = |row: usize| (&sources[row / outputs], row % outputs);
        let isa = self.isa;
        Ok(match kind {
            WeightKind::F32 => {
                let fill = |row, out: &mut [f32]| read(place(row), out);
                PackedMatrix::pack(isa, rows, inputs, fill, Vec::new())
            }
            WeightKind::F16 => {
                let fill = |row, out: &mut [f16]| convert(place(row), out, f16::from_f32);
                PackedMatrix::pack(isa, rows, inputs, fill, Vec::new())
            }
            WeightKind::BF16 => {
                let fill = |row, out: &mut [bf16]| convert(place(row), out, bf16::from_f32);
                PackedMatrix::pack(isa, rows, inputs, fill, Vec::new())
            }
            WeightKind::Int8 => {
                let scales: Vec<f32> = sources
                    .iter()
                    .flat_map(|source| scales(source, outputs, inputs, INT8_LIMIT))
                    .collect();
                let fill = |row: usize, out: &mut [i8]| {
                    let (source, source_row) = place(row);
                    read_int8(source, source_row, scales[row], &mut vec![0.0; inputs], out);
                };
                PackedMatrix::pack(isa, rows, inputs, fill, scales.clone())
            }
        })
    }
}

/// Writes one row as f32.
fn read((source, row): (&Source<'_>, usize), out: &mut [f32]) {
    match source {
        Source::Float(tensor) => tensor.read(row * out.len(), out),
        Source::Int8(tensor) => tensor.read(row, out),
    }
}

/// Writes one row through `narrow`.
fn convert<T>((source, row): (&Source<'_>, usize), out: &mut [T], narrow: fn(f32) -> T) {
    let mut buffer = vec![0.0; out.len()];
    read((source, row), &mut buffer);
    for (out, x) in out.iter_mut().zip(buffer) {
        *out = narrow(x);
    }
}

fn read_all<T: Clone + Default>(
    source: &Source<'_>,
    rows: usize,
    columns: usize,
    narrow: fn(f32) -> T,
) -> Vec<T> {
    let mut values = vec![T::default(); rows * columns];
    for (row, out) in values.chunks_exact_mut(columns).enumerate() {
        convert((source, row), out, narrow);
    }
    values
}

/// The scale of each row: the checkpoint's, or the largest magnitude over `limit`.
fn scales(source: &Source<'_>, rows: usize, columns: usize, limit: i8) -> Vec<f32> {
    if let Source::Int8(tensor) = source {
        return tensor.scales().to_vec();
    }
    let mut buffer = vec![0.0; columns];
    (0..rows)
        .map(|row| {
            read((source, row), &mut buffer);
            buffer.iter().fold(0.0_f32, |largest, x| largest.max(x.abs())) / f32::from(limit)
        })
        .collect()
}

/// Writes one row as 8-bit integers: the checkpoint's own, or the nearest multiples of the scale.
fn read_int8(source: &Source<'_>, row: usize, scale: f32, buffer: &mut [f32], out: &mut [i8]) {
    if let Source::Int8(tensor) = source {
        return tensor.read_raw(row, out);
    }
    read((source, row), buffer);
    let inverse = if scale > 0.0 { 1.0 / scale } else { 0.0 };
    for (out, x) in out.iter_mut().zip(buffer) {
        #[allow(clippy::cast_possible_truncation, reason = "clamped to the range of i8")]
        let nearest = (*x * inverse).round_ties_even().clamp(-128.0, 127.0) as i8;
        *out = nearest;
    }
}

/// Refuses weights that would become infinite in half precision.
fn check_range(source: &Source<'_>, kind: WeightKind) -> Result<(), LoadError> {
    let (Source::Float(tensor), WeightKind::F16) = (source, kind) else { return Ok(()) };
    if tensor.tensor().dtype == Dtype::F16 {
        return Ok(());
    }
    // Halfway to the next number above the largest, from where rounding gives infinity.
    const LIMIT: f32 = 65_520.0;
    let mut buffer = vec![0.0; tensor.len().min(4096)];
    let mut start = 0;
    while start < tensor.len() {
        let len = buffer.len().min(tensor.len() - start);
        tensor.read(start, &mut buffer[..len]);
        if let Some(value) = buffer[..len].iter().find(|x| x.abs() >= LIMIT) {
            return Err(LoadError::Overflow {
                file: tensor.tensor().file.to_owned(),
                tensor: tensor.tensor().name.to_owned(),
                value: *value,
                dtype: "f16",
                limit: 65_504.0,
            });
        }
        start += len;
    }
    Ok(())
}
