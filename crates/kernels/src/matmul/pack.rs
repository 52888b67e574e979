//! Operands rearranged so that the inner loop reads memory in order.

use bytemuck::Pod;
use half::{bf16, f16};
use nervio_simd::{Isa, Level};
use rayon::prelude::*;

use super::int8::{INT8_LIMIT, Int8Panels};
use super::row_panels::RowPanels;
use super::tile::{ROWS, STEP};
use crate::aligned::Aligned;

/// How the weights of a [`PackedMatrix`] are held in memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WeightKind {
    /// 32-bit floats.
    F32,
    /// IEEE half precision, widened when used.
    F16,
    /// bfloat16, widened when used.
    BF16,
    /// 8-bit integers with one f32 scale for each row of the matrix.
    Int8,
}

/// A type in which weights may be held.
pub trait Element: Pod + Default + Send + Sync + sealed::Wrap {}

impl Element for f32 {}
impl Element for f16 {}
impl Element for bf16 {}
impl Element for i8 {}

mod sealed {
    use half::{bf16, f16};

    use super::{INT8_LIMIT, STEP, Values, nearest_i8};
    use crate::aligned::Aligned;

    /// How a type is packed.
    pub trait Wrap: Sized {
        /// Consecutive elements of a row that lie side by side in a panel.
        const GROUP: usize;

        /// Brings a row into the range that the kernel takes, and gives its sum.
        fn prepare(_row: &mut [Self], _scale: &mut f32) -> i32 {
            0
        }

        /// Puts a buffer into the variant of its type.
        fn wrap(values: Aligned<Self>, scales: Vec<f32>, sums: Vec<i32>) -> Values;
    }

    impl Wrap for f32 {
        const GROUP: usize = 1;
        fn wrap(values: Aligned<Self>, _: Vec<f32>, _: Vec<i32>) -> Values {
            Values::F32(values)
        }
    }

    impl Wrap for f16 {
        const GROUP: usize = 1;
        fn wrap(values: Aligned<Self>, _: Vec<f32>, _: Vec<i32>) -> Values {
            Values::F16(values)
        }
    }

    impl Wrap for bf16 {
        const GROUP: usize = 1;
        fn wrap(values: Aligned<Self>, _: Vec<f32>, _: Vec<i32>) -> Values {
            Values::BF16(values)
        }
    }

    impl Wrap for i8 {
        const GROUP: usize = STEP;

        fn prepare(row: &mut [Self], scale: &mut f32) -> i32 {
            let largest = row.iter().map(|x| x.unsigned_abs()).max().unwrap_or(0);
            if largest > INT8_LIMIT.unsigned_abs() {
                let factor = f32::from(INT8_LIMIT) / f32::from(largest);
                for x in row.iter_mut() {
                    *x = nearest_i8(f32::from(*x) * factor);
                }
                *scale /= factor;
            }
            row.iter().map(|x| i32::from(*x)).sum()
        }

        fn wrap(values: Aligned<Self>, scales: Vec<f32>, sums: Vec<i32>) -> Values {
            Values::Int8(values, scales, sums)
        }
    }
}

/// The packed elements; with the scale and the sum of each column of the panels for 8-bit integers.
#[derive(Debug)]
pub enum Values {
    F32(Aligned<f32>),
    F16(Aligned<f16>),
    BF16(Aligned<bf16>),
    Int8(Aligned<i8>, Vec<f32>, Vec<i32>),
}

/// The weights of a linear layer, `[rows, depth]` = `[out, in]`, in column panels.
///
/// Panel `p` holds rows `p * width ..` of the weights as `[depth][width]`, where the width is the
/// register tile's for one instruction set; rows past the end are zero. 8-bit integers lie as
/// `[depth / 4][width][4]` and are kept within [`INT8_LIMIT`](super::INT8_LIMIT), so that those of
/// a row that goes beyond it are rounded to coarser steps.
#[derive(Debug)]
pub struct PackedMatrix {
    rows: usize,
    depth: usize,
    level: Level,
    width: usize,
    values: Values,
}

impl PackedMatrix {
    /// Packs `rows` rows of `depth` elements for `isa`; `fill(row, out)` writes row `row`.
    ///
    /// `scales` holds one factor for each row if the elements are `i8`, and nothing otherwise.
    ///
    /// # Panics
    ///
    /// When there are scales for another number of rows.
    #[must_use]
    pub fn pack<T: Element>(
        isa: Isa,
        rows: usize,
        depth: usize,
        fill: impl Fn(usize, &mut [T]) + Sync,
        mut scales: Vec<f32>,
    ) -> Self {
        let width = isa.panel_width();
        let panels = rows.div_ceil(width);
        assert!(scales.is_empty() || scales.len() == rows, "one scale for each row of weights");
        scales.resize(panels * width, 0.0);
        let mut sums = vec![0; panels * width];
        let panel_len = width * depth.next_multiple_of(T::GROUP);
        let mut values = Aligned::<T>::new(panels * panel_len);
        if depth > 0 {
            let panels = values.as_mut_slice().par_chunks_mut(panel_len).enumerate();
            let columns = scales.par_chunks_mut(width).zip(sums.par_chunks_mut(width));
            panels.zip(columns).for_each_init(
                || vec![T::default(); depth],
                |row, ((panel, out), (scales, sums))| {
                    for column in 0..width.min(rows - panel * width) {
                        fill(panel * width + column, row);
                        sums[column] = T::prepare(row, &mut scales[column]);
                        scatter(out, row, width, column);
                    }
                },
            );
        }
        Self { rows, depth, level: isa.level(), width, values: T::wrap(values, scales, sums) }
    }

    /// Rows of the weights: outputs of the layer.
    #[must_use]
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// Columns of the weights: inputs of the layer.
    #[must_use]
    pub fn depth(&self) -> usize {
        self.depth
    }

    /// The instruction set that the panels are for.
    #[must_use]
    pub fn level(&self) -> Level {
        self.level
    }

    /// Rows of the weights in one panel.
    #[must_use]
    pub fn panel_width(&self) -> usize {
        self.width
    }

    /// How the weights are held.
    #[must_use]
    pub fn kind(&self) -> WeightKind {
        match self.values {
            Values::F32(_) => WeightKind::F32,
            Values::F16(_) => WeightKind::F16,
            Values::BF16(_) => WeightKind::BF16,
            Values::Int8(..) => WeightKind::Int8,
        }
    }

    /// Bytes that the panels occupy.
    #[must_use]
    pub fn bytes(&self) -> usize {
        match &self.values {
            Values::F32(values) => values.bytes(),
            Values::F16(values) => values.bytes(),
            Values::BF16(values) => values.bytes(),
            Values::Int8(values, scales, sums) => {
                values.bytes() + size_of_val(scales.as_slice()) + size_of_val(sums.as_slice())
            }
        }
    }

    pub(crate) fn panels(&self) -> Panels<'_> {
        match &self.values {
            Values::F32(values) => Panels::F32(values.as_slice()),
            Values::F16(values) => Panels::F16(values.as_slice()),
            Values::BF16(values) => Panels::BF16(values.as_slice()),
            Values::Int8(values, scales, sums) => {
                Panels::Int8(Int8Panels { values: values.as_slice(), scales, sums })
            }
        }
    }
}

/// Borrowed column panels, `[panels][depth][width]`.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Panels<'a> {
    F32(&'a [f32]),
    F16(&'a [f16]),
    BF16(&'a [bf16]),
    Int8(Int8Panels<'a>),
}

/// The nearest integer (ties to even) of a number between -128 and 127.
///
/// Adding 1.5 · 2²³ leaves it in the lowest bits of the sum; unlike a call of `rint` this vectorises.
#[must_use]
#[inline]
pub fn nearest_i8(x: f32) -> i8 {
    let [byte, ..] = (x + 12_582_912.0).to_bits().to_le_bytes();
    byte.cast_signed()
}

/// Writes `row` as one column of a panel, `[depth / GROUP][width][GROUP]`.
fn scatter<T: Element>(panel: &mut [T], row: &[T], width: usize, column: usize) {
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

    #[test]
    fn the_nearest_byte_is_that_of_rint() {
        for step in -1280..=1270_i16 {
            let x = f32::from(step) / 10.0;
            assert_eq!(f32::from(nearest_i8(x)), x.round_ties_even(), "{x}");
        }
        assert_eq!([0.5, 1.5, -0.5, -2.5].map(nearest_i8), [0, 2, 0, -2]);
    }

    #[test]
    fn a_packed_matrix_knows_how_it_was_packed() {
        let isa = Isa::best();
        let fill = |row: usize, out: &mut [f16]| out.fill(f16::from_f32(row as f32));
        let packed = PackedMatrix::pack(isa, 3, 5, fill, vec![]);
        assert_eq!((packed.rows(), packed.depth()), (3, 5));
        assert_eq!((packed.kind(), packed.level()), (WeightKind::F16, isa.level()));
        assert!(packed.bytes() >= packed.panel_width() * 5 * 2);
    }
}
