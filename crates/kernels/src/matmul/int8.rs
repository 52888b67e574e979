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

use nervio_simd::{Simd, Tiles};

use super::ahead::{Ahead, LINE};
use super::tile::STEP;

/// What turns the bytes of one row of activations back into numbers: `scale * (q - zero)`.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct RowScale {
    pub(crate) scale: f32,
    pub(crate) zero: i32,
}

impl RowScale {
    /// What numbers are multiplied by to become bytes: 0 for a row of zeros, or with a number that is not finite.
    #[inline(always)]
    pub(crate) fn inverse(self) -> f32 {
        if self.scale > 0.0 { 1.0 / self.scale } else { 0.0 }
    }
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

impl<'a> Int8Panels<'a> {
    /// The panel that begins with `column`, of panels of 32.
    pub(crate) fn panel(self, column: usize) -> Int8Panel<'a> {
        let columns = column..column + Tiles::COLUMNS;
        let depth = self.values.len() / self.sums.len();
        Int8Panel {
            values: &self.values[columns.start * depth..columns.end * depth],
            scales: &self.scales[columns.clone()],
            sums: &self.sums[columns],
        }
    }
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
