//! Making, converting and quantising checkpoints.
//!
//! - [`synth`]: model folders of seeded random weights, for tests and benchmarks.
//! - [`manifest`]: the committed reference cases, each generated from its description alone.
//! - [`quantize`]: the same model with smaller weights.
//! - [`output`]: output folders that appear whole or not at all.
#![forbid(unsafe_code)]

pub mod manifest;
pub mod output;
pub mod quantize;
pub mod synth;
