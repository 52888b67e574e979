//! Where the queries, keys or values of a head lie.

use super::AttentionShape;
use crate::matmul::STEP;

/// The queries, keys or values of one head of one sequence, or other rows of its elements.
pub(super) struct Rows<'a> {
    /// From the first element of the first row to the last of the last.
    pub(super) elements: &'a [f32],
    /// From one row to the next.
    pub(super) stride: usize,
    pub(super) head_dim: usize,
}

impl<'a> Rows<'a> {
    /// Queries (0), keys (1) or values (2) of one head of the `tokens` tokens from `start` on, at least one, in
    /// `qkv`, `[tokens of the batch, 3 hidden]`.
    pub(super) fn of(
        qkv: &'a [f32],
        shape: AttentionShape,
        which: usize,
        start: usize,
        head: usize,
        tokens: usize,
    ) -> Self {
        let AttentionShape { heads, head_dim } = shape;
        let stride = 3 * shape.hidden();
        Self::at(qkv, (stride, head_dim), (start, which * heads + head), tokens)
    }

    /// Some rows of the block of `head_dim` columns with this number, from `start` on, at least one, of rows of
    /// `stride` elements one behind the other.
    pub(super) fn at(
        elements: &'a [f32],
        (stride, head_dim): (usize, usize),
        (start, block): (usize, usize),
        count: usize,
    ) -> Self {
        let elements = &elements[start * stride + block * head_dim..];
        let rows = Self { elements, stride, head_dim };
        Self { elements: &elements[..rows.len_of(count)], ..rows }
    }

    /// Rows of `head_dim` elements, one behind the other.
    pub(super) fn together(elements: &'a [f32], head_dim: usize) -> Self {
        Self { elements, stride: head_dim, head_dim }
    }

    /// Number of rows.
    #[inline(always)]
    pub(super) fn count(&self) -> usize {
        self.elements.len().div_ceil(self.stride)
    }

    /// One row, `[head_dim]`.
    #[inline(always)]
    pub(super) fn row(&self, row: usize) -> &'a [f32] {
        &self.elements[row * self.stride..][..self.head_dim]
    }

    /// Four rows from `first` on; past the end, the last one.
    #[inline(always)]
    pub(super) fn four(&self, first: usize) -> [&'a [f32]; STEP] {
        let last = self.count() - 1;
        // No closure: it might become a call.
        [
            self.row(first.min(last)),
            self.row((first + 1).min(last)),
            self.row((first + 2).min(last)),
            self.row((first + 3).min(last)),
        ]
    }

    /// Some of the rows, at least one.
    #[inline(always)]
    pub(super) fn part(&self, rows: std::ops::Range<usize>) -> Self {
        let elements = &self.elements[rows.start * self.stride..][..self.len_of(rows.len())];
        Self { elements, ..*self }
    }

    /// Elements from the first of a row to the last of the row `rows` later.
    fn len_of(&self, rows: usize) -> usize {
        (rows - 1) * self.stride + self.head_dim
    }
}
