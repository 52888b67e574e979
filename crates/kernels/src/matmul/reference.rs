//! The product as three loops: what the fast path is tested against.

use super::Epilogue;

/// `out = epilogue(left · weightsᵀ)` in double precision; `left` `[m, k]`, `weights` `[n, k]`.
pub fn matmul_reference(
    left: &[f32],
    weights: &[f32],
    k: usize,
    epilogue: &Epilogue<'_>,
    out: &mut [f32],
) {
    let n = weights.len() / k;
    for (row, out) in out.chunks_mut(n).enumerate() {
        let a = &left[row * k..][..k];
        for (column, out) in out.iter_mut().enumerate() {
            let w = &weights[column * k..][..k];
            let mut sum: f64 = a.iter().zip(w).map(|(a, w)| f64::from(*a) * f64::from(*w)).sum();
            sum += epilogue.bias().map_or(0.0, |bias| f64::from(bias[column]));
            sum += epilogue.residual().map_or(0.0, |r| f64::from(r[row * n + column]));
            *out = epilogue.activation().map_or(sum, |f| f.scalar(sum)) as f32;
        }
    }
}
