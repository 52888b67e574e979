//! A feed-forward block by tile registers (AMX).

use std::ops::Range;

use nervio_simd::{Isa, MatMut, Tiles};

use super::{FeedForward, FeedForwardStep, Watch, product};
use crate::matmul::block::{DEPTH, Left, Product};
use crate::matmul::epilogue::Epilogue;
use crate::matmul::halves::{HalfSums, halves_pay};
use crate::matmul::packed_matrix::PackedMatrix;
use crate::matmul::pieces::{Finish, MANY_ROWS, SplitRows, Sweep, border};
use crate::matmul::plan::{row_threads, split_by_threads};
use crate::matmul::row_blocks;
use crate::matmul::row_panels::RowPanels;
use crate::matmul::tiles::PanelEnd;
use crate::parallel::{Block, threads};
use crate::workspace::{LeafBuffers, LeafPool, Workspace};

/// A block by tile registers on one thread or two.
pub(super) struct ByTiles<'a> {
    isa: Isa,
    tiles: Tiles,
    leaves: &'a LeafPool,
    block: &'a FeedForward<'a>,
    threads: usize,
}

impl<'a> ByTiles<'a> {
    /// `None` where one product is computed after the other: without tile registers, with bytes, where rows
    /// are cut between threads, or on more threads than there are halves.
    pub(super) fn new(
        isa: Isa,
        workspace: &'a Workspace,
        block: &'a FeedForward<'a>,
        rows: usize,
    ) -> Option<Self> {
        let (hidden, depth) = (block.output.rows(), block.output.depth());
        let weights = [block.intermediate, block.output];
        let fits = |x: &PackedMatrix| {
            x.level() == isa.level() && split_by_threads(isa, x) && row_threads(isa, x, rows) == 1
        };
        let tiles = isa.tiles().filter(|_| depth > hidden && weights.into_iter().all(fits))?;
        let all = threads();
        let shared = halves_pay(rows, rows * hidden * depth);
        (all == 1 || all == 2 && shared).then_some(Self {
            isa,
            tiles,
            leaves: &workspace.leaves,
            block,
            threads: all,
        })
    }

    pub(super) fn run(&self, x: &[f32], out: &mut [f32], watch: Watch<'_>) {
        let hidden = self.block.output.rows();
        let rows = x.len() / hidden;
        for block in row_blocks(rows) {
            let place = block.start * hidden..block.end * hidden;
            self.rows(&x[place.clone()], &mut out[place], watch);
        }
    }

    /// Computes some rows.
    fn rows(&self, x: &[f32], out: &mut [f32], watch: Watch<'_>) {
        let block = self.block;
        let hidden = block.output.rows();
        let rows = RowPanels::new(x.len() / hidden, Tiles::ROWS);
        let first = Epilogue::BiasActivation(block.intermediate_bias, block.activation);
        let second = Epilogue::BiasResidual(block.output_bias, x);
        let intermediate = product(self.isa, Left::Rows(x), block.intermediate, &first, rows, &[]);
        let output = product(self.isa, Left::Rows(&[]), block.output, &second, rows, &[]);
        // Rows are split for them.
        watch(FeedForwardStep::Intermediate);
        self.leaves.with(|buffers| {
            let mut sums = HalfSums::new(&output, self.threads, &mut buffers.sums_f32);
            sums.fill(|states, sums| {
                // The thread that called is the one with the first states.
                let watch: Watch<'_> = if states.start == 0 { watch } else { &|_| () };
                self.sum([&intermediate, &output], x, states, sums, watch);
            });
            watch(FeedForwardStep::LayerNorm);
            sums.add_up(self.isa, MatMut::new(out, hidden), Some(&block.norm));
        });
    }

    /// Computes some intermediate states, and sums their products into those of both halves of them.
    fn sum(
        &self,
        [intermediate, output]: [&Product<'_>; 2],
        x: &[f32],
        states: Range<usize>,
        [lower, upper]: [&mut [f32]; 2],
        watch: Watch<'_>,
    ) {
        let (tiles, hidden) = (self.tiles, output.columns);
        let rows = x.len() / hidden;
        let most = if rows <= MANY_ROWS { states.len() } else { DEPTH };
        let middle = border(output).clamp(states.start, states.end);
        self.leaves.with(|buffers| {
            let LeafBuffers { pieces, states: room, ring, sums_f32, widened, .. } = buffers;
            let x = SplitRows::new(tiles, (x, hidden), 0..hidden, pieces);
            let panel_sums = sums_f32.first(rows.next_multiple_of(Tiles::ROWS) * Tiles::COLUMNS);
            let panel = widened.first(rows * Tiles::COLUMNS);
            for (half, sums) in [(states.start..middle, lower), (middle..states.end, upper)] {
                for start in half.clone().step_by(most) {
                    let columns = start..(start + most).min(half.end);
                    watch(FeedForwardStep::Intermediate);
                    let (left, depth) = (x.clone(), columns.clone());
                    let sweep = Sweep { product: intermediate, left, columns };
                    let left = SplitRows::from_panels(tiles, rows, depth, room, |split| {
                        sweep.run(tiles, 1, panel_sums, ring, |column, sums| {
                            self.activate(intermediate, column, sums, panel);
                            split(column, panel);
                        });
                    });
                    watch(FeedForwardStep::Output);
                    let sweep = Sweep { product: output, left, columns: 0..hidden };
                    sweep.run(tiles, sweep.panels(), sums, ring, |_, _| ());
                }
            }
        });
    }

    /// Turns the sums of the column panel from `column` on into intermediate states, `[rows][32]`.
    fn activate(
        &self,
        product: &Product<'_>,
        column: usize,
        sums: [&[f32]; 2],
        states: &mut [f32],
    ) {
        let mut block = Block { out: MatMut::new(states, Tiles::COLUMNS), row: 0, column };
        let end = PanelEnd { product, block: &mut block, column: 0 };
        self.isa.run_floats(Finish { end, sums });
    }
}
