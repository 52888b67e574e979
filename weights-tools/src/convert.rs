//! `nervio-weights convert`: a checkpoint in another format as a Hugging Face folder.

mod source;

pub use source::SourceTensor;
