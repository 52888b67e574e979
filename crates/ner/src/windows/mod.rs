//! Texts that are too long for the encoder, read in overlapping windows.
//!
//! [`plan`] is how nervio reads: windows end between words, and each word is judged where it is
//! farthest from an edge that cuts text off. [`plan_sentences`] does so between sentences. [`plan_hf`] with [`merge_hf`] is how the transformers
//! pipeline reads when its `stride` is given.

mod hugging_face;
mod plan;

pub use hugging_face::{merge_hf, plan_hf};
pub use plan::{Window, plan, plan_sentences};

use crate::Error;

/// Refuses windows that hold nothing or do not advance.
fn check_sizes(capacity: usize, overlap: usize) -> Result<(), Error> {
    if overlap < capacity { Ok(()) } else { Err(Error::Windows { capacity, overlap }) }
}
