//! The register tile: the innermost loop of the product.

use nervio_simd::Simd;

use crate::activation::Activation;

/// Rows of the register tile: with two 8-lane vectors a row, 12 sums hide the latency of two
/// fused multiply-adds a cycle and leave registers for the operands.
pub(crate) const ROWS: usize = 6;

/// Most elements of a tile's row on any level.
pub(crate) const MAX_WIDTH: usize = 32;

/// The sums of one tile, `[ROWS][V]` vectors.
pub(crate) type Sums<S, const V: usize> = [[<S as Simd>::Vector; V]; ROWS];

/// Adds `left[k][ROWS]` times `right[k][V * LANES]` to `sums`, one k after the other.
#[inline(always)]
pub(crate) fn multiply<S: Simd, const V: usize>(
    s: S,
    left: &[f32],
    right: &[f32],
    mut sums: Sums<S, V>,
) -> Sums<S, V> {
    let (left, _) = left.as_chunks::<ROWS>();
    for (left, right) in left.iter().zip(right.chunks_exact(V * S::LANES)) {
        let mut weights = [s.splat(0.0); V];
        for (v, weight) in weights.iter_mut().enumerate() {
            *weight = s.load(&right[v * S::LANES..]);
        }
        for (row, x) in sums.iter_mut().zip(left) {
            let x = s.splat(*x);
            for (sum, weight) in row.iter_mut().zip(&weights) {
                *sum = s.mul_add(x, *weight, *sum);
            }
        }
    }
    sums
}

/// The epilogue of one whole tile, with everything that it reads.
#[derive(Clone, Copy)]
pub(crate) struct TileEpilogue<'a> {
    /// `[width]`
    pub(crate) bias: Option<&'a [f32]>,
    /// The tile's first row and those behind it, `stride` apart.
    pub(crate) residual: Option<(&'a [f32], usize)>,
    /// Applied last.
    pub(crate) activation: Option<Activation>,
}

impl TileEpilogue<'_> {
    /// Applies bias, residual and activation to the sums.
    #[inline(always)]
    pub(crate) fn apply<S: Simd, const V: usize>(self, s: S, mut sums: Sums<S, V>) -> Sums<S, V> {
        // Every loop over the sums has a constant length: they stay in registers only if each
        // index is known when the loops are unrolled.
        if let Some(bias) = self.bias {
            for v in 0..V {
                let bias = s.load(&bias[v * S::LANES..]);
                for row in &mut sums {
                    row[v] = s.add(row[v], bias);
                }
            }
        }
        if let Some((residual, stride)) = self.residual {
            for (r, row) in sums.iter_mut().enumerate() {
                for (v, sum) in row.iter_mut().enumerate() {
                    *sum = s.add(*sum, s.load(&residual[r * stride + v * S::LANES..]));
                }
            }
        }
        if let Some(activation) = self.activation {
            let mut lanes = [0.0; ROWS * MAX_WIDTH];
            for (r, row) in sums.iter().enumerate() {
                for (v, sum) in row.iter().enumerate() {
                    s.store(*sum, &mut lanes[(r * V + v) * S::LANES..]);
                }
            }
            activation.apply(s, &mut lanes[..ROWS * V * S::LANES]);
            for (r, row) in sums.iter_mut().enumerate() {
                for (v, sum) in row.iter_mut().enumerate() {
                    *sum = s.load(&lanes[(r * V + v) * S::LANES..]);
                }
            }
        }
        sums
    }
}
