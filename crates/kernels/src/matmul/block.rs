//! A block of the result: loops over depth, column panels and row panels.

use nervio_simd::{Isa, Kernel, MatMut, Simd};

use super::epilogue::Epilogue;
use super::pack::Panels;
use super::tile::{MAX_WIDTH, ROWS, Sums, TileEpilogue, multiply};
use crate::aligned::Aligned;
use crate::parallel::Block;

/// Steps of k at a time: 24 KB of a 16-wide panel and 9 KB of a row panel, about an L1.
const DEPTH: usize = 384;

/// The operands of a product, shared by all of its blocks.
#[derive(Clone, Copy)]
pub(crate) struct Product<'a> {
    /// Row panels of the left operand, `[rows / ROWS][k][ROWS]`.
    pub(crate) left: &'a [f32],
    /// Column panels of the right operand, `[n / width][k][width]`.
    pub(crate) panels: Panels<'a>,
    /// What is done to the sums; its residual starts at row 0 of the whole result.
    pub(crate) epilogue: &'a Epilogue<'a>,
    /// The row of the whole result at which `left` begins.
    pub(crate) first_row: usize,
    /// Length of the sums.
    pub(crate) depth: usize,
    /// Columns of the whole result: the stride of the residual.
    pub(crate) columns: usize,
}

/// Computes one block of the result. `block.row` counts from `product.first_row`; both of the
/// block's corners lie on tile borders.
pub(crate) fn multiply_block(
    isa: Isa,
    product: &Product<'_>,
    block: Block<'_>,
    widened: &mut Aligned<f32>,
) {
    isa.run(MultiplyBlock { product, block, widened });
}

struct MultiplyBlock<'a, 'b> {
    product: &'a Product<'a>,
    block: Block<'b>,
    widened: &'a mut Aligned<f32>,
}

impl Kernel for MultiplyBlock<'_, '_> {
    type Output = ();
    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        match S::TILE_VECTORS {
            1 => self.loops::<S, 1>(s),
            _ => self.loops::<S, 2>(s),
        }
    }
}

impl MultiplyBlock<'_, '_> {
    #[inline(always)]
    fn loops<S: Simd, const V: usize>(mut self, s: S) {
        let width = V * S::LANES;
        let depth = self.product.depth;
        let widened = self.widened.first(DEPTH.min(depth) * width);
        let mut start = 0;
        loop {
            let end = (start + DEPTH).min(depth);
            let steps = Steps { start, end, depth };
            let mut column = 0;
            while column < self.block.out.columns() {
                let panel = (self.block.column + column) / width;
                let right = steps.right(s, self.product.panels, panel, width, widened);
                let mut row = 0;
                while row < self.block.out.rows() {
                    let tile_row = (self.block.row + row) / ROWS;
                    let left = steps.left(self.product.left, tile_row);
                    tile::<S, V>(
                        s,
                        self.product,
                        &mut self.block,
                        (row, column),
                        &steps,
                        left,
                        right,
                    );
                    row += ROWS;
                }
                column += width;
            }
            start = end;
            if start >= depth {
                break;
            }
        }
    }
}

/// A range of k.
struct Steps {
    start: usize,
    end: usize,
    depth: usize,
}

impl Steps {
    /// These steps of row panel `panel` of the left operand.
    #[inline(always)]
    fn left<'a>(&self, left: &'a [f32], panel: usize) -> &'a [f32] {
        &left[(panel * self.depth + self.start) * ROWS..(panel * self.depth + self.end) * ROWS]
    }

    /// These steps of column panel `panel`, in f32: as they lie, or widened into `buffer`.
    #[inline(always)]
    fn right<'a, S: Simd>(
        &self,
        s: S,
        panels: Panels<'a>,
        panel: usize,
        width: usize,
        buffer: &'a mut [f32],
    ) -> &'a [f32] {
        let first = (panel * self.depth + self.start) * width;
        let last = (panel * self.depth + self.end) * width;
        let out = &mut buffer[..last - first];
        let vectors = out.chunks_exact_mut(S::LANES);
        match panels {
            Panels::F32(values) => return &values[first..last],
            Panels::F16(values) => {
                for (out, x) in vectors.zip(values[first..last].chunks_exact(S::LANES)) {
                    s.store(s.load_f16(x), out);
                }
            }
            Panels::BF16(values) => {
                for (out, x) in vectors.zip(values[first..last].chunks_exact(S::LANES)) {
                    s.store(s.load_bf16(x), out);
                }
            }
            Panels::Int8(values, scales) => {
                let scales = scales[panel * width..][..width].chunks_exact(S::LANES).cycle();
                let values = values[first..last].chunks_exact(S::LANES);
                for ((out, x), scale) in vectors.zip(values).zip(scales) {
                    s.store(s.mul(s.load_i8(x), s.load(scale)), out);
                }
            }
        }
        out
    }
}

/// One tile of the result over some steps of k, at `(row, column)` of the block.
#[inline(always)]
fn tile<S: Simd, const V: usize>(
    s: S,
    product: &Product<'_>,
    block: &mut Block<'_>,
    (row, column): (usize, usize),
    steps: &Steps,
    left: &[f32],
    right: &[f32],
) {
    let width = V * S::LANES;
    let rows = ROWS.min(block.out.rows() - row);
    let columns = width.min(block.out.columns() - column);
    let (first, last) = (steps.start == 0, steps.end == steps.depth);
    let whole = rows == ROWS && columns == width;
    let mut sums: Sums<S, V> = [[s.splat(0.0); V]; ROWS];
    if !first {
        sums = load_tile::<S, V>(s, &mut block.out, row, column, rows, columns);
    }
    sums = multiply::<S, V>(s, left, right, sums);
    if last {
        let place = Place {
            row: product.first_row + block.row + row,
            column: block.column + column,
            rows,
            columns,
        };
        sums = finish::<S, V>(s, product, &place, sums, whole);
    }
    store_tile::<S, V>(s, sums, &mut block.out, row, column, columns);
}

/// Where a tile lies in the whole result, and how much of it does.
struct Place {
    row: usize,
    column: usize,
    rows: usize,
    columns: usize,
}

/// The epilogue of a tile; what a tile over the edge reads is copied and padded with zeros.
#[inline(always)]
fn finish<S: Simd, const V: usize>(
    s: S,
    product: &Product<'_>,
    place: &Place,
    sums: Sums<S, V>,
    whole: bool,
) -> Sums<S, V> {
    let width = V * S::LANES;
    let activation = product.epilogue.activation();
    let bias = product.epilogue.bias().map(|bias| &bias[place.column..][..place.columns]);
    let first = place.row * product.columns + place.column;
    let residual = product.epilogue.residual().map(|residual| &residual[first..]);
    if whole {
        let residual = residual.map(|residual| (residual, product.columns));
        return TileEpilogue { bias, residual, activation }.apply(s, sums);
    }
    let mut bias_copy = [0.0; MAX_WIDTH];
    if let Some(bias) = bias {
        bias_copy[..place.columns].copy_from_slice(bias);
    }
    let mut residual_copy = [0.0; ROWS * MAX_WIDTH];
    if let Some(residual) = residual {
        let rows = residual.chunks(product.columns).take(place.rows);
        for (out, row) in residual_copy.chunks_exact_mut(width).zip(rows) {
            out[..place.columns].copy_from_slice(&row[..place.columns]);
        }
    }
    let epilogue = TileEpilogue {
        bias: bias.map(|_| &bias_copy[..width]),
        residual: residual.map(|_| (&residual_copy[..], width)),
        activation,
    };
    epilogue.apply(s, sums)
}

/// The sums that an earlier block of k left in the result.
#[inline(always)]
fn load_tile<S: Simd, const V: usize>(
    s: S,
    out: &mut MatMut<'_>,
    row: usize,
    column: usize,
    rows: usize,
    columns: usize,
) -> Sums<S, V> {
    let mut sums = [[s.splat(0.0); V]; ROWS];
    for (r, sums) in sums.iter_mut().enumerate() {
        if r < rows {
            let from = &out.row(row + r)[column..column + columns];
            for (v, sum) in sums.iter_mut().enumerate() {
                *sum = s.load_partial(from.get(v * S::LANES..).unwrap_or(&[]));
            }
        }
    }
    sums
}

/// Writes what lies inside the result.
#[inline(always)]
fn store_tile<S: Simd, const V: usize>(
    s: S,
    sums: Sums<S, V>,
    out: &mut MatMut<'_>,
    row: usize,
    column: usize,
    columns: usize,
) {
    for (r, sums) in sums.iter().enumerate() {
        if row + r < out.rows() {
            let to = &mut out.row(row + r)[column..column + columns];
            for (v, sum) in sums.iter().enumerate() {
                s.store_partial(*sum, to.get_mut(v * S::LANES..).unwrap_or(&mut []));
            }
        }
    }
}
