//! The golden vectors of BERT's fast tokenizer: ids, offsets, words and pre-tokens.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    missing_docs,
    reason = "tests fail by panicking"
)]

mod common;

use common::{CASINGS, cases, flat, numbers, options, small, with_pieces};
use nervio_tokenizer::Tokenizer;

/// The pieces of each word glued together again; a word that is not in the vocabulary gives `[UNK]`.
fn words(tokenizer: &Tokenizer, text: &str) -> Vec<String> {
    let encoding = tokenizer.encode(text);
    let mut words: Vec<String> = Vec::new();
    let mut last = None;
    for piece in &encoding.pieces {
        let token = tokenizer.token(piece.id).unwrap();
        if last.replace(piece.word) == Some(piece.word) {
            assert!(piece.continuation, "{text:?}: {token:?}");
            let inside = token.strip_prefix("##").unwrap();
            words.last_mut().unwrap().push_str(inside);
        } else {
            assert!(!piece.continuation, "{text:?}: {token:?}");
            words.push(token.to_owned());
        }
    }
    words
}

#[test]
fn ids_offsets_and_words_are_those_of_hugging_face() {
    for (casing, lowercase) in CASINGS {
        let tokenizer = small(options(lowercase));
        for case in cases("vectors.json") {
            let text = case["text"].as_str().unwrap();
            let found = flat(text, &tokenizer.encode(text));
            assert_eq!(found, numbers(&case[casing]), "{casing} {text:?}");
        }
    }
}

#[test]
fn words_are_the_librarys_pre_tokens() {
    for (casing, lowercase) in CASINGS {
        let tokenizer = small(options(lowercase));
        for case in cases("vectors.json") {
            let text = case["text"].as_str().unwrap();
            let found = words(&tokenizer, text);
            let expected = case[format!("{casing}_pre_tokens")].as_array().unwrap();
            assert_eq!(found.len(), expected.len(), "{casing} {text:?}");
            for (word, pre_token) in found.iter().zip(expected) {
                let known = word == pre_token.as_str().unwrap();
                assert!(known || word == "[UNK]", "{casing} {text:?}: {word:?}");
            }
        }
    }
}

#[test]
fn words_are_those_written_in_the_reference() {
    let tokenizer = small(options(false));
    for (text, expected) in [
        ("a_b", &["a", "_", "b"][..]),
        ("@user#tag", &["@", "user", "#", "tag"]),
        ("e-mail", &["e", "-", "mail"]),
        ("3.5€", &["3", ".", "5€"]),
        ("¡Hola!", &["¡", "Hola", "!"]),
        ("l’Hospitalet", &["l", "’", "Hospitalet"]),
        ("日本語テスト", &["日", "本", "語", "テスト"]),
        ("👨\u{200d}👩\u{200d}👧", &["👨👩👧"]),
        ("a\u{2028}b", &["a", "b"]),
        ("x\u{85}y", &["xy"]),
        ("a\u{b}b", &["ab"]),
        ("a\u{378}b", &["a\u{378}b"]),
        ("\u{2b830}a", &["\u{2b830}a"]),
    ] {
        assert_eq!(words(&tokenizer, text), expected, "{text:?}");
    }
}

#[test]
fn dropped_characters_inside_a_word_belong_to_its_range() {
    let tokenizer = with_pieces(&["ab"], options(false));
    let encoding = tokenizer.encode("a\u{200b}b");
    assert_eq!(encoding.pieces.len(), 1);
    assert_eq!(encoding.pieces[0].range, 0..5);
    assert_eq!(tokenizer.token(encoding.pieces[0].id), Some("ab"));
}

#[test]
fn a_stripped_accent_at_the_end_is_left_out() {
    let uncased = with_pieces(&["cafe"], options(true));
    let text = "cafe\u{301}";
    assert_eq!(flat(text, &uncased.encode(text)), [5, 0, 4, 0]);
    let cased = with_pieces(&["café"], options(false));
    assert_eq!(flat(text, &cased.encode(text)), [cased.special().unk, 0, 5, 0]);
}

#[test]
fn a_word_that_fails_anywhere_is_one_unknown_piece() {
    let tokenizer = with_pieces(&["ab", "##c"], options(false));
    let unknown = tokenizer.special().unk;
    let encoding = tokenizer.encode("abc abcd ab");
    assert_eq!(
        flat("abc abcd ab", &encoding),
        [5, 0, 2, 0, 6, 2, 3, 0, unknown, 4, 8, 1, 5, 9, 11, 2]
    );
}

#[test]
fn special_ids_may_be_anywhere() {
    let tokenizer = small(options(false));
    let special = tokenizer.special();
    let ids = [special.mask, special.pad, special.unk, special.cls, special.sep];
    assert_eq!(ids, [0, 1, 3, 4, 5]);
    assert_eq!(tokenizer.id("[EOS]"), Some(2));
    assert_eq!(tokenizer.token(2), Some("[EOS]"));
    assert_eq!(tokenizer.id("not there"), None);
    assert_eq!(tokenizer.token(u32::try_from(tokenizer.vocab_size()).unwrap()), None);
}
