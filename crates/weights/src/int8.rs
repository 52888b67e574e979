//! Matrices of 8-bit integers with a scale for each row.

use crate::{Dtype, Error, Tensor};

/// A matrix of 8-bit integers with one scale for each row: `w[row, i] = q[row, i] * scale[row]`.
#[derive(Clone, Debug)]
pub struct Int8Tensor<'a> {
    tensor: Tensor<'a>,
    columns: usize,
    scales: Vec<f32>,
}

impl<'a> Int8Tensor<'a> {
    /// Joins the integers, I8 `[rows, columns]`, and the scales, F32 `[rows]`, whose shapes have
    /// been checked.
    ///
    /// # Errors
    ///
    /// [`Error::Dtype`] for other types, [`Error::NotFinite`] and [`Error::Range`] for a scale that
    /// is negative or no number and for an integer of -128, which has no opposite.
    pub(crate) fn new(tensor: Tensor<'a>, scales: Tensor<'a>) -> Result<Self, Error> {
        if tensor.dtype != Dtype::I8 {
            return Err(tensor.wrong_dtype("I8"));
        }
        if scales.dtype != Dtype::F32 {
            return Err(scales.wrong_dtype("F32"));
        }
        let floats = scales.floats()?;
        floats.check_finite()?;
        let values = floats.to_vec();
        if let Some(index) = values.iter().position(|scale| *scale < 0.0) {
            return Err(out_of_range(
                &scales,
                "scales that are not negative",
                index,
                values[index],
            ));
        }
        let lowest = i8::MIN.cast_unsigned();
        // Without a branch in the loop it vectorises; where it is matters only if it is there.
        let any = tensor.data.iter().fold(false, |any, byte| any | (*byte == lowest));
        if any && let Some(index) = tensor.data.iter().position(|byte| *byte == lowest) {
            return Err(out_of_range(&tensor, "integers from -127 to 127", index, -128.0));
        }
        let columns = tensor.data.len().checked_div(values.len()).unwrap_or(0);
        Ok(Self { tensor, columns, scales: values })
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
        let bytes = self.row(row);
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
        let (bytes, scale) = (self.row(row), self.scales[row]);
        assert_eq!(bytes.len(), out.len(), "a row of an 8-bit tensor");
        for (out, byte) in out.iter_mut().zip(bytes) {
            *out = f32::from(byte.cast_signed()) * scale;
        }
    }

    fn row(&self, row: usize) -> &'a [u8] {
        &self.tensor.data[row * self.columns..(row + 1) * self.columns]
    }
}

fn out_of_range(tensor: &Tensor<'_>, expected: &'static str, index: usize, value: f32) -> Error {
    let (file, tensor) = (tensor.file.to_owned(), tensor.name.to_owned());
    Error::Range { file, tensor, expected, index, value }
}
