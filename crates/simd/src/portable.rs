//! The leg that runs everywhere, on `wide`: SSE2, NEON or simd128 where the build has them.

use bytemuck::cast;
use half::{bf16, f16};
use wide::{f32x8, i32x8};

use crate::Simd;

/// Proof of nothing: this leg needs no instruction set.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Portable(());

impl Portable {
    pub(crate) fn new() -> Self {
        Self(())
    }
}

/// The first eight elements of `from` through `widen`.
#[inline(always)]
fn gather<T: Copy>(from: &[T], widen: fn(T) -> f32) -> f32x8 {
    let from = &from[..8];
    f32x8::new(std::array::from_fn(|lane| widen(from[lane])))
}

impl Simd for Portable {
    type Vector = f32x8;
    type Int = i32x8;
    const LANES: usize = 8;
    // Six rows of one f32x8 take 12 of the 16 registers of SSE2; two would spill.
    const TILE_VECTORS: usize = 1;
    const TILE_ROWS: usize = 6;

    #[inline(always)]
    fn splat(self, value: f32) -> f32x8 {
        f32x8::splat(value)
    }

    #[inline(always)]
    fn load(self, from: &[f32]) -> f32x8 {
        gather(from, |x| x)
    }

    #[inline(always)]
    fn store(self, vector: f32x8, to: &mut [f32]) {
        to[..8].copy_from_slice(&vector.to_array());
    }

    #[inline(always)]
    fn load_f16(self, from: &[f16]) -> f32x8 {
        gather(from, f16::to_f32)
    }

    #[inline(always)]
    fn load_bf16(self, from: &[bf16]) -> f32x8 {
        gather(from, bf16::to_f32)
    }

    #[inline(always)]
    fn splat_i32(self, value: i32) -> i32x8 {
        i32x8::splat(value)
    }

    #[inline(always)]
    fn load_i32(self, from: &[i32]) -> i32x8 {
        i32x8::new(std::array::from_fn(|lane| from[..8][lane]))
    }

    #[inline(always)]
    fn load_quads(self, from: &[i8]) -> i32x8 {
        let from = &from[..32];
        let quad = |lane: usize| std::array::from_fn(|i| from[4 * lane + i].cast_unsigned());
        i32x8::new(std::array::from_fn(|lane| i32::from_le_bytes(quad(lane))))
    }

    #[inline(always)]
    fn splat_quad(self, quad: [u8; 4]) -> i32x8 {
        i32x8::splat(i32::from_le_bytes(quad))
    }

    #[inline(always)]
    fn dot_quads(self, bytes: i32x8, signed: i32x8, sums: i32x8) -> i32x8 {
        let byte = |shift: i32| {
            let unsigned = (bytes >> shift) & i32x8::splat(0xff);
            // Shifted up and back down, so that the sign fills the lane.
            unsigned * ((signed << (24 - shift)) >> 24_i32)
        };
        sums + byte(0) + byte(8) + byte(16) + byte(24)
    }

    #[inline(always)]
    fn load_pairs(self, from: &[[i16; 2]]) -> i32x8 {
        let from = &from[..8];
        i32x8::new(std::array::from_fn(|lane| cast(from[lane])))
    }

    #[inline(always)]
    fn splat_pair(self, pair: [i16; 2]) -> i32x8 {
        i32x8::splat(cast(pair))
    }

    #[inline(always)]
    fn dot_pairs(self, a: i32x8, b: i32x8, sums: i32x8) -> i32x8 {
        // Which of a pair comes first in memory is all the same to their sum.
        let low = |pairs: i32x8| (pairs << 16_i32) >> 16_i32;
        sums + low(a) * low(b) + (a >> 16_i32) * (b >> 16_i32)
    }

    #[inline(always)]
    fn store_words(self, vector: f32x8, to: &mut [i16]) {
        for (to, x) in to[..8].iter_mut().zip(vector.to_array()) {
            #[allow(clippy::cast_possible_truncation, reason = "within the range of i16")]
            let word = x.round_ties_even() as i16;
            *to = word;
        }
    }

    #[inline(always)]
    fn round_to_i32(self, a: f32x8) -> i32x8 {
        #[allow(clippy::cast_possible_truncation, reason = "within the range of i32")]
        i32x8::new(a.to_array().map(|x| x.round_ties_even() as i32))
    }

    #[inline(always)]
    fn add_i32(self, a: i32x8, b: i32x8) -> i32x8 {
        a + b
    }

    #[inline(always)]
    fn sub_product_i32(self, a: i32x8, b: i32x8, c: i32x8) -> i32x8 {
        a - b * c
    }

    #[inline(always)]
    fn int_to_f32(self, a: i32x8) -> f32x8 {
        a.round_float()
    }

    #[inline(always)]
    fn store_bytes(self, vector: f32x8, to: &mut [u8]) {
        for (to, x) in to[..8].iter_mut().zip(vector.to_array()) {
            #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "cut to u8")]
            let byte = x.round_ties_even().clamp(0.0, 255.0) as u8;
            *to = byte;
        }
    }

    #[inline(always)]
    fn add(self, a: f32x8, b: f32x8) -> f32x8 {
        a + b
    }

    #[inline(always)]
    fn sub(self, a: f32x8, b: f32x8) -> f32x8 {
        a - b
    }

    #[inline(always)]
    fn mul(self, a: f32x8, b: f32x8) -> f32x8 {
        a * b
    }

    #[inline(always)]
    fn div(self, a: f32x8, b: f32x8) -> f32x8 {
        a / b
    }

    #[inline(always)]
    fn mul_add(self, a: f32x8, b: f32x8, c: f32x8) -> f32x8 {
        a.mul_add(b, c)
    }

    #[inline(always)]
    fn min(self, a: f32x8, b: f32x8) -> f32x8 {
        self.select_lt(a, b, a, b)
    }

    #[inline(always)]
    fn max(self, a: f32x8, b: f32x8) -> f32x8 {
        self.select_lt(b, a, a, b)
    }

    #[inline(always)]
    fn round(self, a: f32x8) -> f32x8 {
        a.round_ties_even()
    }

    #[inline(always)]
    fn pow2(self, n: f32x8) -> f32x8 {
        let exponent: i32x8 = n.fast_round_int() + i32x8::splat(127);
        cast(exponent << 23)
    }

    #[inline(always)]
    fn abs(self, a: f32x8) -> f32x8 {
        a.abs()
    }

    #[inline(always)]
    fn copysign(self, magnitude: f32x8, sign: f32x8) -> f32x8 {
        let sign_bit = f32x8::splat(-0.0);
        (magnitude.abs()) | (sign & sign_bit)
    }

    #[inline(always)]
    fn select_lt(self, a: f32x8, b: f32x8, then: f32x8, otherwise: f32x8) -> f32x8 {
        a.simd_lt(b).bitselect(then, otherwise)
    }

    #[inline(always)]
    fn reduce_add(self, a: f32x8) -> f32 {
        let [a, b, c, d, e, f, g, h] = a.to_array();
        ((a + e) + (c + g)) + ((b + f) + (d + h))
    }

    #[inline(always)]
    fn reduce_min(self, a: f32x8) -> f32 {
        a.to_array().into_iter().fold(f32::INFINITY, f32::min)
    }

    #[inline(always)]
    fn reduce_max(self, a: f32x8) -> f32 {
        a.to_array().into_iter().fold(f32::NEG_INFINITY, f32::max)
    }
}
