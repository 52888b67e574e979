//! Named entities from text: a recogniser over a hand-written BERT encoder.
//!
//! One call goes from text to entities; everything in between is in crates of its own, joined only
//! here: `nervio-tokenizer` (text to pieces), `nervio-bert` (pieces to logits) and `nervio-ner`
//! (logits to entities).
//!
//! ```
//! # #[cfg(feature = "embedded-model")] {
//! let recognizer = nervio::Recognizer::builder().build()?;
//! let found = recognizer.recognize("Me llamo Wolfgang y vivo en Berlín")?;
//! let labels: Vec<_> = found.entities.iter().map(|entity| entity.label.as_str()).collect();
//! assert_eq!(labels, ["PER", "LOC"]);
//! # }
//! # Ok::<(), nervio::Error>(())
//! ```
//!
//! # Promises
//!
//! - A document's answer has the same bits alone, in any batch, in any order and on any number of
//!   threads, on one instruction set.
//! - A document is never truncated: a long one is read in overlapping windows, and the answer says
//!   in how many.
//! - Once a model is loaded nothing of its files stays open or mapped: they may be replaced, cut
//!   short or removed. The exception is a file of panels ([`RecognizerBuilder::pack`]), which is used
//!   in place: it may be replaced or removed, but not cut short.
#![forbid(unsafe_code)]

mod calls;
mod document;
#[cfg(feature = "embedded-model")]
mod embedded;
mod engine;
mod error;
mod inspect;
mod jobs;
mod options;
mod panels;
mod plan;
mod profile;
mod reading;
mod recognizer;
mod source;
mod tracer;

pub use document::{Document, Recognition};
pub use error::Error;
pub use inspect::{Inspection, TensorInfo, TensorUse, inspect};
pub use options::{Compat, DEFAULT_BATCH_TOKENS, Dtype, RecognizerBuilder};
pub use panels::Panels;
pub use profile::{Bound, Profile, Roofs, StageProfile};
pub use recognizer::Recognizer;
pub use source::ModelSource;
pub use tracer::{Trace, TraceOptions, Tracer};

pub use nervio_bert::{Config, Stage};
pub use nervio_ner::{Aggregation, DecoderOptions, Entity, OffsetMap, Scheme, WordUnit, iob2_tags};
pub use nervio_tokenizer as tokenizer;
pub use nervio_weights as weights;
