//! `nervio-weights synth` as a person runs it.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests fail by panicking")]

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use safetensors::{Dtype, SafeTensors};

fn synth(arguments: &[&str], out: &Path) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_nervio-weights"));
    command.arg("synth").args(arguments).arg(out).output().unwrap()
}

const SMALL: [&str; 12] = [
    "--shape",
    "tinybert",
    "--set",
    "vocab_size=500",
    "--set",
    "hidden_size=24",
    "--layers",
    "2",
    "--labels",
    "O,B-a-b,I-a-b",
    "--seed",
    "3",
];

#[test]
fn one_file_has_every_tensor_under_its_name() {
    let place = tempfile::tempdir().unwrap();
    let out = place.path().join("model");
    let output = synth(&SMALL, &out);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let bytes = fs::read(out.join("model.safetensors")).unwrap();
    let tensors = SafeTensors::deserialize(&bytes).unwrap();
    assert_eq!(tensors.len(), 5 + 2 * 16 + 2);
    let words = tensors.tensor("bert.embeddings.word_embeddings.weight").unwrap();
    assert_eq!((words.dtype(), words.shape()), (Dtype::F32, [500, 24].as_slice()));
    assert_eq!(tensors.tensor("classifier.weight").unwrap().shape(), [3, 24]);
    assert_eq!(fs::read_to_string(out.join("vocab.txt")).unwrap().lines().count(), 500);
    let config: serde_json::Value =
        serde_json::from_slice(&fs::read(out.join("config.json")).unwrap()).unwrap();
    assert_eq!(config["id2label"]["1"], "B-a-b");
    assert_eq!(config["num_hidden_layers"], 2);
}

#[test]
fn shards_hold_each_tensor_once_with_other_names() {
    let place = tempfile::tempdir().unwrap();
    let out = place.path().join("model");
    let extra = ["--shards", "4", "--no-prefix", "--gamma-beta", "--dtype", "bf16"];
    assert!(synth(&[&SMALL[..], &extra].concat(), &out).status.success());
    let index: serde_json::Value =
        serde_json::from_slice(&fs::read(out.join("model.safetensors.index.json")).unwrap())
            .unwrap();
    let map = index["weight_map"].as_object().unwrap();
    assert_eq!(map.len(), 5 + 2 * 16 + 2);
    assert!(map.contains_key("encoder.layer.1.output.LayerNorm.gamma"));
    let mut total = 0;
    for shard in 1..=4 {
        let file = format!("model-{shard:05}-of-00004.safetensors");
        let bytes = fs::read(out.join(&file)).unwrap();
        for (name, tensor) in SafeTensors::deserialize(&bytes).unwrap().iter() {
            assert_eq!((map[name].as_str().unwrap(), tensor.dtype()), (file.as_str(), Dtype::BF16));
            total += tensor.data().len();
        }
    }
    assert_eq!(index["metadata"]["total_size"], total);
}

#[test]
fn the_seed_alone_decides() {
    let place = tempfile::tempdir().unwrap();
    let file = |name: &str, seed: &str| {
        let out = place.path().join(name);
        assert!(synth(&[&SMALL[..10], &["--seed", seed]].concat(), &out).status.success());
        fs::read(out.join("model.safetensors")).unwrap()
    };
    let first = file("a", "1");
    assert!(first == file("b", "1"));
    assert!(first != file("c", "2"));
}

#[test]
fn bad_arguments_are_told_and_leave_nothing() {
    let place = tempfile::tempdir().unwrap();
    let out = place.path().join("model");
    let cases: [(&[&str], &str); 7] = [
        (&["--shape", "betto"], "'betto' is neither one of"),
        (&["--shape", "beto", "--set", "hidden_size=7"], "not a multiple of num_attention_heads"),
        (&["--shape", "beto", "--set", "vocab_size=-1"], "vocab_size is -1"),
        (&["--shape", "beto", "--set", "intermediate_size=16777216"], "bytes, at most"),
        (&["--shape", "tinybert", "--shards", "900"], "shards: 900, expected 1 to 71"),
        (&["--shape", "tinybert", "--activation-gain", "0"], "activation gain: 0"),
        (&["--shape", "tinybert", "--vocab", "Cargo.toml"], "pieces, expected vocab_size 31002"),
    ];
    for (arguments, expected) in cases {
        let output = synth(arguments, &out);
        let message = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{arguments:?}: {message}");
        assert!(message.contains(expected), "{arguments:?}: {message}");
        assert_eq!(fs::read_dir(place.path()).unwrap().count(), 0, "{arguments:?}");
    }
    assert_eq!(synth(&["--shape", "beto", "--dtype", "f8"], &out).status.code(), Some(2));
}
