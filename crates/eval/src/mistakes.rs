//! Where a prediction is wrong, and how.

use std::collections::BTreeSet;
use std::fmt;

use crate::chunk::Span;

/// How a span is wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum MistakeKind {
    /// A span of the reference where nothing was predicted.
    Missed,
    /// A predicted span where the reference has nothing.
    Spurious,
    /// The right words, but another type.
    Type,
    /// The right type for some of the words, but others too or not all of them.
    Boundary,
    /// Another type, and not the same words.
    TypeAndBoundary,
}

impl fmt::Display for MistakeKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Missed => "missed",
            Self::Spurious => "spurious",
            Self::Type => "type",
            Self::Boundary => "boundary",
            Self::TypeAndBoundary => "both",
        })
    }
}

/// A span that is only on one side, with the one on the other side that it was taken for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mistake {
    /// Position of the sentence, from 0.
    pub sentence: usize,
    /// How it is wrong.
    pub kind: MistakeKind,
    /// The span of the reference; `None` where there is none.
    pub expected: Option<Span>,
    /// The predicted span; `None` where there is none.
    pub predicted: Option<Span>,
}

/// Whether a span of the reference may be what a predicted one was meant for.
type Akin = fn(&Span, &Span) -> bool;

/// What makes two spans of both sides a pair, the closest kinship first.
const KINSHIPS: [(MistakeKind, Akin); 3] = [
    (MistakeKind::Type, |one, other| (one.start, one.end) == (other.start, other.end)),
    (MistakeKind::Boundary, |one, other| one.label == other.label),
    (MistakeKind::TypeAndBoundary, |_, _| true),
];

/// The mistakes of one sentence in the order of its words. Each span is in one of them.
pub(crate) fn of_sentence(
    sentence: usize,
    expected: Vec<Span>,
    predicted: Vec<Span>,
) -> Vec<Mistake> {
    let (mut expected, mut predicted) =
        (BTreeSet::from_iter(expected), BTreeSet::from_iter(predicted));
    let right: Vec<Span> = expected.intersection(&predicted).cloned().collect();
    for span in right {
        expected.remove(&span);
        predicted.remove(&span);
    }
    let mut mistakes = Vec::new();
    for (kind, akin) in KINSHIPS {
        expected.retain(|span| {
            let Some(other) = closest(span, &predicted, akin) else { return true };
            predicted.remove(&other);
            mistakes.push(mistake(sentence, kind, Some(span.clone()), Some(other)));
            false
        });
    }
    let missed = expected.into_iter().map(|span| (MistakeKind::Missed, Some(span), None));
    let spurious = predicted.into_iter().map(|span| (MistakeKind::Spurious, None, Some(span)));
    let alone = missed.chain(spurious);
    mistakes.extend(alone.map(|(kind, left, right)| mistake(sentence, kind, left, right)));
    mistakes.sort_by_key(|mistake| {
        let spans = mistake.expected.iter().chain(&mistake.predicted);
        (spans.map(|span| span.start).min(), mistake.kind)
    });
    mistakes
}

fn mistake(
    sentence: usize,
    kind: MistakeKind,
    expected: Option<Span>,
    predicted: Option<Span>,
) -> Mistake {
    Mistake { sentence, kind, expected, predicted }
}

/// The span among `others` that shares most words with `span`, the first of equals.
fn closest(span: &Span, others: &BTreeSet<Span>, akin: Akin) -> Option<Span> {
    let shared = |other: &Span| other.end.min(span.end).saturating_sub(other.start.max(span.start));
    let before_end = Span { start: span.end, end: 0, label: String::new() };
    // Spans of one side do not overlap, so those that end earlier end the search.
    let near = others.range(..before_end).rev().take_while(|other| other.end > span.start);
    let near = near.filter(|other| akin(span, other));
    near.max_by_key(|other| shared(other)).cloned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Chunking;

    fn spans(tags: &str) -> Vec<Span> {
        let tags: Vec<&str> = tags.split_whitespace().collect();
        Chunking::Lenient.spans(&tags).unwrap()
    }

    fn show(expected: &str, predicted: &str) -> Vec<String> {
        let range = |span: &Option<Span>| {
            span.as_ref().map_or("-".to_owned(), |s| format!("{}{}..{}", s.label, s.start, s.end))
        };
        let show =
            |m: &Mistake| format!("{} {} {}", m.kind, range(&m.expected), range(&m.predicted));
        of_sentence(0, spans(expected), spans(predicted)).iter().map(show).collect()
    }

    #[test]
    fn mistakes_have_a_kind() {
        assert!(show("B-A I-A O B-B", "B-A I-A O B-B").is_empty());
        assert_eq!(show("B-A I-A O O", "O O O B-B"), ["missed A0..2 -", "spurious - B3..4"]);
        assert_eq!(show("B-A I-A", "B-B I-B"), ["type A0..2 B0..2"]);
        assert_eq!(show("B-A I-A O", "O B-A I-A"), ["boundary A0..2 A1..3"]);
        assert_eq!(show("B-A I-A O", "O B-B I-B"), ["both A0..2 B1..3"]);
    }

    #[test]
    fn the_closest_spans_are_paired() {
        // The same words first, even where an earlier span shares some of them.
        assert_eq!(show("B-A B-B", "B-C I-C"), ["both A0..1 C0..2", "missed B1..2 -"]);
        assert_eq!(show("B-A I-A B-B", "O B-A O"), ["boundary A0..2 A1..2", "missed B2..3 -"]);
        let paired = show("B-A I-A I-A I-A", "B-A B-A I-A O");
        assert_eq!(paired, ["spurious - A0..1", "boundary A0..4 A1..3"]);
        let paired = show("B-A I-A B-A", "O B-B B-B");
        assert_eq!(paired, ["both A0..2 B1..2", "type A2..3 B2..3"]);
    }
}
