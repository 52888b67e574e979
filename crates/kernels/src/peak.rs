//! What this machine can do at most, measured: the yardstick for every kernel.

use std::hint::black_box;
use std::time::Instant;

use nervio_simd::{Isa, Kernel, Simd};

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

/// The best f32 multiply-add rate of `runs` short runs on every thread of the current rayon pool
/// together, in GFLOPS (10⁹ floating-point operations a second).
#[must_use]
pub fn peak_gflops(isa: Isa, runs: usize) -> f64 {
    let threads = rayon::current_num_threads();
    let mut best = 0.0_f64;
    for _ in 0..runs {
        let start = Instant::now();
        let operations: usize = rayon::broadcast(|_| {
            let (number, operations) = isa.run(Chains { seed: black_box(0.5) });
            black_box(number);
            operations
        })
        .into_iter()
        .sum();
        debug_assert!(operations >= threads, "every thread ran");
        best = best.max(operations as f64 / start.elapsed().as_secs_f64() / 1e9);
    }
    best
}
