//! A range of k, and what of both operands belongs to it.

use std::ops::Range;

use bytemuck::cast_slice;
use nervio_simd::Simd;

use super::ahead::{Ahead, Lines};
use super::int8::Int8Panel;
use super::packed_matrix::Panels;
use super::tile::{STEP, lines_of_round};

/// A range of k.
#[derive(Clone, Copy)]
pub(crate) struct Steps {
    pub(crate) start: usize,
    pub(crate) end: usize,
    pub(crate) depth: usize,
}

impl Steps {
    /// How many there are.
    pub(crate) fn len(&self) -> usize {
        self.end - self.start
    }

    /// What the rounds of a tile ask for in these steps, which are some of `all`, if `ahead` is to be fetched in
    /// those.
    #[inline(always)]
    pub(crate) fn ahead(&self, all: &Self, mut ahead: Lines, width: usize) -> Lines {
        ahead.share(all.len() / STEP, lines_of_round::<f32>(width));
        ahead.skip((self.start - all.start) / STEP);
        ahead
    }

    /// Whether these are the last steps.
    pub(crate) fn last(&self) -> bool {
        self.end == self.depth
    }

    /// The steps after these, `most` at the most.
    pub(crate) fn next(&self, most: usize) -> Self {
        Self { start: self.end, end: (self.end + most).min(self.depth), depth: self.depth }
    }

    /// The steps from `start` on, `most` at the most.
    pub(crate) fn first(&self, start: usize, most: usize) -> Self {
        Self { start, end: (start + most).min(self.depth), depth: self.depth }
    }

    /// These steps of row panel `panel` of a left operand of the whole depth.
    #[inline(always)]
    pub(crate) fn left<'a, T>(&self, left: &'a [T], panel: usize, tile_rows: usize) -> &'a [T] {
        let depth = self.depth.next_multiple_of(STEP);
        let end = self.end.next_multiple_of(STEP);
        &left[(panel * depth + self.start) * tile_rows..(panel * depth + end) * tile_rows]
    }

    /// The memory of these steps of column panel `panel`.
    #[inline(always)]
    pub(crate) fn bytes<'a>(&self, panels: Panels<'a>, panel: usize, width: usize) -> &'a [u8] {
        let range = self.range(panel, width, self.depth);
        match panels {
            Panels::F32(values) => cast_slice(&values[range]),
            Panels::F16(values) => cast_slice(&values[range]),
            Panels::BF16(values) => cast_slice(&values[range]),
            Panels::Int8(panels) => cast_slice(&panels.values[self.quads(panel, width)]),
        }
    }

    /// Where these steps of column panel `panel` lie, if panels are `depth` long.
    #[inline(always)]
    fn range(&self, panel: usize, width: usize, depth: usize) -> Range<usize> {
        (panel * depth + self.start) * width..(panel * depth + self.end) * width
    }

    /// Where these steps of a panel of 8-bit integers lie.
    #[inline(always)]
    fn quads(&self, panel: usize, width: usize) -> Range<usize> {
        let whole = Self { end: self.end.next_multiple_of(STEP), ..*self };
        whole.range(panel, width, self.depth.next_multiple_of(STEP))
    }

    /// These steps of column panel `panel`: as they lie, or widened into `buffer`.
    #[inline(always)]
    pub(crate) fn right<'a, S: Simd>(
        &self,
        s: S,
        panels: Panels<'a>,
        panel: usize,
        width: usize,
        buffer: &'a mut [f32],
    ) -> Right<'a> {
        let range = self.range(panel, width, self.depth);
        let out = match panels {
            Panels::F32(values) => return Right::Float(&values[range]),
            Panels::F16(_) | Panels::BF16(_) => &mut buffer[..range.len()],
            Panels::Int8(panels) => {
                let columns = panel * width..(panel + 1) * width;
                return Right::Int8(Int8Panel {
                    values: &panels.values[self.quads(panel, width)],
                    scales: &panels.scales[columns.clone()],
                    sums: &panels.sums[columns],
                });
            }
        };
        let vectors = out.chunks_exact_mut(S::LANES);
        match panels {
            Panels::F16(values) => {
                for (out, x) in vectors.zip(values[range].chunks_exact(S::LANES)) {
                    s.store(s.load_f16(x), out);
                }
            }
            Panels::BF16(values) => {
                for (out, x) in vectors.zip(values[range].chunks_exact(S::LANES)) {
                    s.store(s.load_bf16(x), out);
                }
            }
            Panels::F32(_) | Panels::Int8(_) => {}
        }
        Right::Float(out)
    }
}

/// Some steps of one column panel, ready to be multiplied.
#[derive(Clone, Copy)]
pub(crate) enum Right<'a> {
    /// `[steps][width]`
    Float(&'a [f32]),
    Int8(Int8Panel<'a>),
}

impl<'a> Right<'a> {
    /// The memory that is read.
    #[inline(always)]
    pub(crate) fn bytes(self) -> &'a [u8] {
        match self {
            Right::Float(values) => cast_slice(values),
            Right::Int8(panel) => cast_slice(panel.values),
        }
    }
}
