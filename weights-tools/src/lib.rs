//! Making, converting and quantising checkpoints.
//!
//! - [`convert`]: checkpoints in other formats as Hugging Face folders.
//! - [`synth`]: model folders of seeded random weights, for tests and benchmarks.
//! - [`manifest`]: the committed reference cases, each generated from its description alone.
//! - [`diff`]: two checkpoints, tensor by tensor.
//! - [`prune`]: the same model without tokens that a language never uses.
//! - [`pull`]: models from a hub into the cache of Hugging Face's libraries.
//! - [`quantize`]: the same model with smaller weights.
//! - [`output`]: output folders that appear whole or not at all.
#![forbid(unsafe_code)]

pub mod convert;
pub mod diff;
mod evaluate;
pub mod manifest;
pub mod output;
pub mod prune;
pub mod pull;
pub mod quantize;
pub mod synth;
