//! Tag sequences whose reading is known, and figures published for them.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    missing_docs,
    reason = "tests fail by panicking"
)]

mod common;

use common::tags;
use nervio_eval::{Chunking, Comparison, Scheme, Span};

/// The spans of one sentence as `TYPE start..end`.
fn spans(sentence: &str, chunking: Chunking) -> Vec<String> {
    let tags: Vec<&str> = sentence.split_whitespace().collect();
    let show = |span: Span| format!("{} {}..{}", span.label, span.start, span.end);
    chunking.spans(&tags).unwrap().into_iter().map(show).collect()
}

#[test]
fn the_lenient_reading_makes_something_of_everything() {
    let cases: [(&str, &[&str]); 12] = [
        ("I-PER I-PER O", &["PER 0..2"]),
        ("B-PER I-LOC I-LOC", &["PER 0..1", "LOC 1..3"]),
        ("S-PER I-PER", &["PER 0..1", "PER 1..2"]),
        ("B-PER O I-PER", &["PER 0..1", "PER 2..3"]),
        ("PER PER", &["ER 0..2"]),
        ("B-PER E-PER I-PER", &["PER 0..2", "PER 2..3"]),
        ("U-PER L-PER", &["PER 0..2"]),
        ("B-PER B-PER", &["PER 0..1", "PER 1..2"]),
        ("B I", &["_ 0..2"]),
        ("B-a-b I-a-b", &["a-b 0..2"]),
        ("O .", &[]),
        ("", &[]),
    ];
    for (tags, expected) in cases {
        assert_eq!(spans(tags, Chunking::Lenient), expected, "{tags}");
    }
}

#[test]
fn the_strict_reading_wants_whole_entities() {
    let cases: [(Scheme, &str, &[&str]); 12] = [
        (Scheme::Iob2, "I-PER I-PER", &[]),
        (Scheme::Iob2, "B-PER I-LOC I-LOC", &["PER 0..1"]),
        (Scheme::Iob2, "B-PER B-PER", &["PER 0..1", "PER 1..2"]),
        (Scheme::Iob2, "B-PER O I-PER B-LOC", &["PER 0..1", "LOC 3..4"]),
        (Scheme::Iobes, "S-PER I-PER", &["PER 0..1"]),
        (Scheme::Iobes, "I-PER", &[]),
        (Scheme::Iobes, "B-PER I-PER E-PER B-PER", &["PER 0..3"]),
        (Scheme::Bilou, "B-PER L-PER U-LOC", &["PER 0..2", "LOC 2..3"]),
        (Scheme::Iob1, "I-PER B-PER I-LOC", &["PER 0..1", "PER 1..2", "LOC 2..3"]),
        (Scheme::Ioe2, "I-PER E-PER E-PER I-PER", &["PER 0..2", "PER 2..3"]),
        (Scheme::Ioe1, "I-PER I-PER O I-LOC", &["PER 0..2", "LOC 3..4"]),
        (Scheme::Iob2, "", &[]),
    ];
    for (scheme, tags, expected) in cases {
        assert_eq!(spans(tags, Chunking::Strict(scheme)), expected, "{scheme} {tags}");
    }
}

#[test]
fn strict_tags_are_of_the_scheme() {
    let strict = |scheme, tag| Chunking::Strict(scheme).spans(&["O", tag]);
    for (scheme, odd) in [
        (Scheme::Iob2, "S-PER"),
        (Scheme::Iobes, "U-PER"),
        (Scheme::Ioe1, "B-PER"),
        (Scheme::Bilou, "PER"),
        (Scheme::Bilou, ""),
        (Scheme::Iobes, "ñ"),
    ] {
        let error = strict(scheme, odd).unwrap_err();
        assert_eq!((error.word, error.tag.as_str(), error.scheme), (2, odd, scheme));
    }
    assert!(strict(Scheme::Iob2, "O-PER").is_ok());
}

#[test]
fn the_example_of_seqeval_has_its_scores() {
    let expected = tags(&["O O O B-MISC I-MISC I-MISC O", "B-PER I-PER O"]);
    let predicted = tags(&["O O B-MISC I-MISC I-MISC I-MISC O", "B-PER I-PER O"]);
    for chunking in [Chunking::Lenient, Chunking::Strict(Scheme::Iob2)] {
        let evaluation =
            Comparison::new(&expected, &predicted).unwrap().evaluate(chunking).unwrap();
        assert_eq!(evaluation.types()["MISC"].score().f1, 0.0);
        assert_eq!(evaluation.types()["PER"].score().f1, 1.0);
        for average in
            [evaluation.micro(), evaluation.macro_average(), evaluation.weighted_average()]
        {
            assert_eq!((average.precision, average.recall, average.f1), (0.5, 0.5, 0.5));
            assert_eq!(average.support, 2);
        }
        let report = "              precision    recall  f1-score   support\n\n\
                      \u{20}       MISC       0.00      0.00      0.00         1\n\
                      \u{20}        PER       1.00      1.00      1.00         1\n\n\
                      \u{20}  micro avg       0.50      0.50      0.50         2\n\
                      \u{20}  macro avg       0.50      0.50      0.50         2\n\
                      weighted avg       0.50      0.50      0.50         2\n";
        assert_eq!(evaluation.report(2), report);
    }
}

#[test]
fn the_script_prints_its_table() {
    let expected = tags(&["B-LOC I-LOC O B-PER", "B-ORG O B-ORG", "O"]);
    let predicted = tags(&["B-LOC I-LOC O B-ORG", "I-ORG O B-ORG", "O"]);
    let counted = Comparison::new(&expected, &predicted).unwrap().conlleval();
    let report = "processed 8 tokens with 4 phrases; found: 4 phrases; correct: 3.\n\
                  accuracy:  75.00%; precision:  75.00%; recall:  75.00%; FB1:  75.00\n\
                  \u{20}             LOC: precision: 100.00%; recall: 100.00%; FB1: 100.00  1\n\
                  \u{20}             ORG: precision:  66.67%; recall: 100.00%; FB1:  80.00  3\n\
                  \u{20}             PER: precision:   0.00%; recall:   0.00%; FB1:   0.00  0\n";
    assert_eq!(counted.report(), report);
    let nothing = "processed 0 tokens with 0 phrases; found: 0 phrases; correct: 0.\n";
    assert_eq!(
        Comparison::new(&tags::<&str>(&[]), &tags::<&str>(&[])).unwrap().conlleval().report(),
        nothing
    );
}

/// Correct, found and expected phrases of one sentence.
fn phrases(expected: &str, predicted: &str) -> (usize, usize, usize) {
    let (expected, predicted) = (tags(&[expected]), tags(&[predicted]));
    let counted = Comparison::new(&expected, &predicted).unwrap().conlleval();
    let sum = |count: fn(&nervio_eval::Counts) -> usize| counted.types().values().map(count).sum();
    (sum(|c| c.correct), sum(|c| c.predicted), sum(|c| c.expected))
}

#[test]
fn the_script_reads_odd_tags_its_own_way() {
    // A single ends nothing and starts nothing, but a change of type does both.
    assert_eq!(phrases("S-PER S-PER", "S-PER S-PER"), (1, 1, 1));
    assert_eq!(phrases("B-PER E-PER B-PER", "B-PER E-PER B-PER"), (1, 1, 1));
    assert_eq!(phrases("B-PER E-PER E-PER", "B-PER E-PER I-PER"), (2, 2, 2));
    assert_eq!(phrases("[-PER ]-PER", "[-PER ]-PER"), (2, 2, 2));
    assert_eq!(phrases("PER PER", "PER PER"), (0, 0, 0));
    assert_eq!(phrases("I-PER", "B-PER"), (1, 1, 1));
    assert_eq!(phrases("B-PER I-PER I-LOC", "B-PER I-PER I-PER"), (0, 1, 2));
    assert_eq!(phrases("B-PER I-PER B-PER", "B-PER I-PER I-PER"), (0, 1, 2));
    assert_eq!(phrases("O B-PER I-PER", "B-PER I-PER I-PER"), (0, 1, 1));
    assert_eq!(phrases(". .-PER", "O O"), (0, 0, 0));
}

#[test]
fn types_are_confused_where_the_words_agree() {
    let expected = tags(&["B-LOC I-LOC O B-PER O B-ORG"]);
    let predicted = tags(&["B-ORG I-ORG O B-PER B-PER O"]);
    let comparison = Comparison::new(&expected, &predicted).unwrap();
    let types = comparison.type_confusion(Chunking::Lenient).unwrap();
    assert_eq!(types.count(Some("LOC"), Some("ORG")), 1);
    assert_eq!(types.count(Some("PER"), Some("PER")), 1);
    assert_eq!(types.count(None, Some("PER")), 1);
    assert_eq!(types.count(Some("ORG"), None), 1);
    assert_eq!(types.cells().len(), 4);
    let tags = comparison.tag_confusion();
    assert_eq!(tags.count(Some("I-LOC"), Some("I-ORG")), 1);
    assert_eq!(tags.count(Some("O"), Some("O")), 1);
    assert_eq!(tags.labels().len(), 6);
}
