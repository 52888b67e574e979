//! Windows gathered into batches, each that stands in several places once.

use std::cmp::Reverse;
use std::collections::HashMap;
use std::ops::Range;
use std::sync::{Mutex, MutexGuard, PoisonError};

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
    /// Tokens of all jobs.
    tokens: usize,
}

/// What nobody has taken yet.
#[derive(Debug)]
struct Rest {
    jobs: Range<usize>,
    /// Those of these jobs.
    tokens: usize,
    /// Whether there were more jobs, which are left out.
    shortened: bool,
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
        let rest = Mutex::new(Rest { jobs: 0..jobs.len(), tokens, shortened: false });
        Self { jobs, rest, most, workers, tokens }
    }

    /// Whether the batches are for workers that compute alone.
    pub(crate) fn is_shared(&self) -> bool {
        self.workers > 1
    }

    /// The jobs of the next batch, by their places. For several workers the last ones are ever smaller: they are
    /// done at about the same time, though cores may not be equally fast.
    pub(crate) fn next(&self) -> Option<Range<usize>> {
        let mut rest = self.lock();
        let share = if self.workers > 1 {
            (rest.tokens / (2 * self.workers)).max(LEAST)
        } else {
            self.most
        };
        let most = share.min(self.most);
        let (count, tokens) = self.fitting(&rest.jobs, most);
        let batch = rest.jobs.start..rest.jobs.start + count;
        rest.jobs.start = batch.end;
        rest.tokens -= tokens;
        (!batch.is_empty()).then_some(batch)
    }

    /// Tokens of all jobs.
    pub(crate) fn all_tokens(&self) -> usize {
        self.tokens
    }

    /// Tokens of all batches so far, until the queue is to end soon.
    pub(crate) fn taken_tokens(&self) -> usize {
        self.tokens - self.lock().tokens
    }

    /// Leaves out the last jobs, but for as many as others may need until the last worker is done with its batch.
    pub(crate) fn end_soon(&self) {
        let mut rest = self.lock();
        if rest.shortened {
            return;
        }
        let (count, tokens) = match self.workers {
            1 => (0, 0),
            workers => self.fitting(&rest.jobs, (workers - 1) * self.most),
        };
        // A little that would be left is not worth another turn.
        if rest.tokens - tokens > self.most {
            let jobs = rest.jobs.start..rest.jobs.start + count;
            *rest = Rest { jobs, tokens, shortened: true };
        }
    }

    /// How many of some jobs have so many tokens, or are the first, and the tokens that they have.
    fn fitting(&self, jobs: &Range<usize>, most: usize) -> (usize, usize) {
        let (mut count, mut tokens) = (0, 0_usize);
        for job in &self.jobs[jobs.clone()] {
            let with = tokens.saturating_add(job.tokens.len());
            if count > 0 && with > most {
                break;
            }
            (count, tokens) = (count + 1, with);
        }
        (count, tokens)
    }

    fn lock(&self) -> MutexGuard<'_, Rest> {
        self.rest.lock().unwrap_or_else(PoisonError::into_inner)
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

    #[test]
    fn a_queue_that_ends_soon_leaves_out_its_last_jobs() {
        let job = Job { tokens: vec![(0, true); 10], places: vec![] };
        let jobs = vec![&job; 1000];
        let rest = |queue: &Queue<'_>| -> Vec<usize> {
            let sizes: Vec<usize> =
                std::iter::from_fn(|| queue.next()).map(|batch| 10 * batch.len()).collect();
            assert!(queue.next().is_none());
            sizes
        };
        for (threads, most, taken) in [(1, 2000, 2000), (2, 2000, 1000)] {
            let queue = Queue::new(&jobs, most, threads);
            assert_eq!(queue.next(), Some(0..taken / 10));
            assert_eq!((queue.taken_tokens(), queue.all_tokens()), (taken, 10_000));
            queue.end_soon();
            // A second time it leaves out nothing more.
            queue.end_soon();
            let expected: &[usize] =
                if threads == 1 { &[] } else { &[250, 180, 140, 120, 120, 120, 70] };
            assert_eq!(rest(&queue), expected, "{threads} threads");
        }
        // What is left is little, or nothing.
        let queue = Queue::new(&jobs[..300], 2000, 1);
        assert_eq!(queue.next(), Some(0..200));
        queue.end_soon();
        assert_eq!(rest(&queue), [1000]);
        queue.end_soon();
        assert_eq!(queue.next(), None);
    }
}
