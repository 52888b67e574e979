//! Sharded checkpoints and their index.

use std::fs;
use std::path::Path;

use nervio_weights::{Checkpoint, Error, OpenOptions};
use tempfile::{TempDir, tempdir};

use crate::bytes::{assert_error, file, one, tensor};

const INDEX: &str = "model.safetensors.index.json";

/// Two shards: `one` has a and b, `two` has c.
fn shards() -> TempDir {
    let folder = tempdir().unwrap();
    let (a, b) = (tensor("a", "I8", "[1]", 0, 1), tensor("b", "I8", "[1]", 1, 2));
    let metadata = r#""__metadata__":{"format":"pt"}"#;
    let first = file(&format!("{{{metadata},{a},{b}}}"), b"ab");
    fs::write(folder.path().join("one.safetensors"), first).unwrap();
    let second = file(&format!("{{{}}}", tensor("c", "I8", "[1]", 0, 1)), b"c");
    fs::write(folder.path().join("two.safetensors"), second).unwrap();
    folder
}

const MAP: &str = r#""a":"one.safetensors","b":"one.safetensors","c":"two.safetensors""#;

fn open(folder: &Path, index: &str) -> Result<Checkpoint, Error> {
    fs::write(folder.join(INDEX), index).unwrap();
    Checkpoint::open(folder, &OpenOptions::default())
}

fn refused(weight_map: &str) -> Error {
    open(shards().path(), &format!(r#"{{"weight_map":{{{weight_map}}}}}"#)).unwrap_err()
}

#[test]
fn shards_are_one_checkpoint() {
    let folder = shards();
    let index = format!(r#"{{"metadata":{{"total_size":3,"x":[{{}}]}},"weight_map":{{{MAP}}}}}"#);
    let checkpoint = open(folder.path(), &index).unwrap();
    assert_eq!(checkpoint.names().collect::<Vec<_>>(), ["a", "b", "c"]);
    assert_eq!(checkpoint.metadata()["format"], "pt");
    assert!(checkpoint.path().ends_with(INDEX));
    let c = checkpoint.get("c").unwrap();
    assert_eq!(c.data, b"c");
    assert!(c.file.ends_with("two.safetensors"));
}

#[test]
fn one_file_goes_before_an_index() {
    let folder = shards();
    fs::write(folder.path().join("model.safetensors"), one("I8", "[1]", b"x")).unwrap();
    let checkpoint = open(folder.path(), "not even JSON").unwrap();
    assert_eq!(checkpoint.names().collect::<Vec<_>>(), ["x"]);
}

#[test]
fn tensors_that_the_index_leaves_out_are_there() {
    let index = r#"{"weight_map":{"a":"one.safetensors"}}"#;
    let checkpoint = open(shards().path(), index).unwrap();
    assert_eq!(checkpoint.names().collect::<Vec<_>>(), ["a", "b"]);
}

#[test]
fn shards_outside_of_the_folder_are_refused() {
    for path in
        ["/etc/passwd", "../one.safetensors", "sub/one.safetensors", "..", ".", "", "a\\\\b", "C:x"]
    {
        let error = refused(&format!(r#"{MAP},"evil":"{path}""#));
        assert_error!(error, Error::ShardPath { .. }, INDEX, "evil", "same folder");
    }
}

#[cfg(unix)]
#[test]
fn shards_may_be_links_as_in_the_cache() {
    let folder = tempdir().unwrap();
    let (blobs, model) = (folder.path().join("blobs"), folder.path().join("snapshots/1"));
    fs::create_dir_all(&blobs).unwrap();
    fs::create_dir_all(&model).unwrap();
    fs::write(blobs.join("0123"), one("I8", "[1]", b"x")).unwrap();
    std::os::unix::fs::symlink("../../blobs/0123", model.join("one.safetensors")).unwrap();
    let checkpoint = open(&model, r#"{"weight_map":{"x":"one.safetensors"}}"#).unwrap();
    assert_eq!(checkpoint.get("x").unwrap().data, b"x");
}

#[test]
fn missing_shards_are_named() {
    let error = refused(&format!(r#"{MAP},"d":"three.safetensors""#));
    assert_error!(error, Error::Io { action: "open", .. }, "three.safetensors");
}

#[test]
fn shards_must_have_what_the_index_says() {
    let error = refused(&format!(r#"{MAP},"d":"two.safetensors""#));
    assert_error!(error, Error::NotInShard { .. }, INDEX, "d: expected", "two.safetensors");
    // It is there, but elsewhere.
    let swapped = MAP.replacen("one", "two", 1);
    assert_error!(refused(&swapped), Error::NotInShard { .. }, "a: expected", "two.safetensors");
}

#[test]
fn a_tensor_in_two_shards_is_refused() {
    let folder = shards();
    fs::copy(folder.path().join("two.safetensors"), folder.path().join("three.safetensors"))
        .unwrap();
    let index = format!(r#"{{"weight_map":{{{MAP},"d":"three.safetensors"}}}}"#);
    let error = open(folder.path(), &index).unwrap_err();
    assert_error!(error, Error::InTwoShards { .. }, "tensor c", "two.safe", "three.safe");
}

#[test]
fn a_bad_shard_is_named() {
    let folder = shards();
    let two = folder.path().join("two.safetensors");
    let bytes = fs::read(&two).unwrap();
    fs::write(&two, &bytes[..bytes.len() - 1]).unwrap();
    let error = open(folder.path(), &format!(r#"{{"weight_map":{{{MAP}}}}}"#)).unwrap_err();
    assert_error!(error, Error::Truncated { .. }, "two.safetensors", "tensor c");
}

#[test]
fn indexes_that_are_not_what_they_should_be() {
    let folder = shards();
    let refused = |index: &str| open(folder.path(), index).unwrap_err();
    for (index, reason) in [
        ("", "EOF"),
        ("{}", "missing field `weight_map`"),
        ("[]", "weight_map"),
        (r#"{"weight_map":[]}"#, "invalid type"),
        (r#"{"weight_map":{"a":1}}"#, "a: invalid type"),
        (r#"{"weight_map":{},"weight_map":{}}"#, "duplicate field"),
    ] {
        assert_error!(refused(index), Error::Json { .. }, INDEX, "the shard index", reason);
    }
    assert_error!(refused(r#"{"weight_map":{}}"#), Error::EmptyIndex { .. }, "weight_map");
    let twice = r#"{"weight_map":{"a":"one.safetensors","a":"two.safetensors"}}"#;
    assert_error!(refused(twice), Error::DuplicateKey { .. }, "weight_map", "found a twice");
    let name = r#"{"weight_map":{"a\u0000":"one.safetensors"}}"#;
    assert_error!(refused(name), Error::Name { .. }, INDEX);
    for deep in ["[".repeat(200_000), format!("{{\"metadata\":{}", "{\"a\":".repeat(200_000))] {
        assert_error!(refused(&deep), Error::TooDeep { .. }, INDEX, "32 levels");
    }
}

#[test]
fn an_index_that_is_too_large_is_not_read() {
    let folder = shards();
    let index = fs::File::create(folder.path().join(INDEX)).unwrap();
    index.set_len(100_000_001).unwrap();
    let error = Checkpoint::open(folder.path(), &OpenOptions::default()).unwrap_err();
    assert_error!(error, Error::TooLong { found: 100_000_001, .. }, "the shard index");
}

#[test]
fn an_index_that_is_a_folder_is_refused() {
    let folder = shards();
    fs::create_dir(folder.path().join(INDEX)).unwrap();
    let error = Checkpoint::open(folder.path(), &OpenOptions::default()).unwrap_err();
    assert_error!(error, Error::NotAFile { .. }, INDEX);
}
