//! The commands beside `ner`.
#![allow(clippy::unwrap_used, missing_docs, reason = "tests fail by panicking")]

use std::fs;

use nervio_tests::program::nervio;
use nervio_tests::{root, shared};
use nervio_weights_tools::manifest;
use serde_json::Value;

#[test]
fn tokenize_shows_pieces_ids_and_offsets() {
    let run = nervio(&["tokenize", "Me llamo Wolfgang"]);
    let line: Value = serde_json::from_str(&run.stdout).unwrap();
    let count = line["pieces"].as_array().unwrap().len();
    assert!(count >= 3 && line["ids"].as_array().unwrap().len() == count);
    assert_eq!(line["offsets"][0], serde_json::json!([0, 2]));
}

#[test]
fn every_reference_case_passes_compare() {
    let root = root();
    for case in &manifest::load(&root).unwrap().cases {
        if let Some(vocabulary) = case.vocabulary(&root) {
            let name = vocabulary.to_string_lossy().split("shared/").last().unwrap().to_owned();
            if shared(&name).is_none() {
                continue;
            }
        }
        let folder = tempfile::tempdir().unwrap();
        case.generate(&root, folder.path()).unwrap();
        let reference = case.reference(&root);
        let run = nervio(&[
            "compare",
            "--model",
            folder.path().to_str().unwrap(),
            "--reference",
            reference.to_str().unwrap(),
        ]);
        assert_eq!(run.code, Some(0), "{}: {}{}", case.name, run.stdout, run.stderr);
        assert!(run.stdout.contains("logits"), "{}", case.name);
    }
}

#[test]
fn a_dump_compares_equal_to_itself_and_another_does_not() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("out.safetensors");
    let file = file.to_str().unwrap();
    let run = nervio(&["dump", "--output", file, "--hidden-states", "--attentions", "Ana vive"]);
    assert_eq!((run.code, run.stderr.as_str()), (Some(0), ""));
    let exact = ["compare", "--reference", file, "--tolerance", "0"];
    let run = nervio(&exact);
    assert_eq!(run.code, Some(0), "{}{}", run.stdout, run.stderr);
    assert!(run.stdout.contains("attentions"), "{}", run.stdout);
    let mut bytes = fs::read(file).unwrap();
    let last = bytes.len() - 2;
    bytes[last] ^= 0x40;
    fs::write(file, bytes).unwrap();
    assert_eq!(nervio(&exact).code, Some(1));
}

#[test]
fn inspect_and_bench_speak_json() {
    let folder = tempfile::tempdir().unwrap();
    let manifest = manifest::load(&root()).unwrap();
    let case = manifest.cases.iter().find(|case| case.name == "small-storage/f16").unwrap();
    case.generate(&root(), folder.path()).unwrap();
    let model = folder.path().to_str().unwrap();
    let run = nervio(&["inspect", model, "--json"]);
    let json: Value = serde_json::from_str(&run.stdout).unwrap();
    assert!(json["tensors"].as_array().unwrap().iter().any(|t| t["dtype"] == "F16"), "{json}");
    assert!(nervio(&["inspect", model]).stdout.contains("classifier.weight"));
    let run = nervio(&["bench", "--model", model, "--shapes", "1x8,2x4", "--runs", "2", "--json"]);
    assert_eq!(run.code, Some(0), "{}", run.stderr);
    let json: Value = serde_json::from_str(&run.stdout).unwrap();
    assert!(json.to_string().contains("query_key_value"), "{json}");
}

#[test]
fn eval_writes_tables_and_json() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("gold.conll");
    fs::write(&data, "Ana B-PER\nvive O\nen O\nMadrid B-LOC\n\nLlueve O\n").unwrap();
    let data = data.to_str().unwrap();
    let run = nervio(&["eval", "--data", data, "--json"]);
    let json: Value = serde_json::from_str(&run.stdout).unwrap();
    assert_eq!((&json["sentences"], &json["tokens"]), (&2.into(), &5.into()));
    assert_eq!(json["micro"]["support"], 2);
    assert!(json["types"]["LOC"]["f1"].is_number() && json["seconds"].is_number());
    let run = nervio(&["eval", "--data", data, "--errors"]);
    assert!(run.stdout.contains("micro avg") && run.stdout.contains("FB1"), "{}", run.stdout);
    fs::write(folder.path().join("bad.conll"), "Ana B-PER\nvive\n").unwrap();
    let bad = folder.path().join("bad.conll");
    nervio(&["eval", "--data", bad.to_str().unwrap()]).assert_refused(1, &["bad.conll", "2"]);
}

/// Figures of transformers on this set with this model: P 83.56, R 85.25, F1 84.39.
#[test]
fn the_spanish_model_scores_what_transformers_gives() {
    let (Some(model), Some(data)) =
        (shared("models/es-ner-base"), shared("data/conll2002-es/esp.testa"))
    else {
        return;
    };
    let (model, data) = (model.to_str().unwrap(), data.to_str().unwrap());
    let score = |arguments: &[&str]| {
        let run = nervio(&[&["eval", "--json", "--data", data], arguments].concat());
        let json: Value = serde_json::from_str(&run.stdout).unwrap();
        assert_eq!(json["sentences"], 1915);
        ["precision", "recall", "f1"].map(|key| json["micro"][key].as_f64().unwrap() * 100.0)
    };
    let source = score(&["--model", model]);
    for (found, expected) in source.iter().zip([83.56, 85.25, 84.39]) {
        assert!((found - expected).abs() <= 0.05, "{source:?}");
    }
    // The same model in 8 bits, reading sentences whole as its source does.
    let embedded = score(&["--max-length", "512"]);
    assert!((embedded[2] - source[2]).abs() <= 0.2, "{embedded:?} and {source:?}");
    // Reading the few sentences of more than 126 pieces in parts loses nothing.
    assert!(score(&[])[2] >= embedded[2], "with windows of 128");
}
