//! Spark NLP's rules.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    missing_docs,
    reason = "tests fail by panicking"
)]

mod common;

use common::Sentence;
use nervio_ner::{Aggregation, DecoderOptions, Scheme};

fn spark(labels: &str, tags: &str) -> String {
    let options = DecoderOptions { aggregation: Aggregation::Spark, ..DecoderOptions::default() };
    Sentence::tagged("a b c d e", labels, tags).texts(&options).replace(' ', ";")
}

#[test]
fn the_first_tag_of_a_run_names_it() {
    assert_eq!(spark("O B-PER I-PER", "B-PER I-PER O"), "PER:a;b");
    assert_eq!(spark("O B-PER I-PER", "I-PER I-PER O"), "PER:a;b");
    let labels = "O B-PER I-PER B-LOC I-LOC";
    assert_eq!(spark(labels, "B-PER I-LOC O I-LOC"), "PER:a;b;LOC:d");
    assert_eq!(spark(labels, "B-PER B-PER I-PER O O"), "PER:a;PER:b;c");
    assert_eq!(spark("O S-PER", "S-PER S-PER O"), "PER:a;b");
    assert_eq!(spark("O B-PER E-PER S-LOC", "B-PER E-PER S-LOC"), "PER:a;b;c");
    assert_eq!(spark("O PER LOC ORG", "PER PER LOC O ORG"), "PER:a;b;c;ORG:e");
    assert_eq!(spark("O B-PER I-PER", "O O O O I-PER"), "PER:e");
}

#[test]
fn odd_tags_are_no_error() {
    // One character is no tag, two are a tag without a type.
    assert_eq!(spark("O B-PER I-PER X", "X I-PER X O X"), "PER:b;c");
    assert_eq!(spark("O B- I-PER B-PER", "B- O O"), ":a");
    assert_eq!(spark("O B-PER I-PER ññPER", "ññPER O"), "PER:a");
}

#[test]
fn confidence_is_the_mean_of_the_words_by_their_own_tags() {
    let rows: [common::Row<'_, '_>; 3] = [
        ("Wolf", "Wolf", &[("B-PER", 0.6), ("O", 0.37)]),
        ("##gang", "gang", &[("O", 0.9)]),
        ("Berlin", "Berlin", &[("I-LOC", 0.8), ("O", 0.17)]),
    ];
    let sentence = Sentence::new("Wolfgang Berlin", "O B-PER I-PER B-LOC I-LOC", &rows);
    let options = DecoderOptions { aggregation: Aggregation::Spark, ..DecoderOptions::default() };
    assert_eq!(sentence.show(&options), "PER[0,15)0.7000");
    let whole = DecoderOptions { scheme: Some(Scheme::None), ..options };
    assert_eq!(sentence.show(&whole), "B-PER[0,15)0.7000");
}
