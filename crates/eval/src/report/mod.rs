//! Scores and mistakes as text.

mod conlleval;
mod mistakes;
mod seqeval;

pub(crate) use conlleval::report as conlleval;
pub use mistakes::list_mistakes;
pub(crate) use seqeval::report as seqeval;

/// The widest field that formatting can fill; wider cells are not aligned.
const WIDEST: usize = u16::MAX as usize;

/// The width of a column: that of its widest cell in characters.
pub(crate) fn column_width<S: AsRef<str>>(cells: impl IntoIterator<Item = S>) -> usize {
    let widths = cells.into_iter().map(|cell| cell.as_ref().chars().count());
    widths.max().unwrap_or(0).min(WIDEST)
}
