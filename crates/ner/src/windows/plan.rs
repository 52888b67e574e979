//! Windows that end between words, each word kept where it has most context.

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
    check_sizes(capacity, overlap)?;
    check_words(words.iter().copied())?;
    Ok(keeps(words, capacity, stretches(words, capacity, overlap)))
}

/// What is fed. Starts and ends both rise.
fn stretches(words: &[u32], capacity: usize, overlap: usize) -> Vec<Range<usize>> {
    let border = |at: &usize| *at == 0 || *at >= words.len() || words[*at - 1] != words[*at];
    let mut stretches = Vec::new();
    let (mut start, mut behind) = (0_usize, 0);
    while behind < words.len() {
        let limit = start.saturating_add(capacity).min(words.len());
        // A word that does not fit at all is cut.
        let end = (behind + 1..=limit).rev().find(border).unwrap_or(limit);
        stretches.push(start..end);
        behind = end;
        // The next one shares words with this one, or a part of a long one, but has room for one
        // more.
        let next = word_end(words, end, capacity).map_or(0, |word| word.saturating_sub(capacity));
        let earliest = end.saturating_sub(overlap).max(next).max(start + 1);
        start = (earliest..end).find(border).unwrap_or(earliest);
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

/// As [`plan`], for a text whose sentences begin at the pieces `starts` (rising; the first piece
/// need not be among them). Windows hold whole sentences, as many as fit, and share nothing: no
/// entity goes on behind the end of a sentence. Only a sentence longer than a window is read in
/// overlapping ones.
///
/// So an answer does not change with the overlap unless a sentence is that long, and a sentence is
/// not judged by what is cut off its neighbour.
///
/// # Errors
///
/// As [`plan`].
///
/// ```
/// use nervio_ner::windows::plan_sentences;
///
/// // Ten words in sentences of four, five and one.
/// let words: Vec<u32> = (0..10).collect();
/// let windows = plan_sentences(&words, 6, 2, &[4, 9])?;
/// assert_eq!(windows[0].pieces, 0..4);
/// assert_eq!(windows[1].pieces, 4..10);
/// # Ok::<(), nervio_ner::Error>(())
/// ```
pub fn plan_sentences(
    words: &[u32],
    capacity: usize,
    overlap: usize,
    starts: &[usize],
) -> Result<Vec<Window>, Error> {
    check_sizes(capacity, overlap)?;
    check_words(words.iter().copied())?;
    let mut windows = Vec::new();
    let mut begin = 0;
    let mut end = 0;
    let between_words = |at: &usize| *at > 0 && *at < words.len() && words[*at - 1] != words[*at];
    let borders = starts.iter().copied().filter(between_words).chain([words.len()]);
    for border in borders.filter(|border| *border > 0) {
        if border.saturating_sub(begin) > capacity {
            read_apart(words, begin..end, capacity, overlap, &mut windows);
            begin = end;
        }
        end = end.max(border);
    }
    read_apart(words, begin..end, capacity, overlap, &mut windows);
    Ok(windows)
}

/// Adds the windows of some pieces that are read by themselves.
fn read_apart(
    words: &[u32],
    pieces: Range<usize>,
    capacity: usize,
    overlap: usize,
    windows: &mut Vec<Window>,
) {
    let first = pieces.start;
    let words = &words[pieces];
    let shift = |range: Range<usize>| range.start + first..range.end + first;
    let local = keeps(words, capacity, stretches(words, capacity, overlap));
    windows
        .extend(local.into_iter().map(|w| Window { pieces: shift(w.pieces), keep: shift(w.keep) }));
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
