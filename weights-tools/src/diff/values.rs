//! The numbers of a tensor, whatever its type, a part at a time.

use anyhow::{Result, bail};
use nervio_weights::{BertTensors, Dtype, Int8Tensor, Tensor};

/// A tensor whose numbers can be read.
pub(super) enum Values<'a> {
    /// Integers with a scale for each row.
    Int8(Int8Tensor<'a>, Tensor<'a>),
    /// Numbers as they are.
    Plain(Tensor<'a>),
}

impl<'a> Values<'a> {
    /// The tensor of that canonical name.
    ///
    /// # Errors
    /// When its type is none that holds numbers, or the scales of 8-bit weights are not in order.
    pub(super) fn new(tensors: &'a BertTensors, name: &str) -> Result<Option<Self>> {
        let Some(tensor) = tensors.get(name) else { return Ok(None) };
        if tensor.dtype == Dtype::I8 && tensors.get(&format!("{name}_scale")).is_some() {
            let integers = tensors.require_int8(name, tensor.shape)?;
            return Ok(Some(Self::Int8(integers, tensor)));
        }
        let readable = [
            Dtype::F64,
            Dtype::F32,
            Dtype::F16,
            Dtype::BF16,
            Dtype::I64,
            Dtype::I32,
            Dtype::I16,
            Dtype::I8,
            Dtype::U8,
            Dtype::BOOL,
        ];
        if !readable.contains(&tensor.dtype) {
            bail!(
                "{}: tensor {}: expected floats or integers, found {}",
                tensor.file.display(),
                tensor.name,
                tensor.dtype
            );
        }
        Ok(Some(Self::Plain(tensor)))
    }

    /// The tensor as it is stored.
    pub(super) fn tensor(&self) -> &Tensor<'a> {
        match self {
            Self::Int8(_, tensor) | Self::Plain(tensor) => tensor,
        }
    }

    /// Number of elements.
    pub(super) fn len(&self) -> usize {
        self.tensor().shape.iter().product()
    }

    /// Fills `out` with the numbers from `start` on, in row-major order.
    pub(super) fn read(&self, start: usize, out: &mut [f64]) {
        match self {
            Self::Plain(tensor) => plain(tensor, start, out),
            Self::Int8(integers, tensor) => {
                let columns = self.len() / integers.scales().len().max(1);
                let bytes = &tensor.data[start..start + out.len()];
                for (index, (out, byte)) in out.iter_mut().zip(bytes).enumerate() {
                    // As the engine does: the product in f32.
                    let scale = integers.scales()[(start + index) / columns];
                    *out = f64::from(f32::from(byte.cast_signed()) * scale);
                }
            }
        }
    }
}

fn plain(tensor: &Tensor<'_>, start: usize, out: &mut [f64]) {
    let width = tensor.dtype.bitsize() / 8;
    let data = &tensor.data[start * width..(start + out.len()) * width];
    match tensor.dtype {
        Dtype::F64 => fill(out, data, f64::from_le_bytes),
        Dtype::F32 => fill(out, data, |bytes| f64::from(f32::from_le_bytes(bytes))),
        Dtype::F16 => fill(out, data, |bytes| f64::from(half::f16::from_le_bytes(bytes))),
        Dtype::BF16 => fill(out, data, |bytes| f64::from(half::bf16::from_le_bytes(bytes))),
        Dtype::I64 => fill(out, data, |bytes| i64::from_le_bytes(bytes) as f64),
        Dtype::I32 => fill(out, data, |bytes| f64::from(i32::from_le_bytes(bytes))),
        Dtype::I16 => fill(out, data, |bytes| f64::from(i16::from_le_bytes(bytes))),
        Dtype::I8 => fill(out, data, |bytes| f64::from(i8::from_le_bytes(bytes))),
        _ => fill(out, data, |[byte]| f64::from(byte)),
    }
}

fn fill<const N: usize>(out: &mut [f64], data: &[u8], number: impl Fn([u8; N]) -> f64) {
    for (out, bytes) in out.iter_mut().zip(data.as_chunks::<N>().0) {
        *out = number(*bytes);
    }
}
