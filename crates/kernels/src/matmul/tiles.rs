//! 8-bit products by tile registers (AMX): the sums of a whole column panel at once.
//!
//! The processor multiplies 16 rows of 64 bytes with 16 columns of as many in 16 cycles, which is
//! eight times what its vectors do. Column panels are those of the vectors; rows lie one behind the
//! other. Sums are exact, so results have the bits of `vpdpbusd`.

use nervio_simd::{Isa, Kernel, Simd, Tiles};

use super::block::Product;
use super::int8::{Int8Panel, Int8Panels, RowScale, to_numbers};
use super::packed_matrix::{PackedMatrix, WeightKind};
use super::tile::{Place, finish};
use crate::aligned::Aligned;
use crate::parallel::Block;

/// Vectors in a row of a column panel.
const VECTORS: usize = 2;

/// Rows that the activation takes at once: they are still in the L1.
const ACTIVATION_ROWS: usize = 8;

/// The left operand in bytes, row by row.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Int8Rows<'a> {
    /// `[rows][k]`, with [`Tiles::ROWS`] more, whose bytes do not matter.
    pub(crate) values: &'a [u8],
    /// `[rows]`
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
    left: Int8Rows<'_>,
    panels: Int8Panels<'_>,
    mut block: Block<'_>,
    sums: &mut Aligned<i32>,
) {
    let (depth, rows) = (product.depth, block.out.rows());
    let padded = rows.next_multiple_of(Tiles::ROWS);
    let sums = sums.first(padded * Tiles::COLUMNS);
    let values = &left.values[block.row * depth..(block.row + padded) * depth];
    let scales = &left.scales[block.row..block.row + rows];
    let panel_len = depth * Tiles::COLUMNS;
    let _configured = tiles.configure();
    for column in (0..block.out.columns()).step_by(Tiles::COLUMNS) {
        let at_column = block.column + column;
        let (panel, behind) = panels.values[at_column * depth..].split_at(panel_len);
        // The panel beside the block's last is most often what this thread computes next.
        tiles.multiply_bytes(values, panel, sums, &behind[..panel_len.min(behind.len())]);
        let columns = at_column..at_column + Tiles::COLUMNS;
        let right = Int8Panel {
            values: panel,
            scales: &panels.scales[columns.clone()],
            sums: &panels.sums[columns],
        };
        let end = PanelEnd { product, block: &mut block, column };
        isa.run(Finish { end, sums, scales, right });
    }
}

/// A column panel of a block of the result, to be finished.
pub(crate) struct PanelEnd<'a, 'b> {
    pub(crate) product: &'a Product<'a>,
    pub(crate) block: &'a mut Block<'b>,
    /// The panel's first column in the block.
    pub(crate) column: usize,
}

impl PanelEnd<'_, '_> {
    /// Adds what belongs to a row of sums, and stores it.
    #[inline(always)]
    pub(crate) fn row<S: Simd>(&mut self, s: S, row: usize, sums: [S::Vector; VECTORS]) {
        let width = VECTORS * S::LANES;
        if width != Tiles::COLUMNS {
            unreachable!("only the leg with tiles comes here");
        }
        let Product { epilogue, first_row, columns, .. } = *self.product;
        let at_column = self.block.column + self.column;
        let first = (first_row + self.block.row + row) * columns + at_column;
        let place = Place {
            out: self.block.out.tile(row, self.column, width),
            parked: false,
            bias: epilogue.bias().map(|bias| &bias[at_column..][..width]),
            residual: epilogue.residual().map(|residual| (&residual[first..], columns)),
        };
        finish::<S, 1, VECTORS>(s, [sums], place);
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
struct Finish<'a, 'b> {
    end: PanelEnd<'a, 'b>,
    /// `[rows][32]`
    sums: &'a [i32],
    scales: &'a [RowScale],
    right: Int8Panel<'a>,
}

impl Kernel for Finish<'_, '_> {
    type Output = ();
    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        let Self { mut end, sums, scales, right } = self;
        let rows = sums.chunks_exact(Tiles::COLUMNS).zip(scales);
        for (row, (sums, scale)) in rows.enumerate() {
            let sums = [[s.load_i32(sums), s.load_i32(&sums[S::LANES..])]];
            let [numbers] =
                to_numbers::<S, 1, VECTORS>(s, sums, std::slice::from_ref(scale), right);
            end.row(s, row, numbers);
        }
        end.activate(s);
    }
}
