//! The strategies of Hugging Face's token classification pipeline
//! (`transformers/pipelines/token_classification.py`), to the letter.

use std::ops::Range;

use super::{Scored, mean};
use crate::Entity;
use crate::join::join;
use crate::scheme::OUTSIDE;
use crate::softmax::argmax;

/// Which pieces of a word decide on its label.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Judge {
    First,
    Average,
    Max,
}

/// A piece, or a word, with its label.
struct Item {
    label: usize,
    score: f32,
    pieces: Range<usize>,
}

/// `none`: each piece by itself, but for those outside.
pub(super) fn pieces(scored: &Scored<'_>) -> Vec<Entity> {
    let mut entities = Vec::new();
    for (index, piece) in scored.pieces.iter().enumerate() {
        let (label, score) = scored.likeliest(index);
        let label = scored.label(label);
        if label != OUTSIDE {
            entities.push(Entity {
                label: label.to_owned(),
                score,
                start: piece.range.start,
                end: piece.range.end,
                word: piece.spelling(scored.text).to_owned(),
                index: Some(index + 1),
            });
        }
    }
    entities
}

/// `simple`: neighbouring pieces of one tag.
pub(super) fn simple(scored: &Scored<'_>) -> Vec<Entity> {
    let item = |index| {
        let (label, score) = scored.likeliest(index);
        Item { label, score, pieces: index..index + 1 }
    };
    let items: Vec<Item> = (0..scored.pieces.len()).map(item).collect();
    let spelling = |item: &Item| scored.pieces[item.pieces.start].spelling(scored.text).to_owned();
    group(scored, &items, spelling)
}

/// `first`, `average` and `max`: neighbouring words of one tag.
pub(super) fn words(scored: &Scored<'_>, judge: Judge) -> Vec<Entity> {
    let mut items = Vec::new();
    let mut start = 0;
    while start < scored.pieces.len() {
        let rest = (start + 1..scored.pieces.len()).take_while(|index| is_subword(scored, *index));
        let pieces = start..start + 1 + rest.count();
        start = pieces.end;
        let (label, score) = word(scored, judge, pieces.clone());
        items.push(Item { label, score, pieces });
    }
    let spelling = |item: &Item| {
        join(scored.pieces[item.pieces.clone()].iter().map(|piece| piece.spelling(scored.text)))
    };
    group(scored, &items, spelling)
}

/// Whether a piece continues a word: by its length, which is wrong where the tokenizer dropped
/// characters, but is what the pipeline does.
fn is_subword(scored: &Scored<'_>, index: usize) -> bool {
    let piece = &scored.pieces[index];
    let covered = scored.text[piece.range.clone()].chars().count();
    !piece.is_unknown && piece.token.chars().count() != covered
}

/// Label and score of a word.
fn word(scored: &Scored<'_>, judge: Judge, pieces: Range<usize>) -> (usize, f32) {
    match judge {
        Judge::First => scored.likeliest(pieces.start),
        Judge::Max => {
            let surer = |best: (usize, f32), next: (usize, f32)| {
                if next.1 > best.1 { next } else { best }
            };
            let first = scored.likeliest(pieces.start);
            pieces.skip(1).map(|index| scored.likeliest(index)).fold(first, surer)
        }
        Judge::Average => {
            let mut sums = scored.row(pieces.start).to_vec();
            for index in pieces.start + 1..pieces.end {
                sums.iter_mut().zip(scored.row(index)).for_each(|(sum, score)| *sum += score);
            }
            let count = pieces.len() as f32;
            sums.iter_mut().for_each(|sum| *sum /= count);
            argmax(&sums)
        }
    }
}

/// Groups neighbours, those outside too, and reports the groups that are not outside.
fn group(scored: &Scored<'_>, items: &[Item], spelling: impl Fn(&Item) -> String) -> Vec<Entity> {
    let same = |left: &Item, right: &Item| {
        let (begins, tag) = tag(scored.label(right.label));
        !begins && tag == self::tag(scored.label(left.label)).1
    };
    let mut entities = Vec::new();
    for items in items.chunk_by(same) {
        let (Some(first), Some(last)) = (items.first(), items.last()) else { continue };
        let label = scored.label(first.label);
        let label = label.split_once('-').map_or(label, |(_, kind)| kind);
        if label != OUTSIDE {
            let start = scored.pieces[first.pieces.start].range.start;
            let end = scored.pieces[last.pieces.end - 1].range.end;
            entities.push(Entity {
                label: label.to_owned(),
                score: mean(items.iter().map(|item| item.score)),
                start,
                end: end.max(start),
                word: join(items.iter().map(&spelling)),
                index: None,
            });
        }
    }
    entities
}

/// Whether a label begins an entity, and its type: only `B-` and `I-` are prefixes.
fn tag(label: &str) -> (bool, &str) {
    match label.strip_prefix("B-") {
        Some(kind) => (true, kind),
        None => (false, label.strip_prefix("I-").unwrap_or(label)),
    }
}
