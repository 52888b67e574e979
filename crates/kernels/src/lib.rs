//! Matmul, attention, layer norm and activations of a BERT encoder, each with a scalar reference.
//!
//! | kernel | computes | reference |
//! | --- | --- | --- |
//! | [`matmul`] | `epilogue(A · Wᵀ)`: every dense layer, its bias, activation or residual on the tile | [`matmul_reference`] |
//! | [`attention`] | `softmax(Q Kᵀ / √d) V` for each head of each sequence of a packed batch | [`attention_reference`] |
//! | [`self_attention`] | queries, keys and values by [`matmul`], then [`attention`], as one kernel | its two parts |
//! | [`feed_forward`] | `layer_norm(W₂ · activation(W₁ · x + b₁) + b₂ + x)` as one kernel | its three parts |
//! | [`layer_norm`] | mean, variance, scale and shift of each row, in two passes | [`layer_norm_reference`] |
//! | [`softmax`] | softmax of a row, its maximum subtracted | [`softmax_reference`] |
//! | [`Activation`] | GELU and its relatives by polynomials with stated errors | [`Activation::scalar`] |
//!
//! Kernels are safe code over the vector trait of `nervio-simd` and run on the rayon pool they are
//! called in. They allocate nothing once their [`Workspace`] has grown to the largest batch.
//!
//! **The same bits.** How an element is computed depends on its own operands and on the instruction
//! set: not on the other rows of the batch, nor on how the work is cut among threads.
//!
//! ```
//! use nervio_kernels::{Epilogue, PackedMatrix, Workspace, matmul};
//! use nervio_simd::Isa;
//!
//! // Two outputs, three inputs; the weights lie as a checkpoint has them, `[out, in]`.
//! let weights = [1.0, 2.0, 3.0, 0.5, 0.0, -1.0];
//! let isa = Isa::best();
//! let fill = |row: usize, out: &mut [f32]| out.copy_from_slice(&weights[row * 3..][..3]);
//! let packed = PackedMatrix::pack(isa, 2, 3, fill, Vec::new());
//!
//! let mut out = [0.0; 2];
//! let bias = Epilogue::Bias(&[10.0, 20.0]);
//! matmul(isa, &Workspace::new(), &[1.0, 1.0, 2.0], &packed, &bias, &mut out);
//! assert_eq!(out, [19.0, 18.5]);
//! ```
#![forbid(unsafe_code)]

mod activation;
mod aligned;
mod attention;
mod exact;
mod frozen;
mod layer_norm;
mod math;
mod matmul;
mod parallel;
mod peak;
mod softmax;
mod workspace;

pub use activation::{Activation, UnknownActivation};
pub use aligned::Aligned;
pub use attention::{
    AttentionNumbers, AttentionShape, SelfAttention, SelfAttentionStep, attention,
    attention_probabilities, attention_reference, self_attention,
};
pub use frozen::{Frozen, SharedBytes};
pub use layer_norm::{Norm, layer_norm, layer_norm_reference};
pub use matmul::{
    Element, Epilogue, FeedForward, FeedForwardStep, PackedMatrix, WeightKind, feed_forward,
    matmul, matmul_reference, nearest_i8, row_threads, thread_rows,
};
pub use parallel::{
    alone, each_alone, give_way, is_inside, join, keep_awake, threads, with_threads,
};
pub use peak::{peak_gflops, peak_int8_gops, peak_linear_gflops, read_bandwidth};
pub use softmax::{softmax, softmax_reference};
pub use workspace::Workspace;
