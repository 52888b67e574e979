//! Memory-mapped safetensors checkpoints: one file or shards, validated before use.
//!
//! A checkpoint is opened once: every header is parsed and checked as strictly as the format asks
//! (unique keys, ranges that cover the data without gap or overlap, sizes that fit shapes), so that
//! what is read later cannot be out of range. [`BertTensors`] then finds the weights of a model
//! under the names that different exporters give them.
//!
//! ```
//! use std::collections::HashMap;
//! use nervio_weights::{BertTensors, Checkpoint, OpenOptions, OwnedTensor, write_file};
//!
//! let folder = tempfile::tempdir()?;
//! let file = folder.path().join("model.safetensors");
//! let bias = OwnedTensor::from_f32("bert.embeddings.LayerNorm.beta", vec![2], &[0.5, -1.0]);
//! write_file(&file, &[bias], HashMap::new())?;
//!
//! let checkpoint = Checkpoint::open(folder.path(), &OpenOptions::default())?;
//! let tensors = BertTensors::new(&checkpoint)?;
//! let bias = tensors.require("embeddings.LayerNorm.bias", &[2])?;
//! assert_eq!(bias.floats()?.to_vec(), [0.5, -1.0]);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # 8-bit weights
//!
//! A matrix `X.weight` of dtype `I8`, `[out, in]`, has its scales beside it in `X.weight_scale`,
//! `F32` `[out]`: `w[row, i] = q[row, i] * scale[row]` with `q` from -127 to 127. These are ordinary
//! safetensors; other readers see integers and floats.
//!
//! # Mapped files
//!
//! A mapped file must not be cut short while a [`Checkpoint`] of it lives: the system answers an
//! access behind the new end with a signal. Replacing it by another file of the same name, or
//! removing it, is safe. [`OpenOptions::mmap`] `= false` reads the file instead.

#![deny(unsafe_code)]

mod checkpoint;
mod error;
mod fingerprint;
mod float;
mod header;
pub mod hub;
mod index;
mod int8;
mod json;
mod mmap;
mod names;
mod storage;
mod tensor;
mod write;

pub use checkpoint::{Checkpoint, OpenOptions};
pub use error::Error;
pub use float::FloatTensor;
pub use int8::Int8Tensor;
pub use names::BertTensors;
pub use safetensors::Dtype;
pub use tensor::Tensor;
pub use write::{OwnedTensor, TensorView, write_file, write_in_order};
