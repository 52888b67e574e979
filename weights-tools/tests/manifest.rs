//! Every committed reference case is made again, to the byte that Python made and PyTorch ran.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests fail by panicking")]

use std::collections::HashSet;
use std::path::{Path, PathBuf};

use nervio_weights_tools::manifest::{self, Case};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// Whether the case's files are there; false is said, and is a failure when they must be.
fn can_run(case: &Case) -> bool {
    match case.vocabulary(&root()) {
        Some(file) if !file.exists() => {
            let required = std::env::var("NERVIO_REQUIRE_SHARED").is_ok_and(|value| value == "1");
            assert!(!required, "{}: {} is not there", case.name, file.display());
            println!("skipped: {} needs {}", case.name, file.display());
            false
        }
        _ => true,
    }
}

#[test]
fn every_case_has_the_bytes_of_python() {
    let manifest = manifest::load(&root()).unwrap();
    assert!(manifest.cases.len() >= 30);
    for case in manifest.cases.iter().filter(|case| can_run(case)) {
        let place = tempfile::tempdir().unwrap();
        let folder = place.path().join("model");
        case.generate(&root(), &folder).unwrap();
        case.verify(&folder).unwrap();
    }
}

#[test]
fn every_reference_file_is_named_and_every_named_one_is_there() {
    let manifest = manifest::load(&root()).unwrap();
    let cases = manifest.cases.iter().map(|case| case.reference(&root()));
    let folders = manifest.folders.iter().map(|folder| folder.reference(&root()));
    let named: HashSet<PathBuf> = cases.chain(folders).collect();
    for file in &named {
        assert!(file.is_file(), "{}", file.display());
    }
    let groups = std::fs::read_dir(root().join("tests/fixtures/reference")).unwrap();
    let files = groups
        .map(|group| group.unwrap().path())
        .filter(|group| group.is_dir())
        .flat_map(|group| std::fs::read_dir(group).unwrap())
        .map(|file| file.unwrap().path())
        .filter(|file| file.extension().is_some_and(|end| end == "safetensors"));
    for file in files {
        assert!(named.contains(&file), "{} is in no case", file.display());
    }
}

#[test]
fn names_are_unique() {
    let manifest = manifest::load(&root()).unwrap();
    let names: HashSet<&str> = manifest.cases.iter().map(|case| case.name.as_str()).collect();
    assert_eq!(names.len(), manifest.cases.len());
}

#[test]
fn another_model_does_not_pass() {
    let manifest = manifest::load(&root()).unwrap();
    let case = |name: &str| manifest.cases.iter().find(|case| case.name == name).unwrap();
    let place = tempfile::tempdir().unwrap();
    let folder = place.path().join("model");
    case("small-acts/gelu_10").generate(&root(), &folder).unwrap();
    let error = case("small-acts/gelu").verify(&folder).unwrap_err().to_string();
    assert!(error.contains("case small-acts/gelu: expected"), "{error}");
}
