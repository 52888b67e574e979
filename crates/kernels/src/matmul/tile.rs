//! The register tile: the innermost loop of the product.

use std::hint::black_box;

use half::{bf16, f16};
use nervio_simd::Simd;

use super::ahead::{Ahead, LINE};

/// Most rows of a register tile on any level: [`Simd::TILE_ROWS`].
pub(crate) const MAX_ROWS: usize = 12;

/// Consecutive k of one row that lie side by side in a row panel, and steps of the unrolled loop.
pub(crate) const STEP: usize = 4;

/// Most elements of a tile's row on any level.
pub(crate) const MAX_WIDTH: usize = 32;

/// What the tile does beside multiplying: where its result goes and what is added to it.
pub(crate) struct Place<'a, 'b, const R: usize> {
    /// The rows of the tile, `[V * LANES]` each.
    pub(crate) out: [&'b mut [f32]; R],
    /// Whether `out` holds the sums of earlier steps.
    pub(crate) parked: bool,
    /// `[V * LANES]`, added after the last step.
    pub(crate) bias: Option<&'a [f32]>,
    /// The tile's first row and those behind it, a stride apart; added after the last step.
    pub(crate) residual: Option<(&'a [f32], usize)>,
}

/// Runs `work` with the constant `R` equal to `rows`, which is at most a tile's; `P` is the number of
/// rows of the tile times [`STEP`], so that legs with short tiles have no tall ones.
macro_rules! by_rows {
    ($rows:expr, $P:ident, $R:ident => $work:expr) => {
        by_rows!(@ $rows, $P, $R, $work, [1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16])
    };
    (@ $rows:expr, $P:ident, $R:ident, $work:expr, [$($count:literal)*]) => {
        match $rows {
            $($count if $P >= $count * $crate::matmul::STEP => {
                const $R: usize = $count;
                $work
            })*
            _ => unreachable!("a row panel has at most the rows of a tile"),
        }
    };
}
pub(crate) use by_rows;

/// Adds what was parked, the bias and the residual, in this order, and stores the tile.
#[inline(always)]
pub(crate) fn finish<S: Simd, const R: usize, const V: usize>(
    s: S,
    mut sums: [[S::Vector; V]; R],
    place: Place<'_, '_, R>,
) {
    let Place { out, parked, bias, residual } = place;
    // Every loop over the sums has a constant length: they stay in registers only if each index
    // is known when the loops are unrolled.
    if parked {
        for (r, sums) in sums.iter_mut().enumerate() {
            add_to::<S, V>(s, sums, out[r]);
        }
    }
    if let Some(bias) = bias {
        for sums in &mut sums {
            add_to::<S, V>(s, sums, &bias[..V * S::LANES]);
        }
    }
    if let Some((residual, stride)) = residual {
        for (r, sums) in sums.iter_mut().enumerate() {
            add_to::<S, V>(s, sums, &residual[r * stride..][..V * S::LANES]);
        }
    }
    for (to, sums) in out.into_iter().zip(&sums) {
        for (v, sum) in sums.iter().enumerate() {
            s.store(*sum, &mut to[v * S::LANES..]);
        }
    }
}

#[inline(always)]
fn add_to<S: Simd, const V: usize>(s: S, sums: &mut [S::Vector; V], from: &[f32]) {
    for (v, sum) in sums.iter_mut().enumerate() {
        *sum = s.add(*sum, s.load(&from[v * S::LANES..]));
    }
}

/// What a panel of weights consists of: widened as it is read.
pub(crate) trait Weight: Copy {
    /// The first [`LANES`](Simd::LANES) elements of `from`.
    fn load<S: Simd>(s: S, from: &[Self]) -> S::Vector;
}

impl Weight for f32 {
    #[inline(always)]
    fn load<S: Simd>(s: S, from: &[f32]) -> S::Vector {
        s.load(from)
    }
}

impl Weight for f16 {
    #[inline(always)]
    fn load<S: Simd>(s: S, from: &[f16]) -> S::Vector {
        s.load_f16(from)
    }
}

impl Weight for bf16 {
    #[inline(always)]
    fn load<S: Simd>(s: S, from: &[bf16]) -> S::Vector {
        s.load_bf16(from)
    }
}

/// Lines that a round asks for: half of what it reads, so that two tiles of rows, or the two strips of a
/// tall one, fetch the whole next panel.
pub(crate) const fn lines_of_round<T>(width: usize) -> usize {
    STEP * width * size_of::<T>() / LINE / 2
}

/// The sums of one tile, each through its steps one after the other from what it is in `sums`.
///
/// `left` is `[steps / STEP][tile rows][STEP]`, of which the first `R` rows are used, with `P` the
/// product of the last two; `right` is `[steps][V * LANES]`.
#[inline(always)]
pub(crate) fn multiply<S: Simd, const R: usize, const V: usize, const P: usize>(
    s: S,
    left: &[f32],
    right: &[f32],
    sums: [[S::Vector; V]; R],
    mut ahead: impl Ahead,
) -> [[S::Vector; V]; R] {
    multiply_left::<S, f32, R, V, V, P, false>(s, left, right, 0, sums, &mut ahead)
}

/// [`multiply`] for `N` of the panel's `V` vectors, from vector `first` on; `left` is
/// `[steps][tile rows]` if `BY_STEP`.
///
/// Where a multiply-add can broadcast an element of `left` from memory as it goes, the element is not broadcast
/// beforehand: one instruction less for each element, and one load more for each vector but the first. So that
/// loads do not take longer than multiply-adds, one row of three does not do so. The compiler reads an element once,
/// unless it takes the memory for another: hence `left` a second time, behind [`black_box`].
#[inline(always)]
pub(crate) fn multiply_left<
    S: Simd,
    T: Weight,
    const R: usize,
    const V: usize,
    const N: usize,
    const P: usize,
    const BY_STEP: bool,
>(
    s: S,
    left: &[f32],
    right: &[T],
    first: usize,
    mut sums: [[S::Vector; N]; R],
    ahead: &mut impl Ahead,
) -> [[S::Vector; N]; R] {
    let width = V * S::LANES;
    let again = if reads_again::<S, N>() { black_box(left) } else { left };
    let [left, again] = [left, again].map(|left| left.as_chunks::<P>().0);
    let whole = right.len() / (STEP * width);
    let mut rights = right.chunks_exact(STEP * width);
    let mut agains = again.iter();
    for left in &left[..whole] {
        // Not zipped: pointers that advance take fewer instructions than one index, and an address of two
        // registers would split multiply-adds that broadcast into two.
        let Some(right) = rights.next() else { break };
        let again = if reads_again::<S, N>() { agains.next() } else { Some(left) };
        let Some(again) = again else { break };
        ahead.round(s, lines_of_round::<T>(width));
        let right = &right[first * S::LANES..][..(STEP - 1) * width + N * S::LANES];
        // Not a loop, which might be left as one.
        const { assert!(STEP == 4, "a call for each step") };
        sums = advance::<S, T, R, N, P, BY_STEP>(s, [left, again], 0, right, sums);
        sums = advance::<S, T, R, N, P, BY_STEP>(s, [left, again], 1, &right[width..], sums);
        sums = advance::<S, T, R, N, P, BY_STEP>(s, [left, again], 2, &right[2 * width..], sums);
        sums = advance::<S, T, R, N, P, BY_STEP>(s, [left, again], 3, &right[3 * width..], sums);
    }
    if let Some(left) = left.get(whole) {
        for (step, right) in rights.remainder().chunks(width).enumerate() {
            let right = &right[first * S::LANES..];
            sums = advance::<S, T, R, N, P, BY_STEP>(s, [left; 2], step, right, sums);
        }
    }
    sums
}

/// Where the element of row `r` at `step` is in a round of a left operand, [`multiply_left`].
#[inline(always)]
pub(crate) const fn place_in_round<const P: usize, const BY_STEP: bool>(
    r: usize,
    step: usize,
) -> usize {
    if BY_STEP { step * (P / STEP) + r } else { r * STEP + step }
}

/// One step of k; `left` is the same round twice.
#[inline(always)]
fn advance<
    S: Simd,
    T: Weight,
    const R: usize,
    const N: usize,
    const P: usize,
    const BY_STEP: bool,
>(
    s: S,
    left: [&[f32; P]; 2],
    step: usize,
    right: &[T],
    mut sums: [[S::Vector; N]; R],
) -> [[S::Vector; N]; R] {
    let mut weights = [s.splat(0.0); N];
    for (v, weight) in weights.iter_mut().enumerate() {
        *weight = T::load(s, &right[v * S::LANES..]);
    }
    let at = |r: usize| place_in_round::<P, BY_STEP>(r, step);
    let (threes, rest) = sums.as_chunks_mut::<3>();
    let taken = 3 * threes.len();
    for (index, [a, b, c]) in threes.iter_mut().enumerate() {
        let first = 3 * index;
        advance_row::<S, N, P, true>(s, left, at(first), &weights, a);
        advance_row::<S, N, P, true>(s, left, at(first + 1), &weights, b);
        advance_row::<S, N, P, false>(s, left, at(first + 2), &weights, c);
    }
    for (index, row) in rest.iter_mut().enumerate() {
        advance_row::<S, N, P, true>(s, left, at(taken + index), &weights, row);
    }
    sums
}

/// Whether some elements are read again for the vectors after the first, of which there are `N` in all.
const fn reads_again<S: Simd, const N: usize>() -> bool {
    S::EMBEDDED_BROADCAST && N > 1
}

/// One step of a row, whose element is at `at` in the round: read for the first vector, and `AGAIN` for the
/// others where that takes fewer instructions.
#[inline(always)]
fn advance_row<S: Simd, const N: usize, const P: usize, const AGAIN: bool>(
    s: S,
    left: [&[f32; P]; 2],
    at: usize,
    weights: &[S::Vector; N],
    sums: &mut [S::Vector; N],
) {
    let x = s.splat(left[0][at]);
    sums[0] = s.mul_add(x, weights[0], sums[0]);
    let x = if reads_again::<S, N>() && AGAIN { s.splat(left[1][at]) } else { x };
    for (sum, weight) in sums[1..].iter_mut().zip(&weights[1..]) {
        *sum = s.mul_add(x, *weight, *sum);
    }
}
