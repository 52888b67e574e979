//! The products of a head in f32, by the tile of the matmul.

use nervio_simd::Simd;

use super::exponentials::exponentials;
use super::head::Numbers;
use super::pack::{in_squares, turn_into, write_step};
use super::rows::Rows;
use crate::matmul::{Nothing, RowPanels, STEP, multiply_left, pack_left, scatter_four};
use crate::workspace::{HeadBuffers, LeafBuffers};

/// Sums in f32.
pub(super) struct Float32 {
    /// What queries are multiplied by: the exponentials, in base 2, need no factor of their own.
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
    fn pack_keys<S: Simd>(&self, s: S, out: &mut [f32], keys: &Rows<'_>, rows: RowPanels) {
        pack_left(s, out, keys.elements, (rows, 0), keys.head_dim, keys.stride);
    }

    #[inline(always)]
    fn pack_values<S: Simd>(
        &self,
        _: S,
        out: &mut [f32],
        values: &Rows<'_>,
        dims: RowPanels,
        _: &mut [f32],
    ) {
        for token in 0..values.count() {
            write_step::<S, f32>(out, values.row(token), dims, token);
        }
    }

    #[inline(always)]
    fn pack_queries<S: Simd>(
        &self,
        s: S,
        out: &mut [f32],
        queries: &Rows<'_>,
        width: usize,
        _: &mut [f32],
    ) {
        if in_squares::<S>(queries.head_dim) {
            return turn_into(s, out, queries, width, Some(self.factor));
        }
        if queries.count() < width {
            // Else what other queries left would be multiplied again and again, down to subnormals.
            out.fill(0.0);
        }
        for column in (0..queries.count()).step_by(STEP) {
            scatter_four(out, queries.four(column), width, column);
        }
        let factor = s.splat(self.factor);
        for lanes in out.chunks_exact_mut(S::LANES) {
            s.store(s.mul(s.load(lanes), factor), lanes);
        }
    }

    #[inline(always)]
    fn multiply<
        S: Simd,
        const R: usize,
        const V: usize,
        const N: usize,
        const P: usize,
        const BY_STEP: bool,
    >(
        s: S,
        left: &[f32],
        right: &[f32],
    ) -> [[S::Vector; N]; R] {
        let zeros = [[s.splat(0.0); N]; R];
        multiply_left::<S, f32, R, V, N, P, BY_STEP>(s, left, right, 0, zeros, &mut Nothing)
    }

    /// The exponentials are not divided by their sums: the results of the product are, which are
    /// fewer.
    #[inline(always)]
    fn weigh<'a, S: Simd, const V: usize, const N: usize>(
        &self,
        s: S,
        scores: &'a mut [f32],
        largest: [S::Vector; N],
        _: &'a mut [f32],
    ) -> (&'a [f32], [S::Vector; N]) {
        let mut factors = exponentials::<S, V, N>(s, scores, largest, None);
        for factor in &mut factors {
            *factor = s.div(s.splat(1.0), *factor);
        }
        (scores, factors)
    }
}
