//! The operands of a head rearranged, and its results.
//!
//! Queries and results are turned around, in squares of as many rows as a vector has lanes where these stay
//! in registers, else of four by four; values are packed as they lie. No closures for the parts of a square:
//! they become calls, a dozen times as slow as the square itself.

use bytemuck::Pod;
use nervio_simd::{MAX_LANES, MatMut, Simd};

use super::rows::Rows;
use crate::matmul::{RowPanels, STEP, turn};

/// Packs a row as step `step` of the row panels of a left operand whose rows are cut as `dims` says,
/// `[panels][steps][TILE_ROWS]`.
#[inline(always)]
pub(super) fn write_step<S: Simd, U: Pod>(out: &mut [U], row: &[U], dims: RowPanels, step: usize) {
    let len = out.len() / dims.count();
    for (panel, out) in out.chunks_exact_mut(len).enumerate() {
        let from = &row[dims.start(panel)..];
        let out = &mut out[step * S::TILE_ROWS..][..S::TILE_ROWS];
        // A constant length wherever there is as much: what is too much is never read.
        match from.get(..S::TILE_ROWS) {
            Some(from) => out.copy_from_slice(from),
            None => out[..from.len()].copy_from_slice(from),
        }
    }
}

/// Whether rows of `dim` elements are turned around in whole squares of registers.
#[inline(always)]
pub(super) const fn in_squares<S: Simd>(dim: usize) -> bool {
    S::TURNS && dim.is_multiple_of(S::LANES)
}

/// Writes rows, [whole squares](in_squares) of them, as columns of a panel, `[dim][width]`, times `factor` if
/// there is one. Up to the end of a vector, columns without a row get the last one.
#[inline(always)]
pub(super) fn turn_into<S: Simd>(
    s: S,
    out: &mut [f32],
    rows: &Rows<'_>,
    width: usize,
    factor: Option<f32>,
) {
    let (dim, count) = (rows.head_dim, rows.count());
    for first in (0..count).step_by(S::LANES) {
        for start in (0..dim).step_by(S::LANES) {
            let mut square = [s.splat(0.0); MAX_LANES];
            for (r, vector) in square[..S::LANES].iter_mut().enumerate() {
                *vector = s.load(&rows.row((first + r).min(count - 1))[start..]);
            }
            s.turn(&mut square);
            let out = &mut out[start * width + first..];
            for (column, vector) in square[..S::LANES].iter().enumerate() {
                let vector = match factor {
                    Some(factor) => s.mul(*vector, s.splat(factor)),
                    None => *vector,
                };
                s.store(vector, &mut out[column * width..]);
            }
        }
    }
}

/// Writes results, `[head_dim][W]`, a query in each column, as rows of `out`, `[queries, head_dim]`.
#[inline(always)]
pub(super) fn write_turned<S: Simd, const W: usize>(s: S, out: &mut MatMut<'_>, results: &[f32]) {
    if in_squares::<S>(out.columns()) {
        write_squares::<S, W>(s, out, results);
    } else {
        write_fours::<W>(out, results);
    }
}

/// [`write_turned`] by squares of registers.
#[inline(always)]
fn write_squares<S: Simd, const W: usize>(s: S, out: &mut MatMut<'_>, results: &[f32]) {
    let (queries, dim) = (out.rows(), out.columns());
    for first in (0..queries).step_by(S::LANES) {
        for start in (0..dim).step_by(S::LANES) {
            let mut square = [s.splat(0.0); MAX_LANES];
            for (row, vector) in square[..S::LANES].iter_mut().enumerate() {
                *vector = s.load(&results[(start + row) * W + first..]);
            }
            s.turn(&mut square);
            // Of a constant length: else the square would not stay in registers.
            for (query, vector) in square[..S::LANES].iter().enumerate() {
                if first + query < queries {
                    let [to] = out.tile(first + query, start, S::LANES);
                    s.store(*vector, to);
                }
            }
        }
    }
}

/// [`write_turned`] by squares of four.
#[inline(always)]
fn write_fours<const W: usize>(out: &mut MatMut<'_>, results: &[f32]) {
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
