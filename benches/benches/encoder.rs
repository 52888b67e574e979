//! The embedded model from text to entities, and its encoder alone.
#![allow(missing_docs, reason = "criterion's macros make undocumented functions")]

use std::hint::black_box;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use nervio::{Document, Recognizer};

const SENTENCE: &str = "La multinacional española Telefónica anunció ayer en Madrid que su \
    presidente, César Alierta, viajará el lunes a São Paulo para reunirse con la ONU.";

/// The variable that names a text to be tokenised.
const TEXT: &str = "NERVIO_BENCH_TEXT";

fn bench_recognize(c: &mut Criterion) {
    let recognizer = match Recognizer::builder().build() {
        Ok(recognizer) => recognizer,
        Err(error) => return println!("skipped: {error}"),
    };
    let mut group = c.benchmark_group("recognize");
    for count in [1, 64] {
        let documents = vec![Document::new(SENTENCE); count];
        group.throughput(Throughput::Bytes((count * SENTENCE.len()) as u64));
        group.bench_function(BenchmarkId::from_parameter(count), |b| {
            b.iter(|| black_box(recognizer.recognize_batch(&documents)));
        });
    }
    group.finish();
    let mut group = c.benchmark_group("tokenize");
    group.throughput(Throughput::Bytes(SENTENCE.len() as u64));
    group.bench_function("sentence", |b| {
        b.iter(|| black_box(recognizer.tokenizer().encode(SENTENCE)));
    });
    // A file of one's own, line by line on one thread.
    if let Ok(path) = std::env::var(TEXT) {
        let text = match std::fs::read_to_string(&path) {
            Ok(text) => text,
            Err(error) => return println!("skipped: {path}: {error}"),
        };
        group.throughput(Throughput::Bytes(text.len() as u64)).sample_size(10);
        group.bench_function("file", |b| {
            b.iter(|| {
                for line in text.lines() {
                    black_box(recognizer.tokenizer().encode(line));
                }
            });
        });
    }
    group.finish();
}

criterion_group!(benches, bench_recognize);
criterion_main!(benches);
