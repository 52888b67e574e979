//! Model folders of seeded random weights: the same bytes on every machine, in Rust and in
//! Python (`weights-tools/python/synth.py` is the same algorithm in numpy).
//!
//! # The algorithm
//!
//! Every tensor has a stream of its own, named by its canonical name: the Hugging Face name
//! without the `bert.` prefix and with `LayerNorm.weight`/`LayerNorm.bias`, however the file
//! spells it. With 64-bit wrapping arithmetic, `mix` the output function of SplitMix64 (Steele,
//! Lea and Flood 2014) and `fnv1a` the 64-bit FNV-1a hash of the name's bytes:
//!
//! ```text
//! key       = mix(fnv1a(name) ^ mix(seed))
//! z(i)      = mix(key + (i + 1) * 0x9E3779B97F4A7C15)          i = row-major element index
//! signed(i) = ((z(i) >> 40) - 2^23) * 2^-23                    in [-1, 1), exact in f32
//! value(i)  = centre + scale * signed(i)                       f32, rounded after each step
//! ```
//!
//! `centre` and `scale` come from the tensor's [`Law`]. f16 and bf16 round the f32 value to
//! nearest, ties to even. Tensors lie in the file in the order of the `safetensors` library
//! (sorted by name, since all have one dtype), with metadata `{"format":"pt"}`.
//!
//! # The scales
//!
//! Linear weights have variance `gain² / inputs`, so that a unit-variance input (what a layer
//! norm gives) makes an output of standard deviation `gain`. The gains give attention scores a
//! deviation near 3 (neither uniform nor one-hot), inputs of the activation function beyond ±6,
//! and logits one near 2. Residual branches are weaker than the stream they join: with stronger
//! ones the tokens of a twelve-layer model become alike (mean correlation 0.97, here 0.54), and
//! weaker ones would hide which GELU was used (the tanh form moves hidden states by 3e-4 here).

mod command;
mod folder;
mod labels;
mod random;
mod shape;
mod tensors;
mod vocabulary;

pub use command::{Args, run};
pub use folder::{Layout, Recipe, StoredAs, synth_to_folder};
pub use labels::CONLL_LABELS;
pub use random::{Law, Stream};
pub use shape::{Dimensions, Shape};
pub use tensors::{ACTIVATION_GAIN, TensorSpec, tensor_specs};
pub use vocabulary::{Vocabulary, synthetic_pieces};
