//! `nervio-weights convert` as a person runs it, on files that PyTorch and TensorFlow wrote
//! (`python/convert_fixtures.py`). Each must become the very bytes of the model it was made from.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests fail by panicking")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use safetensors::SafeTensors;
use tempfile::TempDir;

const LABELS: &str = "O,B-PER,I-PER";

fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/convert")
}

fn run(arguments: &[&str], paths: &[&Path]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_nervio-weights"));
    command.args(arguments).args(paths).output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// The fixture of that name with its configuration and a vocabulary beside it.
fn source(name: &str) -> TempDir {
    let place = tempfile::tempdir().unwrap();
    for file in fs::read_dir(fixtures().join(name)).unwrap() {
        let file = file.unwrap().path();
        fs::copy(&file, place.path().join(file.file_name().unwrap())).unwrap();
    }
    fs::copy(fixtures().join("bert_config.json"), place.path().join("bert_config.json")).unwrap();
    fs::write(place.path().join("vocab.txt"), "[PAD]\n").unwrap();
    place
}

/// The model that the fixtures were made from.
fn original(dtype: &str) -> Vec<u8> {
    let place = tempfile::tempdir().unwrap();
    let (config, out) = (fixtures().join("bert_config.json"), place.path().join("model"));
    let shape = config.to_str().unwrap();
    let arguments =
        ["synth", "--shape", shape, "--seed", "5", "--labels", LABELS, "--dtype", dtype];
    let output = run(&arguments, &[&out]);
    assert!(output.status.success(), "{}", text(&output.stderr));
    fs::read(out.join("model.safetensors")).unwrap()
}

fn json(file: &Path) -> serde_json::Value {
    serde_json::from_slice(&fs::read(file).unwrap()).unwrap()
}

#[test]
fn every_format_becomes_the_bytes_it_was_made_from() {
    let place = tempfile::tempdir().unwrap();
    for (name, dtype, torch) in [
        ("zip", "f32", "float32"),
        ("legacy", "f32", "float32"),
        ("sharded", "f16", "float16"),
        ("tensorflow", "f32", "float32"),
    ] {
        let (source, out) = (source(name), place.path().join(name));
        let output = run(&["convert", "--labels", LABELS], &[source.path(), &out]);
        assert!(output.status.success(), "{name}: {}", text(&output.stderr));
        let written = fs::read(out.join("model.safetensors")).unwrap();
        assert!(written == original(dtype), "{name}: {}", text(&output.stdout));
        let config = json(&out.join("config.json"));
        assert_eq!((&config["model_type"], &config["dtype"]), (&"bert".into(), &torch.into()));
        assert_eq!(config["id2label"]["1"], "B-PER");
        assert_eq!(config["architectures"][0], "BertForTokenClassification");
        assert!(out.join("vocab.txt").exists() && !out.join("bert_config.json").exists());
    }
}

#[test]
fn what_is_renamed_and_dropped_is_told() {
    let place = tempfile::tempdir().unwrap();
    for (name, lines) in [
        (
            "legacy",
            [
                "renamed  module.bert.embeddings.LayerNorm.gamma -> bert.embeddings.LayerNorm.weight",
                "dropped  module.bert.pooler.dense.bias: the pooler",
                "dropped  module.bert.embeddings.position_ids: a buffer",
                "39 tensors written, 2 dropped",
            ],
        ),
        (
            "tensorflow",
            [
                "renamed  bert/encoder/layer_0/output/dense/kernel -> \
                 bert.encoder.layer.0.output.dense.weight (transposed)",
                "dropped  bert/encoder/layer_0/output/dense/bias/adam_m: state of the optimizer",
                "dropped  global_step: state of the optimizer",
                "39 tensors written, 3 dropped",
            ],
        ),
    ] {
        let (source, out) = (source(name), place.path().join(name));
        let output = run(&["convert", "--labels", LABELS], &[source.path(), &out]);
        let printed = text(&output.stdout);
        assert!(lines.iter().all(|line| printed.contains(line)), "{printed}");
        assert!(printed.contains("--cased"), "{printed}");
    }
}

#[test]
fn a_pretrained_checkpoint_becomes_an_encoder() {
    let (source, place) = (source("tensorflow-pretrained"), tempfile::tempdir().unwrap());
    let (prefix, out) = (source.path().join("bert_model.ckpt"), place.path().join("model"));
    let output = run(&["convert", "--labels", LABELS], &[&prefix, &out]);
    assert_eq!(output.status.code(), Some(1));
    let message = text(&output.stderr);
    assert!(message.contains("expected 3 rows") && message.contains("--encoder-only"), "{message}");
    assert!(!out.exists());
    let output = run(&["convert", "--cased"], &[&prefix, &out]);
    assert!(output.status.success(), "{}", text(&output.stderr));
    assert!(text(&output.stdout).contains("no classifier: only the encoder was written"));
    let (written, original) = (fs::read(out.join("model.safetensors")).unwrap(), original("f32"));
    let (written, original) =
        (SafeTensors::deserialize(&written).unwrap(), SafeTensors::deserialize(&original).unwrap());
    assert_eq!(written.len() + 2, original.len());
    assert!(written.iter().all(|(name, tensor)| tensor == original.tensor(name).unwrap()));
    let config = json(&out.join("config.json"));
    assert_eq!(config["architectures"][0], "BertModel");
    assert!(config.get("id2label").is_none());
    assert_eq!(json(&out.join("tokenizer_config.json"))["do_lower_case"], false);
}

#[test]
fn labels_are_numbered_when_nobody_names_them() {
    let (source, place) = (source("zip"), tempfile::tempdir().unwrap());
    let output = run(&["convert"], &[source.path(), &place.path().join("numbered")]);
    assert!(text(&output.stdout).contains("LABEL_0"), "{}", text(&output.stderr));
    let labels = place.path().join("labels.txt");
    fs::write(&labels, "O\nB-LOC\r\nI-LOC\n\n").unwrap();
    let (file, out) = (labels.to_str().unwrap(), place.path().join("named"));
    assert!(run(&["convert", "--labels", file], &[source.path(), &out]).status.success());
    assert_eq!(json(&out.join("config.json"))["id2label"]["2"], "I-LOC");
}

#[test]
fn safetensors_go_through_unchanged_and_in_one_file() {
    let place = tempfile::tempdir().unwrap();
    let (config, sharded) = (fixtures().join("bert_config.json"), place.path().join("shards"));
    let shape = config.to_str().unwrap();
    let arguments = ["synth", "--shape", shape, "--seed", "5", "--labels", LABELS, "--shards", "3"];
    let other_names = ["--no-prefix", "--gamma-beta"];
    assert!(run(&[&arguments[..], &other_names].concat(), &[&sharded]).status.success());
    let out = place.path().join("one");
    let output = run(&["convert"], &[&sharded, &out]);
    assert!(output.status.success(), "{}", text(&output.stderr));
    assert!(fs::read(out.join("model.safetensors")).unwrap() == original("f32"));
    let output = run(&["diff"], &[&sharded, &out]);
    assert!(text(&output.stdout).contains("39 tensors: 39 equal"), "{}", text(&output.stderr));
}

/// What is done to a good checkpoint's folder.
type Spoil = Box<dyn Fn(&Path)>;

#[test]
fn what_does_not_fit_is_told_and_leaves_nothing() {
    let setting = |key: &'static str, value: i64| {
        move |folder: &Path| {
            let file = folder.join("bert_config.json");
            let mut config = json(&file);
            config[key] = value.into();
            fs::write(file, config.to_string()).unwrap();
        }
    };
    let cases: [(&str, &str, Spoil, &str); 9] = [
        ("zip", LABELS, Box::new(setting("intermediate_size", 25)), "expected shape [25, 16]"),
        ("zip", LABELS, Box::new(setting("num_hidden_layers", 3)), "encoder.layer.2.attention"),
        ("zip", LABELS, Box::new(setting("num_hidden_layers", 1)), "expected 1 layers"),
        ("zip", "O,B-X", Box::new(|_| ()), "classifier.weight: expected shape [2, 16]"),
        ("zip", "O,O", Box::new(|_| ()), "found O twice"),
        (
            "zip",
            LABELS,
            Box::new(|folder| fs::remove_file(folder.join("bert_config.json")).unwrap()),
            "expected config.json or bert_config.json, found neither",
        ),
        (
            "sharded",
            LABELS,
            Box::new(|folder| {
                fs::remove_file(folder.join("pytorch_model-00002-of-00002.bin")).unwrap();
            }),
            "pytorch_model-00002-of-00002.bin",
        ),
        (
            "sharded",
            LABELS,
            Box::new(|folder| {
                let index = r#"{"weight_map": {"x": "../pytorch_model-00001-of-00002.bin"}}"#;
                fs::write(folder.join("pytorch_model.bin.index.json"), index).unwrap();
            }),
            "expected plain names of files",
        ),
        (
            "zip",
            LABELS,
            Box::new(|folder| fs::remove_file(folder.join("pytorch_model.bin")).unwrap()),
            "expected model.safetensors, pytorch_model.bin",
        ),
    ];
    for (name, labels, spoil, expected) in cases {
        let (source, place) = (source(name), tempfile::tempdir().unwrap());
        spoil(source.path());
        let out = place.path().join("out");
        let output = run(&["convert", "--labels", labels], &[source.path(), &out]);
        let message = text(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{message}");
        assert!(message.contains(expected), "{message}");
        assert_eq!(fs::read_dir(place.path()).unwrap().count(), 0, "{message}");
    }
}

#[test]
fn diff_tells_equal_from_different_from_broken() {
    let place = tempfile::tempdir().unwrap();
    let (whole, half) = (place.path().join("a.safetensors"), place.path().join("b.safetensors"));
    fs::write(&whole, original("f32")).unwrap();
    fs::write(&half, original("f16")).unwrap();
    let code = |arguments: &[&str], paths: &[&Path]| {
        let output = run(&[&["diff"], arguments].concat(), paths);
        (output.status.code(), text(&output.stdout), text(&output.stderr))
    };
    assert_eq!(code(&[], &[&whole, &whole]).0, Some(0));
    let (status, table, _) = code(&[], &[&whole, &half]);
    assert!(status == Some(1) && table.contains("F32/F16"), "{table}");
    assert_eq!(code(&["--tolerance", "1e-2"], &[&whole, &half]).0, Some(0));
    let (_, report, _) = code(&["--json"], &[&whole, &half]);
    let report: serde_json::Value = serde_json::from_str(&report).unwrap();
    assert_eq!(
        (report["equal"].as_bool(), report["tensors"][0]["kind"].as_str()),
        (Some(false), Some("compared"))
    );
    let missing = code(&[], &[&whole, &place.path().join("none.safetensors")]);
    assert!(missing.0 == Some(2) && missing.2.contains("none.safetensors"), "{}", missing.2);
    assert_eq!(code(&["--tolerance=-1"], &[&whole, &whole]).0, Some(2));
    assert_eq!(code(&["--tolerance=NaN"], &[&whole, &whole]).0, Some(2));
}
