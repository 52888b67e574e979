//! Which entities are reported, and under which names.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    missing_docs,
    reason = "tests fail by panicking"
)]

mod common;

use common::{Row, Sentence};
use nervio_ner::{Aggregation, DecoderOptions, Error};

const LABELS: &str = "O B-PER I-PER B-LOC I-LOC";

fn sentence() -> Sentence<'static> {
    let rows: [Row<'_, '_>; 4] = [
        ("Ana", "Ana", &[("B-PER", 0.96)]),
        ("López", "López", &[("I-PER", 0.96)]),
        ("en", "en", &[("O", 0.96)]),
        ("León", "León", &[("B-LOC", 0.66), ("O", 0.31)]),
    ];
    Sentence::new("Ana López en León", LABELS, &rows)
}

fn names(names: &[&str]) -> Vec<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

#[test]
fn lists_and_bound() {
    let sentence = sentence();
    let default = DecoderOptions::default();
    let keep = DecoderOptions { labels: Some(names(&["LOC"])), ..default.clone() };
    assert_eq!(sentence.texts(&keep), "LOC:León");
    let nothing = DecoderOptions { labels: Some(vec![]), ..default.clone() };
    assert_eq!(sentence.texts(&nothing), "");
    let exclude = DecoderOptions { exclude_labels: names(&["LOC", "O"]), ..default.clone() };
    assert_eq!(sentence.texts(&exclude), "PER:Ana López");
    let sure = DecoderOptions { min_score: Some(0.7), ..default };
    assert_eq!(sentence.texts(&sure), "PER:Ana López");
}

#[test]
fn lists_hold_the_new_names() {
    let label_map = [("LOC".to_owned(), "PLACE".to_owned())].into();
    let options = DecoderOptions { label_map, ..DecoderOptions::default() };
    assert_eq!(sentence().texts(&options), "PER:Ana López PLACE:León");
    let keep = DecoderOptions { labels: Some(names(&["PLACE"])), ..options.clone() };
    assert_eq!(sentence().texts(&keep), "PLACE:León");
    let old = DecoderOptions { labels: Some(names(&["LOC"])), ..options };
    let error = sentence().decode(&old).unwrap_err().to_string();
    assert_eq!(error, "labels: expected one of PER, PLACE, found \"LOC\"");
}

#[test]
fn tags_are_renamed_and_listed_by_themselves_or_by_type() {
    let tags = DecoderOptions { aggregation: Aggregation::None, ..DecoderOptions::default() };
    assert_eq!(sentence().texts(&tags), "B-PER:Ana I-PER:López B-LOC:León");
    let label_map =
        [("PER", "PERSON"), ("I-PER", "SURNAME")].map(|(a, b)| (a.to_owned(), b.to_owned())).into();
    let renamed = DecoderOptions { label_map, ..tags.clone() };
    assert_eq!(sentence().texts(&renamed), "B-PERSON:Ana SURNAME:López B-LOC:León");
    let keep = DecoderOptions { labels: Some(names(&["PERSON"])), ..renamed };
    assert_eq!(sentence().texts(&keep), "B-PERSON:Ana");
    let exclude = DecoderOptions { exclude_labels: names(&["I-PER", "LOC"]), ..tags };
    assert_eq!(sentence().texts(&exclude), "B-PER:Ana");
}

#[test]
fn options_that_make_no_sense_are_refused() {
    let exclude = DecoderOptions { exclude_labels: names(&["PERS"]), ..DecoderOptions::default() };
    let error = sentence().decode(&exclude).unwrap_err();
    assert!(matches!(error, Error::Name { what: "exclude_labels", .. }), "{error}");
    for found in [f32::NAN, -0.1, 1.1, f32::INFINITY] {
        let bound = DecoderOptions { min_score: Some(found), ..DecoderOptions::default() };
        assert!(matches!(sentence().decode(&bound), Err(Error::MinScore { .. })), "{found}");
    }
}
