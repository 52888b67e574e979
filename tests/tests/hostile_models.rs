//! Every way to spoil a model folder ends in one clear sentence and exit code 1.
#![allow(clippy::unwrap_used, missing_docs, reason = "tests fail by panicking")]

use std::fs;
use std::path::Path;

use nervio_tests::program::{Run, nervio};
use nervio_tests::root;
use nervio_weights_tools::manifest;
use serde_json::{Value, json};
use tempfile::TempDir;

/// A small good model.
fn model() -> TempDir {
    sharded("small-storage/f32")
}

fn sharded(case: &str) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let manifest = manifest::load(&root()).unwrap();
    let case = manifest.cases.iter().find(|known| known.name == case).unwrap();
    case.generate(&root(), folder.path()).unwrap();
    folder
}

fn run(folder: &Path) -> Run {
    nervio(&["ner", "--model", folder.to_str().unwrap(), "Ana vive en Madrid"])
}

/// Runs on a model with one JSON file changed.
fn with_json(file: &str, change: impl FnOnce(&mut Value)) -> Run {
    let folder = model();
    let path = folder.path().join(file);
    let mut json: Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
    change(&mut json);
    fs::write(&path, json.to_string()).unwrap();
    run(folder.path())
}

fn with_config(key: &str, value: Value) -> Run {
    with_json("config.json", |json| json[key] = value)
}

/// A safetensors file as header and data.
fn weights(folder: &Path) -> (Value, Vec<u8>) {
    let bytes = fs::read(folder.join("model.safetensors")).unwrap();
    let len = u64::from_le_bytes(bytes[..8].try_into().unwrap()) as usize;
    (serde_json::from_slice(&bytes[8..8 + len]).unwrap(), bytes[8 + len..].to_vec())
}

fn write_weights(folder: &Path, header: &str, data: &[u8]) {
    let mut bytes = (header.len() as u64).to_le_bytes().to_vec();
    bytes.extend(header.as_bytes());
    bytes.extend(data);
    fs::write(folder.join("model.safetensors"), bytes).unwrap();
}

/// Runs on a model with the header of its weights changed.
fn with_header(change: impl FnOnce(&mut Value)) -> Run {
    let folder = model();
    let (mut header, data) = weights(folder.path());
    change(&mut header);
    write_weights(folder.path(), &header.to_string(), &data);
    run(folder.path())
}

const CLASSIFIER: &str = "classifier.weight";

#[test]
fn the_good_model_is_answered() {
    assert_eq!(run(model().path()).code, Some(0));
}

#[test]
fn missing_folders_and_files() {
    nervio(&["--model", "no/such/folder", "x"]).assert_refused(1, &["no/such/folder"]);
    for (file, needle) in [
        ("config.json", "config.json"),
        ("model.safetensors", "model.safetensors"),
        ("vocab.txt", "vocab.txt"),
    ] {
        let folder = model();
        fs::remove_file(folder.path().join(file)).unwrap();
        run(folder.path()).assert_refused(1, &[needle]);
    }
    let folder = model();
    run(&folder.path().join("config.json")).assert_refused(1, &["config.json", "folder"]);
}

#[test]
fn weights_that_are_cut_short() {
    let folder = model();
    let file = folder.path().join("model.safetensors");
    let bytes = fs::read(&file).unwrap();
    for len in [0, 1, 7, 8, 9, 100, bytes.len() / 2, bytes.len() - 1] {
        fs::write(&file, &bytes[..len]).unwrap();
        for map in [&["ner"][..], &["ner", "--no-mmap"]] {
            let model = ["--model", folder.path().to_str().unwrap(), "Ana"];
            nervio(&[map, &model[..]].concat())
                .assert_refused(1, &["model.safetensors", "expected", "found"]);
        }
    }
}

#[test]
fn headers_that_lie() {
    let folder = model();
    let file = folder.path().join("model.safetensors");
    fs::write(&file, [&u64::MAX.to_le_bytes()[..], b"{}"].concat()).unwrap();
    run(folder.path()).assert_refused(1, &["model.safetensors", "header"]);
    fs::write(&file, [&50_u64.to_le_bytes()[..], b"{}"].concat()).unwrap();
    run(folder.path()).assert_refused(1, &["model.safetensors", "header", "50"]);
    write_weights(folder.path(), &"[".repeat(100_000), b"");
    run(folder.path()).assert_refused(1, &["model.safetensors", "recursion"]);
    write_weights(folder.path(), "{\"a\":", b"");
    run(folder.path()).assert_refused(1, &["model.safetensors"]);
}

#[test]
fn offsets_shapes_and_types_that_do_not_fit() {
    with_header(|header| header[CLASSIFIER]["data_offsets"] = json!([0, 100]))
        .assert_refused(1, &["model.safetensors", "offsets"]);
    with_header(|header| header[CLASSIFIER]["data_offsets"] = json!([100, 0]))
        .assert_refused(1, &["model.safetensors", "offsets"]);
    with_header(|header| header[CLASSIFIER]["shape"] = json!([u64::MAX, 8]))
        .assert_refused(1, &["model.safetensors", CLASSIFIER]);
    with_header(|header| {
        let shape = header[CLASSIFIER]["shape"].as_array_mut().unwrap();
        shape.reverse();
    })
    .assert_refused(1, &["model.safetensors", CLASSIFIER, "shape"]);
    with_header(|header| header[CLASSIFIER]["dtype"] = json!("I32"))
        .assert_refused(1, &["model.safetensors", CLASSIFIER, "I32", "F32, F16 or BF16"]);
    with_header(|header| header[CLASSIFIER]["dtype"] = json!("F99"))
        .assert_refused(1, &["model.safetensors", "F99"]);
}

#[test]
fn tensors_that_are_missing_or_there_twice() {
    let rename = |header: &mut Value, from: &str, to: &str| {
        let map = header.as_object_mut().unwrap();
        let value = map.remove(from).unwrap();
        map.insert(to.to_owned(), value);
    };
    with_header(|header| rename(header, CLASSIFIER, "other.weight"))
        .assert_refused(1, &["model.safetensors", CLASSIFIER, "missing"]);
    let key = "bert.encoder.layer.1.output.dense.bias";
    with_header(|header| rename(header, key, "spare"))
        .assert_refused(1, &["encoder.layer.1.output.dense.bias", "missing"]);
    let norm = "bert.encoder.layer.1.output.LayerNorm";
    with_header(|header| rename(header, &format!("{norm}.bias"), &format!("{norm}.gamma")))
        .assert_refused(1, &["LayerNorm.gamma", "LayerNorm.weight", "both"]);
    let folder = model();
    let (header, data) = weights(folder.path());
    let twice = header.to_string().replacen(
        '{',
        "{\"classifier.bias\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]},",
        1,
    );
    write_weights(folder.path(), &twice, &data);
    run(folder.path()).assert_refused(1, &["model.safetensors", "classifier.bias", "twice"]);
}

#[test]
fn weights_that_are_not_numbers() {
    let folder = model();
    let (header, mut data) = weights(folder.path());
    let begin = header[CLASSIFIER]["data_offsets"][0].as_u64().unwrap() as usize;
    for (value, name) in [(f32::NAN, "NaN"), (f32::INFINITY, "inf")] {
        data[begin + 8..begin + 12].copy_from_slice(&value.to_le_bytes());
        write_weights(folder.path(), &header.to_string(), &data);
        run(folder.path()).assert_refused(1, &[CLASSIFIER, name, "element 2"]);
    }
}

#[test]
fn sizes_that_make_no_sense() {
    for (key, value) in [
        ("hidden_size", json!(0)),
        ("hidden_size", json!(1_000_000_000_000_u64)),
        ("hidden_size", json!(-1)),
        ("num_attention_heads", json!(0)),
        ("num_attention_heads", json!(7)),
        ("intermediate_size", json!(1e308)),
        ("layer_norm_eps", json!("x")),
        ("hidden_act", json!("geglu")),
        ("position_embedding_type", json!("relative_key")),
    ] {
        with_config(key, value).assert_refused(1, &["config.json", key]);
    }
    // Well-formed sizes that the tensors contradict.
    for (key, value, tensor) in [
        ("hidden_size", json!(96), "expected shape [9, 96]"),
        ("vocab_size", json!(16_000_000), "vocab_size"),
        ("max_position_embeddings", json!(10_000_000), "position_embeddings"),
        ("type_vocab_size", json!(9), "token_type_embeddings"),
        ("intermediate_size", json!(16_000_000), "intermediate.dense"),
        ("num_hidden_layers", json!(10_000_000), "encoder.layer.2"),
    ] {
        with_config(key, value).assert_refused(1, &[tensor]);
    }
}

#[test]
fn labels_that_are_missing_or_do_not_fit() {
    with_json("config.json", |json| {
        let map = json.as_object_mut().unwrap();
        map.remove("id2label");
        map.remove("label2id");
    })
    .assert_refused(1, &["config.json", "id2label"]);
    with_config("id2label", json!({"0": "O", "1": "B-PER"})).assert_refused(1, &["classifier"]);
    with_config("id2label", json!({"0": "O", "7": "B-PER"})).assert_refused(1, &["id2label"]);
}

#[test]
fn json_that_is_nested_too_deep() {
    for file in ["config.json", "tokenizer_config.json"] {
        let folder = model();
        fs::write(folder.path().join(file), "[".repeat(200_000)).unwrap();
        run(folder.path()).assert_refused(1, &[file, "recursion"]);
    }
    let folder = model();
    fs::write(folder.path().join("tokenizer.json"), "{\"a\":".repeat(200_000)).unwrap();
    run(folder.path()).assert_refused(1, &["tokenizer.json", "recursion"]);
}

/// Runs on a model with its vocabulary changed.
fn with_vocab(change: impl FnOnce(Vec<String>) -> Vec<String>) -> Run {
    let folder = model();
    let file = folder.path().join("vocab.txt");
    let lines: Vec<String> = fs::read_to_string(&file).unwrap().lines().map(Into::into).collect();
    fs::write(&file, change(lines).join("\n")).unwrap();
    run(folder.path())
}

#[test]
fn vocabularies_that_do_not_fit() {
    with_vocab(|mut lines| {
        lines.pop();
        lines
    })
    .assert_refused(1, &["vocab_size"]);
    with_vocab(|mut lines| {
        lines.push("new".into());
        lines
    })
    .assert_refused(1, &["vocab_size"]);
    with_vocab(|_| Vec::new()).assert_refused(1, &["vocab.txt"]);
    for special in ["[CLS]", "[SEP]", "[UNK]"] {
        with_vocab(|mut lines| {
            let at = lines.iter().position(|line| line == special).unwrap();
            lines[at] = "replaced-token".into();
            lines
        })
        .assert_refused(1, &["vocab.txt", special]);
        with_vocab(|mut lines| {
            lines.pop();
            lines.push(special.into());
            lines
        })
        .assert_refused(1, &["vocab.txt", special]);
    }
    with_vocab(|mut lines| {
        lines[20] = lines[21].clone();
        lines
    })
    .assert_refused(1, &["vocab.txt"]);
    let folder = model();
    let file = folder.path().join("vocab.txt");
    let mut bytes = fs::read(&file).unwrap();
    bytes[40] = 0xff;
    fs::write(&file, bytes).unwrap();
    run(folder.path()).assert_refused(1, &["vocab.txt", "UTF-8"]);
}

#[test]
fn a_vocabulary_with_carriage_returns_is_the_same() {
    let folder = model();
    let expected = run(folder.path());
    let file = folder.path().join("vocab.txt");
    let text = fs::read_to_string(&file).unwrap().replace('\n', "\r\n");
    fs::write(&file, text).unwrap();
    assert_eq!(run(folder.path()), expected);
}

#[test]
fn shard_indexes_that_lead_elsewhere() {
    let with_index = |change: &dyn Fn(&mut Value)| {
        let folder = sharded("small-storage/f32-sharded");
        let file = folder.path().join("model.safetensors.index.json");
        let mut index: Value = serde_json::from_slice(&fs::read(&file).unwrap()).unwrap();
        change(&mut index);
        fs::write(&file, index.to_string()).unwrap();
        run(folder.path())
    };
    assert_eq!(with_index(&|_| ()).code, Some(0));
    for name in ["/etc/passwd", "../model.safetensors", "a/b.safetensors", "..", ""] {
        with_index(&|index| index["weight_map"][CLASSIFIER] = json!(name))
            .assert_refused(1, &["model.safetensors.index.json", CLASSIFIER, "same folder"]);
    }
    with_index(&|index| index["weight_map"][CLASSIFIER] = json!("none.safetensors"))
        .assert_refused(1, &["none.safetensors"]);
    with_index(&|index| index["weight_map"]["ghost"] = index["weight_map"][CLASSIFIER].clone())
        .assert_refused(1, &["model.safetensors.index.json", "ghost"]);
    with_index(&|index| *index = json!({})).assert_refused(1, &["weight_map"]);
    with_index(&|index| index["weight_map"] = json!({})).assert_refused(1, &["weight_map"]);
}
