//! A block of the result: loops over depth, column panels and row panels.

use std::marker::PhantomData;
use std::ops::Range;

use nervio_simd::{Isa, Kernel, MatMut, Simd};

use super::ahead::{LINE, Lines, shares};
use super::epilogue::Epilogue;
use super::int8::Int8Left;
use super::operands::{Bytes, Floats, Operands};
use super::packed_matrix::Panels;
use super::row_panels::RowPanels;
use super::steps::Steps;
use super::tile::{MAX_ROWS, MAX_WIDTH, Place, STEP, by_rows, finish};
use super::tiles::Int8Tiles;
use super::widening::Begun;
use crate::activation::Activation;
use crate::aligned::Aligned;
use crate::parallel::Block;

/// Steps of k at a time: both operands may come from the L2, and few sums are parked.
pub(crate) const DEPTH: usize = 768;

/// The left operand as the product takes it.
#[derive(Clone, Copy)]
pub(crate) enum Left<'a> {
    /// Row panels.
    Float(FloatLeft<'a>),
    /// The same in bytes.
    Int8(Int8Left<'a>),
    /// Bytes, for tile registers.
    Int8Tiles(Int8Tiles<'a>),
    /// Floats row by row, `[rows][k]`, for tile registers.
    Rows(&'a [f32]),
}

/// Row panels of some steps of the depth.
#[derive(Clone, Copy)]
pub(crate) struct FloatLeft<'a> {
    /// `[panels][len / STEP][tile rows][STEP]`
    pub(crate) values: &'a [f32],
    /// The first step: of those before it, the sums are parked in the result.
    pub(crate) start: usize,
    /// How many steps there are.
    pub(crate) len: usize,
}

/// The operands of a product, shared by all of its blocks.
#[derive(Clone, Copy)]
pub(crate) struct Product<'a> {
    /// The left operand; bytes if the right one is.
    pub(crate) left: Left<'a>,
    /// Column panels of the right operand.
    pub(crate) panels: Panels<'a>,
    /// What is done to the sums; its residual starts at row 0 of the whole result.
    pub(crate) epilogue: &'a Epilogue<'a>,
    /// How its rows are cut into panels.
    pub(crate) rows: RowPanels,
    /// The row of the whole result at which `left` begins.
    pub(crate) first_row: usize,
    /// Length of the sums.
    pub(crate) depth: usize,
    /// Columns of the whole result: the stride of the residual.
    pub(crate) columns: usize,
    /// How many steps of weights in half precision are widened at a time, whole rounds of a tile.
    pub(crate) stretch: usize,
    /// Whether a round of a tile asks for lines far from one another.
    pub(crate) spread: bool,
    /// What is most often read after the last column panel; may be empty.
    pub(crate) then: &'a [u8],
}

/// Computes one block of the result. `block.row` counts from `product.first_row`; both of the
/// block's corners lie on tile borders.
pub(crate) fn multiply_block(
    isa: Isa,
    product: &Product<'_>,
    block: Block<'_>,
    widened: &mut Aligned<f32>,
) {
    match product.left {
        Left::Int8(_) => {
            let operands = PhantomData::<Bytes>;
            isa.run(MultiplyBlock { product, block, widened, operands });
        }
        _ => {
            let operands = PhantomData::<Floats>;
            isa.run_floats(MultiplyBlock { product, block, widened, operands });
        }
    }
}

struct MultiplyBlock<'a, 'b, O> {
    product: &'a Product<'a>,
    block: Block<'b>,
    widened: &'a mut Aligned<f32>,
    operands: PhantomData<O>,
}

impl<O: Operands> Kernel for MultiplyBlock<'_, '_, O> {
    type Output = ();
    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        // Constants of the leg: all branches but one fall away.
        match (S::TILE_ROWS, S::TILE_VECTORS) {
            (12, 2) => self.loops::<S, 2, { 12 * STEP }>(s),
            (6, 4) => self.loops::<S, 4, { 6 * STEP }>(s),
            (6, 2) => self.loops::<S, 2, { 6 * STEP }>(s),
            (6, 1) => self.loops::<S, 1, { 6 * STEP }>(s),
            _ => unreachable!("a leg's tile has a branch here"),
        }
    }
}

impl<O: Operands> MultiplyBlock<'_, '_, O> {
    #[inline(always)]
    fn loops<S: Simd, const V: usize, const P: usize>(self, s: S) {
        let width = V * S::LANES;
        let depth = self.product.depth;
        // Bytes are short enough to be taken whole, which leaves no sums to be parked.
        let most = if matches!(self.product.panels, Panels::Int8(_)) { depth } else { DEPTH };
        let (first_panel, columns) = (self.block.column / width, self.block.out.columns());
        let mut target = Columns { product: self.product, block: self.block };
        let (row, rows) = (target.block.row, target.block.out.rows());
        let tiles = target.product.rows.at(row)..target.product.rows.at(row + rows);
        let mut room = target.product.room(tiles.len() * S::TILE_ROWS, width, self.widened);
        let (mut start, stop) = target.product.steps();
        loop {
            let end = (start + most).min(stop);
            let steps = Steps { start, end, depth };
            for index in 0..columns.div_ceil(width) {
                let panel = first_panel + index;
                let next = if (index + 1) * width < columns {
                    steps.bytes(target.product.panels, panel + 1, width)
                } else if end < stop {
                    steps.next(most).bytes(target.product.panels, first_panel, width)
                } else if (panel + 1) * width < target.product.columns {
                    // The block beside this one is most often what this thread computes next.
                    let first = steps.first(target.product.steps().0, most);
                    first.bytes(target.product.panels, panel + 1, width)
                } else {
                    target.product.then
                };
                let tiles = tiles.clone();
                let begun = O::begin::<S, V, P>(
                    s,
                    target.product,
                    steps,
                    panel,
                    tiles.clone(),
                    next,
                    &mut room,
                );
                target.column::<O, S, V, P>(s, &begun, tiles, index * width);
            }
            start = end;
            if start >= stop {
                break;
            }
        }
    }
}

/// The block and what it is computed from.
struct Columns<'a, 'b> {
    product: &'a Product<'a>,
    block: Block<'b>,
}

impl<'a> Columns<'a, '_> {
    /// One column panel: all rows of the block, while the next panel is fetched.
    #[inline(always)]
    fn column<O: Operands, S: Simd, const V: usize, const P: usize>(
        &mut self,
        s: S,
        begun: &Begun<'_>,
        tiles: Range<usize>,
        column: usize,
    ) {
        let (panels, width) = (self.product.rows, V * S::LANES);
        let first = self.block.row;
        let near = begun.right.bytes();
        let shares = shares(begun.next, near, self.product.spread, tiles.len());
        for ((index, panel), ahead) in tiles.enumerate().zip(shares) {
            let row = panels.start(panel) - first;
            let count = panels.start(panel + 1) - first - row;
            let job = TileJob { begun, index, panel, ahead, row, column };
            if width <= self.block.out.columns() - column {
                by_rows!(count, P, R => self.tile::<O, S, R, V, P>(s, &job));
            } else {
                self.tile_over_the_edge::<O, S, V, P>(s, &job, count);
            }
            if let (Some(activation), true) =
                (self.product.epilogue.activation(), begun.steps.last())
            {
                activate::<S, V>(s, activation, &mut self.block.out, row..row + count, column);
            }
        }
    }

    /// One tile of `R` rows.
    #[inline(always)]
    fn tile<O: Operands, S: Simd, const R: usize, const V: usize, const P: usize>(
        &mut self,
        s: S,
        job: &TileJob<'_>,
    ) {
        let width = V * S::LANES;
        let Added { parked, bias, residual } = self.added(job, width);
        let out = self.block.out.tile(job.row, job.column, width);
        let place = Place { out, parked, bias, residual };
        self.product.tile::<O, S, R, V, P>(s, job, place);
    }

    /// A tile over the right edge, of so many `rows`: computed aside, as high as a tile can be, and copied. The
    /// rows past the end have whatever the panel holds there.
    #[inline(always)]
    fn tile_over_the_edge<O: Operands, S: Simd, const V: usize, const P: usize>(
        &mut self,
        s: S,
        job: &TileJob<'_>,
        rows: usize,
    ) {
        let width = V * S::LANES;
        let columns = self.block.out.columns() - job.column;
        let Added { parked, bias, residual } = self.added(job, columns);
        let mut out =
            self.block.out.block(job.row..job.row + rows, job.column..job.column + columns);
        let mut edge = Edge::new(width);
        edge.read(&mut out, bias, residual);
        let [bias_copy, residual_copy] = [&edge.bias[..width], &edge.residual[..]];
        let mut aside = MatMut::new(&mut edge.out[..S::TILE_ROWS * width], width);
        // A constant: the code of one tile is all that is left of this.
        by_rows!(S::TILE_ROWS, P, R => {
            let place = Place {
                out: aside.tile(0, 0, width),
                parked,
                bias: bias.map(|_| bias_copy),
                residual: residual.map(|_| (residual_copy, width)),
            };
            self.product.tile::<O, S, R, V, P>(s, job, place);
        });
        for row in 0..rows {
            out.row(row).copy_from_slice(&aside.row(row)[..columns]);
        }
    }

    /// What is added to so many `columns` of a tile.
    #[inline(always)]
    fn added(&self, job: &TileJob<'_>, columns: usize) -> Added<'a> {
        let product = self.product;
        let (parked, last) = (job.begun.all.start > 0, job.begun.steps.last());
        let at_column = self.block.column + job.column;
        let first = (product.first_row + self.block.row + job.row) * product.columns + at_column;
        let bias = product.epilogue.bias().filter(|_| last);
        let bias = bias.map(|bias| &bias[at_column..][..columns]);
        let residual = product.epilogue.residual().filter(|_| last);
        let residual = residual.map(|residual| (&residual[first..], product.columns));
        Added { parked, bias, residual }
    }
}

/// What is added to the sums of a tile; see [`Place`].
struct Added<'a> {
    parked: bool,
    bias: Option<&'a [f32]>,
    residual: Option<(&'a [f32], usize)>,
}

impl Product<'_> {
    /// Where the steps begin that the left operand has, and where they end.
    fn steps(&self) -> (usize, usize) {
        match self.left {
            Left::Float(left) => (left.start, left.start + left.len),
            _ => (0, self.depth),
        }
    }

    /// Computes a whole tile.
    #[inline(always)]
    pub(crate) fn tile<O: Operands, S: Simd, const R: usize, const V: usize, const P: usize>(
        &self,
        s: S,
        job: &TileJob<'_>,
        place: Place<'_, '_, R>,
    ) {
        for row in &place.out {
            for line in row.chunks(LINE / size_of::<f32>()) {
                s.prefetch(&line[0]);
            }
            // Rows need not begin on a line.
            s.prefetch(&row[row.len() - 1]);
        }
        finish::<S, R, V>(s, O::sums::<S, R, V, P>(s, self, job), place);
    }
}

impl<'a> FloatLeft<'a> {
    /// These steps of row panel `panel`.
    #[inline(always)]
    pub(crate) fn steps(self, steps: &Steps, panel: usize, tile_rows: usize) -> &'a [f32] {
        let len = self.len.next_multiple_of(STEP);
        let at = |step: usize| (panel * len + step) * tile_rows;
        let end = (steps.end - self.start).next_multiple_of(STEP);
        &self.values[at(steps.start - self.start)..at(end)]
    }
}

/// What one tile reads, and where in the block it lies.
pub(crate) struct TileJob<'a> {
    /// The column panel.
    pub(crate) begun: &'a Begun<'a>,
    /// Which of the tiles of the column panel it is.
    pub(crate) index: usize,
    /// The row panel.
    pub(crate) panel: usize,
    pub(crate) ahead: Lines,
    pub(crate) row: usize,
    pub(crate) column: usize,
}

/// Where a tile over the right edge is computed, with everything that is added to it: zeros past the edge.
struct Edge {
    width: usize,
    out: [f32; MAX_ROWS * MAX_WIDTH],
    bias: [f32; MAX_WIDTH],
    residual: [f32; MAX_ROWS * MAX_WIDTH],
}

impl Edge {
    fn new(width: usize) -> Self {
        let (out, bias) = ([0.0; MAX_ROWS * MAX_WIDTH], [0.0; MAX_WIDTH]);
        Self { width, out, bias, residual: out }
    }

    fn read(
        &mut self,
        out: &mut MatMut<'_>,
        bias: Option<&[f32]>,
        residual: Option<(&[f32], usize)>,
    ) {
        let (rows, columns) = (out.rows(), out.columns());
        for (r, to) in self.out.chunks_exact_mut(self.width).take(rows).enumerate() {
            to[..columns].copy_from_slice(out.row(r));
        }
        if let Some(bias) = bias {
            self.bias[..columns].copy_from_slice(bias);
        }
        if let Some((residual, stride)) = residual {
            let rows = residual.chunks(stride).take(rows);
            for (to, row) in self.residual.chunks_exact_mut(self.width).zip(rows) {
                to[..columns].copy_from_slice(&row[..columns]);
            }
        }
    }
}

/// Applies the activation to a finished tile, whose rows are still in the L1.
#[inline(always)]
fn activate<S: Simd, const V: usize>(
    s: S,
    activation: Activation,
    out: &mut MatMut<'_>,
    rows: Range<usize>,
    column: usize,
) {
    let width = V * S::LANES;
    let columns = width.min(out.columns() - column);
    if columns == width {
        return activation.apply(s, out, rows, (column, width));
    }
    // Over the right edge: aside.
    for row in rows {
        let row = &mut out.row(row)[column..][..columns];
        let mut lanes = [0.0; MAX_WIDTH];
        lanes[..columns].copy_from_slice(row);
        activation.apply(s, &mut MatMut::new(&mut lanes, MAX_WIDTH), 0..1, (0, width));
        row.copy_from_slice(&lanes[..columns]);
    }
}
