//! A BERT encoder with a token-classification head over packed batches.
//!
//! Three structs tell the whole memory story: [`Config`] (sizes and labels), the weights
//! ([`Encoder`], [`TokenClassifier`]: packed once at load, shared by all threads) and [`Scratch`]
//! (every buffer of a pass, used again). A [`Batch`] holds sequences one after another; nothing is
//! padded, so a sequence costs what it is long.
//!
//! A [`Probe`] looks into a pass: hidden states, attention probabilities, the time of each
//! [`Stage`].
#![forbid(unsafe_code)]

mod batch;
mod by_rows;
mod by_sequences;
mod classifier;
mod config;
mod embeddings;
mod encoder;
mod error;
mod helpers;
mod load;
mod matrices;
mod panels;
mod parts;
mod probe;
mod reader;
mod scratch;
mod shapes;
mod source;

pub use batch::Batch;
pub use classifier::TokenClassifier;
pub use config::Config;
pub use encoder::Encoder;
pub use error::{BatchError, ConfigError, LoadError};
pub use load::WeightDtype;
pub use nervio_kernels::{Activation, WeightKind};
pub use panels::PanelKey;
pub use probe::{Probe, Stage};
pub use scratch::Scratch;
pub use shapes::stored_kind;
