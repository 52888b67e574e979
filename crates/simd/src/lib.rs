//! Portable SIMD for nervio: one vector trait, one token per instruction set.
