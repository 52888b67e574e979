//! Sequences of token ids laid one after another.

use crate::{BatchError, Config};

/// A packed batch: nothing is padded, so no mask exists.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Batch {
    ids: Vec<u32>,
    ends: Vec<usize>,
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
    }

    /// Adds a sequence of token ids, special tokens included.
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
        let start = self.ids.len();
        self.ids.extend(ids);
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
        Err(error)
    }

    /// Adds a sequence of another batch for the same model.
    pub(crate) fn push_sequence_of(&mut self, batch: &Self, index: usize) {
        self.ids.extend_from_slice(&batch.ids[batch.sequence(index)]);
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
    pub fn sequences(&self) -> impl Iterator<Item = std::ops::Range<usize>> {
        let starts = std::iter::once(0).chain(self.ends.iter().copied());
        starts.zip(&self.ends).map(|(start, end)| start..*end)
    }

    /// The tokens of one sequence.
    pub(crate) fn sequence(&self, index: usize) -> std::ops::Range<usize> {
        let start = if index == 0 { 0 } else { self.ends[index - 1] };
        start..self.ends[index]
    }

    /// Bytes held at the moment.
    pub(crate) fn bytes(&self) -> usize {
        self.ids.capacity() * size_of::<u32>() + self.ends.capacity() * size_of::<usize>()
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
        batch.push(&config, [1, 2, 3]).unwrap();
        assert_eq!(
            batch.push(&config, [1, 10]),
            Err(BatchError::UnknownToken { id: 10, vocab_size: 10 })
        );
        assert_eq!(batch.push(&config, [1; 5]), Err(BatchError::TooLong { tokens: 5, limit: 4 }));
        batch.push(&config, []).unwrap();
        batch.push(&config, [9]).unwrap();
        assert_eq!((batch.ids(), batch.ends()), (&[1, 2, 3, 9][..], &[3, 3, 4][..]));
        assert_eq!(batch.sequences().collect::<Vec<_>>(), [0..3, 3..3, 3..4]);
    }
}
