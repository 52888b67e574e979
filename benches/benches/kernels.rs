//! Each kernel at the shapes of the two models, on one thread and on all.
//!
//! Criterion's throughput counts floating-point operations: its "Gelem/s" are GFLOPS. The machine's
//! own multiply-add peak is printed first, as the yardstick.
#![allow(missing_docs, reason = "criterion's macros make undocumented functions")]

use std::hint::black_box;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use nervio_benches::{MODELS, isa, layer_products, wave};
use nervio_kernels::{
    Activation, AttentionNumbers, AttentionShape, Epilogue, FeedForward, Norm, PackedMatrix,
    SelfAttention, Workspace, alone, attention, feed_forward, layer_norm, matmul, peak_gflops,
    self_attention,
};
use rayon::{ThreadPool, ThreadPoolBuilder};

/// One thread, and as many as this machine has.
fn pools() -> Vec<ThreadPool> {
    let all = std::thread::available_parallelism().map_or(1, usize::from);
    let counts = if all == 1 { vec![1] } else { vec![1, all] };
    let build = |threads: usize| ThreadPoolBuilder::new().num_threads(threads).build();
    counts.into_iter().filter_map(|threads| build(threads).ok()).collect()
}

fn peak(_: &mut Criterion) {
    let isa = isa();
    for pool in pools() {
        let gflops = pool.install(|| peak_gflops(isa, 50));
        println!("{isa}, {} threads: peak {gflops:.1} GFLOPS", pool.current_num_threads());
    }
}

fn bench_matmul(c: &mut Criterion) {
    let isa = isa();
    for pool in pools() {
        let mut group = c.benchmark_group(format!("matmul/{}", pool.current_num_threads()));
        for (model, hidden, intermediate, _) in MODELS {
            for tokens in [16, 128, 512, 2048] {
                for (product, m, n, k) in layer_products(tokens, hidden, intermediate) {
                    let (left, bias) = (wave(m * k), wave(n));
                    let row = wave(k);
                    let fill = |_: usize, out: &mut [f32]| out.copy_from_slice(&row);
                    let weights = PackedMatrix::pack(isa, n, k, fill, Vec::new());
                    let mut out = vec![0.0; m * n];
                    let workspace = Workspace::new();
                    group.throughput(Throughput::Elements(2 * (m * n * k) as u64));
                    let id = BenchmarkId::new(format!("{model}/{product}"), tokens);
                    group.bench_function(id, |b| {
                        b.iter(|| {
                            let epilogue = Epilogue::Bias(&bias);
                            pool.install(|| {
                                matmul(isa, &workspace, &left, &weights, &epilogue, &mut out);
                            });
                            black_box(&out);
                        });
                    });
                }
            }
        }
        group.finish();
    }
}

fn bench_epilogue(c: &mut Criterion) {
    let isa = isa();
    let (m, n, k) = (128, 3072, 768);
    let (left, bias) = (wave(m * k), wave(n));
    let fill = |_: usize, out: &mut [f32]| out.fill(0.01);
    let weights = PackedMatrix::pack(isa, n, k, fill, Vec::new());
    let mut group = c.benchmark_group("epilogue/128x3072x768");
    group.throughput(Throughput::Elements(2 * (m * n * k) as u64));
    for activation in ["none", "gelu", "gelu_new", "quick_gelu", "silu", "tanh", "mish", "relu"] {
        let epilogue = match activation.parse::<Activation>() {
            Ok(function) => Epilogue::BiasActivation(&bias, function),
            Err(_) => Epilogue::Bias(&bias),
        };
        let mut out = vec![0.0; m * n];
        let workspace = Workspace::new();
        group.bench_function(activation, |b| {
            b.iter(|| matmul(isa, &workspace, &left, &weights, &epilogue, &mut out));
        });
    }
    group.finish();
}

fn bench_attention(c: &mut Criterion) {
    let isa = isa();
    let mut group = c.benchmark_group("attention");
    for (model, hidden, _, heads) in MODELS {
        let numbers = [(AttentionNumbers::F32, "f32"), (AttentionNumbers::Int16, "int16")];
        for (tokens, (numbers, name)) in
            [16, 128, 512].into_iter().flat_map(|tokens| numbers.map(|numbers| (tokens, numbers)))
        {
            let shape = AttentionShape { heads, head_dim: hidden / heads };
            let qkv = wave(tokens * 3 * hidden);
            let mut out = vec![0.0; tokens * hidden];
            let workspace = Workspace::new();
            group.throughput(Throughput::Elements(4 * (tokens * tokens * hidden) as u64));
            group.bench_function(BenchmarkId::new(format!("{model}_{name}"), tokens), |b| {
                b.iter(|| {
                    attention(isa, &workspace, shape, numbers, &qkv, &[tokens], &mut out);
                });
            });
        }
    }
    group.finish();
}

/// From hidden states to what is gathered from the values, by a thread that works alone.
fn bench_self_attention(c: &mut Criterion) {
    let isa = isa();
    let mut group = c.benchmark_group("self_attention");
    for (model, hidden, _, heads) in MODELS {
        for tokens in [16, 128] {
            let x = wave(tokens * hidden);
            let (rows, bias) = (wave(3 * hidden * hidden), wave(3 * hidden));
            let fill = |row: usize, out: &mut [f32]| {
                out.copy_from_slice(&rows[row * hidden..][..hidden]);
            };
            let weights = PackedMatrix::pack(isa, 3 * hidden, hidden, fill, Vec::new());
            let shape = AttentionShape { heads, head_dim: hidden / heads };
            let numbers = AttentionNumbers::F32;
            let block = SelfAttention { weights: &weights, bias: &bias, shape, numbers };
            let (mut out, mut room) = (vec![0.0; tokens * hidden], vec![0.0; tokens * 3 * hidden]);
            let (workspace, ends) = (Workspace::new(), [tokens]);
            let work = (6 * hidden + 4 * tokens) * tokens * hidden;
            group.throughput(Throughput::Elements(work as u64));
            group.bench_function(BenchmarkId::new(model, tokens), |b| {
                b.iter(|| {
                    let (both, room) = ((&x[..], &mut out[..]), &mut room);
                    alone(|| {
                        self_attention(isa, &workspace, &block, both, &ends, room, &mut |_| ());
                    });
                });
            });
        }
    }
    group.finish();
}

fn bench_layer_norm(c: &mut Criterion) {
    let isa = isa();
    let mut group = c.benchmark_group("layer_norm");
    for (model, hidden, ..) in MODELS {
        let (weight, bias) = (wave(hidden), wave(hidden));
        let mut x = wave(128 * hidden);
        group.throughput(Throughput::Bytes((8 * x.len()) as u64));
        let norm = Norm { weight: &weight, bias: &bias, eps: 1e-12 };
        group.bench_function(model, |b| b.iter(|| layer_norm(isa, &mut x, &norm)));
    }
    group.finish();
}

/// A feed-forward block as one kernel, and its products and layer norm one by one.
fn bench_feed_forward(c: &mut Criterion) {
    let isa = isa();
    for pool in pools() {
        let mut group = c.benchmark_group(format!("feed_forward/{}", pool.current_num_threads()));
        for (model, hidden, depth, _) in MODELS {
            let (row, biases) = (wave(depth), [wave(depth), wave(hidden)]);
            let pack = |n, k| {
                let fill = |_: usize, out: &mut [f32]| out.copy_from_slice(&row[..k]);
                PackedMatrix::pack(isa, n, k, fill, Vec::new())
            };
            let (first, second) = (pack(depth, hidden), pack(hidden, depth));
            let block = FeedForward {
                intermediate: &first,
                intermediate_bias: &biases[0],
                activation: Activation::Gelu,
                output: &second,
                output_bias: &biases[1],
                norm: Norm { weight: &row[..hidden], bias: &biases[1], eps: 1e-12 },
            };
            for tokens in [16, 128, 512] {
                let (x, mut out) = (wave(tokens * hidden), vec![0.0; tokens * hidden]);
                let (mut room, workspace) = (vec![0.0; tokens * depth], Workspace::new());
                group.throughput(Throughput::Elements(4 * (tokens * hidden * depth) as u64));
                group.bench_function(BenchmarkId::new(model, tokens), |b| {
                    let mut run = || {
                        let both = (&x[..], &mut out[..]);
                        feed_forward(isa, &workspace, &block, both, &mut room, &|_| ());
                    };
                    b.iter(|| pool.install(&mut run));
                });
                group.bench_function(
                    BenchmarkId::new(format!("{model}/one_by_one"), tokens),
                    |b| {
                        let mut run = || {
                            let epilogue = Epilogue::BiasActivation(&biases[0], Activation::Gelu);
                            matmul(isa, &workspace, &x, &first, &epilogue, &mut room);
                            let epilogue = Epilogue::BiasResidual(&biases[1], &x);
                            matmul(isa, &workspace, &room, &second, &epilogue, &mut out);
                            layer_norm(isa, &mut out, &block.norm);
                        };
                        b.iter(|| pool.install(&mut run));
                    },
                );
            }
        }
        group.finish();
    }
}

criterion_group!(
    benches,
    peak,
    bench_matmul,
    bench_epilogue,
    bench_attention,
    bench_self_attention,
    bench_layer_norm,
    bench_feed_forward
);
criterion_main!(benches);
