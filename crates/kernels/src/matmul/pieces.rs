//! Float products by tile registers (AMX), from numbers cut into pieces of bfloat16.
//!
//! The processor multiplies 16 rows of 32 bfloat16 with 16 columns of as many in 16 cycles, which is
//! sixteen times what its vectors do in f32. Six such products give one of f32 with its precision (see
//! `nervio_simd::Tiles`), five one of an f32 with an f16. Column panels are those of the vectors: each
//! step of a panel is split for every 32 rows anew, while the step before is multiplied. The left
//! operand is split once.

use std::ops::Range;

use half::bf16;
use nervio_simd::{Floats, Isa, Kernel, Ring, Simd, Tiles};
use rayon::prelude::*;

use super::block::{DEPTH, Product};
use super::packed_matrix::Panels;
use super::tiles::PanelEnd;
use crate::parallel::Block;
use crate::workspace::LeafBuffers;

/// Rows beyond which depth is cut, so that their pieces stay in the L2.
const MANY_ROWS: usize = 32;

/// Inputs and outputs from which on one tile of rows has the next panel fetched: it comes from memory.
/// Smaller models lie in the L3, which is fast enough.
const LARGE: usize = 768;

/// The left operand in pieces: for every 16 rows what [`Tiles::split_rows`] gives.
#[derive(Clone, Copy)]
pub(crate) struct LeftPieces<'a>(&'a [bf16]);

/// Splits the left operand, `[rows, k]`; among the threads if `shared`.
pub(crate) fn split_left<'a>(
    tiles: Tiles,
    out: &'a mut [bf16],
    left: &[f32],
    k: usize,
    shared: bool,
) -> LeftPieces<'a> {
    let rows = Tiles::ROWS;
    let len = Tiles::left_len(rows, k);
    if shared {
        let blocks = left.par_chunks(rows * k).zip(out.par_chunks_mut(len));
        blocks.for_each(|(left, out)| tiles.split_rows(left, k, out));
    } else {
        let blocks = left.chunks(rows * k).zip(out.chunks_mut(len));
        blocks.for_each(|(left, out)| tiles.split_rows(left, k, out));
    }
    LeftPieces(out)
}

/// Computes one block of the result, whose column panels are whole.
pub(crate) fn multiply_split(
    (isa, tiles): (Isa, Tiles),
    product: &Product<'_>,
    LeftPieces(left): LeftPieces<'_>,
    mut block: Block<'_>,
    buffers: &mut LeafBuffers,
) {
    let (depth, rows) = (product.depth, block.out.rows());
    let padded = rows.next_multiple_of(Tiles::ROWS);
    let stride = Tiles::left_len(Tiles::ROWS, depth);
    let left = &left[block.row / Tiles::ROWS * stride..][..padded / Tiles::ROWS * stride];
    let walk = Walk {
        panels: block.out.columns() / Tiles::COLUMNS,
        depth,
        cut: if rows > MANY_ROWS { DEPTH } else { depth },
    };
    let panel_sums = padded * Tiles::COLUMNS;
    // Sums of all panels if they are left for later steps.
    let kept = if walk.cut < depth { walk.panels } else { 1 };
    let sums = buffers.sums_f32.first(kept * panel_sums);
    let first_column = block.column;
    let weights = |chunk: &Chunk| {
        let first = (first_column + chunk.panel * Tiles::COLUMNS) * depth;
        let at = |step| first + step * Tiles::COLUMNS;
        floats(product.panels, at(chunk.steps.start)..at(chunk.steps.end))
    };
    let ahead = rows > Tiles::ROWS || depth.min(product.columns) >= LARGE;
    let nothing = floats(product.panels, 0..0);
    let mut chunks = walk.chunks().peekable();
    let Some(right) = chunks.peek().map(&weights) else { return };
    let mut ring = Ring::new(tiles, buffers.ring.first(Tiles::RING_LEN), right);
    while let Some(chunk) = chunks.next() {
        let fresh = chunk.steps.start == 0;
        let sums = &mut sums[chunk.panel % kept * panel_sums..][..panel_sums];
        let next = chunks.peek().map_or(nothing, |chunk| {
            let first = chunk.steps.start..chunk.steps.start + Tiles::FLOAT_STEPS;
            weights(&if ahead { chunk.clone() } else { Chunk { steps: first, ..*chunk } })
        });
        let left = &left[Tiles::left_len(Tiles::ROWS, chunk.steps.start)..];
        let right = weights(&chunk);
        tiles.multiply_pieces((left, stride), right, (&mut *sums, fresh), &mut ring, next);
        if chunk.steps.end == depth {
            let column = chunk.panel * Tiles::COLUMNS;
            let end = PanelEnd { product, block: &mut block, column };
            isa.run(Finish { end, sums });
        }
    }
}

/// In what order the steps of some panels are multiplied.
#[derive(Clone, Copy)]
struct Walk {
    panels: usize,
    depth: usize,
    /// Steps of one panel before the next panel.
    cut: usize,
}

/// Some steps of a panel.
#[derive(Clone)]
struct Chunk {
    panel: usize,
    steps: Range<usize>,
}

impl Walk {
    fn chunks(self) -> impl Iterator<Item = Chunk> {
        let Self { panels, depth, cut } = self;
        (0..depth).step_by(cut).flat_map(move |start| {
            let steps = start..(start + cut).min(depth);
            (0..panels).map(move |panel| Chunk { panel, steps: steps.clone() })
        })
    }
}

/// Some elements of the panels.
fn floats(panels: Panels<'_>, range: Range<usize>) -> Floats<'_> {
    match panels {
        Panels::F32(values) => Floats::F32(&values[range]),
        Panels::F16(values) => Floats::F16(&values[range]),
        Panels::BF16(values) => Floats::BF16(&values[range]),
        Panels::Int8(_) => unreachable!("bytes are multiplied as they are"),
    }
}

/// Turns the sums of one column panel into the result.
struct Finish<'a, 'b> {
    end: PanelEnd<'a, 'b>,
    /// `[rows][32]`
    sums: &'a [f32],
}

impl Kernel for Finish<'_, '_> {
    type Output = ();
    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        let Self { mut end, sums } = self;
        let rows = end.block.out.rows();
        for (row, sums) in sums.chunks_exact(Tiles::COLUMNS).take(rows).enumerate() {
            end.row(s, row, [s.load(sums), s.load(&sums[S::LANES..])]);
        }
        end.activate(s);
    }
}
