//! One head of one sequence: `softmax(Q Kᵀ / √head_dim) V`, a few queries at a time.
//!
//! The queries of one register tile go through all keys, their scores become weights while they are
//! in the L1 or L2, and the weights go through all values. Both products are the tile of the matmul;
//! its left operand is what was packed last.

use nervio_simd::{Kernel, MatMut, Simd};

use super::Rows;
use crate::math::exp2_to_one;
use crate::matmul::{
    Ahead, MAX_WIDTH, RowPanels, STEP, by_rows, multiply, pack_columns, pack_keys, pack_left,
};
use crate::workspace::LeafBuffers;

/// The operands of one head and where its result goes.
pub(super) struct Head<'a, 'b, 'c> {
    pub(super) query: Rows<'a>,
    pub(super) key: Rows<'a>,
    pub(super) value: Rows<'a>,
    /// `1 / √head_dim`
    pub(super) scale: f32,
    /// `[tokens, head_dim]`
    pub(super) out: &'c mut MatMut<'b>,
    pub(super) buffers: &'c mut LeafBuffers,
}

impl Kernel for Head<'_, '_, '_> {
    type Output = ();
    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        // Constants of the leg: all branches but one fall away.
        match (S::TILE_ROWS, S::TILE_VECTORS) {
            (12, 2) => self.queries::<S, 2, { 12 * STEP }>(s),
            (6, 4) => self.queries::<S, 4, { 6 * STEP }>(s),
            (6, 2) => self.queries::<S, 2, { 6 * STEP }>(s),
            (6, 1) => self.queries::<S, 1, { 6 * STEP }>(s),
            _ => unreachable!("a leg's tile has a branch here"),
        }
    }
}

impl Head<'_, '_, '_> {
    /// Packs keys and values, then takes the queries of one tile after the other.
    #[inline(always)]
    fn queries<S: Simd, const V: usize, const P: usize>(self, s: S) {
        let Self { query, key, value, scale, out, buffers } = self;
        let (tokens, dim, width) = (out.rows(), out.columns(), V * S::LANES);
        let depth = tokens.next_multiple_of(STEP);
        let padded = tokens.next_multiple_of(width);
        // In base 2, so that the exponentials need no factor of their own.
        let factor = scale * std::f32::consts::LOG2_E;
        let keys = buffers.keys.first(padded * dim);
        pack_keys(keys, key.elements, dim, key.stride, width, factor);
        let values = buffers.values.first(depth * dim.next_multiple_of(width));
        pack_columns(values, value.elements, dim, value.stride, depth, width);
        let rows = RowPanels::new(tokens, S::TILE_ROWS);
        let panel_rows = RowPanels::new(S::TILE_ROWS, S::TILE_ROWS);
        let queries = buffers.queries.first(panel_rows.packed_len(dim));
        let mut tile = QueryTile {
            tokens,
            keys,
            values,
            queries,
            scores: buffers.scores.first(S::TILE_ROWS * padded),
            weights: buffers.left.first(panel_rows.packed_len(padded)),
        };
        for panel in 0..rows.count() {
            let (first, end) = (rows.start(panel), rows.start(panel + 1));
            let elements = &query.elements[first * query.stride..];
            let one = RowPanels::new(end - first, S::TILE_ROWS);
            pack_left(tile.queries, elements, one, dim, query.stride);
            let out = &mut out.block(first..end, 0..dim);
            by_rows!(end - first, P, R => tile.run::<S, R, V, P>(s, out));
        }
    }
}

/// The queries of one register tile, and all keys and values.
struct QueryTile<'a> {
    tokens: usize,
    /// `[tokens / width][head_dim][width]`, zeros past the end.
    keys: &'a [f32],
    /// `[head_dim / width][tokens, a multiple of STEP][width]`, zeros past the end.
    values: &'a [f32],
    /// `[head_dim / STEP][TILE_ROWS][STEP]`
    queries: &'a mut [f32],
    /// `[TILE_ROWS][tokens, a multiple of width]`
    scores: &'a mut [f32],
    /// `[tokens / STEP][TILE_ROWS][STEP]`, a multiple of width
    weights: &'a mut [f32],
}

impl QueryTile<'_> {
    /// Writes the result of `R` queries to `out`, `[R, head_dim]`.
    #[inline(always)]
    fn run<S: Simd, const R: usize, const V: usize, const P: usize>(
        &mut self,
        s: S,
        out: &mut MatMut<'_>,
    ) {
        let largest = self.score::<S, R, V, P>(s, out.columns());
        let sums = self.weigh::<S, R, P>(s, largest);
        self.gather::<S, R, V, P>(s, sums, out);
    }

    /// Scores of all keys, and in each lane the largest of its keys.
    #[inline(always)]
    fn score<S: Simd, const R: usize, const V: usize, const P: usize>(
        &mut self,
        s: S,
        dim: usize,
    ) -> [S::Vector; R] {
        let width = V * S::LANES;
        let padded = self.tokens.next_multiple_of(width);
        let mut largest = [s.splat(f32::NEG_INFINITY); R];
        for (panel, keys) in self.keys.chunks_exact(dim * width).enumerate() {
            let mut sums = multiply::<S, R, V, P>(s, self.queries, keys, Ahead::NOTHING);
            let first = panel * width;
            let missing = (first + width).saturating_sub(self.tokens);
            if missing > 0 {
                // Keys past the end weigh nothing.
                for sums in &mut sums {
                    hide_last::<S, V>(s, sums, missing);
                }
            }
            for (r, sums) in sums.iter().enumerate() {
                let row = &mut self.scores[r * padded + first..][..width];
                for (v, sum) in sums.iter().enumerate() {
                    largest[r] = s.max(largest[r], *sum);
                    s.store(*sum, &mut row[v * S::LANES..]);
                }
            }
        }
        largest
    }

    /// Exponentials of the scores, packed for the product with the values, and their sums.
    ///
    /// They are not divided by their sums: the results of that product are, which are fewer.
    #[inline(always)]
    fn weigh<S: Simd, const R: usize, const P: usize>(
        &mut self,
        s: S,
        largest: [S::Vector; R],
    ) -> [f32; R] {
        let padded = self.scores.len() / S::TILE_ROWS;
        let (blocks, _) = self.weights.as_chunks_mut::<P>();
        let mut totals = [0.0; R];
        for (r, row) in self.scores.chunks_exact(padded).take(R).enumerate() {
            let maximum = s.splat(s.reduce_max(largest[r]));
            let mut sums = s.splat(0.0);
            let mut lanes = [0.0; MAX_WIDTH];
            let blocks = blocks.chunks_exact_mut(S::LANES / STEP);
            for (scores, blocks) in row.chunks_exact(S::LANES).zip(blocks) {
                let e = exp2_to_one(s, s.sub(s.load(scores), maximum));
                sums = s.add(sums, e);
                s.store(e, &mut lanes);
                let quads = lanes.as_chunks::<STEP>().0;
                for (block, quad) in blocks.iter_mut().zip(quads) {
                    block[r * STEP..][..STEP].copy_from_slice(quad);
                }
            }
            totals[r] = s.reduce_add(sums);
        }
        totals
    }

    /// The weighted values, divided by the sums of the weights.
    #[inline(always)]
    fn gather<S: Simd, const R: usize, const V: usize, const P: usize>(
        &self,
        s: S,
        totals: [f32; R],
        out: &mut MatMut<'_>,
    ) {
        let (dim, width) = (out.columns(), V * S::LANES);
        let depth = self.tokens.next_multiple_of(STEP);
        for (panel, values) in self.values.chunks_exact(depth * width).enumerate() {
            let sums = multiply::<S, R, V, P>(
                s,
                &self.weights[..S::TILE_ROWS * depth],
                values,
                Ahead::NOTHING,
            );
            let first = panel * width;
            let columns = width.min(dim - first);
            for (r, sums) in sums.iter().enumerate() {
                let inverse = s.splat(1.0 / totals[r]);
                let row = &mut out.row(r)[first..first + columns];
                for (sum, row) in sums.iter().zip(row.chunks_mut(S::LANES)) {
                    s.store_partial(s.mul(*sum, inverse), row);
                }
            }
        }
    }
}

/// Makes the last `count` elements of a tile's row minus infinity.
#[inline(always)]
fn hide_last<S: Simd, const V: usize>(s: S, row: &mut [S::Vector; V], count: usize) {
    let mut lanes = [f32::NEG_INFINITY; MAX_WIDTH];
    let width = V * S::LANES;
    for (v, vector) in row.iter().enumerate() {
        s.store(*vector, &mut lanes[v * S::LANES..]);
    }
    lanes[width - count..width].fill(f32::NEG_INFINITY);
    for (v, vector) in row.iter_mut().enumerate() {
        *vector = s.load(&lanes[v * S::LANES..]);
    }
}
