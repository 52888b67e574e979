//! Making, converting and quantising checkpoints.
//!
//! - [`synth`]: model folders of seeded random weights, for tests and benchmarks.
//! - [`manifest`]: the committed reference cases, each generated from its description alone.
//! - [`output`]: output folders that appear whole or not at all.
#![forbid(unsafe_code)]

pub mod manifest;
pub mod output;
pub mod synth;
