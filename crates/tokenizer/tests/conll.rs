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

use common::{Digest, fixture_text, flat, join, options, shared};
use nervio_tokenizer::Tokenizer;

/// How many sentences one digest covers.
const DIGEST_SENTENCES: usize = 4;

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

/// `JOINED GIVEN` of one group of sentences.
fn digests(tokenizer: &Tokenizer, group: &[Vec<String>]) -> String {
    let (mut joined, mut given) = (Digest::new(), Digest::new());
    for words in group {
        let (text, ranges) = join(words);
        joined.add(&flat(&text, &tokenizer.encode(&text)));
        given.add(&flat(&text, &tokenizer.encode_words(&text, &ranges)));
    }
    format!("{} {}", joined.hex(), given.hex())
}

fn check(model: &str, tokenizer: &Tokenizer) {
    for (corpus, count) in [("esp.train", 8323), ("esp.testa", 1915)] {
        let Some(path) = shared(&format!("data/conll2002-es/{corpus}")) else {
            return;
        };
        let sentences = sentences(&path);
        assert_eq!(sentences.len(), count, "{corpus}");
        let fixture = fixture_text(&format!("conll/{model}.{corpus}.txt"));
        let expected: Vec<&str> = fixture.lines().collect();
        let groups: Vec<&[Vec<String>]> = sentences.chunks(DIGEST_SENTENCES).collect();
        assert_eq!(expected.len(), groups.len(), "{corpus}");
        let wrong: Vec<usize> = (0..groups.len())
            .filter(|&index| digests(tokenizer, groups[index]) != expected[index])
            .map(|index| index * DIGEST_SENTENCES)
            .collect();
        assert!(
            wrong.is_empty(),
            "{model} {corpus}: {} groups differ, first sentences {:?}",
            wrong.len(),
            &wrong[..wrong.len().min(20)]
        );
    }
}

fn beto(casing: &str, lowercase: bool) {
    let Some(path) = shared(&format!("models/beto/{casing}/vocab.txt")) else {
        return;
    };
    let vocab = fs::read(path).unwrap();
    let tokenizer = Tokenizer::from_vocab_bytes("vocab.txt", &vocab, options(lowercase)).unwrap();
    assert_eq!(tokenizer.vocab_size(), 31_002);
    let special = tokenizer.special();
    assert_eq!([special.mask, special.pad, special.unk, special.cls, special.sep], [0, 1, 3, 4, 5]);
    check(&format!("beto-{casing}"), &tokenizer);
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
    beto("cased", false);
}

#[test]
fn uncased_beto_gives_the_ids_and_offsets_of_hugging_face() {
    beto("uncased", true);
}
