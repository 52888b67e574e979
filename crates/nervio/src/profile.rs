//! Where the time of a forward pass goes.

use std::time::{Duration, Instant};

use nervio_bert::{Batch, Config, Probe, Stage};
use nervio_kernels::{
    WeightKind, keep_awake, peak_gflops, peak_int8_gops, peak_linear_gflops, read_bandwidth,
};

use crate::{Error, Recognizer};

/// The time of one stage over all layers of a pass.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct StageProfile {
    /// Which stage.
    pub stage: Stage,
    /// Median over the runs, in seconds. Where threads take sequences, rows or intermediate states of their own
    /// through several stages, the time of the first thread with its share of them.
    pub seconds: f64,
    /// Floating-point operations of its products in one pass; 0 for stages without a product.
    pub flops: u64,
    /// Bytes of the weights that it reads in one pass, each once.
    pub bytes: u64,
    /// Whether its products are those of a linear layer.
    pub linear: bool,
}

/// What the machine can do at most on the recogniser's threads, measured.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Roofs {
    /// f32 multiply-adds without memory, in GFLOPS.
    pub gflops: f64,
    /// Multiply-adds of 8-bit integers without memory, in 10⁹ operations a second.
    pub int8_gops: f64,
    /// The products of linear layers with the model's weights: one of the two above, or more where tile
    /// registers multiply floats, in 10⁹ operations a second.
    pub linear: f64,
    /// Reading memory that is in no cache, in GB/s.
    pub bandwidth: f64,
}

/// What holds a stage up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bound {
    /// The multiply-adds.
    Compute,
    /// Reading the weights from memory.
    Memory,
}

impl Roofs {
    /// The higher of each roof: a busy machine measures too little, never too much.
    #[must_use]
    pub fn max(self, other: Self) -> Self {
        Self {
            gflops: self.gflops.max(other.gflops),
            int8_gops: self.int8_gops.max(other.int8_gops),
            linear: self.linear.max(other.linear),
            bandwidth: self.bandwidth.max(other.bandwidth),
        }
    }

    /// The time in seconds that a stage takes at least, and what holds it up. Nothing for a stage
    /// without a product.
    ///
    /// Weights are taken to come from memory and activations from caches, so a model that fits into
    /// the caches can be faster.
    #[must_use]
    pub fn bound(&self, stage: &StageProfile) -> Option<(f64, Bound)> {
        if stage.flops == 0 {
            return None;
        }
        let peak = if stage.linear { self.linear } else { self.gflops };
        let compute = stage.flops as f64 / (1e9 * peak);
        let memory = stage.bytes as f64 / (1e9 * self.bandwidth);
        Some(if memory > compute { (memory, Bound::Memory) } else { (compute, Bound::Compute) })
    }
}

/// The time of forward passes of one shape.
#[derive(Clone, Debug, PartialEq)]
pub struct Profile {
    /// Sequences in the batch.
    pub sequences: usize,
    /// Tokens of each sequence.
    pub tokens: usize,
    /// Median time of a pass, in seconds.
    pub seconds: f64,
    /// Time of the fastest pass, in seconds.
    pub best_seconds: f64,
    /// Floating-point operations of all products of a pass.
    pub flops: u64,
    /// Each stage in the order of the pass.
    pub stages: Vec<StageProfile>,
    /// Median time of each layer over the runs, in seconds: of its stages together.
    pub layers: Vec<f64>,
}

impl Recognizer {
    /// Times `runs` forward passes (after one that is not counted) over `sequences` sequences of
    /// `tokens` tokens each. They begin at once, whoever else calls the recogniser: leave it alone meanwhile.
    ///
    /// # Errors
    ///
    /// When a sequence is longer than the model's position table.
    pub fn profile(&self, sequences: usize, tokens: usize, runs: usize) -> Result<Profile, Error> {
        let vocab_size = self.config().vocab_size;
        let mut batch = Batch::new();
        for sequence in 0..sequences {
            // Ids far apart, as those of real text are.
            let id = |token: usize| ((sequence * tokens + token) * 7919 % vocab_size) as u32;
            batch.push(self.config(), (0..tokens).map(id))?;
        }
        let passes = self.time_passes(&batch, runs);
        let stages = Stage::ALL.into_iter().enumerate().map(|(index, stage)| StageProfile {
            stage,
            seconds: median(passes.iter().map(|pass| pass.clock.stages[index].as_secs_f64())),
            flops: stage_flops(stage, self.config(), sequences, tokens),
            bytes: stage_weights(stage, self.config()) * self.element_size(),
            linear: stage != Stage::Attention,
        });
        let stages: Vec<_> = stages.collect();
        let layers = (0..self.config().num_hidden_layers).map(|layer| {
            median(passes.iter().filter_map(|pass| pass.clock.layers.get(layer)).copied())
        });
        let total = |pass: &Pass| pass.seconds;
        Ok(Profile {
            sequences,
            tokens,
            seconds: median(passes.iter().map(total)),
            best_seconds: passes.iter().map(total).fold(f64::INFINITY, f64::min),
            flops: stages.iter().map(|stage| stage.flops).sum(),
            stages,
            layers: layers.collect(),
        })
    }

    /// Times forward passes, after one that is not counted.
    fn time_passes(&self, batch: &Batch, runs: usize) -> Vec<Pass> {
        let mut passes = Vec::new();
        self.pool.install(|| {
            keep_awake(|| {
                self.engine.scratches.lend(|scratch| {
                    for _ in 0..=runs {
                        let mut clock = Clock::default();
                        let start = Instant::now();
                        self.engine.classifier.logits(batch, scratch, &mut clock);
                        passes.push(Pass { seconds: start.elapsed().as_secs_f64(), clock });
                    }
                });
            });
        });
        passes.remove(0);
        passes
    }

    /// Measures now what this machine can do on the recogniser's threads; the best of a few short
    /// runs of each. Takes 256 MB for the time being.
    #[must_use]
    pub fn roofs(&self) -> Roofs {
        let isa = self.engine.classifier.encoder().isa();
        self.pool.install(|| Roofs {
            gflops: peak_gflops(isa, PEAK_RUNS),
            int8_gops: peak_int8_gops(isa, PEAK_RUNS),
            linear: peak_linear_gflops(isa, self.kind.unwrap_or(WeightKind::F32), PEAK_RUNS),
            bandwidth: read_bandwidth(isa, READ_RUNS),
        })
    }

    /// Bytes of one weight of the dense layers; of models that hold them differently, those of f32.
    fn element_size(&self) -> u64 {
        match self.kind {
            Some(WeightKind::Int8) => 1,
            Some(WeightKind::F16 | WeightKind::BF16) => 2,
            Some(WeightKind::F32) | None => 4,
        }
    }
}

/// One forward pass.
struct Pass {
    seconds: f64,
    clock: Clock,
}

/// Short runs of which the best counts as the machine's peak.
const PEAK_RUNS: usize = 30;

/// The same for reading memory.
const READ_RUNS: usize = 4;

/// Weights of the products of one stage over all layers.
fn stage_weights(stage: Stage, config: &Config) -> u64 {
    let size = |x: usize| x as u64;
    let (hidden, layers) = (size(config.hidden_size), size(config.num_hidden_layers));
    match stage {
        Stage::Embeddings | Stage::LayerNorm | Stage::Attention => 0,
        Stage::QueryKeyValue => 3 * hidden * hidden * layers,
        Stage::AttentionOutput => hidden * hidden * layers,
        Stage::Intermediate | Stage::Output => hidden * size(config.intermediate_size) * layers,
        Stage::Classifier => hidden * size(config.labels.len()),
    }
}

/// Floating-point operations of the products of one stage over all layers; an addition and a
/// multiplication count as two.
fn stage_flops(stage: Stage, config: &Config, sequences: usize, tokens: usize) -> u64 {
    let size = |x: usize| x as u64;
    let (hidden, all) = (size(config.hidden_size), size(sequences) * size(tokens));
    if stage == Stage::Attention {
        return 4 * all * size(tokens) * hidden * size(config.num_hidden_layers);
    }
    2 * all * stage_weights(stage, config)
}

/// The middle value, or the mean of the two; 0 of nothing.
fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    match values.len() {
        0 => 0.0,
        len if len % 2 == 0 => f64::midpoint(values[middle - 1], values[middle]),
        _ => values[middle],
    }
}

/// Adds up the time of each stage and of each layer.
#[derive(Default)]
struct Clock {
    started: Option<Instant>,
    stages: [Duration; Stage::ALL.len()],
    /// Seconds.
    layers: Vec<f64>,
}

impl Probe for Clock {
    fn begin(&mut self, _: Stage, _: Option<usize>) {
        self.started = Some(Instant::now());
    }

    fn end(&mut self, stage: Stage, layer: Option<usize>) {
        let index = Stage::ALL.iter().position(|known| *known == stage);
        let (Some(started), Some(index)) = (self.started.take(), index) else { return };
        let elapsed = started.elapsed();
        self.stages[index] += elapsed;
        if let Some(layer) = layer {
            self.layers.resize(self.layers.len().max(layer + 1), 0.0);
            self.layers[layer] += elapsed.as_secs_f64();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn medians() {
        assert_eq!(median([3.0, 1.0, 2.0].into_iter()), 2.0);
        assert_eq!(median([4.0, 1.0, 2.0, 3.0].into_iter()), 2.5);
        assert_eq!(median(std::iter::empty()), 0.0);
    }

    #[test]
    fn few_rows_are_bound_by_memory_and_many_by_the_multiply_adds() {
        let roofs = Roofs { gflops: 100.0, int8_gops: 400.0, linear: 400.0, bandwidth: 10.0 };
        let stage = |rows: u64, bytes: u64, linear| StageProfile {
            stage: Stage::Output,
            seconds: 1.0,
            flops: 2 * rows * 1_000_000_000,
            bytes: bytes * 1_000_000_000,
            linear,
        };
        assert_eq!(roofs.bound(&stage(1, 4, false)), Some((0.4, Bound::Memory)));
        assert_eq!(roofs.bound(&stage(100, 4, false)), Some((2.0, Bound::Compute)));
        assert_eq!(roofs.bound(&stage(100, 1, true)), Some((0.5, Bound::Compute)));
        assert_eq!(roofs.bound(&stage(0, 4, false)), None);
    }
}
