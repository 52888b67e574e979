//! 8-bit products: unsigned activations with a scale and a zero point for each token, signed
//! weights with a scale for each row of the matrix, 32-bit sums.
//!
//! An activation is `scale * (q - zero)` with `q` a byte, a weight `scale * w` with `w` within
//! ±[`Simd::INT8_LIMIT`]. So `sum(x * y) = scale * scale * (sum(q * w) - zero * sum(w))`, where the
//! last sum is known when the weights are packed. Where four products are added in 32 bits at once
//! (VNNI, NEON's dot product) both take all eight bits. `vpmaddubsw` of AVX2 and AVX-512 adds two in
//! 16 bits: seven bits on both sides leave room for two more ([`Simd::dot_quad_pairs`]), which saves
//! one multiplication of four.
//!
//! Scales are per token, so that a token's result depends on its own numbers alone: in any batch,
//! beside any neighbours, it has the same bits.

use nervio_simd::{Isa, Kernel, MAX_LANES, Simd};

use super::ahead::{Ahead, LINE};
use super::row_panels::RowPanels;
use super::tile::STEP;

/// What turns the bytes of one row of activations back into numbers: `scale * (q - zero)`.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct RowScale {
    pub(crate) scale: f32,
    pub(crate) zero: i32,
}

/// Borrowed column panels of 8-bit weights.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Int8Panels<'a> {
    /// `[panels][k / STEP][width][STEP]`
    pub(crate) values: &'a [i8],
    /// `[panels * width]`
    pub(crate) scales: &'a [f32],
    /// The sum of each row of the weights, `[panels * width]`.
    pub(crate) sums: &'a [i32],
}

/// One column panel.
#[derive(Clone, Copy)]
pub(crate) struct Int8Panel<'a> {
    pub(crate) values: &'a [i8],
    pub(crate) scales: &'a [f32],
    pub(crate) sums: &'a [i32],
}

/// The left operand in bytes, in the row panels of [`pack_left`](super::pack_left).
#[derive(Clone, Copy, Debug)]
pub(crate) struct Int8Left<'a> {
    /// `[panels][k / STEP][tile rows][STEP]`
    pub(crate) values: &'a [u8],
    /// `[panels][tile rows]`
    pub(crate) scales: &'a [RowScale],
}

/// Quantises the left operand, `[rows, k]`, into row panels. Bytes of rows and steps past the end
/// are zero. A row with a number that is not finite gets a scale that is not a number.
pub(crate) fn quantize_left(
    isa: Isa,
    values: &mut [u8],
    scales: &mut [RowScale],
    left: &[f32],
    rows: RowPanels,
    k: usize,
) {
    if k == 0 {
        return;
    }
    let scales = scales.chunks_exact_mut(rows.tile_rows());
    let panels = values.chunks_exact_mut(rows.panel_len(k)).zip(scales);
    for (panel, (values, scales)) in panels.enumerate() {
        let rows = &left[rows.start(panel) * k..rows.start(panel + 1) * k];
        isa.run(QuantizePanel { values, scales, rows, k });
    }
}

/// Quantises the left operand, `[rows, k]`, row by row; `k` is not zero and a multiple of the lanes. The
/// numbers are those of [`quantize_left`].
pub(crate) fn quantize_rows(
    isa: Isa,
    values: &mut [u8],
    scales: &mut [RowScale],
    left: &[f32],
    k: usize,
) {
    isa.run(QuantizeRows { values, scales, left, k });
}

struct QuantizeRows<'a> {
    values: &'a mut [u8],
    scales: &'a mut [RowScale],
    left: &'a [f32],
    k: usize,
}

impl Kernel for QuantizeRows<'_> {
    type Output = ();
    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        let rows = self.left.chunks_exact(self.k).zip(self.values.chunks_exact_mut(self.k));
        for ((row, values), to) in rows.zip(self.scales) {
            let (scale, inverse) = row_scale(s, row);
            *to = scale;
            let (inverse, zero) = (s.splat(inverse), s.splat(scale.zero as f32));
            let chunks = row.chunks_exact(S::LANES).zip(values.chunks_exact_mut(S::LANES));
            for (chunk, bytes) in chunks {
                s.store_bytes(s.mul_add(s.load(chunk), inverse, zero), bytes);
            }
        }
    }
}

struct QuantizePanel<'a> {
    values: &'a mut [u8],
    scales: &'a mut [RowScale],
    rows: &'a [f32],
    k: usize,
}

impl Kernel for QuantizePanel<'_> {
    type Output = ();
    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        self.values.fill(0);
        for (r, row) in self.rows.chunks_exact(self.k).enumerate() {
            let (scale, inverse) = row_scale(s, row);
            self.scales[r] = scale;
            let (inverse, zero) = (s.splat(inverse), s.splat(scale.zero as f32));
            let mut bytes = [0_u8; 2 * MAX_LANES];
            // Two vectors at a time are a whole number of quads on every level.
            let mut chunks = row.chunks_exact(2 * S::LANES);
            let mut blocks = self.values.chunks_mut(2 * S::LANES * S::TILE_ROWS);
            for (chunk, blocks) in (&mut chunks).zip(&mut blocks) {
                for (v, part) in chunk.chunks_exact(S::LANES).enumerate() {
                    let x = s.mul_add(s.load(part), inverse, zero);
                    s.store_bytes(x, &mut bytes[v * S::LANES..]);
                }
                // Of lengths known when compiled, so that every store has an address of its own.
                let block = STEP * S::TILE_ROWS;
                let last = (2 * S::LANES / STEP - 1) * block;
                let blocks = &mut blocks[r * STEP..][..last + STEP];
                for quad in 0..2 * S::LANES / STEP {
                    blocks[quad * block..][..STEP].copy_from_slice(&bytes[quad * STEP..][..STEP]);
                }
            }
            let rest = chunks.remainder();
            if let (false, Some(blocks)) = (rest.is_empty(), blocks.next()) {
                for (v, part) in rest.chunks(S::LANES).enumerate() {
                    let x = s.mul_add(s.load_partial(part), inverse, zero);
                    s.store_bytes(x, &mut bytes[v * S::LANES..]);
                }
                bytes[rest.len()..].fill(0);
                store_bytes_by_quads::<S>(&bytes[..rest.len().next_multiple_of(STEP)], blocks, r);
            }
        }
    }
}

/// Writes the bytes of some steps of row `r` to a row panel.
#[inline(always)]
fn store_bytes_by_quads<S: Simd>(bytes: &[u8], blocks: &mut [u8], r: usize) {
    let quads = bytes.as_chunks::<STEP>().0;
    for (block, quad) in blocks.chunks_exact_mut(STEP * S::TILE_ROWS).zip(quads) {
        block[r * STEP..][..STEP].copy_from_slice(quad);
    }
}

/// The scale of a row, from its smallest to its largest number and zero, and its inverse.
#[inline(always)]
fn row_scale<S: Simd>(s: S, row: &[f32]) -> (RowScale, f32) {
    let zero = s.splat(0.0);
    let (mut low, mut high, mut poison) = (zero, zero, zero);
    let (whole, rest) = row.split_at(row.len() / S::LANES * S::LANES);
    for chunk in whole.chunks_exact(S::LANES) {
        let x = s.load(chunk);
        low = s.min(low, x);
        high = s.max(high, x);
        // Zero times a number is zero; times an infinity or NaN it is NaN, and stays.
        poison = s.mul_add(x, zero, poison);
    }
    let x = s.load_partial(rest);
    (low, high, poison) = (s.min(low, x), s.max(high, x), s.mul_add(x, zero, poison));
    let (low, high) = (s.reduce_min(low), s.reduce_max(high));
    let scale = (high - low) / f32::from(S::BYTE_STEPS) + s.reduce_add(poison);
    if scale.is_nan() || scale.is_infinite() {
        return (RowScale { scale: f32::NAN, zero: 0 }, 0.0);
    }
    if scale < f32::MIN_POSITIVE {
        return (RowScale { scale: 0.0, zero: 0 }, 0.0);
    }
    #[allow(clippy::cast_possible_truncation, reason = "between 0 and BYTE_STEPS")]
    let zero = (-low / scale).round_ties_even() as i32 + S::BYTE_LOW;
    (RowScale { scale, zero }, 1.0 / scale)
}

/// The sums of one tile as numbers.
///
/// `left` is `[steps / STEP][TILE_ROWS][STEP]`, of which the first `R` rows are used, with `P` the
/// product of the last two; `right` is `[steps / STEP][V * LANES][STEP]`.
#[inline(always)]
pub(crate) fn multiply_int8<S: Simd, const R: usize, const V: usize, const P: usize>(
    s: S,
    left: &[u8],
    rows: &[RowScale],
    right: Int8Panel<'_>,
    mut ahead: impl Ahead,
) -> [[S::Vector; V]; R] {
    let mut sums = [[s.splat_i32(0); V]; R];
    let (left, _) = left.as_chunks::<P>();
    let strips = V / S::INT8_VECTORS.min(V);
    let rounds = strips * left.len().div_ceil(quads_at_once::<S>());
    ahead.share(rounds, lines_of_round::<S>(V) / strips);
    if S::INT8_VECTORS < V {
        assert_eq!((V, S::INT8_VECTORS), (2, 1), "a panel of two vectors, taken one by one");
        let strips = [
            add_up::<S, R, V, 1, P, 0>(s, left, right.values, &mut ahead),
            add_up::<S, R, V, 1, P, 1>(s, left, right.values, &mut ahead),
        ];
        for (v, strip) in strips.iter().enumerate() {
            for (sums, [strip]) in sums.iter_mut().zip(strip) {
                sums[v] = *strip;
            }
        }
    } else {
        sums = add_up::<S, R, V, V, P, 0>(s, left, right.values, &mut ahead);
    }
    to_numbers::<S, R, V>(s, sums, rows, right)
}

/// Lines of a panel of `vectors` vectors that are read in a round: all are asked for.
#[inline(always)]
fn lines_of_round<S: Simd>(vectors: usize) -> usize {
    quads_at_once::<S>() * vectors * S::LANES * STEP / LINE
}

/// The numbers that the sums of a tile stand for.
#[inline(always)]
pub(crate) fn to_numbers<S: Simd, const R: usize, const V: usize>(
    s: S,
    sums: [[S::Int; V]; R],
    rows: &[RowScale],
    right: Int8Panel<'_>,
) -> [[S::Vector; V]; R] {
    let mut numbers = [[s.splat(0.0); V]; R];
    for v in 0..V {
        let totals = s.load_i32(&right.sums[v * S::LANES..]);
        let scales = s.load(&right.scales[v * S::LANES..]);
        for r in 0..R {
            let exact = s.sub_product_i32(sums[r][v], s.splat_i32(rows[r].zero), totals);
            let scale = s.mul(s.splat(rows[r].scale), scales);
            numbers[r][v] = s.mul(s.int_to_f32(exact), scale);
        }
    }
    numbers
}

/// The sums of `N` of the panel's `V` vectors, from vector `F` on.
#[inline(always)]
fn add_up<
    S: Simd,
    const R: usize,
    const V: usize,
    const N: usize,
    const P: usize,
    const F: usize,
>(
    s: S,
    left: &[[u8; P]],
    right: &[i8],
    ahead: &mut impl Ahead,
) -> [[S::Int; N]; R] {
    let quad = V * S::LANES * STEP;
    let lines = lines_of_round::<S>(V) * N / V;
    let mut sums = [[s.splat_i32(0); N]; R];
    let (rounds, singles) =
        if adds_pairs::<S>() { left.as_chunks::<QUADS>() } else { (&[][..], left) };
    let mut rights = right.chunks_exact(QUADS * quad);
    for left in rounds {
        let Some(right) = rights.next() else { break };
        ahead.round(s, lines);
        for at in [0, 2] {
            let second = load::<S, N, F>(s, &right[(at + 1) * quad..]);
            let weights = [load::<S, N, F>(s, &right[at * quad..]), second];
            for (r, row) in sums.iter_mut().enumerate() {
                let bytes = [row_quad(s, &left[at], r), row_quad(s, &left[at + 1], r)];
                for (v, sum) in row.iter_mut().enumerate() {
                    *sum = s.dot_quad_pairs(bytes, [weights[0][v], weights[1][v]], *sum);
                }
            }
        }
    }
    let mut rights = right[QUADS * rounds.len() * quad..].chunks_exact(quad);
    for left in singles {
        let Some(right) = rights.next() else { break };
        ahead.round(s, lines);
        let weights = load::<S, N, F>(s, right);
        for (r, row) in sums.iter_mut().enumerate() {
            let bytes = row_quad(s, left, r);
            for (sum, weights) in row.iter_mut().zip(&weights) {
                *sum = s.dot_quads(bytes, *weights, *sum);
            }
        }
    }
    sums
}

/// Quads that a round of the loop takes where they are added in pairs.
const QUADS: usize = 4;

/// Whether quads are added in pairs, which is what fewer steps of the bytes are for.
const fn adds_pairs<S: Simd>() -> bool {
    S::BYTE_STEPS < u8::MAX
}

/// Quads that a round of the loop takes.
const fn quads_at_once<S: Simd>() -> usize {
    if adds_pairs::<S>() { QUADS } else { 1 }
}

/// A quad of weights for each lane of `N` vectors, from vector `F` on.
#[inline(always)]
fn load<S: Simd, const N: usize, const F: usize>(s: S, right: &[i8]) -> [S::Int; N] {
    let mut weights = [s.splat_i32(0); N];
    for (v, weights) in weights.iter_mut().enumerate() {
        *weights = s.load_quads(&right[(F + v) * S::LANES * STEP..]);
    }
    weights
}

/// The quad of row `r` in every lane.
#[inline(always)]
fn row_quad<S: Simd, const P: usize>(s: S, left: &[u8; P], r: usize) -> S::Int {
    s.splat_quad(left.as_chunks::<STEP>().0[r])
}

/// The scalar reference of [`quantize_left`] for one row: its bytes, and what turns them back.
#[cfg(test)]
fn quantize_row_reference(row: &[f32], steps: f32) -> (Vec<u8>, f32, i32) {
    let low = row.iter().copied().fold(0.0_f32, f32::min);
    let high = row.iter().copied().fold(0.0_f32, f32::max);
    let scale = (high - low) / steps;
    let zero = (-low / scale).round_ties_even();
    let byte = |x: &f32| (x.mul_add(1.0 / scale, zero)).round_ties_even().clamp(0.0, 255.0) as u8;
    (row.iter().map(byte).collect(), scale, zero as i32)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Asks a leg for the least number of its bytes.
    struct ByteLow;

    impl Kernel for ByteLow {
        type Output = i32;
        #[inline(always)]
        fn run<S: Simd>(self, _: S) -> i32 {
            S::BYTE_LOW
        }
    }

    fn quantize(isa: Isa, row: &[f32]) -> (Vec<u8>, RowScale) {
        let panels = RowPanels::new(1, isa.tile_rows());
        let mut values = vec![9; panels.packed_len(row.len())];
        let mut scales = vec![RowScale::default(); panels.padded()];
        quantize_left(isa, &mut values, &mut scales, row, panels, row.len());
        let quads = values.chunks_exact(STEP * isa.tile_rows());
        let bytes: Vec<u8> = quads.flat_map(|quad| quad[..STEP].to_vec()).collect();
        assert!(bytes[row.len()..].iter().all(|byte| *byte == 0));
        (bytes[..row.len()].to_vec(), scales[0])
    }

    #[test]
    fn rows_are_quantised_as_the_reference_does() {
        for isa in Isa::supported() {
            for len in [1, 3, 4, 8, 15, 16, 17, 100, 769] {
                let row: Vec<f32> = (0..len).map(|i| (i as f32 * 0.7).sin() * 3.0 + 1.0).collect();
                let (mut bytes, mut scale) = quantize(isa, &row);
                // The reference counts from zero.
                let low = isa.run(ByteLow);
                bytes.iter_mut().for_each(|byte| *byte = byte.wrapping_sub(low as u8));
                scale.zero -= low;
                let (expected, factor, zero) =
                    quantize_row_reference(&row, f32::from(isa.byte_steps()));
                assert_eq!((scale.scale, scale.zero), (factor, zero), "{isa} {len}");
                for (a, b) in bytes.iter().zip(&expected) {
                    // Without a fused multiply-add a tie may go the other way.
                    assert!(a.abs_diff(*b) <= 1, "{isa} {len}: {a} and {b}");
                }
                for (byte, x) in bytes.iter().zip(&row) {
                    let back = scale.scale * (i32::from(*byte) - scale.zero) as f32;
                    assert!((back - x).abs() <= scale.scale * 1.01, "{isa}: {x} became {back}");
                }
            }
        }
    }

    #[test]
    fn zeros_stay_zero_and_what_is_not_finite_is_not_hidden() {
        for isa in Isa::supported() {
            assert_eq!(quantize(isa, &[0.0; 20]).1, RowScale { scale: 0.0, zero: 0 });
            assert_eq!(quantize(isa, &[-0.0, 1e-45]).1.scale, 0.0);
            for bad in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
                for at in [0, 8, 19] {
                    let mut row = [1.0; 20];
                    row[at] = bad;
                    assert!(quantize(isa, &row).1.scale.is_nan(), "{isa}: {bad} at {at}");
                }
            }
        }
    }
}
