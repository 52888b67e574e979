//! Random Unicode, typed special tokens and every code point, against Hugging Face.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    missing_docs,
    reason = "tests fail by panicking"
)]

mod common;

use std::fs;

use common::{
    CASINGS, Digest, assert_digests, cases, fixture, fixture_text, flat, folder, join,
    model_tokenizer, numbers, options, small,
};
use nervio_tokenizer::{Tokenizer, TokenizerOptions};
use serde_json::Value;

/// One past the last scalar that is a piece in the vocabulary of the code point test.
const CODEPOINT_VOCABULARY_END: u32 = 0x3_2000;

/// Compares every case; says how many differ and shows the first ones.
fn compare(name: &str, casing: &str, tokenizer: &Tokenizer) {
    let cases = cases(name);
    let failures: Vec<String> =
        cases.iter().filter_map(|case| difference(case, casing, tokenizer)).collect();
    assert!(
        failures.is_empty(),
        "{casing}: {} of {} cases of {name} differ:\n{}",
        failures.len(),
        cases.len(),
        failures[..failures.len().min(10)].join("\n")
    );
}

/// The text of a case, or its words joined, and its pieces.
fn answer(case: &Value, tokenizer: &Tokenizer) -> (String, Vec<u32>) {
    if let Some(text) = case["text"].as_str() {
        return (text.to_owned(), flat(text, &tokenizer.encode(text)));
    }
    let words = case["words"].as_array().unwrap().iter();
    let words: Vec<&str> = words.map(|word| word.as_str().unwrap()).collect();
    let (text, ranges) = join(&words);
    let found = flat(&text, &tokenizer.encode_words(&text, &ranges));
    (text, found)
}

/// The text and the first piece (id, start, end, word) that differs.
fn difference(case: &Value, casing: &str, tokenizer: &Tokenizer) -> Option<String> {
    let expected = numbers(&case[casing]);
    let (text, found) = answer(case, tokenizer);
    let differs = |index: &usize| found.chunks(4).nth(*index) != expected.chunks(4).nth(*index);
    let first = (0..found.len().max(expected.len()) / 4).find(differs)?;
    Some(format!(
        "{text:?}: piece {first}: expected {:?}, found {:?}",
        expected.chunks(4).nth(first),
        found.chunks(4).nth(first)
    ))
}

#[test]
fn random_texts_and_words_are_those_of_hugging_face() {
    for (casing, lowercase) in CASINGS {
        compare("unicode.json", casing, &small(options(lowercase)));
    }
}

#[test]
fn random_texts_and_words_are_those_of_hugging_face_for_real_vocabularies() {
    for model in ["es-ner-base", "beto-cased", "beto-uncased"] {
        let Some(tokenizer) = model_tokenizer(model) else {
            return;
        };
        let digests = cases("unicode.json").into_iter().map(|case| {
            let mut digest = Digest::new();
            digest.add(&answer(&case, &tokenizer).1);
            digest.hex()
        });
        assert_digests(&format!("unicode.{model}.txt"), digests);
    }
}

#[test]
fn added_tokens_are_found_where_hugging_face_finds_them() {
    let vocab = fs::read(fixture("vocab.txt")).unwrap();
    for (casing, lowercase) in CASINGS {
        let mut config: Value =
            serde_json::from_str(&fixture_text("added_tokens.config.json")).unwrap();
        config["do_lower_case"] = lowercase.into();
        let config = config.to_string().into_bytes();
        let folder = folder(&[("vocab.txt", &vocab), ("tokenizer_config.json", &config)]);
        for are_text in [true, false] {
            let tokenizer = Tokenizer::from_folder(folder.path()).unwrap();
            let tokenizer = tokenizer.with_encode_special_tokens(are_text);
            let cases = cases("added_tokens.json").into_iter();
            let differences: Vec<String> = cases
                .filter(|case| case["typed_specials_are_text"] == are_text)
                .filter_map(|case| difference(&case, casing, &tokenizer))
                .collect();
            assert!(differences.is_empty(), "{casing}: {}", differences.join("\n"));
        }
    }
}

#[test]
fn typed_specials_become_their_ids_when_asked() {
    for (casing, lowercase) in CASINGS {
        let options = TokenizerOptions { encode_special_tokens: false, ..options(lowercase) };
        compare("typed_specials.json", casing, &small(options));
    }
}

/// Specials, every visible scalar below the bound, and the same as continuations.
fn codepoint_vocabulary() -> String {
    let visible = (0..CODEPOINT_VOCABULARY_END)
        .filter_map(char::from_u32)
        .filter(|char| !char.is_control() && !char.is_whitespace());
    let mut lines = String::from("[MASK]\n[PAD]\n[EOS]\n[UNK]\n[CLS]\n[SEP]\n");
    for char in visible.clone() {
        lines.push(char);
        lines.push('\n');
    }
    for char in visible {
        lines.push_str("##");
        lines.push(char);
        lines.push('\n');
    }
    lines
}

#[test]
fn every_code_point_beside_letters_is_treated_as_by_hugging_face() {
    let vocabulary = codepoint_vocabulary();
    for (casing, lowercase) in CASINGS {
        let tokenizer =
            Tokenizer::from_vocab_bytes("vocab.txt", vocabulary.as_bytes(), options(lowercase))
                .unwrap();
        let runs = fixture_text(&format!("codepoints.{casing}.txt"));
        let expected = runs.lines().flat_map(|line| {
            let (count, digest) = line.split_once(' ').unwrap();
            std::iter::repeat_n(digest, count.parse().unwrap())
        });
        let mut wrong = Vec::new();
        let mut blocks = 0;
        for (block, expected) in (0_u32..).step_by(256).zip(expected) {
            let mut digest = Digest::new();
            for char in (block..block + 256).filter_map(char::from_u32) {
                let text = format!("a{char}b a{char} {char}b");
                digest.add(&flat(&text, &tokenizer.encode(&text)));
            }
            if digest.hex() != expected {
                wrong.push(format!("U+{block:04X}"));
            }
            blocks += 1;
        }
        assert_eq!(blocks, 0x11_0000 / 256);
        assert!(wrong.is_empty(), "{casing}: blocks that differ: {wrong:?}");
    }
}
