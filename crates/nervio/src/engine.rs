//! Windows through the encoder: those of one call, or of several at the same time.

use std::cmp::Reverse;
use std::panic::resume_unwind;
use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};

use nervio_bert::{Batch, BatchError, Scratch, TokenClassifier};
use nervio_kernels::{alone, each_alone, is_inside, keep_awake, threads};
use rayon::ThreadPool;

use crate::calls::{Calls, Entry, Group};
use crate::jobs::{Job, Queue};

/// A long call's turn ends when it has had so many times the tokens of the first call that waits for it.
const TIMES: usize = 2;

/// But when it has had so many batches at the latest.
const BATCHES: usize = 4;

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

/// The jobs of one call, longest first, and where its answer goes.
#[derive(Debug)]
struct Call {
    jobs: Vec<Job>,
    /// Those of the first jobs, as far as they are computed.
    logits: Vec<Logits>,
    answer: Sender<(Vec<Job>, Vec<Logits>)>,
}

impl Call {
    /// The jobs that are not computed yet.
    fn rest(&self) -> &[Job] {
        &self.jobs[self.logits.len()..]
    }
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
    /// Those of calls that are let in, which are smaller still.
    let_in_scratches: Scratches,
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
            let_in_scratches: Scratches::default(),
        }
    }

    /// Computes the logits of jobs, sorted by their length, on the threads of `pool`, perhaps together with those of
    /// other calls at the same time, and waits for them. The jobs are given back.
    pub(crate) fn logits(
        self: &Arc<Self>,
        pool: &ThreadPool,
        jobs: Vec<Job>,
    ) -> (Vec<Job>, Vec<Logits>) {
        if jobs.is_empty() {
            return (jobs, Vec::new());
        }
        let (tokens, logits) = (tokens(&jobs), Vec::with_capacity(jobs.len()));
        let (answer, answered) = channel();
        if let Some(group) = self.calls.arrive(tokens, Call { jobs, logits, answer }) {
            let engine = Arc::clone(self);
            pool.spawn(move || engine.run(group));
        }
        // Without an answer the pass panicked, which its thread has reported.
        answered.recv().unwrap_or_else(|_| resume_unwind(Box::new("a forward pass panicked")))
    }

    /// Computes calls, and leaves those that could not begin before to another job: this thread may have come here
    /// while it waits for something else.
    fn run(self: Arc<Self>, group: Group<Call>) {
        if group.entry == Entry::InTurn && is_inside() {
            // Nor must what it waits for, documents to be tokenised or decoded, wait for a whole pass.
            return rayon::spawn(move || self.run(group));
        }
        let next = self.calls.run(group, |entry, calls| match entry {
            Entry::InTurn => keep_awake(|| self.compute(entry, calls)),
            // The other threads have the long call to compute.
            Entry::LetIn => alone(|| self.compute(entry, calls)),
        });
        if let Some(group) = next {
            rayon::spawn(move || self.run(group));
        }
    }

    /// Computes the jobs of calls together and answers each call; of a very long one perhaps only the first jobs.
    fn compute(self: &Arc<Self>, entry: Entry, mut calls: Vec<Call>) {
        let jobs: Vec<&Job> = calls.iter().flat_map(Call::rest).collect();
        let mut order: Vec<usize> = (0..jobs.len()).collect();
        order.sort_by_key(|job| Reverse(jobs[*job].tokens.len()));
        let sorted: Vec<&Job> = order.iter().map(|job| jobs[*job]).collect();
        let mut found = self.compute_jobs(entry, &sorted);
        found.sort_unstable_by_key(|(place, _)| order[*place]);
        let mut found = found.into_iter().map(|(_, logits)| logits);
        for call in &mut calls {
            // Of several calls nothing is left over: they are one batch.
            let count = call.rest().len();
            call.logits.extend(found.by_ref().take(count));
        }
        for call in calls {
            if call.rest().is_empty() {
                // Nobody waits any more if the caller's thread is gone.
                let _ = call.answer.send((call.jobs, call.logits));
            } else {
                self.calls.go_back(tokens(call.rest()), call);
            }
        }
    }

    /// Computes jobs that are sorted by their length, perhaps only the first of them if others wait: the
    /// logits of each with its place, in any order.
    fn compute_jobs(self: &Arc<Self>, entry: Entry, jobs: &[&Job]) -> Vec<(usize, Logits)> {
        let queue = Queue::new(jobs, self.batch_tokens, threads());
        let found = Mutex::new(Vec::with_capacity(jobs.len()));
        let work = |scratches: &Scratches| {
            let mut batch = Batch::new();
            scratches.lend(|scratch| {
                while let Some(places) = queue.next() {
                    let pushed = self.fill(&mut batch, &jobs[places.clone()]);
                    if entry == Entry::InTurn {
                        self.make_way(&queue, batch.tokens());
                    }
                    let logits = self.classifier.logits(&batch, scratch, &mut ());
                    let logits = self.split(&batch, logits, pushed);
                    let mut found = found.lock().unwrap_or_else(PoisonError::into_inner);
                    found.extend(places.zip(logits));
                }
            });
        };
        match entry {
            Entry::LetIn => work(&self.let_in_scratches),
            // Threads with batches of their own need not wait for each other.
            Entry::InTurn if queue.is_shared() => each_alone(&|| work(&self.own_scratches), &|| ()),
            Entry::InTurn => work(&self.scratches),
        }
        found.into_inner().unwrap_or_else(PoisonError::into_inner)
    }

    /// Lets short calls in beside a batch of so many tokens that begins, and ends the queue soon if others have waited
    /// long enough.
    fn make_way(self: &Arc<Self>, queue: &Queue<'_>, tokens: usize) {
        let (group, waiting) = self.calls.batch_begins(tokens, queue.all_tokens());
        if let Some(group) = group {
            let engine = Arc::clone(self);
            rayon::spawn(move || engine.run(group));
        }
        let Some(waiting) = waiting else { return };
        let most = self.batch_tokens.saturating_mul(BATCHES);
        if queue.taken_tokens() >= waiting.saturating_mul(TIMES).clamp(self.batch_tokens, most) {
            queue.end_soon();
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

/// Tokens of jobs.
fn tokens(jobs: &[Job]) -> usize {
    jobs.iter().map(|job| job.tokens.len()).sum()
}
