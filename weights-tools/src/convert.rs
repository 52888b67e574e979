//! `nervio-weights convert`: a checkpoint in another format as a Hugging Face folder.
//!
//! A format's reader says what tensors there are ([`Reader`]); the plan compares their names and
//! shapes with the configuration before any is read; then they are read and written one by one.

mod command;
mod config;
mod names;
mod onnx;
mod open;
mod plan;
mod reader;
mod safe;
mod shards;
mod source;
mod tensorflow;
mod torch;
mod write;

pub use command::{Args, run};
pub use reader::{Entry, Naming, Reader};
pub use source::SourceTensor;
