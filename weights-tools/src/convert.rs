//! `nervio-weights convert`: a checkpoint in another format as a Hugging Face folder.

mod reader;
mod source;
mod torch;

pub use reader::{Entry, Naming, Reader};
pub use source::SourceTensor;
