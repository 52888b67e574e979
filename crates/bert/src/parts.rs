//! A batch cut into parts that go through a layer one after another.

use std::ops::Range;

use crate::Batch;

/// Tokens of a part for each thread, as long as the sequences allow it: what a layer hands from one
/// product to the next then stays in the caches of its core, and its weights in the shared one.
const THREAD_TOKENS: usize = 128;

/// A batch cut into parts. It keeps its memory from one batch to the next.
#[derive(Debug, Default)]
pub(crate) struct Parts {
    parts: Vec<PartRange>,
    /// The end of each sequence, counted in tokens from the start of its part.
    ends: Vec<usize>,
}

/// Where a part lies in the batch.
#[derive(Debug)]
struct PartRange {
    tokens: Range<usize>,
    sequences: Range<usize>,
}

/// Whole sequences of a batch that go through a layer together.
#[derive(Clone, Debug)]
pub(crate) struct Part<'a> {
    /// Index of the first sequence in the batch.
    pub(crate) first_sequence: usize,
    /// Where its tokens lie in the batch.
    pub(crate) tokens: Range<usize>,
    /// The end of each sequence, counted in tokens from the start of the part.
    pub(crate) ends: &'a [usize],
}

impl Parts {
    /// Cuts a batch between sequences into about equal parts of at most [`THREAD_TOKENS`] tokens for
    /// each thread; a longer sequence is a part of its own.
    pub(crate) fn cut(&mut self, batch: &Batch, threads: usize) {
        self.parts.clear();
        self.ends.clear();
        let most = threads * THREAD_TOKENS;
        let even = batch.tokens().div_ceil(batch.tokens().div_ceil(most).max(1));
        for (index, sequence) in batch.sequences().enumerate() {
            let len = sequence.len();
            let fits = |part: &&mut PartRange| {
                let tokens = part.tokens.len();
                len == 0 || tokens == 0 || (tokens < even && tokens + len <= most)
            };
            if let Some(part) = self.parts.last_mut().filter(fits) {
                part.tokens.end = sequence.end;
                part.sequences.end = index + 1;
                self.ends.push(part.tokens.len());
            } else {
                self.parts.push(PartRange { tokens: sequence, sequences: index..index + 1 });
                self.ends.push(len);
            }
        }
    }

    /// The parts, in the order of their sequences.
    pub(crate) fn iter(&self) -> impl Iterator<Item = Part<'_>> {
        self.parts.iter().map(|part| Part {
            first_sequence: part.sequences.start,
            tokens: part.tokens.clone(),
            ends: &self.ends[part.sequences.clone()],
        })
    }

    /// Bytes held at the moment.
    pub(crate) fn bytes(&self) -> usize {
        self.parts.capacity() * size_of::<PartRange>() + self.ends.capacity() * size_of::<usize>()
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::Config;

    fn lengths(lengths: &[usize], threads: usize) -> Vec<Vec<usize>> {
        let json = br#"{"vocab_size": 1, "max_position_embeddings": 512}"#;
        let config = Config::from_bytes(Path::new("config.json"), json).unwrap();
        let mut batch = Batch::new();
        for len in lengths {
            batch.push(&config, vec![0; *len]).unwrap();
        }
        let mut parts = Parts::default();
        parts.cut(&batch, threads);
        let mut start = 0;
        for part in parts.iter() {
            assert_eq!(part.tokens.start, start);
            assert_eq!(part.ends.last(), Some(&part.tokens.len()));
            start = part.tokens.end;
        }
        assert_eq!(start, batch.tokens());
        let sequences: Vec<usize> = batch.sequences().map(|tokens| tokens.len()).collect();
        let starts: Vec<usize> = parts.iter().map(|part| part.first_sequence).collect();
        let ends = starts.iter().skip(1).copied().chain([sequences.len()]);
        starts.iter().zip(ends).map(|(start, end)| sequences[*start..end].to_vec()).collect()
    }

    #[test]
    fn parts_are_whole_sequences_and_even() {
        assert_eq!(lengths(&[], 2), [[0; 0]; 0]);
        assert_eq!(lengths(&[0, 3, 0], 1), [[0, 3, 0]]);
        assert_eq!(lengths(&[128; 4], 2), [[128; 2]; 2]);
        assert_eq!(lengths(&[128; 3], 2), [&[128; 2][..], &[128]]);
        assert_eq!(lengths(&[60; 6], 2), [[60; 3]; 2]);
        assert_eq!(lengths(&[0, 512, 0], 1), [[0, 512, 0]]);
        assert_eq!(lengths(&[512, 100, 100], 1), [&[512][..], &[100], &[100]]);
        assert_eq!(lengths(&[10; 12], 1), [[10; 12]]);
    }
}
