//! Windows that end between words, each word kept where it has most context.

use std::collections::BTreeSet;
use std::ops::Range;

use super::check_sizes;
use crate::Error;
use crate::entity::check_words;

/// One stretch of a text that goes through the encoder at once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Window {
    /// The pieces that are fed.
    pub pieces: Range<usize>,
    /// Those of them whose logits are taken from this window. The keeps of all windows, in order,
    /// partition the pieces.
    pub keep: Range<usize>,
}

/// Cuts a text into windows of at most `capacity` pieces, special tokens not counted.
///
/// `words` is the word of each piece. Windows end between words. Neighbours share about `overlap`
/// pieces: fewer where that is not between words either or the next word needs the room. Each word
/// is kept where the nearer of the edges that cut text off is farthest, the first of equals. A word
/// longer than `capacity` is cut, and its pieces are kept one by one, never dropped.
/// A text that fits has one window, a text without pieces none.
///
/// # Errors
///
/// When `overlap` is not less than `capacity`, or a word has a lower number than the one before.
pub fn plan(words: &[u32], capacity: usize, overlap: usize) -> Result<Vec<Window>, Error> {
    plan_with_cuts(words, capacity, overlap, &[])
}

/// As [`plan`], but windows preferably start and end at `cuts`: positions of pieces that begin a
/// sentence, in any order.
///
/// A window ends at the last cut in its second half, if there is one, and starts at the first cut
/// that leaves at least half of the overlap. Cuts within words are not used.
///
/// # Errors
///
/// As [`plan`].
///
/// ```
/// use nervio_ner::windows::plan_with_cuts;
///
/// // Ten words, a sentence begins with the fifth.
/// let words: Vec<u32> = (0..10).collect();
/// let windows = plan_with_cuts(&words, 6, 0, &[4])?;
/// assert_eq!(windows[0].pieces, 0..4);
/// assert_eq!(windows[1].pieces, 4..10);
/// # Ok::<(), nervio_ner::Error>(())
/// ```
pub fn plan_with_cuts(
    words: &[u32],
    capacity: usize,
    overlap: usize,
    cuts: &[usize],
) -> Result<Vec<Window>, Error> {
    check_sizes(capacity, overlap)?;
    check_words(words.iter().copied())?;
    let cuts = cuts.iter().copied().collect();
    let stretches = stretches(words, capacity, overlap, &cuts);
    Ok(keeps(words, capacity, stretches))
}

/// What is fed. Starts and ends both rise.
fn stretches(
    words: &[u32],
    capacity: usize,
    overlap: usize,
    cuts: &BTreeSet<usize>,
) -> Vec<Range<usize>> {
    let border = |at: &usize| *at == 0 || *at >= words.len() || words[*at - 1] != words[*at];
    let cut = |at: &usize| cuts.contains(at) && border(at);
    let mut stretches = Vec::new();
    let (mut start, mut behind) = (0_usize, 0);
    while behind < words.len() {
        let limit = start.saturating_add(capacity).min(words.len());
        let half = start.saturating_add(capacity.div_ceil(2)).max(behind + 1);
        let sentence = (half..=limit).rev().find(|at| *at == words.len() || cut(at));
        // A word that does not fit at all is cut.
        let end = sentence.or_else(|| (behind + 1..=limit).rev().find(border)).unwrap_or(limit);
        stretches.push(start..end);
        behind = end;
        // The next one shares words with this one, or a part of a long one, but has room for one
        // more.
        let next = word_end(words, end, capacity).map_or(0, |word| word.saturating_sub(capacity));
        let earliest = end.saturating_sub(overlap).max(next).max(start + 1);
        let sentence = (earliest..end.saturating_sub(overlap.div_ceil(2))).find(cut);
        start = sentence.or_else(|| (earliest..end).find(border)).unwrap_or(earliest);
    }
    stretches
}

/// Where the word that begins with piece `at` ends; `None` within a word and for one that fits no
/// window.
fn word_end(words: &[u32], at: usize, capacity: usize) -> Option<usize> {
    let rest = words.get(at..)?;
    let word = rest.first()?;
    if at.checked_sub(1).and_then(|before| words.get(before)) == Some(word) {
        return None;
    }
    let length = rest.iter().take(capacity.saturating_add(1)).take_while(|w| *w == word).count();
    (length <= capacity).then_some(at + length)
}

/// Gives each word to a window.
///
/// Of two neighbours the later one has more context for `[a, b)` exactly if `a + b` exceeds the
/// sum of its start and of the earlier one's end: that is where the distances to these two edges
/// are equal. The sums rise with the windows, so neighbours are all that must be compared.
fn keeps(words: &[u32], capacity: usize, stretches: Vec<Range<usize>>) -> Vec<Window> {
    let mut windows = Vec::with_capacity(stretches.len());
    let mut kept = 0;
    for (index, pieces) in stretches.iter().enumerate() {
        let from = kept;
        match stretches.get(index + 1) {
            Some(next) => {
                while kept < pieces.end {
                    // A word that fits no window goes piece by piece.
                    let end = word_end(words, kept, capacity).unwrap_or(kept + 1);
                    if kept + end > next.start + pieces.end {
                        break;
                    }
                    kept = end;
                }
            }
            None => kept = pieces.end,
        }
        // With much overlap a window may be nobody's best.
        if from < kept {
            windows.push(Window { pieces: pieces.clone(), keep: from..kept });
        }
    }
    windows
}
