//! Sequences shared out among threads for a whole pass.

use std::sync::{Mutex, PoisonError};

use nervio_kernels::{Workspace, each_alone};

use crate::helpers::Helpers;
use crate::probe::Probe;
use crate::scratch::PassBuffers;
use crate::{Batch, Config};

/// By what part of its own work the larger of two shares may be above the average by vectors, and the largest of
/// more in proportion less: the rest is cut among the threads that are done, and small pieces take longer.
const UNEVEN: f64 = 3.0 / 8.0;
/// That part at least, for any number of threads; no larger one by tile registers, which take longer for products
/// that are cut.
const NEARLY_EVEN: f64 = 1.0 / 16.0;

/// On which terms sequences are dealt out.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Terms {
    threads: usize,
    /// Tokens of the smallest share at least.
    fewest: usize,
    /// By what part of its own work the largest share may be above the average.
    unevenness: f64,
}

impl Terms {
    /// Those of `threads` threads, each of which should have `fewest` tokens, by tile registers or by vectors.
    pub(crate) fn new(threads: usize, fewest: usize, by_tiles: bool) -> Self {
        let by_vectors = (UNEVEN * 2.0 / threads as f64).max(NEARLY_EVEN);
        Self { threads, fewest, unevenness: if by_tiles { NEARLY_EVEN } else { by_vectors } }
    }
}

/// The sequences of a batch that one thread takes through all layers.
#[derive(Debug, Default)]
struct Share {
    /// The sequences, one after another.
    batch: Batch,
    /// Which ones of the whole batch they are.
    sequences: Vec<usize>,
    /// Multiply-adds of a layer, divided by twice the hidden size.
    work: usize,
    buffers: PassBuffers,
}

/// A batch shared out. It keeps its memory from one batch to the next.
#[derive(Debug, Default)]
pub(crate) struct Shares {
    shares: Vec<Share>,
    /// The sequences of the batch, longest first.
    order: Vec<usize>,
    /// One for all shares: whoever helps another out takes the buffers that it had before.
    workspace: Workspace,
    helpers: Helpers,
}

impl Shares {
    /// Deals the sequences of a batch to threads, the longest first, each to the one that has least to do.
    /// Whether every share is large enough and all are even enough for it to pay.
    pub(crate) fn deal(&mut self, batch: &Batch, config: &Config, terms: Terms) -> bool {
        let Terms { threads, fewest, unevenness } = terms;
        if threads < 2 || batch.ends().len() < threads {
            return false;
        }
        self.shares.resize_with(threads, || Share {
            buffers: PassBuffers::sharing(&self.workspace, &self.helpers),
            ..Share::default()
        });
        for share in &mut self.shares {
            share.batch.clear();
            share.sequences.clear();
            share.work = 0;
        }
        self.order.clear();
        self.order.extend(0..batch.ends().len());
        self.order.sort_unstable_by_key(|index| {
            (std::cmp::Reverse(batch.sequence(*index).len()), *index)
        });
        // Products with the weights, and with the other tokens of the sequence.
        let weights = 2 * config.hidden_size + config.intermediate_size;
        for index in &self.order {
            let tokens = batch.sequence(*index).len();
            if let Some(share) = self.shares.iter_mut().min_by_key(|share| share.work) {
                share.batch.push_sequence_of(batch, *index);
                share.sequences.push(*index);
                share.work += tokens * (weights + tokens);
            }
        }
        let works = self.shares.iter().map(|share| share.work);
        let average = works.clone().sum::<usize>() as f64 / threads as f64;
        self.shares.iter().all(|share| share.batch.tokens() >= fewest)
            && works.max().is_some_and(|most| most as f64 * (1.0 - unevenness) <= average)
    }

    /// Runs `work` on every share at the same time, each on a thread whose kernels leave nothing to
    /// others until enough of them are done: see [`Helpers`]. A thread in the middle of another pass takes none,
    /// so that this one need not wait for all of a share: others do it, helped by that thread when it is done.
    /// `probe` watches the first share.
    pub(crate) fn run<P: Probe, W>(&mut self, probe: &mut P, work: &W)
    where
        W: Fn(&Batch, &mut PassBuffers, Option<&mut P>) + Sync,
    {
        self.helpers.begin(self.shares.len());
        let helpers = &self.helpers;
        let rest = Mutex::new((self.shares.iter_mut(), Some(probe)));
        let next = || {
            let mut rest = rest.lock().unwrap_or_else(PoisonError::into_inner);
            rest.0.next().map(|share| (share, rest.1.take()))
        };
        let all = || {
            while let Some((share, probe)) = next() {
                work(&share.batch, &mut share.buffers, probe);
            }
            helpers.one_is_done();
        };
        each_alone(&all, &|| helpers.one_is_done());
    }

    /// Puts the hidden states of all shares back in the order of the batch: `out` is `[outputs, hidden]`.
    pub(crate) fn collect(&mut self, batch: &Batch, config: &Config, out: &mut [f32]) {
        let size = config.hidden_size;
        for Share { batch: own, sequences, buffers, .. } in &mut self.shares {
            let hidden = buffers.hidden(config, own.outputs().len());
            for (from, index) in own.sequences().zip(sequences) {
                let from = own.outputs_of(from);
                let to = batch.outputs_of(batch.sequence(*index));
                let from = &hidden[from.start * size..from.end * size];
                out[to.start * size..to.end * size].copy_from_slice(from);
            }
        }
    }

    /// Bytes held at the moment.
    pub(crate) fn bytes(&self) -> usize {
        let share = |share: &Share| {
            let sequences = share.sequences.capacity() * size_of::<usize>();
            share.batch.bytes() + sequences + share.buffers.bytes()
        };
        let own = self.shares.capacity() * size_of::<Share>();
        own + self.shares.iter().map(share).sum::<usize>()
            + self.order.capacity() * size_of::<usize>()
            + self.workspace.bytes()
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::sync::atomic::{AtomicBool, Ordering};
    use std::sync::{Barrier, Mutex};
    use std::thread;

    use nervio_kernels::{alone, give_way, threads};

    use super::*;

    fn config(hidden: usize) -> Config {
        let json = format!(
            r#"{{"vocab_size": 999, "max_position_embeddings": 512, "hidden_size": {hidden},
            "num_attention_heads": 2, "intermediate_size": {}}}"#,
            4 * hidden
        );
        Config::from_bytes(Path::new("config.json"), json.as_bytes()).unwrap()
    }

    fn batch(lengths: &[usize]) -> Batch {
        let (config, mut batch) = (config(8), Batch::new());
        for (index, len) in lengths.iter().enumerate() {
            batch.push(&config, vec![index as u32; *len]).unwrap();
        }
        batch
    }

    #[test]
    fn every_sequence_is_dealt_once_and_its_states_come_back_in_order() {
        let config = config(64);
        let mut shares = Shares::default();
        let pool = rayon::ThreadPoolBuilder::new().num_threads(3).build().unwrap();
        // Each again with the buffers of the ones before.
        for lengths in [&[20; 9][..], &[50, 3, 0, 25, 26, 2, 49], &[16, 16, 16], &[30; 6]] {
            let batch = batch(lengths);
            assert!(shares.deal(&batch, &config, Terms::new(3, 16, false)), "{lengths:?}");
            let seen = Mutex::new(Vec::new());
            let work = |own: &Batch, buffers: &mut PassBuffers, probe: Option<&mut ()>| {
                seen.lock().unwrap().push((own.tokens(), probe.is_some()));
                let hidden = buffers.hidden(&config, own.tokens());
                for (row, id) in hidden.chunks_mut(64).zip(own.ids()) {
                    row.fill(*id as f32);
                }
            };
            pool.install(|| shares.run(&mut (), &work));
            let seen = seen.into_inner().unwrap();
            assert_eq!(seen.len(), 3);
            assert_eq!(seen.iter().filter(|(_, watched)| *watched).count(), 1);
            assert_eq!(seen.iter().map(|(tokens, _)| tokens).sum::<usize>(), batch.tokens());
            let mut out = vec![f32::NAN; batch.tokens() * 64];
            shares.collect(&batch, &config, &mut out);
            for (row, id) in out.chunks(64).zip(batch.ids()) {
                assert_eq!(row, [*id as f32; 64]);
            }
        }
    }

    #[test]
    fn a_thread_in_the_middle_of_another_pass_takes_no_share_but_helps() {
        let (config, mut shares) = (config(64), Shares::default());
        assert!(shares.deal(&batch(&[20; 4]), &config, Terms::new(2, 16, false)));
        let pool = rayon::ThreadPoolBuilder::new().num_threads(2).build().unwrap();
        let (begun, done) = (Barrier::new(2), AtomicBool::new(false));
        let seen = Mutex::new(Vec::new());
        let helpers = shares.helpers.clone();
        let work = |own: &Batch, _: &mut PassBuffers, _: Option<&mut ()>| {
            // Until the other thread has been asked.
            while helpers.run(threads) == 1 {
                give_way();
            }
            seen.lock().unwrap().push((rayon::current_thread_index(), own.tokens()));
        };
        thread::scope(|scope| {
            scope.spawn(|| {
                pool.install(|| {
                    alone(|| {
                        begun.wait();
                        while !done.load(Ordering::Acquire) {
                            give_way();
                        }
                    });
                });
            });
            scope.spawn(|| {
                pool.install(|| {
                    begun.wait();
                    shares.run(&mut (), &work);
                    done.store(true, Ordering::Release);
                });
            });
        });
        let seen = seen.into_inner().unwrap();
        assert_eq!(seen.len(), 2);
        assert_eq!(seen[0], seen[1], "one thread takes both shares");
    }

    #[test]
    fn few_short_or_uneven_sequences_stay_together() {
        let config = config(384);
        let deals = |lengths: &[usize], threads| {
            Shares::default().deal(&batch(lengths), &config, Terms::new(threads, 16, false))
        };
        assert!(deals(&[128; 8], 2) && deals(&[16, 16], 2) && deals(&[100, 50, 50], 2));
        assert!(deals(&[60, 61, 59, 60], 2) && deals(&[40; 54], 8) && deals(&[128; 8], 3));
        assert!(deals(&[128; 7], 4) && !deals(&[128; 6], 4));
        assert!(deals(&[100, 80], 2) && deals(&[128; 3], 2) && deals(&[300, 40, 40, 40], 2));
        for lengths in [&[][..], &[512], &[0, 0], &[15, 15], &[100, 20], &[512, 128], &[300, 0]] {
            assert!(!deals(lengths, 2), "{lengths:?}");
        }
        assert!(!deals(&[128; 8], 1) && !deals(&[128; 9], 8) && !deals(&[128; 8], 16));
        let deals = |fewest| {
            Shares::default().deal(&batch(&[20, 10, 10]), &config, Terms::new(2, fewest, false))
        };
        assert!(deals(20) && !deals(21));
    }

    #[test]
    fn by_tile_registers_only_nearly_even_shares_are_dealt_out() {
        let config = config(384);
        let deals = |lengths: &[usize], threads| {
            Shares::default().deal(&batch(lengths), &config, Terms::new(threads, 16, true))
        };
        assert!(deals(&[128; 8], 2) && deals(&[100, 50, 50], 2) && deals(&[37; 28], 2));
        assert!(!deals(&[128; 3], 2) && !deals(&[100, 80], 2) && !deals(&[128; 7], 4));
    }

    #[test]
    fn long_sequences_count_for_more_than_their_tokens() {
        let (config, mut shares) = (config(8), Shares::default());
        let terms = Terms::new(2, 16, false);
        // Attention to 512 tokens is most of the work of a model as narrow as this.
        let lengths = [&[512][..], &[64; 8]].concat();
        assert!(!shares.deal(&batch(&lengths), &config, terms));
        let tokens: Vec<_> = shares.shares.iter().map(|share| share.batch.tokens()).collect();
        assert_eq!(tokens, [512, 512]);
        assert!(shares.deal(&batch(&[200, 100, 100, 100, 20]), &config, terms));
    }
}
