//! The NEON leg: 4 lanes, 32 registers, fused multiply-add; 8-bit products by the dot product
//! instruction where the processor has it. Both bytes of a product are signed.
#![allow(unsafe_code, reason = "intrinsics are unsafe to call; the token proves their support")]

use core::arch::aarch64::{
    float32x4_t, int8x16_t, int32x4_t, uint16x4_t, vabsq_f32, vadd_f32, vaddq_f32, vaddq_s32,
    vbslq_f32, vcgtq_f32, vcltq_f32, vcombine_s16, vcvtnq_s32_f32, vcvtq_f32_s32, vdivq_f32,
    vdupq_n_f32, vdupq_n_s32, vdupq_n_u32, vfmaq_f32, vget_high_f32, vget_lane_f32, vget_lane_s32,
    vget_low_f32, vget_low_s8, vget_low_s16, vld1_u16, vld1q_f32, vld1q_s8, vld1q_s16, vld1q_s32,
    vmaxvq_f32, vminvq_f32, vmlsq_s32, vmull_high_s8, vmull_high_s16, vmull_s8, vmull_s16,
    vmulq_f32, vpadalq_s16, vpaddq_s16, vpaddq_s32, vqmovn_s16, vqmovn_s32, vreinterpret_s32_s8,
    vreinterpretq_f32_s32, vreinterpretq_f32_u32, vreinterpretq_s8_s32, vreinterpretq_s16_s32,
    vreinterpretq_s32_s8, vreinterpretq_s32_s16, vrndnq_f32, vshll_n_u16, vshlq_n_s32, vsliq_n_s32,
    vst1_s16, vst1q_f32, vst1q_s16, vsubq_f32,
};
use core::arch::asm;
use std::arch::is_aarch64_feature_detected;

use half::{bf16, f16};

use crate::{Kernel, Simd};

/// Proof that the processor has NEON; and the dot product of bytes if `DOT`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Neon<const DOT: bool>(());

impl<const DOT: bool> Neon<DOT> {
    /// The token, where the processor has what `run` enables.
    pub(crate) fn new() -> Option<Self> {
        // The lists must match the `target_feature` of `enter` and `enter_dot`. A quad of bytes is
        // one lane only where the lowest byte comes first.
        let supported = cfg!(target_endian = "little")
            && is_aarch64_feature_detected!("neon")
            && (!DOT || is_aarch64_feature_detected!("dotprod"));
        supported.then_some(Self(()))
    }

    /// The leg without the dot product of bytes: its proof is a part of this one.
    pub(crate) fn floats(self) -> Neon<false> {
        Neon(())
    }

    /// Runs a kernel with the instruction set enabled.
    #[inline]
    pub(crate) fn run<K: Kernel>(self, kernel: K) -> K::Output {
        // SAFETY: `self` proves every feature that the function enables.
        unsafe { if DOT { enter_dot(self, kernel) } else { enter(self, kernel) } }
    }
}

/// The function into which a kernel and all its operations are inlined.
#[target_feature(enable = "neon")]
fn enter<K: Kernel, S: Simd>(token: S, kernel: K) -> K::Output {
    kernel.run(token)
}

/// The same with the dot product of bytes.
#[target_feature(enable = "neon,dotprod")]
fn enter_dot<K: Kernel, S: Simd>(token: S, kernel: K) -> K::Output {
    kernel.run(token)
}

/// Writes `operation` as the body of a method whose intrinsics the token licenses.
macro_rules! neon {
    ($operation:expr) => {{
        // SAFETY: the token `self` proves NEON (and the dot product where `DOT` is true); the
        // operation works on registers.
        unsafe { $operation }
    }};
}

impl<const DOT: bool> Simd for Neon<DOT> {
    type Vector = float32x4_t;
    type Int = int32x4_t;
    const LANES: usize = 4;
    // Six rows of four vectors: 24 sums, 4 weights and 1 broadcast take 29 of 32 registers.
    const TILE_VECTORS: usize = 4;
    const TILE_ROWS: usize = 6;
    // With both bytes signed a pair in 16 bits holds `2 * -128 * 127`.
    const INT8_LIMIT: i8 = 127;
    const BYTE_LOW: i32 = -128;

    #[inline(always)]
    fn splat(self, value: f32) -> float32x4_t {
        neon!(vdupq_n_f32(value))
    }

    #[inline(always)]
    fn load(self, from: &[f32]) -> float32x4_t {
        let from = &from[..4];
        // SAFETY: `from` has 4 elements; the load needs no alignment.
        unsafe { vld1q_f32(from.as_ptr()) }
    }

    #[inline(always)]
    fn store(self, vector: float32x4_t, to: &mut [f32]) {
        let to = &mut to[..4];
        // SAFETY: `to` has room for 4 elements; the store needs no alignment.
        unsafe { vst1q_f32(to.as_mut_ptr(), vector) }
    }

    #[inline(always)]
    fn load_f16(self, from: &[f16]) -> float32x4_t {
        let from = &from[..4];
        // SAFETY: `from` has 4 elements of 2 bytes; the load needs no alignment.
        unsafe { widen_f16(vld1_u16(from.as_ptr().cast::<u16>())) }
    }

    #[inline(always)]
    fn load_bf16(self, from: &[bf16]) -> float32x4_t {
        let from = &from[..4];
        // SAFETY: `from` has 4 elements of 2 bytes; the load needs no alignment.
        unsafe {
            let bits = vld1_u16(from.as_ptr().cast::<u16>());
            vreinterpretq_f32_u32(vshll_n_u16::<16>(bits))
        }
    }

    #[inline(always)]
    fn splat_i32(self, value: i32) -> int32x4_t {
        neon!(vdupq_n_s32(value))
    }

    #[inline(always)]
    fn load_i32(self, from: &[i32]) -> int32x4_t {
        let from = &from[..4];
        // SAFETY: `from` has 4 elements; the load needs no alignment.
        unsafe { vld1q_s32(from.as_ptr()) }
    }

    #[inline(always)]
    fn load_quads(self, from: &[i8]) -> int32x4_t {
        let from = &from[..16];
        // SAFETY: `from` has 16 bytes; the load needs no alignment.
        unsafe { vreinterpretq_s32_s8(vld1q_s8(from.as_ptr())) }
    }

    #[inline(always)]
    fn splat_quad(self, quad: [u8; 4]) -> int32x4_t {
        neon!(vdupq_n_s32(i32::from_le_bytes(quad)))
    }

    #[inline(always)]
    fn dot_quads(self, bytes: int32x4_t, signed: int32x4_t, sums: int32x4_t) -> int32x4_t {
        neon!({
            let (a, b) = (vreinterpretq_s8_s32(bytes), vreinterpretq_s8_s32(signed));
            if DOT {
                dot(sums, a, b)
            } else {
                let low = vmull_s8(vget_low_s8(a), vget_low_s8(b));
                // Eight pairs of neighbours, two for each quad, which the last addition joins.
                vpadalq_s16(sums, vpaddq_s16(low, vmull_high_s8(a, b)))
            }
        })
    }

    #[inline(always)]
    fn load_pairs(self, from: &[[i16; 2]]) -> int32x4_t {
        let from = &from[..4];
        // SAFETY: `from` has 4 pairs of 2 elements; the load needs no alignment.
        unsafe { vreinterpretq_s32_s16(vld1q_s16(from.as_ptr().cast::<i16>())) }
    }

    #[inline(always)]
    fn splat_pair(self, pair: [i16; 2]) -> int32x4_t {
        neon!(vdupq_n_s32(bytemuck::cast(pair)))
    }

    #[inline(always)]
    fn dot_pairs(self, a: int32x4_t, b: int32x4_t, sums: int32x4_t) -> int32x4_t {
        neon!({
            let (a, b) = (vreinterpretq_s16_s32(a), vreinterpretq_s16_s32(b));
            let low = vmull_s16(vget_low_s16(a), vget_low_s16(b));
            vaddq_s32(sums, vpaddq_s32(low, vmull_high_s16(a, b)))
        })
    }

    #[inline(always)]
    fn store_words(self, vector: float32x4_t, to: &mut [i16]) {
        let to = &mut to[..4];
        // SAFETY: `to` has room for the 4 elements of 2 bytes that the 64-bit store writes.
        unsafe { vst1_s16(to.as_mut_ptr(), vqmovn_s32(vcvtnq_s32_f32(vector))) }
    }

    #[inline(always)]
    fn round_to_i32(self, a: float32x4_t) -> int32x4_t {
        neon!(vcvtnq_s32_f32(a))
    }

    #[inline(always)]
    fn add_i32(self, a: int32x4_t, b: int32x4_t) -> int32x4_t {
        neon!(vaddq_s32(a, b))
    }

    #[inline(always)]
    fn store_pairs(self, low: int32x4_t, high: int32x4_t, to: &mut [[i16; 2]]) {
        let to = &mut to[..4];
        // SAFETY: `to` has room for 8 numbers of 2 bytes; the store needs no other alignment.
        unsafe {
            let pairs = vreinterpretq_s16_s32(vsliq_n_s32::<16>(low, high));
            vst1q_s16(to.as_mut_ptr().cast::<i16>(), pairs);
        }
    }

    #[inline(always)]
    fn sub_product_i32(self, a: int32x4_t, b: int32x4_t, c: int32x4_t) -> int32x4_t {
        neon!(vmlsq_s32(a, b, c))
    }

    #[inline(always)]
    fn int_to_f32(self, a: int32x4_t) -> float32x4_t {
        neon!(vcvtq_f32_s32(a))
    }

    #[inline(always)]
    fn store_bytes(self, vector: float32x4_t, to: &mut [u8]) {
        let bytes = neon!({
            let words = vqmovn_s32(vcvtnq_s32_f32(vector));
            vget_lane_s32::<0>(vreinterpret_s32_s8(vqmovn_s16(vcombine_s16(words, words))))
        });
        to[..4].copy_from_slice(&bytes.to_le_bytes());
    }

    #[inline(always)]
    fn prefetch<T>(self, first: &T) {
        let line = std::ptr::from_ref(first).addr();
        // SAFETY: the address is that of a reference; a prefetch reads nothing and never faults.
        unsafe {
            asm!("prfm pldl1keep, [{}]", in(reg) line, options(nomem, nostack, preserves_flags));
        }
    }

    #[inline(always)]
    fn prefetch_later(self, at: *const u8) {
        let line = at.addr();
        // SAFETY: a prefetch reads nothing and never faults, whatever the address.
        unsafe {
            asm!("prfm pldl2keep, [{}]", in(reg) line, options(nomem, nostack, preserves_flags));
        }
    }

    #[inline(always)]
    fn add(self, a: float32x4_t, b: float32x4_t) -> float32x4_t {
        neon!(vaddq_f32(a, b))
    }

    #[inline(always)]
    fn sub(self, a: float32x4_t, b: float32x4_t) -> float32x4_t {
        neon!(vsubq_f32(a, b))
    }

    #[inline(always)]
    fn mul(self, a: float32x4_t, b: float32x4_t) -> float32x4_t {
        neon!(vmulq_f32(a, b))
    }

    #[inline(always)]
    fn div(self, a: float32x4_t, b: float32x4_t) -> float32x4_t {
        neon!(vdivq_f32(a, b))
    }

    #[inline(always)]
    fn mul_add(self, a: float32x4_t, b: float32x4_t, c: float32x4_t) -> float32x4_t {
        neon!(vfmaq_f32(c, a, b))
    }

    // Not the instructions for the least and the greatest, which give NaN for a NaN in either.
    #[inline(always)]
    fn min(self, a: float32x4_t, b: float32x4_t) -> float32x4_t {
        neon!(vbslq_f32(vcltq_f32(a, b), a, b))
    }

    #[inline(always)]
    fn max(self, a: float32x4_t, b: float32x4_t) -> float32x4_t {
        neon!(vbslq_f32(vcgtq_f32(a, b), a, b))
    }

    #[inline(always)]
    fn round(self, a: float32x4_t) -> float32x4_t {
        neon!(vrndnq_f32(a))
    }

    #[inline(always)]
    fn pow2(self, n: float32x4_t) -> float32x4_t {
        neon!({
            let exponent = vaddq_s32(vcvtnq_s32_f32(n), vdupq_n_s32(127));
            vreinterpretq_f32_s32(vshlq_n_s32::<23>(exponent))
        })
    }

    #[inline(always)]
    fn abs(self, a: float32x4_t) -> float32x4_t {
        neon!(vabsq_f32(a))
    }

    #[inline(always)]
    fn copysign(self, magnitude: float32x4_t, sign: float32x4_t) -> float32x4_t {
        neon!(vbslq_f32(vdupq_n_u32(1 << 31), sign, magnitude))
    }

    #[inline(always)]
    fn select_lt(
        self,
        a: float32x4_t,
        b: float32x4_t,
        then: float32x4_t,
        otherwise: float32x4_t,
    ) -> float32x4_t {
        neon!(vbslq_f32(vcltq_f32(a, b), then, otherwise))
    }

    #[inline(always)]
    fn reduce_min(self, a: float32x4_t) -> f32 {
        neon!(vminvq_f32(a))
    }

    #[inline(always)]
    fn reduce_add(self, a: float32x4_t) -> f32 {
        // Halves, then the last two: the intrinsic for a sum promises no order.
        neon!({
            let two = vadd_f32(vget_low_f32(a), vget_high_f32(a));
            vget_lane_f32::<0>(two) + vget_lane_f32::<1>(two)
        })
    }

    #[inline(always)]
    fn reduce_max(self, a: float32x4_t) -> f32 {
        neon!(vmaxvq_f32(a))
    }
}

/// `sums + Σ a[i] * b[i]` over the four signed bytes of each lane; its intrinsic is not stable.
#[inline]
#[target_feature(enable = "neon,dotprod")]
fn dot(mut sums: int32x4_t, a: int8x16_t, b: int8x16_t) -> int32x4_t {
    // SAFETY: the function enables the instruction, which works on registers.
    unsafe {
        asm!(
            "sdot {sums:v}.4s, {a:v}.16b, {b:v}.16b",
            sums = inout(vreg) sums,
            a = in(vreg) a,
            b = in(vreg) b,
            options(pure, nomem, nostack, preserves_flags),
        );
    }
    sums
}

/// Widens the bits of four half-precision numbers exactly; the type of its intrinsic is not stable.
#[inline]
#[target_feature(enable = "neon")]
fn widen_f16(bits: uint16x4_t) -> float32x4_t {
    let wide;
    // SAFETY: every processor with NEON has the instruction, which works on registers.
    unsafe {
        asm!(
            "fcvtl {wide:v}.4s, {bits:v}.4h",
            wide = lateout(vreg) wide,
            bits = in(vreg) bits,
            options(pure, nomem, nostack),
        );
    }
    wide
}
