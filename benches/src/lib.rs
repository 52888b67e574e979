//! Criterion benches of the kernels and the encoder; `peers/` runs other engines side by side.
//!
//! ```text
//! cargo bench -p nervio-benches                       all of them
//! cargo bench -p nervio-benches --bench kernels -- matmul
//! benches/peers/run.sh --model DIR                    against onnxruntime
//! ```
#![forbid(unsafe_code)]

/// The products of one encoder layer for `tokens` rows: name, m, n, k.
#[must_use]
pub fn layer_products(
    tokens: usize,
    hidden: usize,
    intermediate: usize,
) -> [(&'static str, usize, usize, usize); 4] {
    [
        ("query_key_value", tokens, 3 * hidden, hidden),
        ("attention_output", tokens, hidden, hidden),
        ("intermediate", tokens, intermediate, hidden),
        ("output", tokens, hidden, intermediate),
    ]
}
