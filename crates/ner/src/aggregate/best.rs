//! Whole words by the mass of their types; the default.

use unicode_segmentation::GraphemeCursor;

use super::Scored;
use super::units::Unit;
use crate::scheme::Prefix;
use crate::{Entity, TypeChange, softmax};

/// What a word is taken for.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Verdict {
    kind: usize,
    prefix: Option<Prefix>,
}

/// Judges words and groups them by the tag scheme.
pub(super) fn entities(
    scored: &Scored<'_>,
    units: &[Unit],
    type_change: TypeChange,
) -> Vec<Entity> {
    let mut masses = Vec::new();
    let verdicts: Vec<Option<Verdict>> =
        units.iter().map(|unit| judge(scored, unit, &mut masses)).collect();
    let vote = type_change == TypeChange::Vote && scored.labels.scheme().marks_starts();
    let mut entities = Vec::new();
    let mut first = 0;
    while first < units.len() {
        if verdicts[first].is_none() {
            first += 1;
            continue;
        }
        let end = first + run(&verdicts[first..], vote);
        let (kind, score) = elect(scored, &units[first..end], &mut masses);
        let limit = units.get(end).map_or(scored.text.len(), |next| next.bytes.start);
        let (head, tail) = (&units[first], &units[end - 1]);
        let bytes = head.bytes.start..whole_grapheme(scored.text, tail, limit).max(head.bytes.end);
        let pieces = head.pieces.start..tail.pieces.end;
        entities.push(scored.entity(&scored.labels.types()[kind], score, pieces, bytes));
        first = end;
    }
    entities
}

/// Sets `masses` to the probability of each type under all its prefixes, by the first piece of a
/// word; the last number is that of outside.
fn weigh(scored: &Scored<'_>, unit: &Unit, masses: &mut Vec<f32>) {
    let outside = scored.labels.types().len();
    masses.clear();
    masses.resize(outside + 1, 0.0);
    for (tag, score) in scored.labels.tags().iter().zip(scored.row(unit.pieces.start)) {
        masses[tag.kind.unwrap_or(outside)] += score;
    }
}

/// The type with the largest mass in a word, or `None` if that is outside. Among equals the one
/// that the labels name first wins, then of its labels likewise.
fn judge(scored: &Scored<'_>, unit: &Unit, masses: &mut Vec<f32>) -> Option<Verdict> {
    weigh(scored, unit, masses);
    let (kind, _) = softmax::argmax(masses);
    if kind == scored.labels.types().len() {
        return None;
    }
    let mut best = (None, f32::NEG_INFINITY);
    for (tag, score) in scored.labels.tags().iter().zip(scored.row(unit.pieces.start)) {
        if tag.kind == Some(kind) && *score > best.1 {
            best = (tag.prefix, *score);
        }
    }
    Some(Verdict { kind, prefix: best.0 })
}

/// The type that the words of an entity favour together, with the mean of its masses.
fn elect(scored: &Scored<'_>, units: &[Unit], masses: &mut Vec<f32>) -> (usize, f32) {
    let mut sums = vec![0.0; scored.labels.types().len()];
    for unit in units {
        weigh(scored, unit, masses);
        for (sum, mass) in sums.iter_mut().zip(&*masses) {
            *sum += f64::from(mass.min(1.0));
        }
    }
    let count = units.len() as f64;
    let means: Vec<f32> = sums.into_iter().map(|sum| (sum / count) as f32).collect();
    softmax::argmax(&means)
}

/// How many words, at least one, the entity has that the first verdict begins.
///
/// Every scheme is read alike: `B` begins, a single is alone, an end ends, and anything else goes
/// on if its type does, or if it says that it goes on and there is a `vote` on the type. So an
/// orphan `I` or `E` begins an entity.
fn run(verdicts: &[Option<Verdict>], vote: bool) -> usize {
    let closes = |prefix| matches!(prefix, Some(Prefix::End | Prefix::Single));
    let opens = |prefix| matches!(prefix, Some(Prefix::Begin | Prefix::Single));
    let goes_on = |pair: &[Option<Verdict>]| match pair {
        [Some(last), Some(next)] => {
            let voted = vote && last.prefix.is_some() && next.prefix.is_some();
            (last.kind == next.kind || voted) && !closes(last.prefix) && !opens(next.prefix)
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
