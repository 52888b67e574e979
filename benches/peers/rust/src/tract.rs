//! tract: the ONNX graph, planned for one shape at a time.

use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, Result};
use tract_linalg::multithread::Executor;
use tract_onnx::prelude::*;

use crate::{Batch, Engine};

/// A graph and its plan for the last shape.
pub(crate) struct Tract {
    graph: InferenceModel,
    options: RunOptions,
    plan: Option<([usize; 2], Arc<TypedRunnableModel>)>,
}

impl Tract {
    /// Reads an ONNX file and the weights beside it.
    pub(crate) fn load(file: &Path, threads: usize) -> Result<Self> {
        // A pool of one would send the work to rayon's own, of all processors.
        let executor =
            if threads > 1 { Executor::multithread(threads) } else { Executor::SingleThread };
        let options = RunOptions { executor: Some(executor), ..RunOptions::default() };
        Ok(Self { graph: tract_onnx::onnx().model_for_path(file)?, options, plan: None })
    }

    /// The plan for a shape.
    fn plan(&mut self, shape: [usize; 2]) -> Result<&Arc<TypedRunnableModel>> {
        // Only one is kept, since every plan packs all the weights again.
        if self.plan.as_ref().is_none_or(|(planned, _)| *planned != shape) {
            self.plan = None;
            let fact = InferenceFact::dt_shape(i64::datum_type(), shape);
            let graph = self.graph.clone().with_input_fact(0, fact)?.into_optimized()?;
            self.plan = Some((shape, graph.into_runnable_with_options(&self.options)?));
        }
        Ok(&self.plan.as_ref().context("no plan")?.1)
    }
}

impl Engine for Tract {
    fn run(&mut self, batch: &Batch) -> Result<Vec<f32>> {
        let shape = [batch.sequences, batch.tokens];
        let ids = Tensor::from_shape(&shape, &batch.ids)?;
        let outputs = self.plan(shape)?.run(tvec!(ids.into()))?;
        Ok(outputs[0].view().as_slice::<f32>()?.to_vec())
    }
}
