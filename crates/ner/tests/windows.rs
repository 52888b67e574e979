//! Windows over long texts.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    missing_docs,
    reason = "tests fail by panicking"
)]

use std::ops::Range;

use nervio_ner::windows::{Window, merge_hf, plan, plan_hf, plan_sentences};
use nervio_ner::{Entity, Error};
use proptest::prelude::*;

/// Windows as `(pieces, keep)`.
fn ranges(windows: Vec<Window>) -> Vec<(Range<usize>, Range<usize>)> {
    windows.into_iter().map(|window| (window.pieces, window.keep)).collect()
}

#[test]
fn what_fits_has_one_window() {
    assert_eq!(plan(&[], 4, 1), Ok(vec![]));
    assert_eq!(ranges(plan(&[0, 0, 1], 3, 1).unwrap()), [(0..3, 0..3)]);
    assert_eq!(ranges(plan(&[7], usize::MAX, 0).unwrap()), [(0..1, 0..1)]);
}

#[test]
fn words_stay_whole_and_go_where_they_have_most_context() {
    // Words of one piece: the shared two are shared out.
    let words: Vec<u32> = (0..10).collect();
    let expected = [(0..6, 0..5), (4..10, 5..10)];
    assert_eq!(ranges(plan(&words, 6, 2).unwrap()), expected);
    // The word 2..5 does not fit in the first window; a part of it is context for the last word.
    let expected = [(0..2, 0..2), (1..5, 2..5), (4..6, 5..6)];
    assert_eq!(ranges(plan(&[0, 1, 2, 2, 2, 3], 4, 1).unwrap()), expected);
}

#[test]
fn a_word_longer_than_a_window_is_cut() {
    let expected = [(0..1, 0..1), (1..5, 1..4), (3..7, 4..6), (5..8, 6..8)];
    assert_eq!(ranges(plan(&[0, 1, 1, 1, 1, 1, 1, 2], 4, 2).unwrap()), expected);
}

#[test]
fn sentences_stay_whole_and_share_nothing() {
    let words: Vec<u32> = (0..12).collect();
    let cut = |starts: &[usize]| ranges(plan_sentences(&words, 8, 3, starts).unwrap());
    assert_eq!(cut(&[5]), [(0..5, 0..5), (5..12, 5..12)]);
    // As many sentences as fit.
    assert_eq!(cut(&[3, 6, 7]), [(0..7, 0..7), (7..12, 7..12)]);
    // A sentence that is too long is read in windows that overlap, its neighbours are not.
    let expected = [(0..2, 0..2), (2..10, 2..9), (7..11, 9..11), (11..12, 11..12)];
    assert_eq!(cut(&[2, 11]), expected);
    assert_eq!(cut(&[]), ranges(plan(&words, 8, 3).unwrap()));
    // Neither in a word nor behind the end.
    let windows = plan_sentences(&[0, 1, 2, 2, 3, 4], 4, 0, &[3, 99]).unwrap();
    assert_eq!(ranges(windows), [(0..4, 0..4), (4..6, 4..6)]);
    assert_eq!(plan_sentences(&[], 4, 1, &[0]), Ok(vec![]));
}

#[test]
fn sizes_and_orders_that_make_no_sense_are_refused() {
    let sizes = Err(Error::Windows { capacity: 2, overlap: 2 });
    assert_eq!(plan(&[0, 1, 2], 2, 2), sizes);
    assert!(plan(&[], 0, 0).is_err());
    assert!(plan_hf(3, 0, 0).is_err());
    assert!(plan_hf(3, 2, 5).is_err());
    assert!(matches!(plan(&[1, 0], 4, 1), Err(Error::WordOrder { piece: 1, .. })));
}

#[test]
fn hugging_face_windows() {
    assert_eq!(plan_hf(10, 4, 1), Ok(vec![0..4, 3..7, 6..10]));
    assert_eq!(plan_hf(11, 4, 1), Ok(vec![0..4, 3..7, 6..10, 9..11]));
    assert_eq!(plan_hf(4, 4, 1).unwrap().len(), 1);
    assert_eq!(plan_hf(0, 4, 1), Ok(vec![]));
}

fn entity(label: &str, start: usize, end: usize, score: f32) -> Entity {
    Entity { label: label.to_owned(), score, start, end, word: String::new(), index: None }
}

#[test]
fn hugging_face_merging() {
    let merge = |entities: &[(&str, usize, usize, f32)]| {
        let entities =
            entities.iter().map(|(label, start, end, score)| entity(label, *start, *end, *score));
        let merged = merge_hf(&"x".repeat(20), entities.collect()).into_iter();
        merged.map(|e| (e.label, e.start, e.end)).collect::<Vec<_>>()
    };
    let golden =
        [("LOC", 0, 4, 0.9), ("LOC", 0, 8, 0.8), ("PER", 6, 10, 0.95), ("PER", 9, 12, 0.5)];
    assert_eq!(merge(&golden), [("LOC".to_owned(), 0, 8), ("PER".to_owned(), 9, 12)]);
    // The surer of equals; what touches does not overlap.
    let equals = [("A", 3, 5, 0.5), ("B", 3, 5, 0.6), ("C", 5, 6, 0.1), ("D", 0, 3, 0.1)];
    let expected = [("D".to_owned(), 0, 3), ("B".to_owned(), 3, 5), ("C".to_owned(), 5, 6)];
    assert_eq!(merge(&equals), expected);
    assert_eq!(merge(&[]), []);
}

#[test]
fn hugging_face_merging_counts_characters() {
    // Three letters are longer than one ideograph, though it has as many bytes and is surer.
    let text = "abc日";
    let entities = vec![entity("A", 0, 3, 0.5), entity("B", 2, 6, 0.9)];
    assert_eq!(merge_hf(text, entities.clone()), [entities[0].clone()]);
}

/// Word ids of words with these lengths.
fn word_ids(lengths: &[usize]) -> Vec<u32> {
    let ids = (0..).zip(lengths).flat_map(|(id, length)| vec![id; *length]);
    ids.collect()
}

/// The words that a plan keeps whole, and the pieces of those too long for a window.
fn units(lengths: &[usize], capacity: usize) -> Vec<Range<usize>> {
    let (mut units, mut start) = (Vec::new(), 0);
    for length in lengths {
        let step = if *length <= capacity { *length } else { 1 };
        units.extend((start..start + length).step_by(step).map(|at| at..at + step));
        start += length;
    }
    units
}

/// Distance of a unit to the nearer edge that cuts text off; `None` if it is not in the window.
fn context(window: &Range<usize>, unit: &Range<usize>, pieces: usize) -> Option<usize> {
    let left = unit.start.checked_sub(window.start)?;
    let right = window.end.checked_sub(unit.end)?;
    let left = if window.start == 0 { usize::MAX } else { left };
    let right = if window.end == pieces { usize::MAX } else { right };
    Some(left.min(right))
}

proptest! {
    #[test]
    fn plans_hold_what_they_promise(
        lengths in prop::collection::vec(1_usize..9, 0..60),
        capacity in 1_usize..20,
        overlap in 0_usize..20,
    ) {
        let overlap = overlap % capacity;
        let words = word_ids(&lengths);
        let windows = plan(&words, capacity, overlap).unwrap();
        let longest = lengths.iter().copied().max().unwrap_or(0);
        // A long word may take the room for the overlap.
        let shared = overlap.min(capacity.saturating_sub(longest));
        let mut next = 0;
        for window in &windows {
            prop_assert!(window.pieces.len() <= capacity && !window.keep.is_empty());
            prop_assert!(window.pieces.start <= window.keep.start);
            prop_assert!(window.keep.end <= window.pieces.end);
            prop_assert_eq!(window.keep.start, next);
            next = window.keep.end;
        }
        prop_assert_eq!(next, words.len());
        prop_assert!(words.len() > capacity || windows.len() <= 1);
        for unit in units(&lengths, capacity) {
            let keeper = windows.iter().find(|window| window.keep.contains(&unit.start)).unwrap();
            let here = context(&keeper.pieces, &unit, words.len());
            prop_assert!(here.is_some(), "{unit:?} is cut by {windows:?}");
            let most = windows.iter().map(|w| context(&w.pieces, &unit, words.len())).max().unwrap();
            prop_assert_eq!(here, most, "{:?} in {:?}", unit, windows);
            let enough = here.is_some_and(|here| here.saturating_add(longest) >= shared / 2);
            prop_assert!(enough, "{unit:?} in {windows:?}");
        }
        for pair in windows.windows(2) {
            prop_assert!(pair[0].pieces.start < pair[1].pieces.start);
            prop_assert!(pair[1].pieces.start <= pair[0].pieces.end);
            prop_assert!(pair[0].pieces.end < pair[1].pieces.end);
            // Words of one piece share exactly what was asked for.
            if longest == 1 {
                let common = pair[0].pieces.end - pair[1].pieces.start;
                prop_assert!((shared..=overlap).contains(&common), "{windows:?}");
            }
        }
    }

    #[test]
    fn sentences_are_covered_once(
        lengths in prop::collection::vec(1_usize..9, 0..60),
        capacity in 1_usize..20,
        overlap in 0_usize..20,
        starts in prop::collection::btree_set(0_usize..300, 0..40),
    ) {
        let overlap = overlap % capacity;
        let words = word_ids(&lengths);
        let starts: Vec<usize> = starts.into_iter().collect();
        let windows = plan_sentences(&words, capacity, overlap, &starts).unwrap();
        let mut next = 0;
        for window in &windows {
            prop_assert!(window.pieces.len() <= capacity && !window.keep.is_empty());
            prop_assert_eq!(window.keep.start, next);
            prop_assert!(window.pieces.start <= next && window.keep.end <= window.pieces.end);
            next = window.keep.end;
        }
        prop_assert_eq!(next, words.len());
    }

    #[test]
    fn hugging_face_windows_cover(pieces in 0_usize..100, capacity in 1_usize..20, stride in 0_usize..20) {
        let stride = stride % capacity;
        let windows = plan_hf(pieces, capacity, stride).unwrap();
        prop_assert_eq!(windows.first().map_or(0, |window| window.start), 0);
        prop_assert_eq!(windows.last().map_or(0, |window| window.end), pieces);
        for pair in windows.windows(2) {
            prop_assert_eq!(pair[0].len(), capacity);
            prop_assert_eq!(pair[0].end - pair[1].start, stride);
        }
    }

    #[test]
    fn merging_leaves_no_overlap(
        spans in prop::collection::vec((0_usize..50, 1_usize..9, 0.0_f32..1.0), 0..20)
    ) {
        let entities = spans.iter().map(|(start, length, score)| entity("X", *start, start + length, *score));
        let merged = merge_hf(&"x".repeat(1000), entities.collect());
        prop_assert!(merged.windows(2).all(|pair| pair[0].start <= pair[1].start));
        prop_assert_eq!(merged.is_empty(), spans.is_empty());
    }
}
