//! Criterion benches of the kernels and the encoder; `peers/` runs other engines side by side.
//!
//! ```text
//! cargo bench -p nervio-benches                       all of them
//! cargo bench -p nervio-benches --bench kernels -- matmul
//! cargo bench -p nervio-benches --bench matmul_steps  from the plain loop to the kernel
//! cargo bench -p nervio-benches --bench tile_steps    the loop of float products by tile registers
//! cargo bench -p nervio-benches --bench peak_share    share of the peak of every product
//! benches/peers/run.sh --model NAME=DIR               beside onnxruntime, OpenVINO and PyTorch
//! ```
#![forbid(unsafe_code)]

use nervio_simd::Isa;

/// The instruction set to measure: that of `NERVIO_ISA`, else the fastest.
///
/// Ends the program with a message where there is none of that name, or not on this processor.
#[must_use]
pub fn isa() -> Isa {
    Isa::from_env().unwrap_or_else(|error| {
        eprintln!("{error}");
        std::process::exit(2)
    })
}

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

/// Name, hidden size, intermediate size and heads of the two models that figures are given for.
pub const MODELS: [(&str, usize, usize, usize); 2] =
    [("beto", 768, 3072, 12), ("es", 384, 1536, 12)];

/// Numbers between -1 and 1 without denormals.
#[must_use]
pub fn wave(len: usize) -> Vec<f32> {
    (0..len).map(|i| (i as f32 * 0.618).sin()).collect()
}

/// The middle value; the mean of the two middle ones of an even count, and 0 of none.
#[must_use]
pub fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    match (values.len(), values.len() % 2) {
        (0, _) => 0.0,
        (_, 1) => values[middle],
        _ => f64::midpoint(values[middle - 1], values[middle]),
    }
}
