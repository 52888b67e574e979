//! From tags to spans of words.

mod lenient;
mod patterns;
mod scheme;
mod strict;

pub use scheme::Scheme;

use crate::error::InvalidTag;

/// Type of a span whose tags name none, as in `B`.
const UNNAMED: &str = "_";

/// An entity as words of its sentence.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Span {
    /// Position of its first word.
    pub start: usize,
    /// The position behind its last word.
    pub end: usize,
    /// Its type.
    pub label: String,
}

/// How tags are read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Chunking {
    /// As seqeval reads them by default: prefixes of all schemes, and no sequence is wrong.
    #[default]
    Lenient,
    /// As seqeval's `mode="strict"` reads them: only what the scheme allows is a span.
    Strict(Scheme),
}

impl Chunking {
    /// The spans of one sentence, in its order.
    ///
    /// # Errors
    ///
    /// In a strict reading, when a tag has a prefix that is not of the scheme.
    ///
    /// ```
    /// use nervio_eval::{Chunking, Scheme};
    ///
    /// let orphans = ["I-PER", "I-PER", "O"];
    /// assert_eq!(Chunking::Lenient.spans(&orphans)?[0].end, 2);
    /// assert!(Chunking::Strict(Scheme::Iob2).spans(&orphans)?.is_empty());
    /// # Ok::<(), nervio_eval::InvalidTag>(())
    /// ```
    pub fn spans<S: AsRef<str>>(self, tags: &[S]) -> Result<Vec<Span>, InvalidTag> {
        match self {
            Self::Lenient => Ok(lenient::spans(tags)),
            Self::Strict(scheme) => strict::spans(scheme, tags),
        }
    }
}
