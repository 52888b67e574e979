//! Operands rearranged so that the inner loop reads memory in order.

use super::packed_matrix::Element;
use super::row_panels::RowPanels;
use super::tile::{ROWS, STEP};

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
/// `[panels][k / STEP][ROWS][STEP]`; steps past the end are zero, rows past the end are left as they
/// were, since no tile reads them.
pub(crate) fn pack_left(out: &mut [f32], left: &[f32], rows: RowPanels, k: usize, stride: usize) {
    if k == 0 {
        return;
    }
    let panel_len = k.next_multiple_of(STEP) * ROWS;
    for (panel, out) in out.chunks_exact_mut(panel_len).enumerate() {
        let rows = rows.start(panel)..rows.start(panel + 1);
        pack_row_panel(out, &left[rows.start * stride..], rows.len(), k, stride);
    }
}

/// Packs the first `rows` rows of `left` into one row panel.
#[inline(always)]
pub(crate) fn pack_row_panel(out: &mut [f32], left: &[f32], rows: usize, k: usize, stride: usize) {
    let (blocks, _) = out.as_chunks_mut::<{ ROWS * STEP }>();
    for r in 0..rows {
        pack_row(blocks, &left[r * stride..][..k], r);
    }
}

/// Writes one row of a row panel; zeros past its end.
#[inline(always)]
fn pack_row(blocks: &mut [[f32; ROWS * STEP]], row: &[f32], r: usize) {
    let (quads, rest) = row.as_chunks::<STEP>();
    let (whole, tail) = blocks.split_at_mut(quads.len());
    for (block, quad) in whole.iter_mut().zip(quads) {
        block[r * STEP..][..STEP].copy_from_slice(quad);
    }
    if let Some(block) = tail.first_mut() {
        block[r * STEP..][..rest.len()].copy_from_slice(rest);
        block[r * STEP + rest.len()..(r + 1) * STEP].fill(0.0);
    }
}

/// Packs the keys of one head, rows of `k` elements that lie `stride` apart, as the right operand
/// of `Q · Kᵀ`: column panels `[rows / width][k][width]`, zero past the end.
pub(crate) fn pack_keys(out: &mut [f32], keys: &[f32], k: usize, stride: usize, width: usize) {
    out.fill(0.0);
    for (index, row) in keys.chunks(stride).enumerate() {
        let panel = &mut out[index / width * width * k..][..width * k];
        scatter(panel, &row[..k], width, index % width);
    }
}

/// Packs the values of one head, rows of `n` elements that lie `stride` apart, as the right operand
/// of `P · V`: column panels `[n / width][rows][width]`, zero past the end.
pub(crate) fn pack_columns(
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
        for (out, row) in out.chunks_exact_mut(width).zip(values.chunks(stride)) {
            out[..columns].copy_from_slice(&row[start..start + columns]);
            out[columns..].fill(0.0);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn left_panels_hold_rows_side_by_side() {
        let left: Vec<f32> = (0..3 * 4).map(|i| i as f32).collect();
        let rows = RowPanels::new(3);
        let mut out = vec![9.0; rows.packed_len(3)];
        pack_left(&mut out, &left, rows, 3, 4);
        assert_eq!(out[..8], [0.0, 1.0, 2.0, 0.0, 4.0, 5.0, 6.0, 0.0]);
        assert_eq!(out[8..], [&[8.0, 9.0, 10.0, 0.0][..], &[9.0; 12]].concat());
    }
}
