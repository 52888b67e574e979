//! Matmul, attention, layer norm and activations of a BERT encoder, each with a scalar reference.
#![forbid(unsafe_code)]

mod activation;
mod aligned;
mod attention;
mod exact;
mod layer_norm;
mod math;
mod matmul;
mod parallel;
mod peak;
mod softmax;
mod workspace;

pub use activation::{Activation, UnknownActivation};
pub use attention::{AttentionShape, attention, attention_probabilities, attention_reference};
pub use layer_norm::{layer_norm, layer_norm_reference};
pub use matmul::{Element, Epilogue, PackedMatrix, WeightKind, matmul, matmul_reference};
pub use peak::peak_gflops;
pub use softmax::{softmax, softmax_reference};
pub use workspace::Workspace;
