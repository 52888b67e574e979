//! seqeval's default reading (`metrics/sequence_labeling.py`, `get_entities`).

use super::{Span, UNNAMED};

/// A tag as this reading sees it: its first letter, and its type.
#[derive(Clone, Copy)]
struct Tag<'a> {
    letter: char,
    kind: &'a str,
}

impl<'a> Tag<'a> {
    const OUTSIDE: Self = Self { letter: 'O', kind: UNNAMED };

    /// The type is what follows the first hyphen behind the first letter, or all that follows the
    /// letter where there is no hyphen: `PER` is a `P` of type `ER`. An empty tag is outside.
    fn new(tag: &'a str) -> Self {
        let mut chars = tag.chars();
        let Some(letter) = chars.next() else { return Self::OUTSIDE };
        let rest = chars.as_str();
        let kind = rest.split_once('-').map_or(rest, |(_, kind)| kind);
        Self { letter, kind: if kind.is_empty() { UNNAMED } else { kind } }
    }

    /// Whether a span that `self` is in ends before `next`.
    fn ends_before(self, next: Self) -> bool {
        match (self.letter, next.letter) {
            ('E' | 'S', _) | ('B' | 'I', 'B' | 'S' | 'O') => true,
            ('O' | '.', _) => false,
            _ => self.kind != next.kind,
        }
    }

    /// Whether a span starts at `next`, the tag behind `self`.
    fn starts_at(self, next: Self) -> bool {
        match (self.letter, next.letter) {
            (_, 'B' | 'S') | ('E' | 'S' | 'O', 'E' | 'I') => true,
            (_, 'O' | '.') => false,
            _ => self.kind != next.kind,
        }
    }
}

/// The spans of one sentence. Letters that no scheme has can end a span that never started; like
/// seqeval this takes the last start for its own.
pub(super) fn spans<S: AsRef<str>>(tags: &[S]) -> Vec<Span> {
    let mut spans = Vec::new();
    let mut start = 0;
    // No tag has the empty type, so the first one is a change of type.
    let mut previous = Tag { letter: 'O', kind: "" };
    let tags = tags.iter().map(|tag| Tag::new(tag.as_ref()));
    for (index, tag) in tags.chain([Tag::OUTSIDE]).enumerate() {
        if previous.ends_before(tag) {
            spans.push(Span { start, end: index, label: previous.kind.to_owned() });
        }
        if previous.starts_at(tag) {
            start = index;
        }
        previous = tag;
    }
    spans
}
