//! rten: the ONNX graph, with the weights packed while loading.

use std::path::Path;
use std::sync::Arc;

use anyhow::Result;
use rten::{Model, ModelOptions, RunOptions, ThreadPool};
use rten_tensor::NdTensor;
use rten_tensor::prelude::*;

use crate::{Batch, Engine};

/// A graph and the threads that it runs on.
pub(crate) struct Rten {
    graph: Model,
    options: RunOptions,
}

impl Rten {
    /// Reads an ONNX file and the weights beside it.
    pub(crate) fn load(file: &Path, threads: usize) -> Result<Self> {
        let graph = ModelOptions::with_all_ops().prepack_weights(true).load_file(file)?;
        let pool = Some(Arc::new(ThreadPool::with_num_threads(threads)));
        Ok(Self { graph, options: RunOptions::default().with_thread_pool(pool) })
    }
}

impl Engine for Rten {
    fn run(&mut self, batch: &Batch) -> Result<Vec<f32>> {
        // rten computes with 32-bit integers.
        let ids: Vec<i32> = batch.ids.iter().map(|&id| id as i32).collect();
        let ids = NdTensor::from_data([batch.sequences, batch.tokens], ids);
        let logits = self.graph.run_one(ids.view().into(), Some(self.options.clone()))?;
        let logits: NdTensor<f32, 3> = logits.try_into()?;
        Ok(logits.to_vec())
    }
}
