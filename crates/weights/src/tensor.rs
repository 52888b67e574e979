//! One tensor of a checkpoint, and reading its numbers.

use std::path::Path;

use half::{bf16, f16};

use crate::{Dtype, Error};

/// A borrowed tensor: little-endian elements, row-major, at any alignment.
#[derive(Clone, Copy, Debug)]
pub struct Tensor<'a> {
    /// Its name in the file.
    pub name: &'a str,
    /// The type of its elements.
    pub dtype: Dtype,
    /// Its dimensions.
    pub shape: &'a [usize],
    /// Its elements.
    pub data: &'a [u8],
    /// The file that it is in.
    pub file: &'a Path,
}

impl<'a> Tensor<'a> {
    /// Refuses another shape than `expected`.
    ///
    /// # Errors
    ///
    /// [`Error::Shape`].
    pub fn expect_shape(&self, expected: &[usize]) -> Result<(), Error> {
        if self.shape == expected {
            return Ok(());
        }
        Err(Error::Shape {
            file: self.file.to_owned(),
            tensor: self.name.to_owned(),
            expected: expected.to_vec(),
            found: self.shape.to_vec(),
        })
    }

    /// Its elements as floats, widened when read.
    ///
    /// # Errors
    ///
    /// [`Error::Dtype`] unless they are F32, F16 or BF16.
    pub fn floats(&self) -> Result<FloatTensor<'a>, Error> {
        match self.dtype {
            Dtype::F32 | Dtype::F16 | Dtype::BF16 => Ok(FloatTensor { tensor: *self }),
            _ => Err(self.wrong_dtype("F32, F16 or BF16")),
        }
    }

    pub(crate) fn wrong_dtype(&self, expected: &'static str) -> Error {
        Error::Dtype {
            file: self.file.to_owned(),
            tensor: self.name.to_owned(),
            expected,
            found: format!("{:?}", self.dtype),
        }
    }
}

/// A tensor of F32, F16 or BF16.
#[derive(Clone, Copy, Debug)]
pub struct FloatTensor<'a> {
    tensor: Tensor<'a>,
}

impl<'a> FloatTensor<'a> {
    /// The tensor itself.
    #[must_use]
    pub fn tensor(&self) -> &Tensor<'a> {
        &self.tensor
    }

    /// Number of elements.
    #[must_use]
    pub fn len(&self) -> usize {
        self.tensor.data.len() / self.element_size()
    }

    /// Whether there are no elements.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.tensor.data.is_empty()
    }

    /// Widens the elements from `start` on into `out`.
    ///
    /// # Panics
    ///
    /// When the tensor ends before `out` does.
    pub fn read(&self, start: usize, out: &mut [f32]) {
        let size = self.element_size();
        let data = &self.tensor.data[start * size..(start + out.len()) * size];
        match self.tensor.dtype {
            Dtype::F32 => {
                for (out, bytes) in out.iter_mut().zip(data.as_chunks::<4>().0) {
                    *out = f32::from_le_bytes(*bytes);
                }
            }
            Dtype::F16 => {
                for (out, bytes) in out.iter_mut().zip(data.as_chunks::<2>().0) {
                    *out = f16::from_le_bytes(*bytes).to_f32();
                }
            }
            _ => {
                for (out, bytes) in out.iter_mut().zip(data.as_chunks::<2>().0) {
                    *out = bf16::from_le_bytes(*bytes).to_f32();
                }
            }
        }
    }

    /// All elements as f32.
    #[must_use]
    pub fn to_vec(&self) -> Vec<f32> {
        let mut values = vec![0.0; self.len()];
        self.read(0, &mut values);
        values
    }

    /// Refuses NaN and infinities.
    ///
    /// # Errors
    ///
    /// [`Error::NotFinite`] with the first such element.
    pub fn check_finite(&self) -> Result<(), Error> {
        // An element is not finite when all bits of its exponent are set.
        let suspicious = match self.tensor.dtype {
            Dtype::F32 => any_exponent_full_32(self.tensor.data),
            Dtype::F16 => any_exponent_full_16(self.tensor.data, 0x7c00),
            _ => any_exponent_full_16(self.tensor.data, 0x7f80),
        };
        if !suspicious {
            return Ok(());
        }
        let values = self.to_vec();
        match values.iter().position(|value| !value.is_finite()) {
            None => Ok(()),
            Some(index) => Err(Error::NotFinite {
                file: self.tensor.file.to_owned(),
                tensor: self.tensor.name.to_owned(),
                index,
                value: values[index],
            }),
        }
    }

    fn element_size(&self) -> usize {
        if self.tensor.dtype == Dtype::F32 { 4 } else { 2 }
    }
}

/// Whether any f32 has a full exponent; without a branch in the loop, so that it vectorises.
fn any_exponent_full_32(data: &[u8]) -> bool {
    const EXPONENT: u32 = 0x7f80_0000;
    data.as_chunks::<4>()
        .0
        .iter()
        .fold(false, |any, bytes| any | (u32::from_le_bytes(*bytes) & EXPONENT == EXPONENT))
}

/// Whether any 16-bit float has a full exponent.
fn any_exponent_full_16(data: &[u8], exponent: u16) -> bool {
    data.as_chunks::<2>()
        .0
        .iter()
        .fold(false, |any, bytes| any | (u16::from_le_bytes(*bytes) & exponent == exponent))
}

/// A matrix of 8-bit integers with one scale for each row: `w[row, i] = q[row, i] * scale[row]`.
#[derive(Clone, Debug)]
pub struct Int8Tensor<'a> {
    tensor: Tensor<'a>,
    columns: usize,
    scales: Vec<f32>,
}

impl<'a> Int8Tensor<'a> {
    /// Joins the integers, `[rows, columns]`, and the scales, `[rows]`.
    pub(crate) fn new(tensor: Tensor<'a>, scales: Vec<f32>) -> Self {
        let columns = tensor.data.len().checked_div(scales.len()).unwrap_or(0);
        Self { tensor, columns, scales }
    }

    /// The scale of each row.
    #[must_use]
    pub fn scales(&self) -> &[f32] {
        &self.scales
    }

    /// Writes the integers of one row.
    ///
    /// # Panics
    ///
    /// When there is no such row, or `out` is not as long as one.
    pub fn read_raw(&self, row: usize, out: &mut [i8]) {
        let bytes = &self.tensor.data[row * self.columns..(row + 1) * self.columns];
        assert_eq!(bytes.len(), out.len(), "a row of an 8-bit tensor");
        for (out, byte) in out.iter_mut().zip(bytes) {
            *out = byte.cast_signed();
        }
    }

    /// Writes the numbers that one row stands for.
    ///
    /// # Panics
    ///
    /// As [`read_raw`](Self::read_raw).
    pub fn read(&self, row: usize, out: &mut [f32]) {
        let bytes = &self.tensor.data[row * self.columns..(row + 1) * self.columns];
        assert_eq!(bytes.len(), out.len(), "a row of an 8-bit tensor");
        for (out, byte) in out.iter_mut().zip(bytes) {
            *out = f32::from(byte.cast_signed()) * self.scales[row];
        }
    }
}
