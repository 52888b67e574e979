//! Weights in column panels.

use std::ops::Range;

use bytemuck::Pod;
use half::{bf16, f16};
use nervio_simd::{Isa, Level};
use rayon::prelude::*;

use super::int8::Int8Panels;
use super::pack::{SCATTER, scatter};
use super::tile::STEP;
use crate::aligned::Aligned;
use crate::frozen::{Frozen, SharedBytes};

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

impl WeightKind {
    /// Its name: `f32`, `f16`, `bf16` or `int8`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::F32 => "f32",
            Self::F16 => "f16",
            Self::BF16 => "bf16",
            Self::Int8 => "int8",
        }
    }

    /// Bytes of one element.
    #[must_use]
    pub fn bytes(self) -> usize {
        match self {
            Self::F32 => 4,
            Self::F16 | Self::BF16 => 2,
            Self::Int8 => 1,
        }
    }
}

/// A type in which weights may be held.
pub trait Element: Pod + Default + Send + Sync + sealed::Wrap {
    /// Weights held in it.
    const KIND: WeightKind;
}

impl Element for f32 {
    const KIND: WeightKind = WeightKind::F32;
}

impl Element for f16 {
    const KIND: WeightKind = WeightKind::F16;
}

impl Element for bf16 {
    const KIND: WeightKind = WeightKind::BF16;
}

impl Element for i8 {
    const KIND: WeightKind = WeightKind::Int8;
}

mod sealed {
    use half::{bf16, f16};

    use super::{STEP, Values, nearest_i8};
    use crate::aligned::Aligned;

    /// How a type is packed.
    pub trait Wrap: Sized {
        /// Consecutive elements of a row that lie side by side in a panel.
        const GROUP: usize;

        /// Brings a row within ±`limit`, which the kernel takes, and gives its sum.
        fn prepare(_row: &mut [Self], _scale: &mut f32, _limit: i8) -> i32 {
            0
        }

        /// Puts a buffer into the variant of its type.
        fn wrap(values: Aligned<Self>, scales: Vec<f32>, sums: Vec<i32>) -> Values;
    }

    impl Wrap for f32 {
        const GROUP: usize = 1;
        fn wrap(values: Aligned<Self>, _: Vec<f32>, _: Vec<i32>) -> Values {
            Values::F32(values.into())
        }
    }

    impl Wrap for f16 {
        const GROUP: usize = 1;
        fn wrap(values: Aligned<Self>, _: Vec<f32>, _: Vec<i32>) -> Values {
            Values::F16(values.into())
        }
    }

    impl Wrap for bf16 {
        const GROUP: usize = 1;
        fn wrap(values: Aligned<Self>, _: Vec<f32>, _: Vec<i32>) -> Values {
            Values::BF16(values.into())
        }
    }

    impl Wrap for i8 {
        const GROUP: usize = STEP;

        fn prepare(row: &mut [Self], scale: &mut f32, limit: i8) -> i32 {
            let largest = row.iter().map(|x| x.unsigned_abs()).max().unwrap_or(0);
            if largest > limit.unsigned_abs() {
                let factor = f32::from(limit) / f32::from(largest);
                for x in row.iter_mut() {
                    *x = nearest_i8(f32::from(*x) * factor);
                }
                *scale /= factor;
            }
            row.iter().map(|x| i32::from(*x)).sum()
        }

        fn wrap(values: Aligned<Self>, scales: Vec<f32>, sums: Vec<i32>) -> Values {
            Values::Int8(values.into(), scales, sums)
        }
    }
}

/// The packed elements; with the scale and the sum of each column of the panels for 8-bit integers.
#[derive(Debug)]
pub enum Values {
    F32(Frozen<f32>),
    F16(Frozen<f16>),
    BF16(Frozen<bf16>),
    Int8(Frozen<i8>, Vec<f32>, Vec<i32>),
}

/// The weights of a linear layer, `[rows, depth]` = `[out, in]`, in column panels.
///
/// Panel `p` holds rows `p * width ..` of the weights as `[depth][width]`, where the width is the
/// register tile's for one instruction set; rows past the end are zero. 8-bit integers lie as
/// `[depth / 4][width][4]` and are kept within ±[`Isa::int8_limit`]: those of a row that goes beyond it
/// are rounded to coarser steps.
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
        scales: Vec<f32>,
    ) -> Self {
        let len = rows.div_ceil(isa.panel_width()) * Self::panel_len::<T>(isa, depth);
        let mut values = Aligned::<T>::new(len);
        let (scales, sums) =
            Self::pack_into(isa, (rows, depth), fill, scales, values.as_mut_slice());
        let (level, width) = (isa.level(), isa.panel_width());
        Self { rows, depth, level, width, values: T::wrap(values, scales, sums) }
    }

    /// [`pack`](Self::pack) into memory of the caller's, zeroed and as long as
    /// [`panel_shape`](Self::panel_shape) says; gives the scale and the sum of each column of the
    /// panels, for [`from_panels`](Self::from_panels).
    ///
    /// # Panics
    ///
    /// When there are scales for another number of rows, or `panels` has another length.
    pub fn pack_into<T: Element>(
        isa: Isa,
        (rows, depth): (usize, usize),
        fill: impl Fn(usize, &mut [T]) + Sync,
        mut scales: Vec<f32>,
        panels: &mut [T],
    ) -> (Vec<f32>, Vec<i32>) {
        let width = isa.panel_width();
        let limit = isa.int8_limit();
        let panel_len = Self::panel_len::<T>(isa, depth);
        let columns = rows.next_multiple_of(width);
        assert!(scales.is_empty() || scales.len() == rows, "one scale for each row of weights");
        assert_eq!(panels.len(), columns / width * panel_len, "room for the panels");
        scales.resize(columns, 0.0);
        let mut sums = vec![0; columns];
        if depth > 0 {
            let panels = panels.par_chunks_mut(panel_len).enumerate();
            let columns = scales.par_chunks_mut(width).zip(sums.par_chunks_mut(width));
            panels.zip(columns).for_each_init(
                || vec![T::default(); SCATTER * depth],
                |buffer, ((panel, out), (scales, sums))| {
                    let count = width.min(rows - panel * width);
                    for first in (0..count).step_by(SCATTER) {
                        let buffer = &mut buffer[..SCATTER.min(count - first) * depth];
                        for (row, column) in buffer.chunks_exact_mut(depth).zip(first..) {
                            fill(panel * width + column, row);
                            sums[column] = T::prepare(row, &mut scales[column], limit);
                        }
                        scatter(out, buffer, depth, width, first);
                    }
                },
            );
        }
        (scales, sums)
    }

    /// Elements of one panel.
    fn panel_len<T: Element>(isa: Isa, depth: usize) -> usize {
        isa.panel_width() * depth.next_multiple_of(T::GROUP)
    }

    /// The dimensions of the panels of `rows` rows of `depth` elements: `[panels, depth, width]`,
    /// for 8-bit integers `[panels, depth / 4, width, 4]`.
    #[must_use]
    pub fn panel_shape(isa: Isa, kind: WeightKind, rows: usize, depth: usize) -> Vec<usize> {
        let width = isa.panel_width();
        let panels = rows.div_ceil(width);
        match kind {
            WeightKind::Int8 => vec![panels, depth.div_ceil(STEP), width, STEP],
            _ => vec![panels, depth, width],
        }
    }

    /// A matrix of panels that were packed before, for the same instruction set.
    ///
    /// `scales` and `sums` hold one number for each column of the panels if the elements are `i8`,
    /// and nothing otherwise. Nothing if a length, or the alignment of the panels, is not right.
    #[must_use]
    pub fn from_panels(
        isa: Isa,
        kind: WeightKind,
        (rows, depth): (usize, usize),
        panels: SharedBytes,
        (scales, sums): (Vec<f32>, Vec<i32>),
    ) -> Option<Self> {
        let shape = Self::panel_shape(isa, kind, rows, depth);
        let width = isa.panel_width();
        let columns = if kind == WeightKind::Int8 { shape[0] * width } else { 0 };
        let values = match kind {
            WeightKind::F32 => Values::F32(Frozen::new(panels)?),
            WeightKind::F16 => Values::F16(Frozen::new(panels)?),
            WeightKind::BF16 => Values::BF16(Frozen::new(panels)?),
            WeightKind::Int8 => Values::Int8(Frozen::new(panels)?, scales, sums),
        };
        let packed = Self { rows, depth, level: isa.level(), width, values };
        let expected = shape.iter().try_fold(kind.bytes(), |len, &n| len.checked_mul(n))?;
        let fits = (*packed.shared()).as_ref().len() == expected
            && packed.scales().len() == columns
            && packed.sums().len() == columns;
        fits.then_some(packed)
    }

    /// The panels; see [`panel_shape`](Self::panel_shape).
    #[must_use]
    pub fn shared(&self) -> SharedBytes {
        match &self.values {
            Values::F32(values) => values.shared(),
            Values::F16(values) => values.shared(),
            Values::BF16(values) => values.shared(),
            Values::Int8(values, ..) => values.shared(),
        }
    }

    /// The scale of each column of the panels, zero past the end; only 8-bit integers have any.
    #[must_use]
    pub fn scales(&self) -> &[f32] {
        if let Values::Int8(_, scales, _) = &self.values { scales } else { &[] }
    }

    /// The sum of each column of the panels, zero past the end; only 8-bit integers have any.
    #[must_use]
    pub fn sums(&self) -> &[i32] {
        if let Values::Int8(_, _, sums) = &self.values { sums } else { &[] }
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

    /// Some of the [`panels`](Self::panels), as those of a matrix of their own.
    pub(crate) fn panels_of(&self, panels: Range<usize>) -> Panels<'_> {
        let group = if self.kind() == WeightKind::Int8 { STEP } else { 1 };
        let len = self.width * self.depth.next_multiple_of(group);
        let columns = panels.start * self.width..panels.end * self.width;
        let elements = panels.start * len..panels.end * len;
        match self.panels() {
            Panels::F32(values) => Panels::F32(&values[elements]),
            Panels::F16(values) => Panels::F16(&values[elements]),
            Panels::BF16(values) => Panels::BF16(&values[elements]),
            Panels::Int8(Int8Panels { values, scales, sums }) => Panels::Int8(Int8Panels {
                values: &values[elements],
                scales: &scales[columns.clone()],
                sums: &sums[columns],
            }),
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

#[cfg(test)]
mod tests {
    use super::*;

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

    #[test]
    fn panels_can_be_taken_up_again() {
        let isa = Isa::best();
        let fill = |row: usize, out: &mut [i8]| out.fill(row as i8);
        let packed = PackedMatrix::pack(isa, 3, 5, fill, vec![0.5; 3]);
        let (scales, sums) = (packed.scales().to_vec(), packed.sums().to_vec());
        let again = |kind, shape, columns| {
            PackedMatrix::from_panels(isa, kind, shape, packed.shared(), columns)
        };
        let int8 = WeightKind::Int8;
        let same = again(int8, (3, 5), (scales.clone(), sums.clone())).unwrap();
        assert_eq!((same.scales(), same.sums()), (&scales[..], &sums[..]));
        assert_eq!(same.bytes(), packed.bytes());
        assert!(again(int8, (3, 9), (scales.clone(), sums.clone())).is_none());
        assert!(again(int8, (3, 5), (scales.clone(), vec![])).is_none());
        assert!(again(WeightKind::F32, (3, 5), (vec![], vec![])).is_none());
        assert!(again(int8, (usize::MAX / 32, usize::MAX / 32), (vec![], vec![])).is_none());
    }
}
