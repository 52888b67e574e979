//! Whole words by the mass of their types; the default.

use unicode_segmentation::GraphemeCursor;

use super::units::Unit;
use super::{Scored, mean};
use crate::scheme::Prefix;
use crate::{Entity, softmax};

/// What a word is taken for.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Verdict {
    kind: usize,
    prefix: Option<Prefix>,
    /// Probability of the type under all its prefixes.
    mass: f32,
}

/// Judges words and groups them by the tag scheme.
pub(super) fn entities(scored: &Scored<'_>, units: &[Unit]) -> Vec<Entity> {
    let mut masses = Vec::new();
    let verdicts: Vec<Option<Verdict>> =
        units.iter().map(|unit| judge(scored, unit.pieces.start, &mut masses)).collect();
    let mut entities = Vec::new();
    let mut first = 0;
    while first < units.len() {
        let Some(verdict) = verdicts[first] else {
            first += 1;
            continue;
        };
        let end = first + run(&verdicts[first..]);
        let score =
            mean(verdicts[first..end].iter().map(|verdict| verdict.map_or(0.0, |v| v.mass)));
        let limit = units.get(end).map_or(scored.text.len(), |next| next.bytes.start);
        let (head, tail) = (&units[first], &units[end - 1]);
        let bytes = head.bytes.start..whole_grapheme(scored.text, tail, limit).max(head.bytes.end);
        let pieces = head.pieces.start..tail.pieces.end;
        entities.push(scored.entity(&scored.labels.types()[verdict.kind], score, pieces, bytes));
        first = end;
    }
    entities
}

/// The type with the largest mass at `piece`, or `None` if that is outside. Among equals the one
/// that the labels name first wins, then of its labels likewise.
fn judge(scored: &Scored<'_>, piece: usize, masses: &mut Vec<f32>) -> Option<Verdict> {
    let (row, tags) = (scored.row(piece), scored.labels.tags());
    let outside = scored.labels.types().len();
    masses.clear();
    masses.resize(outside + 1, 0.0);
    for (tag, score) in tags.iter().zip(row) {
        masses[tag.kind.unwrap_or(outside)] += score;
    }
    let (kind, mass) = softmax::argmax(masses);
    if kind == outside {
        return None;
    }
    let mut best = (None, f32::NEG_INFINITY);
    for (tag, score) in tags.iter().zip(row) {
        if tag.kind == Some(kind) && *score > best.1 {
            best = (tag.prefix, *score);
        }
    }
    Some(Verdict { kind, prefix: best.0, mass: mass.min(1.0) })
}

/// How many words, at least one, the entity has that the first verdict begins.
///
/// Every scheme is read alike: `B` begins, a single is alone, an end ends, and anything else goes
/// on if its type does. So an orphan `I` or `E` begins an entity, and so does a change of type.
fn run(verdicts: &[Option<Verdict>]) -> usize {
    let closes = |prefix| matches!(prefix, Some(Prefix::End | Prefix::Single));
    let opens = |prefix| matches!(prefix, Some(Prefix::Begin | Prefix::Single));
    let goes_on = |pair: &[Option<Verdict>]| match pair {
        [Some(last), Some(next)] => {
            last.kind == next.kind && !closes(last.prefix) && !opens(next.prefix)
        }
        _ => false,
    };
    1 + verdicts.windows(2).take_while(|pair| goes_on(pair)).count()
}

/// The end of the last word, moved over marks that combine with its last letter: a tokenizer that
/// strips accents leaves them out of its pieces.
fn whole_grapheme(text: &str, last: &Unit, limit: usize) -> usize {
    let end = last.bytes.end;
    let Some(rest) = text.get(last.bytes.start..limit.max(end)) else { return end };
    let at = end - last.bytes.start;
    let mut cursor = GraphemeCursor::new(at, rest.len(), true);
    match cursor.is_boundary(rest, 0) {
        Ok(false) => match cursor.next_boundary(rest, 0) {
            Ok(Some(boundary)) => last.bytes.start + boundary,
            _ => end,
        },
        _ => end,
    }
}
