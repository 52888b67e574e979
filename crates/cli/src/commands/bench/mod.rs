//! `nervio bench`: how fast the model runs, beside what the machine could do.

mod report;

use std::io;

use anyhow::{Context, Result};
use nervio::{Bound, Profile, Recognizer, Roofs, StageProfile};

use crate::args::{BenchArgs, Shape};
use crate::failure::Outcome;
use report::{KernelTime, Report, ShapeReport};

/// Runs the command.
pub(crate) fn run(arguments: &BenchArgs) -> Result<Outcome> {
    let builder = Recognizer::builder().model(arguments.model.source()?);
    let recognizer = arguments.engine.configure(builder).build()?;
    let mut rounds: Vec<Vec<Profile>> = arguments.shapes.iter().map(|_| Vec::new()).collect();
    // Not between the passes: reading memory to the end of the caches takes the weights out of them.
    let before = recognizer.roofs();
    // Shapes take turns, so that a slow spell of the machine falls on all of them.
    for _ in 0..arguments.runs.get() {
        for (shape, profiles) in arguments.shapes.iter().zip(&mut rounds) {
            let profile = recognizer
                .profile(shape.batch, shape.length, 1)
                .with_context(|| format!("cannot time the shape {shape}"))?;
            profiles.push(profile);
        }
    }
    let roofs = before.max(recognizer.roofs());
    let shapes = arguments.shapes.iter().zip(&rounds);
    let report = Report {
        model: arguments.model.name(),
        isa: recognizer.isa_name(),
        dtype: recognizer.dtype_name().to_owned(),
        threads: recognizer.threads(),
        peak_gflops: roofs.gflops,
        peak_int8_gops: roofs.int8_gops,
        peak_linear_gflops: roofs.linear,
        read_gb_per_second: roofs.bandwidth,
        shapes: shapes.map(|(shape, rounds)| summary(*shape, rounds, &roofs)).collect(),
    };
    let mut out = io::stdout().lock();
    if arguments.json {
        super::write_json(&mut out, &report)?;
    } else {
        report.write(&mut out, arguments.layers)?;
    }
    Ok(Outcome::Success)
}

/// The medians of one shape's rounds.
fn summary(shape: Shape, rounds: &[Profile], roofs: &Roofs) -> ShapeReport {
    let seconds = median(rounds.iter().map(|round| round.seconds));
    let tokens = shape.batch * shape.length;
    let flops = rounds.first().map_or(0, |round| round.flops);
    let gflops = flops as f64 / seconds / 1e9;
    let layers = rounds.first().map_or(0, |round| round.layers.len());
    let layer = |layer: usize| rounds.iter().filter_map(move |round| round.layers.get(layer));
    ShapeReport {
        shape: shape.to_string(),
        tokens,
        ms: 1e3 * seconds,
        tokens_per_second: tokens as f64 / seconds,
        gflops,
        share_of_peak: gflops / roofs.linear,
        kernels: kernels(rounds, roofs),
        layers: (0..layers).map(|index| 1e3 * median(layer(index).copied())).collect(),
    }
}

/// The medians of each kernel beside its roof.
fn kernels(rounds: &[Profile], roofs: &Roofs) -> Vec<KernelTime> {
    let stages = rounds.first().map(|round| round.stages.as_slice()).unwrap_or_default();
    let time = |stage: &StageProfile| {
        let of_round = |round: &Profile| {
            round.stages.iter().find(|other| other.stage == stage.stage).map(|stage| stage.seconds)
        };
        let seconds = median(rounds.iter().filter_map(of_round));
        let roof = roofs.bound(stage).filter(|_| seconds > 0.0);
        KernelTime {
            name: stage.stage.name(),
            ms: 1e3 * seconds,
            gflops: (stage.flops > 0).then(|| stage.flops as f64 / seconds / 1e9),
            weight_bytes: stage.bytes,
            share_of_roof: roof.map(|(least, _)| least / seconds),
            bound: roof.map(|(_, bound)| match bound {
                Bound::Compute => "compute",
                Bound::Memory => "memory",
            }),
        }
    };
    stages.iter().map(time).collect()
}

/// The middle of `times`, of an even number the mean of the two in the middle; 0 of none.
fn median(times: impl Iterator<Item = f64>) -> f64 {
    let mut sorted: Vec<f64> = times.collect();
    sorted.sort_by(f64::total_cmp);
    let middle = sorted.len() / 2;
    match (sorted.get(middle.wrapping_sub(1)), sorted.get(middle)) {
        (Some(below), Some(above)) if sorted.len().is_multiple_of(2) => {
            f64::midpoint(*below, *above)
        }
        (_, Some(above)) => *above,
        (_, None) => 0.0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn medians() {
        assert_eq!(median(std::iter::empty()), 0.0);
        assert_eq!(median([3.0].into_iter()), 3.0);
        assert_eq!(median([3.0, 1.0].into_iter()), 2.0);
        assert_eq!(median([3.0, 100.0, 1.0].into_iter()), 3.0);
    }

    #[test]
    fn a_shape_is_summed_up_by_its_medians() {
        let round = |seconds| Profile {
            sequences: 2,
            tokens: 8,
            seconds,
            best_seconds: seconds,
            flops: 4_000_000_000,
            stages: Vec::new(),
            layers: vec![seconds / 2.0; 2],
        };
        let rounds = [round(0.5), round(0.1), round(0.4)];
        let roofs = Roofs { gflops: 20.0, int8_gops: 80.0, linear: 20.0, bandwidth: 10.0 };
        let summary = summary(Shape { batch: 2, length: 8 }, &rounds, &roofs);
        assert_eq!((summary.shape.as_str(), summary.tokens), ("2x8", 16));
        assert_eq!((summary.ms, summary.tokens_per_second), (400.0, 40.0));
        assert_eq!((summary.gflops, summary.share_of_peak), (10.0, 0.5));
        assert_eq!(summary.layers, [200.0, 200.0]);
    }
}
