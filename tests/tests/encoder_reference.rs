//! Every reference case through the encoder, on every instruction set of this machine: hidden
//! states, attentions and logits against PyTorch's.
#![allow(clippy::unwrap_used, missing_docs, reason = "tests fail by panicking")]

use std::path::Path;

use nervio_bert::{Batch, Config, Probe, Scratch, TokenClassifier, WeightDtype};
use nervio_simd::Isa;
use nervio_tests::root;
use nervio_weights::{BertTensors, Checkpoint, OpenOptions};
use nervio_weights_tools::manifest;

/// Largest difference from PyTorch's f32 that any hidden state or logit may have.
const TOLERANCE: f32 = 1e-4;

#[derive(Default)]
struct Recorder {
    hidden_states: Vec<Vec<f32>>,
    attentions: Vec<Vec<f32>>,
}

impl Probe for Recorder {
    fn wants_hidden_states(&self) -> bool {
        true
    }

    fn hidden_state(&mut self, _: usize, hidden: &[f32]) {
        self.hidden_states.push(hidden.to_vec());
    }

    fn wants_attentions(&self) -> bool {
        true
    }

    fn attention(&mut self, layer: usize, _: usize, _: usize, probabilities: &[f32]) {
        self.attentions.resize(layer + 1, Vec::new());
        self.attentions[layer].extend_from_slice(probabilities);
    }
}

fn max_abs(found: &[f32], expected: &[f32]) -> f32 {
    assert_eq!(found.len(), expected.len());
    let differences = found.iter().zip(expected).map(|(a, b)| (a - b).abs());
    differences.fold(0.0, |worst, x| if x > worst || x.is_nan() { x } else { worst })
}

/// The largest differences of hidden states and of logits from a reference file.
fn check(folder: &Path, reference: &Path, isa: Isa) -> (f32, f32) {
    let config = Config::from_file(&folder.join("config.json")).unwrap();
    let checkpoint = Checkpoint::open(folder, &OpenOptions::default()).unwrap();
    let tensors = BertTensors::new(&checkpoint).unwrap();
    let model = TokenClassifier::load(isa, &config, &tensors, WeightDtype::Auto).unwrap();
    drop((tensors, checkpoint));
    let reference = Checkpoint::open_file(reference, &OpenOptions::default()).unwrap();
    let expected =
        |name: String| reference.get(&name).map(|tensor| tensor.floats().unwrap().to_vec());
    let mut scratch = Scratch::new();
    let (mut hidden_worst, mut logits_worst) = (0.0_f32, 0.0_f32);
    let mut documents = 0;
    while let Some(ids) = reference.get(&format!("{documents}.input_ids")) {
        let ids = ids.data.as_chunks::<8>().0.iter().map(|id| i64::from_le_bytes(*id) as u32);
        let mut batch = Batch::new();
        batch.push(&config, ids).unwrap();
        let mut recorder = Recorder::default();
        let logits = model.logits(&batch, &mut scratch, &mut recorder);
        let wanted = expected(format!("{documents}.logits")).unwrap();
        logits_worst = logits_worst.max(max_abs(logits, &wanted));
        for (kind, found) in
            [("hidden_states", recorder.hidden_states), ("attentions", recorder.attentions)]
        {
            for (layer, found) in found.iter().enumerate() {
                if let Some(wanted) = expected(format!("{documents}.{kind}.{layer}")) {
                    hidden_worst = hidden_worst.max(max_abs(found, &wanted));
                }
            }
        }
        documents += 1;
    }
    assert!(documents > 0, "the reference holds no document");
    (hidden_worst, logits_worst)
}

#[test]
fn every_case_is_within_the_tolerance_of_pytorch() {
    let root = root();
    let mut failures = Vec::new();
    let mut report = |name: &str, isa: Isa, (hidden, logits): (f32, f32)| {
        println!("{name} {isa}: hidden states {hidden:.1e}, logits {logits:.1e}");
        if !(hidden <= TOLERANCE && logits <= TOLERANCE) {
            failures.push(format!("{name} {isa}: hidden states {hidden:e}, logits {logits:e}"));
        }
    };
    let manifest = manifest::load(&root).unwrap();
    for case in &manifest.cases {
        if let Some(vocabulary) = case.vocabulary(&root) {
            let relative = vocabulary.to_string_lossy().split("shared/").last().unwrap().to_owned();
            if nervio_tests::shared(&relative).is_none() {
                continue;
            }
        }
        let folder = tempfile::tempdir().unwrap();
        case.generate(&root, folder.path()).unwrap();
        for isa in Isa::supported() {
            report(&case.name, isa, check(folder.path(), &case.reference(&root), isa));
        }
    }
    for folder in &manifest.folders {
        if nervio_tests::shared(&format!("models/{}", folder.name)).is_some() {
            for isa in Isa::supported() {
                let result = check(&folder.folder(&root), &folder.reference(&root), isa);
                report(&folder.name, isa, result);
            }
        }
    }
    assert!(failures.is_empty(), "beyond {TOLERANCE}:\n{}", failures.join("\n"));
}
