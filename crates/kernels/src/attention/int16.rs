//! The products of a head in 16-bit integers, two in one instruction, with exact 32-bit sums.
//!
//! Queries, keys and values have one scale each for a head of a sequence. Queries and keys take as
//! many bits as leave room for the sum of `head_dim` products: 12.5 for 64. Values take 13, so that
//! weights may add up to 2^18: the largest has 15 bits, or less in a row of many weights alike.

use nervio_simd::Simd;

use super::Rows;
use super::head::Numbers;
use crate::math::exp2_to_one;
use crate::matmul::{RowPanels, STEP};
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

/// Most lanes of a vector on any level.
const MAX_LANES: usize = 16;

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
        // Not zero, which would lift the keys past the end out of minus infinity. A NaN stays.
        let factor = if factor < f32::MIN_POSITIVE { f32::MIN_POSITIVE } else { factor };
        Self { query, key, value: Scale::of(s, value, VALUE_LIMIT), factor }
    }

    #[inline(always)]
    fn pack_keys<S: Simd>(&self, s: S, out: &mut [Pair], keys: &Rows<'_>, width: usize) {
        let dim = keys.head_dim;
        let panels = out.chunks_exact_mut(dim.div_ceil(2) * width);
        for (panel, rows) in panels.zip(keys.elements.chunks(keys.stride * width)) {
            if rows.len() < keys.stride * (width - 1) {
                panel.fill([0; 2]);
            }
            for (column, row) in rows.chunks(keys.stride).enumerate() {
                let parts = row[..dim].chunks(S::LANES);
                for (part, out) in parts.zip(panel.chunks_mut(S::LANES / 2 * width)) {
                    let words = words(s, part, self.key.inverse);
                    let pairs = words.as_chunks::<2>().0;
                    for (out, pair) in out.chunks_exact_mut(width).zip(pairs) {
                        out[column] = *pair;
                    }
                }
            }
        }
    }

    #[inline(always)]
    fn pack_values<S: Simd>(
        &self,
        s: S,
        out: &mut [Pair],
        values: &Rows<'_>,
        depth: usize,
        width: usize,
    ) {
        for (panel, out) in out.chunks_exact_mut(depth * width).enumerate() {
            let first = panel * width;
            let columns = width.min(values.head_dim - first);
            let mut out = out.chunks_exact_mut(width);
            for (rows, out) in values.elements.chunks(2 * values.stride).zip(&mut out) {
                let even = &rows[first..first + columns];
                let odd = rows.get(values.stride + first..).map_or(&[][..], |row| &row[..columns]);
                out[columns.next_multiple_of(S::LANES)..].fill([0; 2]);
                for (v, out) in out.chunks_exact_mut(S::LANES).enumerate() {
                    let [even, odd] =
                        [even, odd].map(|row| row.get(v * S::LANES..).unwrap_or_default());
                    let even = words(s, even, self.value.inverse);
                    let odd = words(s, odd, self.value.inverse);
                    for (out, pair) in out.iter_mut().zip(even.iter().zip(&odd)) {
                        *out = [*pair.0, *pair.1];
                    }
                }
            }
            out.for_each(|out| out.fill([0; 2]));
        }
    }

    #[inline(always)]
    fn pack_queries<S: Simd>(
        &self,
        s: S,
        out: &mut [Pair],
        queries: &[f32],
        rows: RowPanels,
        shape: &Rows<'_>,
    ) {
        for (r, row) in queries.chunks(shape.stride).take(rows.start(1)).enumerate() {
            pack_row(s, out, &row[..shape.head_dim], self.query.inverse, r);
        }
    }

    #[inline(always)]
    fn multiply<S: Simd, const R: usize, const V: usize, const P: usize>(
        s: S,
        left: &[Pair],
        right: &[Pair],
    ) -> [[S::Vector; V]; R] {
        let width = V * S::LANES;
        let mut sums = [[s.splat_i32(0); V]; R];
        let mut rights = right.chunks(STEP * width);
        for left in left.as_chunks::<P>().0 {
            // Not zipped: two pointers that advance take fewer instructions than one index.
            let Some(right) = rights.next() else { break };
            if right.len() == STEP * width {
                for step in 0..STEP {
                    advance::<S, R, V, P>(s, left, step, &right[step * width..], &mut sums);
                }
            } else {
                for (step, right) in right.chunks_exact(width).enumerate() {
                    advance::<S, R, V, P>(s, left, step, right, &mut sums);
                }
            }
        }
        // No closure: it would not be compiled for the instruction set.
        let mut numbers = [[s.splat(0.0); V]; R];
        for (numbers, sums) in numbers.iter_mut().zip(&sums) {
            for (number, sum) in numbers.iter_mut().zip(sums) {
                *number = s.int_to_f32(*sum);
            }
        }
        numbers
    }

    #[inline(always)]
    fn weigh<S: Simd, const R: usize, const P: usize>(
        &self,
        s: S,
        scores: &mut [f32],
        weights: &mut [Pair],
    ) -> [f32; R] {
        let padded = scores.len() / S::TILE_ROWS;
        let factor = s.splat(self.factor);
        let mut factors = [0.0; R];
        for (r, row) in scores.chunks_exact_mut(padded).take(R).enumerate() {
            let mut largest = s.splat(f32::NEG_INFINITY);
            for scores in row.chunks_exact(S::LANES) {
                largest = s.max(largest, s.load(scores));
            }
            let maximum = s.splat(s.reduce_max(largest));
            let mut sums = s.splat(0.0);
            for scores in row.chunks_exact_mut(S::LANES) {
                // Not one multiply-add: beside a huge maximum its rounding would lift weights above 1.
                let e = exp2_to_one(s, s.mul(s.sub(s.load(scores), maximum), factor));
                sums = s.add(sums, e);
                s.store(e, scores);
            }
            // Each is rounded, by a half at most.
            let most = WEIGHT_TOTAL - padded as f32;
            let scale = (most / s.reduce_add(sums)).min(WORD_LIMIT);
            // Divided by what the rounded weights add up to, they are a softmax again.
            factors[r] = self.value.unit / pack_row(s, weights, row, scale, r);
        }
        factors
    }
}

/// Largest magnitude of queries and keys whose products, `head_dim` of them, add up to less than
/// 2^31.
fn score_limit(head_dim: usize) -> f32 {
    let most = (i32::MAX.cast_unsigned() as usize / head_dim.max(1)).isqrt();
    (most as f32).min(WORD_LIMIT)
}

/// One step of two numbers.
#[inline(always)]
fn advance<S: Simd, const R: usize, const V: usize, const P: usize>(
    s: S,
    left: &[Pair; P],
    step: usize,
    right: &[Pair],
    sums: &mut [[S::Int; V]; R],
) {
    let mut columns = [s.splat_i32(0); V];
    for (v, column) in columns.iter_mut().enumerate() {
        *column = s.load_pairs(&right[v * S::LANES..]);
    }
    for (r, row) in sums.iter_mut().enumerate() {
        let x = s.splat_pair(left[r * STEP + step]);
        for (sum, column) in row.iter_mut().zip(&columns) {
            *sum = s.dot_pairs(x, *column, *sum);
        }
    }
}

/// Up to a vector of numbers as integers, zeros behind a shorter slice.
#[inline(always)]
fn words<S: Simd>(s: S, from: &[f32], inverse: f32) -> [i16; MAX_LANES] {
    let mut words = [0; MAX_LANES];
    s.store_words(s.mul(s.load_partial(from), s.splat(inverse)), &mut words);
    words
}

/// Writes `row` as row `r` of a row panel, `[row / 2 / STEP][TILE_ROWS][STEP]`, zeros past its end;
/// returns the sum of its integers.
#[inline(always)]
fn pack_row<S: Simd>(s: S, panel: &mut [Pair], row: &[f32], inverse: f32, r: usize) -> f32 {
    let (block, inverse) = (STEP * S::TILE_ROWS, s.splat(inverse));
    // Two vectors at a time are whole groups of pairs on every level.
    let (at_once, groups) = (2 * S::LANES, S::LANES / STEP);
    let mut sums = s.splat_i32(0);
    let (whole, rest) = row.split_at(row.len() / at_once * at_once);
    let (panel, panel_rest) = panel.split_at_mut(whole.len() / at_once * groups * block);
    let blocks = panel.chunks_exact_mut(groups * block);
    for (part, blocks) in whole.chunks_exact(at_once).zip(blocks) {
        let low = s.round_to_i32(s.mul(s.load(part), inverse));
        let high = s.round_to_i32(s.mul(s.load(&part[S::LANES..]), inverse));
        sums = s.add_i32(sums, s.add_i32(low, high));
        s.store_words_by_eights([low, high], &mut blocks[r * STEP..], block);
    }
    if !rest.is_empty() {
        let low = s.round_to_i32(s.mul(s.load_partial(rest), inverse));
        let high = rest.get(S::LANES..).unwrap_or_default();
        let high = s.round_to_i32(s.mul(s.load_partial(high), inverse));
        sums = s.add_i32(sums, s.add_i32(low, high));
        let mut pairs = [[0; 2]; MAX_LANES];
        s.store_words_by_eights([low, high], &mut pairs, STEP);
        for (block, group) in panel_rest.chunks_exact_mut(block).zip(pairs.as_chunks::<STEP>().0) {
            block[r * STEP..][..STEP].copy_from_slice(group);
        }
    }
    s.reduce_add(s.int_to_f32(sums))
}
