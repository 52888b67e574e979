//! Everything that decoding refuses.

/// Why labels, options, scores or window sizes were refused.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum Error {
    /// A classifier without labels.
    #[error("labels: expected at least one, found none")]
    NoLabels,
    /// A name that none of the choices has.
    #[error("{what}: expected one of {expected}, found {found:?}")]
    Name {
        /// What was being named.
        what: &'static str,
        /// The names there are.
        expected: String,
        /// The name given.
        found: String,
    },
    /// A score bound that is not a probability.
    #[error("min_score: expected a number from 0 to 1, found {found}")]
    MinScore {
        /// The bound given.
        found: f32,
    },
    /// The logits are not a matrix of the size expected.
    #[error("logits: expected {rows} rows of {labels} labels, found {found} numbers")]
    Shape {
        /// Rows expected.
        rows: usize,
        /// Numbers in a row.
        labels: usize,
        /// Numbers given.
        found: usize,
    },
    /// A row of logits has no probabilities: it holds NaN or an infinity.
    #[error("logits: expected finite numbers, found {found} in row {row}, column {label}")]
    NotFinite {
        /// Row of the first such number: the piece.
        row: usize,
        /// Its column: the label's id.
        label: usize,
        /// The number.
        found: f32,
    },
    /// A piece that is not a range of characters of the text.
    #[error(
        "piece {piece}: expected a range of characters in {length} bytes of text, found {start}..{end}"
    )]
    Range {
        /// Position of the piece.
        piece: usize,
        /// Its first byte.
        start: usize,
        /// The byte behind its last.
        end: usize,
        /// Bytes of the text.
        length: usize,
    },
    /// Pieces whose words are not in order.
    #[error("piece {piece}: expected a word from {previous} on, found word {found}")]
    WordOrder {
        /// Position of the piece.
        piece: usize,
        /// Word of the piece before it.
        previous: u32,
        /// Its own word.
        found: u32,
    },
    /// A piece of a word that the document does not have.
    #[error("piece {piece}: expected one of {words} words, found word {found}")]
    WordCount {
        /// Position of the piece.
        piece: usize,
        /// How many words there are.
        words: usize,
        /// The word of the piece.
        found: u32,
    },
    /// Windows that hold nothing or do not advance.
    #[error("windows: expected an overlap below the capacity of {capacity}, found {overlap}")]
    Windows {
        /// Pieces that fit in a window.
        capacity: usize,
        /// Pieces that neighbours share.
        overlap: usize,
    },
}
