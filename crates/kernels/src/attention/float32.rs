//! The products of a head in f32, by the tile of the matmul: its left operand is what was packed
//! last.

use nervio_simd::Simd;

use super::Rows;
use super::head::Numbers;
use crate::math::exp2_to_one;
use crate::matmul::{Nothing, RowPanels, STEP, multiply, pack_columns, pack_keys, pack_left};
use crate::workspace::{HeadBuffers, LeafBuffers};

/// Sums in f32.
pub(super) struct Float32 {
    /// What keys are multiplied by: the exponentials, in base 2, need no factor of their own.
    factor: f32,
}

impl Numbers for Float32 {
    type Element = f32;
    const IN_ONE: usize = 1;

    #[inline(always)]
    fn buffers(buffers: &mut LeafBuffers) -> &mut HeadBuffers<f32> {
        &mut buffers.float32
    }

    #[inline(always)]
    fn of<S: Simd>(_: S, _: &[Rows<'_>; 3], scale: f32) -> Self {
        Self { factor: scale * std::f32::consts::LOG2_E }
    }

    #[inline(always)]
    fn pack_keys<S: Simd>(&self, _: S, out: &mut [f32], keys: &Rows<'_>, width: usize) {
        pack_keys(out, keys.elements, keys.head_dim, keys.stride, width, self.factor);
    }

    #[inline(always)]
    fn pack_values<S: Simd>(
        &self,
        s: S,
        out: &mut [f32],
        values: &Rows<'_>,
        depth: usize,
        width: usize,
    ) {
        pack_columns(s, out, values.elements, values.head_dim, values.stride, depth, width);
    }

    #[inline(always)]
    fn pack_queries<S: Simd>(
        &self,
        s: S,
        out: &mut [f32],
        queries: &[f32],
        rows: RowPanels,
        shape: &Rows<'_>,
    ) {
        pack_left(s, out, queries, (rows, 0), shape.head_dim, shape.stride);
    }

    #[inline(always)]
    fn multiply<S: Simd, const R: usize, const V: usize, const P: usize>(
        s: S,
        left: &[f32],
        right: &[f32],
    ) -> [[S::Vector; V]; R] {
        multiply::<S, R, V, P>(s, left, right, Nothing)
    }

    /// The exponentials are not divided by their sums: the results of the product are, which are
    /// fewer.
    #[inline(always)]
    fn weigh<S: Simd, const R: usize, const P: usize>(
        &self,
        s: S,
        scores: &mut [f32],
        weights: &mut [f32],
    ) -> [f32; R] {
        let padded = scores.len() / S::TILE_ROWS;
        let mut factors = [0.0; R];
        for (r, row) in scores.chunks_exact(padded).take(R).enumerate() {
            let mut largest = s.splat(f32::NEG_INFINITY);
            for scores in row.chunks_exact(S::LANES) {
                largest = s.max(largest, s.load(scores));
            }
            let maximum = s.splat(s.reduce_max(largest));
            let mut sums = s.splat(0.0);
            let weights = weights.chunks_exact_mut(S::LANES / STEP * P);
            for (scores, weights) in row.chunks_exact(S::LANES).zip(weights) {
                let e = exp2_to_one(s, s.sub(s.load(scores), maximum));
                sums = s.add(sums, e);
                s.store_by_fours(e, &mut weights[r * STEP..], P);
            }
            factors[r] = 1.0 / s.reduce_add(sums);
        }
        factors
    }
}
