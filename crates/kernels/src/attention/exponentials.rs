//! The softmax of scores whose columns are queries, but for the division.

use nervio_simd::Simd;

use crate::math::exp2_to_one;

/// Rows whose exponentials are added up before they are added to the sum of all: an error of rounding
/// grows with the number of terms.
const SUMMED: usize = 16;

/// Turns scores, `[tokens][V * LANES]`, into `2^(score - largest)`, the exponents times `factor` where
/// there is one, in the first `N` vectors of every row; returns the sum of each column.
#[inline(always)]
pub(super) fn exponentials<S: Simd, const V: usize, const N: usize>(
    s: S,
    scores: &mut [f32],
    largest: [S::Vector; N],
    factor: Option<f32>,
) -> [S::Vector; N] {
    let width = V * S::LANES;
    let mut totals = [s.splat(0.0); N];
    for rows in scores.chunks_mut(SUMMED * width) {
        let mut sums = [s.splat(0.0); N];
        for row in rows.chunks_exact_mut(width) {
            for v in 0..N {
                let lanes = &mut row[v * S::LANES..];
                let mut exponents = s.sub(s.load(lanes), largest[v]);
                if let Some(factor) = factor {
                    // Not one multiply-add: beside a huge maximum its rounding would lift weights
                    // above 1.
                    exponents = s.mul(exponents, s.splat(factor));
                }
                let e = exp2_to_one(s, exponents);
                sums[v] = s.add(sums[v], e);
                s.store(e, lanes);
            }
        }
        for (total, sum) in totals.iter_mut().zip(&sums) {
            *total = s.add(*total, *sum);
        }
    }
    totals
}
