//! Fetching memory while a tile is computed.

use nervio_simd::Simd;

/// Bytes of a cache line.
pub(crate) const LINE: usize = 64;

/// What the rounds of a tile ask for.
pub(crate) trait Ahead {
    /// Shares it out among that many rounds of `lines` each.
    fn share(&mut self, rounds: usize, lines: usize);

    /// Asks for the share of the next round, as many `lines` as were said: a constant, so that no branch is
    /// left of it.
    fn round<S: Simd>(&mut self, s: S, lines: usize);
}

/// Nothing to fetch.
pub(crate) struct Nothing;

impl Ahead for Nothing {
    #[inline(always)]
    fn share(&mut self, _: usize, _: usize) {}

    #[inline(always)]
    fn round<S: Simd>(&mut self, _: S, _: usize) {}
}

/// What each of `count` tiles asks for: about equal shares of `bytes`, whole lines each; see [`Lines::new`].
#[inline(always)]
pub(crate) fn shares<'a>(
    bytes: &'a [u8],
    near: &'a [u8],
    spread: bool,
    count: usize,
) -> impl Iterator<Item = Lines> + 'a {
    let each = bytes.len().div_ceil(count.max(1)).next_multiple_of(LINE);
    let mut chunks = bytes.chunks(each.max(LINE));
    std::iter::repeat_with(move || Lines::new(chunks.next().unwrap_or(&[]), near, spread))
}

/// Bytes that will be needed soon, fetched into the L2 little by little: a burst of reads would hold
/// up those of the tile. Not into the L1: it keeps fewer reads of memory under way at a time.
///
/// A round asks for the same number of lines whether all are new or not. To find out would take
/// instructions and a branch in the innermost loop, which cost far more where the other half of the
/// core is busy.
#[derive(Clone, Copy)]
pub(crate) struct Lines {
    at: *const u8,
    len: usize,
    spread: bool,
    /// Bytes between two lines of a round.
    stride: usize,
    /// Bytes between two rounds.
    step: usize,
}

impl Lines {
    /// The lines of `bytes`; of `near`, which is in the caches, if there are none. They are `spread` if the
    /// lines of a round lie far from one another: then the processor looks ahead from each of them, where it
    /// otherwise does from one.
    pub(crate) fn new<T>(bytes: &[u8], near: &[T], spread: bool) -> Self {
        let at = if bytes.is_empty() { near.as_ptr().cast() } else { bytes.as_ptr() };
        Self { at, len: bytes.len(), spread, stride: LINE, step: 0 }
    }

    /// One of the lines that the next round asks for.
    #[inline(always)]
    fn line(&self, index: usize) -> *const u8 {
        self.at.wrapping_add(index * self.stride)
    }

    /// Leaves out the share of the first `rounds`, which others ask for.
    #[inline(always)]
    pub(crate) fn skip(&mut self, rounds: usize) {
        self.at = self.at.wrapping_add(rounds * self.step);
    }

    #[inline(always)]
    fn advance(&mut self) {
        self.skip(1);
    }
}

impl Ahead for Lines {
    #[inline(always)]
    fn share(&mut self, rounds: usize, lines: usize) {
        let rounds = rounds.max(1);
        // More than they can ask for: a part of each round's stretch.
        if !self.spread || self.len > rounds * lines * LINE {
            (self.stride, self.step) = (LINE, self.len.div_ceil(rounds));
        } else {
            self.stride = self.len.div_ceil(lines.max(1)).next_multiple_of(LINE);
            self.step = self.stride.div_ceil(rounds);
        }
    }

    #[inline(always)]
    fn round<S: Simd>(&mut self, s: S, lines: usize) {
        for line in 0..lines {
            s.prefetch_later(self.line(line));
        }
        self.advance();
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_line_is_asked_for_if_there_are_enough_rounds() {
        for spread in [false, true] {
            for (lines, rounds, len) in [
                (4, 192, 768 * LINE),
                (4, 192, 512 * LINE),
                (4, 192, 70 * LINE),
                (2, 192, 384 * LINE),
                (2, 7, 13 * LINE),
                (1, 5, 5 * LINE),
                (4, 3, 12 * LINE),
                (4, 3, LINE),
            ] {
                let bytes = vec![0_u8; len];
                let mut ahead = Lines::new(&bytes, &bytes, spread);
                ahead.share(rounds, lines);
                let mut asked = BTreeSet::new();
                for _ in 0..rounds {
                    let at = |line| (ahead.line(line).addr() - bytes.as_ptr().addr()) / LINE;
                    asked.extend((0..lines).map(at));
                    ahead.advance();
                }
                let missing: Vec<_> = (0..len / LINE).filter(|x| !asked.contains(x)).collect();
                assert!(missing.is_empty(), "{lines} x {rounds}, {len} {spread}: {missing:?}");
            }
        }
    }

    #[test]
    fn lines_of_a_round_are_spread_only_if_all_can_be_asked_for() {
        let bytes = vec![0_u8; 1536 * LINE];
        for (spread, len, stride) in
            [(false, 768, LINE), (true, 768, 192 * LINE), (true, 1536, LINE)]
        {
            let mut ahead = Lines::new(&bytes[..len * LINE], &bytes, spread);
            ahead.share(192, 4);
            assert_eq!(ahead.stride, stride, "{spread} {len}");
        }
    }
}
