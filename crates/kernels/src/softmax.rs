//! Softmax of attention scores, row by row.

use nervio_simd::{Isa, Kernel, Simd};

use crate::math::exp2_to_one;

/// `row = exp(scale * (row - maximum of row))` for a positive scale; returns the sum of the new row,
/// by which it has to be divided to be a softmax.
///
/// The sum runs in lane order, which depends on the instruction set alone.
#[inline(always)]
pub(crate) fn exponentials<S: Simd>(s: S, row: &mut [f32], scale: f32) -> f32 {
    let (chunks, rest) = row.split_at_mut(row.len() / S::LANES * S::LANES);
    let mut largest = s.splat(f32::NEG_INFINITY);
    for chunk in chunks.chunks_exact(S::LANES) {
        largest = s.max(largest, s.load(chunk));
    }
    let mut maximum = s.reduce_max(largest);
    for x in rest.iter() {
        maximum = if maximum > *x { maximum } else { *x };
    }
    let (maximum, factor) = (s.splat(maximum), s.splat(scale * std::f32::consts::LOG2_E));
    let mut sums = s.splat(0.0);
    for chunk in chunks.chunks_exact_mut(S::LANES) {
        let e = exp2_to_one(s, s.mul(s.sub(s.load(chunk), maximum), factor));
        s.store(e, chunk);
        sums = s.add(sums, e);
    }
    if rest.is_empty() {
        return s.reduce_add(sums);
    }
    let e = exp2_to_one(s, s.mul(s.sub(s.load_partial(rest), maximum), factor));
    s.store_partial(e, rest);
    s.reduce_add(sums) + rest.iter().sum::<f32>()
}

/// `row = row * factor`
#[inline(always)]
pub(crate) fn multiply_row<S: Simd>(s: S, row: &mut [f32], factor: f32) {
    let factor = s.splat(factor);
    let mut chunks = row.chunks_exact_mut(S::LANES);
    for chunk in &mut chunks {
        let product = s.mul(s.load(chunk), factor);
        s.store(product, chunk);
    }
    let rest = chunks.into_remainder();
    let product = s.mul(s.load_partial(rest), factor);
    s.store_partial(product, rest);
}

struct Softmax<'a> {
    row: &'a mut [f32],
    scale: f32,
}

impl Kernel for Softmax<'_> {
    type Output = ();
    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        let sum = exponentials(s, self.row, self.scale);
        multiply_row(s, self.row, 1.0 / sum);
    }
}

/// `row = softmax(scale * row)` in place.
pub fn softmax(isa: Isa, row: &mut [f32], scale: f32) {
    isa.run_floats(Softmax { row, scale });
}

/// The scalar reference of [`softmax`], summed in double precision.
pub fn softmax_reference(row: &mut [f32], scale: f32) {
    let scaled: Vec<f64> = row.iter().map(|x| f64::from(*x) * f64::from(scale)).collect();
    let maximum = scaled.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let total: f64 = scaled.iter().map(|x| (x - maximum).exp()).sum();
    for (out, x) in row.iter_mut().zip(scaled) {
        *out = ((x - maximum).exp() / total) as f32;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn agrees_with_the_reference_at_every_length() {
        for isa in Isa::supported() {
            for len in (1..40).chain([100, 511, 512]) {
                let row: Vec<f32> =
                    (0..len).map(|i| ((i * 7919) % 97) as f32 * 0.31 - 15.0).collect();
                let (mut fast, mut slow) = (row.clone(), row);
                softmax(isa, &mut fast, 0.35);
                softmax_reference(&mut slow, 0.35);
                for (a, b) in fast.iter().zip(&slow) {
                    assert!((a - b).abs() < 2e-7, "{isa} length {len}: {a} and {b}");
                }
            }
        }
    }

    #[test]
    fn extremes() {
        for isa in Isa::supported() {
            let mut row = [3e38, -3e38, 3e38];
            softmax(isa, &mut row, 1.0);
            assert_eq!([row[0], row[2]], [0.5; 2]);
            assert!(row[1] < f32::MIN_POSITIVE);
            let mut row = vec![1.0; 9];
            row[3] = f32::NAN;
            softmax(isa, &mut row, 1.0);
            assert!(row.iter().all(|x| x.is_nan()), "a NaN score makes the row NaN: {row:?}");
            softmax(isa, &mut [], 1.0);
        }
    }
}
