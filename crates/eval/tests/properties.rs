//! What holds for any tags.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    missing_docs,
    reason = "tests fail by panicking"
)]

use std::collections::BTreeMap;

use nervio_eval::{Chunking, Comparison, Counts, MistakeKind, Scheme, parse_conll};
use proptest::prelude::*;

const SCHEMES: [Scheme; 6] =
    [Scheme::Iob1, Scheme::Iob2, Scheme::Ioe1, Scheme::Ioe2, Scheme::Iobes, Scheme::Bilou];

type Sentences = Vec<Vec<String>>;

/// Sentences of tags with a prediction for each.
fn taggings(tag: &'static str) -> impl Strategy<Value = (Sentences, Sentences)> {
    let sentence = prop::collection::vec((tag, tag, any::<bool>()), 0..12);
    prop::collection::vec(sentence, 0..4).prop_map(|sentences| {
        let keep = |(expected, other, right): (String, String, bool)| {
            let predicted = if right { expected.clone() } else { other };
            (expected, predicted)
        };
        sentences.into_iter().map(|tags| tags.into_iter().map(keep).unzip()).unzip()
    })
}

/// Types with at least one span.
fn counted(types: &BTreeMap<String, Counts>) -> BTreeMap<String, Counts> {
    let some = |counts: &Counts| counts.predicted + counts.expected > 0;
    types.iter().filter(|(_, c)| some(c)).map(|(name, c)| (name.clone(), *c)).collect()
}

proptest! {
    #[test]
    fn odd_tags_never_panic((expected, predicted) in taggings("(?s)[BIESULO.\\[\\]X]?-?[a-]{0,2}|.{0,3}")) {
        let comparison = Comparison::new(&expected, &predicted).unwrap();
        let readings = SCHEMES.map(Chunking::Strict).into_iter().chain([Chunking::Lenient]);
        for chunking in readings {
            let Ok(evaluation) = comparison.evaluate(chunking) else { continue };
            for counts in evaluation.types().values() {
                prop_assert!(counts.correct <= counts.predicted.min(counts.expected));
            }
            for score in [evaluation.micro(), evaluation.macro_average(), evaluation.weighted_average()] {
                for share in [score.precision, score.recall, score.f1] {
                    prop_assert!((0.0..=1.0).contains(&share));
                }
            }
            prop_assert!(evaluation.report(3).ends_with('\n'));
            prop_assert!(comparison.type_confusion(chunking).is_ok());
            prop_assert!(comparison.mistakes(chunking).is_ok());
        }
        prop_assert!(comparison.conlleval().report().starts_with("processed"));
        let confusion = comparison.tag_confusion();
        let words: usize = confusion.cells().iter().map(|(_, _, count)| count).sum();
        prop_assert_eq!(words, comparison.tokens());
    }

    #[test]
    fn any_bytes_are_read_or_refused(bytes in prop::collection::vec(prop::sample::select(b"aO- \t\r\n\xc3\xb1".to_vec()), 0..40)) {
        if let Ok(sentences) = parse_conll("bytes", &bytes) {
            for sentence in sentences {
                prop_assert!(!sentence.words.is_empty());
                prop_assert_eq!(sentence.words.len(), sentence.tags.len());
            }
        }
    }

    #[test]
    fn the_script_agrees_with_the_lenient_reading((expected, predicted) in taggings("O|[BI]-(PER|LOC|a-b)")) {
        let comparison = Comparison::new(&expected, &predicted).unwrap();
        let lenient = comparison.evaluate(Chunking::Lenient).unwrap();
        prop_assert_eq!(counted(comparison.conlleval().types()), lenient.types().clone());
    }

    #[test]
    fn every_span_is_right_or_in_one_mistake((expected, predicted) in taggings("O|[BI]-(PER|LOC)")) {
        let comparison = Comparison::new(&expected, &predicted).unwrap();
        let evaluation = comparison.evaluate(Chunking::Lenient).unwrap();
        let mistakes = comparison.mistakes(Chunking::Lenient).unwrap();
        let sum = |count: fn(&Counts) -> usize| evaluation.types().values().map(count).sum::<usize>();
        let correct = sum(|counts| counts.correct);
        let missing = mistakes.iter().filter(|mistake| mistake.expected.is_some()).count();
        let wrong = mistakes.iter().filter(|mistake| mistake.predicted.is_some()).count();
        prop_assert_eq!(missing + correct, sum(|counts| counts.expected));
        prop_assert_eq!(wrong + correct, sum(|counts| counts.predicted));
        for mistake in &mistakes {
            let alone = mistake.expected.is_none() || mistake.predicted.is_none();
            let lonely = matches!(mistake.kind, MistakeKind::Missed | MistakeKind::Spurious);
            prop_assert_eq!(alone, lonely);
            prop_assert_ne!(&mistake.expected, &mistake.predicted);
        }
        let types = comparison.type_confusion(Chunking::Lenient).unwrap();
        let right = types.cells().iter().filter(|(e, p, _)| e == p).map(|c| c.2).sum::<usize>();
        prop_assert_eq!(right, correct);
    }

    #[test]
    fn what_is_predicted_right_scores_one((expected, _) in taggings("O|[BI]-(PER|LOC)")) {
        let comparison = Comparison::new(&expected, &expected).unwrap();
        let evaluation = comparison.evaluate(Chunking::Lenient).unwrap();
        let perfect = if evaluation.types().is_empty() { 0.0 } else { 1.0 };
        prop_assert_eq!(evaluation.micro().f1, perfect);
        prop_assert!(comparison.mistakes(Chunking::Lenient).unwrap().is_empty());
    }
}
