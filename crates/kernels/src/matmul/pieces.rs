//! Float products by tile registers (AMX), from numbers cut into pieces of bfloat16.
//!
//! The processor multiplies 16 rows of 32 bfloat16 with 16 columns of as many in 16 cycles, which is
//! sixteen times what its vectors do in f32. Six such products give one of f32 with its precision (see
//! `nervio_simd::Tiles`), five one of an f32 with an f16. Column panels are those of the vectors: each
//! step of a panel is split for every 32 rows anew, while the step before is multiplied. Every thread
//! splits the rows that it needs for itself: to wait for another one, and to fetch the pieces from its
//! caches, takes longer.

use std::ops::Range;

use half::bf16;
use nervio_simd::{Ahead, Floats, Isa, Kernel, Ring, Simd, Tiles};

use super::block::{DEPTH, Product};
use super::packed_matrix::Panels;
use super::tiles::PanelEnd;
use crate::aligned::Aligned;
use crate::parallel::Block;
use crate::workspace::LeafBuffers;

/// Rows beyond which depth is cut, so that their pieces stay in the L2. Up to here panels are used
/// once, one after the other as they lie in memory.
const MANY_ROWS: usize = 32;

/// Panels whose sums are kept while depth is cut: of 192 rows, 590 KB.
const KEPT_PANELS: usize = 24;

/// Splits rows of the left operand, `[rows][k]`: for every 16 rows what [`Tiles::split_rows`] gives.
fn split_left<'a>(
    tiles: Tiles,
    buffer: &'a mut Aligned<bf16>,
    left: &[f32],
    k: usize,
) -> &'a [bf16] {
    let rows = (left.len() / k).next_multiple_of(Tiles::ROWS);
    let out = buffer.first(Tiles::left_len(rows, k));
    let blocks = left.chunks(Tiles::ROWS * k).zip(out.chunks_mut(Tiles::left_len(Tiles::ROWS, k)));
    blocks.for_each(|(left, out)| tiles.split_rows(left, k, out));
    out
}

/// Computes one block of the result, whose column panels are whole.
pub(crate) fn multiply_split(
    (isa, tiles): (Isa, Tiles),
    product: &Product<'_>,
    left: &[f32],
    mut block: Block<'_>,
    buffers: &mut LeafBuffers,
) {
    let (depth, rows) = (product.depth, block.out.rows());
    let LeafBuffers { pieces, ring, sums_f32, .. } = buffers;
    let left = &left[block.row * depth..(block.row + rows) * depth];
    let left = split_left(tiles, pieces, left, depth);
    let stride = Tiles::left_len(Tiles::ROWS, depth);
    let padded = rows.next_multiple_of(Tiles::ROWS);
    let few = rows <= MANY_ROWS;
    let cut = if few { depth } else { DEPTH };
    let panels = block.out.columns() / Tiles::COLUMNS;
    // Where depth is cut, sums wait for later steps.
    let kept = if cut < depth { KEPT_PANELS.min(panels).max(1) } else { 1 };
    let walk = Walk { panels, kept, depth, cut };
    let panel_sums = padded * Tiles::COLUMNS;
    let sums = sums_f32.first(kept * panel_sums);
    let first_column = block.column;
    let weights = |chunk: &Chunk| {
        let first = (first_column + chunk.panel * Tiles::COLUMNS) * depth;
        let at = |step| first + step * Tiles::COLUMNS;
        floats(product.panels, at(chunk.steps.start)..at(chunk.steps.end))
    };
    let nothing = floats(product.panels, 0..0);
    let mut chunks = walk.chunks().peekable();
    let Some(right) = chunks.peek().map(&weights) else { return };
    let ahead = if few { Ahead::Beyond } else { Ahead::Next };
    let mut ring = Ring::new(tiles, ring.first(Tiles::RING_LEN), right, ahead);
    let _configured = tiles.configure();
    while let Some(chunk) = chunks.next() {
        let fresh = chunk.steps.start == 0;
        let sums = &mut sums[chunk.panel % kept * panel_sums..][..panel_sums];
        let next = chunks.peek().map_or(nothing, &weights);
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
struct Walk {
    panels: usize,
    /// Panels that are gone through together.
    kept: usize,
    depth: usize,
    /// Steps of one panel before the next panel.
    cut: usize,
}

/// Some steps of a panel.
struct Chunk {
    panel: usize,
    steps: Range<usize>,
}

impl Walk {
    fn chunks(self) -> impl Iterator<Item = Chunk> {
        let Self { panels, kept, depth, cut } = self;
        (0..panels).step_by(kept).flat_map(move |first| {
            let panels = first..(first + kept).min(panels);
            (0..depth).step_by(cut).flat_map(move |start| {
                let steps = start..(start + cut).min(depth);
                panels.clone().map(move |panel| Chunk { panel, steps: steps.clone() })
            })
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
