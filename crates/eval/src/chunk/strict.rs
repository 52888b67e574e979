//! seqeval's strict reading (`scheme.py`, `Tokens.entities`).

use super::patterns::{self, Tag};
use super::{Scheme, Span, UNNAMED};
use crate::error::InvalidTag;

const OUTSIDE: Tag<'static> = Tag { letter: 'O', kind: UNNAMED };

/// The spans that the scheme allows, in the order of the words.
pub(super) fn spans<S: AsRef<str>>(scheme: Scheme, tags: &[S]) -> Result<Vec<Span>, InvalidTag> {
    let mut read = Vec::with_capacity(tags.len() + 1);
    for (index, tag) in tags.iter().enumerate() {
        read.push(tag_of(scheme, index, tag.as_ref())?);
    }
    read.push(OUTSIDE);
    Ok(walk(scheme, &read))
}

/// The prefix is the first letter; the type is the rest without hyphens at either end.
fn tag_of(scheme: Scheme, index: usize, tag: &str) -> Result<Tag<'_>, InvalidTag> {
    let mut chars = tag.chars();
    let Some(letter) = chars.next().filter(|letter| scheme.prefixes().contains(*letter)) else {
        return Err(InvalidTag { word: index + 1, tag: tag.to_owned(), scheme });
    };
    let kind = chars.as_str().trim_matches('-');
    Ok(Tag { letter, kind: if kind.is_empty() { UNNAMED } else { kind } })
}

/// From each start as far as the span goes on; it counts if it ends as the scheme wants.
fn walk(scheme: Scheme, tags: &[Tag<'_>]) -> Vec<Span> {
    let patterns = patterns::of(scheme);
    let mut spans = Vec::new();
    let mut previous = OUTSIDE;
    let mut index = 0;
    while let Some(first) = tags.get(index).copied() {
        let start = index;
        index += 1;
        if !patterns.start(previous, first) {
            previous = first;
            continue;
        }
        previous = first;
        while let Some(next) = tags.get(index).filter(|next| patterns.inside(previous, **next)) {
            previous = *next;
            index += 1;
        }
        if tags.get(index).is_some_and(|next| patterns.end(previous, *next)) {
            spans.push(Span { start, end: index, label: first.kind.to_owned() });
        }
    }
    spans
}
