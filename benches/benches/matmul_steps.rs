//! The matrix product from the plain loop to the kernel, one step at a time: what each step gains.
//!
//! The steps take turns with the measured multiply-add peak, so a machine whose speed drifts is
//! unfair to none; every step's result is compared with the plain loop's. `docs/performance.md`
//! explains them. Prints a Markdown table.
//!
//! `cargo bench -p nervio-benches --bench matmul_steps -- [ROWS]`

use std::time::Instant;

use nervio_benches::{isa, median, wave};
use nervio_kernels::{
    Epilogue, PackedMatrix, Workspace, keep_awake, matmul, matmul_reference, peak_gflops,
};
use nervio_simd::{Isa, Kernel, Simd};
use rayon::ThreadPoolBuilder;

/// Turns of each step.
const TURNS: usize = 15;

/// Outputs and inputs: the wide layer of a base-sized model.
const N: usize = 3072;
const K: usize = 768;

/// The register tile of the steps below, as that of the kernel.
const ROWS: usize = 6;

fn main() {
    let rows = std::env::args().skip(1).find_map(|x| x.parse().ok()).unwrap_or(128);
    let isa = isa();
    let (a, w) = (wave(rows * K), wave(N * K));
    let mut expected = vec![0.0; rows * N];
    matmul_reference(&a, &w, K, &Epilogue::None, &mut expected);
    let packed = PackedMatrix::pack(
        isa,
        N,
        K,
        |row, out: &mut [f32]| out.copy_from_slice(&w[row * K..][..K]),
        vec![],
    );
    let panels = pack_panels(&w, isa.panel_width());
    println!("{rows} x {N} x {K}, f32, {isa}, medians of {TURNS} turns\n");
    println!("| step | threads | GFLOPS | share of peak |");
    println!("| --- | --- | --- | --- |");
    for threads in [1, std::thread::available_parallelism().map_or(1, usize::from)] {
        let Ok(pool) = ThreadPoolBuilder::new().num_threads(threads).build() else { continue };
        let workspace = Workspace::new();
        let mut kernel = |out: &mut [f32]| {
            matmul(isa, &workspace, &a, &packed, &Epilogue::None, out);
        };
        let mut plain = |out: &mut [f32]| plain(&a, &w, out);
        let mut dots = |out: &mut [f32]| isa.run(Dots { a: &a, w: &w, out });
        let mut dot_tile = |out: &mut [f32]| isa.run(DotTile { a: &a, w: &w, out });
        let mut outer = |out: &mut [f32]| isa.run(OuterTile { a: &a, panels: &panels, out });
        let all: [(&str, &mut Step<'_>); 5] = [
            ("three loops", &mut plain),
            ("a vector for each sum", &mut dots),
            ("a tile of sums, weights as they lie", &mut dot_tile),
            ("a tile of columns, weights in panels", &mut outer),
            ("the kernel: blocks, both sides packed, prefetch", &mut kernel),
        ];
        // More threads are a matter of the kernel alone.
        let first = if threads == 1 { 0 } else { all.len() - 1 };
        pool.install(|| keep_awake(|| time(isa, &mut all.into_iter().skip(first), &expected)));
        if threads == 1 && std::thread::available_parallelism().is_ok_and(|all| all.get() == 1) {
            break;
        }
    }
}

/// Computes `[rows, N]`.
type Step<'a> = dyn FnMut(&mut [f32]) + Send + 'a;

/// Times the steps in turns and prints a line for each.
fn time<'a>(
    isa: Isa,
    steps: &mut dyn Iterator<Item = (&'a str, &'a mut Step<'a>)>,
    expected: &[f32],
) {
    let mut steps: Vec<_> = steps.map(|(name, step)| (name, step, Vec::new())).collect();
    let mut out = vec![0.0; expected.len()];
    let operations = 2.0 * (expected.len() * K) as f64 / 1e9;
    for turn in 0..=TURNS {
        for (name, step, rates) in &mut steps {
            let before = peak_gflops(isa, 1);
            let start = Instant::now();
            step(&mut out);
            let rate = operations / start.elapsed().as_secs_f64();
            let after = peak_gflops(isa, 1);
            let error = out.iter().zip(expected).map(|(x, y)| (x - y).abs()).fold(0.0, f32::max);
            assert!(error < 1e-3, "{name}: off by {error}");
            if turn > 0 {
                rates.push((rate, rate / f64::midpoint(before, after)));
            }
        }
    }
    for (name, _, rates) in steps {
        let (gflops, shares) = rates.into_iter().unzip();
        let (gflops, share): (f64, f64) = (median(gflops), 100.0 * median(shares));
        let threads = rayon::current_num_threads();
        println!("| {name} | {threads} | {gflops:.1} | {share:.1} % |");
    }
}

/// Step 1: each sum by itself, one multiply-add after the other.
fn plain(a: &[f32], w: &[f32], out: &mut [f32]) {
    for (a, out) in a.chunks(K).zip(out.chunks_mut(N)) {
        for (w, out) in w.chunks(K).zip(out) {
            *out = a.iter().zip(w).map(|(a, w)| a * w).sum();
        }
    }
}

/// Step 2: eight steps of a sum at once (of 8 lanes), added up at the end.
struct Dots<'a> {
    a: &'a [f32],
    w: &'a [f32],
    out: &'a mut [f32],
}

impl Kernel for Dots<'_> {
    type Output = ();
    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        for (a, out) in self.a.chunks(K).zip(self.out.chunks_mut(N)) {
            for (w, out) in self.w.chunks(K).zip(out) {
                let mut sum = s.splat(0.0);
                for (a, w) in a.chunks_exact(S::LANES).zip(w.chunks_exact(S::LANES)) {
                    sum = s.mul_add(s.load(a), s.load(w), sum);
                }
                *out = s.reduce_add(sum);
            }
        }
    }
}

/// Step 3: three rows and four columns at a time, so that each vector is loaded for several sums and
/// twelve of them hide the latency of a multiply-add. Weights are read where they lie.
struct DotTile<'a> {
    a: &'a [f32],
    w: &'a [f32],
    out: &'a mut [f32],
}

impl Kernel for DotTile<'_> {
    type Output = ();
    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        let rows = self.a.len() / K;
        for column in (0..N).step_by(4) {
            let w: [&[f32]; 4] = std::array::from_fn(|c| &self.w[(column + c) * K..][..K]);
            for row in (0..rows).step_by(3) {
                // The last rows are computed again where three do not divide them.
                let row = row.min(rows.saturating_sub(3));
                let a: [&[f32]; 3] = std::array::from_fn(|r| &self.a[(row + r) * K..][..K]);
                let mut sums = [[s.splat(0.0); 4]; 3];
                for k in (0..K).step_by(S::LANES) {
                    let w = w.map(|w| s.load(&w[k..]));
                    for (sums, a) in sums.iter_mut().zip(&a) {
                        let a = s.load(&a[k..]);
                        for (sum, w) in sums.iter_mut().zip(&w) {
                            *sum = s.mul_add(a, *w, *sum);
                        }
                    }
                }
                for (r, sums) in sums.iter().enumerate() {
                    let out = &mut self.out[(row + r) * N + column..][..4];
                    for (out, sum) in out.iter_mut().zip(sums) {
                        *out = s.reduce_add(*sum);
                    }
                }
            }
        }
    }
}

/// Step 4: a lane for each column: weights in panels `[K][width]`, one number of `a` for all lanes,
/// nothing to add up at the end. All of k at once, `a` read where it lies.
struct OuterTile<'a> {
    a: &'a [f32],
    panels: &'a [f32],
    out: &'a mut [f32],
}

impl Kernel for OuterTile<'_> {
    type Output = ();
    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        match S::TILE_VECTORS {
            1 => self.tiles::<S, 1>(s),
            4 => self.tiles::<S, 4>(s),
            _ => self.tiles::<S, 2>(s),
        }
    }
}

impl OuterTile<'_> {
    #[inline(always)]
    fn tiles<S: Simd, const V: usize>(self, s: S) {
        let (rows, width) = (self.a.len() / K, V * S::LANES);
        for (panel, right) in self.panels.chunks(K * width).enumerate() {
            for row in (0..rows).step_by(ROWS) {
                let row = row.min(rows.saturating_sub(ROWS));
                let a: [&[f32]; ROWS] = std::array::from_fn(|r| &self.a[(row + r) * K..][..K]);
                let mut sums = [[s.splat(0.0); V]; ROWS];
                for (k, right) in right.chunks_exact(width).enumerate() {
                    let mut weights = [s.splat(0.0); V];
                    for (v, weight) in weights.iter_mut().enumerate() {
                        *weight = s.load(&right[v * S::LANES..]);
                    }
                    for (sums, a) in sums.iter_mut().zip(&a) {
                        let a = s.splat(a[k]);
                        for (sum, weight) in sums.iter_mut().zip(&weights) {
                            *sum = s.mul_add(a, *weight, *sum);
                        }
                    }
                }
                for (r, sums) in sums.iter().enumerate() {
                    let out = &mut self.out[(row + r) * N + panel * width..][..width];
                    for (v, sum) in sums.iter().enumerate() {
                        s.store(*sum, &mut out[v * S::LANES..]);
                    }
                }
            }
        }
    }
}

/// Weights `[N, K]` as panels `[N / width][K][width]`; every width divides [`N`].
fn pack_panels(w: &[f32], width: usize) -> Vec<f32> {
    let mut out = vec![0.0; w.len()];
    for (row, values) in w.chunks(K).enumerate() {
        let panel = &mut out[row / width * width * K..][..width * K];
        for (k, value) in values.iter().enumerate() {
            panel[k * width + row % width] = *value;
        }
    }
    out
}
