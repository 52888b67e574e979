//! The embedding tables and what they add up to.

use half::{bf16, f16};
use nervio_kernels::{Frozen, threads};
use rayon::prelude::*;

use crate::encoder::LayerNorm;
use crate::reader::WeightReader;
use crate::{Batch, Config, LoadError};

/// An embedding table, `[rows, hidden]` row-major, in the type in which it is held.
#[derive(Debug)]
pub(crate) enum Table {
    F32(Frozen<f32>),
    F16(Frozen<f16>),
    BF16(Frozen<bf16>),
    /// With one scale for each row.
    Int8(Frozen<i8>, Vec<f32>),
}

impl Table {
    /// Adds row `row` to `out`, `[hidden]`.
    fn add(&self, row: usize, out: &mut [f32]) {
        let range = row * out.len()..(row + 1) * out.len();
        match self {
            Self::F32(values) => add_each(out, &values.as_slice()[range], |x| *x),
            Self::F16(values) => add_each(out, &values.as_slice()[range], |x| x.to_f32()),
            Self::BF16(values) => add_each(out, &values.as_slice()[range], |x| x.to_f32()),
            Self::Int8(values, scales) => {
                let scale = scales[row];
                add_each(out, &values.as_slice()[range], |x| f32::from(*x) * scale);
            }
        }
    }

    /// Bytes that the table occupies.
    pub(crate) fn bytes(&self) -> usize {
        match self {
            Self::F32(values) => values.bytes(),
            Self::F16(values) => values.bytes(),
            Self::BF16(values) => values.bytes(),
            Self::Int8(values, scales) => values.bytes() + size_of_val(scales.as_slice()),
        }
    }
}

fn add_each<T>(out: &mut [f32], row: &[T], widen: impl Fn(&T) -> f32) {
    for (out, x) in out.iter_mut().zip(row) {
        *out += widen(x);
    }
}

/// Rows for which another thread is worth its while.
const FEWEST_ROWS: usize = 32;

/// `BertEmbeddings`: words, positions and token types (always type 0), then layer norm.
#[derive(Debug)]
pub(crate) struct Embeddings {
    /// `[vocab_size, hidden]`
    pub(crate) words: Table,
    /// `[max_position_embeddings, hidden]`
    pub(crate) positions: Table,
    /// Row 0 of the token type table; `[hidden]`.
    pub(crate) token_type: Vec<f32>,
    pub(crate) layer_norm: LayerNorm,
}

impl Embeddings {
    /// Reads the tables and the layer norm.
    ///
    /// # Errors
    ///
    /// As [`Encoder::load`](crate::Encoder::load).
    pub(crate) fn load(reader: &impl WeightReader, config: &Config) -> Result<Self, LoadError> {
        let hidden = config.hidden_size;
        let (positions, types) = (config.max_position_embeddings, config.type_vocab_size);
        let name = |table: &str| format!("embeddings.{table}_embeddings.weight");
        Ok(Self {
            words: reader.table(&name("word"), config.vocab_size, hidden)?,
            positions: reader.table(&name("position"), positions, hidden)?,
            token_type: reader.first_row(&name("token_type"), types, hidden)?,
            layer_norm: reader.layer_norm("embeddings.LayerNorm", hidden)?,
        })
    }

    /// The sums before layer norm; `out` is `[tokens, hidden]`.
    pub(crate) fn gather(&self, batch: &Batch, out: &mut [f32]) {
        let hidden = self.token_type.len();
        // One piece for each thread: the rows that layer norm will find in its caches.
        let rows = batch.tokens().div_ceil(threads()).max(FEWEST_ROWS);
        let pieces = out.par_chunks_mut(rows * hidden).enumerate();
        pieces.for_each(|(piece, out)| self.gather_from(piece * rows, batch, out));
    }

    /// The rows of the tokens from `first` on, as many as `out` has room for.
    fn gather_from(&self, first: usize, batch: &Batch, out: &mut [f32]) {
        let positions = batch.sequences().flat_map(|sequence| 0..sequence.len());
        let tokens = batch.ids().iter().zip(positions).skip(first);
        for (out, (id, position)) in out.chunks_exact_mut(self.token_type.len()).zip(tokens) {
            // The order of `modeling_bert.py`: word, token type, position.
            out.fill(0.0);
            self.words.add(*id as usize, out);
            add_each(out, &self.token_type, |x| *x);
            self.positions.add(position, out);
        }
    }
}
