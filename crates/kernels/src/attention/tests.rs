use super::*;

const BOTH: [AttentionNumbers; 2] = [AttentionNumbers::F32, AttentionNumbers::Int16];

fn wave(len: usize, step: f32) -> Vec<f32> {
    (0..len).map(|i| (i as f32 * step).sin() * 2.0).collect()
}

/// The largest difference from the reference.
fn error(
    isa: Isa,
    shape: AttentionShape,
    numbers: AttentionNumbers,
    qkv: &[f32],
    ends: &[usize],
) -> f32 {
    let mut fast = vec![f32::NAN; qkv.len() / 3];
    attention(isa, &Workspace::new(), shape, numbers, qkv, ends, &mut fast);
    difference(&fast, shape, qkv, ends)
}

/// The largest difference of results from those of the reference.
fn difference(results: &[f32], shape: AttentionShape, qkv: &[f32], ends: &[usize]) -> f32 {
    let mut slow = vec![0.0; results.len()];
    attention_reference(shape, qkv, ends, &mut slow);
    // Not `f32::max`, which forgets a NaN.
    let differences = results.iter().zip(&slow).map(|(a, b)| (a - b).abs());
    differences.fold(0.0, |most, x| if x <= most { most } else { x })
}

#[test]
fn agrees_with_the_reference_for_odd_shapes() {
    for isa in Isa::supported() {
        // 31 and 48: squares of registers for one of the operands only.
        for (heads, head_dim) in
            [(1, 1), (3, 5), (12, 26), (2, 64), (4, 12), (1, 200), (2, 31), (2, 48)]
        {
            let shape = AttentionShape { heads, head_dim };
            // With an empty sequence, and one that fills the tiles of every leg.
            let ends = [1, 1, 8, 8 + 97, 8 + 97 + 200, 305 + 96];
            let qkv = wave((305 + 96) * 3 * shape.hidden(), 0.618);
            // Of values up to 2: half a unit of a value's is 1.2e-4.
            for (numbers, most) in BOTH.into_iter().zip([2e-5, 2e-3]) {
                let error = error(isa, shape, numbers, &qkv, &ends);
                assert!(error < most, "{isa} {shape:?} {numbers:?}: off by {error}");
            }
        }
    }
}

/// Every way of filling panels and squares, in buffers that hold what an earlier pass has left.
#[test]
fn agrees_with_the_reference_for_every_length() {
    for isa in Isa::supported() {
        for head_dim in [5, 7, 16, 31, 32] {
            let shape = AttentionShape { heads: 1, head_dim };
            let workspace = Workspace::new();
            for numbers in BOTH {
                let spoilt = vec![f32::NAN; 100 * 3 * head_dim];
                let mut out = vec![0.0; 100 * head_dim];
                attention(isa, &workspace, shape, numbers, &spoilt, &[100], &mut out);
                assert!(out.iter().all(|x| x.is_nan()), "{isa} {numbers:?}");
            }
            for tokens in 1..=67 {
                let qkv = wave(tokens * 3 * head_dim, 0.618);
                for (numbers, most) in BOTH.into_iter().zip([2e-5, 2e-3]) {
                    let mut out = vec![f32::NAN; tokens * head_dim];
                    attention(isa, &workspace, shape, numbers, &qkv, &[tokens], &mut out);
                    let error = difference(&out, shape, &qkv, &[tokens]);
                    assert!(error < most, "{isa} {head_dim} {tokens} {numbers:?}: off by {error}");
                }
            }
        }
    }
}

#[test]
fn a_sequence_has_the_same_bits_in_any_batch_on_any_number_of_threads() {
    let shape = AttentionShape { heads: 4, head_dim: 32 };
    let lengths = [40, 1, 300, 17, 128];
    let ends: Vec<usize> = lengths
        .iter()
        .scan(0, |sum, len| {
            *sum += len;
            Some(*sum)
        })
        .collect();
    let qkv = wave(ends[4] * 3 * 128, 0.37);
    for numbers in BOTH {
        let run = |threads: usize, qkv: &[f32], ends: &[usize]| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            let mut out = vec![0.0; qkv.len() / 3];
            let (isa, workspace) = (Isa::best(), Workspace::new());
            pool.install(|| {
                attention(isa, &workspace, shape, numbers, qkv, ends, &mut out);
            });
            out
        };
        let whole = run(1, &qkv, &ends);
        for threads in [2, 4] {
            assert_eq!(run(threads, &qkv, &ends), whole, "{numbers:?}, {threads} threads");
        }
        for (end, len) in ends.iter().zip(lengths) {
            let start = end - len;
            let alone = run(2, &qkv[start * 384..end * 384], &[len]);
            let there = &whole[start * 128..end * 128];
            assert_eq!(alone, there, "{numbers:?}: the sequence at {start}");
        }
    }
}

#[test]
fn integers_hold_the_largest_sums_and_what_is_small_beside_them() {
    let shape = AttentionShape { heads: 1, head_dim: 64 };
    let tokens = 600;
    for isa in Isa::supported() {
        // All numbers at the end of their range: every sum is the largest there can be.
        let check = |qkv: &[f32], most: f32| {
            let error = error(isa, shape, AttentionNumbers::Int16, qkv, &[tokens]);
            assert!(error <= most, "{isa}: off by {error}");
        };
        check(&vec![1.0; tokens * 192], 1e-4);
        check(&vec![-3.0; tokens * 192], 3e-4);
        check(&vec![12_345.6; tokens * 192], 1.0);
        check(&vec![0.0; tokens * 192], 0.0);
        check(&vec![1e-38; tokens * 192], 1e-38);
        check(&vec![1e-30; tokens * 192], 1e-33);
        // One key takes nearly all of the weight; the others' share must not vanish.
        let mut qkv = wave(tokens * 192, 0.37);
        for (i, x) in qkv[64..128].iter_mut().enumerate() {
            *x = if i % 2 == 0 { 3.0 } else { -3.0 };
        }
        for token in qkv.chunks_mut(192) {
            token[..64].iter_mut().enumerate().for_each(|(i, x)| *x = [0.3, -0.3][i % 2]);
        }
        check(&qkv, 2e-3);
    }
}

#[test]
fn what_is_no_number_is_not_hidden() {
    let shape = AttentionShape { heads: 2, head_dim: 8 };
    for isa in Isa::supported() {
        for (numbers, at) in BOTH.into_iter().flat_map(|n| [0, 16, 32].map(|at| (n, at))) {
            for bad in [f32::NAN, f32::INFINITY] {
                let mut qkv = wave(20 * 48, 0.37);
                qkv[5 * 48 + at] = bad;
                let mut out = vec![0.0; 20 * 16];
                attention(isa, &Workspace::new(), shape, numbers, &qkv, &[20], &mut out);
                let spoilt = out.iter().any(|x| !x.is_finite());
                assert!(spoilt, "{isa} {numbers:?}: {bad} at {at}");
            }
        }
    }
}
