//! The register tile: the innermost loop of the product.

use nervio_simd::{MatMut, Simd};

/// Rows of the register tile: with two 8-lane vectors a row, 12 sums hide the latency of two
/// fused multiply-adds a cycle and leave registers for the operands.
pub(crate) const ROWS: usize = 6;

/// Consecutive k of one row that lie side by side in a row panel, and steps of the unrolled loop.
pub(crate) const STEP: usize = 4;

/// Most elements of a tile's row on any level.
pub(crate) const MAX_WIDTH: usize = 32;

/// What the tile does beside multiplying: where its result goes and what is added to it.
pub(crate) struct Place<'a, 'b> {
    /// The block of the result that the tile lies in.
    pub(crate) out: &'a mut MatMut<'b>,
    /// The tile's first row and column in it.
    pub(crate) at: (usize, usize),
    /// Whether `out` holds the sums of earlier steps.
    pub(crate) parked: bool,
    /// `[V * LANES]`, added after the last step.
    pub(crate) bias: Option<&'a [f32]>,
    /// The tile's first row and those behind it, a stride apart; added after the last step.
    pub(crate) residual: Option<(&'a [f32], usize)>,
}

/// Bytes that will be needed soon, fetched into the cache a few lines at a time.
#[derive(Clone, Copy)]
pub(crate) struct Ahead<'a> {
    /// What is to be fetched while one tile is computed.
    pub(crate) bytes: &'a [u8],
    /// How much of it in each round of [`STEP`] steps: whole cache lines.
    pub(crate) share: usize,
    /// Whether it is needed within a few tiles: then it goes into the L1.
    pub(crate) soon: bool,
}

/// Bytes of a cache line.
pub(crate) const LINE: usize = 64;

impl Ahead<'_> {
    /// Fetches one share.
    #[inline(always)]
    pub(crate) fn fetch<S: Simd>(s: S, share: &[u8], soon: bool) {
        for line in share.chunks(LINE) {
            if soon {
                s.prefetch(&line[0]);
            } else {
                s.prefetch_later(&line[0]);
            }
        }
    }
}

/// Asks for the lines of the result that a tile will be written to.
#[inline(always)]
pub(crate) fn announce<S: Simd, const R: usize>(s: S, place: &mut Place<'_, '_>) {
    let (row, column) = place.at;
    for r in 0..R {
        s.prefetch(&place.out.row(row + r)[column]);
    }
}

/// Adds what was parked, the bias and the residual, in this order, and stores the tile.
#[inline(always)]
pub(crate) fn finish<S: Simd, const R: usize, const V: usize>(
    s: S,
    mut sums: [[S::Vector; V]; R],
    place: Place<'_, '_>,
) {
    let Place { out, at: (row, column), parked, bias, residual } = place;
    // Every loop over the sums has a constant length: they stay in registers only if each index
    // is known when the loops are unrolled.
    if parked {
        for (r, sums) in sums.iter_mut().enumerate() {
            add_to::<S, V>(s, sums, &out.row(row + r)[column..][..V * S::LANES]);
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
    for (r, sums) in sums.iter().enumerate() {
        let to = &mut out.row(row + r)[column..][..V * S::LANES];
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

/// The sums of one tile, each through its steps one after the other from zero.
///
/// `left` is `[steps / STEP][ROWS][STEP]`, of which the first `R` rows are used; `right` is
/// `[steps][V * LANES]`.
#[inline(always)]
pub(crate) fn multiply<S: Simd, const R: usize, const V: usize>(
    s: S,
    left: &[f32],
    right: &[f32],
    ahead: Ahead<'_>,
) -> [[S::Vector; V]; R] {
    let width = V * S::LANES;
    let mut sums = [[s.splat(0.0); V]; R];
    let (left, _) = left.as_chunks::<{ ROWS * STEP }>();
    let mut rounds = right.chunks_exact(STEP * width);
    let mut ahead_shares = ahead.bytes.chunks(ahead.share);
    for (left, right) in left.iter().zip(&mut rounds) {
        Ahead::fetch(s, ahead_shares.next().unwrap_or(&[]), ahead.soon);
        for step in 0..STEP {
            sums = advance::<S, R, V>(s, left, step, &right[step * width..][..width], sums);
        }
    }
    if let Some(left) = left.get(right.len() / (STEP * width)) {
        for (step, right) in rounds.remainder().chunks_exact(width).enumerate() {
            sums = advance::<S, R, V>(s, left, step, right, sums);
        }
    }
    sums
}

/// One step of k.
#[inline(always)]
fn advance<S: Simd, const R: usize, const V: usize>(
    s: S,
    left: &[f32; ROWS * STEP],
    step: usize,
    right: &[f32],
    mut sums: [[S::Vector; V]; R],
) -> [[S::Vector; V]; R] {
    let mut weights = [s.splat(0.0); V];
    for (v, weight) in weights.iter_mut().enumerate() {
        *weight = s.load(&right[v * S::LANES..]);
    }
    for (r, row) in sums.iter_mut().enumerate() {
        let x = s.splat(left[r * STEP + step]);
        for (sum, weight) in row.iter_mut().zip(&weights) {
            *sum = s.mul_add(x, *weight, *sum);
        }
    }
    sums
}
