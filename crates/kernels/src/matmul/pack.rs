//! Operands rearranged so that the inner loop reads memory in order.

use bytemuck::{Pod, cast};
use nervio_simd::{Isa, Kernel, MatMut, Simd};
use wide::f32x4;

use super::ahead::LINE;
use super::packed_matrix::Element;
use super::row_panels::RowPanels;
use super::tile::STEP;
use crate::parallel::{Cut, RowBorders, for_each_block};

/// Columns that are written at once: of f32, they fill a line.
pub(crate) const SCATTER: usize = 16;

/// Elements of each row that are written before the next four: the lines of so many steps stay in the
/// L1 until all columns are in them.
const SCATTER_STEPS: usize = 16;

/// Writes up to [`SCATTER`] `rows` of `depth` elements as columns from `column` on of a panel,
/// `[depth / GROUP][width][GROUP]`.
pub(crate) fn scatter<T: Element>(
    panel: &mut [T],
    rows: &[T],
    depth: usize,
    width: usize,
    column: usize,
) {
    let count = rows.len() / depth;
    let row = |row: usize| &rows[row * depth..][..depth];
    if T::GROUP == STEP {
        let (groups, _) = panel.as_chunks_mut::<STEP>();
        scatter_units(groups, |at| row(at).as_chunks().0, count, width, column);
    } else {
        scatter_units(panel, row, count, width, column);
    }
    let rest = depth % T::GROUP;
    if rest > 0 {
        for (row, steps) in rows.chunks_exact(depth).enumerate() {
            let at = (depth / T::GROUP * width + column + row) * T::GROUP;
            panel[at..at + rest].copy_from_slice(&steps[depth - rest..]);
        }
    }
}

/// Writes `count` rows of elements, or groups of them, as columns.
fn scatter_units<'a, U: Pod>(
    panel: &mut [U],
    row: impl Fn(usize) -> &'a [U],
    count: usize,
    width: usize,
    column: usize,
) {
    let len = if count > 0 { row(0).len() } else { 0 };
    let fours = count / STEP * STEP;
    for (start, panel) in
        (0..len).step_by(SCATTER_STEPS).zip(panel.chunks_mut(SCATTER_STEPS * width))
    {
        let steps = start..(start + SCATTER_STEPS).min(len);
        for first in (0..fours).step_by(STEP) {
            let four = [0, 1, 2, 3].map(|r| &row(first + r)[steps.clone()]);
            scatter_four(panel, four, width, column + first);
        }
        for single in fours..count {
            for (out, x) in panel.chunks_exact_mut(width).zip(&row(single)[steps.clone()]) {
                out[column + single] = *x;
            }
        }
    }
}

/// Writes some elements of four rows as columns from `column` on, `[elements][width]`.
#[inline(always)]
pub(crate) fn scatter_four<U: Pod>(
    panel: &mut [U],
    rows: [&[U]; STEP],
    width: usize,
    column: usize,
) {
    // No closures: they would become calls.
    let [a, b, c, d] = rows;
    let [a, b, c, d] = [a.as_chunks(), b.as_chunks(), c.as_chunks(), d.as_chunks::<STEP>()];
    let squares = a.0.iter().zip(b.0).zip(c.0.iter().zip(d.0));
    for (out, ((a, b), (c, d))) in panel.chunks_exact_mut(STEP * width).zip(squares) {
        for (out, four) in out.chunks_exact_mut(width).zip(turn([*a, *b, *c, *d])) {
            out[column..][..STEP].copy_from_slice(&four);
        }
    }
    let whole = a.0.len() * STEP * width;
    let rest = a.1.iter().zip(b.1).zip(c.1.iter().zip(d.1));
    for (out, ((a, b), (c, d))) in panel[whole..].chunks_exact_mut(width).zip(rest) {
        out[column..][..STEP].copy_from_slice(&[*a, *b, *c, *d]);
    }
}

/// Columns of a square of four by four become rows.
#[inline(always)]
pub(crate) fn turn<U: Pod>(rows: [[U; STEP]; STEP]) -> [[U; STEP]; STEP] {
    if size_of::<U>() == size_of::<f32>() {
        // Only moved, whatever numbers the bits would be.
        return cast(f32x4::transpose(cast(rows)));
    }
    let [a, b, c, d] = rows;
    [0, 1, 2, 3].map(|step| [a[step], b[step], c[step], d[step]])
}

/// Packs the left operand, rows of `k` elements that lie `stride` apart, into row panels
/// `[panels][k / STEP][tile rows][STEP]`; steps past the end are zero. Rows past the end are left as they
/// were: only tiles over the right edge multiply them, and nobody reads what they give.
#[inline(always)]
pub(crate) fn pack_left<S: Simd>(
    s: S,
    out: &mut [f32],
    left: &[f32],
    (rows, first_panel): (RowPanels, usize),
    k: usize,
    stride: usize,
) {
    if k == 0 {
        return;
    }
    let block = rows.tile_rows() * STEP;
    for (panel, out) in out.chunks_exact_mut(rows.panel_len(k)).enumerate() {
        let panel = first_panel + panel;
        let (first, end) = (rows.start(panel), rows.start(panel + 1));
        for (start, out) in (0..k).step_by(AT_ONCE).zip(out.chunks_mut(AT_ONCE / STEP * block)) {
            let stop = (start + AT_ONCE).min(k);
            for row in first..end {
                let (ahead, from) = if stop < k { (row, stop) } else { (row + end - first, 0) };
                let steps = left.get(ahead * stride + from..).unwrap_or(&[]);
                fetch(s, &steps[..AT_ONCE.min(k - from).min(steps.len())]);
                pack_row(out, &left[row * stride..][start..stop], row - first, block);
            }
        }
    }
}

/// Time for an element in that of a multiply-add, for the decision whether threads pay.
const COST: usize = 24;

/// [`pack_left`] of whole rows, by up to `pieces` threads.
pub(crate) fn pack_rows(
    isa: Isa,
    out: &mut [f32],
    left: &[f32],
    rows: RowPanels,
    k: usize,
    pieces: usize,
) {
    let len = rows.panel_len(k).max(1);
    let cut = Cut { rows: RowBorders::All, column_step: len, cost: COST, pieces };
    for_each_block(MatMut::new(out, len), &cut, &|mut block| {
        for panel in 0..block.out.rows() {
            let first = block.row + panel;
            isa.run_floats(PackLeft { out: block.out.row(panel), left, rows, first, k });
        }
    });
}

/// [`pack_left`] of whole rows as a kernel of its own.
pub(crate) struct PackLeft<'a> {
    pub(crate) out: &'a mut [f32],
    pub(crate) left: &'a [f32],
    pub(crate) rows: RowPanels,
    /// The first panel.
    pub(crate) first: usize,
    pub(crate) k: usize,
}

impl Kernel for PackLeft<'_> {
    type Output = ();
    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        pack_left(s, self.out, self.left, (self.rows, self.first), self.k, self.k);
    }
}

/// Steps that are packed of one row before the next row: the lines that the rows of a panel share
/// stay in the L1 until each has written its part.
const AT_ONCE: usize = 128;

/// Asks for the next steps of a row: the processor does not look that far ahead by itself.
#[inline(always)]
fn fetch<S: Simd>(s: S, steps: &[f32]) {
    for line in steps.chunks(LINE / size_of::<f32>()) {
        s.prefetch(&line[0]);
    }
}

/// Writes row `r` of a row panel whose quads of steps lie `block` elements apart; zeros past its end.
#[inline(always)]
fn pack_row(panel: &mut [f32], row: &[f32], r: usize, block: usize) {
    let (quads, rest) = row.as_chunks::<STEP>();
    for (block, quad) in panel.chunks_exact_mut(block).zip(quads) {
        block[r * STEP..][..STEP].copy_from_slice(quad);
    }
    if rest.is_empty() {
        return;
    }
    if let Some(block) = panel.chunks_exact_mut(block).nth(quads.len()) {
        block[r * STEP..][..rest.len()].copy_from_slice(rest);
        block[r * STEP + rest.len()..(r + 1) * STEP].fill(0.0);
    }
}

#[cfg(test)]
mod tests {
    use nervio_simd::Isa;

    use super::*;

    fn scatters<T: Element + PartialEq + std::fmt::Debug>(element: impl Fn(usize) -> T) {
        let width = 32;
        for (count, depth) in [(1, 1), (3, 4), (4, 16), (5, 18), (16, 33), (15, 100)] {
            let rows: Vec<T> = (0..count * depth).map(&element).collect();
            let mut panel = vec![T::default(); depth.next_multiple_of(T::GROUP) * width];
            let mut expected = panel.clone();
            for (at, x) in rows.iter().enumerate() {
                let (column, step) = (at / depth + 7, at % depth);
                expected[(step / T::GROUP * width + column) * T::GROUP + step % T::GROUP] = *x;
            }
            scatter(&mut panel, &rows, depth, width, 7);
            assert_eq!(panel, expected, "{count} rows of {depth}");
        }
    }

    #[test]
    fn rows_become_columns() {
        scatters(|i| i as f32 - 0.5);
        scatters(|i| half::f16::from_f32(i as f32));
        scatters(|i| (i * 7 % 251) as i8);
    }

    #[test]
    fn bits_that_are_no_number_are_only_moved() {
        let bits: [u32; 16] = std::array::from_fn(|i| 0x7f80_0001 + i as u32);
        let rows = bits.map(f32::from_bits);
        let mut panel = [0.0; 16];
        scatter(&mut panel, &rows, 4, 4, 0);
        for (at, x) in panel.iter().enumerate() {
            assert_eq!(x.to_bits(), bits[at % 4 * 4 + at / 4]);
        }
    }

    #[test]
    fn left_panels_hold_rows_side_by_side() {
        let left: Vec<f32> = (0..3 * 3).map(|i| i as f32).collect();
        let rows = RowPanels::new(3, 6);
        let mut out = vec![9.0; rows.packed_len(3)];
        Isa::best().run_floats(PackLeft { out: &mut out, left: &left, rows, first: 0, k: 3 });
        assert_eq!(out[..8], [0.0, 1.0, 2.0, 0.0, 3.0, 4.0, 5.0, 0.0]);
        assert_eq!(out[8..], [&[6.0, 7.0, 8.0, 0.0][..], &[9.0; 12]].concat());
    }

    #[test]
    fn every_element_of_long_rows_finds_its_place() {
        let (m, k) = (15, 2 * AT_ONCE + 7);
        let left: Vec<f32> = (0..m * k).map(|i| i as f32).collect();
        for isa in Isa::supported() {
            let rows = RowPanels::new(m, isa.tile_rows());
            let mut out = vec![f32::NAN; rows.packed_len(k)];
            isa.run_floats(PackLeft { out: &mut out, left: &left, rows, first: 0, k });
            let block = isa.tile_rows() * STEP;
            for panel in 0..rows.count() {
                let first = rows.start(panel);
                for row in first..rows.start(panel + 1) {
                    for step in 0..k.next_multiple_of(STEP) {
                        let at = panel * rows.panel_len(k)
                            + step / STEP * block
                            + (row - first) * STEP
                            + step % STEP;
                        let expected = if step < k { left[row * k + step] } else { 0.0 };
                        assert_eq!(out[at], expected, "{isa}: row {row}, step {step}");
                    }
                }
            }
        }
    }
}
