//! The register tile: the innermost loop of the product.

use nervio_simd::Simd;

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

/// Bytes that will be needed soon, fetched into the cache while a tile is computed.
#[derive(Clone, Copy)]
pub(crate) struct Ahead<'a> {
    /// What is to be fetched while one tile is computed.
    pub(crate) bytes: &'a [u8],
    /// Whether it is needed within a few tiles: then it is fetched into the L1, little by little.
    /// Else it is asked for at the start, into the L2.
    pub(crate) soon: bool,
}

/// Bytes of a cache line.
pub(crate) const LINE: usize = 64;

impl<'a> Ahead<'a> {
    /// Asks for all but what the rounds will ask for, two lines each.
    #[inline(always)]
    pub(crate) fn begin<S: Simd>(
        self,
        s: S,
        rounds: usize,
    ) -> std::slice::Iter<'a, [u8; 2 * LINE]> {
        let len = if self.soon { self.bytes.len().min(rounds * 2 * LINE) } else { 0 };
        let (later, rest) = self.bytes.split_at(len);
        for line in rest.chunks(LINE) {
            s.prefetch_later(&line[0]);
        }
        later.as_chunks().0.iter()
    }

    /// Asks for the next two lines.
    #[inline(always)]
    pub(crate) fn round<S: Simd>(s: S, lines: &mut std::slice::Iter<'a, [u8; 2 * LINE]>) {
        if let Some(pair) = lines.next() {
            s.prefetch(&pair[0]);
            s.prefetch(&pair[LINE]);
        }
    }
}

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

/// The sums of one tile, each through its steps one after the other from zero.
///
/// `left` is `[steps / STEP][TILE_ROWS][STEP]`, of which the first `R` rows are used, with `P` the
/// product of the last two; `right` is `[steps][V * LANES]`.
#[inline(always)]
pub(crate) fn multiply<S: Simd, const R: usize, const V: usize, const P: usize>(
    s: S,
    left: &[f32],
    right: &[f32],
    ahead: Ahead<'_>,
) -> [[S::Vector; V]; R] {
    let width = V * S::LANES;
    let mut sums = [[s.splat(0.0); V]; R];
    let (left, _) = left.as_chunks::<P>();
    // Zipped by value, so that one counter drives the loop.
    let rounds = left.iter().zip(right.chunks_exact(STEP * width));
    let mut lines = ahead.begin(s, left.len());
    if ahead.soon {
        for (left, right) in rounds {
            Ahead::round(s, &mut lines);
            sums = round::<S, R, V, P>(s, left, right, sums);
        }
    } else {
        for (left, right) in rounds {
            sums = round::<S, R, V, P>(s, left, right, sums);
        }
    }
    let whole = right.len() / (STEP * width);
    if let Some(left) = left.get(whole) {
        let rest = right[whole * STEP * width..].chunks_exact(width);
        for (step, right) in rest.enumerate() {
            sums = advance::<S, R, V, P>(s, left, step, right, sums);
        }
    }
    sums
}

/// [`STEP`] steps of k.
#[inline(always)]
fn round<S: Simd, const R: usize, const V: usize, const P: usize>(
    s: S,
    left: &[f32; P],
    right: &[f32],
    mut sums: [[S::Vector; V]; R],
) -> [[S::Vector; V]; R] {
    let width = V * S::LANES;
    for step in 0..STEP {
        sums = advance::<S, R, V, P>(s, left, step, &right[step * width..][..width], sums);
    }
    sums
}

/// One step of k.
#[inline(always)]
fn advance<S: Simd, const R: usize, const V: usize, const P: usize>(
    s: S,
    left: &[f32; P],
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
