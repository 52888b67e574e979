//! The innermost loops of products by tile registers (AMX) alone, of floats and of bytes: one thread, no
//! blocks, no epilogue; weights from the second-level cache or from memory.
//!
//! An element of the throughput is a step: 32 rows (or fewer) by 32 columns, 32 deep (bytes: 64), so its inverse
//! is the time of one. Bytes are multiplied with all steps of a panel at once and some at a time. Prints nothing
//! where there are no such registers.
//!
//! `cargo bench -p nervio-benches --bench tile_steps`

use criterion::{Bencher, BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use half::bf16;
use nervio_benches::wave;
use nervio_kernels::Aligned;
use nervio_simd::{Ahead, Floats, Isa, Ring, Tiles};

/// Rows and depth of the products.
const SHAPES: [(usize, usize); 6] =
    [(16, 768), (16, 3072), (32, 768), (32, 3072), (64, 768), (128, 768)];

/// Rows up to which lines are asked for a little ahead, as the kernel does.
const FEW_ROWS: usize = 32;

/// Elements that stay in the second-level cache, and those that do not: a model of BETO's shape.
const PLACES: [(&str, usize); 2] = [("L2", 4 * 768 * 32), ("memory", 12 * 9 * 768 * 768)];

fn steps(criterion: &mut Criterion) {
    let Some(tiles) = Isa::best().tiles() else { return };
    let mut weights =
        Aligned::<f32>::new(PLACES.map(|(_, len)| len).into_iter().max().unwrap_or(0));
    let values = wave(1021);
    // Copied in turns of a prime length, so that no two panels are alike.
    weights.as_mut_slice().chunks_mut(values.len()).for_each(|chunk| {
        chunk.copy_from_slice(&values[..chunk.len()]);
    });
    let mut group = criterion.benchmark_group("tile_steps");
    for (rows, depth) in SHAPES {
        let left = split(tiles, rows, depth);
        group.throughput(Throughput::Elements((rows.div_ceil(32) * depth / 32) as u64));
        for (place, len) in PLACES {
            let weights = &weights.as_slice()[..len];
            let id = BenchmarkId::new(place, format!("{rows} rows of {depth}"));
            group.bench_function(id, |bencher| {
                walk(bencher, tiles, (left.as_slice(), rows), weights, depth);
            });
        }
    }
}

/// Rows in pieces.
fn split(tiles: Tiles, rows: usize, depth: usize) -> Aligned<bf16> {
    let mut pieces = Aligned::new(Tiles::left_len(rows, depth));
    let blocks = pieces.as_mut_slice().chunks_mut(Tiles::left_len(Tiles::ROWS, depth));
    for (left, out) in wave(rows * depth).chunks(Tiles::ROWS * depth).zip(blocks) {
        tiles.split_rows((left, depth), 0..depth, out);
    }
    pieces
}

/// Rows and depth of the products of bytes.
const BYTE_SHAPES: [(usize, usize); 5] =
    [(32, 3072), (64, 3072), (128, 768), (128, 1536), (128, 3072)];

/// Steps at a time; the last is all of them.
const CUTS: [usize; 3] = [384, 512, 3072];

fn byte_steps(criterion: &mut Criterion) {
    let Some(tiles) = Isa::best().tiles() else { return };
    let len = PLACES.map(|(_, len)| len).into_iter().max().unwrap_or(0);
    let mut weights = Aligned::<i8>::new(len);
    let weights: &mut [i8] = weights.as_mut_slice();
    for (weight, x) in weights.iter_mut().zip((0_u32..).map(|i| i.wrapping_mul(0x9e37_79b9))) {
        *weight = (x >> 24) as i8;
    }
    let mut group = criterion.benchmark_group("tile_steps_bytes");
    for (rows, depth) in BYTE_SHAPES {
        let mut left = Aligned::<u8>::new(rows * depth);
        let left: &mut [u8] = left.as_mut_slice();
        for (byte, x) in left.iter_mut().zip((0_u32..).map(|i| i.wrapping_mul(0x85eb_ca77))) {
            *byte = (x >> 24) as u8;
        }
        let left: &[u8] = left;
        group.throughput(Throughput::Elements((rows.div_ceil(32) * depth / 64) as u64));
        for (place, len) in PLACES {
            for cut in CUTS.map(|cut| cut.min(depth)).into_iter().filter(|cut| depth % cut == 0) {
                let id =
                    BenchmarkId::new(place, format!("{rows} rows of {depth}, {cut} at a time"));
                group.bench_function(id, |bencher| {
                    walk_bytes(bencher, tiles, (left, rows), &weights[..len], (depth, cut));
                });
            }
        }
    }
}

/// Multiplies rows by one panel of the weights after the other, `cut` steps at a time.
fn walk_bytes(
    bencher: &mut Bencher<'_>,
    tiles: Tiles,
    (left, rows): (&[u8], usize),
    weights: &[i8],
    (depth, cut): (usize, usize),
) {
    let panels: Vec<&[i8]> = weights.chunks_exact(depth * Tiles::COLUMNS).collect();
    let mut sums = Aligned::<i32>::new(rows * Tiles::COLUMNS);
    let (sums, mut at): (&mut [i32], _) = (sums.as_mut_slice(), 0);
    let _configured = tiles.configure();
    bencher.iter(|| {
        let next = (at + 1) % panels.len();
        let parts = panels[at].chunks(cut * Tiles::COLUMNS);
        let parts = parts.zip(panels[next].chunks(cut * Tiles::COLUMNS));
        for (start, (right, next)) in (0..depth).step_by(cut).zip(parts) {
            let left = (&left[start * Tiles::ROWS..], depth * Tiles::ROWS);
            tiles.multiply_bytes(left, right, (sums, start == 0), next);
        }
        at = next;
    });
}

/// Multiplies rows by one panel of the weights after the other, over and over again.
fn walk(
    bencher: &mut Bencher<'_>,
    tiles: Tiles,
    (left, rows): (&[bf16], usize),
    weights: &[f32],
    depth: usize,
) {
    let len = depth * Tiles::COLUMNS;
    let panel = |at: usize| Floats::F32(&weights[at * len..][..len]);
    let (mut room, mut sums) = (Aligned::new(Tiles::RING_LEN), Aligned::new(rows * Tiles::COLUMNS));
    let sums: &mut [f32] = sums.as_mut_slice();
    let ahead = if rows <= FEW_ROWS { Ahead::Beyond } else { Ahead::Next };
    let mut ring = Ring::new(tiles, room.as_mut_slice(), panel(0), ahead);
    let (stride, mut at) = (Tiles::left_len(Tiles::ROWS, depth), 0);
    let _configured = tiles.configure();
    bencher.iter(|| {
        let next = (at + 1) % (weights.len() / len);
        tiles.multiply_pieces((left, stride), panel(at), (sums, true), &mut ring, panel(next));
        at = next;
    });
}

criterion_group!(benches, steps, byte_steps);
criterion_main!(benches);
