//! Fetching memory while a tile is computed.

use nervio_simd::Simd;

/// Bytes of a cache line.
pub(crate) const LINE: usize = 64;

/// What the rounds of a tile ask for.
pub(crate) trait Ahead {
    /// Shares it out among that many rounds.
    fn share(&mut self, rounds: usize);

    /// Asks for the share of the next round, `lines` at the most: a constant, so that no branch is left
    /// of it.
    fn round<S: Simd>(&mut self, s: S, lines: usize);
}

/// Nothing to fetch.
pub(crate) struct Nothing;

impl Ahead for Nothing {
    #[inline(always)]
    fn share(&mut self, _: usize) {}

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
    step: usize,
}

impl Lines {
    /// The lines of `bytes`; of `near`, which is in the caches, if there are none.
    pub(crate) fn new<T>(bytes: &[u8], near: &[T]) -> Self {
        let at = if bytes.is_empty() { near.as_ptr().cast() } else { bytes.as_ptr() };
        Self { at, len: bytes.len(), step: 0 }
    }
}

impl Ahead for Lines {
    #[inline(always)]
    fn share(&mut self, rounds: usize) {
        self.step = self.len.div_ceil(rounds.max(1));
    }

    #[inline(always)]
    fn round<S: Simd>(&mut self, s: S, lines: usize) {
        for line in 0..lines {
            s.prefetch_later(self.at.wrapping_add(line * LINE));
        }
        self.at = self.at.wrapping_add(self.step);
    }
}
