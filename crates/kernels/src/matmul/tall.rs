//! Weights in half precision and few rows: a tile as tall as there are rows, one vector wide.
//!
//! Weights are widened in registers, on their way to the products, instead of in a pass of its own:
//! once for each such tile.

use std::ops::Range;

use bytemuck::{Pod, cast_slice};
use nervio_simd::{Isa, Kernel, Simd};

use super::ahead::{Ahead, Lines};
use super::block::{DEPTH, Product};
use super::tile::{Place, STEP, Weight, by_rows, finish, lines_of_round, multiply_left};
use crate::parallel::Block;

/// Vectors in a row of a column panel.
const VECTORS: usize = 2;

/// Steps of a round times rows of the tile.
const ROUND: usize = 16 * STEP;

/// Computes one block of the result, as [`multiply_block`](super::block::multiply_block) does, from
/// rows packed for [`Simd::TALL_ROWS`] and whole column panels.
pub(crate) fn multiply_tall<T: Weight + Pod>(
    isa: Isa,
    product: &Product<'_>,
    left: &[f32],
    panels: &[T],
    block: Block<'_>,
) {
    isa.run_floats(MultiplyTall { product, left, panels, block });
}

struct MultiplyTall<'a, 'b, T> {
    product: &'a Product<'a>,
    /// Row panels, `[panels][k / STEP][16][STEP]`.
    left: &'a [f32],
    /// Column panels, `[panels][k][width]`.
    panels: &'a [T],
    block: Block<'b>,
}

impl<T: Weight + Pod> Kernel for MultiplyTall<'_, '_, T> {
    type Output = ();
    #[inline(always)]
    fn run<S: Simd>(mut self, s: S) {
        if S::TALL_ROWS * STEP != ROUND {
            unreachable!("only legs with a tall tile come here");
        }
        let Product { rows, depth, .. } = *self.product;
        let (first, count) = (self.block.row, self.block.out.rows());
        let width = VECTORS * S::LANES;
        let panel_len = width * depth;
        for column in (0..self.block.out.columns()).step_by(width) {
            let start = (self.block.column + column) / width * panel_len;
            let (panel, next) = self.panels[start..].split_at(panel_len);
            // The panel beside the block's last is most often what this thread computes next.
            let next: &[u8] = match &next[..panel_len.min(next.len())] {
                [] => self.product.then,
                next => cast_slice(next),
            };
            let mut ahead = Lines::new(next, panel, self.product.spread);
            ahead.share(VECTORS * depth.div_ceil(STEP), lines_of_round::<T>(width));
            for index in rows.at(first)..rows.at(first + count) {
                let tile = Tile { index, row: rows.start(index) - first, column, panel };
                self.rows::<S>(s, rows.start(index + 1) - rows.start(index), &tile, ahead);
            }
        }
    }
}

/// One row panel and one column panel.
struct Tile<'a, T> {
    index: usize,
    row: usize,
    column: usize,
    panel: &'a [T],
}

impl<T: Weight + Pod> MultiplyTall<'_, '_, T> {
    #[inline(always)]
    fn rows<S: Simd>(&mut self, s: S, rows: usize, tile: &Tile<'_, T>, ahead: Lines) {
        by_rows!(rows, ROUND, R => self.strips::<S, R>(s, tile, ahead));
        if let Some(activation) = self.product.epilogue.activation() {
            let (rows, width) = (tile.row..tile.row + rows, VECTORS * S::LANES);
            activation.apply(s, &mut self.block.out, rows, (tile.column, width));
        }
    }

    /// Both vectors of the column panel, one after the other.
    #[inline(always)]
    fn strips<S: Simd, const R: usize>(&mut self, s: S, tile: &Tile<'_, T>, mut ahead: Lines) {
        let Product { depth, columns, first_row, epilogue, .. } = *self.product;
        for strip in 0..VECTORS {
            let column = tile.column + strip * S::LANES;
            let at_column = self.block.column + column;
            let first = (first_row + self.block.row + tile.row) * columns + at_column;
            let mut start = 0;
            loop {
                let end = (start + DEPTH).min(depth);
                let right = &tile.panel[start * VECTORS * S::LANES..end * VECTORS * S::LANES];
                let left = &self.left[left_range(tile.index, start..end, depth)];
                let zeros = [[s.splat(0.0)]; R];
                let sums = multiply_left::<S, T, R, VECTORS, 1, ROUND, false>(
                    s, left, right, strip, zeros, &mut ahead,
                );
                let last = end == depth;
                let place = Place {
                    out: self.block.out.tile(tile.row, column, S::LANES),
                    parked: start > 0,
                    bias: epilogue.bias().filter(|_| last).map(|bias| &bias[at_column..]),
                    residual: epilogue
                        .residual()
                        .filter(|_| last)
                        .map(|residual| (&residual[first..], columns)),
                };
                finish::<S, R, 1>(s, sums, place);
                start = end;
                if last {
                    break;
                }
            }
        }
    }
}

/// Where these steps of a row panel lie.
fn left_range(panel: usize, steps: Range<usize>, depth: usize) -> Range<usize> {
    let first = panel * depth.next_multiple_of(STEP) * (ROUND / STEP);
    let at = |step: usize| first + step.next_multiple_of(STEP) * (ROUND / STEP);
    at(steps.start)..at(steps.end)
}
