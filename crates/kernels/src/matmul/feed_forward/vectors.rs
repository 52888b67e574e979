//! A feed-forward block by vectors, of floats, where threads have rows of their own.

use std::ops::Range;

use nervio_simd::{Isa, MatMut};

use super::states::States;
use super::{FeedForward, FeedForwardStep, Watch, product};
use crate::matmul::block::{DEPTH, FloatLeft, Left};
use crate::matmul::epilogue::Epilogue;
use crate::matmul::packed_matrix::{PackedMatrix, WeightKind};
use crate::matmul::plan::{row_threads, shares, split_by_threads, tall_tiles};
use crate::matmul::row_panels::RowPanels;
use crate::matmul::steps::Steps;
use crate::matmul::{multiply_packed, pack_rows, row_blocks};
use crate::parallel::{Cut, RowBorders, for_each_block, for_each_part, threads};
use crate::workspace::{LeafPool, Workspace};

/// A block whose intermediate states are written as row panels, [`DEPTH`] of them at a time.
pub(super) struct ByVectors<'a> {
    isa: Isa,
    leaves: &'a LeafPool,
    block: &'a FeedForward<'a>,
    /// Parts of rows, one for a thread.
    parts: usize,
    /// Pieces of columns into which a part is cut.
    pieces: usize,
}

impl<'a> ByVectors<'a> {
    /// `None` where one product is computed after the other: by tile registers, with bytes, of few rows in
    /// half precision, which have a tile of their own, where a thread has no rows of its own, and of sizes
    /// that are not whole.
    pub(super) fn new(
        isa: Isa,
        workspace: &'a Workspace,
        block: &'a FeedForward<'a>,
        rows: usize,
    ) -> Option<Self> {
        let FeedForward { intermediate, output, .. } = *block;
        let kind = output.kind();
        let parts = row_threads(isa, output, rows);
        let fits = |x: &PackedMatrix| {
            x.level() == isa.level() && x.kind() == kind && !split_by_threads(isa, x)
        };
        let few = kind != WeightKind::F32 && rows / parts <= tall_tiles(isa) * isa.tall_rows();
        let fused = kind != WeightKind::Int8
            && !few
            && [intermediate, output].into_iter().all(fits)
            // No sums of states are parked, and no panel of them is over the edge.
            && intermediate.depth() <= DEPTH
            && intermediate.rows().is_multiple_of(intermediate.panel_width())
            && output.depth() > 0
            && parts == threads();
        let pieces = shares(isa, output, rows, parts).pieces;
        fused.then_some(Self { isa, leaves: &workspace.leaves, block, parts, pieces })
    }

    pub(super) fn run(&self, x: &[f32], out: &mut [f32], watch: Watch<'_>) {
        let hidden = self.block.output.rows();
        for_each_part(MatMut::new(out, hidden), self.parts, &|mut out, first| {
            // The thread that called has the first rows.
            let watch: Watch<'_> = if first == 0 { watch } else { &|_| () };
            let x = &x[first * hidden..(first + out.rows()) * hidden];
            for rows in row_blocks(out.rows()) {
                let x = &x[rows.start * hidden..rows.end * hidden];
                self.rows(x, out.block(rows, 0..hidden), watch);
            }
            watch(FeedForwardStep::LayerNorm);
            self.block.norm.rows(self.isa, out);
        });
    }

    /// Computes some rows, without the layer norm.
    fn rows(&self, x: &[f32], mut out: MatMut<'_>, watch: Watch<'_>) {
        let Self { isa, block, leaves, pieces, .. } = *self;
        let (hidden, depth) = (block.output.rows(), block.output.depth());
        let rows = RowPanels::new(out.rows(), isa.tile_rows());
        let width = block.output.panel_width();
        let first = Epilogue::BiasActivation(block.intermediate_bias, block.activation);
        let second = Epilogue::BiasResidual(block.output_bias, x);
        watch(FeedForwardStep::Intermediate);
        leaves.with(|buffers| {
            let packed = buffers.left.first(rows.packed_len(hidden));
            pack_rows(isa, packed, x, rows, hidden, pieces);
            let x = Left::Float(FloatLeft { values: packed, start: 0, len: hidden });
            for start in (0..depth).step_by(DEPTH) {
                let len = DEPTH.min(depth - start);
                let states = buffers.states_f32.first(rows.packed_len(len));
                watch(FeedForwardStep::Intermediate);
                let then = first_read(block.output, 0, start..start + len);
                let intermediate = product(isa, x, block.intermediate, &first, rows, then);
                States { product: &intermediate, columns: start..start + len, pieces }
                    .multiply(isa, leaves, states);
                watch(FeedForwardStep::Output);
                let left = Left::Float(FloatLeft { values: states, start, len });
                let then = first_read(block.intermediate, start + len, 0..hidden);
                let output = product(isa, left, block.output, &second, rows, then);
                let rows = RowBorders::Panels(rows);
                let cut = Cut { rows, column_step: width, cost: len, pieces };
                for_each_block(out.reborrow(), &cut, &|block| {
                    leaves.with(|buffers| multiply_packed(isa, &output, block, buffers));
                });
            }
        });
    }
}

/// Some steps of the panel with which a product begins at `column`; nothing past the last column.
fn first_read(weights: &PackedMatrix, column: usize, steps: Range<usize>) -> &[u8] {
    if column >= weights.rows() {
        return &[];
    }
    let steps = Steps { start: steps.start, end: steps.end, depth: weights.depth() };
    let width = weights.panel_width();
    steps.bytes(weights.panels(), column / width, width)
}
