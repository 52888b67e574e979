//! How the rows of the left operand are shared out among row panels.

use super::tile::STEP;

/// Rows cut into as few panels of at most a tile's rows as there can be, as even as can be.
///
/// A tile of five rows is as fast for its size as one of six, one of two is not: so 128 rows are
/// 18 panels of six and 4 of five, rather than 21 of six and one of two.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct RowPanels {
    rows: usize,
    /// Rows for which a panel has room: [`Simd::TILE_ROWS`](nervio_simd::Simd::TILE_ROWS).
    tile_rows: usize,
    count: usize,
    /// Rows of the shorter panels.
    least: usize,
    /// How many panels have one more; they come first.
    longer: usize,
}

impl RowPanels {
    /// The panels of `rows` rows for a register tile of `tile_rows`.
    pub(crate) fn new(rows: usize, tile_rows: usize) -> Self {
        let count = rows.div_ceil(tile_rows);
        let least = rows.checked_div(count).unwrap_or(0);
        Self { rows, tile_rows, count, least, longer: rows - count * least }
    }

    /// The first row of a panel; the number of rows for the panel after the last.
    pub(crate) fn start(self, panel: usize) -> usize {
        panel * self.least + panel.min(self.longer)
    }

    /// The panel that begins at or before `row` and ends behind it.
    pub(crate) fn at(self, row: usize) -> usize {
        let guess = (row * self.count).checked_div(self.rows).unwrap_or(0);
        // The even share is off by one panel at most.
        let panel = guess.saturating_sub(1);
        (panel..=guess + 1).rev().find(|panel| self.start(*panel) <= row).unwrap_or(panel)
    }

    /// The border between panels nearest the middle of `from..to`, if it cuts off something on both
    /// sides.
    pub(crate) fn middle(self, from: usize, to: usize) -> Option<usize> {
        let border = self.start((self.at(from) + self.at(to)).div_ceil(2));
        (border > from && border < to).then_some(border)
    }

    /// How many panels there are.
    pub(crate) fn count(self) -> usize {
        self.count
    }

    /// Rows with those that fill up every panel.
    pub(crate) fn padded(self) -> usize {
        self.count * self.tile_rows
    }

    /// Elements of one packed panel for sums of length `depth`.
    pub(crate) fn panel_len(self, depth: usize) -> usize {
        self.tile_rows * depth.next_multiple_of(STEP)
    }

    /// Rows for which a panel has room.
    pub(crate) fn tile_rows(self) -> usize {
        self.tile_rows
    }

    /// Elements of the packed operand for sums of length `depth`.
    pub(crate) fn packed_len(self, depth: usize) -> usize {
        self.count * self.panel_len(depth)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn panels_are_even_and_cover_all_rows() {
        for (rows, tile_rows) in (0..500).flat_map(|rows| [(rows, 6), (rows, 12)]) {
            let panels = RowPanels::new(rows, tile_rows);
            let sizes: Vec<usize> =
                (0..panels.count).map(|p| panels.start(p + 1) - panels.start(p)).collect();
            assert_eq!(sizes.iter().sum::<usize>(), rows);
            assert!(sizes.iter().all(|size| (1..=tile_rows).contains(size)), "{rows}: {sizes:?}");
            if rows >= tile_rows * (tile_rows - 2) {
                assert!(sizes.iter().all(|size| *size >= tile_rows - 1), "{rows}: {sizes:?}");
            }
            for row in 0..rows {
                let panel = panels.at(row);
                assert!((panels.start(panel)..panels.start(panel + 1)).contains(&row), "{row}");
            }
        }
    }

    #[test]
    fn the_middle_is_a_border_inside() {
        for (rows, tile_rows) in (0..300).flat_map(|rows| [(rows, 6), (rows, 12)]) {
            let panels = RowPanels::new(rows, tile_rows);
            match panels.middle(0, rows) {
                Some(border) => {
                    assert_eq!(panels.start(panels.at(border)), border);
                    assert!(border.abs_diff(rows / 2) <= tile_rows);
                }
                None => assert!(rows <= tile_rows),
            }
        }
    }
}
