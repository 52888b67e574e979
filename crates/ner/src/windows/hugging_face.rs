//! The `stride` of the transformers pipeline.

use std::cmp::Ordering;
use std::ops::Range;

use super::check_sizes;
use crate::{Entity, Error, OffsetMap};

/// Windows of `capacity` pieces, each sharing `stride` pieces with the one before, until one
/// reaches the end. `capacity` does not count special tokens. No pieces need no window.
///
/// # Errors
///
/// When `stride` is not less than `capacity`.
pub fn plan_hf(pieces: usize, capacity: usize, stride: usize) -> Result<Vec<Range<usize>>, Error> {
    check_sizes(capacity, stride)?;
    let mut windows = Vec::new();
    let mut start = 0;
    while start < pieces {
        let end = start.saturating_add(capacity).min(pieces);
        windows.push(start..end);
        if end == pieces {
            break;
        }
        start = end - stride;
    }
    Ok(windows)
}

/// Merges the entities of all windows, in their order: of two that overlap the longer is kept, or
/// the surer of equally long ones. Types are not looked at, and an entity is only compared with
/// the last one kept (`aggregate_overlapping_entities`).
///
/// Lengths are compared in code points of `text`, as Python counts them.
#[must_use]
pub fn merge_hf(text: &str, mut entities: Vec<Entity>) -> Vec<Entity> {
    let offsets = OffsetMap::new(text);
    let length =
        |entity: &Entity| offsets.chars(entity.end).saturating_sub(offsets.chars(entity.start));
    let beats = |entity: &Entity, last: &Entity| match length(entity).cmp(&length(last)) {
        Ordering::Greater => true,
        Ordering::Equal => entity.score > last.score,
        Ordering::Less => false,
    };
    entities.sort_by_key(|entity| entity.start);
    let mut merged: Vec<Entity> = Vec::with_capacity(entities.len());
    for entity in entities {
        match merged.last_mut() {
            // Sorted: it cannot start before the last one does.
            Some(last) if entity.start < last.end => {
                if beats(&entity, last) {
                    *last = entity;
                }
            }
            _ => merged.push(entity),
        }
    }
    merged
}
