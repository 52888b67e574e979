//! `nervio-weights pull`: models from a hub into the cache of Hugging Face's libraries.
//!
//! The protocol and the layout are those of the `huggingface_hub` package. The crate of that name
//! for Rust neither verifies checksums nor knows the offline switch, so the few requests are made here,
//! by `ureq`.

mod cache;
mod client;
mod command;
mod download;
mod verify;
mod wanted;

pub use command::{Args, run};
