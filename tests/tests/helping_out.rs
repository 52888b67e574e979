//! Threads that are done with their sequences of a batch help with those of others.
#![allow(clippy::unwrap_used, missing_docs, reason = "tests fail by panicking")]

use std::collections::BTreeMap;
use std::thread;
use std::time::Duration;

use nervio_bert::{Batch, Config, Probe, Scratch, Stage, TokenClassifier, WeightDtype, WeightKind};
use nervio_simd::Isa;
use nervio_weights::{BertTensors, Checkpoint, OpenOptions};
use nervio_weights_tools::synth::{Recipe, Shape, synth_to_folder};
use rayon::ThreadPoolBuilder;

/// Sleeps once, so that all others are done before the watched thread goes on.
struct Late {
    at: (Stage, Option<usize>),
    /// Threads that the kernels of each stage may use.
    threads: Vec<usize>,
}

impl Probe for Late {
    fn begin(&mut self, stage: Stage, layer: Option<usize>) {
        self.threads.push(nervio_kernels::threads());
        if (stage, layer) == self.at {
            self.at.1 = Some(usize::MAX);
            thread::sleep(Duration::from_millis(100));
        }
    }
}

/// Heads and intermediate states of whole panels, which one thread takes otherwise than several.
fn models() -> Vec<(String, bool, TokenClassifier)> {
    let mut shape = Shape::preset("tinybert").unwrap();
    for (key, size) in
        [("hidden_size", 64), ("intermediate_size", 2048), ("num_attention_heads", 2)]
    {
        shape.set(key, size);
    }
    let folder = tempfile::tempdir().unwrap();
    synth_to_folder(&Recipe::new(shape), folder.path(), &|_| {}).unwrap();
    let config = Config::from_file(&folder.path().join("config.json")).unwrap();
    let checkpoint = Checkpoint::open(folder.path(), &OpenOptions::default()).unwrap();
    let tensors = BertTensors::new(&checkpoint).unwrap();
    let kinds = [WeightKind::F32, WeightKind::F16, WeightKind::Int8];
    let each = Isa::supported().flat_map(|isa| kinds.map(|kind| (isa, kind)));
    each.map(|(isa, kind)| {
        let dtype = WeightDtype::Fixed(kind);
        let model = TokenClassifier::load(isa, &config, &tensors, dtype).unwrap();
        (format!("{isa} {kind:?}"), isa.tiles().is_some(), model)
    })
    .collect()
}

fn batch(model: &TokenClassifier, lengths: &[usize]) -> Batch {
    let mut batch = Batch::new();
    for len in lengths {
        let ids = (0..*len as u32).map(|i| (i * 7 + *len as u32) % 100);
        batch.push(model.config(), ids).unwrap();
    }
    batch
}

#[test]
fn a_late_thread_is_helped_and_its_sequences_have_the_bits_that_they_have_alone() {
    let mut helped = BTreeMap::new();
    let models = models();
    let ways = if models.iter().any(|(_, by_tiles, _)| *by_tiles) { 2 } else { 1 };
    for (name, by_tiles, model) in models {
        let mut scratch = Scratch::new();
        for (threads, lengths) in [(2, &[100, 64, 40][..]), (3, &[110, 106, 110])] {
            let pool = ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            let alone = |len: &usize| {
                let (batch, mut scratch) = (batch(&model, &[*len]), Scratch::new());
                pool.install(|| model.logits(&batch, &mut scratch, &mut ()).to_vec())
            };
            let expected: Vec<f32> = lengths.iter().flat_map(alone).collect();
            let batch = batch(&model, lengths);
            for at in [
                (Stage::Embeddings, None),
                (Stage::Attention, Some(1)),
                (Stage::Intermediate, Some(2)),
            ] {
                let mut late = Late { at, threads: vec![] };
                let found = pool.install(|| model.logits(&batch, &mut scratch, &mut late).to_vec());
                assert!(found == expected, "{name}, {threads} threads, late at {at:?}");
                assert_eq!(late.threads[0], 1, "{name}: each has its own");
                // On a busy machine others may be even later.
                let classifier = late.threads.len() - 1;
                let last = late.threads[..classifier].ends_with(&[threads]);
                *helped.entry((by_tiles, threads, at.0.name())).or_insert(0) += usize::from(last);
            }
        }
    }
    assert!(helped.len() == 6 * ways && helped.values().all(|times| *times > 0), "{helped:?}");
}
