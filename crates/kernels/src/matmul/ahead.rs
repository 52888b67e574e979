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
            s.prefetch_later(self.at.wrapping_add(line * self.stride));
        }
        self.at = self.at.wrapping_add(self.step);
    }
}
