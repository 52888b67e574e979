//! 8-bit products by tile registers (AMX): the sums of a whole column panel at once.
//!
//! The processor multiplies 16 rows of 64 bytes with 16 columns of as many in 16 cycles, which is
//! eight times what its vectors do. Column panels are those of the vectors; rows lie in the tiles that are
//! loaded. Sums are exact, so results have the bits of `vpdpbusd`, wherever depth is cut.

use std::ops::Range;

use bytemuck::cast_slice;
use nervio_simd::{Isa, Kernel, Simd, Tiles};

use super::ahead::LINE;
use super::block::Product;
use super::int8::{Int8Panel, Int8Panels, RowScale, to_numbers};
use super::packed_matrix::{PackedMatrix, WeightKind};
use super::tile::{Place, finish};
use crate::aligned::Aligned;
use crate::parallel::Block;

/// Vectors in a row of a column panel.
const VECTORS: usize = 2;

/// Rows whose lines are asked for before they are finished, as long as a line takes to come.
const ROWS_AHEAD: usize = 8;

/// Rows that the activation takes at once: they are still in the L1.
const ACTIVATION_ROWS: usize = 8;

/// Steps of k at most for which many rows are multiplied by a panel before its next ones: those of 32 rows and of
/// the panel stay in the L1 together.
const CUT: usize = 512;

/// Rows that are multiplied at once: with no more than these, a panel is read but once.
const BLOCK_ROWS: usize = 2 * Tiles::ROWS;

/// The left operand in bytes, in tiles of 16 rows.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Int8Tiles<'a> {
    /// `[tiles][k / 64][16][64]`; the bytes of rows past the end do not matter.
    pub(crate) values: &'a [u8],
    /// `[tiles][16]`
    pub(crate) scales: &'a [RowScale],
}

/// The tiles, if the instruction set has them and the weights are cut as they need.
pub(crate) fn tiles_for(isa: Isa, weights: &PackedMatrix) -> Option<Tiles> {
    let steps = match weights.kind() {
        WeightKind::Int8 => Tiles::BYTE_STEPS,
        WeightKind::F32 | WeightKind::F16 | WeightKind::BF16 => Tiles::FLOAT_STEPS,
    };
    let whole = weights.depth() > 0
        && weights.depth().is_multiple_of(steps)
        && weights.rows().is_multiple_of(Tiles::COLUMNS)
        && weights.panel_width() == Tiles::COLUMNS;
    isa.tiles().filter(|_| whole)
}

/// Computes one block of the result, whose column panels are whole.
pub(crate) fn multiply_tiles(
    (isa, tiles): (Isa, Tiles),
    product: &Product<'_>,
    left: Int8Tiles<'_>,
    panels: Int8Panels<'_>,
    mut block: Block<'_>,
    sums: &mut Aligned<i32>,
) {
    let (depth, rows) = (product.depth, block.out.rows());
    assert!(block.row.is_multiple_of(Tiles::ROWS), "blocks begin with a tile of rows");
    let padded = rows.next_multiple_of(Tiles::ROWS);
    let sums = sums.first(padded * Tiles::COLUMNS);
    let values = &left.values[block.row * depth..(block.row + padded) * depth];
    let scales = &left.scales[block.row..block.row + rows];
    let then = cast_slice(product.then);
    let (panels_of, steps) = (panels.values, 0..depth);
    let sweep = ByteSweep { tiles, left: values, panels: panels_of, then, depth, steps };
    let _configured = tiles.configure();
    for column in (0..block.out.columns()).step_by(Tiles::COLUMNS) {
        let at_column = block.column + column;
        sweep.panel(at_column, rows, sums);
        let right = panels.panel(at_column);
        let end = PanelEnd { product, block: &mut block, column };
        isa.run(Finish { end, sums: [sums, &[]], scales, right });
    }
}

/// Rows in bytes that are multiplied by some steps of column panels.
pub(crate) struct ByteSweep<'a> {
    pub(crate) tiles: Tiles,
    /// The tiles of these steps, `[tiles][steps / 64][16][64]`.
    pub(crate) left: &'a [u8],
    /// All panels of the weights, `[panels][depth / 4][32][4]`.
    pub(crate) panels: &'a [i8],
    /// The panel that is read after the last, if it is known.
    pub(crate) then: &'a [i8],
    pub(crate) depth: usize,
    pub(crate) steps: Range<usize>,
}

impl ByteSweep<'_> {
    /// The sums of `rows` rows, `[rows][32]` with those that fill up the last tile, with the panel that begins with
    /// `column`.
    pub(crate) fn panel(&self, column: usize, rows: usize, sums: &mut [i32]) {
        let Self { tiles, left, panels, then, depth, ref steps } = *self;
        let panel_len = depth * Tiles::COLUMNS;
        let (panel, behind) = panels[column * depth..].split_at(panel_len);
        // The panel beside the last is most often what this thread computes next.
        let next = if behind.is_empty() { then } else { &behind[..panel_len.min(behind.len())] };
        for cut in cuts(steps.len(), rows) {
            let left = &left[cut.start * Tiles::ROWS..];
            let at = [cut.start, cut.end].map(|step| (steps.start + step) * Tiles::COLUMNS);
            let (right, next) = (&panel[at[0]..at[1]], next.get(at[0]..at[1]).unwrap_or(&[]));
            let left = (left, Tiles::ROWS * steps.len());
            tiles.multiply_bytes(left, right, (sums, cut.start == 0), next);
        }
    }
}

/// The steps of `depth` in about equal parts, in the order in which `rows` rows take them.
fn cuts(depth: usize, rows: usize) -> impl Iterator<Item = Range<usize>> {
    let tiles = depth / Tiles::BYTE_STEPS;
    let count = if rows <= BLOCK_ROWS { 1 } else { depth.div_ceil(CUT) };
    let at = move |cut: usize| cut * tiles / count * Tiles::BYTE_STEPS;
    (0..count).map(move |cut| at(cut)..at(cut + 1))
}

/// A column panel of a block of the result, to be finished.
pub(crate) struct PanelEnd<'a, 'b> {
    pub(crate) product: &'a Product<'a>,
    pub(crate) block: &'a mut Block<'b>,
    /// The panel's first column in the block.
    pub(crate) column: usize,
}

impl<'a> PanelEnd<'a, '_> {
    /// Adds what belongs to a row of sums, and stores it.
    #[inline(always)]
    pub(crate) fn row<S: Simd>(&mut self, s: S, row: usize, sums: [S::Vector; VECTORS]) {
        if VECTORS * S::LANES != Tiles::COLUMNS {
            unreachable!("only the leg with tiles comes here");
        }
        let at_column = self.block.column + self.column;
        let residual = self.residual(row);
        let place = Place {
            out: self.block.out.tile(row, self.column, Tiles::COLUMNS),
            parked: false,
            bias: self.product.epilogue.bias().map(|bias| &bias[at_column..][..Tiles::COLUMNS]),
            residual: residual.map(|residual| (residual, Tiles::COLUMNS)),
        };
        finish::<S, 1, VECTORS>(s, [sums], place);
    }

    /// The panel's columns of the residual of a row, if there is one.
    #[inline(always)]
    fn residual(&self, row: usize) -> Option<&'a [f32]> {
        let Product { epilogue, first_row, columns, .. } = *self.product;
        let at_column = self.block.column + self.column;
        let first = (first_row + self.block.row + row) * columns + at_column;
        epilogue.residual().map(|residual| &residual[first..][..Tiles::COLUMNS])
    }

    /// Asks for the lines of a row, if there is one. They lie a whole row from those of the next, which no
    /// processor foresees, and were last used a layer ago.
    #[inline(always)]
    fn ask<S: Simd>(&mut self, s: S, row: usize) {
        if row >= self.block.out.rows() {
            return;
        }
        let residual = self.residual(row).unwrap_or(&[]);
        let out = &self.block.out.row(row)[self.column..][..Tiles::COLUMNS];
        for lines in [out, residual] {
            for line in lines.chunks(LINE / size_of::<f32>()) {
                s.prefetch(&line[0]);
            }
        }
    }

    /// Applies the activation to the finished rows.
    #[inline(always)]
    pub(crate) fn activate<S: Simd>(self, s: S) {
        let Some(activation) = self.product.epilogue.activation() else { return };
        let count = self.block.out.rows();
        for row in (0..count).step_by(ACTIVATION_ROWS) {
            let rows = row..(row + ACTIVATION_ROWS).min(count);
            activation.apply(s, &mut self.block.out, rows, (self.column, VECTORS * S::LANES));
        }
    }
}

/// Turns the sums of one column panel into the result.
pub(crate) struct Finish<'a, 'b> {
    pub(crate) end: PanelEnd<'a, 'b>,
    /// `[rows][32]`; of the second half of the depth, if they were summed apart.
    pub(crate) sums: [&'a [i32]; 2],
    pub(crate) scales: &'a [RowScale],
    pub(crate) right: Int8Panel<'a>,
}

impl Finish<'_, '_> {
    /// Finishes a row.
    #[inline(always)]
    fn row<S: Simd>(&mut self, s: S, row: usize, sums: [S::Int; VECTORS]) {
        let scale = std::slice::from_ref(&self.scales[row]);
        let [numbers] = to_numbers::<S, 1, VECTORS>(s, [sums], scale, self.right);
        self.end.ask(s, row + ROWS_AHEAD);
        self.end.row(s, row, numbers);
    }
}

impl Kernel for Finish<'_, '_> {
    type Output = ();
    #[inline(always)]
    fn run<S: Simd>(mut self, s: S) {
        let [first, second] = self.sums.map(|sums| sums.chunks_exact(Tiles::COLUMNS));
        let load = |sums: &[i32]| [s.load_i32(sums), s.load_i32(&sums[S::LANES..])];
        let count = self.scales.len();
        if second.len() == 0 {
            for (row, sums) in first.take(count).enumerate() {
                self.row(s, row, load(sums));
            }
        } else {
            for (row, (first, second)) in first.zip(second).take(count).enumerate() {
                let ([a, b], [c, d]) = (load(first), load(second));
                self.row(s, row, [s.add_i32(a, c), s.add_i32(b, d)]);
            }
        }
        self.end.activate(s);
    }
}
