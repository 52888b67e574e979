//! The matrix product of a linear layer: `C[m, n] = epilogue(A[m, k] · W[n, k]ᵀ)`.
//!
//! The plain way is three loops ([`matmul_reference`]). The fast way is that of Goto and van de
//! Geijn ("Anatomy of High-Performance Matrix Multiplication", 2008) as BLIS arranges it, with the
//! weights packed once at load:
//!
//! ```text
//! cut the rows of A among the threads, if there are enough of them
//! LOOP 4  rows of A, SUPER_ROWS at a time: packed into row panels (L2, L3)
//!   cut the columns of the block of C, so that a thread that is done helps out
//!     LOOP 3  k, some hundreds at a time: a row block of A and a column panel of W stay near
//!       LOOP 2  column panels of W: [k][width], contiguous
//!         LOOP 1  row panels of A: [k / 4][rows][4], contiguous
//!           the tile: ROWS x width sums in registers, one broadcast of A and one row of W a step
//!           after the last k: the epilogue on the tile, while it is in registers
//! ```
//!
//! Weights in half precision are widened, some steps of a panel at a time, into an f32 buffer that stays
//! near: see [`widening`]; sums are f32. With 8-bit weights A is packed into bytes, with a scale for each row,
//! and sums are 32-bit integers: see [`quantize`] and [`int8`]. Tile registers (AMX) take the place of the two innermost
//! loops where the processor has them: see [`tiles`] for bytes and [`pieces`] for floats. With the latter
//! A is not packed in loop 4 but split by each thread in loop 3, a thread has its columns in one piece, and
//! sums wait in a buffer of its own between two blocks of k; few rows are cut in the middle of k instead of
//! between columns if there are fewer outputs than inputs: see [`halves`]. The two products of a feed-forward
//! block become one, with tile registers as by vectors: see [`feed_forward`](mod@feed_forward). Who needs some
//! columns at a time takes them by [`ByColumns`]. Between rows or columns, for which threads and which tile a product
//! is cut is said by [`plan`].
//!
//! # Determinism
//!
//! A tile goes through k in one order, whatever its row, its neighbours or the thread that runs it;
//! a sum that is parked in C between two blocks of k loses nothing, and where both halves of k are summed
//! apart, those of floats are for every number of rows and threads; those of integers are exact. So an element of C depends on its row of A, its
//! row of W, the sizes of W and the instruction set, and on nothing else.

mod ahead;
mod block;
mod by_columns;
mod epilogue;
mod feed_forward;
mod halves;
mod int8;
mod operands;
mod pack;
mod packed_matrix;
mod pieces;
mod plan;
mod quantize;
mod reference;
mod row_panels;
mod steps;
mod tall;
mod tile;
mod tiles;
mod widening;

pub use epilogue::Epilogue;
pub use feed_forward::{FeedForward, FeedForwardStep, feed_forward};
pub use packed_matrix::{Element, PackedMatrix, WeightKind, nearest_i8};
pub use plan::{row_threads, thread_rows};
pub use reference::matmul_reference;

pub(crate) use ahead::{LINE, Nothing};
pub(crate) use by_columns::ByColumns;
pub(crate) use int8::RowScale;
pub(crate) use pack::{pack_left, pack_rows, scatter_four, turn};
pub(crate) use plan::bytes_by_tiles;
pub(crate) use quantize::RowRange;
pub(crate) use row_panels::RowPanels;
pub(crate) use tile::{MAX_ROWS, MAX_WIDTH, Place, STEP, by_rows, multiply_left, place_in_round};

use std::ops::Range;

use nervio_simd::{Isa, MatMut, Tiles};

use self::block::{FloatLeft, Left, Product, multiply_block};
use self::halves::{Halves, halves_pay};
use self::int8::Int8Left;
use self::packed_matrix::Panels;
use self::pieces::{border, multiply_split};
use self::plan::{Shares, shares, split_by_threads, spread, tile_rows};
use self::quantize::{quantize_left, quantize_tiles};
use self::tall::multiply_tall;
use self::tiles::{Int8Tiles, multiply_tiles, tiles_for};
use self::widening::stretch;
use crate::parallel::{Block, Cut, RowBorders, for_each_block, for_each_part};
use crate::workspace::{LeafBuffers, LeafPool, Workspace};

/// Rows of A that are packed at a time; 3,072 columns of them are 2.4 MB.
const SUPER_ROWS: usize = 192;

/// `out = epilogue(left · weightsᵀ)`, row-major: `left` `[m, k]`, `weights` `[n, k]`, `out` `[m, n]`.
///
/// # Panics
///
/// When the lengths disagree, or the weights were packed for another instruction set.
pub fn matmul(
    isa: Isa,
    workspace: &Workspace,
    left: &[f32],
    weights: &PackedMatrix,
    epilogue: &Epilogue<'_>,
    out: &mut [f32],
) {
    let (n, k) = (weights.rows(), weights.depth());
    assert_eq!(isa.level(), weights.level(), "weights packed for another instruction set");
    assert_eq!(left.len() * n, out.len() * k, "matmul: rows of the left operand and of the result");
    epilogue.check(n, out.len());
    let rows = left.len() / k.max(1);
    let parts = row_threads(isa, weights, rows);
    let job = Job { isa, left, weights, epilogue, leaves: &workspace.leaves };
    let shares = shares(isa, weights, rows, parts);
    // The same rows of every product of a forward pass fall to the same thread, as long as none helps
    // another out: they stay in the caches of its core.
    for_each_part(MatMut::new(out, n), parts, &|out, first| job.part(out, first, shares));
}

/// Rows in about equal blocks of at most [`SUPER_ROWS`].
fn row_blocks(rows: usize) -> impl Iterator<Item = Range<usize>> {
    let blocks = rows.div_ceil(SUPER_ROWS);
    (0..blocks).map(move |block| rows * block / blocks..rows * (block + 1) / blocks)
}

/// What all parts of one product share.
struct Job<'a> {
    isa: Isa,
    left: &'a [f32],
    weights: &'a PackedMatrix,
    epilogue: &'a Epilogue<'a>,
    leaves: &'a LeafPool,
}

impl Job<'_> {
    /// Packs the rows from `first` on, unless each thread splits its own, then cuts between columns.
    fn part(&self, mut out: MatMut<'_>, first: usize, shares: Shares) {
        let (n, k) = (self.weights.rows(), self.weights.depth());
        self.leaves.with(|packed| {
            for block in row_blocks(out.rows()) {
                let start = first + block.start;
                let rows =
                    RowPanels::new(block.len(), tile_rows(self.isa, self.weights, block.len()));
                let left = &self.left[start * k..(first + block.end) * k];
                let product = Product {
                    left: pack_operand(self.isa, packed, left, rows, self.weights, shares),
                    rows,
                    panels: self.weights.panels(),
                    epilogue: self.epilogue,
                    first_row: start,
                    depth: k,
                    columns: n,
                    stretch: stretch(self.isa),
                    spread: spread(self.isa, self.weights, rows),
                    then: &[],
                };
                self.block(&product, out.block(block, 0..n), shares.pieces);
            }
        });
    }

    /// Cuts some rows between the halves of their depth, or between columns.
    fn block(&self, product: &Product<'_>, out: MatMut<'_>, pieces: usize) {
        let split = match product.left {
            Left::Rows(left) => self.isa.tiles().map(|tiles| (tiles, left)),
            _ => None,
        };
        if let Some((tiles, left)) = split
            && pieces > 1
            && border(product) > 0
            && halves_pay(out.rows(), out.rows() * product.columns * product.depth)
        {
            let cut = Halves { product, left, leaves: self.leaves, threads: pieces };
            return cut.multiply((self.isa, tiles), out);
        }
        let cut = Cut {
            rows: match product.left {
                Left::Rows(_) | Left::Int8Tiles(_) => RowBorders::Every(Tiles::ROWS),
                Left::Float(_) | Left::Int8(_) => RowBorders::Panels(product.rows),
            },
            column_step: self.weights.panel_width(),
            cost: product.depth,
            pieces,
        };
        for_each_block(out, &cut, &|block| {
            self.leaves.with(|buffers| multiply_packed(self.isa, product, block, buffers));
        });
    }
}

/// Computes one block of the result with the tile that its rows were packed for.
fn multiply_packed(isa: Isa, product: &Product<'_>, block: Block<'_>, buffers: &mut LeafBuffers) {
    if let (Left::Int8Tiles(left), Panels::Int8(panels), Some(tiles)) =
        (product.left, product.panels, isa.tiles())
    {
        return multiply_tiles((isa, tiles), product, left, panels, block, &mut buffers.sums);
    }
    if let (Left::Rows(left), Some(tiles)) = (product.left, isa.tiles()) {
        return multiply_split((isa, tiles), product, left, block, buffers);
    }
    if product.rows.tile_rows() == isa.tile_rows() {
        return multiply_block(isa, product, block, &mut buffers.widened);
    }
    match (product.left, product.panels) {
        (Left::Float(left), Panels::F16(panels)) => {
            multiply_tall(isa, product, left.values, panels, block)
        }
        (Left::Float(left), Panels::BF16(panels)) => {
            multiply_tall(isa, product, left.values, panels, block)
        }
        _ => unreachable!("only weights in half precision have a tall tile"),
    }
}

/// Packs some rows of the left operand as the weights need them, or hands them on as they are.
fn pack_operand<'a>(
    isa: Isa,
    buffers: &'a mut LeafBuffers,
    left: &'a [f32],
    rows: RowPanels,
    weights: &PackedMatrix,
    shares: Shares,
) -> Left<'a> {
    let k = weights.depth();
    if split_by_threads(isa, weights) {
        return Left::Rows(left);
    }
    let len = rows.packed_len(k);
    if weights.kind() != WeightKind::Int8 {
        let packed = buffers.left.first(len);
        pack_rows(isa, packed, left, rows, k, shares.pieces);
        return Left::Float(FloatLeft { values: packed, start: 0, len: k });
    }
    if tiles_for(isa, weights).is_some() {
        let padded = (left.len() / k).next_multiple_of(Tiles::ROWS);
        let values = buffers.bytes.first(padded * k);
        buffers.scales.resize(padded, RowScale::default());
        quantize_tiles(isa, values, &mut buffers.scales, (left, k), shares.threads);
        return Left::Int8Tiles(Int8Tiles { values, scales: &buffers.scales });
    }
    let values = buffers.bytes.first(len);
    buffers.scales.resize(rows.padded(), RowScale::default());
    quantize_left(isa, values, &mut buffers.scales, (left, k), rows, shares.threads);
    Left::Int8(Int8Left { values, scales: &buffers.scales })
}
