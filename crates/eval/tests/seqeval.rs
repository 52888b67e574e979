//! Random tag sequences, answered by seqeval (`weights-tools/python/eval_fixtures.py`).
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    missing_docs,
    reason = "tests fail by panicking"
)]

mod common;

use std::collections::BTreeMap;

use common::tags;
use nervio_eval::{Chunking, Comparison, Scheme, Score};
use serde::Deserialize;

#[derive(Deserialize)]
struct Case {
    expected: Vec<String>,
    predicted: Vec<String>,
    accuracy: f64,
    detected: Option<String>,
    digits: usize,
    lenient: Answer,
    strict: BTreeMap<String, Option<Answer>>,
}

/// Precision, recall and F1, each micro, macro and weighted; and the report.
#[derive(Deserialize)]
struct Answer {
    averages: [[f64; 3]; 3],
    report: String,
}

fn cases() -> Vec<Case> {
    let cases: Vec<Case> = serde_json::from_str(include_str!("fixtures/seqeval.json")).unwrap();
    assert!(cases.len() > 180);
    cases
}

fn check(comparison: &Comparison<'_>, chunking: Chunking, digits: usize, answer: &Answer) {
    let evaluation = comparison.evaluate(chunking).unwrap();
    assert_eq!(evaluation.report(digits), answer.report);
    let found = [evaluation.micro(), evaluation.macro_average(), evaluation.weighted_average()];
    let scores: [fn(&Score) -> f64; 3] = [|s| s.precision, |s| s.recall, |s| s.f1];
    for (score, expected) in scores.iter().zip(answer.averages) {
        for (found, expected) in found.iter().map(score).zip(expected) {
            assert!((found - expected).abs() < 1e-15, "{found} {expected}");
        }
    }
}

#[test]
fn the_lenient_reading_is_that_of_seqeval() {
    for case in cases() {
        let (expected, predicted) = (tags(&case.expected), tags(&case.predicted));
        let comparison = Comparison::new(&expected, &predicted).unwrap();
        check(&comparison, Chunking::Lenient, case.digits, &case.lenient);
        assert!((comparison.accuracy() - case.accuracy).abs() < 1e-15);
    }
}

#[test]
fn the_strict_readings_are_those_of_seqeval() {
    let mut answered = BTreeMap::new();
    for case in cases() {
        let (expected, predicted) = (tags(&case.expected), tags(&case.predicted));
        let comparison = Comparison::new(&expected, &predicted).unwrap();
        for (name, answer) in case.strict {
            let chunking = Chunking::Strict(name.parse().unwrap());
            match answer {
                Some(answer) => {
                    check(&comparison, chunking, case.digits, &answer);
                    *answered.entry(name).or_insert(0) += 1;
                }
                // seqeval refuses the tags, or has no word for no spans at all.
                None => {
                    let evaluation = comparison.evaluate(chunking).unwrap_or_default();
                    assert!(evaluation.types().is_empty(), "{name}");
                }
            }
        }
    }
    assert_eq!(answered.len(), 6);
    assert!(answered.values().all(|count| *count >= 20), "{answered:?}");
}

#[test]
fn schemes_are_told_as_seqeval_tells_them() {
    for case in cases() {
        let tags = tags(&case.expected);
        let detected = Scheme::detect(tags.iter().flatten());
        match case.detected {
            Some(name) => assert_eq!(detected.unwrap().to_string(), name),
            None => assert!(detected.is_err() || tags.iter().flatten().all(|tag| tag == "O")),
        }
    }
}
