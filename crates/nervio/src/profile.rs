//! Where the time of a forward pass goes.

use std::time::{Duration, Instant};

use nervio_bert::{Batch, Config, Probe, Stage};

use crate::{Error, Recognizer};

/// The time of one stage over all layers of a pass.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct StageProfile {
    /// Which stage.
    pub stage: Stage,
    /// Median over the runs, in seconds.
    pub seconds: f64,
    /// Floating-point operations of its products in one pass; 0 for stages without a product.
    pub flops: u64,
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
}

impl Recognizer {
    /// Times `runs` forward passes (after one that is not counted) over `sequences` sequences of
    /// `tokens` tokens each.
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
        let mut passes = Vec::new();
        self.parallel(|| {
            self.with_scratch(|scratch| {
                for _ in 0..=runs {
                    let mut clock = Clock::default();
                    let start = Instant::now();
                    self.classifier.logits(&batch, scratch, &mut clock);
                    passes.push((start.elapsed(), clock.times));
                }
            });
        });
        passes.remove(0);
        let total = |pass: &(Duration, [Duration; Stage::ALL.len()])| pass.0.as_secs_f64();
        let stages = Stage::ALL.into_iter().enumerate().map(|(index, stage)| StageProfile {
            stage,
            seconds: median(passes.iter().map(|pass| pass.1[index].as_secs_f64())),
            flops: stage_flops(stage, self.config(), sequences, tokens),
        });
        let stages: Vec<_> = stages.collect();
        Ok(Profile {
            sequences,
            tokens,
            seconds: median(passes.iter().map(total)),
            best_seconds: passes.iter().map(total).fold(f64::INFINITY, f64::min),
            flops: stages.iter().map(|stage| stage.flops).sum(),
            stages,
        })
    }

    /// The best multiply-add rate of this machine on the recogniser's threads, measured now, in
    /// GFLOPS.
    #[must_use]
    pub fn peak_gflops(&self) -> f64 {
        let isa = self.classifier.encoder().isa();
        self.pool.install(|| nervio_kernels::peak_gflops(isa, PEAK_RUNS))
    }
}

/// Short runs of which the best counts as the machine's peak.
const PEAK_RUNS: usize = 30;

/// Floating-point operations of the products of one stage over all layers; an addition and a
/// multiplication count as two.
fn stage_flops(stage: Stage, config: &Config, sequences: usize, tokens: usize) -> u64 {
    let size = |x: usize| x as u64;
    let (hidden, all) = (size(config.hidden_size), size(sequences) * size(tokens));
    let layers = size(config.num_hidden_layers);
    match stage {
        Stage::Embeddings | Stage::LayerNorm => 0,
        Stage::QueryKeyValue => 2 * all * 3 * hidden * hidden * layers,
        Stage::Attention => 4 * all * size(tokens) * hidden * layers,
        Stage::AttentionOutput => 2 * all * hidden * hidden * layers,
        Stage::Intermediate | Stage::Output => {
            2 * all * hidden * size(config.intermediate_size) * layers
        }
        Stage::Classifier => 2 * all * hidden * size(config.labels.len()),
    }
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

/// Adds up the time of each stage.
#[derive(Default)]
struct Clock {
    started: Option<Instant>,
    times: [Duration; Stage::ALL.len()],
}

impl Probe for Clock {
    fn begin(&mut self, _: Stage, _: Option<usize>) {
        self.started = Some(Instant::now());
    }

    fn end(&mut self, stage: Stage, _: Option<usize>) {
        let index = Stage::ALL.iter().position(|known| *known == stage);
        if let (Some(started), Some(index)) = (self.started.take(), index) {
            self.times[index] += started.elapsed();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::median;

    #[test]
    fn medians() {
        assert_eq!(median([3.0, 1.0, 2.0].into_iter()), 2.0);
        assert_eq!(median([4.0, 1.0, 2.0, 3.0].into_iter()), 2.5);
        assert_eq!(median(std::iter::empty()), 0.0);
    }
}
