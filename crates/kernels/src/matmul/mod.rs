//! The matrix product of a linear layer: `C[m, n] = epilogue(A[m, k] · W[n, k]ᵀ)`.
//!
//! The plain way is three loops ([`matmul_reference`]). The fast way is that of Goto and van de
//! Geijn ("Anatomy of High-Performance Matrix Multiplication", 2008) as BLIS arranges it, with the
//! weights packed once at load:
//!
//! ```text
//! LOOP 4  rows of A, SUPER_ROWS at a time: packed into row panels that all threads share (L3)
//!   cut the block of C among the threads, on tile borders
//!     LOOP 3  k, DEPTH at a time: a row block of A (L2) and a column panel of W (L1) fit
//!       LOOP 2  column panels of W: [k][width], contiguous
//!         LOOP 1  row panels of A: [k / 4][rows][4], contiguous
//!           the tile: ROWS x width sums in registers, one broadcast of A and one row of W a step
//!           after the last k: the epilogue on the tile, while it is in registers
//! ```
//!
//! Weights in half precision are widened, a `DEPTH x width` block at a time, into an f32 buffer that
//! stays in L1; sums are f32. With 8-bit weights A is packed into bytes, with a scale for each row,
//! and sums are 32-bit integers: see [`int8`].
//!
//! # Determinism
//!
//! A tile goes through k in one order, whatever its row, its neighbours or the thread that runs it;
//! a sum that is parked in C between two blocks of k loses nothing. So an element of C depends on
//! its row of A, its row of W and the instruction set, and on nothing else.

mod block;
mod epilogue;
mod int8;
mod pack;
mod reference;
mod row_panels;
mod tile;

pub use epilogue::Epilogue;
pub use int8::INT8_LIMIT;
pub use pack::{Element, PackedMatrix, WeightKind};
pub use reference::matmul_reference;

pub(crate) use block::{Left, Product, multiply_block};
pub(crate) use int8::RowScale;
pub(crate) use pack::{Panels, pack_columns, pack_keys, pack_left};
pub(crate) use row_panels::RowPanels;

use nervio_simd::{Isa, MatMut};

use self::int8::{Int8Left, quantize_left};
use crate::aligned::Aligned;
use crate::parallel::{Cut, RowBorders, for_each_block};
use crate::workspace::Workspace;

/// Rows of A that are packed at a time; 3,072 columns of them are 4.7 MB.
const SUPER_ROWS: usize = 384;

/// Rows above which a block is cut between rows before it is cut between columns.
const BLOCK_ROWS: usize = 192;

/// `out = epilogue(left · weightsᵀ)`, row-major: `left` `[m, k]`, `weights` `[n, k]`, `out` `[m, n]`.
///
/// # Panics
///
/// When the lengths disagree, or the weights were packed for another instruction set.
pub fn matmul(
    isa: Isa,
    workspace: &mut Workspace,
    left: &[f32],
    weights: &PackedMatrix,
    epilogue: &Epilogue<'_>,
    out: &mut [f32],
) {
    let (n, k) = (weights.rows(), weights.depth());
    assert_eq!(isa.level(), weights.level(), "weights packed for another instruction set");
    assert_eq!(left.len() * n, out.len() * k, "matmul: rows of the left operand and of the result");
    epilogue.check(n, out.len());
    let mut out = MatMut::new(out, n);
    let Workspace { left: floats, left_bytes: bytes, left_scales: scales, leaves } = workspace;
    let mut operand = LeftBuffers { floats, bytes, scales };
    let blocks = out.rows().div_ceil(SUPER_ROWS);
    let mut start = 0;
    for block in 0..blocks {
        let end = out.rows() * (block + 1) / blocks;
        let rows = RowPanels::new(end - start);
        let product = Product {
            left: operand.pack(isa, &left[start * k..end * k], rows, weights),
            rows,
            panels: weights.panels(),
            epilogue,
            first_row: start,
            depth: k,
            columns: n,
        };
        let cut = Cut {
            rows: RowBorders::Panels(rows),
            column_step: weights.panel_width(),
            rows_first_above: BLOCK_ROWS,
            cost: k,
        };
        for_each_block(out.block(start..end, 0..n), &cut, &|block| {
            leaves.with(|buffers| multiply_block(isa, &product, block, &mut buffers.widened));
        });
        start = end;
    }
}

/// Where the left operand is packed, in floats or in bytes.
struct LeftBuffers<'a> {
    floats: &'a mut Aligned<f32>,
    bytes: &'a mut Aligned<u8>,
    scales: &'a mut Vec<RowScale>,
}

impl LeftBuffers<'_> {
    /// Packs some rows of the left operand as the weights need them.
    fn pack(
        &mut self,
        isa: Isa,
        left: &[f32],
        rows: RowPanels,
        weights: &PackedMatrix,
    ) -> Left<'_> {
        let k = weights.depth();
        let len = rows.packed_len(k);
        if weights.kind() != WeightKind::Int8 {
            let packed = self.floats.first(len);
            pack_left(packed, left, rows, k, k);
            return Left::Float(packed);
        }
        let values = self.bytes.first(len);
        self.scales.resize(rows.padded(), RowScale::default());
        quantize_left(isa, values, self.scales, left, rows, k);
        Left::Int8(Int8Left { values, scales: self.scales })
    }
}
