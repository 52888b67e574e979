//! A weight matrix of a checkpoint: read once, row by row, by several threads, and checked as it is
//! read.

use std::sync::atomic::{AtomicBool, Ordering};

use bytemuck::Pod;
use half::slice::HalfFloatSliceExt;
use half::{bf16, f16};
use nervio_kernels::{Frozen, WeightKind, nearest_i8};
use nervio_weights::{BertTensors, Dtype, FloatTensor, Int8Tensor};

use crate::LoadError;

/// The largest number of half precision, and the least that is rounded to infinity.
const F16_MAX: f32 = 65_504.0;
const F16_OVERFLOW: f32 = 65_520.0;

/// A weight matrix, `[rows, columns]`, as the checkpoint has it.
///
/// Once its rows have been read, [`finish`](Source::finish) tells whether they were numbers that the
/// type they were read in can hold: looking at a row while it is in the cache costs next to nothing,
/// a pass over all weights before costs as much as reading them.
pub(crate) struct Source<'a> {
    tensors: &'a BertTensors,
    name: String,
    columns: usize,
    values: Values<'a>,
    /// Whether a row held something that is no finite number.
    flawed: AtomicBool,
}

enum Values<'a> {
    Float(FloatTensor<'a>),
    Int8(Int8Tensor<'a>),
}

/// A type of floats in which rows can be read.
pub(crate) trait Element: nervio_kernels::Element + Pod {
    /// The type under which a checkpoint stores it.
    const DTYPE: Dtype;

    /// Narrows a row; what is too large becomes infinite.
    fn narrow(row: &[f32], out: &mut [Self]);

    /// The bits of a row, if there are 16 to an element.
    fn bits(row: &mut [Self]) -> Option<&mut [u16]>;

    /// Whether all elements are finite.
    fn all_finite(row: &[Self]) -> bool;
}

impl Element for f32 {
    const DTYPE: Dtype = Dtype::F32;

    fn narrow(row: &[f32], out: &mut [Self]) {
        out.copy_from_slice(row);
    }

    fn bits(_: &mut [Self]) -> Option<&mut [u16]> {
        None
    }

    fn all_finite(row: &[Self]) -> bool {
        // Without a branch in the loop, so that it vectorises; so below.
        row.iter().fold(true, |all, x| all & x.is_finite())
    }
}

impl Element for f16 {
    const DTYPE: Dtype = Dtype::F16;

    fn narrow(row: &[f32], out: &mut [Self]) {
        out.convert_from_f32_slice(row);
    }

    fn bits(row: &mut [Self]) -> Option<&mut [u16]> {
        Some(bytemuck::cast_slice_mut(row))
    }

    fn all_finite(row: &[Self]) -> bool {
        row.iter().fold(true, |all, x| all & (x.to_bits() & 0x7c00 != 0x7c00))
    }
}

impl Element for bf16 {
    const DTYPE: Dtype = Dtype::BF16;

    fn narrow(row: &[f32], out: &mut [Self]) {
        out.convert_from_f32_slice(row);
    }

    fn bits(row: &mut [Self]) -> Option<&mut [u16]> {
        Some(bytemuck::cast_slice_mut(row))
    }

    fn all_finite(row: &[Self]) -> bool {
        row.iter().fold(true, |all, x| all & (x.to_bits() & 0x7f80 != 0x7f80))
    }
}

impl<'a> Source<'a> {
    /// Finds a matrix of the shape `[rows, columns]`.
    ///
    /// # Errors
    ///
    /// When it is missing or has another shape or a type that weights cannot have.
    pub(crate) fn open(
        tensors: &'a BertTensors,
        name: &str,
        shape: &[usize],
    ) -> Result<Self, LoadError> {
        let tensor = tensors.require(name, shape)?;
        let values = if tensor.dtype == Dtype::I8 {
            Values::Int8(tensors.require_int8(name, shape)?)
        } else {
            Values::Float(tensor.floats()?)
        };
        let columns = shape.last().copied().unwrap_or(0);
        Ok(Self { tensors, name: name.to_owned(), columns, values, flawed: AtomicBool::new(false) })
    }

    /// Says that all rows will be read now. Only then: what was announced counts as memory of this
    /// process until it has been read.
    pub(crate) fn begin(&self) {
        self.tensors.will_read(&self.name);
    }

    /// The type of the weights in the checkpoint.
    pub(crate) fn kind(&self) -> WeightKind {
        match &self.values {
            Values::Int8(_) => WeightKind::Int8,
            Values::Float(tensor) => match tensor.tensor().dtype {
                Dtype::F16 => WeightKind::F16,
                Dtype::BF16 => WeightKind::BF16,
                _ => WeightKind::F32,
            },
        }
    }

    /// All rows where they lie, if they are part of the program and held as `kind`.
    pub(crate) fn in_place<T: Pod>(&self, kind: WeightKind) -> Option<Frozen<T>> {
        if self.kind() != kind {
            return None;
        }
        let values = Frozen::new(self.tensors.part_of_program(&self.name)?)?;
        // Nobody looks at the rows one by one: let `finish` look at all.
        self.note(false);
        Some(values)
    }

    /// Writes one row, `[columns]`.
    pub(crate) fn read<T: Element>(&self, row: usize, out: &mut [T]) {
        match &self.values {
            Values::Float(tensor) if tensor.tensor().dtype == T::DTYPE => {
                let start = row * out.len();
                match T::bits(out) {
                    Some(bits) => tensor.read_bits(start, bits),
                    None => tensor.read(start, bytemuck::cast_slice_mut(out)),
                }
            }
            _ => {
                let mut buffer = vec![0.0; out.len()];
                self.read_f32(row, &mut buffer);
                T::narrow(&buffer, out);
            }
        }
        self.note(T::all_finite(out));
    }

    /// Writes one row as 8-bit integers: the checkpoint's own, or the nearest multiples of the
    /// scale. `buffer` is as long as the row.
    pub(crate) fn read_int8(&self, row: usize, scale: f32, buffer: &mut [f32], out: &mut [i8]) {
        if let Values::Int8(tensor) = &self.values {
            return tensor.read_raw(row, out);
        }
        self.read_f32(row, buffer);
        self.note(f32::all_finite(buffer));
        let inverse = if scale > 0.0 { 1.0 / scale } else { 0.0 };
        for (out, x) in out.iter_mut().zip(buffer) {
            *out = nearest_i8((*x * inverse).clamp(-128.0, 127.0));
        }
    }

    /// The scale of each row: the checkpoint's, or the largest magnitude over `limit`.
    pub(crate) fn scales(&self, limit: i8) -> Vec<f32> {
        let tensor = match &self.values {
            Values::Int8(tensor) => return tensor.scales().to_vec(),
            Values::Float(tensor) => tensor,
        };
        let mut buffer = vec![0.0; self.columns];
        (0..tensor.len().checked_div(self.columns).unwrap_or(0))
            .map(|row| {
                self.read_f32(row, &mut buffer);
                buffer.iter().fold(0.0_f32, |largest, x| largest.max(x.abs())) / f32::from(limit)
            })
            .collect()
    }

    /// Says whether all that was read were numbers, and gives the memory of the file back.
    ///
    /// # Errors
    ///
    /// When there is a NaN or an infinity, or a number beyond the range of half precision.
    pub(crate) fn finish(&self) -> Result<(), LoadError> {
        if self.flawed.load(Ordering::Relaxed)
            && let Values::Float(tensor) = &self.values
        {
            tensor.check_finite()?;
            check_range(tensor)?;
        }
        self.tensors.have_read(&self.name);
        Ok(())
    }

    fn note(&self, all_finite: bool) {
        if !all_finite {
            self.flawed.store(true, Ordering::Relaxed);
        }
    }

    fn read_f32(&self, row: usize, out: &mut [f32]) {
        match &self.values {
            Values::Float(tensor) => tensor.read(row * out.len(), out),
            Values::Int8(tensor) => tensor.read(row, out),
        }
    }
}

/// Names the first weight that would become infinite in half precision.
fn check_range(tensor: &FloatTensor<'_>) -> Result<(), LoadError> {
    let values = tensor.to_vec();
    match values.iter().find(|x| x.abs() >= F16_OVERFLOW) {
        None => Ok(()),
        Some(value) => Err(LoadError::Overflow {
            file: tensor.tensor().file.to_owned(),
            tensor: tensor.tensor().name.to_owned(),
            value: *value,
            dtype: "f16",
            limit: F16_MAX,
        }),
    }
}
