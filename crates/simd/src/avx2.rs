//! The AVX2 leg: 8 lanes, fused multiply-add, half-precision conversion; 8-bit products by AVX-VNNI
//! where the processor has it.
#![allow(unsafe_code, reason = "intrinsics are unsafe to call; the token proves their support")]

use core::arch::asm;
use core::arch::x86_64::{
    __m128i, __m256, __m256i, _CMP_LT_OQ, _MM_FROUND_NO_EXC, _MM_FROUND_TO_NEAREST_INT,
    _MM_HINT_T0, _MM_HINT_T1, _mm_add_ps, _mm_add_ss, _mm_cvtss_f32, _mm_loadu_si128, _mm_max_ps,
    _mm_max_ss, _mm_min_ps, _mm_min_ss, _mm_movehdup_ps, _mm_movehl_ps, _mm_packs_epi32,
    _mm_packus_epi16, _mm_prefetch, _mm_storel_epi64, _mm_storeu_si128, _mm256_add_epi16,
    _mm256_add_epi32, _mm256_add_ps, _mm256_and_ps, _mm256_andnot_ps, _mm256_blend_epi16,
    _mm256_blendv_ps, _mm256_castps256_ps128, _mm256_castsi256_ps, _mm256_castsi256_si128,
    _mm256_cmp_ps, _mm256_cvtepi32_ps, _mm256_cvtepu16_epi32, _mm256_cvtph_ps, _mm256_cvtps_epi32,
    _mm256_div_ps, _mm256_dpbusd_avx_epi32, _mm256_extractf128_ps, _mm256_extracti128_si256,
    _mm256_fmadd_ps, _mm256_loadu_ps, _mm256_loadu_si256, _mm256_madd_epi16, _mm256_maddubs_epi16,
    _mm256_max_ps, _mm256_min_ps, _mm256_mul_ps, _mm256_mullo_epi32, _mm256_or_ps,
    _mm256_packs_epi32, _mm256_permute4x64_epi64, _mm256_round_ps, _mm256_set1_epi16,
    _mm256_set1_epi32, _mm256_set1_ps, _mm256_slli_epi32, _mm256_storeu_ps, _mm256_storeu_si256,
    _mm256_sub_epi32, _mm256_sub_ps,
};

use half::{bf16, f16};

use crate::{Kernel, Simd};

/// Proof that the processor has AVX2, FMA and F16C; and AVX-VNNI if `VNNI`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Avx2<const VNNI: bool>(());

impl<const VNNI: bool> Avx2<VNNI> {
    /// The token, where the processor has what `run` enables.
    pub(crate) fn new() -> Option<Self> {
        // The lists must match the `target_feature` of `enter` and `enter_vnni`.
        let supported = is_x86_feature_detected!("avx2")
            && is_x86_feature_detected!("fma")
            && is_x86_feature_detected!("f16c")
            && (!VNNI || is_x86_feature_detected!("avxvnni"));
        supported.then_some(Self(()))
    }

    /// The leg without AVX-VNNI: its proof is a part of this one.
    pub(crate) fn floats(self) -> Avx2<false> {
        Avx2(())
    }

    /// Runs a kernel with the instruction set enabled.
    #[inline]
    pub(crate) fn run<K: Kernel>(self, kernel: K) -> K::Output {
        // SAFETY: `self` proves every feature that the function enables.
        unsafe { if VNNI { enter_vnni(self, kernel) } else { enter(self, kernel) } }
    }
}

/// The function into which a kernel and all its operations are inlined.
#[target_feature(enable = "avx2,fma,f16c")]
fn enter<K: Kernel, S: Simd>(token: S, kernel: K) -> K::Output {
    kernel.run(token)
}

/// The same with AVX-VNNI.
#[target_feature(enable = "avx2,fma,f16c,avxvnni")]
fn enter_vnni<K: Kernel, S: Simd>(token: S, kernel: K) -> K::Output {
    kernel.run(token)
}

/// `{vex} vpdpwssd`, one instruction: LLVM makes two of the intrinsic; see the AVX-512 leg.
#[inline]
#[target_feature(enable = "avx2,avxvnni")]
fn dpwssd(mut sums: __m256i, a: __m256i, b: __m256i) -> __m256i {
    // SAFETY: the instruction is in the enabled features, and works on registers.
    unsafe {
        asm!(
            "{{vex}} vpdpwssd {sums}, {a}, {b}",
            sums = inout(ymm_reg) sums,
            a = in(ymm_reg) a,
            b = in(ymm_reg) b,
            options(pure, nomem, nostack, preserves_flags)
        );
    }
    sums
}

/// Writes `operation` as the body of a method whose intrinsics the token licenses.
macro_rules! avx2 {
    ($operation:expr) => {{
        // SAFETY: the token `self` proves AVX2, FMA and F16C (and AVX-VNNI where `VNNI` is true); the
        // operation works on registers.
        unsafe { $operation }
    }};
}

impl<const VNNI: bool> Simd for Avx2<VNNI> {
    type Vector = __m256;
    type Int = __m256i;
    const LANES: usize = 8;
    // Six rows of two vectors: 12 sums, 2 weights and 1 broadcast take 15 of 16 registers.
    const TILE_VECTORS: usize = 2;
    const TILE_ROWS: usize = 6;
    // AVX-VNNI adds four products in 32 bits at once; without it pairs are added in 16 bits.
    const INT8_LIMIT: i8 = if VNNI { 127 } else { 64 };
    // Four products of 126 and 64 fit in 16 bits.
    const BYTE_STEPS: u8 = if VNNI { 255 } else { 126 };
    // Six sums, two quads of weights and what is added in 16 bits fit in 16 registers.
    const INT8_VECTORS: usize = if VNNI { 2 } else { 1 };
    // 16 products an instruction where `fmadd` does 8; without VNNI the sum takes another.
    const DOT_PAIRS_PAY: bool = VNNI;

    #[inline(always)]
    fn splat(self, value: f32) -> __m256 {
        avx2!(_mm256_set1_ps(value))
    }

    #[inline(always)]
    fn load(self, from: &[f32]) -> __m256 {
        let from = &from[..8];
        // SAFETY: `from` has 8 elements; the load needs no alignment.
        unsafe { _mm256_loadu_ps(from.as_ptr()) }
    }

    #[inline(always)]
    fn store(self, vector: __m256, to: &mut [f32]) {
        let to = &mut to[..8];
        // SAFETY: `to` has room for 8 elements; the store needs no alignment.
        unsafe { _mm256_storeu_ps(to.as_mut_ptr(), vector) }
    }

    #[inline(always)]
    fn load_f16(self, from: &[f16]) -> __m256 {
        let from = &from[..8];
        // SAFETY: `from` has 8 elements of 2 bytes; the load needs no alignment.
        unsafe { _mm256_cvtph_ps(_mm_loadu_si128(from.as_ptr().cast::<__m128i>())) }
    }

    #[inline(always)]
    fn load_bf16(self, from: &[bf16]) -> __m256 {
        let from = &from[..8];
        // SAFETY: `from` has 8 elements of 2 bytes; the load needs no alignment.
        unsafe {
            let bits = _mm256_cvtepu16_epi32(_mm_loadu_si128(from.as_ptr().cast::<__m128i>()));
            _mm256_castsi256_ps(_mm256_slli_epi32::<16>(bits))
        }
    }

    #[inline(always)]
    fn splat_i32(self, value: i32) -> __m256i {
        avx2!(_mm256_set1_epi32(value))
    }

    #[inline(always)]
    fn load_i32(self, from: &[i32]) -> __m256i {
        let from = &from[..8];
        // SAFETY: `from` has 8 elements of 4 bytes; the load needs no alignment.
        unsafe { _mm256_loadu_si256(from.as_ptr().cast::<__m256i>()) }
    }

    #[inline(always)]
    fn load_quads(self, from: &[i8]) -> __m256i {
        let from = &from[..32];
        // SAFETY: `from` has 32 bytes; the load needs no alignment.
        unsafe { _mm256_loadu_si256(from.as_ptr().cast::<__m256i>()) }
    }

    #[inline(always)]
    fn splat_quad(self, quad: [u8; 4]) -> __m256i {
        avx2!(_mm256_set1_epi32(i32::from_le_bytes(quad)))
    }

    #[inline(always)]
    fn dot_quads(self, bytes: __m256i, signed: __m256i, sums: __m256i) -> __m256i {
        avx2!({
            if VNNI {
                _mm256_dpbusd_avx_epi32(sums, bytes, signed)
            } else {
                let pairs = _mm256_maddubs_epi16(bytes, signed);
                _mm256_add_epi32(sums, _mm256_madd_epi16(pairs, _mm256_set1_epi16(1)))
            }
        })
    }

    #[inline(always)]
    fn dot_quad_pairs(self, bytes: [__m256i; 2], signed: [__m256i; 2], sums: __m256i) -> __m256i {
        if VNNI {
            return self.dot_quads(bytes[1], signed[1], self.dot_quads(bytes[0], signed[0], sums));
        }
        avx2!({
            let first = _mm256_maddubs_epi16(bytes[0], signed[0]);
            let second = _mm256_maddubs_epi16(bytes[1], signed[1]);
            let pairs = _mm256_add_epi16(first, second);
            _mm256_add_epi32(sums, _mm256_madd_epi16(pairs, _mm256_set1_epi16(1)))
        })
    }

    #[inline(always)]
    fn load_pairs(self, from: &[[i16; 2]]) -> __m256i {
        let from = &from[..8];
        // SAFETY: `from` has 8 pairs of 4 bytes; the load needs no alignment.
        unsafe { _mm256_loadu_si256(from.as_ptr().cast::<__m256i>()) }
    }

    #[inline(always)]
    fn splat_pair(self, pair: [i16; 2]) -> __m256i {
        avx2!(_mm256_set1_epi32(bytemuck::cast(pair)))
    }

    #[inline(always)]
    fn dot_pairs(self, a: __m256i, b: __m256i, sums: __m256i) -> __m256i {
        avx2!({
            if VNNI { dpwssd(sums, a, b) } else { _mm256_add_epi32(sums, _mm256_madd_epi16(a, b)) }
        })
    }

    #[inline(always)]
    fn store_words(self, vector: __m256, to: &mut [i16]) {
        let to = &mut to[..8];
        // SAFETY: `to` has room for the 8 elements of 2 bytes that the 128-bit store writes.
        unsafe {
            let whole = _mm256_cvtps_epi32(vector);
            let low = _mm256_castsi256_si128(whole);
            let words = _mm_packs_epi32(low, _mm256_extracti128_si256::<1>(whole));
            _mm_storeu_si128(to.as_mut_ptr().cast::<__m128i>(), words);
        }
    }

    #[inline(always)]
    fn round_to_i32(self, a: __m256) -> __m256i {
        avx2!(_mm256_cvtps_epi32(a))
    }

    #[inline(always)]
    fn add_i32(self, a: __m256i, b: __m256i) -> __m256i {
        avx2!(_mm256_add_epi32(a, b))
    }

    #[inline(always)]
    fn store_words_by_eights(self, halves: [__m256i; 2], to: &mut [[i16; 2]], stride: usize) {
        // So that the end below cannot wrap around.
        assert!(stride <= to.len(), "room for every four pairs");
        let to = &mut to[..stride + 4];
        // SAFETY: `to` has room for four pairs of 4 bytes from each of the two starts; the stores
        // need no alignment.
        unsafe {
            let to = to.as_mut_ptr();
            // The middle quarters change places: each half of a vector was packed by itself.
            let packed = _mm256_packs_epi32(halves[0], halves[1]);
            let words = _mm256_permute4x64_epi64::<0b11_01_10_00>(packed);
            _mm_storeu_si128(to.cast(), _mm256_castsi256_si128(words));
            _mm_storeu_si128(to.add(stride).cast(), _mm256_extracti128_si256::<1>(words));
        }
    }

    #[inline(always)]
    fn store_pairs(self, low: __m256i, high: __m256i, to: &mut [[i16; 2]]) {
        let to = &mut to[..8];
        // SAFETY: `to` has room for 8 pairs of 4 bytes; the store needs no alignment.
        unsafe {
            let pairs = _mm256_blend_epi16::<0b1010_1010>(low, _mm256_slli_epi32::<16>(high));
            _mm256_storeu_si256(to.as_mut_ptr().cast::<__m256i>(), pairs);
        }
    }

    #[inline(always)]
    fn sub_product_i32(self, a: __m256i, b: __m256i, c: __m256i) -> __m256i {
        avx2!(_mm256_sub_epi32(a, _mm256_mullo_epi32(b, c)))
    }

    #[inline(always)]
    fn int_to_f32(self, a: __m256i) -> __m256 {
        avx2!(_mm256_cvtepi32_ps(a))
    }

    #[inline(always)]
    fn store_bytes(self, vector: __m256, to: &mut [u8]) {
        let to = &mut to[..8];
        // SAFETY: `to` has room for the 8 bytes that the 64-bit store writes.
        unsafe {
            let whole = _mm256_cvtps_epi32(vector);
            let low = _mm256_castsi256_si128(whole);
            let words = _mm_packs_epi32(low, _mm256_extracti128_si256::<1>(whole));
            _mm_storel_epi64(to.as_mut_ptr().cast::<__m128i>(), _mm_packus_epi16(words, words));
        }
    }

    #[inline(always)]
    fn prefetch<T>(self, first: &T) {
        // SAFETY: the address is that of a reference; a prefetch reads nothing and never faults.
        unsafe { _mm_prefetch::<_MM_HINT_T0>(std::ptr::from_ref(first).cast()) }
    }

    #[inline(always)]
    fn prefetch_later(self, at: *const u8) {
        // SAFETY: a prefetch reads nothing and never faults, whatever the address.
        unsafe { _mm_prefetch::<_MM_HINT_T1>(at.cast()) }
    }

    #[inline(always)]
    fn add(self, a: __m256, b: __m256) -> __m256 {
        avx2!(_mm256_add_ps(a, b))
    }

    #[inline(always)]
    fn sub(self, a: __m256, b: __m256) -> __m256 {
        avx2!(_mm256_sub_ps(a, b))
    }

    #[inline(always)]
    fn mul(self, a: __m256, b: __m256) -> __m256 {
        avx2!(_mm256_mul_ps(a, b))
    }

    #[inline(always)]
    fn div(self, a: __m256, b: __m256) -> __m256 {
        avx2!(_mm256_div_ps(a, b))
    }

    #[inline(always)]
    fn mul_add(self, a: __m256, b: __m256, c: __m256) -> __m256 {
        avx2!(_mm256_fmadd_ps(a, b, c))
    }

    #[inline(always)]
    fn min(self, a: __m256, b: __m256) -> __m256 {
        avx2!(_mm256_min_ps(a, b))
    }

    #[inline(always)]
    fn max(self, a: __m256, b: __m256) -> __m256 {
        avx2!(_mm256_max_ps(a, b))
    }

    #[inline(always)]
    fn round(self, a: __m256) -> __m256 {
        avx2!(_mm256_round_ps::<{ _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC }>(a))
    }

    #[inline(always)]
    fn pow2(self, n: __m256) -> __m256 {
        avx2!({
            let exponent = _mm256_add_epi32(_mm256_cvtps_epi32(n), _mm256_set1_epi32(127));
            _mm256_castsi256_ps(_mm256_slli_epi32::<23>(exponent))
        })
    }

    #[inline(always)]
    fn abs(self, a: __m256) -> __m256 {
        avx2!(_mm256_andnot_ps(_mm256_set1_ps(-0.0), a))
    }

    #[inline(always)]
    fn copysign(self, magnitude: __m256, sign: __m256) -> __m256 {
        avx2!({
            let sign_bit = _mm256_set1_ps(-0.0);
            _mm256_or_ps(_mm256_andnot_ps(sign_bit, magnitude), _mm256_and_ps(sign_bit, sign))
        })
    }

    #[inline(always)]
    fn select_lt(self, a: __m256, b: __m256, then: __m256, otherwise: __m256) -> __m256 {
        avx2!(_mm256_blendv_ps(otherwise, then, _mm256_cmp_ps::<_CMP_LT_OQ>(a, b)))
    }

    #[inline(always)]
    fn reduce_min(self, a: __m256) -> f32 {
        avx2!(reduce_min(a))
    }

    #[inline(always)]
    fn reduce_add(self, a: __m256) -> f32 {
        avx2!(reduce_add(a))
    }

    #[inline(always)]
    fn reduce_max(self, a: __m256) -> f32 {
        avx2!(reduce_max(a))
    }
}

/// The smallest of eight lanes.
#[inline]
#[target_feature(enable = "avx2")]
pub(crate) fn reduce_min(a: __m256) -> f32 {
    let four = _mm_min_ps(_mm256_castps256_ps128(a), _mm256_extractf128_ps::<1>(a));
    let two = _mm_min_ps(four, _mm_movehl_ps(four, four));
    _mm_cvtss_f32(_mm_min_ss(two, _mm_movehdup_ps(two)))
}

/// The sum of eight lanes: halves, then quarters, then the last two.
#[inline]
#[target_feature(enable = "avx2")]
pub(crate) fn reduce_add(a: __m256) -> f32 {
    let four = _mm_add_ps(_mm256_castps256_ps128(a), _mm256_extractf128_ps::<1>(a));
    let two = _mm_add_ps(four, _mm_movehl_ps(four, four));
    _mm_cvtss_f32(_mm_add_ss(two, _mm_movehdup_ps(two)))
}

/// The largest of eight lanes.
#[inline]
#[target_feature(enable = "avx2")]
pub(crate) fn reduce_max(a: __m256) -> f32 {
    let four = _mm_max_ps(_mm256_castps256_ps128(a), _mm256_extractf128_ps::<1>(a));
    let two = _mm_max_ps(four, _mm_movehl_ps(four, four));
    _mm_cvtss_f32(_mm_max_ss(two, _mm_movehdup_ps(two)))
}
