//! Float products by tile registers whose depth is cut between threads.
//!
//! Threads that share the columns of a product each split all of its rows, half of which or more other
//! cores have written. Cut in the middle of its depth, a product has each half of the threads split only
//! what they need: in a layer of few tokens, the columns that they have written themselves. Their sums
//! are added up afterwards, by the threads that go on with those rows. (Shoeybi et al., "Megatron-LM",
//! arXiv 1909.08053, section 3, cut the second product of a feed-forward block so between processors.)

use std::ops::Range;

use nervio_simd::{Isa, MatMut, Tiles};

use super::block::Product;
use super::pieces::{Finish, Sweep, border};
use super::tiles::PanelEnd;
use crate::parallel::{Cut, GRAIN, RowBorders, for_each_block, join};
use crate::workspace::LeafPool;

/// Time for an element of the result in that of a multiply-add, for the decision whether threads pay.
const COST: usize = 24;

/// Whether a product of so many rows is better cut there than between columns: one tile of rows is soon
/// split.
pub(crate) fn halves_pay(product: &Product<'_>, rows: usize) -> bool {
    let amount = rows * product.columns * product.depth;
    border(product) > 0 && rows > Tiles::ROWS && amount >= 2 * GRAIN
}

/// A product whose depth is cut between two halves of some threads.
pub(crate) struct Halves<'a> {
    pub(crate) product: &'a Product<'a>,
    /// `[rows][k]`
    pub(crate) left: &'a [f32],
    pub(crate) leaves: &'a LeafPool,
    pub(crate) threads: usize,
}

impl Halves<'_> {
    /// Computes all columns of the rows of `left`.
    pub(crate) fn multiply(&self, (isa, tiles): (Isa, Tiles), out: MatMut<'_>) {
        let Product { columns, depth, .. } = *self.product;
        let (threads, border) = (self.threads.div_ceil(2), border(self.product));
        let panel_sums = out.rows().next_multiple_of(Tiles::ROWS) * Tiles::COLUMNS;
        let len = columns / Tiles::COLUMNS * panel_sums;
        self.leaves.with(|buffers| {
            let (lower, upper) = buffers.sums_f32.first(2 * len).split_at_mut(len);
            join(
                || self.sum(tiles, (0..columns, 0..border), lower, threads),
                || self.sum(tiles, (0..columns, border..depth), upper, threads),
            );
            self.add_up(isa, out, panel_sums, [lower, upper]);
        });
    }

    /// Sums some depth of some columns, which are cut between as many threads, into `[panels][rows][32]`.
    fn sum(
        &self,
        tiles: Tiles,
        (columns, depth): (Range<usize>, Range<usize>),
        sums: &mut [f32],
        threads: usize,
    ) {
        let panels = columns.len() / Tiles::COLUMNS;
        if threads < 2 || panels < 2 {
            return self.leaves.with(|buffers| {
                let (place, room) = ((columns, depth), &mut buffers.pieces);
                let sweep = Sweep::new(tiles, self.product, self.left, place, room);
                sweep.run(tiles, panels, sums, &mut buffers.ring, |_, _| ());
            });
        }
        let middle = panels / 2;
        let border = columns.start + middle * Tiles::COLUMNS;
        let (first, second) = sums.split_at_mut(sums.len() / panels * middle);
        let threads = threads.div_ceil(2);
        join(
            || self.sum(tiles, (columns.start..border, depth.clone()), first, threads),
            || self.sum(tiles, (border..columns.end, depth.clone()), second, threads),
        );
    }

    /// Turns the sums of both halves into the result: each thread some rows, which layer norm will find
    /// in its caches.
    fn add_up(&self, isa: Isa, out: MatMut<'_>, panel_sums: usize, [lower, upper]: [&[f32]; 2]) {
        let Product { columns, .. } = *self.product;
        let pieces = self.threads;
        let cut = Cut { rows: RowBorders::All, column_step: columns, cost: COST, pieces };
        for_each_block(out, &cut, &|mut block| {
            let first = block.row * Tiles::COLUMNS;
            let panels = lower.chunks_exact(panel_sums).zip(upper.chunks_exact(panel_sums));
            for (panel, (lower, upper)) in panels.enumerate() {
                let (product, column) = (self.product, panel * Tiles::COLUMNS);
                let end = PanelEnd { product, block: &mut block, column };
                isa.run(Finish { end, sums: [&lower[first..], &upper[first..]] });
            }
        });
    }
}
