//! The names that exporters give their tensors.

use nervio_weights::{BertTensors, Checkpoint, Error};

use crate::bytes::{assert_error, file, open, tensor};

/// A checkpoint of one-byte tensors.
fn named(names: &[&str]) -> Checkpoint {
    let tensors: Vec<_> =
        names.iter().enumerate().map(|(i, name)| tensor(name, "I8", "[1]", i, i + 1)).collect();
    open(file(&format!("{{{}}}", tensors.join(",")), &vec![1; names.len()]))
}

#[test]
fn exporters_names_are_found_under_one() {
    let norm = "encoder.layer.0.output.LayerNorm";
    for names in [
        [format!("bert.{norm}.weight"), format!("bert.{norm}.bias")],
        [format!("bert.{norm}.gamma"), format!("bert.{norm}.beta")],
        [format!("{norm}.weight"), format!("{norm}.bias")],
        [format!("{norm}.gamma"), format!("{norm}.beta")],
    ] {
        let tensors = BertTensors::new(&named(&[&names[0], &names[1]])).unwrap();
        assert_eq!(tensors.get(&format!("{norm}.weight")).unwrap().name, names[0]);
        assert_eq!(tensors.require(&format!("{norm}.bias"), &[1]).unwrap().name, names[1]);
        assert!(tensors.unknown().is_empty());
    }
}

#[test]
fn a_weight_under_two_names_is_refused() {
    for names in [
        ["bert.embeddings.LayerNorm.weight", "embeddings.LayerNorm.weight"],
        ["embeddings.LayerNorm.gamma", "embeddings.LayerNorm.weight"],
        ["bert.embeddings.LayerNorm.beta", "embeddings.LayerNorm.bias"],
    ] {
        let error = BertTensors::new(&named(&names)).unwrap_err();
        assert_error!(error, Error::TwoNames { .. }, "weights: ", names[0], names[1], "both");
    }
}

#[test]
fn parts_of_other_models_are_listed() {
    let tensors = BertTensors::new(&named(&[
        "bert.embeddings.position_ids",
        "bert.embeddings.word_embeddings.weight",
        "bert.pooler.dense.weight",
        "classifier.bias",
        "cls.predictions.bias",
        "crf.transitions",
    ]))
    .unwrap();
    assert_eq!(
        tensors.ignored(),
        ["cls.predictions.bias", "bert.embeddings.position_ids", "bert.pooler.dense.weight"]
    );
    assert_eq!(tensors.unknown(), ["crf.transitions"]);
}

#[test]
fn missing_tensors_and_other_shapes_are_refused() {
    let tensors = BertTensors::new(&named(&["classifier.bias"])).unwrap();
    let missing = tensors.require("classifier.weight", &[9, 384]).unwrap_err();
    assert_error!(missing, Error::Missing { .. }, "weights", "classifier.weight", "[9, 384]");
    let shape = tensors.require("classifier.bias", &[9]).unwrap_err();
    assert_error!(shape, Error::Shape { .. }, "classifier.bias", "expected shape [9], found [1]");
}
