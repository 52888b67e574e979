//! Tokenizers of model folders: `vocab.txt`, `tokenizer.json` and the files beside them.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    missing_docs,
    reason = "tests fail by panicking"
)]

mod common;

use std::fs;

use common::{cases, fixture, fixture_text, flat, folder, numbers};
use nervio_tokenizer::Tokenizer;
use serde_json::{Value, json};

/// A folder with only this `tokenizer.json`.
fn from_json(json: &str) -> Tokenizer {
    let folder = folder(&[("tokenizer.json", json.as_bytes())]);
    Tokenizer::from_folder(folder.path()).unwrap()
}

/// A folder with the small `vocab.txt` and this configuration.
fn from_vocab(config: &Value) -> Tokenizer {
    let vocab = fs::read(fixture("vocab.txt")).unwrap();
    let folder =
        folder(&[("vocab.txt", &vocab), ("tokenizer_config.json", config.to_string().as_bytes())]);
    Tokenizer::from_folder(folder.path()).unwrap()
}

fn assert_is(tokenizer: &Tokenizer, casing: &str) {
    for case in cases("vectors.json").iter().chain(&cases("unicode.json")) {
        if let Some(text) = case["text"].as_str() {
            let found = flat(text, &tokenizer.encode(text));
            assert_eq!(found, numbers(&case[casing]), "{casing} {text:?}");
        }
    }
}

#[test]
fn the_saved_tokenizer_json_alone_is_enough() {
    let tokenizer = from_json(&fixture_text("tokenizer.json"));
    assert!(tokenizer.options().lowercase && tokenizer.options().strip_accents);
    assert_is(&tokenizer, "uncased");
}

#[test]
fn tokenizer_json_decides_the_casing() {
    let mut json: Value = serde_json::from_str(&fixture_text("tokenizer.json")).unwrap();
    json["normalizer"]["lowercase"] = json!(false);
    assert_is(&from_json(&json.to_string()), "cased");
}

#[test]
fn tokenizer_config_decides_before_tokenizer_json_unless_the_class_is_generic() {
    let json = fixture_text("tokenizer.json");
    for (config, casing) in [
        (json!({"do_lower_case": false}), "cased"),
        (json!({"do_lower_case": false, "tokenizer_class": "BertTokenizer"}), "cased"),
        (json!({"do_lower_case": false, "tokenizer_class": "PreTrainedTokenizerFast"}), "uncased"),
    ] {
        let config = config.to_string();
        let files =
            [("tokenizer.json", json.as_bytes()), ("tokenizer_config.json", config.as_bytes())];
        assert_is(&Tokenizer::from_folder(folder(&files).path()).unwrap(), casing);
    }
}

#[test]
fn tokenizer_json_is_preferred_to_vocab() {
    let json = fixture_text("tokenizer.json");
    let files: [(&str, &[u8]); 2] = [("tokenizer.json", json.as_bytes()), ("vocab.txt", b"\xff")];
    assert_is(&Tokenizer::from_folder(folder(&files).path()).unwrap(), "uncased");
}

#[test]
fn extra_special_tokens_follow_the_vocabulary() {
    let vocab = fixture_text("vocab.txt");
    let map = json!({"additional_special_tokens": ["<x>", "hola"], "mask_token": "[MASK]"});
    let map = map.to_string();
    let files = [("vocab.txt", vocab.as_bytes()), ("special_tokens_map.json", map.as_bytes())];
    let tokenizer = Tokenizer::from_folder(folder(&files).path()).unwrap();
    let lines = vocab.lines().count();
    assert_eq!(tokenizer.vocab_size(), lines + 1);
    assert_eq!(tokenizer.id("<x>"), u32::try_from(lines).ok());
    let tokens = |tokenizer: &Tokenizer, text: &str| -> Vec<String> {
        let pieces = tokenizer.encode(text).pieces.into_iter();
        pieces.map(|piece| tokenizer.token(piece.id).unwrap().to_owned()).collect()
    };
    assert_eq!(tokens(&tokenizer, "<x>"), ["<", "x", ">"]);
    assert_eq!(tokens(&tokenizer.with_encode_special_tokens(false), "<x>hola"), ["<x>", "hola"]);
}

#[test]
fn tokenizer_json_and_vocab_agree_on_everything_else() {
    let json = from_json(&fixture_text("tokenizer.json"));
    let vocab = from_vocab(&json!({"do_lower_case": true}));
    assert_eq!(json.vocab_size(), vocab.vocab_size());
    for id in 0..u32::try_from(json.vocab_size()).unwrap() {
        assert_eq!(json.token(id), vocab.token(id));
        assert_eq!(json.id(json.token(id).unwrap()), Some(id));
    }
    let ids = |tokenizer: &Tokenizer| {
        let special = tokenizer.special();
        [special.cls, special.sep, special.pad, special.unk, special.mask]
    };
    assert_eq!(ids(&json), ids(&vocab));
}

#[test]
fn tokenizer_config_decides_the_casing_of_a_vocabulary() {
    assert_is(&from_vocab(&json!({"do_lower_case": true})), "uncased");
    assert_is(&from_vocab(&json!({"do_lower_case": false})), "cased");
    assert_is(&from_vocab(&json!({"do_lower_case": true, "strip_accents": null})), "uncased");
}

#[test]
fn lower_casing_is_the_default_as_in_hugging_face() {
    assert_is(&from_vocab(&json!({})), "uncased");
}

#[test]
fn accents_may_be_kept_while_lower_casing() {
    let tokenizer = from_vocab(&json!({"do_lower_case": true, "strip_accents": false}));
    let pieces = tokenizer.encode("É").pieces;
    assert_eq!(tokenizer.token(pieces[0].id), Some("é"));
    assert_eq!(pieces[0].range, 0..2);
}

#[test]
fn chinese_characters_may_be_left_together() {
    let tokenizer = from_vocab(&json!({"tokenize_chinese_chars": false}));
    let pieces = tokenizer.encode("一丁").pieces;
    let tokens: Vec<_> = pieces.iter().map(|piece| tokenizer.token(piece.id)).collect();
    assert_eq!(tokens, [Some("一"), Some("##丁")]);
}

#[test]
fn a_huge_model_max_length_means_none() {
    let tokenizer = from_vocab(&json!({"model_max_length": 1e30}));
    assert_eq!(tokenizer.options().model_max_length, None);
    let tokenizer = from_vocab(&json!({"model_max_length": 512}));
    assert_eq!(tokenizer.options().model_max_length, Some(512));
}

#[test]
fn typed_specials_are_plain_text_in_a_folder_too() {
    let tokenizer = from_json(&fixture_text("tokenizer.json"));
    let tokens: Vec<_> =
        tokenizer.encode("[SEP]").pieces.iter().map(|piece| tokenizer.token(piece.id)).collect();
    assert_eq!(tokens, [Some("["), Some("sep"), Some("]")]);
}
