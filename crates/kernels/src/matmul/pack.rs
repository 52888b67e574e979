//! Operands rearranged so that the inner loop reads memory in order.

use nervio_simd::{Kernel, Simd};

use super::ahead::LINE;
use super::packed_matrix::Element;
use super::row_panels::RowPanels;
use super::tile::STEP;

/// Writes `row` as one column of a panel, `[depth / GROUP][width][GROUP]`.
pub(crate) fn scatter<T: Element>(panel: &mut [T], row: &[T], width: usize, column: usize) {
    let mut groups = row.chunks_exact(T::GROUP);
    let (whole, tail) = panel.split_at_mut(groups.len() * width * T::GROUP);
    for (out, group) in whole.chunks_exact_mut(width * T::GROUP).zip(&mut groups) {
        // Of a length known when compiled: no call for a copy of four bytes.
        out[column * T::GROUP..][..T::GROUP].copy_from_slice(&group[..T::GROUP]);
    }
    let rest = groups.remainder();
    if !rest.is_empty() {
        tail[column * T::GROUP..][..rest.len()].copy_from_slice(rest);
    }
}

/// Packs the left operand, rows of `k` elements that lie `stride` apart, into row panels
/// `[panels][k / STEP][tile rows][STEP]`; steps past the end are zero, rows past the end are left as they
/// were, since no tile reads them.
#[inline(always)]
pub(crate) fn pack_left<S: Simd>(
    s: S,
    out: &mut [f32],
    left: &[f32],
    rows: RowPanels,
    k: usize,
    stride: usize,
) {
    if k == 0 {
        return;
    }
    let block = rows.tile_rows() * STEP;
    for (panel, out) in out.chunks_exact_mut(rows.panel_len(k)).enumerate() {
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

/// [`pack_left`] of whole rows as a kernel of its own.
pub(crate) struct PackLeft<'a> {
    pub(crate) out: &'a mut [f32],
    pub(crate) left: &'a [f32],
    pub(crate) rows: RowPanels,
    pub(crate) k: usize,
}

impl Kernel for PackLeft<'_> {
    type Output = ();
    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        pack_left(s, self.out, self.left, self.rows, self.k, self.k);
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

/// Packs the keys of one head, rows of `k` elements that lie `stride` apart, times `factor` as the
/// right operand of `Q · Kᵀ`: column panels `[rows / width][k][width]`, zero past the end.
#[inline(always)]
pub(crate) fn pack_keys(
    out: &mut [f32],
    keys: &[f32],
    k: usize,
    stride: usize,
    width: usize,
    factor: f32,
) {
    for (panel, rows) in out.chunks_exact_mut(width * k).zip(keys.chunks(stride * width)) {
        if rows.len() < stride * (width - 1) {
            panel.fill(0.0);
        }
        let mut fours = rows.chunks_exact(STEP * stride);
        let mut column = 0;
        for four in &mut fours {
            transpose_four(panel, four, k, stride, width, column, factor);
            column += STEP;
        }
        for row in fours.remainder().chunks(stride) {
            for (out, x) in panel.chunks_exact_mut(width).zip(&row[..k]) {
                out[column] = x * factor;
            }
            column += 1;
        }
    }
}

/// Packs four keys as columns from `column` on.
#[inline(always)]
fn transpose_four(
    panel: &mut [f32],
    rows: &[f32],
    k: usize,
    stride: usize,
    width: usize,
    column: usize,
    factor: f32,
) {
    let [a, b, c, d] = std::array::from_fn(|r| rows[r * stride..][..k].as_chunks::<STEP>());
    // Squares of 4 x 4, which become shuffles.
    let squares = a.0.iter().zip(b.0).zip(c.0.iter().zip(d.0));
    for (group, ((a, b), (c, d))) in panel.chunks_exact_mut(STEP * width).zip(squares) {
        for step in 0..STEP {
            let four = [a[step] * factor, b[step] * factor, c[step] * factor, d[step] * factor];
            group[step * width + column..][..STEP].copy_from_slice(&four);
        }
    }
    let rest = a.1.iter().zip(b.1).zip(c.1.iter().zip(d.1));
    for (out, ((a, b), (c, d))) in
        panel[a.0.len() * STEP * width..].chunks_exact_mut(width).zip(rest)
    {
        let four = [a * factor, b * factor, c * factor, d * factor];
        out[column..][..STEP].copy_from_slice(&four);
    }
}

/// Packs the values of one head, rows of `n` elements that lie `stride` apart, as the right operand
/// of `P · V`: column panels `[n / width][rows][width]`, zero past the end.
#[inline(always)]
pub(crate) fn pack_columns<S: Simd>(
    s: S,
    out: &mut [f32],
    values: &[f32],
    n: usize,
    stride: usize,
    rows: usize,
    width: usize,
) {
    for (panel, out) in out.chunks_exact_mut(rows * width).enumerate() {
        let start = panel * width;
        let columns = width.min(n - start);
        let mut out = out.chunks_exact_mut(width);
        for (row, out) in values.chunks(stride).zip(&mut out) {
            // Vector by vector: a call for a copy of two lines takes longer than the copy.
            let from = row[start..start + columns].chunks(S::LANES);
            for (from, to) in from.zip(out.chunks_exact_mut(S::LANES)) {
                s.store(s.load_partial(from), to);
            }
            out[columns.next_multiple_of(S::LANES)..].fill(0.0);
        }
        out.for_each(|out| out.fill(0.0));
    }
}

#[cfg(test)]
mod tests {
    use nervio_simd::Isa;

    use super::*;

    #[test]
    fn left_panels_hold_rows_side_by_side() {
        let left: Vec<f32> = (0..3 * 3).map(|i| i as f32).collect();
        let rows = RowPanels::new(3, 6);
        let mut out = vec![9.0; rows.packed_len(3)];
        Isa::best().run(PackLeft { out: &mut out, left: &left, rows, k: 3 });
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
            isa.run(PackLeft { out: &mut out, left: &left, rows, k });
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
