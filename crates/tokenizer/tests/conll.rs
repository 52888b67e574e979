//! All of CoNLL-2002 Spanish, joined and as given words, against digests of Hugging Face's answers.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    missing_docs,
    reason = "tests fail by panicking"
)]

mod common;

use std::fs;
use std::path::Path;

use common::{Digest, assert_digests, flat, join, model_tokenizer, shared};
use nervio_tokenizer::Tokenizer;

/// First column of every sentence.
fn sentences(corpus: &Path) -> Vec<Vec<String>> {
    let text = fs::read_to_string(corpus).unwrap();
    text.split("\n\n")
        .map(|block| {
            block
                .lines()
                .filter_map(|line| line.split(' ').next())
                .filter(|word| !word.is_empty())
                .map(str::to_owned)
                .collect::<Vec<_>>()
        })
        .filter(|words| !words.is_empty())
        .collect()
}

/// The digest of one sentence: joined words, then words as given.
fn digest(tokenizer: &Tokenizer, words: &[String]) -> String {
    let mut digest = Digest::new();
    let (text, ranges) = join(words);
    digest.add(&flat(&text, &tokenizer.encode(&text)));
    digest.add(&flat(&text, &tokenizer.encode_words(&text, &ranges)));
    digest.hex()
}

fn check(model: &str, tokenizer: &Tokenizer) {
    for (corpus, count) in [("esp.train", 8323), ("esp.testa", 1915)] {
        let Some(path) = shared(&format!("data/conll2002-es/{corpus}")) else {
            return;
        };
        let sentences = sentences(&path);
        assert_eq!(sentences.len(), count, "{corpus}");
        let found = sentences.iter().map(|words| digest(tokenizer, words));
        assert_digests(&format!("conll/{model}.{corpus}.txt"), found);
    }
}

fn beto(casing: &str) {
    let model = format!("beto-{casing}");
    let Some(tokenizer) = model_tokenizer(&model) else {
        return;
    };
    assert_eq!(tokenizer.vocab_size(), 31_002);
    let special = tokenizer.special();
    assert_eq!([special.mask, special.pad, special.unk, special.cls, special.sep], [0, 1, 3, 4, 5]);
    check(&model, &tokenizer);
}

#[test]
fn the_spanish_model_gives_the_ids_and_offsets_of_hugging_face() {
    let Some(folder) = shared("models/es-ner-base") else {
        return;
    };
    let tokenizer = Tokenizer::from_folder(&folder).unwrap();
    assert!(!tokenizer.options().lowercase && !tokenizer.options().strip_accents);
    assert_eq!(tokenizer.options().model_max_length, Some(512));
    check("es-ner-base", &tokenizer);
}

#[test]
fn cased_beto_gives_the_ids_and_offsets_of_hugging_face() {
    beto("cased");
}

#[test]
fn uncased_beto_gives_the_ids_and_offsets_of_hugging_face() {
    beto("uncased");
}
