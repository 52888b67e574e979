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
use super::pieces::{Finish, SplitRows, Sweep, border};
use super::tiles::PanelEnd;
use crate::aligned::Aligned;
use crate::layer_norm::Norm;
use crate::parallel::{Cut, GRAIN, RowBorders, for_each_block, join};
use crate::workspace::LeafPool;

/// Time for an element of the result in that of a multiply-add, for the decision whether threads pay; that
/// of layer norm is the same.
pub(crate) const COST: usize = 24;

/// Whether a product of so many rows and of `amount` multiply-adds, whose sums have two halves (see
/// [`border`]), is better cut between these than between columns: one tile of rows is soon split.
pub(crate) fn halves_pay(rows: usize, amount: usize) -> bool {
    rows > Tiles::ROWS && amount >= 2 * GRAIN
}

/// The sums of a product over the lower half of its depth and over the upper one, `[panels][rows][32]` each.
pub(crate) struct HalfSums<'a> {
    product: &'a Product<'a>,
    /// Threads for both.
    threads: usize,
    lower: &'a mut [f32],
    upper: &'a mut [f32],
}

impl<'a> HalfSums<'a> {
    /// Room for the sums of all rows of `product`.
    pub(crate) fn new(
        product: &'a Product<'a>,
        threads: usize,
        buffer: &'a mut Aligned<f32>,
    ) -> Self {
        let len = product.rows.padded() * product.columns;
        let (lower, upper) = buffer.first(2 * len).split_at_mut(len);
        Self { product, threads, lower, upper }
    }

    /// Has `sum` sum over some of the depth into these sums of both halves: over all of it, or over each half
    /// on a thread of its own, the lower one on this thread.
    pub(crate) fn fill(&mut self, sum: impl Fn(Range<usize>, [&mut [f32]; 2]) + Sync) {
        let Self { product, threads, lower, upper } = self;
        let border = border(product);
        if *threads < 2 {
            return sum(0..product.depth, [lower, upper]);
        }
        join(|| sum(0..border, [lower, &mut []]), || sum(border..product.depth, [&mut [], upper]));
    }

    /// Adds them up and stores the result, each thread some rows; these then pass through the layer norm, if
    /// there is one, or will be found in the thread's caches by it.
    pub(crate) fn add_up(&self, isa: Isa, out: MatMut<'_>, norm: Option<&Norm<'_>>) {
        let Self { product, threads: pieces, .. } = *self;
        let columns = product.columns;
        let panel_sums = product.rows.padded() * Tiles::COLUMNS;
        let cost = if norm.is_some() { 2 * COST } else { COST };
        let cut = Cut { rows: RowBorders::All, column_step: columns, cost, pieces };
        for_each_block(out, &cut, &|mut block| {
            let first = block.row * Tiles::COLUMNS;
            let [lower, upper] =
                [&*self.lower, &*self.upper].map(|sums| sums.chunks_exact(panel_sums));
            for (panel, (lower, upper)) in lower.zip(upper).enumerate() {
                let column = panel * Tiles::COLUMNS;
                let end = PanelEnd { product, block: &mut block, column };
                isa.run_floats(Finish { end, sums: [&lower[first..], &upper[first..]] });
            }
            if let Some(norm) = norm {
                norm.rows(isa, block.out);
            }
        });
    }
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
        self.leaves.with(|buffers| {
            let mut sums = HalfSums::new(self.product, self.threads, &mut buffers.sums_f32);
            sums.fill(|depth, [lower, upper]| {
                let sums = if lower.is_empty() { upper } else { lower };
                let threads = self.threads.div_ceil(2);
                self.sum(tiles, (0..self.product.columns, depth), sums, threads);
            });
            sums.add_up(isa, out, None);
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
                let left = (self.left, self.product.depth);
                let left = SplitRows::new(tiles, left, depth, &mut buffers.pieces);
                let sweep = Sweep { product: self.product, left, columns };
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
}
