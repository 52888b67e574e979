//! The products of a head in 16-bit integers, two in one instruction, with exact 32-bit sums.
//!
//! Queries, keys and values have one scale each for a head of a sequence. Queries and keys take as
//! many bits as leave room for the sum of `head_dim` products: 12.5 for 64. Values take 13, so that
//! weights may add up to 2^18: the largest has 15 bits, or less beside many others like it.

use bytemuck::{cast_slice, cast_slice_mut};
use nervio_simd::{MAX_LANES, Simd};

use super::exponentials::exponentials;
use super::head::Numbers;
use super::pack::{in_squares, turn_into, write_step};
use super::rows::Rows;
use crate::matmul::{RowPanels, STEP, place_in_round, scatter_four};
use crate::workspace::{HeadBuffers, LeafBuffers};

/// Two neighbours of the inner dimension.
type Pair = [i16; 2];

/// The longest sequence whose weights leave room in their sums.
pub(super) const LONGEST: usize = 1 << 16;

/// Largest magnitude of a value.
const VALUE_LIMIT: f32 = 8191.0;

/// What the weights of a query may add up to: with values, less than 2^31.
const WEIGHT_TOTAL: f32 = 262_144.0;

/// Largest 16-bit integer.
const WORD_LIMIT: f32 = 32_767.0;

/// Sums in 32-bit integers.
pub(super) struct Int16 {
    query: Scale,
    key: Scale,
    value: Scale,
    /// What a score is multiplied by to be an exponent of 2.
    factor: f32,
}

/// How numbers become integers and back.
#[derive(Clone, Copy)]
struct Scale {
    /// What an integer stands for; not a number if one of the numbers is not finite.
    unit: f32,
    inverse: f32,
}

impl Scale {
    /// The scale that takes the largest of the rows to `limit`.
    #[inline(always)]
    fn of<S: Simd>(s: S, rows: &Rows<'_>, limit: f32) -> Self {
        let zero = s.splat(0.0);
        let (mut largest, mut poison) = (zero, zero);
        for row in rows.elements.chunks(rows.stride) {
            let mut parts = row[..rows.head_dim].chunks_exact(S::LANES);
            for part in &mut parts {
                let x = s.load(part);
                largest = s.max(largest, s.abs(x));
                // Zero times a number is zero; times an infinity or NaN it is NaN, and stays.
                poison = s.mul_add(x, zero, poison);
            }
            if !parts.remainder().is_empty() {
                let x = s.load_partial(parts.remainder());
                largest = s.max(largest, s.abs(x));
                poison = s.mul_add(x, zero, poison);
            }
        }
        let largest = s.reduce_max(largest) + s.reduce_add(poison);
        if largest.is_nan() {
            return Self { unit: f32::NAN, inverse: 0.0 };
        }
        // Below this the inverse would be none.
        if largest < f32::MIN_POSITIVE * limit {
            return Self { unit: 0.0, inverse: 0.0 };
        }
        Self { unit: largest / limit, inverse: limit / largest }
    }
}

impl Numbers for Int16 {
    type Element = Pair;
    const IN_ONE: usize = 2;

    #[inline(always)]
    fn buffers(buffers: &mut LeafBuffers) -> &mut HeadBuffers<Pair> {
        &mut buffers.int16
    }

    #[inline(always)]
    fn of<S: Simd>(s: S, [query, key, value]: &[Rows<'_>; 3], scale: f32) -> Self {
        let limit = score_limit(query.head_dim);
        let (query, key) = (Scale::of(s, query, limit), Scale::of(s, key, limit));
        let factor = query.unit * key.unit * scale * std::f32::consts::LOG2_E;
        Self { query, key, value: Scale::of(s, value, VALUE_LIMIT), factor }
    }

    #[inline(always)]
    fn pack_keys<S: Simd>(&self, s: S, out: &mut [Pair], keys: &Rows<'_>, rows: RowPanels) {
        let len = out.len() / rows.count();
        for (panel, out) in out.chunks_exact_mut(len).enumerate() {
            let first = rows.start(panel);
            for row in first..rows.start(panel + 1) {
                pack_row(s, out, keys.row(row), self.key.inverse, row - first);
            }
        }
    }

    #[inline(always)]
    fn pack_values<S: Simd>(
        &self,
        s: S,
        out: &mut [Pair],
        values: &Rows<'_>,
        dims: RowPanels,
        pairs: &mut [Pair],
    ) {
        let dim = values.head_dim;
        let (pairs, last) = (&mut pairs[..dim], values.count() - 1);
        for (step, token) in (0..=last).step_by(2).enumerate() {
            // Past the end any row will do: its weight is zero.
            let (even, odd) = (values.row(token), values.row((token + 1).min(last)));
            pair_rows(s, even, odd, self.value.inverse, pairs);
            write_step::<S, Pair>(out, pairs, dims, step);
        }
    }

    #[inline(always)]
    fn pack_queries<S: Simd>(
        &self,
        s: S,
        out: &mut [Pair],
        queries: &Rows<'_>,
        width: usize,
        pairs: &mut [Pair],
    ) {
        let inner = out.len() / width;
        if in_squares::<S>(inner) {
            for first in (0..queries.count()).step_by(S::LANES) {
                let count = S::LANES.min(queries.count() - first);
                let pairs = &mut pairs[..count * inner];
                for (row, out) in pairs.chunks_exact_mut(inner).enumerate() {
                    pair_row(s, queries.row(first + row), self.query.inverse, out);
                }
                let rows = Rows::together(cast_slice(pairs), inner);
                turn_into(s, cast_slice_mut(&mut out[first..]), &rows, width, None);
            }
            return;
        }
        let pairs = &mut pairs[..STEP * inner];
        // What is in columns without a query is not looked at.
        for column in (0..queries.count()).step_by(STEP) {
            for (row, out) in queries.four(column).iter().zip(pairs.chunks_exact_mut(inner)) {
                pair_row(s, row, self.query.inverse, out);
            }
            scatter_four(out, four_of(pairs, inner), width, column);
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
        left: &[Pair],
        right: &[Pair],
    ) -> [[S::Vector; N]; R] {
        let width = V * S::LANES;
        let mut sums = [[s.splat_i32(0); N]; R];
        let mut rights = right.chunks(STEP * width);
        for left in left.as_chunks::<P>().0 {
            // Not zipped: two pointers that advance take fewer instructions than one index.
            let Some(right) = rights.next() else { break };
            if right.len() == STEP * width {
                for step in 0..STEP {
                    advance::<S, R, N, P, BY_STEP>(
                        s,
                        left,
                        step,
                        &right[step * width..],
                        &mut sums,
                    );
                }
            } else {
                for (step, right) in right.chunks_exact(width).enumerate() {
                    advance::<S, R, N, P, BY_STEP>(s, left, step, right, &mut sums);
                }
            }
        }
        // No closure: it would not be compiled for the instruction set.
        let mut numbers = [[s.splat(0.0); N]; R];
        for (numbers, sums) in numbers.iter_mut().zip(&sums) {
            for (number, sum) in numbers.iter_mut().zip(sums) {
                *number = s.int_to_f32(*sum);
            }
        }
        numbers
    }

    #[inline(always)]
    fn weigh<'a, S: Simd, const V: usize, const N: usize>(
        &self,
        s: S,
        scores: &'a mut [f32],
        largest: [S::Vector; N],
        weights: &'a mut [Pair],
    ) -> (&'a [Pair], [S::Vector; N]) {
        let width = V * S::LANES;
        let sums = exponentials::<S, V, N>(s, scores, largest, Some(self.factor));
        // Each is rounded, by a half at most; the other half is more than their sum is off.
        let most = s.splat(WEIGHT_TOTAL - (scores.len() / width) as f32);
        let mut scales = [s.splat(0.0); N];
        for (scale, sum) in scales.iter_mut().zip(&sums) {
            *scale = s.min(s.splat(WORD_LIMIT), s.div(most, *sum));
        }
        let mut totals = [s.splat_i32(0); N];
        for (rows, weights) in scores.chunks(2 * width).zip(weights.chunks_exact_mut(width)) {
            for v in 0..N {
                let even = s.load(&rows[v * S::LANES..]);
                let even = s.round_to_i32(s.mul(even, scales[v]));
                let mut odd = s.splat_i32(0);
                if rows.len() > width {
                    let row = &rows[width + v * S::LANES..];
                    odd = s.round_to_i32(s.mul(s.load(row), scales[v]));
                }
                totals[v] = s.add_i32(totals[v], s.add_i32(even, odd));
                s.store_pairs(even, odd, &mut weights[v * S::LANES..]);
            }
        }
        // Divided by what the rounded weights add up to, they are a softmax again.
        let mut factors = [s.splat(0.0); N];
        for v in 0..N {
            let factor = s.div(s.splat(self.value.unit), s.int_to_f32(totals[v]));
            // Zero times a sum is zero; a sum that is no number stays one.
            factors[v] = s.mul_add(sums[v], s.splat(0.0), factor);
        }
        (weights, factors)
    }
}

/// Largest magnitude of queries and keys whose products, `head_dim` of them, add up to less than
/// 2^31.
fn score_limit(head_dim: usize) -> f32 {
    let most = (i32::MAX.cast_unsigned() as usize / head_dim.max(1)).isqrt();
    (most as f32).min(WORD_LIMIT)
}

/// Four rows of `len` pairs.
#[inline(always)]
fn four_of(pairs: &[Pair], len: usize) -> [&[Pair]; STEP] {
    let (first, second) = pairs.split_at(2 * len);
    let (a, b) = first.split_at(len);
    let (c, d) = second.split_at(len);
    [a, b, c, &d[..len]]
}

/// One step of two numbers.
#[inline(always)]
fn advance<S: Simd, const R: usize, const N: usize, const P: usize, const BY_STEP: bool>(
    s: S,
    left: &[Pair; P],
    step: usize,
    right: &[Pair],
    sums: &mut [[S::Int; N]; R],
) {
    let mut columns = [s.splat_i32(0); N];
    for (v, column) in columns.iter_mut().enumerate() {
        *column = s.load_pairs(&right[v * S::LANES..]);
    }
    for (r, row) in sums.iter_mut().enumerate() {
        let x = s.splat_pair(left[place_in_round::<P, BY_STEP>(r, step)]);
        for (sum, column) in row.iter_mut().zip(&columns) {
            *sum = s.dot_pairs(x, *column, *sum);
        }
    }
}

/// Neighbours in a row side by side as integers, a zero behind an odd end.
#[inline(always)]
fn pair_row<S: Simd>(s: S, row: &[f32], inverse: f32, out: &mut [Pair]) {
    let inverse = s.splat(inverse);
    let (out, mut parts) = (cast_slice_mut::<_, i16>(out), row.chunks_exact(S::LANES));
    let (whole, rest) = out.split_at_mut(row.len() / S::LANES * S::LANES);
    for (part, out) in (&mut parts).zip(whole.chunks_exact_mut(S::LANES)) {
        s.store_words(s.mul(s.load(part), inverse), out);
    }
    if !rest.is_empty() {
        let mut words = [0; MAX_LANES];
        s.store_words(s.mul(s.load_partial(parts.remainder()), inverse), &mut words);
        rest.copy_from_slice(&words[..rest.len()]);
    }
}

/// Two rows as integers, what is in the same place side by side.
#[inline(always)]
fn pair_rows<S: Simd>(s: S, even: &[f32], odd: &[f32], inverse: f32, out: &mut [Pair]) {
    let inverse = s.splat(inverse);
    let mut outs = out.chunks_exact_mut(S::LANES);
    let (mut evens, mut odds) = (even.chunks_exact(S::LANES), odd.chunks_exact(S::LANES));
    for (out, (even, odd)) in (&mut outs).zip((&mut evens).zip(&mut odds)) {
        let even = s.round_to_i32(s.mul(s.load(even), inverse));
        let odd = s.round_to_i32(s.mul(s.load(odd), inverse));
        s.store_pairs(even, odd, out);
    }
    let rest = outs.into_remainder();
    if !rest.is_empty() {
        let even = s.round_to_i32(s.mul(s.load_partial(evens.remainder()), inverse));
        let odd = s.round_to_i32(s.mul(s.load_partial(odds.remainder()), inverse));
        let mut pairs = [[0; 2]; MAX_LANES];
        s.store_pairs(even, odd, &mut pairs);
        rest.copy_from_slice(&pairs[..rest.len()]);
    }
}

/// Writes `row` as row `r` of a row panel, `[row / 2 / STEP][TILE_ROWS][STEP]`, zeros past its end.
#[inline(always)]
fn pack_row<S: Simd>(s: S, panel: &mut [Pair], row: &[f32], inverse: f32, r: usize) {
    let (block, inverse) = (STEP * S::TILE_ROWS, s.splat(inverse));
    // Two vectors at a time are whole groups of pairs on every level.
    let (at_once, groups) = (2 * S::LANES, S::LANES / STEP);
    let (whole, rest) = row.split_at(row.len() / at_once * at_once);
    let (panel, panel_rest) = panel.split_at_mut(whole.len() / at_once * groups * block);
    let blocks = panel.chunks_exact_mut(groups * block);
    for (part, blocks) in whole.chunks_exact(at_once).zip(blocks) {
        let low = s.round_to_i32(s.mul(s.load(part), inverse));
        let high = s.round_to_i32(s.mul(s.load(&part[S::LANES..]), inverse));
        s.store_words_by_eights([low, high], &mut blocks[r * STEP..], block);
    }
    if !rest.is_empty() {
        let low = s.round_to_i32(s.mul(s.load_partial(rest), inverse));
        let high = rest.get(S::LANES..).unwrap_or_default();
        let high = s.round_to_i32(s.mul(s.load_partial(high), inverse));
        let mut pairs = [[0; 2]; MAX_LANES];
        s.store_words_by_eights([low, high], &mut pairs, STEP);
        for (block, group) in panel_rest.chunks_exact_mut(block).zip(pairs.as_chunks::<STEP>().0) {
            block[r * STEP..][..STEP].copy_from_slice(group);
        }
    }
}
