//! What this machine can do at most, measured: the roofs that no kernel passes (Williams, Waterman
//! and Patterson, "Roofline", 2009).

use std::hint::black_box;
use std::time::Instant;

use nervio_simd::{Isa, Kernel, Simd, Tiles};

use crate::aligned::Aligned;
use crate::matmul::WeightKind;

/// Independent sums: enough to hide the latency of two multiply-adds a cycle.
const CHAINS: usize = 12;

/// Steps in one timed run.
const STEPS: usize = 200_000;

/// Multiply-adds without memory: the roof that no matmul can pass.
struct Chains {
    seed: f32,
}

impl Kernel for Chains {
    /// A number that depends on every operation, and how many there were.
    type Output = (f32, usize);
    #[inline(always)]
    fn run<S: Simd>(self, s: S) -> (f32, usize) {
        let factor = s.splat(self.seed);
        let mut sums = [s.splat(1.0); CHAINS];
        for _ in 0..STEPS {
            for sum in &mut sums {
                *sum = s.mul_add(*sum, factor, factor);
            }
        }
        let total = sums.into_iter().fold(s.splat(0.0), |a, b| s.add(a, b));
        (s.reduce_add(total), 2 * CHAINS * STEPS * S::LANES)
    }
}

/// Independent sums of products of bytes: fewer, since those take more registers.
const BYTE_CHAINS: usize = 10;

/// The same with products of bytes, summed in 32 bits.
struct ByteChains {
    quads: [[u8; 4]; 2],
}

impl Kernel for ByteChains {
    /// As that of [`Chains`].
    type Output = (f32, usize);
    #[inline(always)]
    fn run<S: Simd>(self, s: S) -> (f32, usize) {
        let factors = self.quads.map(|quad| s.splat_quad(quad));
        let mut sums = [s.splat_i32(1); BYTE_CHAINS];
        for _ in 0..STEPS {
            for sum in &mut sums {
                // By its own bytes: products of what does not change are computed once.
                *sum = s.dot_quad_pairs([*sum; 2], factors, *sum);
            }
        }
        let total = sums.map(|sum| s.int_to_f32(sum));
        let total = total.into_iter().fold(s.splat(0.0), |a, b| s.add(a, b));
        (s.reduce_add(total), 2 * 8 * BYTE_CHAINS * STEPS * S::LANES)
    }
}

/// Reads a part of a buffer once.
struct ReadAll<'a> {
    from: &'a [f32],
}

impl Kernel for ReadAll<'_> {
    /// As that of [`Chains`], with bytes.
    type Output = (f32, usize);
    #[inline(always)]
    fn run<S: Simd>(self, s: S) -> (f32, usize) {
        let mut sums = [s.splat(0.0); 4];
        for part in self.from.chunks_exact(4 * S::LANES) {
            for (sum, x) in sums.iter_mut().zip(part.chunks_exact(S::LANES)) {
                *sum = s.add(*sum, s.load(x));
            }
        }
        let total = sums.into_iter().fold(s.splat(0.0), |a, b| s.add(a, b));
        (s.reduce_add(total), size_of_val(self.from))
    }
}

/// Elements that [`read_bandwidth`] reads, 256 MB: more than the caches of most processors hold.
const READ_LEN: usize = 64 << 20;

/// The best f32 multiply-add rate of `runs` short runs on every thread of the current rayon pool
/// together, in GFLOPS (10⁹ floating-point operations a second).
#[must_use]
pub fn peak_gflops(isa: Isa, runs: usize) -> f64 {
    best_rate(runs, || isa.run_floats(Chains { seed: black_box(0.5) }))
}

/// The same of products of 8-bit integers with 32-bit sums; an addition and a multiplication count
/// as two.
#[must_use]
pub fn peak_int8_gops(isa: Isa, runs: usize) -> f64 {
    best_rate(runs, || match isa.tiles() {
        Some(tiles) => (0.0, tiles.spin_bytes(black_box(STEPS / 16))),
        None => isa.run(ByteChains { quads: black_box([[1, 0, 1, 0], [0, 1, 0, 1]]) }),
    })
}

/// The roof of the products of linear layers with weights of `kind`, in 10⁹ operations a second: that of
/// [`peak_int8_gops`] or [`peak_gflops`]; where tile registers multiply floats in pieces of
/// bfloat16, theirs, divided by the products that make one.
#[must_use]
pub fn peak_linear_gflops(isa: Isa, kind: WeightKind, runs: usize) -> f64 {
    let pieces = match kind {
        WeightKind::Int8 => return peak_int8_gops(isa, runs),
        WeightKind::F32 => 3,
        WeightKind::F16 => 2,
        WeightKind::BF16 => 1,
    };
    let Some(tiles) = isa.tiles() else { return peak_gflops(isa, runs) };
    let rounds = black_box(STEPS / 16);
    best_rate(runs, || (0.0, tiles.spin_pieces(rounds) / Tiles::piece_products(pieces)))
}

/// The best rate at which all threads of the current rayon pool together read memory that is in no
/// cache, in GB/s (10⁹ bytes a second).
#[must_use]
pub fn read_bandwidth(isa: Isa, runs: usize) -> f64 {
    let mut memory = Aligned::<f32>::new(READ_LEN);
    memory.as_mut_slice().fill(1.0);
    let part = READ_LEN / rayon::current_num_threads();
    let memory = memory.as_slice();
    best_rate(runs, || {
        let start = rayon::current_thread_index().unwrap_or(0) * part;
        isa.run_floats(ReadAll { from: black_box(&memory[start..start + part]) })
    })
}

/// The best of `runs` runs of `work` on every thread at once, which returns a number that depends on
/// all that it did and how much that was; in 10⁹ a second.
fn best_rate(runs: usize, work: impl Fn() -> (f32, usize) + Sync) -> f64 {
    let mut best = 0.0_f64;
    for _ in 0..runs {
        let start = Instant::now();
        let amounts = rayon::broadcast(|_| {
            let (number, amount) = work();
            black_box(number);
            amount
        });
        let total: usize = amounts.into_iter().sum();
        best = best.max(total as f64 / start.elapsed().as_secs_f64() / 1e9);
    }
    best
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_roof_is_a_rate() {
        for isa in Isa::supported() {
            let kinds = [WeightKind::F32, WeightKind::F16, WeightKind::BF16, WeightKind::Int8];
            let mut rates = kinds.map(|kind| peak_linear_gflops(isa, kind, 1)).to_vec();
            rates.extend([peak_gflops(isa, 1), peak_int8_gops(isa, 1), read_bandwidth(isa, 1)]);
            for rate in rates {
                assert!(rate.is_finite() && rate > 0.0, "{isa}: {rate}");
            }
        }
    }
}
