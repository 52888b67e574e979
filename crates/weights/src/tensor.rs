//! One tensor of a checkpoint.

use std::path::Path;

use crate::{Dtype, Error, FloatTensor};

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
            Dtype::F32 | Dtype::F16 | Dtype::BF16 => Ok(FloatTensor::new(*self)),
            _ => Err(self.wrong_dtype("F32, F16 or BF16")),
        }
    }

    pub(crate) fn wrong_dtype(&self, expected: &'static str) -> Error {
        Error::Dtype {
            file: self.file.to_owned(),
            tensor: self.name.to_owned(),
            expected,
            found: self.dtype,
        }
    }
}
