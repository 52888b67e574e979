//! A mutable matrix view that can be cut by rows and by columns and handed to threads.
#![allow(
    unsafe_code,
    reason = "column blocks of one buffer interleave: slices cannot express them"
)]

use std::marker::PhantomData;
use std::ops::Range;

/// A mutable view of `[rows, columns]` `f32` whose rows may lie apart in memory.
///
/// The standard library can cut a slice in two, but not a matrix in two by columns. This view
/// can: both halves borrow the same buffer and never touch the same element.
#[derive(Debug)]
pub struct MatMut<'a> {
    /// First element; valid for `rows` rows of `columns` elements, `stride` apart.
    start: *mut f32,
    rows: usize,
    columns: usize,
    stride: usize,
    buffer: PhantomData<&'a mut [f32]>,
}

// SAFETY: a view is an exclusive borrow of its elements, as `&mut [f32]` is, and that is `Send`.
unsafe impl Send for MatMut<'_> {}

impl<'a> MatMut<'a> {
    /// A view of the whole of `buffer` as `[buffer.len() / columns, columns]`.
    ///
    /// # Panics
    ///
    /// When the length is not a multiple of `columns`.
    #[must_use]
    pub fn new(buffer: &'a mut [f32], columns: usize) -> Self {
        let rows = buffer.len().checked_div(columns).unwrap_or(0);
        assert_eq!(rows * columns, buffer.len(), "a matrix of {columns} columns has whole rows");
        Self { start: buffer.as_mut_ptr(), rows, columns, stride: columns, buffer: PhantomData }
    }

    /// Number of rows.
    #[must_use]
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// Number of columns.
    #[must_use]
    pub fn columns(&self) -> usize {
        self.columns
    }

    /// One row, `[columns]`.
    ///
    /// # Panics
    ///
    /// When `row` is not below [`rows`](Self::rows).
    #[inline(always)]
    #[must_use]
    pub fn row(&mut self, row: usize) -> &mut [f32] {
        assert!(row < self.rows, "row {row} of {}", self.rows);
        // SAFETY: the row is inside the view, whose elements are borrowed exclusively by `self`.
        unsafe { std::slice::from_raw_parts_mut(self.start.add(row * self.stride), self.columns) }
    }

    /// `R` rows from `row` on, of each the `width` elements from `column` on.
    ///
    /// # Panics
    ///
    /// When they do not lie inside the view.
    #[inline(always)]
    #[must_use]
    pub fn tile<const R: usize>(
        &mut self,
        row: usize,
        column: usize,
        width: usize,
    ) -> [&mut [f32]; R] {
        assert!(row <= self.rows && R <= self.rows - row, "{R} rows from {row} of {}", self.rows);
        let columns = self.columns;
        assert!(
            column <= columns && width <= columns - column,
            "{width} columns from {column} of {columns}"
        );
        // SAFETY: every row and its elements are inside the view by the checks above, the view is
        // borrowed exclusively, and rows of a view never overlap.
        std::array::from_fn(|r| unsafe {
            let first = self.start.add((row + r) * self.stride + column);
            std::slice::from_raw_parts_mut(first, width)
        })
    }

    /// A view of the same elements for as long as `self` is borrowed.
    #[must_use]
    pub fn reborrow(&mut self) -> MatMut<'_> {
        MatMut { buffer: PhantomData, ..*self }
    }

    /// A view of some rows and columns for as long as `self` is borrowed.
    ///
    /// # Panics
    ///
    /// When a range does not lie inside the view.
    #[must_use]
    pub fn block(&mut self, rows: Range<usize>, columns: Range<usize>) -> MatMut<'_> {
        let (above, _) = self.reborrow().split_rows(rows.end);
        let (_, rows) = above.split_rows(rows.start);
        let (left, _) = rows.split_columns(columns.end);
        left.split_columns(columns.start).1
    }

    /// The rows before `row` and the rows from it on.
    ///
    /// # Panics
    ///
    /// When `row` is above [`rows`](Self::rows).
    #[must_use]
    pub fn split_rows(self, row: usize) -> (Self, Self) {
        assert!(row <= self.rows, "row {row} of {}", self.rows);
        // An empty lower half keeps the old start: one past the rows may lie outside the buffer.
        let offset = if row == self.rows { 0 } else { row * self.stride };
        // SAFETY: `offset` is the start of a row inside the view, or zero.
        let start = unsafe { self.start.add(offset) };
        (Self { rows: row, ..self }, Self { start, rows: self.rows - row, ..self })
    }

    /// The columns before `column` and the columns from it on.
    ///
    /// # Panics
    ///
    /// When `column` is above [`columns`](Self::columns).
    #[must_use]
    pub fn split_columns(self, column: usize) -> (Self, Self) {
        assert!(column <= self.columns, "column {column} of {}", self.columns);
        let offset = if column == self.columns || self.rows == 0 { 0 } else { column };
        // SAFETY: `offset` is an element of the first row, or zero.
        let start = unsafe { self.start.add(offset) };
        (Self { columns: column, ..self }, Self { start, columns: self.columns - column, ..self })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quarters_cover_every_element_once() {
        let mut buffer = vec![0.0; 5 * 7];
        let (top, bottom) = MatMut::new(&mut buffer, 7).split_rows(2);
        let (a, b) = top.split_columns(3);
        let (c, d) = bottom.split_columns(7);
        for (number, mut part) in (1_u8..).zip([a, b, c, d]) {
            for row in 0..part.rows() {
                part.row(row).iter_mut().for_each(|x| *x += f32::from(number));
            }
        }
        let expected: Vec<f32> = (0..35)
            .map(|i| match (i / 7 < 2, i % 7 < 3) {
                (true, true) => 1.0,
                (true, false) => 2.0,
                (false, _) => 3.0,
            })
            .collect();
        assert_eq!(buffer, expected);
    }

    #[test]
    fn a_block_is_some_rows_and_columns() {
        let mut buffer: Vec<f32> = (0..20_u8).map(f32::from).collect();
        let mut all = MatMut::new(&mut buffer, 5);
        let mut block = all.block(1..3, 2..4);
        assert_eq!((block.rows(), block.columns()), (2, 2));
        assert_eq!(
            (block.row(0).to_vec(), block.row(1).to_vec()),
            (vec![7.0, 8.0], vec![12.0, 13.0])
        );
    }

    #[test]
    fn a_tile_is_some_rows_of_some_columns() {
        let mut buffer: Vec<f32> = (0..20_u8).map(f32::from).collect();
        let mut all = MatMut::new(&mut buffer, 5);
        let [first, second] = all.tile::<2>(2, 1, 3);
        assert_eq!((&first[..], &second[..]), (&[11.0, 12.0, 13.0][..], &[16.0, 17.0, 18.0][..]));
        first[0] = -1.0;
        assert_eq!(buffer[11], -1.0);
    }

    #[test]
    #[should_panic(expected = "2 rows from 3 of 4")]
    fn tiles_lie_inside_by_rows() {
        let _ = MatMut::new(&mut [0.0; 20], 5).tile::<2>(3, 0, 5);
    }

    #[test]
    #[should_panic(expected = "3 columns from 3 of 5")]
    fn tiles_lie_inside_by_columns() {
        let _ = MatMut::new(&mut [0.0; 20], 5).tile::<1>(0, 3, 3);
    }

    #[test]
    fn empty_views_are_fine() {
        let mut buffer = vec![];
        let (a, b) = MatMut::new(&mut buffer, 0).split_rows(0);
        assert_eq!((a.rows(), b.columns()), (0, 0));
        let mut buffer = vec![1.0, 2.0];
        let (all, mut none) = MatMut::new(&mut buffer, 2).split_rows(1);
        assert_eq!((all.rows(), none.rows()), (1, 0));
        assert_eq!(none.reborrow().split_columns(1).1.columns(), 1);
    }

    #[test]
    #[should_panic(expected = "row 1 of 1")]
    fn rows_are_checked() {
        let _ = MatMut::new(&mut [1.0], 1).row(1);
    }
}
