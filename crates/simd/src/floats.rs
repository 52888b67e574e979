//! Floats of any of the types in which weights are held.

use half::{bf16, f16};

/// Floats as they are held.
#[derive(Clone, Copy, Debug)]
pub enum Floats<'a> {
    /// Of 24 bits of significand.
    F32(&'a [f32]),
    /// Of 11 bits.
    F16(&'a [f16]),
    /// Of 8 bits.
    BF16(&'a [bf16]),
}

/// Which memory products of [`Floats`] ask for while they are computed.
#[derive(Clone, Copy, Debug)]
pub enum Ahead {
    /// What is named as next, spread evenly over what comes before it.
    Next,
    /// What lies some 16 KB beyond: for weights that come from memory one after the other.
    Beyond,
}

impl Floats<'_> {
    /// How many bfloat16 each is the sum of.
    #[must_use]
    pub fn pieces(self) -> usize {
        match self {
            Self::F32(_) => 3,
            Self::F16(_) => 2,
            Self::BF16(_) => 1,
        }
    }

    /// How many there are.
    #[must_use]
    pub fn len(self) -> usize {
        match self {
            Self::F32(x) => x.len(),
            Self::F16(x) => x.len(),
            Self::BF16(x) => x.len(),
        }
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(self) -> bool {
        self.len() == 0
    }
}
