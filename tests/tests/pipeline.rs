//! Entities of the Spanish model against those of the transformers pipeline, for every strategy.
#![allow(clippy::unwrap_used, missing_docs, reason = "tests fail by panicking")]

use nervio::{Aggregation, Compat, DecoderOptions, Entity, ModelSource, OffsetMap, Recognizer};
use nervio_tests::{root, shared};
use serde_json::Value;

const STRATEGIES: [&str; 5] = ["none", "simple", "first", "average", "max"];

/// Largest difference of a score: PyTorch's own scores move by as much with the number of threads.
const TOLERANCE: f64 = 2e-5;

fn recognizer(strategy: &str, compat: Compat, stride: Option<usize>) -> Option<Recognizer> {
    let folder = shared("models/es-ner-base")?;
    let aggregation: Aggregation = strategy.parse().unwrap();
    let builder = Recognizer::builder()
        .model(ModelSource::Folder(folder))
        .decoder(DecoderOptions { aggregation, ..DecoderOptions::default() })
        .compat(compat)
        .stride(stride);
    Some(builder.build().unwrap())
}

fn fixture() -> Value {
    let file = root().join("tests/fixtures/pipeline/es-ner-base.json");
    serde_json::from_slice(&std::fs::read(file).unwrap()).unwrap()
}

/// What differs between an answer and the pipeline's, in words.
fn difference(text: &str, found: &[Entity], expected: &[Value]) -> Option<String> {
    let offsets = OffsetMap::new(text);
    let show = |e: &Entity| {
        let (start, end) = (offsets.chars(e.start), offsets.chars(e.end));
        (e.label.clone(), e.word.clone(), start, end, e.index)
    };
    let found_shown: Vec<_> = found.iter().map(show).collect();
    let expected_shown: Vec<_> = expected
        .iter()
        .map(|e| {
            let label = e.get("entity").or_else(|| e.get("entity_group")).unwrap();
            let number = |key: &str| e[key].as_u64().map(|x| x as usize);
            (
                label.as_str().unwrap().to_owned(),
                e["word"].as_str().unwrap().to_owned(),
                number("start").unwrap(),
                number("end").unwrap(),
                number("index"),
            )
        })
        .collect();
    if found_shown != expected_shown {
        return Some(format!("{text:?}\n found    {found_shown:?}\n expected {expected_shown:?}"));
    }
    let scores = found.iter().zip(expected);
    scores.into_iter().find_map(|(found, expected)| {
        let expected = expected["score"].as_f64().unwrap();
        let difference = (f64::from(found.score) - expected).abs();
        (difference > TOLERANCE).then(|| format!("{text:?}: score {} for {expected}", found.score))
    })
}

#[test]
fn every_strategy_gives_what_the_pipeline_gives() {
    let fixture = fixture();
    let mut failures = Vec::new();
    for strategy in STRATEGIES {
        let Some(recognizer) = recognizer(strategy, Compat::None, None) else { return };
        for case in fixture["texts"].as_array().unwrap() {
            // A special token that a user typed is plain text here; see the tokenizer's tests.
            let departures = case["departures"].as_array().unwrap();
            if departures.iter().any(|departure| departure == "special-token") {
                continue;
            }
            let text = case["text"].as_str().unwrap();
            let found = recognizer.recognize(text).unwrap().entities;
            let expected = case["answers"][strategy].as_array().unwrap();
            if let Some(difference) = difference(text, &found, expected) {
                failures.push(format!("{strategy}: {difference}"));
            }
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

#[test]
fn compat_hf_follows_the_stride_rule_of_the_pipeline() {
    let fixture = fixture();
    let case = &fixture["strided"];
    let text = case["text"].as_str().unwrap();
    let stride = case["stride"].as_u64().map(|stride| stride as usize);
    let mut failures = Vec::new();
    let answers = case["answers"].as_object().unwrap();
    assert!(!answers.is_empty());
    for (strategy, expected) in answers {
        let Some(recognizer) = recognizer(strategy, Compat::HuggingFace, stride) else { return };
        let found = recognizer.recognize(text).unwrap();
        assert!(found.windows > 1);
        if let Some(difference) = difference(text, &found.entities, expected.as_array().unwrap()) {
            failures.push(format!("{strategy}: {difference}"));
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}
