//! The operands of a head rearranged, and its results.
//!
//! What is turned around goes through registers in squares of four by four. No closures for the parts
//! of a square: they become calls, a dozen times as slow as the square itself.

use bytemuck::Pod;
use nervio_simd::MatMut;

use crate::matmul::{RowPanels, STEP, turn};

/// Packs four rows, turned around, as steps `STEP * quad` and the next three into the row panels of a
/// left operand whose rows are cut as `dims` says.
#[inline(always)]
pub(super) fn turn_four<U: Pod>(out: &mut [U], rows: [&[U]; STEP], dims: RowPanels, quad: usize) {
    let (len, block) = (out.len() / dims.count(), dims.tile_rows() * STEP);
    for (panel, out) in out.chunks_exact_mut(len).enumerate() {
        let (first, end) = (dims.start(panel), dims.start(panel + 1));
        let count = end - first;
        let out = &mut out[quad * block..][..count * STEP];
        if count < STEP {
            for (d, out) in (first..end).zip(out.chunks_exact_mut(STEP)) {
                out.copy_from_slice(&[rows[0][d], rows[1][d], rows[2][d], rows[3][d]]);
            }
            continue;
        }
        for square in 0..count.div_ceil(STEP) {
            // The last one overlaps the one before.
            let at = (square * STEP).min(count - STEP);
            let square = turned(rows, first + at);
            out[at * STEP..][..STEP * STEP].copy_from_slice(square.as_flattened());
        }
    }
}

/// Writes results, `[head_dim][W]`, a query in each column, as rows of `out`, `[queries, head_dim]`.
#[inline(always)]
pub(super) fn write_turned<const W: usize>(out: &mut MatMut<'_>, results: &[f32]) {
    let (queries, dim) = (out.rows(), out.columns());
    let whole = queries / STEP * STEP;
    for query in (0..whole).step_by(STEP) {
        let [a, b, c, d] = out.tile(query, 0, dim);
        let outs = a.as_chunks_mut::<STEP>().0.iter_mut().zip(b.as_chunks_mut().0);
        let outs = outs.zip(c.as_chunks_mut().0.iter_mut().zip(d.as_chunks_mut().0));
        for (results, ((a, b), (c, d))) in results.chunks_exact(STEP * W).zip(outs) {
            let rows = [results, &results[W..], &results[2 * W..], &results[3 * W..]];
            [*a, *b, *c, *d] = turned(rows, query);
        }
    }
    // What does not fill a square.
    for query in 0..queries {
        let from = if query < whole { dim / STEP * STEP } else { 0 };
        let row = &mut out.row(query)[from..];
        for (out, results) in row.iter_mut().zip(results[from * W..].chunks_exact(W)) {
            *out = results[query];
        }
    }
}

/// Columns `at` to `at + 3` of four rows, as rows.
#[inline(always)]
fn turned<U: Pod>([a, b, c, d]: [&[U]; STEP], at: usize) -> [[U; STEP]; STEP] {
    turn([four(a, at), four(b, at), four(c, at), four(d, at)])
}

/// Four elements from `at` on.
#[inline(always)]
fn four<U: Pod>(row: &[U], at: usize) -> [U; STEP] {
    row[at..].as_chunks().0[0]
}
