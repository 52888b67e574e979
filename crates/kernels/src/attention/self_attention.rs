//! Self-attention, from hidden states to what is gathered from the values: the product that gives queries,
//! keys and values, and attention.
//!
//! By vectors a thread that has sequences of its own, and is not helped with them, takes one head after the
//! other through both: what it has computed of a head it reads from the caches of its core, from which all of
//! the weights would have pushed it out in the meantime. By tile registers in 8 bits two threads have half of the
//! heads each, and do not wait for one another in between.

use nervio_simd::{Isa, MatMut};

use super::rows::Rows;
use super::{AttentionNumbers, AttentionShape, attention};
use crate::matmul::{ByColumns, Epilogue, PackedMatrix, bytes_by_tiles, matmul};
use crate::parallel::{GRAIN, join, threads};
use crate::workspace::{LeafBuffers, LeafPool, Workspace};

/// The parameters of self-attention.
#[derive(Clone, Copy, Debug)]
pub struct SelfAttention<'a> {
    /// `[3 hidden, hidden]`: of queries, keys and values, one below the other.
    pub weights: &'a PackedMatrix,
    /// `[3 hidden]`
    pub bias: &'a [f32],
    /// The sizes of the heads.
    pub shape: AttentionShape,
    /// The numbers in which queries meet keys, and weights values.
    pub numbers: AttentionNumbers,
}

/// What is about to be computed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SelfAttentionStep {
    /// Queries, keys and values.
    QueryKeyValue,
    /// Attention.
    Attention,
}

/// Is told what is about to be computed.
type Watch<'a> = &'a mut (dyn FnMut(SelfAttentionStep) + Send);

/// `out = attention(x · weightsᵀ + bias)`, both `[tokens, hidden]`; `ends` holds the end of each sequence,
/// counted in tokens from the start. `room` is `[tokens, 3 hidden]`; what it holds afterwards is not said.
/// `watch` is told what is about to be computed.
///
/// The bits are those of [`matmul`] and [`attention`].
///
/// # Panics
///
/// When the lengths disagree, the ends decrease, or the weights were packed for another instruction set.
pub fn self_attention(
    isa: Isa,
    workspace: &Workspace,
    block: &SelfAttention<'_>,
    (x, out): (&[f32], &mut [f32]),
    ends: &[usize],
    room: &mut [f32],
    watch: &mut (dyn FnMut(SelfAttentionStep) + Send),
) {
    let hidden = block.shape.hidden();
    let tokens = ends.last().copied().unwrap_or(0);
    assert_eq!(isa.level(), block.weights.level(), "weights packed for another instruction set");
    assert_eq!(block.weights.rows(), 3 * hidden, "self-attention: query, key and value");
    assert_eq!(block.bias.len(), 3 * hidden, "self-attention: a bias for each of them");
    assert!(ends.is_sorted(), "self-attention: ends in order");
    assert_eq!(room.len(), tokens * 3 * hidden, "self-attention: room for each token");
    assert_eq!(x.len(), tokens * block.weights.depth(), "self-attention: inputs of each token");
    assert_eq!(out.len(), tokens * hidden, "self-attention: a result for each token");
    if let Some(by_heads) = ByHeads::new(isa, workspace, block, ends) {
        return by_heads.run(x, out, watch);
    }
    watch(SelfAttentionStep::QueryKeyValue);
    matmul(isa, workspace, x, block.weights, &Epilogue::Bias(block.bias), room);
    watch(SelfAttentionStep::Attention);
    attention(isa, workspace, block.shape, block.numbers, room, ends, out);
}

/// Some heads at a time, each from hidden states on, on one thread or two.
struct ByHeads<'a> {
    isa: Isa,
    leaves: &'a LeafPool,
    block: &'a SelfAttention<'a>,
    ends: &'a [usize],
    tokens: usize,
    /// Heads at a time: half of them on two threads.
    heads: usize,
    threads: usize,
}

impl<'a> ByHeads<'a> {
    /// `None` where all of the product comes first: of many tokens, of heads that do not begin with a panel of
    /// weights, on one thread by tile registers, and on more (each then reads what another has written, either
    /// way) but for two by tile registers in 8 bits, which have half of the heads each.
    fn new(
        isa: Isa,
        workspace: &'a Workspace,
        block: &'a SelfAttention<'a>,
        ends: &'a [usize],
    ) -> Option<Self> {
        let SelfAttention { weights, shape, .. } = *block;
        let tokens = ends.last().copied().unwrap_or(0);
        let amount = tokens.saturating_mul(weights.rows()).saturating_mul(weights.depth());
        let halves_pay = || bytes_by_tiles(isa, weights) && amount >= 2 * GRAIN;
        let threads = threads();
        let heads = match threads {
            1 if isa.tiles().is_none() => 1,
            2 if shape.heads.is_multiple_of(2) && halves_pay() => shape.heads / 2,
            _ => return None,
        };
        let columns = heads * shape.head_dim;
        let fits = (1..=ByColumns::MOST_ROWS).contains(&tokens)
            && weights.depth() > 0
            && columns > 0
            && columns.is_multiple_of(weights.panel_width());
        fits.then_some(Self { isa, leaves: &workspace.leaves, block, ends, tokens, heads, threads })
    }

    fn run(&self, x: &[f32], out: &mut [f32], watch: Watch<'_>) {
        let SelfAttention { weights, bias, shape, .. } = *self.block;
        let columns = self.heads * shape.head_dim;
        let mut out = MatMut::new(out, shape.hidden());
        self.leaves.with(|packed| {
            watch(SelfAttentionStep::QueryKeyValue);
            let product = ByColumns::pack(self.isa, x, (weights, bias), packed);
            let group = |first, out: MatMut<'_>, watch: Watch<'_>| {
                self.leaves.with(|buffers| self.group(&product, first, out, (buffers, watch)));
            };
            if self.threads == 1 {
                for first in (0..shape.heads).step_by(self.heads) {
                    let first_column = first * shape.head_dim;
                    let columns = first_column..first_column + columns;
                    group(first, out.block(0..self.tokens, columns), watch);
                }
            } else {
                let (first, second) = out.split_columns(columns);
                join(|| group(0, first, watch), || group(self.heads, second, &mut |_| ()));
            }
        });
    }

    /// Computes the heads from `first` on; `out` is `[tokens, heads * head_dim]`.
    fn group(
        &self,
        product: &ByColumns<'_>,
        first: usize,
        mut out: MatMut<'_>,
        (buffers, watch): (&mut LeafBuffers, Watch<'_>),
    ) {
        // Taken out, so that the buffers beside it can be lent.
        let mut room = std::mem::take(&mut buffers.query_key_value);
        let rows = room.first(3 * self.tokens * out.columns());
        watch(SelfAttentionStep::QueryKeyValue);
        self.query_key_value(product, first, rows, buffers);
        watch(SelfAttentionStep::Attention);
        self.attention(rows, &mut out, buffers);
        buffers.query_key_value = room;
    }

    /// Writes queries, keys and values of the heads from `first` on to `to`, `[3, tokens, heads * head_dim]`.
    fn query_key_value(
        &self,
        product: &ByColumns<'_>,
        first: usize,
        to: &mut [f32],
        buffers: &mut LeafBuffers,
    ) {
        let AttentionShape { heads: all, head_dim } = self.block.shape;
        let column = |which: usize, head: usize| (which * all + head) * head_dim;
        let columns = self.heads * head_dim;
        for (which, to) in to.chunks_exact_mut(self.tokens * columns).enumerate() {
            let start = column(which, first);
            // After the last head, or a thread's half of them, come other weights.
            let more = self.threads == 1 && first + self.heads < all;
            let next = if which < 2 { (which + 1, first) } else { (0, first + self.heads) };
            let then = (which < 2 || more).then(|| column(next.0, next.1));
            product.multiply(start..start + columns, then, to, buffers);
        }
    }

    /// Computes some heads of all sequences; `rows` is `[3, tokens, heads * head_dim]`.
    fn attention(&self, rows: &[f32], out: &mut MatMut<'_>, buffers: &mut LeafBuffers) {
        let SelfAttention { shape, numbers, .. } = *self.block;
        let (dim, heads) = (shape.head_dim, self.heads);
        let starts = std::iter::once(0).chain(self.ends.iter().copied());
        for (start, end) in starts.zip(self.ends).filter(|(start, end)| start < *end) {
            for head in 0..heads {
                let operands = [0, 1, 2].map(|which| {
                    let rows = &rows[which * self.tokens * heads * dim..];
                    Rows::at(rows, (heads * dim, dim), (start, head), end - start)
                });
                let mut out = out.block(start..*end, head * dim..(head + 1) * dim);
                shape.head(self.isa, numbers, (operands, None), &mut out, buffers);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use half::f16;
    use nervio_simd::Level;

    use super::*;
    use crate::attention::attention_reference;
    use crate::matmul::{Element, WeightKind, matmul_reference};
    use crate::parallel::alone;

    fn wave(len: usize, step: f32) -> Vec<f32> {
        (0..len).map(|i| (i as f32 * step).sin()).collect()
    }

    /// Weights of which every element is a multiple of a power of two, so that no type rounds them.
    fn weight(row: usize, column: usize) -> f32 {
        ((row * 31 + column * 17) % 127) as f32 / 256.0 - 0.25
    }

    fn pack<T: Element>(
        isa: Isa,
        (n, k): (usize, usize),
        from: fn(f32) -> T,
        scale: Option<f32>,
    ) -> PackedMatrix {
        let fill = |row: usize, out: &mut [T]| {
            for (column, out) in out.iter_mut().enumerate() {
                *out = from(weight(row, column));
            }
        };
        PackedMatrix::pack(isa, n, k, fill, scale.map_or(vec![], |scale| vec![scale; n]))
    }

    /// The weights of `shape` for inputs of length `k`, held in every kind.
    fn every_kind(isa: Isa, shape: AttentionShape, k: usize) -> [PackedMatrix; 3] {
        let sizes = (3 * shape.hidden(), k);
        #[allow(clippy::cast_possible_truncation, reason = "whole and within the range of i8")]
        let byte = |x: f32| (x * 256.0) as i8;
        [
            pack(isa, sizes, |x| x, None),
            pack(isa, sizes, f16::from_f32, None),
            pack(isa, sizes, byte, Some(1.0 / 256.0)),
        ]
    }

    /// The result of [`self_attention`] and its steps.
    fn run(
        isa: Isa,
        workspace: &Workspace,
        block: &SelfAttention<'_>,
        x: &[f32],
        ends: &[usize],
    ) -> (Vec<f32>, Vec<SelfAttentionStep>) {
        let (tokens, hidden) = (x.len() / block.weights.depth(), block.shape.hidden());
        let mut out = vec![f32::NAN; tokens * hidden];
        let mut room = vec![f32::NAN; tokens * 3 * hidden];
        let mut steps = Vec::new();
        let mut watch = |step| steps.push(step);
        self_attention(isa, workspace, block, (x, &mut out), ends, &mut room, &mut watch);
        (out, steps)
    }

    fn one_by_one(isa: Isa, block: &SelfAttention<'_>, x: &[f32], ends: &[usize]) -> Vec<f32> {
        let SelfAttention { weights, bias, shape, numbers } = *block;
        let (tokens, workspace) = (x.len() / weights.depth(), Workspace::new());
        let mut qkv = vec![0.0; tokens * weights.rows()];
        matmul(isa, &workspace, x, weights, &Epilogue::Bias(bias), &mut qkv);
        let mut out = vec![0.0; tokens * shape.hidden()];
        attention(isa, &workspace, shape, numbers, &qkv, ends, &mut out);
        out
    }

    fn bits(x: &[f32]) -> Vec<u32> {
        x.iter().map(|x| x.to_bits()).collect()
    }

    const SHAPES: [(usize, usize); 5] = [(2, 64), (3, 32), (4, 32), (5, 16), (2, 20)];

    #[test]
    fn has_the_bits_of_its_kernels_one_by_one() {
        use SelfAttentionStep::{Attention, QueryKeyValue};
        let pool = rayon::ThreadPoolBuilder::new().num_threads(2).build().unwrap();
        for isa in Isa::supported() {
            for (heads, head_dim) in SHAPES {
                let workspace = Workspace::new();
                let shape = AttentionShape { heads, head_dim };
                // Two blocks of depth, the second of which is no whole round.
                let bias = wave(3 * shape.hidden(), 0.7);
                let [.., tiles_of_bytes] = every_kind(isa, shape, 832);
                for weights in every_kind(isa, shape, 803).into_iter().chain([tiles_of_bytes]) {
                    let k = weights.depth();
                    for numbers in [AttentionNumbers::F32, AttentionNumbers::Int16] {
                        let block =
                            SelfAttention { weights: &weights, bias: &bias, shape, numbers };
                        // What is left in the buffers must not show.
                        let spoilt = vec![f32::NAN; 192 * k];
                        let spoil = || run(isa, &workspace, &block, &spoilt, &[192]).0;
                        for out in [alone(spoil), pool.install(spoil)] {
                            assert!(out.iter().all(|x| x.is_nan()));
                        }
                        for ends in [&[1][..], &[0, 17, 17, 40], &[192], &[100, 193], &[]] {
                            let tokens = ends.last().copied().unwrap_or(0);
                            let x = wave(tokens * k, 0.618);
                            let expected = bits(&one_by_one(isa, &block, &x, ends));
                            let kind = weights.kind();
                            let what = format!("{isa} {shape:?} {kind:?} {numbers:?} {ends:?}");
                            let (out, steps) = alone(|| run(isa, &workspace, &block, &x, ends));
                            assert!(bits(&out) == expected, "{what}, alone");
                            let both = [QueryKeyValue, Attention];
                            assert!(both.iter().all(|step| steps.contains(step)), "{what}");
                            let (out, _) = pool.install(|| run(isa, &workspace, &block, &x, ends));
                            assert!(bits(&out) == expected, "{what}, two threads");
                            // A sequence by itself has the bits that it has in a batch.
                            let [.., start, end] = *ends else { continue };
                            let own = &x[start * k..end * k];
                            let own = alone(|| run(isa, &workspace, &block, own, &[end - start]).0);
                            let there = &expected[start * shape.hidden()..];
                            assert!(bits(&own) == there, "{what}: the last sequence alone");
                        }
                    }
                }
            }
        }
    }

    #[test]
    fn goes_head_by_head_on_one_thread_where_panels_end_between_heads() {
        for isa in Isa::supported() {
            let vectors = isa.tiles().is_none();
            for (heads, head_dim) in SHAPES {
                let shape = AttentionShape { heads, head_dim };
                let whole = head_dim.is_multiple_of(isa.panel_width());
                let (k, bias) = (8, vec![0.0; 3 * shape.hidden()]);
                let [weights, ..] = every_kind(isa, shape, k);
                let numbers = AttentionNumbers::F32;
                let block = SelfAttention { weights: &weights, bias: &bias, shape, numbers };
                let fused =
                    |ends: &[usize]| ByHeads::new(isa, &Workspace::new(), &block, ends).is_some();
                for (ends, few) in [(&[30, 192][..], true), (&[193], false), (&[0], false)] {
                    assert_eq!(alone(|| fused(ends)), vectors && whole && few, "{isa} {ends:?}");
                }
                let pool = rayon::ThreadPoolBuilder::new().num_threads(2).build().unwrap();
                assert!(!pool.install(|| fused(&[30])), "{isa}: two threads");
            }
        }
    }

    #[test]
    fn two_threads_have_half_of_the_heads_each_in_bytes_by_tile_registers() {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(2).build().unwrap();
        for isa in Isa::supported() {
            for (heads, head_dim) in SHAPES {
                let shape = AttentionShape { heads, head_dim };
                let halves =
                    isa.tiles().is_some() && [(2, 64), (4, 32)].contains(&(heads, head_dim));
                let bias = vec![0.0; 3 * shape.hidden()];
                for weights in every_kind(isa, shape, 832) {
                    let numbers = AttentionNumbers::F32;
                    let block = SelfAttention { weights: &weights, bias: &bias, shape, numbers };
                    let fused = |ends: &[usize]| {
                        pool.install(|| {
                            ByHeads::new(isa, &Workspace::new(), &block, ends).is_some()
                        })
                    };
                    let expected = halves && weights.kind() == WeightKind::Int8;
                    let cases = [&[1, 30][..], &[192], &[1], &[193]];
                    let expected = [expected, expected, false, false];
                    assert_eq!(cases.map(fused), expected, "{isa} {shape:?} {:?}", weights.kind());
                }
            }
        }
    }

    #[test]
    fn agrees_with_the_scalar_references() {
        let (shape, k, ends) = (AttentionShape { heads: 2, head_dim: 32 }, 96, [37, 60]);
        let (n, bias) = (3 * shape.hidden(), wave(3 * shape.hidden(), 0.7));
        let x = wave(60 * k, 0.618);
        let plain: Vec<f32> = (0..n * k).map(|i| weight(i / k, i % k)).collect();
        let mut qkv = vec![0.0; 60 * n];
        matmul_reference(&x, &plain, k, &Epilogue::Bias(&bias), &mut qkv);
        let mut expected = vec![0.0; 60 * shape.hidden()];
        attention_reference(shape, &qkv, &ends, &mut expected);
        for isa in Isa::supported() {
            for weights in every_kind(isa, shape, k) {
                // Inputs are rounded to bytes, too.
                let most = if weights.kind() == WeightKind::Int8 { 5e-2 } else { 2e-5 };
                let numbers = AttentionNumbers::F32;
                let block = SelfAttention { weights: &weights, bias: &bias, shape, numbers };
                let (out, _) = alone(|| run(isa, &Workspace::new(), &block, &x, &ends));
                let off = out.iter().zip(&expected).map(|(a, b)| (a - b).abs());
                let off = off.fold(0.0, |most: f32, x| if x <= most { most } else { x });
                assert!(off < most, "{isa} {:?}: off by {off}", weights.kind());
            }
        }
    }

    /// Runs it alone with ends, a bias and room of these lengths, for 30 tokens of two heads of 32.
    fn run_with(isa: Isa, weights: &PackedMatrix, ends: &[usize], bias: usize, room: usize) {
        let shape = AttentionShape { heads: 2, head_dim: 32 };
        let bias = vec![0.0; bias];
        let block = SelfAttention { weights, bias: &bias, shape, numbers: AttentionNumbers::F32 };
        let (x, mut out, mut room) = (vec![0.0; 30 * 8], vec![0.0; 30 * 64], vec![0.0; room]);
        alone(|| {
            let (workspace, both) = (Workspace::new(), (&x[..], &mut out[..]));
            self_attention(isa, &workspace, &block, both, ends, &mut room, &mut |_| ());
        });
    }

    fn small(isa: Isa) -> PackedMatrix {
        pack(isa, (192, 8), |x| x, None)
    }

    #[test]
    #[should_panic(expected = "ends in order")]
    fn ends_do_not_decrease() {
        run_with(Isa::best(), &small(Isa::best()), &[10, 5, 30], 192, 30 * 192);
    }

    #[test]
    #[should_panic(expected = "a bias for each of them")]
    fn there_is_a_bias_for_each_output() {
        run_with(Isa::best(), &small(Isa::best()), &[30], 193, 30 * 192);
    }

    #[test]
    #[should_panic(expected = "room for each token")]
    fn there_is_room_for_each_token() {
        run_with(Isa::best(), &small(Isa::best()), &[30], 192, 29 * 192);
    }

    #[test]
    #[should_panic(expected = "another instruction set")]
    fn weights_are_packed_for_the_instruction_set() {
        let portable = Isa::new(Level::Portable).unwrap();
        let other = Isa::supported().find(|isa| isa.level() != Level::Portable);
        // Where there is no other, nothing can be wrong.
        let Some(other) = other else { panic!("weights packed for another instruction set") };
        run_with(other, &small(portable), &[30], 192, 30 * 192);
    }
}
