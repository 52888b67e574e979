//! Windows through the encoder: those of one call, or of several at the same time.

use std::cmp::Reverse;
use std::panic::resume_unwind;
use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};

use nervio_bert::{Batch, BatchError, Scratch, TokenClassifier};
use nervio_kernels::{each_alone, keep_awake};
use rayon::ThreadPool;

use crate::calls::{Calls, Entry, Group};
use crate::jobs::{Job, Queue};

/// Buffers of forward passes that are not running.
#[derive(Debug, Default)]
pub(crate) struct Scratches(Mutex<Vec<Scratch>>);

impl Scratches {
    pub(crate) fn lend<R>(&self, work: impl FnOnce(&mut Scratch) -> R) -> R {
        let lock = || self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut scratch = lock().pop().unwrap_or_default();
        let result = work(&mut scratch);
        lock().push(scratch);
        result
    }
}

/// The logits of a job that are read, `[read, labels]`, or what is wrong with it.
pub(crate) type Logits = Result<Vec<f32>, BatchError>;

/// The jobs of one call, and where its answer goes.
#[derive(Debug)]
struct Call {
    jobs: Vec<Job>,
    answer: Sender<(Vec<Job>, Vec<Logits>)>,
}

/// The model with buffers for its passes and the calls that wait for them.
#[derive(Debug)]
pub(crate) struct Engine {
    pub(crate) classifier: TokenClassifier,
    batch_tokens: usize,
    calls: Calls<Call>,
    /// Buffers of passes of all threads.
    pub(crate) scratches: Scratches,
    /// Those of threads with batches of their own, which are smaller.
    own_scratches: Scratches,
}

impl Engine {
    /// The engine of a recogniser with so many threads, for batches of at most so many tokens.
    pub(crate) fn new(classifier: TokenClassifier, threads: usize, batch_tokens: usize) -> Self {
        Self {
            classifier,
            batch_tokens,
            calls: Calls::new(threads, batch_tokens),
            scratches: Scratches::default(),
            own_scratches: Scratches::default(),
        }
    }

    /// Computes the logits of jobs on the threads of `pool`, together with those of other calls at the same time,
    /// and waits for them. The jobs are given back.
    pub(crate) fn logits(
        self: &Arc<Self>,
        pool: &ThreadPool,
        jobs: Vec<Job>,
    ) -> (Vec<Job>, Vec<Logits>) {
        if jobs.is_empty() {
            return (jobs, Vec::new());
        }
        let tokens = jobs.iter().map(|job| job.tokens.len()).sum();
        let (answer, answered) = channel();
        if let Some(group) = self.calls.come(tokens, Call { jobs, answer }) {
            let engine = Arc::clone(self);
            pool.spawn(move || engine.run(group));
        }
        // Without an answer the pass panicked, which its thread has reported.
        answered.recv().unwrap_or_else(|_| resume_unwind(Box::new("a forward pass panicked")))
    }

    /// Computes calls, and then those that could not begin before.
    fn run(self: &Arc<Self>, group: Group<Call>) {
        self.calls.run(group, |entry, calls| keep_awake(|| self.compute(entry, calls)));
    }

    /// Computes the jobs of calls together, and answers each.
    fn compute(self: &Arc<Self>, entry: Entry, calls: Vec<Call>) {
        let jobs: Vec<&Job> = calls.iter().flat_map(|call| &call.jobs).collect();
        let mut order: Vec<usize> = (0..jobs.len()).collect();
        order.sort_by_key(|job| Reverse(jobs[*job].tokens.len()));
        let sorted: Vec<&Job> = order.iter().map(|job| jobs[*job]).collect();
        let mut found = self.compute_jobs(entry, &sorted);
        found.sort_unstable_by_key(|(place, _)| order[*place]);
        let mut found = found.into_iter().map(|(_, logits)| logits);
        for Call { jobs, answer } in calls {
            let logits = found.by_ref().take(jobs.len()).collect();
            // Nobody waits any more if the caller's thread is gone.
            let _ = answer.send((jobs, logits));
        }
    }

    /// Computes jobs that are sorted by their length: the logits of each with its place, in any order.
    fn compute_jobs(self: &Arc<Self>, entry: Entry, jobs: &[&Job]) -> Vec<(usize, Logits)> {
        let queue = Queue::new(jobs, self.batch_tokens, rayon::current_num_threads());
        let found = Mutex::new(Vec::with_capacity(jobs.len()));
        let work = |scratches: &Scratches| {
            let mut batch = Batch::new();
            scratches.lend(|scratch| {
                while let Some(places) = queue.next() {
                    let pushed = self.fill(&mut batch, &jobs[places.clone()]);
                    if entry == Entry::InTurn {
                        self.begin(queue.workers() * batch.tokens());
                    }
                    let logits = self.classifier.logits(&batch, scratch, &mut ());
                    let logits = self.split(&batch, logits, pushed);
                    let mut found = found.lock().unwrap_or_else(PoisonError::into_inner);
                    found.extend(places.zip(logits));
                }
            });
        };
        if queue.workers() > 1 {
            // Threads with batches of their own need not wait for each other.
            each_alone(&|| work(&self.own_scratches), &|| ());
        } else {
            work(&self.scratches);
        }
        found.into_inner().unwrap_or_else(PoisonError::into_inner)
    }

    /// Lets short calls in beside a batch of so many tokens.
    fn begin(self: &Arc<Self>, tokens: usize) {
        if let Some(group) = self.calls.begin(tokens) {
            let engine = Arc::clone(self);
            rayon::spawn(move || engine.run(group));
        }
    }

    /// Fills a batch. For each job what is wrong with it, if anything: then it is left out.
    fn fill(&self, batch: &mut Batch, jobs: &[&Job]) -> Vec<Result<(), BatchError>> {
        batch.clear();
        let config = self.classifier.config();
        jobs.iter().map(|job| batch.push_reading(config, job.tokens.iter().copied())).collect()
    }

    /// The rows of each job of a batch.
    fn split(
        &self,
        batch: &Batch,
        logits: &[f32],
        pushed: Vec<Result<(), BatchError>>,
    ) -> impl Iterator<Item = Logits> {
        let labels = self.classifier.config().labels.len();
        let mut sequences = batch.sequences();
        pushed.into_iter().map(move |pushed| {
            let rows = pushed.map(|()| batch.outputs_of(sequences.next().unwrap_or(0..0)))?;
            Ok(logits[rows.start * labels..rows.end * labels].to_vec())
        })
    }
}
