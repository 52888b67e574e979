//! The strategies of transformers: known answers, and answers recorded from it.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    missing_docs,
    reason = "tests fail by panicking"
)]

mod common;

use std::collections::BTreeMap;

use common::Sentence;
use nervio_ner::{Aggregation, Decoder, DecoderOptions, Entity, LabelSet, Piece, windows};
use serde::Deserialize;

const LABELS: &str = "O B-PER I-PER B-LOC I-LOC";

fn options(aggregation: Aggregation) -> DecoderOptions {
    DecoderOptions { aggregation, ..DecoderOptions::default() }
}

#[test]
fn wolfgang() {
    let sentence = Sentence::new(
        "Wolfgang vive en Berlin",
        LABELS,
        &[
            ("Wolf", "Wolf", &[("B-PER", 0.6), ("O", 0.36)]),
            ("##gang", "gang", &[("B-LOC", 0.9)]),
            ("vive", "vive", &[("O", 0.9)]),
            ("en", "en", &[("O", 0.9)]),
            ("Ber", "Ber", &[("B-LOC", 0.9)]),
            ("##lin", "lin", &[("I-LOC", 0.8)]),
        ],
    );
    let show = |aggregation| sentence.show(&options(aggregation));
    let simple = "PER[0,4)0.6061 LOC[4,8)0.9574 LOC[17,23)0.9549";
    assert_eq!(show(Aggregation::Simple), simple);
    assert_eq!(show(Aggregation::First), "PER[0,8)0.6061 LOC[17,23)0.9574");
    assert_eq!(show(Aggregation::Average), "LOC[0,8)0.4838 LOC[17,23)0.4847");
    assert_eq!(show(Aggregation::Max), "LOC[0,8)0.9574 LOC[17,23)0.9574");
    let words = |aggregation| {
        let entities = sentence.decode(&options(aggregation)).unwrap();
        entities.into_iter().map(|entity| (entity.word, entity.index)).collect::<Vec<_>>()
    };
    let simple = [("Wolf", None), ("##gang", None), ("Berlin", None)];
    assert_eq!(words(Aggregation::Simple), simple.map(|(word, at)| (word.to_owned(), at)));
    let none = [("Wolf", Some(1)), ("##gang", Some(2)), ("Ber", Some(5)), ("##lin", Some(6))];
    assert_eq!(words(Aggregation::None), none.map(|(word, at)| (word.to_owned(), at)));
}

#[test]
fn new_york() {
    let row = |tag| [(tag, 0.9)];
    let (b, i, o) = (row("B-LOC"), row("I-LOC"), row("O"));
    let sentence = Sentence::new(
        "New-York U.S.",
        LABELS,
        &[
            ("New", "New", &b),
            ("-", "-", &[("I-LOC", 0.5), ("O", 0.4)]),
            ("York", "York", &i),
            ("U", "U", &b),
            (".", ".", &i),
            ("S", "S", &i),
            (".", ".", &o),
        ],
    );
    for aggregation in
        [Aggregation::Simple, Aggregation::First, Aggregation::Average, Aggregation::Max]
    {
        let options = options(aggregation);
        assert_eq!(sentence.show(&options), "LOC[0,8)0.8175 LOC[9,12)0.9574");
        let entities = sentence.decode(&options).unwrap();
        assert_eq!(entities[0].word, "New - York");
        assert_eq!(entities[1].word, "U. S");
    }
}

#[test]
fn tags_are_grouped_as_the_pipeline_groups_them() {
    let simple = options(Aggregation::Simple);
    let group =
        |labels, tags| Sentence::tagged("a b c", labels, tags).texts(&simple).replace(' ', ";");
    assert_eq!(group(LABELS, "I-PER I-PER O"), "PER:a;b");
    assert_eq!(group(LABELS, "I-PER I-LOC O"), "PER:a;LOC:b");
    assert_eq!(group(LABELS, "B-PER B-PER O"), "PER:a;PER:b");
    assert_eq!(group("O B-PER E-PER I-PER", "B-PER E-PER O"), "PER:a;PER:b");
    assert_eq!(group("O S-PER B-PER", "S-PER S-PER O"), "PER:a;b");
    assert_eq!(group("O PER", "PER PER O"), "PER:a;b");
    assert_eq!(group("O B-O I-O", "B-O I-O O"), "");
    assert_eq!(group("O B-a-b I-a-b", "B-a-b I-a-b O"), "a-b:a;b");
}

#[test]
fn a_dropped_character_makes_a_continuation_of_a_word() {
    // The pipeline goes by lengths: `ab` covers three characters.
    let sentence = Sentence::new(
        "Ana a\u{200b}b",
        LABELS,
        &[("Ana", "Ana", &[("B-PER", 0.9)]), ("ab", "a\u{200b}b", &[("O", 0.9)])],
    );
    let entities = sentence.decode(&options(Aggregation::First)).unwrap();
    assert_eq!(entities[0].word, "Ana ab");
    assert_eq!(sentence.texts(&options(Aggregation::First)), "PER:Ana a\u{200b}b");
    assert_eq!(sentence.texts(&options(Aggregation::Max)), "PER:Ana a\u{200b}b");
    assert_eq!(sentence.texts(&options(Aggregation::Average)), "");
    assert_eq!(sentence.texts(&DecoderOptions::default()), "PER:Ana");
}

#[derive(Deserialize)]
struct Fixture {
    cases: Vec<Case>,
}

#[derive(Deserialize)]
struct Case {
    text: String,
    labels: Vec<String>,
    /// Token, start, end, word, whether unknown.
    pieces: Vec<(String, usize, usize, u32, bool)>,
    /// Thousandths.
    logits: Vec<Vec<i32>>,
    capacity: usize,
    stride: usize,
    windows: usize,
    answers: BTreeMap<String, Vec<Answer>>,
}

/// Label, score, start, end, word, index.
type Answer = (String, f32, usize, usize, String, Option<usize>);

impl Case {
    /// The case as nervio answers it: every window by itself, then merged.
    fn answer(&self, aggregation: Aggregation) -> Vec<Entity> {
        let set = LabelSet::new(&self.labels).unwrap();
        let decoder = Decoder::new(set, options(aggregation)).unwrap();
        let piece =
            |(token, start, end, word, is_unknown): &'_ (String, usize, usize, u32, bool)| {
                (token.clone(), *start..*end, *word, *is_unknown)
            };
        let owned: Vec<_> = self.pieces.iter().map(piece).collect();
        let view = owned.iter().map(|(token, range, word, is_unknown)| Piece {
            token,
            range: range.clone(),
            word: *word,
            is_unknown: *is_unknown,
        });
        let pieces: Vec<Piece<'_>> = view.collect();
        let windows = windows::plan_hf(pieces.len(), self.capacity, self.stride).unwrap();
        // The pipeline runs an empty window for a text without pieces.
        assert_eq!(windows.len().max(1), self.windows, "{:?}", self.text);
        let mut entities = Vec::new();
        for window in &windows {
            let rows = self.logits[window.clone()].iter().flatten();
            let logits: Vec<f32> = rows.map(|logit| *logit as f32 / 1000.0).collect();
            let pieces = &pieces[window.clone()];
            entities.extend(decoder.decode(&self.text, pieces, &logits, false).unwrap());
        }
        if windows.len() > 1 { windows::merge_hf(&self.text, entities) } else { entities }
    }
}

#[test]
fn answers_are_those_of_transformers() {
    let fixture: Fixture =
        serde_json::from_str(include_str!("fixtures/hugging_face.json")).unwrap();
    assert_eq!(fixture.cases.len(), 300);
    let mut compared = 0;
    for case in &fixture.cases {
        for (strategy, expected) in &case.answers {
            let found = case.answer(strategy.parse().unwrap());
            let context = || format!("{strategy} of {:?}: {found:?}", case.text);
            assert_eq!(found.len(), expected.len(), "{}", context());
            for (found, (label, score, start, end, word, index)) in found.iter().zip(expected) {
                assert_eq!((&found.label, &found.word), (label, word), "{}", context());
                assert_eq!((found.start, found.end), (*start, *end), "{}", context());
                assert_eq!(found.index, *index, "{}", context());
                assert!((found.score - score).abs() < 1e-6, "{}", context());
                compared += 1;
            }
        }
    }
    assert!(compared > 1000, "only {compared} entities");
}
