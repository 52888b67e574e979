//! Reading floats of any width and alignment, and telling whether they are numbers.

use half::slice::HalfFloatSliceExt;
use half::{bf16, f16};

use crate::{Dtype, Error, Tensor};

/// A tensor of F32, F16 or BF16.
#[derive(Clone, Copy, Debug)]
pub struct FloatTensor<'a> {
    tensor: Tensor<'a>,
}

impl<'a> FloatTensor<'a> {
    /// A tensor that is known to be of one of these types.
    pub(crate) fn new(tensor: Tensor<'a>) -> Self {
        Self { tensor }
    }

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
            Dtype::F16 => widen::<f16>(data, f16::from_le_bytes, out),
            _ => widen::<bf16>(data, bf16::from_le_bytes, out),
        }
    }

    /// The bits of the elements from `start` on, which must be of 16 bits each.
    ///
    /// # Panics
    ///
    /// When the elements have 32 bits, or the tensor ends before `out` does.
    pub fn read_bits(&self, start: usize, out: &mut [u16]) {
        assert_eq!(self.element_size(), 2, "elements of 16 bits");
        let data = &self.tensor.data[start * 2..(start + out.len()) * 2];
        for (out, bytes) in out.iter_mut().zip(data.as_chunks::<2>().0) {
            *out = u16::from_le_bytes(*bytes);
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

/// Widens 16-bit floats by the slice, for which `half` has vector instructions; they go through a
/// buffer because the file may not align them.
fn widen<T: Copy + Default>(data: &[u8], from_bytes: fn([u8; 2]) -> T, out: &mut [f32])
where
    [T]: HalfFloatSliceExt,
{
    const BLOCK: usize = 256;
    let mut block = [T::default(); BLOCK];
    for (out, bytes) in out.chunks_mut(BLOCK).zip(data.chunks(2 * BLOCK)) {
        for (value, bytes) in block.iter_mut().zip(bytes.as_chunks::<2>().0) {
            *value = from_bytes(*bytes);
        }
        block[..out.len()].convert_to_f32_slice(out);
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
