//! Rust engines that the peers benchmark times beside nervio, one to a process.
//!
//! `nervio-peers candle|tract|rten MODEL THREADS` loads a model (candle a folder, the others an
//! ONNX file) and says `{"ready":true}`. Then it answers each line of standard input with one:
//!
//! - `{"logits":[ids]}` with `{"logits":[[…],…]}`, a row for each token;
//! - `{"ms":[sequences,tokens],"runs":5,"rows":31002}` with `{"ms":12.3}`, the median of `runs`
//!   passes after one that is not counted, over ids below `rows`.
//!
//! What goes wrong is answered with `{"error":"…"}`. The process ends with its input.

#![forbid(unsafe_code)]

mod candle;
mod rten;
mod tract;

use std::io::{BufRead, Write};
use std::time::Instant;

use anyhow::{Context, Result, bail, ensure};
use serde::Deserialize;
use serde_json::{Value, json};

/// Ids of equally long sequences, one after another.
struct Batch {
    ids: Vec<i64>,
    sequences: usize,
    tokens: usize,
}

/// An engine that holds a model.
trait Engine {
    /// Logits of all tokens of the batch, one after another.
    fn run(&mut self, batch: &Batch) -> Result<Vec<f32>>;
}

/// A line of standard input.
#[derive(Deserialize)]
#[serde(untagged)]
enum Request {
    /// Logits of one sequence.
    Logits { logits: Vec<i64> },
    /// Milliseconds of a shape.
    Time { ms: [usize; 2], runs: usize, rows: usize },
}

/// Loads a model into the engine of that name.
fn load(engine: &str, model: &str, threads: usize) -> Result<Box<dyn Engine>> {
    Ok(match engine {
        "candle" => Box::new(candle::Candle::load(model.as_ref(), threads)?),
        "tract" => Box::new(tract::Tract::load(model.as_ref(), threads)?),
        "rten" => Box::new(rten::Rten::load(model.as_ref(), threads)?),
        _ => bail!("engine: expected candle, tract or rten, found {engine}"),
    })
}

/// The answer to a line.
fn answer(engine: &mut dyn Engine, line: &str) -> Result<Value> {
    match serde_json::from_str(line).context("not a request")? {
        Request::Logits { logits: ids } => {
            let batch = Batch { sequences: 1, tokens: ids.len(), ids };
            let logits = engine.run(&batch)?;
            let labels = logits.len() / batch.tokens.max(1);
            ensure!(labels > 0, "no logits");
            Ok(json!({ "logits": logits.chunks(labels).collect::<Vec<_>>() }))
        }
        Request::Time { ms: [sequences, tokens], runs, rows } => {
            let ids = (0..sequences * tokens).map(|index| (index * 7919 % rows) as i64).collect();
            Ok(json!({ "ms": time(engine, &Batch { ids, sequences, tokens }, runs)? }))
        }
    }
}

/// Median milliseconds of `runs` passes after one that is not counted.
fn time(engine: &mut dyn Engine, batch: &Batch, runs: usize) -> Result<f64> {
    ensure!(runs > 0, "runs: expected at least one");
    engine.run(batch)?;
    let mut times = Vec::new();
    for _ in 0..runs {
        let start = Instant::now();
        engine.run(batch)?;
        times.push(start.elapsed().as_secs_f64() * 1000.0);
    }
    times.sort_by(f64::total_cmp);
    Ok((times[(runs - 1) / 2] + times[runs / 2]) / 2.0)
}

/// Writes one line.
fn say(value: &Value) {
    // The reader may be gone, and then there is nobody to tell.
    let _ = writeln!(std::io::stdout(), "{value}");
}

/// Loads and answers until the input ends.
fn serve() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [engine, model, threads] = arguments.as_slice() else {
        bail!("usage: nervio-peers candle|tract|rten MODEL THREADS");
    };
    let mut engine = load(engine, model, threads.parse().context("THREADS")?)?;
    say(&json!({ "ready": true }));
    for line in std::io::stdin().lock().lines() {
        match answer(engine.as_mut(), &line?) {
            Ok(value) => say(&value),
            Err(error) => say(&json!({ "error": format!("{error:#}") })),
        }
    }
    Ok(())
}

/// Serves one engine; its panics too are said as errors.
fn main() {
    std::panic::set_hook(Box::new(|panic| {
        say(&json!({ "error": panic.payload_as_str().unwrap_or("a panic without a message") }));
    }));
    if let Err(error) = serve() {
        say(&json!({ "error": format!("{error:#}") }));
        std::process::exit(1);
    }
}
