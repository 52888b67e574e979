//! A feed-forward block: `layer_norm(W₂ · activation(W₁ · x + b₁) + b₂ + x)`.
//!
//! By vectors (see [`vectors`]) a thread that has rows of its own writes its intermediate states, some
//! hundreds of them at a time, as the second product takes them, and multiplies them while they are in
//! caches near it.
//!
//! By tile registers (see [`tiles`]) a thread multiplies the intermediate states that it has computed itself, some hundreds
//! of them at a time (of few rows, half of them), and keeps them in no other form than the pieces that the
//! second product takes. Two threads have half of the states each, of all rows: they wait for one another
//! after their sums and after the layer norm, where one kernel after the other has four such places. (Shoeybi et al., "Megatron-LM", arXiv 1909.08053, section 3, cut
//! the block so between processors.) In 8 bits (see [`bytes`]) two threads have half of the states each, too, but
//! have to know the range of all states of a row before they multiply them.

mod bytes;
mod states;
mod tiles;
mod vectors;

use nervio_simd::Isa;

use self::bytes::ByBytes;
use self::tiles::ByTiles;
use self::vectors::ByVectors;
use super::block::{Left, Product};
use super::epilogue::Epilogue;
use super::packed_matrix::PackedMatrix;
use super::plan::spread;
use super::row_panels::RowPanels;
use super::{matmul, stretch};
use crate::activation::Activation;
use crate::layer_norm::{Norm, layer_norm};
use crate::workspace::Workspace;

/// The parameters of a feed-forward block.
#[derive(Clone, Copy, Debug)]
pub struct FeedForward<'a> {
    /// `[intermediate, hidden]`
    pub intermediate: &'a PackedMatrix,
    /// `[intermediate]`
    pub intermediate_bias: &'a [f32],
    /// What is done to the intermediate states.
    pub activation: Activation,
    /// `[hidden, intermediate]`
    pub output: &'a PackedMatrix,
    /// `[hidden]`
    pub output_bias: &'a [f32],
    /// The layer norm after the residual, of `[hidden]`.
    pub norm: Norm<'a>,
}

/// What a thread is about to compute.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FeedForwardStep {
    /// Intermediate states.
    Intermediate,
    /// Their products with the output weights.
    Output,
    /// The layer norm; by tile registers two halves of the products may have to be added up on the way, with
    /// the bias and the residual. By vectors, also what this thread does for others until their rows are done.
    LayerNorm,
}

/// Is told what the thread that called the block, or has the first states or rows, is about to compute.
type Watch<'a> = &'a (dyn Fn(FeedForwardStep) + Sync);

/// `out = layer_norm(output(activation(intermediate(x))) + x)` for each row of `x` `[rows, hidden]`; `out`
/// has the same shape. `room` is `[rows, intermediate]`; what it holds afterwards is not said. `watch` is
/// told what the calling thread is about to compute: each step at least once if there are rows.
///
/// The bits are those of two calls of [`matmul`] and one of [`layer_norm`].
///
/// # Panics
///
/// When the lengths disagree, or the weights were packed for another instruction set.
pub fn feed_forward(
    isa: Isa,
    workspace: &Workspace,
    block: &FeedForward<'_>,
    (x, out): (&[f32], &mut [f32]),
    room: &mut [f32],
    watch: &(dyn Fn(FeedForwardStep) + Sync),
) {
    let (hidden, intermediate) = (block.output.rows(), block.output.depth());
    assert_eq!(block.intermediate.rows(), intermediate, "feed-forward: as many states as inputs");
    assert_eq!(block.intermediate.depth(), hidden, "feed-forward: as many outputs as inputs");
    let rows = x.len() / hidden.max(1);
    assert_eq!(rows * hidden, x.len(), "feed-forward: whole rows");
    assert_eq!(x.len(), out.len(), "feed-forward: a result for each row");
    assert_eq!(rows * intermediate, room.len(), "feed-forward: room for each row");
    let first = Epilogue::BiasActivation(block.intermediate_bias, block.activation);
    let second = Epilogue::BiasResidual(block.output_bias, x);
    first.check(intermediate, room.len());
    second.check(hidden, out.len());
    let norm = [block.norm.weight, block.norm.bias].map(<[f32]>::len);
    assert_eq!(norm, [hidden; 2], "feed-forward: a layer norm of the outputs");
    if let Some(by_tiles) = ByTiles::new(isa, workspace, block, rows) {
        return by_tiles.run(x, out, watch);
    }
    if let Some(by_bytes) = ByBytes::new(isa, workspace, block, rows) {
        return by_bytes.run(x, out, room, watch);
    }
    if let Some(by_vectors) = ByVectors::new(isa, workspace, block, rows) {
        return by_vectors.run(x, out, watch);
    }
    watch(FeedForwardStep::Intermediate);
    matmul(isa, workspace, x, block.intermediate, &first, room);
    watch(FeedForwardStep::Output);
    matmul(isa, workspace, room, block.output, &second, out);
    watch(FeedForwardStep::LayerNorm);
    layer_norm(isa, out, &block.norm);
}

/// The product of some rows with all of the weights.
fn product<'a>(
    isa: Isa,
    left: Left<'a>,
    weights: &'a PackedMatrix,
    epilogue: &'a Epilogue<'a>,
    rows: RowPanels,
    then: &'a [u8],
) -> Product<'a> {
    Product {
        left,
        panels: weights.panels(),
        epilogue,
        rows,
        first_row: 0,
        depth: weights.depth(),
        columns: weights.rows(),
        stretch: stretch(isa),
        spread: spread(isa, weights, rows),
        then,
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use half::{bf16, f16};

    use super::*;
    use crate::matmul::plan::{tall_tiles, thread_rows};
    use crate::matmul::{Element, WeightKind, nearest_i8};
    use crate::parallel::alone;

    fn noise(seed: usize, index: usize) -> f32 {
        let x = ((seed << 32) as u64 ^ index as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        ((x ^ x >> 29).wrapping_mul(0xbf58_476d_1ce4_e5b9) >> 40) as f32 / (1 << 23) as f32 - 1.0
    }

    fn vector(seed: usize, len: usize) -> Vec<f32> {
        (0..len).map(|i| noise(seed, i)).collect()
    }

    fn pack<T: Element>(
        isa: Isa,
        seed: usize,
        n: usize,
        k: usize,
        from: fn(f32) -> T,
    ) -> PackedMatrix {
        let fill = |row: usize, out: &mut [T]| {
            for (at, out) in out.iter_mut().enumerate() {
                *out = from(noise(seed, row * k + at) / (k as f32).sqrt());
            }
        };
        let int8 = PackedMatrix::pack(isa, 0, 0, fill, Vec::new()).kind() == WeightKind::Int8;
        let scales = if int8 { vec![1.0 / BYTES; n] } else { Vec::new() };
        PackedMatrix::pack(isa, n, k, fill, scales)
    }

    /// Weights in bytes are multiplied by this.
    const BYTES: f32 = 2000.0;

    fn byte(x: f32) -> i8 {
        nearest_i8(x * BYTES)
    }

    /// The parameters of a block.
    struct Parameters {
        intermediate: PackedMatrix,
        intermediate_bias: Vec<f32>,
        output: PackedMatrix,
        /// The bias of the output, weight and bias of the layer norm.
        rows: [Vec<f32>; 3],
    }

    impl Parameters {
        fn new<T: Element>(isa: Isa, (hidden, depth): (usize, usize), from: fn(f32) -> T) -> Self {
            Self {
                intermediate: pack(isa, 1, depth, hidden, from),
                intermediate_bias: vector(3, depth),
                output: pack(isa, 2, hidden, depth, from),
                rows: [4, 5, 6].map(|seed| vector(seed, hidden)),
            }
        }

        fn block(&self) -> FeedForward<'_> {
            let [output_bias, weight, bias] = &self.rows;
            FeedForward {
                intermediate: &self.intermediate,
                intermediate_bias: &self.intermediate_bias,
                activation: Activation::Gelu,
                output: &self.output,
                output_bias,
                norm: Norm { weight, bias, eps: 1e-12 },
            }
        }
    }

    /// The block as three kernels.
    fn one_by_one(isa: Isa, block: &FeedForward<'_>, x: &[f32]) -> Vec<f32> {
        let (hidden, depth) = (block.output.rows(), block.output.depth());
        let workspace = Workspace::new();
        let mut states = vec![0.0; x.len() / hidden * depth];
        let mut out = vec![0.0; x.len()];
        let epilogue = Epilogue::BiasActivation(block.intermediate_bias, block.activation);
        matmul(isa, &workspace, x, block.intermediate, &epilogue, &mut states);
        let epilogue = Epilogue::BiasResidual(block.output_bias, x);
        matmul(isa, &workspace, &states, block.output, &epilogue, &mut out);
        layer_norm(isa, &mut out, &block.norm);
        out
    }

    fn check<T: Element>(
        isa: Isa,
        (hidden, depth): (usize, usize),
        from: fn(f32) -> T,
        counts: &[usize],
    ) {
        let parameters = Parameters::new(isa, (hidden, depth), from);
        let block = parameters.block();
        let workspace = Workspace::new();
        let run = |x: &[f32]| {
            let steps = Mutex::new(Vec::new());
            let mut out = vec![f32::NAN; x.len()];
            let mut room = vec![f32::NAN; x.len() / hidden * depth];
            let watch = |step| steps.lock().unwrap().push(step);
            feed_forward(isa, &workspace, &block, (x, &mut out), &mut room, &watch);
            (bits(&out), steps.into_inner().unwrap())
        };
        for threads in [1, 2, 3] {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            for rows in counts {
                // What is left in the buffers must not show.
                pool.install(|| run(&vec![f32::NAN; rows * hidden]));
                let what = format!("{isa}: {rows} x {hidden} x {depth}, {threads} threads");
                let x = vector(7, rows * hidden);
                let (out, steps) = pool.install(|| run(&x));
                assert!(out == bits(&one_by_one(isa, &block, &x)), "{what}");
                let alone = pool.install(|| alone(|| run(&x[..hidden.min(x.len())]).0));
                assert!(out.starts_with(&alone), "{what}: the first row alone");
                use FeedForwardStep::{Intermediate, LayerNorm, Output};
                let all = [Intermediate, Output, LayerNorm].iter().all(|x| steps.contains(x));
                assert!(*rows == 0 || all && steps.last() == Some(&LayerNorm), "{what}: {steps:?}");
            }
        }
    }

    fn bits(x: &[f32]) -> Vec<u32> {
        x.iter().map(|x| x.to_bits()).collect()
    }

    #[test]
    fn has_the_bits_of_its_products_one_by_one_on_any_number_of_threads() {
        let counts = [400, 193, 100, 63, 33, 17, 16, 1, 0];
        for isa in Isa::supported() {
            check(isa, (64, 1056), |x| x, &counts);
            check(isa, (64, 1056), f16::from_f32, &counts);
            check(isa, (64, 2048), bf16::from_f32, &counts);
            // By vectors, panels over the edge of the outputs.
            check(isa, (42, 1056), |x| x, &counts);
            check(isa, (42, 1056), f16::from_f32, &counts);
            // Weights of both products are widened in several stretches.
            check(isa, (300, 800), f16::from_f32, &[100, 17]);
            check(isa, (32, 0), |x| x, &[100, 1]);
            // In bytes, cut between halves of the states by tile registers.
            check(isa, (768, 832), byte, &[200, 100, 33, 17, 5, 1]);
            check(isa, (64, 1056), byte, &counts);
            // Several steps of depth in the first product, and several stretches of states by tile registers.
            check(isa, (800, 1664), |x| x, &[33, 17]);
            // No whole panels, and fewer states than outputs.
            check(isa, (40, 100), |x| x, &counts);
            check(isa, (96, 32), |x| x, &counts);
        }
    }

    #[test]
    fn is_fused_by_tile_registers_on_one_thread_and_on_two() {
        let Some(isa) = Isa::supported().find(|isa| isa.tiles().is_some()) else { return };
        let parameters = Parameters::new(isa, (64, 1056), |x| x);
        let block = parameters.block();
        for (threads, rows, fused) in [
            (1, 1, true),
            (1, 400, true),
            (2, 17, true),
            (2, 100, true),
            (2, 16, false),
            (2, 400, false),
            (3, 100, false),
        ] {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            let workspace = Workspace::new();
            let is = pool.install(|| ByTiles::new(isa, &workspace, &block, rows).is_some());
            assert_eq!(is, fused, "{threads} threads, {rows} rows");
        }
    }

    #[test]
    fn bytes_are_cut_between_two_threads_by_tile_registers() {
        let Some(isa) = Isa::supported().find(|isa| isa.tiles().is_some()) else { return };
        let large = Parameters::new(isa, (768, 832), byte);
        let small = Parameters::new(isa, (704, 832), byte);
        let tiny = Parameters::new(isa, (64, 128), byte);
        for (threads, rows, cut) in [
            (1, 40, [false; 3]),
            (2, 1, [true, true, false]),
            (2, 63, [true, true, false]),
            (2, 64, [true, false, false]),
            (2, 191, [true, false, false]),
            (2, 192, [false; 3]),
            (3, 40, [false; 3]),
        ] {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            let workspace = Workspace::new();
            let is = |parameters: &Parameters| {
                let block = parameters.block();
                pool.install(|| ByBytes::new(isa, &workspace, &block, rows).is_some())
            };
            assert_eq!([&large, &small, &tiny].map(is), cut, "{threads} threads, {rows} rows");
        }
    }

    #[test]
    fn a_number_that_is_not_finite_stays_in_its_row() {
        let (hidden, rows) = (768, 40);
        let pool = rayon::ThreadPoolBuilder::new().num_threads(2).build().unwrap();
        for isa in Isa::supported() {
            let parameters = Parameters::new(isa, (hidden, 832), byte);
            let run = |x: &[f32]| {
                let (mut out, mut room) = (vec![0.0; x.len()], vec![0.0; rows * 832]);
                let both = (x, &mut out[..]);
                let workspace = Workspace::new();
                pool.install(|| {
                    feed_forward(isa, &workspace, &parameters.block(), both, &mut room, &|_| ());
                });
                out
            };
            let mut x = vector(7, rows * hidden);
            let clean = run(&x);
            x[20 * hidden + 5] = f32::INFINITY;
            let out = run(&x);
            let (before, rest) = out.split_at(20 * hidden);
            let (row, after) = rest.split_at(hidden);
            assert!(bits(before) == bits(&clean[..20 * hidden]), "{isa}");
            assert!(bits(after) == bits(&clean[21 * hidden..]), "{isa}");
            assert!(row.iter().all(|x| x.is_nan()), "{isa}");
        }
    }

    #[test]
    fn is_fused_by_vectors_where_threads_have_rows_of_their_own() {
        let fused = |isa, parameters: &Parameters, threads, rows| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            let (workspace, block) = (Workspace::new(), parameters.block());
            pool.install(|| ByVectors::new(isa, &workspace, &block, rows).is_some())
        };
        for isa in Isa::supported().filter(|isa| isa.tiles().is_none()) {
            let float = Parameters::new(isa, (64, 1056), |x| x);
            let own = thread_rows(isa, &float.output);
            for (threads, rows, expected) in [
                (1, 1, true),
                (1, 400, true),
                (2, 2 * own - 1, false),
                (2, 2 * own, true),
                (3, 2 * own, false),
                (3, 3 * own, true),
            ] {
                let is = fused(isa, &float, threads, rows);
                assert_eq!(is, expected, "{isa}: {threads} threads, {rows} rows");
            }
            let half = Parameters::new(isa, (64, 1056), f16::from_f32);
            assert!(fused(isa, &half, 2, 400), "{isa}");
            assert_eq!(fused(isa, &half, 1, 16), isa.tall_rows() == 0, "{isa}");
            let tall = tall_tiles(isa) * isa.tall_rows();
            assert!(!fused(isa, &half, 1, tall) && fused(isa, &half, 1, tall + 1), "{isa}");
            // Sums of states would have to be parked; a panel of states would be over the edge.
            for sizes in [(800, 1600), (64, 1050)] {
                assert!(
                    !fused(isa, &Parameters::new(isa, sizes, |x| x), 1, 400),
                    "{isa} {sizes:?}"
                );
            }
        }
    }

    #[test]
    fn agrees_with_the_scalar_references() {
        use crate::layer_norm::layer_norm_reference;
        use crate::matmul::matmul_reference;

        let (rows, hidden, depth) = (50, 64, 1600);
        let values = |seed: usize, n: usize, k: usize| -> Vec<f32> {
            vector(seed, n * k).iter().map(|x| x / (k as f32).sqrt()).collect()
        };
        let (weight, bias) = (vector(5, hidden), vector(6, hidden));
        let biases = [vector(3, depth), vector(4, hidden)];
        let x = vector(7, rows * hidden);
        let mut states = vec![0.0; rows * depth];
        let epilogue = Epilogue::BiasActivation(&biases[0], Activation::Gelu);
        matmul_reference(&x, &values(1, depth, hidden), hidden, &epilogue, &mut states);
        let mut expected = vec![0.0; x.len()];
        let epilogue = Epilogue::BiasResidual(&biases[1], &x);
        matmul_reference(&states, &values(2, hidden, depth), depth, &epilogue, &mut expected);
        layer_norm_reference(&mut expected, &weight, &bias, 1e-12);
        for isa in Isa::supported() {
            let parameters = Parameters::new(isa, (hidden, depth), |x| x);
            let mut out = vec![f32::NAN; x.len()];
            let both = (&x[..], &mut out[..]);
            let pool = rayon::ThreadPoolBuilder::new().num_threads(2).build().unwrap();
            pool.install(|| {
                feed_forward(
                    isa,
                    &Workspace::new(),
                    &parameters.block(),
                    both,
                    &mut states,
                    &|_| (),
                );
            });
            for (a, b) in out.iter().zip(&expected) {
                assert!((a - b).abs() < 2e-5, "{isa}: {a}, not {b}");
            }
        }
    }
}
