//! Files of panels: the same answers as from the checkpoint, and refused wherever they do not fit.
#![allow(clippy::unwrap_used, missing_docs, reason = "tests fail by panicking")]

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};

use nervio::weights::{Checkpoint, Dtype as Stored, OpenOptions, OwnedTensor, write_file};
use nervio::{Document, Dtype, ModelSource, Recognizer, RecognizerBuilder};
use nervio_tests::program::nervio;
use nervio_tests::{root, spanish_text};
use nervio_weights_tools::manifest;
use tempfile::TempDir;

/// A small model of the manifest in a folder of its own.
fn model(name: &str) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let manifest = manifest::load(&root()).unwrap();
    let case = manifest.cases.iter().find(|case| case.name == name).unwrap();
    case.generate(&root(), folder.path()).unwrap();
    folder
}

fn builder(folder: &Path, dtype: Dtype) -> RecognizerBuilder {
    let source = ModelSource::Folder(folder.to_owned());
    Recognizer::builder().model(source).dtype(dtype).threads(Some(2))
}

/// Everything of the answers to some texts, scores as bits.
fn answers(recognizer: &Recognizer) -> Vec<(String, u32, usize, usize)> {
    let text = spanish_text(400);
    let documents: Vec<_> = text.split('.').map(Document::new).collect();
    let answers = recognizer.recognize_batch(&documents).into_iter().map(Result::unwrap);
    let entities = answers.flat_map(|answer| answer.entities);
    entities.map(|e| (e.label.clone(), e.score.to_bits(), e.start, e.end)).collect()
}

/// Reads the file of panels, lets `change` at it, and writes it again.
fn rewrite(file: &Path, change: impl FnOnce(&mut Vec<OwnedTensor>, &mut HashMap<String, String>)) {
    let checkpoint = Checkpoint::open_file(file, &OpenOptions { mmap: false }).unwrap();
    let tensor = |name: &str| {
        let tensor = checkpoint.get(name).unwrap();
        let (shape, data) = (tensor.shape.to_vec(), tensor.data.to_vec());
        OwnedTensor { name: name.to_owned(), dtype: tensor.dtype, shape, data }
    };
    let mut tensors: Vec<_> = checkpoint.names().map(tensor).collect();
    let pairs = checkpoint.metadata().into_iter();
    let mut metadata = pairs.map(|(key, value)| (key.to_owned(), value.to_owned())).collect();
    change(&mut tensors, &mut metadata);
    write_file(file, &tensors, metadata).unwrap();
}

/// A packed model, and what is said when its file of panels is changed like this.
fn refusal(change: impl FnOnce(&mut Vec<OwnedTensor>, &mut HashMap<String, String>)) -> String {
    let folder = model("small-storage/f32");
    let packed = builder(folder.path(), Dtype::Auto).pack().unwrap();
    rewrite(&packed.file, change);
    let error = builder(folder.path(), Dtype::Auto).build().unwrap_err().to_string();
    let name = packed.file.file_name().unwrap().to_str().unwrap();
    assert!(error.contains(name), "the file is named: {error}");
    error
}

/// Packs in every type and compares the answers, which are at least `least` entities.
fn assert_same_answers(folder: &Path, least: usize) {
    for (_, dtype) in Dtype::ALL {
        let before = builder(folder, dtype).build().unwrap();
        let expected = answers(&before);
        assert!(expected.len() >= least, "there is something to compare");
        let packed = builder(folder, dtype).pack().unwrap();
        let after = builder(folder, dtype).build().unwrap();
        assert_eq!(after.panels(), Some(packed.file.as_path()), "{dtype}");
        assert_eq!(after.dtype_name(), before.dtype_name());
        assert_eq!(answers(&after), expected, "{dtype}");
        let read = builder(folder, dtype).mmap(false).build().unwrap();
        assert_eq!(read.panels(), None, "used mapped or not at all");
    }
}

#[test]
fn panels_give_the_same_answers() {
    let folder = tempfile::tempdir().unwrap();
    for file in ["config.json", "model.safetensors", "vocab.txt", "tokenizer_config.json"] {
        fs::copy(root().join("models/es-ner").join(file), folder.path().join(file)).unwrap();
    }
    assert_same_answers(folder.path(), 10);
}

#[test]
fn sizes_that_fill_no_cache_line_are_packed_too() {
    for name in ["small-shapes/hidden-7-heads-7", "small-storage/f16", "small-storage/bf16"] {
        assert_same_answers(model(name).path(), 1);
    }
}

#[test]
fn the_same_model_gives_the_same_file_and_may_be_packed_while_in_use() {
    let folder = model("mbert");
    let first = builder(folder.path(), Dtype::Auto).pack().unwrap();
    let bytes = fs::read(&first.file).unwrap();
    assert_eq!(first.bytes, bytes.len() as u64);
    let in_use = builder(folder.path(), Dtype::Auto).build().unwrap();
    let expected = answers(&in_use);
    let second = builder(folder.path(), Dtype::Auto).threads(Some(1)).pack().unwrap();
    assert_eq!(second, first);
    assert!(fs::read(&second.file).unwrap() == bytes);
    fs::remove_file(&second.file).unwrap();
    assert_eq!(answers(&in_use), expected);
    let without = builder(folder.path(), Dtype::Auto).build().unwrap();
    assert_eq!((without.panels(), answers(&without)), (None, expected));
}

#[test]
fn panels_of_other_weights_are_refused() {
    let folder = model("small-storage/f32");
    let packed = builder(folder.path(), Dtype::Auto).pack().unwrap();
    let weights = folder.path().join("model.safetensors");
    let mut bytes = fs::read(&weights).unwrap();
    // The last byte of a bias or of the classifier: a small tensor, which counts whole.
    *bytes.last_mut().unwrap() ^= 1;
    fs::write(&weights, bytes).unwrap();
    let error = builder(folder.path(), Dtype::Auto).build().unwrap_err().to_string();
    assert!(error.contains("source: expected") && error.contains("nervio pack"), "{error}");
    assert_eq!(builder(folder.path(), Dtype::Auto).pack().unwrap().file, packed.file);
    assert!(builder(folder.path(), Dtype::Auto).build().unwrap().panels().is_some());
}

#[test]
fn panels_for_something_else_are_refused() {
    for (key, value) in [
        ("nervio.panels", "0"),
        ("instruction_set", "avx1024"),
        ("panel_width", "17"),
        ("dtype", "int4"),
        ("source", ""),
    ] {
        let error = refusal(|_, metadata| {
            metadata.insert(key.to_owned(), value.to_owned());
        });
        assert!(error.contains(&format!("{key}: expected")), "{error}");
        assert!(error.contains(&format!("found {value}")), "{error}");
        let error = refusal(|_, metadata| drop(metadata.remove(key)));
        assert!(error.contains(&format!("{key}: expected")), "{error}");
    }
}

#[test]
fn panels_that_do_not_fit_the_config_are_refused() {
    let place = |tensors: &[OwnedTensor], name: &str| {
        tensors.iter().position(|tensor| tensor.name == name).unwrap()
    };
    let matrix = "encoder.layer.0.intermediate.dense.panels";
    let error = refusal(|tensors, _| drop(tensors.remove(place(tensors, matrix))));
    assert!(error.contains(matrix) && error.contains("missing"), "{error}");
    let error = refusal(|tensors, _| {
        let tensor = place(tensors, matrix);
        tensors[tensor].shape.swap(0, 1);
    });
    assert!(error.contains(matrix) && error.contains("expected shape"), "{error}");
    let error = refusal(|tensors, _| {
        let tensor = place(tensors, matrix);
        tensors[tensor].dtype = Stored::I32;
    });
    assert!(error.contains("expected F32, F16, BF16 or I8, found I32"), "{error}");
    let error = refusal(|tensors, _| {
        let tensor = place(tensors, "classifier.bias");
        tensors[tensor].data[..4].copy_from_slice(&f32::NAN.to_le_bytes());
    });
    assert!(error.contains("classifier.bias: expected finite numbers"), "{error}");
}

#[test]
fn a_cut_or_empty_file_of_panels_is_refused() {
    let folder = model("small-storage/f32");
    let file = builder(folder.path(), Dtype::Auto).pack().unwrap().file;
    let bytes = fs::read(&file).unwrap();
    for len in [0, 7, 100, bytes.len() / 2, bytes.len() - 1] {
        fs::write(&file, &bytes[..len]).unwrap();
        let error = builder(folder.path(), Dtype::Auto).build().unwrap_err().to_string();
        assert!(error.contains("panels.safetensors"), "{len}: {error}");
    }
}

#[test]
fn the_command_packs_and_says_where() {
    let folder = model("small-storage/f32");
    let path = folder.path().to_str().unwrap();
    let run = nervio(&["pack", path, "--dtype", "int8"]);
    let entries = fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().path());
    let panels: Vec<PathBuf> =
        entries.filter(|path| path.to_string_lossy().contains("panels")).collect();
    assert_eq!(panels.len(), 1, "one file and no part of one: {panels:?}");
    assert!(run.stdout.contains(panels[0].to_str().unwrap()), "{run:?}");
    assert!(run.stdout.contains("int8 panels"), "{run:?}");
    assert_eq!(nervio(&["ner", "--model", path, "--dtype", "int8", "Ana"]).code, Some(0));
    nervio(&["pack", "no-such-folder"]).assert_refused(1, &["no-such-folder", "config.json"]);
    fs::write(&panels[0], "spoilt").unwrap();
    let run = nervio(&["ner", "--model", path, "--dtype", "int8", "Ana"]);
    run.assert_refused(1, &["int8.panels.safetensors"]);
}
