//! `nervio-weights prune-vocab` as a person runs it, and the same answers from what it writes.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests fail by panicking")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use nervio::{Document, ModelSource, Recognizer};
use serde_json::Value;
use tempfile::TempDir;

const TEXT: &str = "El señor García vive en São Paulo.\nMañana viaja a Berlín, ¿verdad?\n";

/// The model that is part of the project, which has 8-bit weights.
fn source() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../models/es-ner")
}

fn prune(source: &Path, place: &TempDir, text: &[u8], more: &[&str]) -> (Output, PathBuf) {
    let (data, out) = (place.path().join("text.txt"), place.path().join("out"));
    fs::write(&data, text).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_nervio-weights"));
    command.arg("prune-vocab").args([source, &out]).arg("--data").arg(&data).args(more);
    (command.output().unwrap(), out)
}

fn recognizer(folder: &Path) -> Recognizer {
    let source = ModelSource::Folder(folder.to_owned());
    Recognizer::builder().model(source).threads(Some(1)).build().unwrap()
}

/// Labels, places and the bits of the scores.
fn answers(recognizer: &Recognizer, text: &str) -> Vec<(String, usize, usize, u32)> {
    let documents: Vec<_> = text.lines().map(Document::new).collect();
    let answers = recognizer.recognize_batch(&documents).into_iter().map(Result::unwrap);
    let entities = answers.flat_map(|answer| answer.entities);
    entities.map(|e| (e.label.clone(), e.start, e.end, e.score.to_bits())).collect()
}

fn json(file: &Path) -> Value {
    serde_json::from_slice(&fs::read(file).unwrap()).unwrap()
}

#[test]
fn covered_text_has_the_same_answers_from_a_small_table() {
    let place = tempfile::tempdir().unwrap();
    let other = place.path().join("other.txt");
    fs::write(&other, "Otorrinolaringología en Huancavelica: 中文 ж").unwrap();
    let more = ["--check", other.to_str().unwrap()];
    let (output, out) = prune(&source(), &place, TEXT.as_bytes(), &more);
    assert!(output.status.success(), "{output:?}");
    let told = String::from_utf8(output.stdout).unwrap();
    let (before, after) = (recognizer(&source()), recognizer(&out));
    let kept = after.tokenizer().vocab_size();
    assert!(kept > 100 && kept < 1000, "{kept}");
    assert!(told.contains(&format!("tokens: {kept} of 21444 kept")), "{told}");
    assert!(told.contains("check: 5 words, ") && told.contains("% cut otherwise"), "{told}");
    assert_eq!(json(&out.join("config.json"))["vocab_size"], kept);
    let expected = answers(&before, TEXT);
    assert!(expected.len() >= 3, "there is something to compare: {expected:?}");
    assert_eq!(answers(&after, TEXT), expected);
    // Words that were never seen fall into pieces of characters that were.
    assert!(after.tokenizer().encode("Paloma").pieces.len() > 1);
    let unknown = after.tokenizer().special().unk;
    assert!(after.tokenizer().encode("Valencia").pieces.iter().all(|piece| piece.id != unknown));
}

#[test]
fn every_file_with_ids_is_renumbered() {
    let model = tempfile::tempdir().unwrap();
    for file in ["config.json", "model.safetensors", "vocab.txt"] {
        fs::copy(source().join(file), model.path().join(file)).unwrap();
    }
    let vocab = fs::read_to_string(model.path().join("vocab.txt")).unwrap();
    let id = |token: &str| vocab.lines().position(|line| line == token).unwrap();
    let special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"];
    let added: Vec<Value> = special
        .iter()
        .map(|token| {
            serde_json::json!({"id": id(token), "content": token, "special": true,
            "single_word": false, "lstrip": false, "rstrip": false, "normalized": false})
        })
        .collect();
    let pairs = vocab.lines().enumerate().map(|(id, token)| (token.to_owned(), id.into()));
    let tokenizer = serde_json::json!({
        "version": "1.0", "truncation": null,
        "padding": {"strategy": "BatchLongest", "pad_id": id("[PAD]"), "pad_token": "[PAD]"},
        "added_tokens": added,
        "normalizer": {"type": "BertNormalizer", "clean_text": true, "handle_chinese_chars": true,
            "strip_accents": false, "lowercase": false},
        "pre_tokenizer": {"type": "BertPreTokenizer"},
        "post_processor": {"type": "BertProcessing", "sep": ["[SEP]", id("[SEP]")],
            "cls": ["[CLS]", id("[CLS]")]},
        "decoder": {"type": "WordPiece", "prefix": "##", "cleanup": true},
        "model": {"type": "WordPiece", "unk_token": "[UNK]", "continuing_subword_prefix": "##",
            "max_input_chars_per_word": 100, "vocab": pairs.collect::<serde_json::Map<_, _>>()},
    });
    fs::write(model.path().join("tokenizer.json"), tokenizer.to_string()).unwrap();
    let decoder = serde_json::json!({"added_tokens_decoder": {
        id("[MASK]").to_string(): {"content": "[MASK]", "special": true}}});
    fs::write(model.path().join("tokenizer_config.json"), decoder.to_string()).unwrap();
    let place = tempfile::tempdir().unwrap();
    let (output, out) = prune(model.path(), &place, TEXT.as_bytes(), &[]);
    assert!(output.status.success(), "{output:?}");

    let lines = fs::read_to_string(out.join("vocab.txt")).unwrap();
    let new_id = |token: &str| lines.lines().position(|line| line == token).unwrap();
    let written = json(&out.join("tokenizer.json"));
    assert_eq!(written["model"]["vocab"].as_object().unwrap().len(), lines.lines().count());
    for (token, entry) in special.iter().zip(written["added_tokens"].as_array().unwrap()) {
        assert_eq!(entry["id"], new_id(token));
        assert_eq!(written["model"]["vocab"][token], new_id(token));
    }
    assert_eq!(written["post_processor"]["sep"][1], new_id("[SEP]"));
    assert_eq!(written["post_processor"]["cls"][1], new_id("[CLS]"));
    assert_eq!(written["padding"]["pad_id"], new_id("[PAD]"));
    let config = json(&out.join("tokenizer_config.json"));
    let mask = new_id("[MASK]").to_string();
    assert_eq!(config["added_tokens_decoder"][mask]["content"], "[MASK]");
    assert_eq!(answers(&recognizer(&out), TEXT), answers(&recognizer(model.path()), TEXT));
}

#[test]
fn bad_input_is_told_and_leaves_nothing() {
    for (text, expected) in [(&b""[..], "expected some text"), (b"abc\xff", "UTF-8")] {
        let place = tempfile::tempdir().unwrap();
        let (output, out) = prune(&source(), &place, text, &[]);
        let message = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(1), "{message}");
        assert!(message.contains(expected), "{message}");
        assert!(!out.exists());
    }
    let place = tempfile::tempdir().unwrap();
    let (output, _) = prune(Path::new("no-such-model"), &place, b"Ana", &[]);
    assert!(String::from_utf8(output.stderr).unwrap().contains("no-such-model"));
}
