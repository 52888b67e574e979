//! Making, converting and quantising checkpoints.
//!
//! - [`convert`]: checkpoints in other formats as Hugging Face folders.
//! - [`synth`]: model folders of seeded random weights, for tests and benchmarks.
//! - [`manifest`]: the committed reference cases, each generated from its description alone.
//! - [`diff`]: two checkpoints, tensor by tensor.
//! - [`quantize`]: the same model with smaller weights.
//! - [`output`]: output folders that appear whole or not at all.
#![forbid(unsafe_code)]

pub mod convert;
pub mod diff;
pub mod manifest;
pub mod output;
pub mod quantize;
pub mod synth;
