//! Layer normalisation (Ba, Kiros and Hinton, arXiv 1607.06450).

use nervio_simd::{Isa, Kernel, MatMut, Simd};

use crate::parallel::{Cut, RowBorders, for_each_block, threads};

/// Time for an element in that of a multiply-add, for the decision whether threads pay.
const COST: usize = 24;

/// Sums that run side by side, so that an addition need not wait for the one before.
const SUMS: usize = 4;

/// `x = (x - mean(x)) / √(var(x) + eps) * weight + bias` for each row of `x` `[rows, hidden]`.
///
/// Two passes: the variance is of the differences from the mean, which loses no digits to
/// cancellation.
///
/// # Panics
///
/// When the lengths disagree.
pub fn layer_norm(isa: Isa, x: &mut [f32], norm: &Norm<'_>) {
    let hidden = norm.weight.len();
    assert_eq!(hidden, norm.bias.len(), "layer norm: as many biases as weights");
    // One piece for each thread: the rows that the products beside it leave in its caches.
    let pieces = threads();
    let cut = Cut { rows: RowBorders::All, column_step: hidden.max(1), cost: COST, pieces };
    for_each_block(MatMut::new(x, hidden), &cut, &|block| {
        norm.rows(isa, block.out);
    });
}

/// The parameters of a layer norm.
#[derive(Clone, Copy, Debug)]
pub struct Norm<'a> {
    /// `[hidden]`
    pub weight: &'a [f32],
    /// `[hidden]`
    pub bias: &'a [f32],
    /// What is added to the variance.
    pub eps: f32,
}

impl Norm<'_> {
    /// [`layer_norm`] of some rows on this thread.
    pub(crate) fn rows(&self, isa: Isa, rows: MatMut<'_>) {
        isa.run_floats(Rows { rows, norm: *self });
    }
}

struct Rows<'a> {
    rows: MatMut<'a>,
    norm: Norm<'a>,
}

impl Kernel for Rows<'_> {
    type Output = ();
    #[inline(always)]
    fn run<S: Simd>(mut self, s: S) {
        for row in 0..self.rows.rows() {
            normalise(s, self.rows.row(row), &self.norm);
        }
    }
}

#[inline(always)]
fn normalise<S: Simd>(s: S, row: &mut [f32], norm: &Norm<'_>) {
    let Norm { weight, bias, eps } = *norm;
    let whole = row.len() / (SUMS * S::LANES) * SUMS * S::LANES;
    let inverse_len = 1.0 / row.len() as f32;
    let mut sums = [s.splat(0.0); SUMS];
    for chunk in row[..whole].chunks_exact(SUMS * S::LANES) {
        for (sum, chunk) in sums.iter_mut().zip(chunk.chunks_exact(S::LANES)) {
            *sum = s.add(*sum, s.load(chunk));
        }
    }
    let mean = (reduce(s, sums) + row[whole..].iter().sum::<f32>()) * inverse_len;
    let means = s.splat(mean);
    let mut squares = [s.splat(0.0); SUMS];
    for chunk in row[..whole].chunks_exact(SUMS * S::LANES) {
        for (square, chunk) in squares.iter_mut().zip(chunk.chunks_exact(S::LANES)) {
            let difference = s.sub(s.load(chunk), means);
            *square = s.mul_add(difference, difference, *square);
        }
    }
    let rest: f32 = row[whole..].iter().map(|x| (x - mean) * (x - mean)).sum();
    let variance = (reduce(s, squares) + rest) * inverse_len;
    let scale = s.splat(1.0 / (variance + eps).sqrt());
    let whole = row.len() / S::LANES * S::LANES;
    let (chunks, rest) = row.split_at_mut(whole);
    let parameters = weight.chunks_exact(S::LANES).zip(bias.chunks_exact(S::LANES));
    for (chunk, (weight, bias)) in chunks.chunks_exact_mut(S::LANES).zip(parameters) {
        let normal = s.mul(s.sub(s.load(chunk), means), scale);
        s.store(s.mul_add(normal, s.load(weight), s.load(bias)), chunk);
    }
    let normal = s.mul(s.sub(s.load_partial(rest), means), scale);
    let (weight, bias) = (s.load_partial(&weight[whole..]), s.load_partial(&bias[whole..]));
    s.store_partial(s.mul_add(normal, weight, bias), rest);
}

/// The sum of all lanes of all sums.
#[inline(always)]
fn reduce<S: Simd>(s: S, [a, b, c, d]: [S::Vector; SUMS]) -> f32 {
    s.reduce_add(s.add(s.add(a, b), s.add(c, d)))
}

/// The scalar reference of [`layer_norm`], in double precision.
pub fn layer_norm_reference(x: &mut [f32], weight: &[f32], bias: &[f32], eps: f32) {
    for row in x.chunks_mut(weight.len()) {
        let len = row.len() as f64;
        let mean = row.iter().map(|x| f64::from(*x)).sum::<f64>() / len;
        let variance = row.iter().map(|x| (f64::from(*x) - mean).powi(2)).sum::<f64>() / len;
        let scale = 1.0 / (variance + f64::from(eps)).sqrt();
        for ((x, weight), bias) in row.iter_mut().zip(weight).zip(bias) {
            let normal = (f64::from(*x) - mean) * scale;
            *x = (normal * f64::from(*weight) + f64::from(*bias)) as f32;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn agrees_with_the_reference_at_every_width() {
        for isa in Isa::supported() {
            for hidden in (1..40).chain([312, 768]) {
                let value = |i: usize| ((i * 2_654_435) % 1000) as f32 * 0.004 - 1.7;
                let x: Vec<f32> = (0..5 * hidden).map(|i| value(i) + 20.0).collect();
                let weight: Vec<f32> = (0..hidden).map(|i| 1.0 + 0.1 * value(i + 3)).collect();
                let bias: Vec<f32> = (0..hidden).map(|i| 0.1 * value(i + 7)).collect();
                let (mut fast, mut slow) = (x.clone(), x);
                let norm = Norm { weight: &weight, bias: &bias, eps: 1e-12 };
                layer_norm(isa, &mut fast, &norm);
                layer_norm_reference(&mut slow, &weight, &bias, 1e-12);
                for (a, b) in fast.iter().zip(&slow) {
                    assert!((a - b).abs() < 2e-5, "{isa} hidden {hidden}: {a} and {b}");
                }
            }
        }
    }

    #[test]
    fn a_constant_row_becomes_the_bias() {
        for isa in Isa::supported() {
            let mut x = vec![3.0; 20];
            let norm = Norm { weight: &[2.0; 20], bias: &[0.5; 20], eps: 1e-12 };
            layer_norm(isa, &mut x, &norm);
            assert_eq!(x, vec![0.5; 20]);
        }
    }
}
