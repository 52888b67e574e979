//! Scaled dot-product attention (Vaswani et al., arXiv 1706.03762, section 3.2.1) over a packed
//! batch: sequences lie one after another, nothing is padded and no mask exists.
//!
//! Each head of each sequence is two products with a softmax between them ([`head`]); heads and
//! sequences are shared out among the threads. A thread that works alone computes queries, keys and values of
//! a head right before ([`self_attention`](mod@self_attention)).

mod exponentials;
mod float32;
mod head;
mod int16;
mod pack;
mod rows;
mod self_attention;

use std::marker::PhantomData;

use nervio_simd::{Isa, MatMut};

use self::float32::Float32;
use self::head::Head;
use self::int16::{Int16, LONGEST};
use self::rows::Rows;
pub use self::self_attention::{SelfAttention, SelfAttentionStep, self_attention};
use crate::parallel::{GRAIN, join, threads};
use crate::softmax::softmax_reference;
use crate::workspace::{LeafBuffers, LeafPool, Workspace};

/// What packing and weighing a token's part of a head costs, in multiply-adds for each element.
const PACKING: usize = 64;

/// The numbers in which queries meet keys, and weights values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AttentionNumbers {
    /// `f32`
    F32,
    /// 16-bit integers with a scale for each head of a sequence, sums in 32 bits: about 12 bits, fit
    /// for a model whose weights have 8. Where [`Isa::dot_pairs_pay`] twice as many products in the
    /// same time. Sequences of more than 65,536 tokens are computed in `f32`.
    Int16,
}

/// The sizes of an attention layer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AttentionShape {
    /// Number of heads.
    pub heads: usize,
    /// Length of a query, key or value: `hidden / heads`.
    pub head_dim: usize,
}

impl AttentionShape {
    fn hidden(self) -> usize {
        self.heads * self.head_dim
    }

    fn scale(self) -> f32 {
        1.0 / (self.head_dim as f32).sqrt()
    }

    /// Computes one head of one sequence; see [`Head`].
    fn head(
        self,
        isa: Isa,
        numbers: AttentionNumbers,
        (operands, next): ([Rows<'_>; 3], Option<[Rows<'_>; 3]>),
        out: &mut MatMut<'_>,
        buffers: &mut LeafBuffers,
    ) {
        let scale = self.scale();
        if numbers == AttentionNumbers::Int16 && out.rows() <= LONGEST {
            isa.run(Head { operands, next, scale, out, buffers, numbers: PhantomData::<Int16> });
        } else {
            isa.run_floats(Head {
                operands,
                next,
                scale,
                out,
                buffers,
                numbers: PhantomData::<Float32>,
            });
        }
    }
}

/// `out = concat over heads of softmax(Q Kᵀ / √head_dim) V`, sequence by sequence.
///
/// `qkv` is `[tokens, 3 hidden]`: query, key and value of a token side by side. `ends` holds the
/// end of each sequence, counted in tokens from the start of the batch. `out` is `[tokens, hidden]`.
///
/// # Panics
///
/// When the lengths disagree or the ends decrease.
pub fn attention(
    isa: Isa,
    workspace: &Workspace,
    shape: AttentionShape,
    numbers: AttentionNumbers,
    qkv: &[f32],
    ends: &[usize],
    out: &mut [f32],
) {
    let tokens = ends.last().copied().unwrap_or(0);
    assert_eq!(
        qkv.len(),
        tokens * 3 * shape.hidden(),
        "attention: query, key, value of each token"
    );
    assert_eq!(out.len(), tokens * shape.hidden(), "attention: a result for each token");
    assert!(ends.is_sorted(), "attention: ends in order");
    let job = Job { isa, shape, numbers, qkv, leaves: &workspace.leaves };
    job.divide(Part {
        ends,
        first_token: 0,
        heads: 0..shape.heads,
        out: MatMut::new(out, shape.hidden()),
    });
}

/// What all parts of one call share.
struct Job<'a> {
    isa: Isa,
    shape: AttentionShape,
    numbers: AttentionNumbers,
    qkv: &'a [f32],
    leaves: &'a LeafPool,
}

/// Some heads of some sequences.
struct Part<'a> {
    ends: &'a [usize],
    first_token: usize,
    heads: std::ops::Range<usize>,
    /// `[tokens of the sequences, heads * head_dim]`
    out: MatMut<'a>,
}

impl Job<'_> {
    /// Cuts between sequences, then between heads, until a part is too small to share.
    fn divide(&self, part: Part<'_>) {
        let Part { ends, first_token, heads, out } = part;
        let tokens = out.rows();
        let longest = ends.iter().scan(first_token, |start, end| {
            let len = end - *start;
            *start = *end;
            Some(len)
        });
        let cost = tokens * (2 * longest.max().unwrap_or(0) + PACKING) * out.columns();
        if cost < 2 * GRAIN || threads() == 1 {
            return self.run(Part { ends, first_token, heads, out });
        }
        if ends.len() > 1 {
            let middle = first_token + tokens / 2;
            let cut = ends.partition_point(|end| *end <= middle).clamp(1, ends.len() - 1);
            let (head, tail) = ends.split_at(cut);
            let split = head[cut - 1];
            let (top, bottom) = out.split_rows(split - first_token);
            let first = Part { ends: head, first_token, heads: heads.clone(), out: top };
            let second = Part { ends: tail, first_token: split, heads, out: bottom };
            join(|| self.divide(first), || self.divide(second));
        } else if heads.len() > 1 {
            let middle = heads.start + heads.len() / 2;
            let (left, right) = out.split_columns((middle - heads.start) * self.shape.head_dim);
            let first = Part { ends, first_token, heads: heads.start..middle, out: left };
            let second = Part { ends, first_token, heads: middle..heads.end, out: right };
            join(|| self.divide(first), || self.divide(second));
        } else {
            self.run(Part { ends, first_token, heads, out });
        }
    }

    fn run(&self, part: Part<'_>) {
        let Part { ends, first_token, heads, mut out } = part;
        let starts = std::iter::once(first_token).chain(ends.iter().copied());
        let sequences = starts.zip(ends).filter(|(start, end)| start < *end);
        let mut all = sequences
            .flat_map(|(start, end)| heads.clone().map(move |head| (start, *end, head)))
            .peekable();
        self.leaves.with(|buffers| {
            while let Some(at) = all.next() {
                let (start, end, head) = at;
                let column = (head - heads.start) * self.shape.head_dim;
                let rows = start - first_token..end - first_token;
                let out = &mut out.block(rows, column..column + self.shape.head_dim);
                let next = all.peek().map(|next| self.operands(*next));
                self.shape.head(self.isa, self.numbers, (self.operands(at), next), out, buffers);
            }
        });
    }

    /// Queries, keys and values of one head of the sequence from `start` to before `end`.
    fn operands(&self, (start, end, head): (usize, usize, usize)) -> [Rows<'_>; 3] {
        [0, 1, 2].map(|which| Rows::of(self.qkv, self.shape, which, start, head, end - start))
    }
}

/// The probabilities of one head of one sequence by plain loops, `[tokens, tokens]`: what a reader
/// may trace, and the first half of the scalar reference.
#[must_use]
pub fn attention_probabilities(
    shape: AttentionShape,
    qkv: &[f32],
    start: usize,
    tokens: usize,
    head: usize,
) -> Vec<f32> {
    if tokens == 0 {
        return Vec::new();
    }
    let part = |which| Rows::of(qkv, shape, which, start, head, tokens);
    let (query, key) = (part(0), part(1));
    let mut probabilities = Vec::with_capacity(tokens * tokens);
    for q in query.elements.chunks(query.stride) {
        let mut row: Vec<f32> = key
            .elements
            .chunks(key.stride)
            .map(|k| {
                let pairs = q.iter().zip(k).take(shape.head_dim);
                pairs.map(|(q, k)| f64::from(*q) * f64::from(*k)).sum::<f64>() as f32
            })
            .collect();
        softmax_reference(&mut row, shape.scale());
        probabilities.append(&mut row);
    }
    probabilities
}

/// The scalar reference of [`attention`].
pub fn attention_reference(shape: AttentionShape, qkv: &[f32], ends: &[usize], out: &mut [f32]) {
    let mut start = 0;
    for end in ends {
        let tokens = end - start;
        for head in 0..shape.heads {
            let probabilities = attention_probabilities(shape, qkv, start, tokens, head);
            for (token, row) in probabilities.chunks(tokens.max(1)).enumerate() {
                let value = Rows::of(qkv, shape, 2, start, head, tokens);
                for d in 0..shape.head_dim {
                    let weighted = row.iter().zip(value.elements.chunks(value.stride));
                    let sum: f64 = weighted.map(|(p, v)| f64::from(*p) * f64::from(v[d])).sum();
                    let at = (start + token) * shape.hidden() + head * shape.head_dim + d;
                    out[at] = sum as f32;
                }
            }
        }
        start = *end;
    }
}

#[cfg(test)]
mod tests;
