//! One head of one sequence: `softmax(Q Kᵀ / √head_dim) V`, one column panel of queries at a time.
//!
//! Both products are computed turned around, `S = K Qᵀ` and `Vᵀ P`: a query is a column, so each lane
//! of a vector has a softmax of its own. Nothing is added up across lanes, and the scores of the
//! first product, turned into weights (in f32 where they lie), are the right operand of the second.
//! In which numbers the two products are computed is said by [`Numbers`].

use std::marker::PhantomData;

use bytemuck::Pod;
use nervio_simd::{Kernel, MatMut, Simd};

use super::pack::write_turned;
use super::rows::Rows;
use crate::matmul::{LINE, RowPanels, STEP, by_rows};
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

    /// Packs keys, as the left operand of the first product, into row panels.
    fn pack_keys<S: Simd>(&self, s: S, out: &mut [Self::Element], keys: &Rows<'_>, rows: RowPanels);

    /// Packs values as the left operand of the second product, step by step: elements of the head are the
    /// rows of `dims`. Where elements are no `f32`, `aside` has room for some rows: [`STEP`], or as many as a
    /// vector has lanes if those are more.
    fn pack_values<S: Simd>(
        &self,
        s: S,
        out: &mut [Self::Element],
        values: &Rows<'_>,
        dims: RowPanels,
        aside: &mut [Self::Element],
    );

    /// Packs up to `width` queries as one column panel; columns without a query hold anything.
    fn pack_queries<S: Simd>(
        &self,
        s: S,
        out: &mut [Self::Element],
        queries: &Rows<'_>,
        width: usize,
        aside: &mut [Self::Element],
    );

    /// The sums of `R` rows and the first `N` of a panel's `V` vectors, in units of the product's own; `left`
    /// is packed as values are if `BY_STEP`, else as keys.
    fn multiply<
        S: Simd,
        const R: usize,
        const V: usize,
        const N: usize,
        const P: usize,
        const BY_STEP: bool,
    >(
        s: S,
        left: &[Self::Element],
        right: &[Self::Element],
    ) -> [[S::Vector; N]; R];

    /// Turns scores, `[tokens][V * LANES]`, into weights, the right operand of the second product, in
    /// place or in `weights`; also returns what the sums of that product have to be multiplied by.
    /// `largest` are the largest scores of each column.
    fn weigh<'a, S: Simd, const V: usize, const N: usize>(
        &self,
        s: S,
        scores: &'a mut [f32],
        largest: [S::Vector; N],
        weights: &'a mut [Self::Element],
    ) -> (&'a [Self::Element], [S::Vector; N]);
}

/// The operands of one head and where its result goes.
pub(super) struct Head<'a, 'b, 'c, T> {
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
    pub(super) numbers: PhantomData<T>,
}

impl<T: Numbers> Kernel for Head<'_, '_, '_, T> {
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

impl<T: Numbers> Head<'_, '_, '_, T> {
    /// Packs keys and values, then takes one column panel of queries after the other. `W` is the width
    /// of a panel, `V` vectors; `P` the size of a round of a tile's left operand.
    #[inline(always)]
    fn queries<S: Simd, const V: usize, const W: usize, const P: usize>(self, s: S) {
        let Self { operands, next, scale, out, buffers, .. } = self;
        let numbers = T::of(s, &operands, scale);
        let [query, key, value] = &operands;
        let (tokens, dim) = (out.rows(), out.columns());
        let (depth, inner) = (tokens.div_ceil(T::IN_ONE), dim.div_ceil(T::IN_ONE));
        let [rows, dims] = [tokens, dim].map(|rows| RowPanels::new(rows, S::TILE_ROWS));
        let HeadBuffers { keys, values, aside, queries, weights, scores, results } =
            T::buffers(buffers);
        // In f32 rows are packed where they lie, and weights take the place of scores.
        let needed = usize::from(T::IN_ONE > 1);
        let keys = keys.first(rows.packed_len(inner));
        numbers.pack_keys(s, keys, key, rows);
        let aside = aside.first(needed * STEP.max(S::LANES) * dim);
        let values = values.first(dims.packed_len(depth));
        numbers.pack_values(s, values, value, dims, aside);
        let queries = queries.first(inner * W);
        let weights = weights.first(needed * depth * W);
        let (scores, results) = (scores.first(tokens * W), results.first(dim * W));
        let mut panel =
            QueryPanel { numbers, rows, dims, keys, values, queries, scores, weights, results };
        for first in (0..tokens).step_by(W) {
            let count = W.min(tokens - first);
            for operand in next.iter().flatten() {
                fetch_rows(s, operand, first..first + count);
            }
            let part = query.part(first..first + count);
            panel.numbers.pack_queries(s, panel.queries, &part, W, aside);
            let out = &mut out.block(first..first + count, 0..dim);
            fetch_results(s, out);
            if count <= S::LANES {
                panel.run::<S, V, 1, W, P>(s, out);
            } else {
                panel.run::<S, V, V, W, P>(s, out);
            }
        }
    }
}

/// Asks for these rows, as far as there are any.
#[inline(always)]
fn fetch_rows<S: Simd>(s: S, rows: &Rows<'_>, range: std::ops::Range<usize>) {
    let elements = rows.elements.get(range.start * rows.stride..).unwrap_or(&[]);
    for row in elements.chunks(rows.stride).take(range.len()) {
        for line in row[..rows.head_dim].chunks(LINE / size_of::<f32>()) {
            s.prefetch_later(line.as_ptr().cast());
        }
    }
}

/// Asks for the rows that are to be written: the weights of other layers have gone by since they were near.
#[inline(always)]
fn fetch_results<S: Simd>(s: S, out: &mut MatMut<'_>) {
    for row in 0..out.rows() {
        let row = out.row(row);
        for line in row.chunks(LINE / size_of::<f32>()) {
            s.prefetch_later(line.as_ptr().cast());
        }
        // Rows need not begin on a line.
        s.prefetch_later(row[row.len() - 1..].as_ptr().cast());
    }
}

/// One column panel of `W` queries, and all keys and values. `inner` and `depth` are the elements in
/// which `head_dim` and the tokens are held: half as many, rounded up, where two numbers are in one.
struct QueryPanel<'a, T: Numbers> {
    numbers: T,
    /// How the keys are cut into row panels.
    rows: RowPanels,
    /// How the elements of a value are.
    dims: RowPanels,
    /// `[panels of keys][inner / STEP][TILE_ROWS][STEP]`
    keys: &'a [T::Element],
    /// `[panels of elements][depth, in whole rounds][TILE_ROWS]`
    values: &'a [T::Element],
    /// `[inner][W]`
    queries: &'a mut [T::Element],
    /// `[tokens][W]`
    scores: &'a mut [f32],
    /// `[depth][W]`; empty where weights take the place of scores.
    weights: &'a mut [T::Element],
    /// `[head_dim][W]`
    results: &'a mut [f32],
}

impl<T: Numbers> QueryPanel<'_, T> {
    /// Writes the results of the queries in the panel's first `N` vectors to `out`,
    /// `[queries, head_dim]`.
    #[inline(always)]
    fn run<S: Simd, const V: usize, const N: usize, const W: usize, const P: usize>(
        &mut self,
        s: S,
        out: &mut MatMut<'_>,
    ) {
        let largest = self.score::<S, V, N, W, P>(s);
        let Self { numbers, dims, values, scores, weights, results, .. } = self;
        let (weights, factors) = numbers.weigh::<S, V, N>(s, scores, largest, weights);
        for panel in 0..dims.count() {
            let (first, end) = (dims.start(panel), dims.start(panel + 1));
            let (values, results) =
                (panel_of(values, *dims, panel), &mut results[first * W..end * W]);
            by_rows!(end - first, P, R => {
                let mut sums = T::multiply::<S, R, V, N, P, true>(s, values, weights);
                for sums in &mut sums {
                    for (sum, factor) in sums.iter_mut().zip(&factors) {
                        *sum = s.mul(*sum, *factor);
                    }
                }
                store(s, &sums, results, W);
            });
        }
        write_turned::<S, W>(s, out, results);
    }

    /// Scores of all keys; returns the largest of each column.
    #[inline(always)]
    fn score<S: Simd, const V: usize, const N: usize, const W: usize, const P: usize>(
        &mut self,
        s: S,
    ) -> [S::Vector; N] {
        let mut largest = [s.splat(f32::NEG_INFINITY); N];
        for panel in 0..self.rows.count() {
            let (first, end) = (self.rows.start(panel), self.rows.start(panel + 1));
            let keys = panel_of(self.keys, self.rows, panel);
            let scores = &mut self.scores[first * W..end * W];
            by_rows!(end - first, P, R => {
                let sums = T::multiply::<S, R, V, N, P, false>(s, keys, self.queries);
                for sums in &sums {
                    for (largest, sum) in largest.iter_mut().zip(sums) {
                        *largest = s.max(*largest, *sum);
                    }
                }
                store(s, &sums, scores, W);
            });
        }
        largest
    }
}

/// Writes the rows of a tile, `stride` apart.
#[inline(always)]
fn store<S: Simd, const R: usize, const N: usize>(
    s: S,
    sums: &[[S::Vector; N]; R],
    to: &mut [f32],
    stride: usize,
) {
    // Loops of constant lengths: else the sums would not stay in registers.
    for (r, sums) in sums.iter().enumerate() {
        for (v, sum) in sums.iter().enumerate() {
            s.store(*sum, &mut to[r * stride + v * S::LANES..]);
        }
    }
}

/// Row panel `panel` of a packed left operand.
#[inline(always)]
fn panel_of<E>(packed: &[E], rows: RowPanels, panel: usize) -> &[E] {
    let len = packed.len() / rows.count();
    &packed[panel * len..][..len]
}
