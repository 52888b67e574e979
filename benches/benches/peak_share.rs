//! Share of the multiply-add peak that every product of the two models reaches.
//!
//! Each sample of a product stands between two samples of the peak, so a machine whose speed drifts
//! is unfair to neither; the share is the median of the ratios. Prints a Markdown table.
//!
//! `cargo bench -p nervio-benches --bench peak_share -- [f32|f16|int8] [ROWS,ROWS...]`; `NERVIO_ISA` says on which
//! instruction set.

use std::time::{Duration, Instant};

use half::f16;
use nervio_benches::{MODELS, isa, layer_products, median, wave};
use nervio_kernels::{
    Epilogue, PackedMatrix, Workspace, keep_awake, matmul, peak_gflops, peak_int8_gops,
};
use nervio_simd::Isa;
use rayon::ThreadPoolBuilder;

/// Samples of each product.
const SAMPLES: usize = 31;

/// A sample repeats the product until it has taken about this long.
const SAMPLE: Duration = Duration::from_millis(8);

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|x| !x.starts_with('-')).collect();
    let dtype = arguments.first().map_or("f32", String::as_str);
    let rows: Vec<usize> = arguments
        .get(1)
        .map_or("16,128,512,2048", String::as_str)
        .split(',')
        .filter_map(|rows| rows.parse().ok())
        .collect();
    let all = std::thread::available_parallelism().map_or(1, usize::from);
    println!("| model, {dtype} | product | m x n x k | threads | GFLOPS | share of peak |");
    println!("| --- | --- | --- | --- | --- | --- |");
    for threads in if all == 1 { vec![1] } else { vec![1, all] } {
        let Ok(pool) = ThreadPoolBuilder::new().num_threads(threads).build() else {
            eprintln!("no pool of {threads} threads could be started");
            continue;
        };
        for (model, hidden, intermediate, _) in MODELS {
            for rows in &rows {
                for (name, m, n, k) in layer_products(*rows, hidden, intermediate) {
                    let (gflops, share) = pool.install(|| keep_awake(|| measure(dtype, m, n, k)));
                    let share = share * 100.0;
                    println!(
                        "| {model} | {name} | {m} x {n} x {k} | {threads} | {gflops:.1} | {share:.1} % |"
                    );
                }
            }
        }
    }
}

/// Median GFLOPS of one product, and the median of its shares of the peak beside it.
fn measure(dtype: &str, m: usize, n: usize, k: usize) -> (f64, f64) {
    let isa = isa();
    let (left, bias, row) = (wave(m * k), wave(n), wave(k));
    let weights = pack(isa, dtype, n, k, &row);
    let (mut out, workspace) = (vec![0.0; m * n], Workspace::new());
    let mut product = || matmul(isa, &workspace, &left, &weights, &Epilogue::Bias(&bias), &mut out);
    product();
    let start = Instant::now();
    product();
    let repeats = (SAMPLE.as_secs_f64() / start.elapsed().as_secs_f64()).ceil().max(1.0);
    let operations = 2.0 * (m * n * k) as f64 * repeats / 1e9;
    let (mut rates, mut shares) = (Vec::new(), Vec::new());
    // 8-bit products have a peak of their own.
    let peak = if dtype == "int8" { peak_int8_gops } else { peak_gflops };
    let mut before = peak(isa, 1);
    for _ in 0..SAMPLES {
        let start = Instant::now();
        for _ in 0..repeats as usize {
            product();
        }
        let rate = operations / start.elapsed().as_secs_f64();
        let after = peak(isa, 1);
        rates.push(rate);
        shares.push(rate / f64::midpoint(before, after));
        before = after;
    }
    (median(rates), median(shares))
}

fn pack(isa: Isa, dtype: &str, n: usize, k: usize, row: &[f32]) -> PackedMatrix {
    match dtype {
        "f16" => {
            let row: Vec<f16> = row.iter().map(|x| f16::from_f32(*x)).collect();
            PackedMatrix::pack(isa, n, k, |_, out: &mut [f16]| out.copy_from_slice(&row), vec![])
        }
        "int8" => {
            let row: Vec<i8> = row.iter().map(|x| (x * 127.0) as i8).collect();
            let fill = |_: usize, out: &mut [i8]| out.copy_from_slice(&row);
            PackedMatrix::pack(isa, n, k, fill, vec![1.0 / 127.0; n])
        }
        _ => PackedMatrix::pack(isa, n, k, |_, out: &mut [f32]| out.copy_from_slice(row), vec![]),
    }
}
