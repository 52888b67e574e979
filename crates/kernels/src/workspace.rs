//! The buffers of one forward pass, grown once and used again.

use std::sync::{Mutex, PoisonError};

use crate::aligned::Aligned;
use crate::matmul::RowScale;

/// All scratch memory of the kernels: one per concurrent forward pass.
///
/// It grows to the largest batch seen; after that no kernel allocates.
#[derive(Debug, Default)]
pub struct Workspace {
    /// The left operand of the running matmul, in row panels.
    pub(crate) left: Aligned<f32>,
    /// The same in bytes, with the scale of each row, if the weights are 8-bit integers.
    pub(crate) left_bytes: Aligned<u8>,
    pub(crate) left_scales: Vec<RowScale>,
    /// Buffers for the pieces of work that run at the same time.
    pub(crate) leaves: LeafPool,
}

impl Workspace {
    /// An empty workspace.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Bytes held at the moment.
    #[must_use]
    pub fn bytes(&self) -> usize {
        let scales = self.left_scales.capacity() * size_of::<RowScale>();
        self.left.bytes() + self.left_bytes.bytes() + scales + self.leaves.bytes()
    }
}

/// Buffers that one leaf of a parallel kernel needs while it runs.
#[derive(Debug, Default)]
pub(crate) struct LeafBuffers {
    /// A block of a weight panel widened to f32.
    pub(crate) widened: Aligned<f32>,
    /// The keys of one head in panels.
    pub(crate) keys: Aligned<f32>,
    /// The values of one head in panels.
    pub(crate) values: Aligned<f32>,
    /// A block of queries, or of attention probabilities, in row panels.
    pub(crate) left: Aligned<f32>,
    /// The attention scores of a block of queries.
    pub(crate) scores: Aligned<f32>,
}

impl LeafBuffers {
    fn bytes(&self) -> usize {
        let buffers = [&self.widened, &self.keys, &self.values, &self.left, &self.scores];
        buffers.map(Aligned::bytes).iter().sum()
    }
}

/// As many [`LeafBuffers`] as leaves have run at the same time so far.
#[derive(Debug, Default)]
pub(crate) struct LeafPool(Mutex<Vec<LeafBuffers>>);

impl LeafPool {
    /// Lends buffers to `work`.
    pub(crate) fn with<R>(&self, work: impl FnOnce(&mut LeafBuffers) -> R) -> R {
        let mut buffers = self.lock().pop().unwrap_or_default();
        let result = work(&mut buffers);
        self.lock().push(buffers);
        result
    }

    fn bytes(&self) -> usize {
        self.lock().iter().map(LeafBuffers::bytes).sum()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<LeafBuffers>> {
        // The list is whole even if another leaf panicked.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
