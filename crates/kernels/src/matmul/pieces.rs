//! Float products by tile registers (AMX), from numbers cut into pieces of bfloat16.
//!
//! The processor multiplies 16 rows of 32 bfloat16 with 16 columns of as many in 16 cycles, which is
//! sixteen times what its vectors do in f32. Six such products give one of f32 with its precision (see
//! `nervio_simd::Tiles`), five one of an f32 with an f16. Column panels are those of the vectors: each
//! step of a panel is split for every 32 rows anew, while the step before is multiplied. Every thread
//! splits what it needs of the rows for itself: to wait for another one, and to fetch the pieces from its
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
pub(crate) const MANY_ROWS: usize = 32;

/// Panels whose sums are kept while depth is cut: of 192 rows, 590 KB for each half of the depth.
const KEPT_PANELS: usize = 24;

/// Where the depth of a product is halved: both halves are summed apart. 0 where all of it is summed in one.
///
/// Layers with fewer outputs than inputs can then be cut between threads in the middle of their depth
/// (see [`halves`](super::halves)), and a sum is the same however a product is cut.
pub(crate) fn border(product: &Product<'_>) -> usize {
    let half = product.depth / Tiles::FLOAT_STEPS / 2 * Tiles::FLOAT_STEPS;
    if product.depth > product.columns { half } else { 0 }
}

/// Rows of a left operand in pieces, some of its depth.
#[derive(Clone)]
pub(crate) struct SplitRows<'a> {
    /// For every 16 rows what [`Tiles::split_rows`] gives for `depth`.
    pieces: &'a [bf16],
    /// Rows, with those that fill up the last tile.
    rows: usize,
    depth: Range<usize>,
}

impl<'a> SplitRows<'a> {
    /// Splits the elements `depth` of rows of `k` elements, one behind the other, into `buffer`.
    pub(crate) fn new(
        tiles: Tiles,
        (left, k): (&[f32], usize),
        depth: Range<usize>,
        buffer: &'a mut Aligned<bf16>,
    ) -> Self {
        let rows = (left.len() / k).next_multiple_of(Tiles::ROWS);
        let pieces = buffer.first(Tiles::left_len(rows, depth.len()));
        let blocks = pieces.chunks_mut(Tiles::left_len(Tiles::ROWS, depth.len()));
        for (left, out) in left.chunks(Tiles::ROWS * k).zip(blocks) {
            tiles.split_rows((left, k), depth.clone(), out);
        }
        Self { pieces, rows, depth }
    }

    /// Splits what `fill` gives for each 32 elements of the depth: the rows of these, `[rows][32]`.
    pub(crate) fn from_panels(
        tiles: Tiles,
        rows: usize,
        depth: Range<usize>,
        buffer: &'a mut Aligned<bf16>,
        fill: impl FnOnce(&mut dyn FnMut(usize, &[f32])),
    ) -> Self {
        let rows = rows.next_multiple_of(Tiles::ROWS);
        let pieces = buffer.first(Tiles::left_len(rows, depth.len()));
        let step = Tiles::left_len(Tiles::ROWS, Tiles::COLUMNS);
        fill(&mut |at, panel| {
            let first = Tiles::left_len(Tiles::ROWS, at - depth.start);
            let blocks = pieces.chunks_mut(Tiles::left_len(Tiles::ROWS, depth.len()));
            for (rows, out) in panel.chunks(Tiles::ROWS * Tiles::COLUMNS).zip(blocks) {
                let out = &mut out[first..first + step];
                tiles.split_rows((rows, Tiles::COLUMNS), 0..Tiles::COLUMNS, out);
            }
        });
        Self { pieces, rows, depth }
    }
}

/// Some column panels of a product, to be summed over the depth of the rows.
pub(crate) struct Sweep<'a> {
    pub(crate) product: &'a Product<'a>,
    pub(crate) left: SplitRows<'a>,
    pub(crate) columns: Range<usize>,
}

impl Sweep<'_> {
    pub(crate) fn panels(&self) -> usize {
        self.columns.len() / Tiles::COLUMNS
    }

    /// Elements of the sums of a panel.
    fn panel_sums(&self) -> usize {
        self.left.rows * Tiles::COLUMNS
    }

    /// Whether there are sums of both halves of the depth.
    fn both(&self) -> bool {
        let border = border(self.product);
        self.left.depth.start < border && border < self.left.depth.end
    }

    /// Steps of one panel before the next panel.
    fn cut(&self) -> usize {
        if self.left.rows <= MANY_ROWS { self.product.depth } else { DEPTH }
    }

    /// Sums into `sums`, `[1 or 2 halves][kept panels][rows][32]`; `done` gets the first column of each
    /// panel that is ready, and its sums of each half. Sums over a depth that begins in the middle of a half
    /// are added to `sums`, which must have room for all panels then.
    pub(crate) fn run(
        &self,
        tiles: Tiles,
        kept: usize,
        sums: &mut [f32],
        ring: &mut Aligned<bf16>,
        mut done: impl FnMut(usize, [&[f32]; 2]),
    ) {
        let Self { product, .. } = *self;
        let SplitRows { pieces, rows, depth } = self.left.clone();
        let (border, both, panel_sums) = (border(product), self.both(), self.panel_sums());
        let (lower, upper) = sums.split_at_mut(if both { kept * panel_sums } else { 0 });
        let stride = Tiles::left_len(Tiles::ROWS, depth.len());
        let weights = |chunk: &Chunk| {
            let first = (self.columns.start + chunk.panel * Tiles::COLUMNS) * product.depth;
            let at = |step| first + step * Tiles::COLUMNS;
            floats(product.panels, at(chunk.steps.start)..at(chunk.steps.end))
        };
        let nothing = floats(product.panels, 0..0);
        let walk =
            Walk { panels: self.panels(), kept, depth: depth.clone(), cut: self.cut(), border };
        let mut chunks = walk.chunks().peekable();
        let Some(right) = chunks.peek().map(&weights) else { return };
        let ahead = if rows <= MANY_ROWS { Ahead::Beyond } else { Ahead::Next };
        let mut ring = Ring::new(tiles, ring.first(Tiles::RING_LEN), right, ahead);
        let _configured = tiles.configure();
        while let Some(Chunk { panel, steps }) = chunks.next() {
            let right = weights(&Chunk { panel, steps: steps.clone() });
            let next = chunks.peek().map_or(nothing, &weights);
            let fresh = steps.start == 0 || steps.start == border;
            let room = panel % kept * panel_sums..(panel % kept + 1) * panel_sums;
            let half = if both && steps.start < border { &mut *lower } else { &mut *upper };
            let left = &pieces[Tiles::left_len(Tiles::ROWS, steps.start - depth.start)..];
            let sums = &mut half[room.clone()];
            tiles.multiply_pieces((left, stride), right, (sums, fresh), &mut ring, next);
            if steps.end == depth.end {
                let low = if both { &lower[room.clone()] } else { &[] };
                done(self.columns.start + panel * Tiles::COLUMNS, [low, &upper[room]]);
            }
        }
    }
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
    let columns = block.column..block.column + block.out.columns();
    let left = SplitRows::new(tiles, (left, depth), 0..depth, pieces);
    let sweep = Sweep { product, left, columns };
    // Where depth is cut, sums wait for later steps.
    let kept = if sweep.cut() < depth { KEPT_PANELS.min(sweep.panels()).max(1) } else { 1 };
    let halves = 1 + usize::from(sweep.both());
    let sums = sums_f32.first(halves * kept * sweep.panel_sums());
    let first_column = block.column;
    sweep.run(tiles, kept, sums, ring, |column, sums| {
        let end = PanelEnd { product, block: &mut block, column: column - first_column };
        isa.run_floats(Finish { end, sums });
    });
}

/// In what order the steps of some panels are multiplied.
struct Walk {
    panels: usize,
    /// Panels that are gone through together.
    kept: usize,
    depth: Range<usize>,
    /// Steps of one panel before the next panel.
    cut: usize,
    /// Where other sums begin.
    border: usize,
}

/// Some steps of a panel.
struct Chunk {
    panel: usize,
    steps: Range<usize>,
}

impl Walk {
    fn chunks(self) -> impl Iterator<Item = Chunk> {
        let Self { panels, kept, depth, cut, border } = self;
        (0..panels).step_by(kept).flat_map(move |first| {
            let panels = first..(first + kept).min(panels);
            let end = depth.end;
            depth.clone().step_by(cut).flat_map(move |start| {
                let end = (start + cut).min(end);
                let middle = border.clamp(start, end);
                panels.clone().flat_map(move |panel| {
                    let halves = [start..middle, middle..end].into_iter();
                    halves.filter(|x| !x.is_empty()).map(move |steps| Chunk { panel, steps })
                })
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
pub(crate) struct Finish<'a, 'b> {
    pub(crate) end: PanelEnd<'a, 'b>,
    /// Of the lower half of the depth, empty if there is one sum only, and of the rest; `[rows][32]`.
    pub(crate) sums: [&'a [f32]; 2],
}

impl Kernel for Finish<'_, '_> {
    type Output = ();
    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        let Self { mut end, sums: [lower, upper] } = self;
        let rows = end.block.out.rows();
        let uppers = upper.chunks_exact(Tiles::COLUMNS).take(rows).enumerate();
        if lower.is_empty() {
            for (row, upper) in uppers {
                end.row(s, row, [s.load(upper), s.load(&upper[S::LANES..])]);
            }
        } else {
            for ((row, upper), lower) in uppers.zip(lower.chunks_exact(Tiles::COLUMNS)) {
                let left = s.add(s.load(lower), s.load(upper));
                let right = s.add(s.load(&lower[S::LANES..]), s.load(&upper[S::LANES..]));
                end.row(s, row, [left, right]);
            }
        }
        end.activate(s);
    }
}
