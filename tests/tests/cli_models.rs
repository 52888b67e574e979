//! Models by name: in the cache of a hub, and several beside one another.
#![allow(clippy::unwrap_used, missing_docs, reason = "tests fail by panicking")]

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use nervio_tests::program::{binary, nervio};
use nervio_tests::root;
use serde_json::Value;

const COMMIT: &str = "89abcdef0123456789abcdef0123456789abcdef";

/// Runs the command with a home of its own for the cache.
fn run(home: &Path, arguments: &[&str]) -> Output {
    let mut command = Command::new(binary());
    command.env("HF_HOME", home).env_remove("HF_HUB_CACHE").current_dir(home);
    command.args(arguments).output().unwrap()
}

/// Puts the project's model into a cache as `org/name`.
fn fill_cache(home: &Path) {
    let model = home.join("hub/models--org--name");
    let snapshot = model.join("snapshots").join(COMMIT);
    fs::create_dir_all(&snapshot).unwrap();
    fs::create_dir_all(model.join("refs")).unwrap();
    fs::write(model.join("refs/main"), COMMIT).unwrap();
    for file in ["config.json", "model.safetensors", "vocab.txt", "tokenizer_config.json"] {
        fs::copy(root().join("models/es-ner").join(file), snapshot.join(file)).unwrap();
    }
}

#[test]
fn a_model_of_the_cache_is_found_by_its_name() {
    let home = tempfile::tempdir().unwrap();
    fill_cache(home.path());
    let text = "Me llamo Wolfgang y vivo en Berlín";
    let embedded = run(home.path(), &[text]);
    for name in ["org/name", "org/name@main", &format!("org/name@{COMMIT}")] {
        let found = run(home.path(), &["ner", "--model", name, text]);
        assert!(found.status.success(), "{found:?}");
        assert_eq!(found.stdout, embedded.stdout, "{name}");
    }
    assert!(run(home.path(), &["inspect", "org/name"]).status.success());
    assert!(run(home.path(), &["tokenize", "--model", "org/name", text]).status.success());
    // A folder of that name is meant rather than the model of the hub.
    fs::create_dir_all(home.path().join("org/name")).unwrap();
    let folder = run(home.path(), &["ner", "--model", "org/name", text]);
    assert_eq!(folder.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&folder.stderr).contains("config.json"), "{folder:?}");
}

#[test]
fn a_model_that_was_not_fetched_is_told() {
    let home = tempfile::tempdir().unwrap();
    fill_cache(home.path());
    let cache = home.path().join("hub");
    for name in ["org/other", "org/name@v2"] {
        let run = run(home.path(), &["ner", "--model", name, "Ana"]);
        let message = String::from_utf8_lossy(&run.stderr).into_owned();
        assert_eq!(run.status.code(), Some(1));
        assert!(message.contains(cache.to_str().unwrap()), "{message}");
        assert!(message.contains(&format!("nervio-weights pull {name}")), "{message}");
    }
}

#[test]
fn models_are_compared_on_the_same_sentences() {
    let place = tempfile::tempdir().unwrap();
    let data = place.path().join("gold.conll");
    let gold = "Wolfgang B-PER\nvive O\nen O\nBerlín B-LOC\n\nLima B-LOC\nes O\ngrande O\n";
    fs::write(&data, gold).unwrap();
    let (data, folder) = (data.to_str().unwrap(), root().join("models/es-ner"));
    let folder = folder.to_str().unwrap();
    let table = nervio(&["eval", "--data", data, "--compare", "embedded", folder, "no-model"]);
    assert_eq!(table.code, Some(1), "the others are answered: {table:?}");
    assert!(table.stderr.contains("no-model"), "{table:?}");
    let lines: Vec<&str> = table.stdout.lines().collect();
    assert_eq!(lines.len(), 4, "{table:?}");
    assert!(lines[0].starts_with("| model | weights | F1 |"), "{table:?}");
    assert!(lines[2].starts_with("| embedded | int8 |"), "{table:?}");
    assert!(lines[3].contains("100.00 % |"), "the same model has the same labels: {table:?}");

    let json = nervio(&["eval", "--data", data, "--json", "--compare", "embedded", folder]);
    let rows: Value = serde_json::from_str(&json.stdout).unwrap();
    assert_eq!(rows.as_array().unwrap().len(), 2);
    assert_eq!(rows[0]["f1"], rows[1]["f1"]);
    assert_eq!(rows[0]["megabytes"], rows[1]["megabytes"]);
    assert!(rows[0]["sentences_per_second"].as_f64().unwrap() > 0.0);
    let both = nervio(&["eval", "--data", data, "--model", folder, "--compare", folder]);
    assert_eq!(both.code, Some(2), "{both:?}");
}
