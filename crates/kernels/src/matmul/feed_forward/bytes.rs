//! A feed-forward block in 8 bits by tile registers (AMX), cut between two threads in the middle of its states.
//!
//! Each thread computes half of the intermediate states of all rows, quantises and multiplies them: of what
//! the other one computes it needs the range of each row and, of half of the rows, the sums. Sums of integers
//! are exact, so the bits are those of two products.

use nervio_simd::{Isa, MatMut, Tiles};

use super::{FeedForward, FeedForwardStep, Watch, product};
use crate::matmul::block::{Left, Product};
use crate::matmul::epilogue::Epilogue;
use crate::matmul::halves::COST;
use crate::matmul::packed_matrix::{PackedMatrix, Panels};
use crate::matmul::plan::{bytes_by_tiles, row_threads, shares};
use crate::matmul::quantize::{RowRange, quantize_part, row_ranges, scales_of_halves};
use crate::matmul::row_panels::RowPanels;
use crate::matmul::tiles::{ByteSweep, Finish, PanelEnd, multiply_tiles};
use crate::matmul::{RowScale, pack_operand};
use crate::parallel::{Block, Cut, GRAIN, RowBorders, for_each_block, join, threads};
use crate::workspace::{LeafPool, Workspace};

/// A block in bytes on two threads.
pub(super) struct ByBytes<'a> {
    isa: Isa,
    tiles: Tiles,
    leaves: &'a LeafPool,
    block: &'a FeedForward<'a>,
    rows: RowPanels,
}

impl<'a> ByBytes<'a> {
    /// `None` where one product is computed after the other.
    pub(super) fn new(
        isa: Isa,
        workspace: &'a Workspace,
        block: &'a FeedForward<'a>,
        rows: usize,
    ) -> Option<Self> {
        let (hidden, depth) = (block.output.rows(), block.output.depth());
        let fits = |x: &PackedMatrix| {
            let level = x.level() == isa.level();
            level && bytes_by_tiles(isa, x) && row_threads(isa, x, rows) == 1
        };
        let shared = threads() == 2 && [block.intermediate, block.output].into_iter().all(fits);
        let tiles = isa.tiles().filter(|_| shared)?;
        let pays = depth > hidden && rows * hidden * depth >= 2 * GRAIN;
        let rows = RowPanels::new(rows, Tiles::ROWS);
        pays.then_some(Self { isa, tiles, leaves: &workspace.leaves, block, rows })
    }

    /// `room` is `[rows, intermediate]`.
    pub(super) fn run(&self, x: &[f32], out: &mut [f32], room: &mut [f32], watch: Watch<'_>) {
        let (isa, block, padded) = (self.isa, self.block, self.rows.padded());
        let (hidden, depth) = (block.output.rows(), block.output.depth());
        let (rows, half) = (x.len() / hidden, depth / Tiles::BYTE_STEPS / 2 * Tiles::BYTE_STEPS);
        let (lower, upper) = room.split_at_mut(rows * half);
        let second = Epilogue::BiasResidual(block.output_bias, x);
        let output = product(isa, Left::Rows(&[]), block.output, &second, self.rows, &[]);
        watch(FeedForwardStep::Intermediate);
        self.leaves.with(|buffers| {
            let mut ranges = std::mem::take(&mut buffers.ranges);
            ranges.resize(2 * rows, RowRange::default());
            let (of_lower, of_upper) = ranges.split_at_mut(rows);
            let shares = shares(isa, block.intermediate, rows, 1);
            let left = pack_operand(isa, buffers, x, self.rows, block.intermediate, shares);
            join(
                || self.states(left, 0, lower, of_lower),
                || self.states(left, half, upper, of_upper),
            );
            watch(FeedForwardStep::Output);
            buffers.scales.resize(rows, RowScale::default());
            scales_of_halves(isa, [of_lower, of_upper], &mut buffers.scales);
            let scales = &buffers.scales[..rows];
            let bytes = buffers.bytes.first(padded * depth).split_at_mut(padded * half);
            let sums = buffers.sums.first(2 * padded * hidden).split_at_mut(padded * hidden);
            join(
                || self.sum(&output, (lower, scales), 0, bytes.0, sums.0),
                || self.sum(&output, (upper, scales), half, bytes.1, sums.1),
            );
            watch(FeedForwardStep::LayerNorm);
            self.add_up(&output, scales, [sums.0, sums.1], MatMut::new(out, hidden));
            buffers.ranges = ranges;
        });
    }

    /// Computes as many states from `column` on as `states` has room for, `[rows, states]`, and the range of each
    /// row of them.
    fn states(&self, left: Left<'_>, column: usize, states: &mut [f32], ranges: &mut [RowRange]) {
        let FeedForward { intermediate, intermediate_bias, activation, .. } = *self.block;
        let (Left::Int8Tiles(tiles), Panels::Int8(panels)) = (left, intermediate.panels()) else {
            unreachable!("rows and weights in bytes")
        };
        let columns = states.len() / ranges.len();
        let epilogue = Epilogue::BiasActivation(intermediate_bias, activation);
        let product = product(self.isa, left, intermediate, &epilogue, self.rows, &[]);
        let block = Block { out: MatMut::new(states, columns), row: 0, column };
        self.leaves.with(|buffers| {
            let both = (self.isa, self.tiles);
            multiply_tiles(both, &product, tiles, panels, block, &mut buffers.sums);
        });
        row_ranges(self.isa, (states, columns), ranges);
    }

    /// Quantises the states from `first` on, `[rows, states]`, into `bytes` and sums their products with all columns
    /// of the output weights into `sums`, `[panels][rows][32]`.
    fn sum(
        &self,
        product: &Product<'_>,
        (states, scales): (&[f32], &[RowScale]),
        first: usize,
        bytes: &mut [u8],
        sums: &mut [i32],
    ) {
        let Panels::Int8(panels) = product.panels else { unreachable!("weights in bytes") };
        let count = states.len() / scales.len();
        quantize_part(self.isa, bytes, scales, (states, count));
        let (tiles, depth) = (self.tiles, product.depth);
        let steps = first..first + count;
        let (panels, then) = (panels.values, &[][..]);
        let sweep = ByteSweep { tiles, left: bytes, panels, then, depth, steps };
        let _configured = tiles.configure();
        let panel_sums = sums.chunks_exact_mut(self.rows.padded() * Tiles::COLUMNS);
        for (panel, sums) in panel_sums.enumerate() {
            sweep.panel(panel * Tiles::COLUMNS, scales.len(), sums);
        }
    }

    /// Adds up the sums of both halves of the states, and stores the result, each thread some rows.
    fn add_up(
        &self,
        product: &Product<'_>,
        scales: &[RowScale],
        sums: [&[i32]; 2],
        out: MatMut<'_>,
    ) {
        let Panels::Int8(panels) = product.panels else { unreachable!("weights in bytes") };
        let panel_sums = self.rows.padded() * Tiles::COLUMNS;
        let (columns, pieces) = (product.columns, threads());
        let cut = Cut { rows: RowBorders::All, column_step: columns, cost: 2 * COST, pieces };
        for_each_block(out, &cut, &|mut block| {
            let rows = block.row..block.row + block.out.rows();
            let [lower, upper] = sums.map(|sums| sums.chunks_exact(panel_sums));
            for (panel, (lower, upper)) in lower.zip(upper).enumerate() {
                let column = panel * Tiles::COLUMNS;
                let sums = [lower, upper].map(|sums| &sums[rows.start * Tiles::COLUMNS..]);
                let end = PanelEnd { product, block: &mut block, column };
                let (scales, right) = (&scales[rows.clone()], panels.panel(column));
                self.isa.run(Finish { end, sums, scales, right });
            }
            self.block.norm.rows(self.isa, block.out);
        });
    }
}
