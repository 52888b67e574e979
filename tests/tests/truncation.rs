//! The files of a model may be cut short, replaced or removed once it is loaded.
#![cfg(unix)]
#![allow(clippy::unwrap_used, missing_docs, reason = "tests fail by panicking")]

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::path::Path;
use std::process::{Command, Stdio};

use nervio_tests::program::binary;
use nervio_tests::root;
use nervio_weights_tools::manifest;

/// Loads the model of `folder`, has one line answered, spoils the files, and has more answered.
fn survives(arguments: &[&str], spoil: impl Fn(&Path)) {
    let folder = tempfile::tempdir().unwrap();
    let manifest = manifest::load(&root()).unwrap();
    // With 119,547 embeddings its file is 15 MB: many pages that a map would read later.
    let case = manifest.cases.iter().find(|case| case.name == "mbert").unwrap();
    case.generate(&root(), folder.path()).unwrap();
    let mut child = Command::new(binary())
        .args(["ner", "--format", "jsonl", "--model", folder.path().to_str().unwrap()])
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let mut stdout = BufReader::new(child.stdout.take().unwrap());
    let mut answer = String::new();
    writeln!(stdin, "Ana vive en Madrid").unwrap();
    stdin.flush().unwrap();
    stdout.read_line(&mut answer).unwrap();
    assert!(answer.contains("Ana vive en Madrid"), "the first line is answered at once: {answer}");
    spoil(&folder.path().join("model.safetensors"));
    fs::remove_file(folder.path().join("vocab.txt")).unwrap();
    for line in 0..200 {
        writeln!(stdin, "Línea {line}: 日本語 Ελλάδα Россия, el señor Núñez de la Plaza").unwrap();
    }
    drop(stdin);
    let mut rest = String::new();
    stdout.read_to_string(&mut rest).unwrap();
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    assert_eq!(rest.lines().count(), 200);
}

fn cut(file: &Path) {
    fs::OpenOptions::new().write(true).open(file).unwrap().set_len(10).unwrap();
}

#[test]
fn a_mapped_file_may_be_cut_short_after_loading() {
    survives(&[], cut);
}

#[test]
fn a_file_that_was_read_may_be_cut_short() {
    survives(&["--no-mmap"], cut);
}

#[test]
fn a_file_may_be_replaced_or_removed() {
    survives(&[], |file| fs::write(file, [0; 100]).unwrap());
    survives(&[], |file| fs::remove_file(file).unwrap());
}
