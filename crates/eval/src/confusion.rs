//! What was taken for what.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use crate::report::column_width;

/// A label, or nothing.
type Label = Option<String>;

/// How often each label was predicted for each label of the reference. `None` stands for nothing:
/// where nothing is predicted a span was missed, where nothing is expected one was invented.
///
/// Its `Display` is a table: a row for each label of the reference, a column for each predicted
/// one, `-` for nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Confusion {
    counts: BTreeMap<(Label, Label), usize>,
}

/// How nothing is shown.
const NOTHING: &str = "-";

/// What stands above the names of the rows.
const CORNER: &str = "expected \\ predicted";

impl Confusion {
    pub(crate) fn add(&mut self, expected: Option<&str>, predicted: Option<&str>) {
        *self.counts.entry(key(expected, predicted)).or_default() += 1;
    }

    /// How often `predicted` was predicted for `expected`.
    #[must_use]
    pub fn count(&self, expected: Option<&str>, predicted: Option<&str>) -> usize {
        self.counts.get(&key(expected, predicted)).copied().unwrap_or(0)
    }

    /// The labels that are on either side, sorted, nothing last.
    #[must_use]
    pub fn labels(&self) -> Vec<Option<&str>> {
        let both = self.counts.keys().flat_map(|(expected, predicted)| [expected, predicted]);
        let labels: BTreeSet<Option<&str>> = both.map(Option::as_deref).collect();
        let mut labels: Vec<_> = labels.into_iter().collect();
        labels.sort_by_key(Option::is_none);
        labels
    }

    /// The cells that are not 0 as expected, predicted, count: the most frequent first.
    #[must_use]
    pub fn cells(&self) -> Vec<(Option<&str>, Option<&str>, usize)> {
        let mut cells = Vec::with_capacity(self.counts.len());
        for ((expected, predicted), count) in &self.counts {
            cells.push((expected.as_deref(), predicted.as_deref(), *count));
        }
        cells.sort_by_key(|(_, _, count)| Reverse(*count));
        cells
    }

    /// The table, row by row, the first one with the names of the columns.
    fn rows(&self) -> Vec<Vec<String>> {
        let labels = self.labels();
        let name = |label: &Option<&str>| label.unwrap_or(NOTHING).to_owned();
        let head = [CORNER.to_owned()].into_iter().chain(labels.iter().map(name)).collect();
        let row = |expected: &Option<&str>| {
            let counts = labels.iter().map(|predicted| self.count(*expected, *predicted));
            let cells = counts.map(|count| count.to_string());
            [name(expected)].into_iter().chain(cells).collect()
        };
        [head].into_iter().chain(labels.iter().map(row)).collect()
    }
}

fn key(expected: Option<&str>, predicted: Option<&str>) -> (Label, Label) {
    (expected.map(str::to_owned), predicted.map(str::to_owned))
}

impl fmt::Display for Confusion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let rows = self.rows();
        let width = |column| column_width(rows.iter().filter_map(|row: &Vec<_>| row.get(column)));
        let widths: Vec<usize> = (0..rows.len()).map(width).collect();
        for row in &rows {
            let cells = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:>width$}"));
            writeln!(f, "{}", cells.collect::<Vec<_>>().join("  "))?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_has_a_row_and_a_column_for_each_label() {
        let mut confusion = Confusion::default();
        for _ in 0..12 {
            confusion.add(Some("PER"), Some("PER"));
        }
        confusion.add(Some("PER"), None);
        confusion.add(None, Some("Ñu"));
        let expected = "expected \\ predicted  PER  Ñu  -\n\
                        \u{20}                PER   12   0  1\n\
                        \u{20}                 Ñu    0   0  0\n\
                        \u{20}                  -    0   1  0\n";
        assert_eq!(confusion.to_string(), expected);
        assert_eq!(confusion.cells()[0], (Some("PER"), Some("PER"), 12));
        assert_eq!(confusion.cells().len(), 3);
        assert_eq!(confusion.count(None, Some("PER")), 0);
        assert_eq!(Confusion::default().to_string(), "expected \\ predicted\n");
    }
}
