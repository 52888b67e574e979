//! Windows gathered into batches, each that stands in several places once.

use std::cmp::Reverse;
use std::collections::HashMap;
use std::ops::Range;
use std::sync::{Mutex, PoisonError};

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

/// Hands out jobs in batches to workers that come back for more. Jobs are sorted by length, which makes the
/// sequences of a batch alike, so that attention is cut evenly among threads.
#[derive(Debug)]
pub(crate) struct Queue<'a> {
    jobs: &'a [&'a Job],
    rest: Mutex<Rest>,
    /// Most tokens of a batch, unless one job has more.
    most: usize,
    /// Workers at the same time.
    workers: usize,
}

/// What nobody has taken yet.
#[derive(Debug)]
struct Rest {
    /// The first job.
    start: usize,
    /// Tokens of it and all behind it.
    tokens: usize,
}

/// Tokens from which on a batch is worth the weights that are fetched for it.
const LEAST: usize = 128;

/// Times that the longest job fits into the part of a worker: its end may be so much later than that of others.
const UNEVEN: usize = 16;

impl<'a> Queue<'a> {
    /// A queue of batches of at most `batch_tokens` tokens for one worker, or of its part for each of
    /// `threads`: where there is enough for all of them, and no job so long that others would wait for it.
    pub(crate) fn new(jobs: &'a [&'a Job], batch_tokens: usize, threads: usize) -> Self {
        let tokens: usize = jobs.iter().map(|job| job.tokens.len()).sum();
        let longest = jobs.first().map_or(0, |job| job.tokens.len());
        let enough = longest.saturating_mul(UNEVEN).max(8 * LEAST);
        let several = tokens > batch_tokens && tokens / threads >= enough;
        let workers = if several { threads } else { 1 };
        let most = (batch_tokens / workers).max(LEAST.min(batch_tokens));
        Self { jobs, rest: Mutex::new(Rest { start: 0, tokens }), most, workers }
    }

    /// Whether the batches are for workers that compute alone.
    pub(crate) fn is_shared(&self) -> bool {
        self.workers > 1
    }

    /// The jobs of the next batch, by their places. For several workers the last ones are ever smaller: they are done at about the same
    /// time, though cores may not be equally fast.
    pub(crate) fn next(&self) -> Option<Range<usize>> {
        let mut rest = self.rest.lock().unwrap_or_else(PoisonError::into_inner);
        let share = if self.workers > 1 {
            (rest.tokens / (2 * self.workers)).max(LEAST)
        } else {
            self.most
        };
        let most = share.min(self.most);
        let mut count = 0;
        let mut tokens = 0;
        for job in &self.jobs[rest.start..] {
            let len = job.tokens.len();
            if count > 0 && tokens + len > most {
                break;
            }
            count += 1;
            tokens += len;
        }
        let batch = rest.start..rest.start + count;
        *rest = Rest { start: batch.end, tokens: rest.tokens - tokens };
        (!batch.is_empty()).then_some(batch)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The lengths of what a queue hands out.
    fn cut(lengths: &[usize], most: usize, threads: usize) -> Vec<Vec<usize>> {
        let job = |len: &usize| Job { tokens: vec![(0, true); *len], places: vec![] };
        let jobs: Vec<Job> = lengths.iter().map(job).collect();
        let jobs: Vec<&Job> = jobs.iter().collect();
        let queue = Queue::new(&jobs, most, threads);
        std::iter::from_fn(|| queue.next()).map(|batch| lengths[batch].to_vec()).collect()
    }

    #[test]
    fn batches_hold_what_fits_or_one_job() {
        assert_eq!(cut(&[], 10, 1), [[0; 0]; 0]);
        assert_eq!(cut(&[9, 6, 4, 3, 3, 2], 10, 1), [&[9][..], &[6, 4], &[3, 3, 2]]);
        assert_eq!(cut(&[12, 11, 5], 10, 1), [[12], [11], [5]]);
        assert_eq!(cut(&[2, 2], usize::MAX, 1), [[2, 2]]);
        assert_eq!(cut(&[2, 2], 3, 8), [[2], [2]]);
        assert_eq!(cut(&[300, 300], 1, 2), [[300], [300]]);
        // A worker would wait for another's last one.
        assert_eq!(cut(&[512; 5], 2048, 2), [&[512; 4][..], &[512]]);
    }

    #[test]
    fn the_last_batches_of_several_workers_are_small() {
        let sizes: Vec<usize> = cut(&[10; 300], 2000, 2).iter().map(|x| x.iter().sum()).collect();
        assert_eq!(sizes, [750, 560, 420, 310, 240, 180, 130, 120, 120, 120, 50]);
        // Not too small where there are many workers; one where there is too little for them.
        assert_eq!(cut(&[10; 2048], 1000, 20)[..3], [[10; 12]; 3]);
        assert_eq!(cut(&[10; 2047], 1000, 20)[0].len(), 100);
        assert_eq!(cut(&[10; 300], 3000, 2).len(), 1);
    }
}
