//! The rules of Spark NLP's `NerConverter` (`NerTagsEncoding.fromIOB`, format IOB2).

use super::units::Unit;
use super::{Scored, mean};
use crate::scheme::OUTSIDE;
use crate::{Entity, Scheme};

/// Labels words by their first piece and groups them: an open entity ends before `B-` or `O` and
/// nowhere else, so its first tag names it whatever the others say.
pub(super) fn entities(scored: &Scored<'_>, units: &[Unit]) -> Vec<Entity> {
    let words: Vec<(usize, f32)> =
        units.iter().map(|unit| scored.likeliest(unit.pieces.start)).collect();
    let mut entities = Vec::new();
    let mut open: Option<(usize, &str)> = None;
    for (index, (id, _)) in words.iter().enumerate() {
        let tag = scored.label(*id);
        if tag.starts_with("B-") || tag == OUTSIDE {
            entities.extend(open.take().map(|open| flush(scored, units, &words, open, index)));
        }
        if open.is_none() && tag != OUTSIDE {
            open = name(scored.labels.scheme(), tag).map(|name| (index, name));
        }
    }
    entities.extend(open.map(|open| flush(scored, units, &words, open, units.len())));
    entities
}

/// The type that a tag opens: all but its first two characters, if there are as many. Without a
/// scheme it is the tag.
fn name(scheme: Scheme, tag: &str) -> Option<&str> {
    if scheme == Scheme::None {
        return Some(tag);
    }
    let mut chars = tag.chars();
    chars.next().and(chars.next())?;
    Some(chars.as_str())
}

fn flush(
    scored: &Scored<'_>,
    units: &[Unit],
    words: &[(usize, f32)],
    (first, label): (usize, &str),
    end: usize,
) -> Entity {
    let score = mean(words[first..end].iter().map(|(_, score)| *score));
    let (head, tail) = (&units[first], &units[end - 1]);
    let bytes = head.bytes.start..tail.bytes.end.max(head.bytes.end);
    scored.entity(label, score, head.pieces.start..tail.pieces.end, bytes)
}
