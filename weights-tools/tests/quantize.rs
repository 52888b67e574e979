//! `nervio-weights quantize --data` as a person runs it.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests fail by panicking")]

use std::fs;
use std::process::Command;

#[test]
fn scores_before_and_after_are_told() {
    let place = tempfile::tempdir().unwrap();
    let (model, data) = (place.path().join("model"), place.path().join("gold.conll"));
    let run = |arguments: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_nervio-weights"));
        command.current_dir(place.path()).args(arguments).output().unwrap()
    };
    let labels = ["--layers", "1", "--labels", "O,B-PER,I-PER", "model"];
    let synth = run(&[&["synth", "--shape", "tinybert", "--seed", "3"], &labels[..]].concat());
    assert!(synth.status.success(), "{synth:?}");
    fs::write(&data, "Ana B-PER\nvive O\nen O\n\nLuis B-PER\n").unwrap();
    let output = run(&["quantize", "model", "out", "--dtype", "f16", "--data", "gold.conll"]);
    assert!(output.status.success(), "{output:?}");
    let told = String::from_utf8(output.stdout).unwrap();
    let last = told.lines().last().unwrap();
    assert!(last.starts_with("F1 ") && last.contains("before"), "{last}");
    assert!(last.contains("100.000 % of the words keep their label"), "{last}");
    assert!(model.exists());
    let output = run(&["quantize", "model", "other", "--dtype", "int8", "--data", "none.conll"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(!place.path().join("other").exists(), "nothing is written when the data is missing");
}
