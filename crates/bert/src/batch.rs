//! Sequences of token ids laid one after another.

use std::ops::Range;

use crate::{BatchError, Config};

/// A packed batch: nothing is padded, so no mask exists.
///
/// Behind the attention of the last layer nothing but its outputs is computed: all tokens, unless
/// [`push_reading`](Self::push_reading) names fewer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Batch {
    ids: Vec<u32>,
    ends: Vec<usize>,
    /// The tokens that are read, counted from the start of the batch; rising.
    outputs: Vec<usize>,
}

impl Batch {
    /// An empty batch.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Forgets all sequences and keeps the memory.
    pub fn clear(&mut self) {
        self.ids.clear();
        self.ends.clear();
        self.outputs.clear();
    }

    /// Adds a sequence of token ids, special tokens included. All tokens are read.
    ///
    /// # Errors
    ///
    /// When it is longer than the model's position table or holds an id past its vocabulary; the
    /// batch is then as before.
    pub fn push(
        &mut self,
        config: &Config,
        ids: impl IntoIterator<Item = u32>,
    ) -> Result<(), BatchError> {
        self.push_reading(config, ids.into_iter().map(|id| (id, true)))
    }

    /// Adds a sequence of token ids, special tokens included, each with whether its last hidden state
    /// is read. The others take part in attention as ever and are left out of what a pass returns.
    ///
    /// # Errors
    ///
    /// As [`push`](Self::push).
    pub fn push_reading(
        &mut self,
        config: &Config,
        tokens: impl IntoIterator<Item = (u32, bool)>,
    ) -> Result<(), BatchError> {
        let (start, read) = (self.ids.len(), self.outputs.len());
        for (id, is_read) in tokens {
            if is_read {
                self.outputs.push(self.ids.len());
            }
            self.ids.push(id);
        }
        let added = &self.ids[start..];
        let tokens = added.len();
        let unknown = added.iter().find(|id| **id as usize >= config.vocab_size).copied();
        let error = if tokens > config.max_position_embeddings {
            BatchError::TooLong { tokens, limit: config.max_position_embeddings }
        } else if let Some(id) = unknown {
            BatchError::UnknownToken { id, vocab_size: config.vocab_size }
        } else {
            self.ends.push(self.ids.len());
            return Ok(());
        };
        self.ids.truncate(start);
        self.outputs.truncate(read);
        Err(error)
    }

    /// Adds a sequence of another batch for the same model.
    pub(crate) fn push_sequence_of(&mut self, batch: &Self, index: usize) {
        let (tokens, start) = (batch.sequence(index), self.ids.len());
        let outputs = &batch.outputs[batch.outputs_of(tokens.clone())];
        self.outputs.extend(outputs.iter().map(|token| token - tokens.start + start));
        self.ids.extend_from_slice(&batch.ids[tokens]);
        self.ends.push(self.ids.len());
    }

    /// Token ids of all sequences; `[tokens]`.
    #[must_use]
    pub fn ids(&self) -> &[u32] {
        &self.ids
    }

    /// The end of each sequence, counted in tokens from the start of the batch.
    #[must_use]
    pub fn ends(&self) -> &[usize] {
        &self.ends
    }

    /// The tokens of each sequence as a range.
    pub fn sequences(&self) -> impl Iterator<Item = Range<usize>> {
        let starts = std::iter::once(0).chain(self.ends.iter().copied());
        starts.zip(&self.ends).map(|(start, end)| start..*end)
    }

    /// The tokens of one sequence.
    pub(crate) fn sequence(&self, index: usize) -> Range<usize> {
        let start = if index == 0 { 0 } else { self.ends[index - 1] };
        start..self.ends[index]
    }

    /// The tokens whose last hidden states are read, counted from the start of the batch; rising.
    #[must_use]
    pub fn outputs(&self) -> &[usize] {
        &self.outputs
    }

    /// Which of the [`outputs`](Self::outputs) lie among some tokens.
    #[must_use]
    pub fn outputs_of(&self, tokens: Range<usize>) -> Range<usize> {
        let before = |end| self.outputs.partition_point(|token| *token < end);
        before(tokens.start)..before(tokens.end)
    }

    /// Bytes held at the moment.
    pub(crate) fn bytes(&self) -> usize {
        let positions = self.ends.capacity() + self.outputs.capacity();
        self.ids.capacity() * size_of::<u32>() + positions * size_of::<usize>()
    }

    /// Number of tokens in all sequences.
    #[must_use]
    pub fn tokens(&self) -> usize {
        self.ids.len()
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    #[test]
    fn a_refused_sequence_leaves_the_batch_as_it_was() {
        let json = br#"{"vocab_size": 10, "max_position_embeddings": 4}"#;
        let config = Config::from_bytes(Path::new("config.json"), json).unwrap();
        let mut batch = Batch::new();
        batch.push_reading(&config, [(1, false), (2, true), (3, false)]).unwrap();
        assert_eq!(
            batch.push(&config, [1, 10]),
            Err(BatchError::UnknownToken { id: 10, vocab_size: 10 })
        );
        assert_eq!(batch.push(&config, [1; 5]), Err(BatchError::TooLong { tokens: 5, limit: 4 }));
        batch.push(&config, []).unwrap();
        batch.push(&config, [9]).unwrap();
        assert_eq!((batch.ids(), batch.ends()), (&[1, 2, 3, 9][..], &[3, 3, 4][..]));
        assert_eq!(batch.sequences().collect::<Vec<_>>(), [0..3, 3..3, 3..4]);
        assert_eq!(batch.outputs(), [1, 3]);
        let outputs: Vec<_> = batch.sequences().map(|tokens| batch.outputs_of(tokens)).collect();
        assert_eq!(outputs, [0..1, 1..1, 1..2]);
        let mut other = Batch::new();
        for index in [2, 0, 1] {
            other.push_sequence_of(&batch, index);
        }
        assert_eq!((other.ids(), other.outputs()), (&[9, 1, 2, 3][..], &[0, 2][..]));
    }
}
