//! How a product is cut: between rows or columns, into how many pieces, for which tile.

use nervio_simd::{Isa, Tiles};

use super::packed_matrix::{PackedMatrix, WeightKind};
use super::row_panels::RowPanels;
use super::tiles::tiles_for;
use crate::parallel::{GRAIN, threads};

/// Inputs and outputs from which on reading weights in half precision takes longer than splitting up to
/// some 190 rows, and from which on weights of any kind come from memory.
const LARGE: usize = 768;

/// Whether `weights` are of a matrix whose inputs and outputs are many.
fn large(weights: &PackedMatrix) -> bool {
    weights.rows().min(weights.depth()) >= LARGE
}

/// Whether a core that multiplies by few rows has to wait for `weights`, by vectors: it
/// [outruns memory](Isa::outruns_memory), and they are not small enough to stay in some cache between two passes.
fn waits_for(isa: Isa, weights: &PackedMatrix) -> bool {
    let far = weights.kind() == WeightKind::F32 || large(weights);
    isa.tiles().is_none() && isa.outruns_memory() && far
}

/// Row panels up to which weights are asked for at several places at once: with more, there is time.
/// A single one of floats cannot ask for all of the next panel, and keeps to one place.
const SPREAD_PANELS: usize = 6;

/// Rows from which on a thread has some of its own in [`matmul`](super::matmul). Fewer are cut between columns.
///
/// Threads with rows of their own each read all weights, but few states that another core has written,
/// whose caches may be far. Where a core would have to wait for weights its rows must be more. With tile
/// registers each reads and splits all weights, where otherwise each splits all rows: for f32, and for large
/// matrices in half precision, that is worth it from some more rows on. So it is for large ones in 8 bits, which
/// threads would read faster than memory gives them; for two threads from more rows on than for others.
#[must_use]
pub fn thread_rows(isa: Isa, weights: &PackedMatrix) -> usize {
    if isa.tiles().is_none() {
        return rows_by_vectors(waits_for(isa, weights), weights.kind());
    }
    match (weights.kind(), split_by_threads(isa, weights)) {
        (WeightKind::F32, true) if large(weights) => 96,
        (WeightKind::F32, true) => split_thread_rows(weights),
        (WeightKind::F16 | WeightKind::BF16, true) if large(weights) => split_thread_rows(weights),
        (WeightKind::Int8, _) if large_bytes(isa, weights) => large_bytes_rows(threads()),
        (WeightKind::F32, false) => 64,
        _ => 32,
    }
}

/// [`thread_rows`] where each thread splits the left operand and some of `weights` for itself, but for large f32 weights.
/// All of a square matrix, that of the output of attention, is soon read, and the layer norm behind it finds its rows
/// where they were written.
fn split_thread_rows(weights: &PackedMatrix) -> usize {
    if weights.rows() == weights.depth() { 64 } else { 96 }
}

/// [`thread_rows`] of [`large_bytes`]: two threads that share rows read half of the weights each in most of a layer,
/// and little that the other one has written.
fn large_bytes_rows(threads: usize) -> usize {
    if threads == 2 { 96 } else { 72 }
}

/// Whether tile registers multiply `weights` in 8 bits that come from memory.
fn large_bytes(isa: Isa, weights: &PackedMatrix) -> bool {
    large(weights) && bytes_by_tiles(isa, weights)
}

/// [`thread_rows`] where vectors multiply weights of `kind`, for which a core may have to wait.
fn rows_by_vectors(waits: bool, kind: WeightKind) -> usize {
    match kind {
        _ if !waits => 16,
        WeightKind::F16 | WeightKind::BF16 => 64,
        WeightKind::F32 | WeightKind::Int8 => 32,
    }
}

/// How many threads have some of `rows` rows of their own in [`matmul`](super::matmul); 1 where it does not
/// cut between rows, or at all.
#[must_use]
pub fn row_threads(isa: Isa, weights: &PackedMatrix, rows: usize) -> usize {
    let amount = rows.saturating_mul(weights.depth()).saturating_mul(weights.rows());
    let own = rows / thread_rows(isa, weights);
    // Cut between fewer than all, rows would be quantised by these few alone.
    let all_or_none = large_bytes(isa, weights) && own < threads();
    if amount < GRAIN || all_or_none { 1 } else { threads().min(own).max(1) }
}

/// Whether the tiles of so many rows ask for lines of weights far from one another.
pub(crate) fn spread(isa: Isa, weights: &PackedMatrix, rows: RowPanels) -> bool {
    rows.count() <= SPREAD_PANELS && waits_for(isa, weights)
}

/// Most tiles of rows for which weights in half precision are widened one by one: the faster a core multiplies,
/// the more of its time goes into widening.
pub(crate) fn tall_tiles(isa: Isa) -> usize {
    if isa.outruns_memory() { 1 } else { 3 }
}

/// Rows of the register tile for `rows` rows: the tall one where widening weights beforehand takes longer
/// than widening them for each of its tiles.
pub(crate) fn tile_rows(isa: Isa, weights: &PackedMatrix, rows: usize) -> usize {
    if tiles_for(isa, weights).is_some() {
        return Tiles::ROWS;
    }
    let (wide, tall) = (isa.tile_rows(), isa.tall_rows());
    let half = matches!(weights.kind(), WeightKind::F16 | WeightKind::BF16);
    let whole = weights.rows().is_multiple_of(weights.panel_width());
    if half && whole && rows <= tall_tiles(isa) * tall { tall } else { wide }
}

/// Pieces of columns into which a thread's rows are cut at most: enough for others to help out. A thread that
/// splits its rows by itself has one: it would split them anew for each.
const PIECES: usize = 4;

/// Multiply-adds in 8 bits, of all rows of a thread, for which it pays to hand a piece out, by vectors: some 20 µs.
const BYTES_GRAIN: usize = 1 << 22;

/// The same by tile registers: some 10 µs.
const TILES_GRAIN: usize = 1 << 24;

/// How each of some parts of the rows of a product is shared out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Shares {
    /// Pieces of columns.
    pub(crate) pieces: usize,
    /// Threads that have the part, and share the quantising of its rows.
    pub(crate) threads: usize,
}

/// How each of `parts` parts of altogether `rows` rows is shared out.
pub(crate) fn shares(isa: Isa, weights: &PackedMatrix, rows: usize, parts: usize) -> Shares {
    let threads = threads();
    let of_thread = rows.saturating_mul(weights.depth()).saturating_mul(weights.rows()) / threads;
    let each = match weights.kind() {
        _ if threads == 1 || split_by_threads(isa, weights) => 1,
        WeightKind::Int8 if bytes_by_tiles(isa, weights) => of_thread / TILES_GRAIN,
        WeightKind::Int8 => of_thread / BYTES_GRAIN,
        WeightKind::F32 | WeightKind::F16 | WeightKind::BF16 => PIECES,
    };
    let pieces = (each.clamp(1, PIECES) * threads).div_ceil(parts);
    Shares { pieces, threads: threads.div_ceil(parts) }
}

/// Whether each thread splits the left operand for itself: so it is with products of floats in pieces.
pub(crate) fn split_by_threads(isa: Isa, weights: &PackedMatrix) -> bool {
    weights.kind() != WeightKind::Int8 && tiles_for(isa, weights).is_some()
}

/// Whether tile registers multiply `weights` in 8 bits.
pub(crate) fn bytes_by_tiles(isa: Isa, weights: &PackedMatrix) -> bool {
    weights.kind() == WeightKind::Int8 && tiles_for(isa, weights).is_some()
}

#[cfg(test)]
mod tests {
    use half::f16;

    use super::*;
    use crate::matmul::Element;

    #[test]
    fn threads_have_more_rows_of_their_own_where_weights_are_waited_for() {
        let kinds = [WeightKind::F32, WeightKind::F16, WeightKind::BF16, WeightKind::Int8];
        assert_eq!(kinds.map(|kind| rows_by_vectors(false, kind)), [16; 4]);
        assert_eq!(kinds.map(|kind| rows_by_vectors(true, kind)), [32, 64, 64, 32]);
    }

    #[test]
    fn threads_share_large_bytes_all_or_none_by_tile_registers() {
        let bytes = |isa, size| {
            PackedMatrix::pack(isa, size, size, |_, row: &mut [i8]| row.fill(1), vec![1.0; size])
        };
        for isa in Isa::supported() {
            let (small, large) = (bytes(isa, LARGE - 64), bytes(isa, LARGE));
            let of = |weights, threads: usize, rows| {
                let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
                pool.install(|| row_threads(isa, weights, rows))
            };
            if isa.tiles().is_some() {
                let rows = [191, 192, 287, 288];
                assert_eq!(rows.map(|rows| of(&large, 2, rows)), [1, 2, 2, 2]);
                assert_eq!(rows.map(|rows| of(&large, 4, rows)), [1, 1, 1, 4]);
            }
            // Those that stay near, as everywhere else, by as many threads as have enough.
            let own = thread_rows(isa, &small);
            assert_eq!([own, 2 * own, 9 * own].map(|rows| of(&small, 3, rows)), [1, 2, 3]);
        }
    }

    #[test]
    fn threads_have_fewer_rows_of_square_floats_by_tile_registers() {
        fn rows<T: Element>(isa: Isa, (n, k): (usize, usize), one: T) -> usize {
            thread_rows(isa, &PackedMatrix::pack(isa, n, k, |_, row| row.fill(one), Vec::new()))
        }
        for isa in Isa::supported().filter(|isa| isa.tiles().is_some()) {
            let sizes = [(384, 384), (1152, 384), (384, 1536), (768, 768), (2304, 768)];
            let of_f32 = sizes.map(|size| rows(isa, size, 1.0_f32));
            assert_eq!(of_f32, [64, 96, 96, 96, 96], "{isa}");
            let of_f16 = sizes.map(|size| rows(isa, size, f16::ONE));
            assert_eq!(of_f16, [32, 32, 32, 64, 96], "{isa}");
        }
    }

    #[test]
    fn few_bytes_are_cut_into_as_many_pieces_as_threads() {
        for isa in Isa::supported() {
            let weights =
                PackedMatrix::pack(isa, 384, 384, |_, row: &mut [i8]| row.fill(1), vec![1.0; 384]);
            let of = |threads: usize, rows, parts| {
                let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
                pool.install(|| shares(isa, &weights, rows, parts))
            };
            assert_eq!(of(2, 1, 1), Shares { pieces: 2, threads: 2 }, "{isa}");
            let some = if isa.tiles().is_some() { 2 } else { 4 };
            assert_eq!(of(2, 128, 1), Shares { pieces: some, threads: 2 }, "{isa}");
            assert_eq!(of(2, 1 << 10, 1), Shares { pieces: 8, threads: 2 }, "{isa}");
            assert_eq!(of(2, 1 << 10, 2), Shares { pieces: 4, threads: 1 }, "{isa}");
            assert_eq!(of(3, 1, 2), Shares { pieces: 2, threads: 2 }, "{isa}");
            assert_eq!(of(1, 1 << 10, 1), Shares { pieces: 1, threads: 1 }, "{isa}");
        }
    }

    #[test]
    fn only_weights_in_f32_and_large_ones_are_waited_for() {
        fn pack<T: Element>(isa: Isa, size: usize, one: T) -> PackedMatrix {
            PackedMatrix::pack(isa, size, size, |_, row: &mut [T]| row.fill(one), Vec::new())
        }
        for isa in Isa::supported() {
            let outruns = isa.outruns_memory() && isa.tiles().is_none();
            for (weights, far) in [
                (pack(isa, 64, 1.0_f32), true),
                (pack(isa, 64, f16::ONE), false),
                (pack(isa, LARGE - 1, f16::ONE), false),
                (pack(isa, LARGE, f16::ONE), true),
            ] {
                assert_eq!(waits_for(isa, &weights), outruns && far, "{isa} {:?}", weights.kind());
                let spread = |rows| spread(isa, &weights, RowPanels::new(rows, 12));
                assert_eq!([24, 72].map(spread), [outruns && far; 2], "{isa}");
                assert!(!spread(73), "{isa}");
            }
        }
    }
}
