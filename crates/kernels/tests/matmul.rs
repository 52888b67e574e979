//! The product against three plain loops, around every border of the blocking, on every leg.
#![allow(missing_docs, reason = "tests")]

use half::{bf16, f16};
use nervio_kernels::{
    Activation, Element, Epilogue, PackedMatrix, Workspace, matmul, matmul_reference,
};
use nervio_simd::{Isa, Level};

/// A number in (-1, 1) that looks random.
fn noise(seed: usize, index: usize) -> f32 {
    let mut x = (seed as u64 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ (index as u64) << 17;
    x = (x ^ x >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    x = (x ^ x >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
    ((x ^ x >> 31) >> 40) as f32 / (1_u32 << 23) as f32 - 1.0
}

fn matrix(seed: usize, rows: usize, columns: usize) -> Vec<f32> {
    (0..rows * columns).map(|i| noise(seed, i)).collect()
}

fn pack<T: Element>(isa: Isa, n: usize, k: usize, values: &[T], scales: Vec<f32>) -> PackedMatrix {
    let fill = |row: usize, out: &mut [T]| out.copy_from_slice(&values[row * k..][..k]);
    PackedMatrix::pack(isa, n, k, fill, scales)
}

fn assert_close(fast: &[f32], slow: &[f32], k: usize, what: &str) {
    assert_eq!(fast.len(), slow.len());
    for (i, (a, b)) in fast.iter().zip(slow).enumerate() {
        let bound = 2e-6 * (k as f32).sqrt().max(4.0);
        assert!((a - b).abs() <= bound, "{what}: element {i} is {a}, expected {b}");
    }
}

#[test]
fn every_border_of_m_n_and_k() {
    for isa in Isa::supported() {
        let workspace = Workspace::new();
        for m in [1, 5, 6, 7, 12, 13, 191, 192, 193, 385] {
            for n in [1, 7, 8, 15, 16, 17, 33, 64, 100] {
                for k in [1, 3, 32, 255, 256, 257, 800] {
                    if m * n * k > 4_000_000 {
                        continue;
                    }
                    let (left, weights) = (matrix(1, m, k), matrix(2, n, k));
                    let (bias, residual) = (matrix(3, 1, n), matrix(4, m, n));
                    let epilogue = match (m + n + k) % 4 {
                        0 => Epilogue::None,
                        1 => Epilogue::Bias(&bias),
                        2 => Epilogue::BiasActivation(&bias, Activation::Gelu),
                        _ => Epilogue::BiasResidual(&bias, &residual),
                    };
                    let packed = pack(isa, n, k, &weights, vec![]);
                    let (mut fast, mut slow) = (vec![f32::NAN; m * n], vec![0.0; m * n]);
                    matmul(isa, &workspace, &left, &packed, &epilogue, &mut fast);
                    matmul_reference(&left, &weights, k, &epilogue, &mut slow);
                    assert_close(&fast, &slow, k, &format!("{isa} {m}x{n}x{k}"));
                }
            }
        }
    }
}

#[test]
fn narrow_weights_are_widened_exactly() {
    let (m, n, k) = (9, 21, 500);
    for isa in Isa::supported() {
        let workspace = Workspace::new();
        let left = matrix(1, m, k);
        let weights = matrix(2, n, k);
        let run = |packed: &PackedMatrix, stored: &[f32], what: &str| {
            let (mut fast, mut slow) = (vec![0.0; m * n], vec![0.0; m * n]);
            matmul(isa, &workspace, &left, packed, &Epilogue::None, &mut fast);
            matmul_reference(&left, stored, k, &Epilogue::None, &mut slow);
            assert_close(&fast, &slow, k, what);
        };
        let half: Vec<f16> = weights.iter().map(|x| f16::from_f32(*x)).collect();
        let stored: Vec<f32> = half.iter().map(|x| x.to_f32()).collect();
        run(&pack(isa, n, k, &half, vec![]), &stored, "f16");
        let brain: Vec<bf16> = weights.iter().map(|x| bf16::from_f32(*x)).collect();
        let stored: Vec<f32> = brain.iter().map(|x| x.to_f32()).collect();
        run(&pack(isa, n, k, &brain, vec![]), &stored, "bf16");
    }
}

/// The tile of few rows widens weights as it reads them, that of many beforehand.
#[test]
fn half_precision_has_the_bits_of_the_same_weights_in_f32_for_any_number_of_rows() {
    // The last has too few columns for whole panels.
    for (n, k) in [(64, 768), (96, 1541), (32, 3), (40, 770)] {
        let values: Vec<f16> = matrix(2, n, k).iter().map(|x| f16::from_f32(*x)).collect();
        let stored: Vec<f32> = values.iter().map(|x| x.to_f32()).collect();
        let brain: Vec<bf16> = stored.iter().map(|x| bf16::from_f32(*x)).collect();
        let stored_brain: Vec<f32> = brain.iter().map(|x| x.to_f32()).collect();
        let (bias, most) = (matrix(3, 1, n), 70);
        let (left, residual) = (matrix(1, most, k), matrix(4, most, n));
        for isa in Isa::supported() {
            let pairs = [
                (pack(isa, n, k, &values, vec![]), pack(isa, n, k, &stored, vec![])),
                (pack(isa, n, k, &brain, vec![]), pack(isa, n, k, &stored_brain, vec![])),
            ];
            let workspace = Workspace::new();
            for m in (1..=18).chain([31, 32, 33, 48, 63, 64, 65, most]) {
                let epilogues = [
                    Epilogue::BiasActivation(&bias, Activation::Gelu),
                    Epilogue::BiasResidual(&bias, &residual[..m * n]),
                ];
                for (epilogue, (half, single)) in
                    epilogues.iter().flat_map(|epilogue| pairs.iter().map(move |p| (epilogue, p)))
                {
                    let run = |weights| {
                        let mut out = vec![f32::NAN; m * n];
                        matmul(isa, &workspace, &left[..m * k], weights, epilogue, &mut out);
                        out
                    };
                    assert_eq!(run(half), run(single), "{isa}: {m} x {n} x {k}");
                }
            }
        }
    }
}

/// Weights within the limit of the kernel, with a scale for each row, and what they stand for.
fn bytes_and_scales(isa: Isa, n: usize, k: usize) -> (Vec<i8>, Vec<f32>, Vec<f32>) {
    let limit = f32::from(isa.int8_limit());
    let bytes: Vec<i8> = matrix(2, n, k).iter().map(|x| (x * limit).round() as i8).collect();
    let scales: Vec<f32> = (0..n).map(|i| 0.0005 * (i + 1) as f32).collect();
    let stored = bytes.iter().enumerate().map(|(i, x)| f32::from(*x) * scales[i / k]).collect();
    (bytes, scales, stored)
}

#[test]
fn eight_bit_products_are_exact_where_activations_are_whole_numbers() {
    for isa in Isa::supported() {
        let workspace = Workspace::new();
        for (m, n, k) in
            [(1, 1, 1), (1, 16, 4), (5, 17, 3), (7, 33, 255), (13, 8, 258), (9, 40, 3072)]
        {
            let (bytes, scales, stored) = bytes_and_scales(isa, n, k);
            // As many numbers as there are bytes: the scale of every long row is 1, its zero 50.
            let count = usize::from(isa.byte_steps()) + 1;
            let left: Vec<f32> = (0..m * k).map(|i| (i * 37 % count) as f32 - 50.0).collect();
            let bias = matrix(3, 1, n);
            let packed = pack(isa, n, k, &bytes, scales);
            let epilogue = Epilogue::Bias(&bias);
            let (mut fast, mut slow) = (vec![0.0; m * n], vec![0.0; m * n]);
            matmul(isa, &workspace, &left, &packed, &epilogue, &mut fast);
            matmul_reference(&left, &stored, k, &epilogue, &mut slow);
            for (i, (a, b)) in fast.iter().zip(&slow).enumerate() {
                let bound = if k < 256 { 0.02 * b.abs() + 2.0 } else { 2e-6 * b.abs() + 1e-3 };
                assert!((a - b).abs() <= bound, "{isa} {m}x{n}x{k}: element {i} is {a}, not {b}");
            }
        }
    }
}

#[test]
fn eight_bit_products_err_by_half_a_step_of_each_activation_at_most() {
    let (m, n, k) = (20, 50, 300);
    let left = matrix(1, m, k);
    for isa in Isa::supported() {
        let (bytes, scales, stored) = bytes_and_scales(isa, n, k);
        let packed = pack(isa, n, k, &bytes, scales.clone());
        let (mut fast, mut slow) = (vec![0.0; m * n], vec![0.0; m * n]);
        matmul(isa, &Workspace::new(), &left, &packed, &Epilogue::None, &mut fast);
        matmul_reference(&left, &stored, k, &Epilogue::None, &mut slow);
        for (i, (a, b)) in fast.iter().zip(&slow).enumerate() {
            let total: f32 = stored[i % n * k..][..k].iter().map(|w| w.abs()).sum();
            // A row spans at most 2; the zero point is rounded too, which costs half a step more.
            let step = 2.0 / f32::from(isa.byte_steps());
            assert!((a - b).abs() <= total * step, "{isa}: element {i} is {a}, not {b}");
        }
    }
}

#[test]
fn wide_weights_are_rounded_to_what_the_kernel_takes() {
    let isa = Isa::best();
    let count = usize::from(isa.byte_steps()) + 1;
    let left: Vec<f32> = (0..256).map(|i| (i % count) as f32).collect();
    let weights = vec![127_i8; 256];
    let packed = pack(isa, 1, 256, &weights, vec![0.01]);
    let mut out = [0.0];
    matmul(isa, &Workspace::new(), &left, &packed, &Epilogue::None, &mut out);
    assert!((out[0] - left.iter().sum::<f32>() * 1.27).abs() < 0.1, "{}", out[0]);
}

#[test]
fn eight_bit_products_do_not_hide_what_is_not_a_number() {
    for isa in Isa::supported() {
        let (bytes, scales, _) = bytes_and_scales(isa, 16, 40);
        let packed = pack(isa, 16, 40, &bytes, scales);
        let mut left = matrix(1, 2, 40);
        left[47] = f32::NAN;
        let mut out = vec![0.0; 32];
        matmul(isa, &Workspace::new(), &left, &packed, &Epilogue::None, &mut out);
        assert!(out[..16].iter().all(|x| x.is_finite()) && out[16..].iter().all(|x| x.is_nan()));
    }
}

#[test]
fn a_row_has_the_same_bits_in_any_batch_on_any_number_of_threads() {
    // The last panel of columns of the first is not whole; tile registers take the second.
    for (m, n, k) in [(400, 136, 768), (400, 128, 1568)] {
        let (left, weights, bias) = (matrix(1, m, k), matrix(2, n, k), matrix(3, 1, n));
        for isa in Isa::supported() {
            let (bytes, scales, _) = bytes_and_scales(isa, n, k);
            for packed in [pack(isa, n, k, &weights, vec![]), pack(isa, n, k, &bytes, scales)] {
                let epilogue = Epilogue::BiasActivation(&bias, Activation::Gelu);
                let run = |threads: usize, left: &[f32]| {
                    let pool =
                        rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
                    let mut out = vec![0.0; left.len() / k * n];
                    pool.install(|| {
                        matmul(isa, &Workspace::new(), left, &packed, &epilogue, &mut out)
                    });
                    out
                };
                let whole = run(1, &left);
                for threads in [2, 3, 4] {
                    assert_eq!(run(threads, &left), whole, "{isa}, {threads} threads");
                }
                for rows in
                    [0..1, 5..6, 17..18, 383..384, 399..400, 3..19, 7..39, 20..53, 37..90, 9..140]
                {
                    let (first, end) = (rows.start, rows.end);
                    assert_eq!(
                        run(2, &left[first * k..end * k]),
                        whole[first * n..end * n],
                        "{isa}, rows {rows:?} of {n} x {k}"
                    );
                }
            }
        }
    }
}

#[test]
fn depth_that_is_halved_between_threads_gives_the_bits_of_one_thread() {
    // With tile registers, threads take halves of the depth of these products, and columns if there are
    // more than two of them; from some rows on they take rows.
    for (n, k) in [(32, 64), (96, 1056), (64, 3072)] {
        for isa in Isa::supported() {
            let packed = pack(isa, n, k, &matrix(2, n, k), vec![]);
            for m in [1, 16, 17, 40, 131, 191, 260] {
                let (left, bias, residual) = (matrix(1, m, k), matrix(3, 1, n), matrix(4, m, n));
                let epilogue = Epilogue::BiasResidual(&bias, &residual);
                let [one, others @ ..] = [1, 2, 3, 5].map(|threads| {
                    let pool =
                        rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
                    let mut out = vec![f32::NAN; m * n];
                    pool.install(|| {
                        matmul(isa, &Workspace::new(), &left, &packed, &epilogue, &mut out);
                    });
                    out
                });
                let mut slow = vec![0.0; m * n];
                matmul_reference(&left, &matrix(2, n, k), k, &epilogue, &mut slow);
                assert_close(&one, &slow, k, &format!("{isa} {m}x{n}x{k}"));
                assert!(others.iter().all(|other| *other == one), "{isa} {m}x{n}x{k}");
            }
        }
    }
}

#[test]
fn a_product_with_many_column_panels_has_the_bits_of_its_rows() {
    // With tile registers, depth is cut for many rows but not for one, and so are the panels: one
    // thread has 26 of them here.
    let (isa, m, n, k) = (Isa::best(), 40, 832, 1056);
    let pool = rayon::ThreadPoolBuilder::new().num_threads(1).build().unwrap();
    let (left, weights) = (matrix(1, m, k), matrix(2, n, k));
    let half: Vec<f16> = weights.iter().map(|x| f16::from_f32(*x)).collect();
    for packed in [pack(isa, n, k, &weights, vec![]), pack(isa, n, k, &half, vec![])] {
        let product = |left: &[f32]| {
            let mut out = vec![0.0; left.len() / k * n];
            pool.install(|| {
                matmul(isa, &Workspace::new(), left, &packed, &Epilogue::None, &mut out);
            });
            out
        };
        let whole = product(&left);
        let rows: Vec<f32> = left.chunks(k).flat_map(product).collect();
        assert!(whole == rows, "{:?}", packed.kind());
    }
}

#[test]
fn large_matrices_have_the_bits_of_one_thread() {
    // With tile registers they are cut between columns up to more rows than others.
    let (n, k) = (832, 1088);
    let weights = matrix(2, n, k);
    let half: Vec<f16> = weights.iter().map(|x| f16::from_f32(*x)).collect();
    let bytes: Vec<i8> = weights.iter().map(|x| (x * 60.0) as i8).collect();
    for isa in Isa::supported() {
        for packed in [pack(isa, n, k, &half, vec![]), pack(isa, n, k, &bytes, vec![0.1; n])] {
            for m in [17, 40, 70, 143, 144, 200] {
                let left = matrix(1, m, k);
                let [one, others @ ..] = [1, 2, 3, 5].map(|threads| {
                    let pool =
                        rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
                    let mut out = vec![0.0; m * n];
                    pool.install(|| {
                        matmul(isa, &Workspace::new(), &left, &packed, &Epilogue::None, &mut out);
                    });
                    out
                });
                assert!(
                    others.iter().all(|other| *other == one),
                    "{isa} {:?}: {m} rows",
                    packed.kind()
                );
            }
        }
    }
}

#[test]
fn tile_registers_have_the_bits_of_vectors() {
    let [Some(tiles), Some(vectors)] = [Level::Amx, Level::Avx512Vnni].map(Isa::new) else {
        return;
    };
    let pool = rayon::ThreadPoolBuilder::new().num_threads(2).build().unwrap();
    // From 33 rows on 768 steps are cut in two, 1,088 in three uneven parts.
    for (n, k) in [(32, 64), (96, 768), (64, 1088), (288, 192)] {
        let (bytes, scales, _) = bytes_and_scales(vectors, n, k);
        let bias = matrix(3, 1, n);
        for m in [1, 15, 16, 17, 31, 32, 33, 65, 193, 400] {
            let (mut left, residual) = (matrix(1, m, k), matrix(4, m, n));
            left[k / 2] = f32::INFINITY;
            let epilogues = [
                Epilogue::BiasActivation(&bias, Activation::Gelu),
                Epilogue::BiasResidual(&bias, &residual),
            ];
            for epilogue in epilogues {
                let [fast, slow] = [tiles, vectors].map(|isa| {
                    let packed = pack(isa, n, k, &bytes, scales.clone());
                    let mut out = vec![0.0; m * n];
                    pool.install(|| {
                        matmul(isa, &Workspace::new(), &left, &packed, &epilogue, &mut out);
                    });
                    out.into_iter().map(f32::to_bits).collect::<Vec<_>>()
                });
                assert!(fast == slow, "{m} x {n} x {k}");
            }
        }
    }
}

#[test]
fn empty_operands() {
    let isa = Isa::best();
    let packed = pack::<f32>(isa, 4, 8, &[0.5; 32], vec![]);
    matmul(isa, &Workspace::new(), &[], &packed, &Epilogue::None, &mut []);
}

#[test]
fn sums_of_nothing_are_the_bias() {
    let bias = matrix(3, 1, 32);
    for isa in Isa::supported() {
        let packed = pack::<i8>(isa, 32, 0, &[], vec![0.1; 32]);
        let mut out = vec![f32::NAN; 64];
        matmul(isa, &Workspace::new(), &[], &packed, &Epilogue::Bias(&bias), &mut out);
        assert_eq!(out, [&bias[..], &bias[..]].concat(), "{isa}");
    }
}
