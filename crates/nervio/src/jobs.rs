//! Windows gathered into batches, each that stands in several places once.

use std::cmp::Reverse;
use std::collections::HashMap;

use nervio_tokenizer::Tokenizer;

use crate::Error;
use crate::plan::Planned;
use crate::reading::Reading;

/// Where a window stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Place {
    pub(crate) document: usize,
    pub(crate) window: usize,
}

/// Tokens that go through the encoder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Job {
    /// Ids with those of special tokens, each with whether its logits are read.
    pub(crate) tokens: Vec<(u32, bool)>,
    /// The windows that consist of them: a dateline or a heading may come again and again, and its
    /// results depend on nothing else.
    pub(crate) places: Vec<Place>,
}

/// The windows of all documents that could be planned, longest first.
pub(crate) fn jobs(
    planned: &[Result<Planned, Error>],
    tokenizer: &Tokenizer,
    reading: Reading,
) -> Vec<Job> {
    let mut all: HashMap<Vec<(u32, bool)>, Vec<Place>> = HashMap::new();
    for (document, plan) in planned.iter().enumerate() {
        let Ok(plan) = plan else { continue };
        for (window, pieces) in plan.windows.iter().enumerate() {
            let tokens = reading.tokens(tokenizer, &plan.encoding, pieces).collect();
            all.entry(tokens).or_default().push(Place { document, window });
        }
    }
    let mut jobs: Vec<Job> =
        all.into_iter().map(|(tokens, places)| Job { tokens, places }).collect();
    // By the first place, too: no two jobs share one, so that the order is always the same.
    jobs.sort_unstable_by_key(|job| (Reverse(job.tokens.len()), job.places.first().copied()));
    jobs
}

/// Jobs in batches of at most `batch_tokens` tokens (or one job). They are sorted by length, which makes
/// the sequences of a batch alike, so that attention is cut evenly among threads.
pub(crate) fn batches(jobs: &[Job], batch_tokens: usize) -> impl Iterator<Item = &[Job]> {
    let mut rest = jobs;
    std::iter::from_fn(move || {
        let mut tokens = 0_usize;
        let fits = |job: &&Job| {
            tokens = tokens.saturating_add(job.tokens.len());
            tokens <= batch_tokens
        };
        let count = rest.iter().take_while(fits).count().max(1).min(rest.len());
        let (batch, after) = rest.split_at(count);
        rest = after;
        (!batch.is_empty()).then_some(batch)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn batches_hold_what_fits_or_one_job() {
        let job = |len| Job { tokens: vec![(0, true); len], places: vec![] };
        let cut = |lengths: &[usize], most| -> Vec<Vec<usize>> {
            let jobs: Vec<Job> = lengths.iter().map(|len| job(*len)).collect();
            let lengths = |batch: &[Job]| batch.iter().map(|job| job.tokens.len()).collect();
            batches(&jobs, most).map(lengths).collect()
        };
        assert_eq!(cut(&[], 10), [[0; 0]; 0]);
        assert_eq!(cut(&[9, 6, 4, 3, 3, 2], 10), [&[9][..], &[6, 4], &[3, 3, 2]]);
        assert_eq!(cut(&[12, 11, 5], 10), [[12], [11], [5]]);
        assert_eq!(cut(&[2, 2], usize::MAX), [[2, 2]]);
    }
}
