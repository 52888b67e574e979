//! `nervio-weights prune-vocab`: a model without the vocabulary that a language never uses.
//!
//! WordPiece takes the longest token that fits. A text that never made use of a token is therefore
//! cut in the same way without it: on the text that the vocabulary was chosen by the pieces, and
//! with them the answers, stay what they were. Elsewhere a word that used a dropped token falls into
//! smaller pieces, since all characters that were seen are kept.

mod choice;
mod command;
mod files;
mod weights;

pub use command::{Args, run};
