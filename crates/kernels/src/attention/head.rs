//! One head of one sequence: `softmax(Q Kᵀ / √head_dim) V`, a few queries at a time.
//!
//! The queries of one register tile go through all keys, their scores become weights while they are
//! in the L1 or L2, and the weights go through all values. In which numbers the two products are
//! computed is said by [`Numbers`].

use std::marker::PhantomData;

use bytemuck::Pod;
use nervio_simd::{Kernel, MatMut, Simd};

use super::Rows;
use crate::matmul::{LINE, MAX_ROWS, MAX_WIDTH, Place, RowPanels, STEP, by_rows, finish};
use crate::workspace::{HeadBuffers, LeafBuffers};

/// The numbers in which the two products of a head are computed.
pub(super) trait Numbers: Sized {
    /// What a packed operand consists of.
    type Element: Pod;

    /// Consecutive numbers of the inner dimension that an element holds.
    const IN_ONE: usize;

    /// The buffers for such elements.
    fn buffers(buffers: &mut LeafBuffers) -> &mut HeadBuffers<Self::Element>;

    /// Looks at the queries, keys and values; `scale` is `1 / √head_dim`.
    fn of<S: Simd>(s: S, operands: &[Rows<'_>; 3], scale: f32) -> Self;

    /// Packs keys, as the right operand of the first product, into column panels of `width`.
    fn pack_keys<S: Simd>(&self, s: S, out: &mut [Self::Element], keys: &Rows<'_>, width: usize);

    /// Packs values, as the right operand of the second product, into column panels of `width` and
    /// `depth` elements.
    fn pack_values<S: Simd>(
        &self,
        s: S,
        out: &mut [Self::Element],
        values: &Rows<'_>,
        depth: usize,
        width: usize,
    );

    /// Packs the queries of one tile: `queries` from its first row on, `rows` one row panel.
    fn pack_queries<S: Simd>(
        &self,
        s: S,
        out: &mut [Self::Element],
        queries: &[f32],
        rows: RowPanels,
        shape: &Rows<'_>,
    );

    /// The sums of a tile, in units of the product's own.
    fn multiply<S: Simd, const R: usize, const V: usize, const P: usize>(
        s: S,
        left: &[Self::Element],
        right: &[Self::Element],
    ) -> [[S::Vector; V]; R];

    /// Turns `R` rows of scores into weights, packed for the product with the values; what the sums
    /// of that product have to be multiplied by is returned. The scores are spoilt.
    fn weigh<S: Simd, const R: usize, const P: usize>(
        &self,
        s: S,
        scores: &mut [f32],
        weights: &mut [Self::Element],
    ) -> [f32; R];
}

/// The operands of one head and where its result goes.
pub(super) struct Head<'a, 'b, 'c, N> {
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
    pub(super) numbers: PhantomData<N>,
}

impl<N: Numbers> Kernel for Head<'_, '_, '_, N> {
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

impl<N: Numbers> Head<'_, '_, '_, N> {
    /// Packs keys and values, then takes the queries of one tile after the other. `W` is the width
    /// of a tile, `V` vectors; `P` the size of a round of its left operand.
    #[inline(always)]
    fn queries<S: Simd, const V: usize, const W: usize, const P: usize>(self, s: S) {
        let Self { operands, next, scale, out, buffers, .. } = self;
        let numbers = N::of(s, &operands, scale);
        let [query, key, value] = &operands;
        let (tokens, dim) = (out.rows(), out.columns());
        let (depth, inner) = (tokens.div_ceil(N::IN_ONE), dim.div_ceil(N::IN_ONE));
        let (depth, padded) = (depth.next_multiple_of(STEP), tokens.next_multiple_of(W));
        let HeadBuffers { keys, values, queries, weights, scores } = N::buffers(buffers);
        let keys = keys.first(padded * inner);
        numbers.pack_keys(s, keys, key, W);
        let values = values.first(depth * dim.next_multiple_of(W));
        numbers.pack_values(s, values, value, depth, W);
        let rows = RowPanels::new(tokens, S::TILE_ROWS);
        let panel_rows = RowPanels::new(S::TILE_ROWS, S::TILE_ROWS);
        let queries = queries.first(panel_rows.packed_len(inner));
        let weights = weights.first(panel_rows.packed_len(padded.div_ceil(N::IN_ONE)));
        let scores = scores.first(S::TILE_ROWS * padded);
        let mut tile =
            QueryTile { numbers, tokens, depth, inner, keys, values, queries, scores, weights };
        for panel in 0..rows.count() {
            let (first, end) = (rows.start(panel), rows.start(panel + 1));
            for operand in next.iter().flatten() {
                fetch_rows(s, operand, (first, end));
            }
            let elements = &query.elements[first * query.stride..];
            let one = RowPanels::new(end - first, S::TILE_ROWS);
            tile.numbers.pack_queries(s, tile.queries, elements, one, query);
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
struct QueryTile<'a, N: Numbers> {
    numbers: N,
    tokens: usize,
    /// Elements of the inner dimension of the second product, a multiple of [`STEP`].
    depth: usize,
    /// Elements of the inner dimension of the first product.
    inner: usize,
    /// `[tokens / W][inner][W]`, zeros past the end.
    keys: &'a [N::Element],
    /// `[head_dim / W][depth][W]`, zeros past the end.
    values: &'a [N::Element],
    /// `[inner / STEP][TILE_ROWS][STEP]`
    queries: &'a mut [N::Element],
    /// `[TILE_ROWS][tokens, a multiple of W]`
    scores: &'a mut [f32],
    /// `[depth / STEP][TILE_ROWS][STEP]`: the left operand of the second product.
    weights: &'a mut [N::Element],
}

impl<N: Numbers> QueryTile<'_, N> {
    /// Writes the result of `R` queries to `out`, `[R, head_dim]`.
    #[inline(always)]
    fn run<S: Simd, const R: usize, const V: usize, const W: usize, const P: usize>(
        &mut self,
        s: S,
        out: &mut MatMut<'_>,
    ) {
        self.score::<S, R, V, W, P>(s);
        let factors = self.numbers.weigh::<S, R, P>(s, self.scores, self.weights);
        self.gather::<S, R, V, W, P>(s, factors, out);
    }

    /// Scores of all keys; those past the end are minus infinity.
    #[inline(always)]
    fn score<S: Simd, const R: usize, const V: usize, const W: usize, const P: usize>(
        &mut self,
        s: S,
    ) {
        let mut scores = MatMut::new(self.scores, self.tokens.next_multiple_of(W));
        for (panel, keys) in self.keys.chunks_exact(self.inner * W).enumerate() {
            let sums = N::multiply::<S, R, V, P>(s, self.queries, keys);
            // Added like a bias: the keys past the end are zero, so their scores are.
            let mut mask = [0.0; W];
            let hidden = ((panel + 1) * W).saturating_sub(self.tokens);
            mask[W - hidden..].fill(f32::NEG_INFINITY);
            let bias = (hidden > 0).then_some(&mask[..]);
            let out = scores.tile(0, panel * W, W);
            finish::<S, R, V>(s, sums, Place { out, parked: false, bias, residual: None });
        }
    }

    /// The weighted values, each row times its factor.
    #[inline(always)]
    fn gather<S: Simd, const R: usize, const V: usize, const W: usize, const P: usize>(
        &self,
        s: S,
        factors: [f32; R],
        out: &mut MatMut<'_>,
    ) {
        let weights = &self.weights[..S::TILE_ROWS * self.depth];
        for (panel, values) in self.values.chunks_exact(self.depth * W).enumerate() {
            let mut sums = N::multiply::<S, R, V, P>(s, weights, values);
            for (sums, factor) in sums.iter_mut().zip(factors) {
                let factor = s.splat(factor);
                for sum in sums {
                    *sum = s.mul(*sum, factor);
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
