//! The buffers of one forward pass, grown once and used again.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytemuck::Pod;
use half::bf16;

use crate::aligned::Aligned;
use crate::matmul::{RowRange, RowScale};

/// All scratch memory of the kernels: one per concurrent forward pass.
///
/// It grows to the largest batch seen; after that no kernel allocates. A clone lends the same memory: it is for
/// passes whose threads help each other, of which no more run at the same time than there are threads.
#[derive(Clone, Debug, Default)]
pub struct Workspace {
    /// Buffers for the pieces of work that run at the same time.
    pub(crate) leaves: Arc<LeafPool>,
}

impl Workspace {
    /// An empty workspace.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Bytes held at the moment, those of all clones together.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.leaves.bytes()
    }
}

/// Buffers that one leaf of a parallel kernel needs while it runs.
#[derive(Debug, Default)]
pub(crate) struct LeafBuffers {
    /// Some steps of a weight panel widened to f32 and the sums that wait for the next ones, or a column panel
    /// of intermediate states.
    pub(crate) widened: Aligned<f32>,
    /// Rows of the left operand of a layer in row panels.
    pub(crate) left: Aligned<f32>,
    /// The same in bytes, with the scale of each row, if the weights are 8-bit integers.
    pub(crate) bytes: Aligned<u8>,
    pub(crate) scales: Vec<RowScale>,
    /// The ranges of rows of intermediate states, of both halves of them.
    pub(crate) ranges: Vec<RowRange>,
    /// The sums of one column panel by tile registers, or of all panels over both halves of the depth.
    pub(crate) sums: Aligned<i32>,
    /// Rows of the left operand in pieces of bfloat16, two steps of a column panel, and their sums.
    pub(crate) pieces: Aligned<bf16>,
    pub(crate) ring: Aligned<bf16>,
    pub(crate) sums_f32: Aligned<f32>,
    /// Some of the intermediate states of a feed-forward block in pieces.
    pub(crate) states: Aligned<bf16>,
    /// The same in row panels.
    pub(crate) states_f32: Aligned<f32>,
    /// Queries, keys and values of one head or half of them: `[3, tokens, heads * head_dim]`.
    pub(crate) query_key_value: Aligned<f32>,
    /// One head of an attention layer in f32, or in 16-bit integers.
    pub(crate) float32: HeadBuffers<f32>,
    pub(crate) int16: HeadBuffers<[i16; 2]>,
}

impl LeafBuffers {
    fn bytes(&self) -> usize {
        let Self { widened, left, states_f32, bytes, scales, sums, float32, int16, .. } = self;
        let pieces = self.pieces.bytes() + self.states.bytes() + self.ring.bytes();
        let pieces = pieces + self.sums_f32.bytes();
        let scales = scales.capacity() * size_of::<RowScale>();
        let scales = scales + self.ranges.capacity() * size_of::<RowRange>();
        let heads = float32.bytes() + int16.bytes();
        let left = left.bytes() + states_f32.bytes() + self.query_key_value.bytes();
        widened.bytes() + left + bytes.bytes() + scales + sums.bytes() + pieces + heads
    }
}

/// The packed operands of one head, and what lies between its two products.
#[derive(Debug, Default)]
pub(crate) struct HeadBuffers<T: Pod> {
    /// The keys in row panels.
    pub(crate) keys: Aligned<T>,
    /// The values step by step, in row panels: `[panels][tokens][TILE_ROWS]`.
    pub(crate) values: Aligned<T>,
    /// Some rows of values or queries as integers, before they are packed.
    pub(crate) aside: Aligned<T>,
    /// The queries of one column panel.
    pub(crate) queries: Aligned<T>,
    /// Their attention weights, where those are other numbers than scores.
    pub(crate) weights: Aligned<T>,
    /// Their attention scores.
    pub(crate) scores: Aligned<f32>,
    /// Their results, turned around.
    pub(crate) results: Aligned<f32>,
}

impl<T: Pod> HeadBuffers<T> {
    fn bytes(&self) -> usize {
        let Self { keys, values, aside, queries, weights, scores, results } = self;
        let packed = [keys, values, aside, queries, weights].map(Aligned::bytes);
        packed.iter().sum::<usize>() + scores.bytes() + results.bytes()
    }
}

/// As many [`LeafBuffers`] as leaves have run at the same time so far, with the thread that used them last, in
/// whose caches they are.
#[derive(Debug, Default)]
pub(crate) struct LeafPool([Mutex<Vec<LeafBuffers>>; LeafPool::SLOTS]);

impl LeafPool {
    /// More threads than these share some.
    const SLOTS: usize = 32;

    /// Lends buffers to `work`.
    pub(crate) fn with<R>(&self, work: impl FnOnce(&mut LeafBuffers) -> R) -> R {
        let slot = &self.0[rayon::current_thread_index().unwrap_or(0) % Self::SLOTS];
        let own = lock(slot).pop();
        let mut buffers = own.or_else(|| self.take_any()).unwrap_or_default();
        let result = work(&mut buffers);
        lock(slot).push(buffers);
        result
    }

    /// Buffers that another thread used last: otherwise each could come to hold some for every thread.
    fn take_any(&self) -> Option<LeafBuffers> {
        self.0.iter().find_map(|slot| slot.try_lock().ok()?.pop())
    }

    fn bytes(&self) -> usize {
        self.0.iter().map(|slot| lock(slot).iter().map(LeafBuffers::bytes).sum::<usize>()).sum()
    }
}

fn lock(slot: &Mutex<Vec<LeafBuffers>>) -> MutexGuard<'_, Vec<LeafBuffers>> {
    // The list is whole even if another leaf panicked.
    slot.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buffers_go_from_thread_to_thread_instead_of_growing_in_number() {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(4).build().unwrap();
        let workspace = Workspace::new();
        let fill = |leaf: &mut LeafBuffers| _ = leaf.left.first(1000);
        // Two at the same time, on each thread in turn.
        let step = || workspace.leaves.with(|leaf| (fill(leaf), workspace.leaves.with(fill)));
        step();
        let bytes = workspace.bytes();
        assert!(bytes >= 2 * 4000);
        for _ in 0..3 {
            for index in 0..4 {
                pool.scope(|scope| {
                    scope.spawn_broadcast(|_, context| {
                        if context.index() == index {
                            step();
                        }
                    });
                });
            }
        }
        assert_eq!(workspace.clone().bytes(), bytes);
    }
}
