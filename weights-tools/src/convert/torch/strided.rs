//! Views of a storage with any strides, made contiguous.

use anyhow::{Context, Result, ensure};

use super::machine::{Storage, TensorRef};

/// A view whose elements all lie in its storage.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Strided {
    offset: usize,
    shape: Vec<usize>,
    strides: Vec<usize>,
}

impl Strided {
    /// Checks a view against the length of its storage.
    ///
    /// # Errors
    /// When it reaches beyond the storage, or has more elements than that: an expanded tensor
    /// could claim any size.
    pub(super) fn new(tensor: &TensorRef, storage: &Storage) -> Result<Self> {
        let describe = || {
            format!(
                "expected shape {:?}, strides {:?} and offset {} to fit a storage of {} elements",
                tensor.shape, tensor.strides, tensor.offset, storage.elements
            )
        };
        let count = tensor.shape.iter().try_fold(1_u64, |all, size| all.checked_mul(*size));
        let last = tensor
            .shape
            .iter()
            .zip(&tensor.strides)
            .try_fold(tensor.offset, |last, (size, stride)| {
                last.checked_add(size.saturating_sub(1).checked_mul(*stride)?)
            });
        let (count, last) = count.zip(last).with_context(describe)?;
        let fits = count <= storage.elements
            && if count == 0 { tensor.offset <= storage.elements } else { last < storage.elements };
        ensure!(fits, "{}", describe());
        let sizes = |sizes: &[u64]| sizes.iter().map(|size| usize::try_from(*size)).collect();
        let shape: Result<Vec<usize>, _> = sizes(&tensor.shape);
        let strides: Result<Vec<usize>, _> = sizes(&tensor.strides);
        Ok(Self { offset: usize::try_from(tensor.offset)?, shape: shape?, strides: strides? })
    }

    /// The dimensions.
    pub(super) fn shape(&self) -> &[usize] {
        &self.shape
    }

    /// The elements in row-major order, `width` bytes each, from the whole storage.
    pub(super) fn gather(&self, storage: &[u8], width: usize) -> Vec<u8> {
        let count: usize = self.shape.iter().product();
        if count == 0 {
            return Vec::new();
        }
        if self.is_contiguous() {
            return storage[self.offset * width..(self.offset + count) * width].to_vec();
        }
        let mut out = Vec::with_capacity(count * width);
        let mut place = vec![0; self.shape.len()];
        let mut at = self.offset;
        for _ in 0..count {
            out.extend_from_slice(&storage[at * width..(at + 1) * width]);
            for axis in (0..place.len()).rev() {
                place[axis] += 1;
                at += self.strides[axis];
                if place[axis] < self.shape[axis] {
                    break;
                }
                at -= self.strides[axis] * self.shape[axis];
                place[axis] = 0;
            }
        }
        out
    }

    fn is_contiguous(&self) -> bool {
        let mut expected = 1;
        self.shape.iter().zip(&self.strides).rev().all(|(size, stride)| {
            let fits = *size == 1 || *stride == expected;
            expected *= size;
            fits
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use safetensors::Dtype;

    fn view(offset: u64, shape: &[u64], strides: &[u64], elements: u64) -> Result<Strided> {
        let storage = Storage { key: "0".into(), dtype: Dtype::U8, elements };
        let (shape, strides) = (shape.to_vec(), strides.to_vec());
        Strided::new(&TensorRef { storage: 0, offset, shape, strides }, &storage)
    }

    #[test]
    fn any_strides_become_row_major() {
        let storage: Vec<u8> = (0..12).collect();
        for (offset, shape, strides, expected) in [
            (0, &[3, 4][..], &[4, 1][..], (0..12).collect::<Vec<u8>>()),
            (0, &[4, 3], &[1, 4], vec![0, 4, 8, 1, 5, 9, 2, 6, 10, 3, 7, 11]),
            (5, &[2, 2], &[4, 1], vec![5, 6, 9, 10]),
            (2, &[3], &[0], vec![2, 2, 2]),
            (11, &[], &[], vec![11]),
            (1, &[1, 3], &[99, 1], vec![1, 2, 3]),
            (0, &[2, 3, 2], &[1, 4, 2], vec![0, 2, 4, 6, 8, 10, 1, 3, 5, 7, 9, 11]),
            (12, &[0, 7], &[1, 1], vec![]),
        ] {
            let view = view(offset, shape, strides, 12).unwrap();
            assert_eq!(view.gather(&storage, 1), expected, "{shape:?} {strides:?}");
        }
        let pairs = view(0, &[2, 2], &[1, 2], 4).unwrap();
        assert_eq!(pairs.gather(&[0, 1, 2, 3, 4, 5, 6, 7], 2), [0, 1, 4, 5, 2, 3, 6, 7]);
    }

    #[test]
    fn a_view_beyond_its_storage_is_refused() {
        for (offset, shape, strides) in [
            (1, &[3, 4][..], &[4, 1][..]),
            (0, &[3, 4], &[5, 1]),
            (13, &[0], &[1]),
            (12, &[], &[]),
            (u64::MAX, &[2], &[1]),
            (0, &[2], &[u64::MAX]),
            (0, &[1 << 40, 1 << 40], &[0, 0]),
            (0, &[13], &[0]),
            (0, &[1 << 32, 1 << 32], &[1 << 32, 1]),
        ] {
            let error = view(offset, shape, strides, 12).unwrap_err().to_string();
            assert!(error.contains("to fit a storage of 12 elements"), "{error}");
        }
    }
}
