//! `nervio-weights convert` on what ONNX exporters and quantisers wrote (`python/onnx_fixtures.py`).
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests fail by panicking")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use nervio_weights::{Checkpoint, OpenOptions};
use tempfile::TempDir;

const LABELS: &str = "O,B-PER,I-PER";

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/onnx").join(name)
}

fn run(arguments: &[&str], paths: &[&Path]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_nervio-weights"));
    command.args(arguments).args(paths).output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// Converts a fixture; the new folder is `out` in the place.
fn convert(source: &Path) -> (TempDir, Output) {
    let place = tempfile::tempdir().unwrap();
    let out = place.path().join("out");
    let output = run(&["convert", "--labels", LABELS], &[source, &out]);
    (place, output)
}

fn converted(name: &str) -> (TempDir, Checkpoint) {
    let (place, output) = convert(&fixture(name));
    assert!(output.status.success(), "{name}: {}", text(&output.stderr));
    let folder = place.path().join("out");
    (place, Checkpoint::open(&folder, &OpenOptions::default()).unwrap())
}

/// The model that the fixtures were exported from.
fn original() -> (TempDir, Checkpoint) {
    let place = tempfile::tempdir().unwrap();
    let (config, out) = (fixture("torchscript/config.json"), place.path().join("model"));
    let shape = config.to_str().unwrap();
    let output = run(&["synth", "--shape", shape, "--seed", "6", "--labels", LABELS], &[&out]);
    assert!(output.status.success(), "{}", text(&output.stderr));
    (place, Checkpoint::open(&out, &OpenOptions::default()).unwrap())
}

fn floats(checkpoint: &Checkpoint, name: &str) -> Vec<f32> {
    let tensor = checkpoint.get(name).unwrap_or_else(|| panic!("no {name}"));
    tensor.floats().unwrap().to_vec()
}

#[test]
fn both_exporters_of_pytorch_give_the_bits_back() {
    let (_model, expected) = original();
    for name in ["torchscript", "dynamo"] {
        let (_place, found) = converted(name);
        assert!(expected.names().eq(found.names()), "{name}");
        for tensor in expected.names() {
            let (a, b) = (expected.get(tensor).unwrap(), found.get(tensor).unwrap());
            assert_eq!((a.shape, a.data), (b.shape, b.data), "{name}: {tensor}");
        }
    }
}

#[test]
fn quantised_weights_are_multiplied_out_as_numpy_does() {
    let (_model, original) = original();
    for (name, bound) in [("int8", 0.03), ("uint8", 0.03), ("blocks4", 0.2)] {
        let (_place, found) = converted(name);
        let file = fixture(name).join("expected.safetensors");
        let expected = Checkpoint::open_file(&file, &OpenOptions::default()).unwrap();
        assert!(expected.names().eq(found.names()), "{name}");
        let mut changed = 0;
        for tensor in expected.names() {
            let (numpy, ours) = (floats(&expected, tensor), floats(&found, tensor));
            assert_eq!(numpy, ours, "{name}: {tensor}");
            let exact = floats(&original, tensor);
            let largest = exact.iter().fold(0.0_f32, |largest, x| largest.max(x.abs()));
            let error = exact.iter().zip(&ours).fold(0.0_f32, |e, (a, b)| e.max((a - b).abs()));
            assert!(error <= bound * largest, "{name}: {tensor}: {error} of {largest}");
            changed += usize::from(error > 0.0);
        }
        assert!(changed > 10, "{name}: only {changed} tensors were quantised");
    }
}

#[test]
fn a_file_in_the_folder_onnx_finds_the_configuration_above() {
    let (_place, output) = convert(&fixture("int8/onnx/model.onnx"));
    assert!(output.status.success(), "{}", text(&output.stderr));
}

#[test]
fn fused_graphs_are_refused_by_the_node() {
    let (place, output) = convert(&fixture("fused"));
    let message = text(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{message}");
    assert!(message.contains("(EmbedLayerNormalization)"), "{message}");
    assert!(message.contains("as it was before it was optimised"), "{message}");
    assert!(!place.path().join("out").exists());
}

/// A copy of a fixture whose graph was changed.
fn changed(name: &str, change: impl FnOnce(&Path)) -> (TempDir, Output) {
    let model = tempfile::tempdir().unwrap();
    fs::create_dir(model.path().join("onnx")).unwrap();
    fs::copy(fixture(name).join("config.json"), model.path().join("config.json")).unwrap();
    for entry in fs::read_dir(fixture(name).join("onnx")).unwrap() {
        let file = entry.unwrap().path();
        fs::copy(&file, model.path().join("onnx").join(file.file_name().unwrap())).unwrap();
    }
    change(&model.path().join("onnx"));
    convert(model.path())
}

#[test]
fn cut_and_foreign_files_are_refused() {
    let whole = fs::read(fixture("torchscript/onnx/model.onnx")).unwrap();
    for bytes in [&whole[..whole.len() / 2], b"\xff\xff\xff", b"", &whole[..whole.len() - 1]] {
        let (_, output) = changed("torchscript", |folder| {
            fs::write(folder.join("model.onnx"), bytes).unwrap();
        });
        let message = text(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{message}");
        assert!(message.contains("model.onnx") && !message.contains("panicked"), "{message}");
    }
    let (_, output) = changed("dynamo", |folder| {
        fs::remove_file(folder.join("model.onnx.data")).unwrap();
    });
    assert!(text(&output.stderr).contains("model.onnx.data"));
    let (_, output) = changed("dynamo", |folder| {
        fs::write(folder.join("model.onnx.data"), [0; 100]).unwrap();
    });
    assert!(text(&output.stderr).contains("found 100 bytes in all"), "{}", text(&output.stderr));
}

#[test]
fn a_spoilt_byte_anywhere_never_panics() {
    let whole = fs::read(fixture("blocks4/onnx/model.onnx")).unwrap();
    for step in 0..60 {
        let (_, output) = changed("blocks4", |folder| {
            let mut bytes = whole.clone();
            bytes[step * 797 % whole.len()] ^= 0xff;
            fs::write(folder.join("model.onnx"), bytes).unwrap();
        });
        assert!(matches!(output.status.code(), Some(0 | 1)), "{}", text(&output.stderr));
        assert!(!text(&output.stderr).contains("panicked"), "{}", text(&output.stderr));
    }
}
