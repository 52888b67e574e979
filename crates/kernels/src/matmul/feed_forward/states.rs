//! A product whose result is the left operand of the next: its tiles are written as row panels.

use std::ops::Range;

use nervio_simd::{Isa, Kernel, MAX_LANES, MatMut, Simd};

use crate::activation::Sink;
use crate::aligned::Aligned;
use crate::matmul::ahead::{LINE, shares};
use crate::matmul::block::{Product, TileJob};
use crate::matmul::operands::{Floats, Operands};
use crate::matmul::steps::Steps;
use crate::matmul::{MAX_ROWS, MAX_WIDTH, Place, STEP, by_rows};
use crate::parallel::{Cut, RowBorders, for_each_block};
use crate::workspace::LeafPool;

/// Some columns of a product of at most [`DEPTH`](crate::matmul::block::DEPTH) steps, whole column panels of
/// its weights.
pub(super) struct States<'a> {
    /// Its epilogue has an activation.
    pub(super) product: &'a Product<'a>,
    pub(super) columns: Range<usize>,
    /// Pieces into which the columns are cut for threads to help out.
    pub(super) pieces: usize,
}

impl States<'_> {
    /// Computes them into `out`: row panels of the next product's left operand,
    /// `[row panels][columns / STEP][tile rows][STEP]`.
    pub(super) fn multiply(&self, isa: Isa, leaves: &LeafPool, out: &mut [f32]) {
        let Self { product, columns, pieces } = self;
        let (rows, width) = (product.rows, isa.panel_width());
        let cut = Cut {
            rows: RowBorders::All,
            column_step: width * rows.tile_rows(),
            cost: product.depth,
            pieces: *pieces,
        };
        let out = MatMut::new(out, rows.panel_len(columns.len()));
        for_each_block(out, &cut, &|block| {
            let at = |element: usize| columns.start + element / rows.tile_rows();
            let columns = at(block.column)..at(block.column + block.out.columns());
            leaves.with(|buffers| {
                let widened = &mut buffers.widened;
                let (first_panel, out) = (block.row, block.out);
                isa.run_floats(MultiplyStates { states: self, columns, out, first_panel, widened });
            });
        });
    }
}

struct MultiplyStates<'a, 'b> {
    states: &'a States<'a>,
    columns: Range<usize>,
    /// Row panels of these columns, from `first_panel` on.
    out: MatMut<'b>,
    first_panel: usize,
    widened: &'a mut Aligned<f32>,
}

impl Kernel for MultiplyStates<'_, '_> {
    type Output = ();
    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        // Constants of the leg: all branches but one fall away.
        match (S::TILE_ROWS, S::TILE_VECTORS) {
            (12, 2) => self.columns::<S, 2, { 12 * STEP }>(s),
            (6, 4) => self.columns::<S, 4, { 6 * STEP }>(s),
            (6, 2) => self.columns::<S, 2, { 6 * STEP }>(s),
            (6, 1) => self.columns::<S, 1, { 6 * STEP }>(s),
            _ => unreachable!("a leg's tile has a branch here"),
        }
    }
}

impl MultiplyStates<'_, '_> {
    #[inline(always)]
    fn columns<S: Simd, const V: usize, const P: usize>(self, s: S) {
        let Self { states, columns, out, first_panel, widened } = self;
        let product = states.product;
        let (width, depth) = (V * S::LANES, product.depth);
        let steps = Steps { start: 0, end: depth, depth };
        let tiles = first_panel..first_panel + out.rows();
        let mut room = product.room(tiles.len() * S::TILE_ROWS, width, widened);
        let mut panels = RowPanelsOut { product, out, tile: [0.0; MAX_ROWS * MAX_WIDTH] };
        for column in columns.clone().step_by(width) {
            let next = match column + width {
                // The panel beside the last is most often what this thread computes next.
                next if next < states.columns.end => {
                    steps.bytes(product.panels, next / width, width)
                }
                _ => product.then,
            };
            let (column_panel, tiles) = (column / width, tiles.clone());
            let begun = Floats::begin::<S, V, P>(
                s,
                product,
                steps,
                column_panel,
                tiles.clone(),
                next,
                &mut room,
            );
            let shares = shares(begun.next, begun.right.bytes(), product.spread, tiles.len());
            for ((row, panel), ahead) in tiles.enumerate().zip(shares) {
                let at = column - columns.start;
                let job = TileJob { begun: &begun, index: row, panel, ahead, row, column: at };
                let rows = product.rows.start(panel + 1) - product.rows.start(panel);
                panels.tile::<S, V, P>(s, &job, (rows, column));
            }
        }
    }
}

/// The result in row panels.
struct RowPanelsOut<'a, 'b> {
    product: &'a Product<'a>,
    out: MatMut<'b>,
    /// A tile before it is written.
    tile: [f32; MAX_ROWS * MAX_WIDTH],
}

impl RowPanelsOut<'_, '_> {
    /// One tile, from `column` of the product on.
    #[inline(always)]
    fn tile<S: Simd, const V: usize, const P: usize>(
        &mut self,
        s: S,
        job: &TileJob<'_>,
        (rows, column): (usize, usize),
    ) {
        let Self { product, out, tile } = self;
        let width = V * S::LANES;
        let place = &mut out.row(job.row)[job.column * (P / STEP)..][..width * (P / STEP)];
        for line in place.chunks(LINE / size_of::<f32>()) {
            s.prefetch(&line[0]);
        }
        let bias = product.epilogue.bias().map(|bias| &bias[column..][..width]);
        by_rows!(rows, P, R => {
            let mut aside = MatMut::new(&mut tile[..R * width], width);
            let to = Place { out: aside.tile(0, 0, width), parked: false, bias, residual: None };
            product.tile::<Floats, S, R, V, P>(s, job, to);
        });
        let Some(activation) = product.epilogue.activation() else {
            unreachable!("states are what an activation gives")
        };
        activation.hand_on(s, &tile[..rows * width], Quads::<P> { place, width });
    }
}

/// Writes a tile as a part of a row panel, whose quads of steps lie `P` elements apart.
struct Quads<'a, const P: usize> {
    place: &'a mut [f32],
    /// Columns of the tile.
    width: usize,
}

impl<const P: usize> Sink for Quads<'_, P> {
    #[inline(always)]
    fn put<S: Simd>(&mut self, s: S, at: usize, x: S::Vector) {
        let mut lanes = [0.0; MAX_LANES];
        s.store(x, &mut lanes);
        let (row, column) = (at / self.width, at % self.width);
        let place = &mut self.place[column / STEP * P + row * STEP..];
        let (quads, _) = lanes[..S::LANES].as_chunks::<STEP>();
        for (index, quad) in quads.iter().enumerate() {
            place[index * P..][..STEP].copy_from_slice(quad);
        }
    }
}
