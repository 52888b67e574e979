//! Hostile files give errors that name the file; hostile texts are answered, and soon.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    missing_docs,
    reason = "tests fail by panicking"
)]

mod common;

use std::time::{Duration, Instant};

use common::{fixture_text, flat, folder, options, small, with_pieces};
use nervio_tokenizer::{Tokenizer, TokenizerOptions};
use serde_json::{Value, json};

const SPECIALS: &str = "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\n";
/// Far above what linear work takes, far below what quadratic work takes.
const SOON: Duration = Duration::from_secs(10);

/// The message of the error that these files give; it must name `culprit`.
fn refusal(files: &[(&str, &[u8])], culprit: &str) -> String {
    let folder = folder(files);
    let Err(error) = Tokenizer::from_folder(folder.path()) else {
        panic!("accepted: {:?}", files.first().map(|file| file.0));
    };
    let message = error.to_string();
    assert!(message.contains(culprit), "{message:?} does not name {culprit}");
    assert!(!message.contains('\n'), "more than one line: {message:?}");
    message
}

fn refused_vocab(vocab: &[u8]) -> String {
    refusal(&[("vocab.txt", vocab)], "vocab.txt")
}

fn refused_json(edit: impl FnOnce(&mut Value)) -> String {
    let mut json: Value = serde_json::from_str(&fixture_text("tokenizer.json")).unwrap();
    edit(&mut json);
    refusal(&[("tokenizer.json", json.to_string().as_bytes())], "tokenizer.json")
}

#[test]
fn a_missing_folder_or_file_is_named() {
    let empty = folder(&[]);
    let message = Tokenizer::from_folder(empty.path()).err().unwrap().to_string();
    assert!(message.contains("vocab.txt"), "{message}");
    let missing = empty.path().join("not-there");
    let message = Tokenizer::from_folder(&missing).err().unwrap().to_string();
    assert!(message.contains("not-there"), "{message}");
}

#[test]
fn an_empty_vocabulary_is_refused() {
    refused_vocab(b"");
    refused_vocab(b"\n\n");
}

#[test]
fn a_duplicate_entry_is_refused_and_shown() {
    let message = refused_vocab(format!("{SPECIALS}hola\nadios\nhola\n").as_bytes());
    assert!(message.contains("hola"), "{message}");
}

#[test]
fn a_missing_special_token_is_refused_and_shown() {
    for special in ["[UNK]", "[CLS]", "[SEP]", "[PAD]"] {
        let vocab = SPECIALS.replace(&format!("{special}\n"), "hola\n");
        let message = refused_vocab(vocab.as_bytes());
        assert!(message.contains(special), "{message}");
    }
}

#[test]
fn bytes_that_are_not_utf8_are_refused() {
    refused_vocab(b"[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\nho\xffla\n");
    refusal(&[("tokenizer.json", b"{\"model\":\"\xff\"}")], "tokenizer.json");
}

#[test]
fn errors_of_embedded_bytes_carry_the_given_name() {
    let result = Tokenizer::from_vocab_bytes("embedded", b"hola\n", TokenizerOptions::cased());
    let message = result.err().unwrap().to_string();
    assert!(message.contains("embedded"), "{message}");
}

#[test]
fn json_that_is_cut_short_or_nested_deeply_is_refused() {
    let whole = fixture_text("tokenizer.json");
    refusal(&[("tokenizer.json", &whole.as_bytes()[..whole.len() / 2])], "tokenizer.json");
    let deep = "[".repeat(1_000_000);
    refusal(&[("tokenizer.json", deep.as_bytes())], "tokenizer.json");
    let deep = format!("{{\"do_lower_case\":{deep}");
    let files: [(&str, &[u8]); 2] =
        [("vocab.txt", SPECIALS.as_bytes()), ("tokenizer_config.json", deep.as_bytes())];
    refusal(&files, "tokenizer_config.json");
}

#[test]
fn settings_of_the_wrong_type_are_refused() {
    for config in [json!({"do_lower_case": "yes"}), json!({"strip_accents": 3}), json!([])] {
        let config = config.to_string();
        let files: [(&str, &[u8]); 2] =
            [("vocab.txt", SPECIALS.as_bytes()), ("tokenizer_config.json", config.as_bytes())];
        refusal(&files, "tokenizer_config.json");
    }
}

#[test]
fn another_kind_of_tokenizer_is_refused() {
    refused_json(|json| json["model"]["type"] = json!("BPE"));
    refused_json(|json| json["normalizer"] = json!({"type": "NFKC"}));
    refused_json(|json| json["pre_tokenizer"] = json!({"type": "ByteLevel"}));
}

#[test]
fn an_empty_added_token_is_refused() {
    refused_json(|json| json["added_tokens"][0]["content"] = json!(""));
}

#[test]
fn impossible_ids_are_refused() {
    refused_json(|json| json["model"]["vocab"]["hola"] = json!(4_294_967_295_u64));
    refused_json(|json| json["model"]["vocab"]["hola"] = json!(0));
    refused_json(|json| json["model"]["vocab"]["hola"] = json!(-1));
    refused_json(|json| json["model"]["vocab"]["hola"] = json!("7"));
    refused_json(|json| json["model"]["vocab"] = json!({}));
}

#[test]
fn a_vocabulary_with_crlf_is_the_same_vocabulary() {
    let plain = fixture_text("vocab.txt");
    let crlf = plain.replace('\n', "\r\n");
    let windows =
        Tokenizer::from_vocab_bytes("vocab.txt", crlf.as_bytes(), options(false)).unwrap();
    let unix = small(options(false));
    assert_eq!(windows.vocab_size(), unix.vocab_size());
    for id in 0..u32::try_from(unix.vocab_size()).unwrap() {
        assert_eq!(windows.token(id), unix.token(id));
    }
    let text = "¡Hola, Madrid!";
    assert_eq!(flat(text, &windows.encode(text)), flat(text, &unix.encode(text)));
}

#[test]
fn a_word_of_a_million_characters_is_one_unknown_piece() {
    let started = Instant::now();
    for (lowercase, letter) in [(false, "a"), (true, "Ñ")] {
        let tokenizer = small(options(lowercase));
        let text = letter.repeat(1_000_000);
        let pieces = tokenizer.encode(&text).pieces;
        assert_eq!(pieces.len(), 1);
        assert_eq!(pieces[0].id, tokenizer.special().unk);
        assert_eq!(pieces[0].range, 0..text.len());
    }
    assert!(started.elapsed() < SOON);
}

#[test]
fn the_limit_of_a_word_is_a_hundred_characters() {
    let tokenizer = with_pieces(&["ñ", "##ñ"], options(false));
    assert_eq!(tokenizer.encode(&"ñ".repeat(100)).pieces.len(), 100);
    assert_eq!(tokenizer.encode(&"ñ".repeat(101)).pieces.len(), 1);
}

#[test]
fn ten_megabytes_of_combining_marks_are_answered_soon() {
    let marks = "\u{301}\u{316}".repeat(10_000_000 / 4);
    let started = Instant::now();
    assert!(small(options(true)).encode(&marks).pieces.is_empty());
    let text = format!("a{marks}");
    for lowercase in [false, true] {
        let pieces = small(options(lowercase)).encode(&text).pieces;
        assert_eq!(pieces.len(), 1);
        let end = if lowercase { 1 } else { text.len() };
        assert_eq!(pieces[0].range, 0..end);
    }
    assert!(started.elapsed() < SOON);
}

#[test]
fn megabytes_of_one_kind_are_answered_soon() {
    let started = Instant::now();
    for lowercase in [false, true] {
        let tokenizer = small(options(lowercase));
        for (unit, pieces) in [("\0", 0), (" ", 0), ("[", 500_000), ("\u{200d}", 0)] {
            assert_eq!(tokenizer.encode(&unit.repeat(500_000)).pieces.len(), pieces);
        }
    }
    let cut = TokenizerOptions { encode_special_tokens: false, ..options(false) };
    let text = "[SEP]".repeat(200_000);
    assert_eq!(small(cut).encode(&text).pieces.len(), 200_000);
    assert!(started.elapsed() < SOON);
}
