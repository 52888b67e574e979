//! Column panels in half precision, widened to f32 some steps at a time.
//!
//! All rows meet the same few steps while these lie in the L1; widened whole, a wide panel of weights would be
//! pushed out to the L2 by its own end. Between two stretches of steps the sums of each tile wait in a buffer
//! and are gone on with, so that they have the order, and the bits, of those of one stretch.

use std::ops::Range;

use nervio_simd::{Isa, Simd};

use super::ahead::{Lines, shares};
use super::block::{DEPTH, Left, Product};
use super::packed_matrix::Panels;
use super::steps::{Right, Steps};
use super::tile::{STEP, by_rows, multiply};
use crate::aligned::Aligned;

/// Steps of a panel of weights in half precision that are widened at a time: 16 KB, a third of the L1, on a
/// core that multiplies fast. Others, which have time to read from the L2, take a whole block.
pub(crate) fn stretch(isa: Isa) -> usize {
    if isa.outruns_memory() { 128 } else { DEPTH }
}

/// Where weights are widened, and where sums wait.
pub(crate) struct Room<'a> {
    /// `[steps][width]`
    weights: &'a mut [f32],
    /// `[tiles of rows][tile rows][width]`
    sums: &'a mut [f32],
}

/// A column panel of which all stretches of steps but the last have been multiplied.
pub(crate) struct Begun<'a> {
    /// All stretches.
    pub(crate) all: Steps,
    /// The last stretch; most often there is no other.
    pub(crate) steps: Steps,
    /// The column panel in the last stretch.
    pub(crate) right: Right<'a>,
    /// What is to be asked for in all stretches.
    pub(crate) next: &'a [u8],
    /// Sums of the other stretches, `[tiles of rows][tile rows][width]`; empty if there is none.
    sums: &'a [f32],
}

impl<'a> Begun<'a> {
    /// A panel that is multiplied in one stretch.
    pub(crate) fn whole(steps: Steps, right: Right<'a>, next: &'a [u8]) -> Self {
        Self { all: steps, steps, right, next, sums: &[] }
    }

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
    /// Into how many stretches some steps are cut: weights that need not be widened have but one.
    #[inline(always)]
    fn stretches(&self, steps: &Steps) -> usize {
        match self.panels {
            Panels::F32(_) | Panels::Int8(_) => 1,
            Panels::F16(_) | Panels::BF16(_) => steps.len().div_ceil(self.stretch).max(1),
        }
    }

    /// Room in `buffer` for tiles of so many `rows` in all; none if the weights need not be widened.
    pub(crate) fn room<'a>(
        &self,
        rows: usize,
        width: usize,
        buffer: &'a mut Aligned<f32>,
    ) -> Room<'a> {
        let block = Steps { start: 0, end: self.depth.min(DEPTH), depth: self.depth };
        let weights = match self.panels {
            Panels::F32(_) | Panels::Int8(_) => 0,
            Panels::F16(_) | Panels::BF16(_) => self.stretch.min(block.len()) * width,
        };
        let sums = if self.stretches(&block) > 1 { rows * width } else { 0 };
        let (weights, sums) = buffer.first(weights + sums).split_at_mut(weights);
        Room { weights, sums }
    }

    /// Multiplies `tiles` of rows by column panel `panel` in all stretches of the steps `all` but the last.
    #[inline(always)]
    pub(crate) fn all_but_last<'a, S: Simd, const V: usize, const P: usize>(
        &self,
        s: S,
        all: Steps,
        panel: usize,
        tiles: Range<usize>,
        next: &'a [u8],
        room: &'a mut Room<'_>,
    ) -> Begun<'a>
    where
        Self: 'a,
    {
        let width = V * S::LANES;
        let each = all.len().div_ceil(self.stretches(&all)).next_multiple_of(STEP);
        let mut rest = all;
        while rest.len() > each {
            let steps = Steps { end: rest.start + each, ..rest };
            let right = steps.right(s, self.panels, panel, width, room.weights);
            let stretch = Stretch { product: self, all, steps, right };
            stretch.tiles::<S, V, P>(s, tiles.clone(), next, room.sums);
            rest.start += each;
        }
        let sums: &[f32] = if rest.start > all.start { room.sums } else { &[] };
        let right = rest.right(s, self.panels, panel, width, room.weights);
        Begun { all, steps: rest, right, next, sums }
    }
}

/// Some steps of a column panel that others follow.
struct Stretch<'a, 'b> {
    product: &'a Product<'b>,
    all: Steps,
    steps: Steps,
    right: Right<'a>,
}

impl Stretch<'_, '_> {
    #[inline(always)]
    fn tiles<S: Simd, const V: usize, const P: usize>(
        &self,
        s: S,
        tiles: Range<usize>,
        next: &[u8],
        waiting: &mut [f32],
    ) {
        let rows = self.product.rows;
        let shares = shares(next, self.right.bytes(), self.product.spread, tiles.len());
        for ((index, panel), ahead) in tiles.enumerate().zip(shares) {
            let ahead = self.steps.ahead(&self.all, ahead, V * S::LANES);
            let count = rows.start(panel + 1) - rows.start(panel);
            by_rows!(count, P, R => self.tile::<S, R, V, P>(s, (panel, index), ahead, waiting));
        }
    }

    #[inline(always)]
    fn tile<S: Simd, const R: usize, const V: usize, const P: usize>(
        &self,
        s: S,
        (panel, index): (usize, usize),
        ahead: Lines,
        waiting: &mut [f32],
    ) {
        let (Left::Float(left), Right::Float(right)) = (self.product.left, self.right) else {
            unreachable!("only floats are widened")
        };
        let left = left.steps(&self.steps, panel, S::TILE_ROWS);
        let first = self.steps.start == self.all.start;
        let sums = if first { [[s.splat(0.0); V]; R] } else { load(s, waiting, index) };
        store::<S, R, V>(s, multiply::<S, R, V, P>(s, left, right, sums, ahead), waiting, index);
    }
}

/// The sums of tile `index`, which wait.
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

/// Has the sums of tile `index` wait.
#[inline(always)]
fn store<S: Simd, const R: usize, const V: usize>(
    s: S,
    sums: [[S::Vector; V]; R],
    waiting: &mut [f32],
    index: usize,
) {
    let waiting = &mut waiting[index * S::TILE_ROWS * V * S::LANES..][..R * V * S::LANES];
    for (r, sums) in sums.iter().enumerate() {
        for (v, sum) in sums.iter().enumerate() {
            s.store(*sum, &mut waiting[(r * V + v) * S::LANES..]);
        }
    }
}

#[cfg(test)]
mod tests {
    use half::f16;
    use nervio_simd::MatMut;

    use super::*;
    use crate::matmul::block::{FloatLeft, multiply_block};
    use crate::matmul::{Epilogue, PackedMatrix, RowPanels, pack_rows};
    use crate::parallel::Block;

    /// Depths that stretches cut evenly, unevenly and not at all, one of several blocks, and none.
    const DEPTHS: [usize; 7] = [0, 3, 16, 129, 387, DEPTH, DEPTH + 35];

    #[test]
    fn stretches_of_any_length_give_the_bits_of_whole_panels() {
        let noise = |i: usize| (i * 7919 % 251) as f32 / 64.0 - 2.0;
        for (isa, k) in Isa::supported().flat_map(|isa| DEPTHS.map(|k| (isa, k))) {
            // The last column panel is over the edge, the last row panel shorter than a tile.
            let (m, n) = (29, 40);
            let fill = |row: usize, out: &mut [f16]| {
                out.iter_mut()
                    .enumerate()
                    .for_each(|(i, x)| *x = f16::from_f32(noise(row * k + i)));
            };
            let weights = PackedMatrix::pack(isa, n, k, fill, Vec::new());
            let left: Vec<f32> = (0..m * k).map(|i| noise(i + 5)).collect();
            let rows = RowPanels::new(m, isa.tile_rows());
            let mut values = vec![f32::NAN; rows.packed_len(k)];
            pack_rows(isa, &mut values, &left, rows, k, 1);
            let run = |stretch: usize| {
                let product = Product {
                    left: Left::Float(FloatLeft { values: &values, start: 0, len: k }),
                    panels: weights.panels(),
                    epilogue: &Epilogue::None,
                    rows,
                    first_row: 0,
                    depth: k,
                    columns: n,
                    stretch,
                    spread: stretch == STEP,
                    then: &[],
                };
                let mut out = vec![f32::NAN; m * n];
                let block = Block { out: MatMut::new(&mut out, n), row: 0, column: 0 };
                multiply_block(isa, &product, block, &mut Aligned::default());
                out
            };
            let whole = run(DEPTH);
            assert!(whole.iter().all(|x| x.is_finite()), "{isa} {k}");
            for stretch in [STEP, 12, 128, 500] {
                assert_eq!(run(stretch), whole, "{isa}: {k} steps, {stretch} at a time");
            }
        }
    }
}
