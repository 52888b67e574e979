//! Column panels in half precision, widened to f32 some steps at a time.
//!
//! All rows meet the same few steps while these lie in the L1; widened whole, a wide panel of weights would be
//! pushed out to the L2 by its own end. Between two stretches of steps the sums of each tile wait in a buffer
//! and are gone on with, so that they have the order, and the bits, of those of one stretch.

use std::ops::Range;

use nervio_simd::Simd;

use super::ahead::Lines;
use super::block::{DEPTH, Left, Product, shares};
use super::packed_matrix::Panels;
use super::row_panels::RowPanels;
use super::steps::{Right, Steps};
use super::tile::{MAX_WIDTH, STEP, by_rows, multiply};
use crate::aligned::Aligned;

/// Steps of a column panel that are widened at a time: for the wide tile of AVX-512 16 KB, half of a small L1.
/// Narrower tiles, for which shorter stretches gain little or nothing, take a block of [`DEPTH`] whole.
fn steps_at_once(width: usize) -> usize {
    if width == MAX_WIDTH { 128 } else { DEPTH }
}

/// Where weights are widened, and where sums wait.
pub(crate) struct Room<'a> {
    /// `[steps][width]`
    weights: &'a mut [f32],
    /// `[tiles of rows][tile rows][width]`
    sums: &'a mut [f32],
}

impl<'a> Room<'a> {
    /// Room in `buffer` for that many tiles of rows; none if the weights need not be widened.
    pub(crate) fn new<S: Simd>(
        product: &Product<'_>,
        tiles: usize,
        width: usize,
        buffer: &'a mut Aligned<f32>,
    ) -> Self {
        let (weights, sums) = match product.panels {
            Panels::F32(_) | Panels::Int8(_) => (0, 0),
            Panels::F16(_) | Panels::BF16(_) => {
                (steps_at_once(width).min(product.depth) * width, tiles * S::TILE_ROWS * width)
            }
        };
        let (weights, sums) = buffer.first(weights + sums).split_at_mut(weights);
        Self { weights, sums }
    }
}

/// A column panel of which all stretches of steps but the last have been multiplied.
pub(crate) struct Begun<'a> {
    /// The last stretch; most often there is no other.
    pub(crate) steps: Steps,
    /// The column panel in those steps.
    pub(crate) right: Right<'a>,
    /// What of the memory that is needed next is still to be asked for.
    pub(crate) next: &'a [u8],
    /// Whether the result holds the sums of steps before the first stretch.
    pub(crate) parked: bool,
    /// Sums of the other stretches, `[tiles of rows][tile rows][width]`; empty if there is none.
    sums: &'a [f32],
}

impl Begun<'_> {
    /// The sums that tile `index` goes on with.
    #[inline(always)]
    pub(crate) fn sums<S: Simd, const R: usize, const V: usize>(
        &self,
        s: S,
        index: usize,
    ) -> [[S::Vector; V]; R] {
        if self.sums.is_empty() { [[s.splat(0.0); V]; R] } else { load(s, self.sums, index) }
    }
}

impl Product<'_> {
    /// Multiplies `tiles` of rows by column panel `panel` in all of `steps` but their last stretch. Weights
    /// that need not be widened have but one.
    #[inline(always)]
    pub(crate) fn begin<'a, S: Simd, const V: usize, const P: usize>(
        &self,
        s: S,
        steps: Steps,
        panel: usize,
        tiles: Range<usize>,
        next: &'a [u8],
        room: &'a mut Room<'_>,
    ) -> Begun<'a>
    where
        Self: 'a,
    {
        let width = V * S::LANES;
        let parked = steps.start > 0;
        let count = match self.panels {
            Panels::F32(_) | Panels::Int8(_) => 1,
            Panels::F16(_) | Panels::BF16(_) => steps.len().div_ceil(steps_at_once(width)).max(1),
        };
        let each = steps.len().div_ceil(count).next_multiple_of(STEP);
        let mut shares = shares(next, count);
        let mut rest = steps;
        while rest.len() > each {
            let stretch = Steps { end: rest.start + each, ..rest };
            let right = stretch.right(s, self.panels, panel, width, room.weights);
            let (fresh, next) = (rest.start == steps.start, shares.next().unwrap_or(&[]));
            let stretch = Stretch { product: self, steps: stretch, right, fresh };
            stretch.tiles::<S, V, P>(s, tiles.clone(), next, room.sums);
            rest.start += each;
        }
        let sums: &[f32] = if rest.start > steps.start { room.sums } else { &[] };
        let right = rest.right(s, self.panels, panel, width, room.weights);
        Begun { steps: rest, right, next: shares.next().unwrap_or(&[]), parked, sums }
    }
}

/// Some steps of a column panel that others follow.
struct Stretch<'a, 'b> {
    product: &'a Product<'b>,
    steps: Steps,
    right: Right<'a>,
    /// Whether no stretch came before it.
    fresh: bool,
}

impl Stretch<'_, '_> {
    #[inline(always)]
    fn tiles<S: Simd, const V: usize, const P: usize>(
        &self,
        s: S,
        tiles: Range<usize>,
        next: &[u8],
        sums: &mut [f32],
    ) {
        let rows: RowPanels = self.product.rows;
        let mut next = shares(next, tiles.len());
        for (index, panel) in tiles.enumerate() {
            let share = next.next().unwrap_or(&[]);
            let ahead = Lines::new(share, self.right.bytes(), self.product.spread);
            let count = rows.start(panel + 1) - rows.start(panel);
            by_rows!(count, P, R => self.tile::<S, R, V, P>(s, panel, ahead, (&mut *sums, index)));
        }
    }

    #[inline(always)]
    fn tile<S: Simd, const R: usize, const V: usize, const P: usize>(
        &self,
        s: S,
        panel: usize,
        ahead: Lines,
        (waiting, index): (&mut [f32], usize),
    ) {
        let (Left::Float(left), Right::Float(right)) = (self.product.left, self.right) else {
            unreachable!("only floats are widened")
        };
        let left = left.steps(&self.steps, panel, S::TILE_ROWS);
        let begun =
            if self.fresh { [[s.splat(0.0); V]; R] } else { load::<S, R, V>(s, waiting, index) };
        let sums = multiply::<S, R, V, P>(s, left, right, begun, ahead);
        let waiting = &mut waiting[index * S::TILE_ROWS * V * S::LANES..][..R * V * S::LANES];
        for (r, sums) in sums.iter().enumerate() {
            for (v, sum) in sums.iter().enumerate() {
                s.store(*sum, &mut waiting[(r * V + v) * S::LANES..]);
            }
        }
    }
}

/// The sums of tile `index`.
#[inline(always)]
fn load<S: Simd, const R: usize, const V: usize>(
    s: S,
    waiting: &[f32],
    index: usize,
) -> [[S::Vector; V]; R] {
    let waiting = &waiting[index * S::TILE_ROWS * V * S::LANES..][..R * V * S::LANES];
    let mut sums = [[s.splat(0.0); V]; R];
    for (r, sums) in sums.iter_mut().enumerate() {
        for (v, sum) in sums.iter_mut().enumerate() {
            *sum = s.load(&waiting[(r * V + v) * S::LANES..]);
        }
    }
    sums
}
