//! One head of one sequence: `softmax(Q Kᵀ / √head_dim) V`, a few queries at a time.
//!
//! The queries of one register tile go through all keys, their scores become weights while they are
//! in the L1 or L2, and the weights go through all values. Both products are the tile of the matmul;
//! its left operand is what was packed last.

use nervio_simd::{Kernel, MatMut, Simd};

use super::Rows;
use crate::math::exp2_to_one;
use crate::matmul::{
    LINE, MAX_ROWS, MAX_WIDTH, Nothing, Place, RowPanels, STEP, by_rows, finish, multiply,
    pack_columns, pack_keys, pack_left,
};
use crate::workspace::LeafBuffers;

/// The operands of one head and where its result goes.
pub(super) struct Head<'a, 'b, 'c> {
    /// Queries, keys and values.
    pub(super) operands: [Rows<'a>; 3],
    /// Those of the head after this one, fetched in the meantime: their rows lie far apart, where
    /// the processor does not look ahead by itself.
    pub(super) next: Option<[Rows<'a>; 3]>,
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
        match (S::TILE_ROWS, S::TILE_VECTORS, S::LANES) {
            (12, 2, 16) => self.queries::<S, 2, 32, { 12 * STEP }>(s),
            (6, 4, 4) => self.queries::<S, 4, 16, { 6 * STEP }>(s),
            (6, 2, 8) => self.queries::<S, 2, 16, { 6 * STEP }>(s),
            (6, 1, 8) => self.queries::<S, 1, 8, { 6 * STEP }>(s),
            _ => unreachable!("a leg's tile has a branch here"),
        }
    }
}

impl Head<'_, '_, '_> {
    /// Packs keys and values, then takes the queries of one tile after the other. `W` is the width
    /// of a tile, `V` vectors; `P` the size of a round of its left operand.
    #[inline(always)]
    fn queries<S: Simd, const V: usize, const W: usize, const P: usize>(self, s: S) {
        let Self { operands: [query, key, value], next, scale, out, buffers } = self;
        let (tokens, dim) = (out.rows(), out.columns());
        let depth = tokens.next_multiple_of(STEP);
        let padded = tokens.next_multiple_of(W);
        // In base 2, so that the exponentials need no factor of their own.
        let factor = scale * std::f32::consts::LOG2_E;
        let keys = buffers.keys.first(padded * dim);
        pack_keys(keys, key.elements, dim, key.stride, W, factor);
        let values = buffers.values.first(depth * dim.next_multiple_of(W));
        pack_columns(s, values, value.elements, dim, value.stride, depth, W);
        let rows = RowPanels::new(tokens, S::TILE_ROWS);
        let panel_rows = RowPanels::new(S::TILE_ROWS, S::TILE_ROWS);
        let queries = buffers.queries.first(panel_rows.packed_len(dim));
        let scores = buffers.scores.first(S::TILE_ROWS * padded);
        let weights = buffers.left.first(panel_rows.packed_len(padded));
        let mut tile = QueryTile { tokens, keys, values, queries, scores, weights };
        for panel in 0..rows.count() {
            let (first, end) = (rows.start(panel), rows.start(panel + 1));
            for operand in next.iter().flatten() {
                fetch_rows(s, operand, (first, end));
            }
            let elements = &query.elements[first * query.stride..];
            let one = RowPanels::new(end - first, S::TILE_ROWS);
            pack_left(s, tile.queries, elements, one, dim, query.stride);
            let out = &mut out.block(first..end, 0..dim);
            by_rows!(end - first, P, R => tile.run::<S, R, V, W, P>(s, out));
        }
    }
}

/// Asks for the rows from `first` to before `end`, as far as there are any.
#[inline(always)]
fn fetch_rows<S: Simd>(s: S, rows: &Rows<'_>, (first, end): (usize, usize)) {
    let elements = rows.elements.get(first * rows.stride..).unwrap_or(&[]);
    for row in elements.chunks(rows.stride).take(end - first) {
        for line in row[..rows.head_dim].chunks(LINE / size_of::<f32>()) {
            s.prefetch_later(line.as_ptr().cast());
        }
    }
}

/// The queries of one register tile, and all keys and values.
struct QueryTile<'a> {
    tokens: usize,
    /// `[tokens / W][head_dim][W]`, zeros past the end.
    keys: &'a [f32],
    /// `[head_dim / W][tokens, a multiple of STEP][W]`, zeros past the end.
    values: &'a [f32],
    /// `[head_dim / STEP][TILE_ROWS][STEP]`
    queries: &'a mut [f32],
    /// `[TILE_ROWS][tokens, a multiple of W]`
    scores: &'a mut [f32],
    /// `[tokens / STEP][TILE_ROWS][STEP]`: the left operand of the second product.
    weights: &'a mut [f32],
}

impl QueryTile<'_> {
    /// Writes the result of `R` queries to `out`, `[R, head_dim]`.
    #[inline(always)]
    fn run<S: Simd, const R: usize, const V: usize, const W: usize, const P: usize>(
        &mut self,
        s: S,
        out: &mut MatMut<'_>,
    ) {
        self.score::<S, R, V, W, P>(s, out.columns());
        let totals = self.weigh::<S, R, P>(s);
        self.gather::<S, R, V, W, P>(s, totals, out);
    }

    /// Scores of all keys; those past the end are minus infinity.
    #[inline(always)]
    fn score<S: Simd, const R: usize, const V: usize, const W: usize, const P: usize>(
        &mut self,
        s: S,
        dim: usize,
    ) {
        let mut scores = MatMut::new(self.scores, self.tokens.next_multiple_of(W));
        for (panel, keys) in self.keys.chunks_exact(dim * W).enumerate() {
            let sums = multiply::<S, R, V, P>(s, self.queries, keys, Nothing);
            // Added like a bias: the keys past the end are zero, so their scores are.
            let mut mask = [0.0; W];
            let hidden = ((panel + 1) * W).saturating_sub(self.tokens);
            mask[W - hidden..].fill(f32::NEG_INFINITY);
            let bias = (hidden > 0).then_some(&mask[..]);
            let out = scores.tile(0, panel * W, W);
            finish::<S, R, V>(s, sums, Place { out, parked: false, bias, residual: None });
        }
    }

    /// The exponentials of the scores, packed for the product with the values, and their sums.
    ///
    /// They are not divided by their sums: the results of that product are, which are fewer.
    #[inline(always)]
    fn weigh<S: Simd, const R: usize, const P: usize>(&mut self, s: S) -> [f32; R] {
        let Self { scores, weights, .. } = self;
        let padded = scores.len() / S::TILE_ROWS;
        let mut totals = [0.0; R];
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
            totals[r] = s.reduce_add(sums);
        }
        totals
    }

    /// The weighted values, divided by the sums of the weights.
    #[inline(always)]
    fn gather<S: Simd, const R: usize, const V: usize, const W: usize, const P: usize>(
        &self,
        s: S,
        totals: [f32; R],
        out: &mut MatMut<'_>,
    ) {
        let depth = self.tokens.next_multiple_of(STEP);
        let weights = &self.weights[..S::TILE_ROWS * depth];
        for (panel, values) in self.values.chunks_exact(depth * W).enumerate() {
            let mut sums = multiply::<S, R, V, P>(s, weights, values, Nothing);
            for (sums, total) in sums.iter_mut().zip(totals) {
                let inverse = s.splat(1.0 / total);
                for sum in sums {
                    *sum = s.mul(*sum, inverse);
                }
            }
            let (first, columns) = (panel * W, W.min(out.columns() - panel * W));
            let place = |out| Place { out, parked: false, bias: None, residual: None };
            if columns == W {
                finish::<S, R, V>(s, sums, place(out.tile(0, first, W)));
                continue;
            }
            // Over the right edge: aside.
            let mut aside = [0.0; MAX_ROWS * MAX_WIDTH];
            let mut aside = MatMut::new(&mut aside, MAX_WIDTH);
            finish::<S, R, V>(s, sums, place(aside.tile(0, 0, W)));
            for r in 0..R {
                out.row(r)[first..].copy_from_slice(&aside.row(r)[..columns]);
            }
        }
    }
}
