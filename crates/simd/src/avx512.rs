//! The AVX-512 leg: 16 lanes, 32 registers; 8-bit products by VNNI where the processor has it.
#![allow(unsafe_code, reason = "intrinsics are unsafe to call; the token proves their support")]

use core::arch::asm;
use core::arch::x86_64::{
    __m128i, __m256i, __m512, __m512i, _CMP_LT_OQ, _MM_FROUND_NO_EXC, _MM_FROUND_TO_NEAREST_INT,
    _MM_HINT_T0, _MM_HINT_T1, _mm_prefetch, _mm_storeu_si128, _mm256_add_ps,
    _mm256_castsi256_si128, _mm256_extracti128_si256, _mm256_loadu_si256, _mm256_max_ps,
    _mm256_min_ps, _mm256_storeu_si256, _mm512_abs_ps, _mm512_add_epi16, _mm512_add_epi32,
    _mm512_add_ps, _mm512_and_si512, _mm512_andnot_si512, _mm512_castpd_ps, _mm512_castps_pd,
    _mm512_castps_si512, _mm512_castps512_ps256, _mm512_castsi512_ps, _mm512_cmp_ps_mask,
    _mm512_cvtepi32_ps, _mm512_cvtepu16_epi32, _mm512_cvtph_ps, _mm512_cvtps_epi32,
    _mm512_cvtsepi32_epi16, _mm512_cvtusepi32_epi8, _mm512_div_ps, _mm512_dpbusd_epi32,
    _mm512_extractf32x8_ps, _mm512_fmadd_ps, _mm512_loadu_ps, _mm512_loadu_si512,
    _mm512_madd_epi16, _mm512_maddubs_epi16, _mm512_mask_blend_epi16, _mm512_mask_blend_ps,
    _mm512_max_epi32, _mm512_max_ps, _mm512_min_ps, _mm512_mul_ps, _mm512_mullo_epi32,
    _mm512_or_si512, _mm512_permutexvar_ps, _mm512_roundscale_ps, _mm512_scalef_ps,
    _mm512_set1_epi16, _mm512_set1_epi32, _mm512_set1_ps, _mm512_setzero_si512,
    _mm512_shuffle_f32x4, _mm512_slli_epi32, _mm512_storeu_ps, _mm512_storeu_si512,
    _mm512_sub_epi32, _mm512_sub_ps, _mm512_unpackhi_pd, _mm512_unpackhi_ps, _mm512_unpacklo_pd,
    _mm512_unpacklo_ps,
};

use half::{bf16, f16};

use crate::avx2::{reduce_add, reduce_max, reduce_min};
use crate::{Kernel, MAX_LANES, Simd};

/// Proof that the processor has AVX-512 F, BW, DQ and VL, FMA and F16C; and VNNI if `VNNI`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Avx512<const VNNI: bool>(());

impl<const VNNI: bool> Avx512<VNNI> {
    /// The token, where the processor has what `run` enables.
    pub(crate) fn new() -> Option<Self> {
        // The lists must match the `target_feature` of `enter` and `enter_vnni`.
        let supported = is_x86_feature_detected!("avx512f")
            && is_x86_feature_detected!("avx512bw")
            && is_x86_feature_detected!("avx512dq")
            && is_x86_feature_detected!("avx512vl")
            && is_x86_feature_detected!("avx2")
            && is_x86_feature_detected!("fma")
            && is_x86_feature_detected!("f16c")
            && (!VNNI || is_x86_feature_detected!("avx512vnni"));
        supported.then_some(Self(()))
    }

    /// The leg without VNNI: its proof is a part of this one.
    pub(crate) fn floats(self) -> Avx512<false> {
        Avx512(())
    }

    /// Runs a kernel with the instruction set enabled.
    #[inline]
    pub(crate) fn run<K: Kernel>(self, kernel: K) -> K::Output {
        // SAFETY: `self` proves every feature that the function enables.
        unsafe { if VNNI { enter_vnni(self, kernel) } else { enter(self, kernel) } }
    }
}

/// The function into which a kernel and all its operations are inlined.
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx2,fma,f16c")]
fn enter<K: Kernel, S: Simd>(token: S, kernel: K) -> K::Output {
    kernel.run(token)
}

/// The same with VNNI.
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni,avx2,fma,f16c")]
fn enter_vnni<K: Kernel, S: Simd>(token: S, kernel: K) -> K::Output {
    kernel.run(token)
}

/// `vpdpwssd`, one instruction: LLVM makes two of the intrinsic (`vpmaddwd` and `vpaddd`), which shorten the
/// chain of one sum, of which there are many, and take twice the time.
#[inline]
#[target_feature(enable = "avx512f,avx512vnni")]
fn dpwssd(mut sums: __m512i, a: __m512i, b: __m512i) -> __m512i {
    // SAFETY: the instruction is in the enabled features, and works on registers.
    unsafe {
        asm!(
            "vpdpwssd {sums}, {a}, {b}",
            sums = inout(zmm_reg) sums,
            a = in(zmm_reg) a,
            b = in(zmm_reg) b,
            options(pure, nomem, nostack, preserves_flags)
        );
    }
    sums
}

/// Writes `operation` as the body of a method whose intrinsics the token licenses.
macro_rules! avx512 {
    ($operation:expr) => {{
        // SAFETY: the token `self` proves AVX-512 F, BW, DQ and VL (and VNNI where `VNNI` is true);
        // the operation works on registers.
        unsafe { $operation }
    }};
}

impl<const VNNI: bool> Simd for Avx512<VNNI> {
    type Vector = __m512;
    type Int = __m512i;
    const LANES: usize = 16;
    const EMBEDDED_BROADCAST: bool = true;
    // Twelve rows of two vectors: 24 sums, 2 weights and 1 broadcast take 27 of 32 registers.
    const TILE_VECTORS: usize = 2;
    const TILE_ROWS: usize = 12;
    const LOOKS_UP: bool = true;
    const TURNS: bool = true;
    // A broadcast from memory is part of `fmadd`, so that 16 sums and 1 vector of weights suffice.
    const TALL_ROWS: usize = 16;
    // VNNI adds four products in 32 bits at once; without it pairs are added in 16 bits.
    const INT8_LIMIT: i8 = if VNNI { 127 } else { 64 };
    // Four products of 126 and 64 fit in 16 bits.
    const BYTE_STEPS: u8 = if VNNI { 255 } else { 126 };
    // 32 products an instruction where `fmadd` does 16; without VNNI the sum takes another.
    const DOT_PAIRS_PAY: bool = VNNI;

    #[inline(always)]
    fn splat(self, value: f32) -> __m512 {
        avx512!(_mm512_set1_ps(value))
    }

    #[inline(always)]
    fn load(self, from: &[f32]) -> __m512 {
        let from = &from[..16];
        // SAFETY: `from` has 16 elements; the load needs no alignment.
        unsafe { _mm512_loadu_ps(from.as_ptr()) }
    }

    #[inline(always)]
    fn store(self, vector: __m512, to: &mut [f32]) {
        let to = &mut to[..16];
        // SAFETY: `to` has room for 16 elements; the store needs no alignment.
        unsafe { _mm512_storeu_ps(to.as_mut_ptr(), vector) }
    }

    #[inline(always)]
    fn load_f16(self, from: &[f16]) -> __m512 {
        let from = &from[..16];
        // SAFETY: `from` has 16 elements of 2 bytes; the load needs no alignment.
        unsafe { _mm512_cvtph_ps(_mm256_loadu_si256(from.as_ptr().cast::<__m256i>())) }
    }

    #[inline(always)]
    fn load_bf16(self, from: &[bf16]) -> __m512 {
        let from = &from[..16];
        // SAFETY: `from` has 16 elements of 2 bytes; the load needs no alignment.
        unsafe {
            let bits = _mm512_cvtepu16_epi32(_mm256_loadu_si256(from.as_ptr().cast::<__m256i>()));
            _mm512_castsi512_ps(_mm512_slli_epi32::<16>(bits))
        }
    }

    #[inline(always)]
    fn splat_i32(self, value: i32) -> __m512i {
        avx512!(_mm512_set1_epi32(value))
    }

    #[inline(always)]
    fn load_i32(self, from: &[i32]) -> __m512i {
        let from = &from[..16];
        // SAFETY: `from` has 16 elements of 4 bytes; the load needs no alignment.
        unsafe { _mm512_loadu_si512(from.as_ptr().cast::<__m512i>()) }
    }

    #[inline(always)]
    fn load_quads(self, from: &[i8]) -> __m512i {
        let from = &from[..64];
        // SAFETY: `from` has 64 bytes; the load needs no alignment.
        unsafe { _mm512_loadu_si512(from.as_ptr().cast::<__m512i>()) }
    }

    #[inline(always)]
    fn splat_quad(self, quad: [u8; 4]) -> __m512i {
        avx512!(_mm512_set1_epi32(i32::from_le_bytes(quad)))
    }

    #[inline(always)]
    fn dot_quads(self, bytes: __m512i, signed: __m512i, sums: __m512i) -> __m512i {
        avx512!({
            if VNNI {
                _mm512_dpbusd_epi32(sums, bytes, signed)
            } else {
                let pairs = _mm512_maddubs_epi16(bytes, signed);
                _mm512_add_epi32(sums, _mm512_madd_epi16(pairs, _mm512_set1_epi16(1)))
            }
        })
    }

    #[inline(always)]
    fn dot_quad_pairs(self, bytes: [__m512i; 2], signed: [__m512i; 2], sums: __m512i) -> __m512i {
        if VNNI {
            return self.dot_quads(bytes[1], signed[1], self.dot_quads(bytes[0], signed[0], sums));
        }
        avx512!({
            let first = _mm512_maddubs_epi16(bytes[0], signed[0]);
            let second = _mm512_maddubs_epi16(bytes[1], signed[1]);
            let pairs = _mm512_add_epi16(first, second);
            _mm512_add_epi32(sums, _mm512_madd_epi16(pairs, _mm512_set1_epi16(1)))
        })
    }

    #[inline(always)]
    fn load_pairs(self, from: &[[i16; 2]]) -> __m512i {
        let from = &from[..16];
        // SAFETY: `from` has 16 pairs of 4 bytes; the load needs no alignment.
        unsafe { _mm512_loadu_si512(from.as_ptr().cast::<__m512i>()) }
    }

    #[inline(always)]
    fn splat_pair(self, pair: [i16; 2]) -> __m512i {
        avx512!(_mm512_set1_epi32(bytemuck::cast(pair)))
    }

    #[inline(always)]
    fn dot_pairs(self, a: __m512i, b: __m512i, sums: __m512i) -> __m512i {
        avx512!({
            if VNNI { dpwssd(sums, a, b) } else { _mm512_add_epi32(sums, _mm512_madd_epi16(a, b)) }
        })
    }

    #[inline(always)]
    fn store_words(self, vector: __m512, to: &mut [i16]) {
        let to = &mut to[..16];
        // SAFETY: `to` has room for the 16 elements of 2 bytes that the 256-bit store writes.
        unsafe {
            let words = _mm512_cvtsepi32_epi16(_mm512_cvtps_epi32(vector));
            _mm256_storeu_si256(to.as_mut_ptr().cast::<__m256i>(), words);
        }
    }

    #[inline(always)]
    fn round_to_i32(self, a: __m512) -> __m512i {
        avx512!(_mm512_cvtps_epi32(a))
    }

    #[inline(always)]
    fn add_i32(self, a: __m512i, b: __m512i) -> __m512i {
        avx512!(_mm512_add_epi32(a, b))
    }

    #[inline(always)]
    fn store_words_by_eights(self, halves: [__m512i; 2], to: &mut [[i16; 2]], stride: usize) {
        // So that the end below cannot wrap around.
        assert!(stride <= to.len(), "room for every four pairs");
        let to = &mut to[..3 * stride + 4];
        // SAFETY: `to` has room for four pairs of 4 bytes from each of the four starts; the stores
        // need no alignment.
        unsafe {
            let to = to.as_mut_ptr();
            let words = [_mm512_cvtsepi32_epi16(halves[0]), _mm512_cvtsepi32_epi16(halves[1])];
            _mm_storeu_si128(to.cast(), _mm256_castsi256_si128(words[0]));
            _mm_storeu_si128(to.add(stride).cast(), _mm256_extracti128_si256::<1>(words[0]));
            _mm_storeu_si128(to.add(2 * stride).cast(), _mm256_castsi256_si128(words[1]));
            _mm_storeu_si128(to.add(3 * stride).cast(), _mm256_extracti128_si256::<1>(words[1]));
        }
    }

    #[inline(always)]
    fn store_pairs(self, low: __m512i, high: __m512i, to: &mut [[i16; 2]]) {
        let to = &mut to[..16];
        // SAFETY: `to` has room for 16 pairs of 4 bytes; the store needs no alignment.
        unsafe {
            let pairs = _mm512_mask_blend_epi16(0xAAAA_AAAA, low, _mm512_slli_epi32::<16>(high));
            _mm512_storeu_si512(to.as_mut_ptr().cast::<__m512i>(), pairs);
        }
    }

    #[inline(always)]
    fn sub_product_i32(self, a: __m512i, b: __m512i, c: __m512i) -> __m512i {
        avx512!(_mm512_sub_epi32(a, _mm512_mullo_epi32(b, c)))
    }

    #[inline(always)]
    fn int_to_f32(self, a: __m512i) -> __m512 {
        avx512!(_mm512_cvtepi32_ps(a))
    }

    #[inline(always)]
    fn store_bytes(self, vector: __m512, to: &mut [u8]) {
        let to = &mut to[..16];
        // SAFETY: `to` has room for the 16 bytes that the 128-bit store writes.
        unsafe {
            let whole = _mm512_max_epi32(_mm512_cvtps_epi32(vector), _mm512_setzero_si512());
            _mm_storeu_si128(to.as_mut_ptr().cast::<__m128i>(), _mm512_cvtusepi32_epi8(whole));
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
    fn add(self, a: __m512, b: __m512) -> __m512 {
        avx512!(_mm512_add_ps(a, b))
    }

    #[inline(always)]
    fn sub(self, a: __m512, b: __m512) -> __m512 {
        avx512!(_mm512_sub_ps(a, b))
    }

    #[inline(always)]
    fn mul(self, a: __m512, b: __m512) -> __m512 {
        avx512!(_mm512_mul_ps(a, b))
    }

    #[inline(always)]
    fn div(self, a: __m512, b: __m512) -> __m512 {
        avx512!(_mm512_div_ps(a, b))
    }

    #[inline(always)]
    fn mul_add(self, a: __m512, b: __m512, c: __m512) -> __m512 {
        avx512!(_mm512_fmadd_ps(a, b, c))
    }

    #[inline(always)]
    fn min(self, a: __m512, b: __m512) -> __m512 {
        avx512!(_mm512_min_ps(a, b))
    }

    #[inline(always)]
    fn max(self, a: __m512, b: __m512) -> __m512 {
        avx512!(_mm512_max_ps(a, b))
    }

    #[inline(always)]
    fn round(self, a: __m512) -> __m512 {
        avx512!(_mm512_roundscale_ps::<{ _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC }>(a))
    }

    #[inline(always)]
    fn pow2(self, n: __m512) -> __m512 {
        avx512!({
            let exponent = _mm512_add_epi32(_mm512_cvtps_epi32(n), _mm512_set1_epi32(127));
            _mm512_castsi512_ps(_mm512_slli_epi32::<23>(exponent))
        })
    }

    #[inline(always)]
    fn mul_pow2(self, a: __m512, n: __m512) -> __m512 {
        avx512!(_mm512_scalef_ps(a, n))
    }

    #[inline(always)]
    fn abs(self, a: __m512) -> __m512 {
        avx512!(_mm512_abs_ps(a))
    }

    #[inline(always)]
    fn copysign(self, magnitude: __m512, sign: __m512) -> __m512 {
        avx512!({
            let sign_bit = _mm512_castps_si512(_mm512_set1_ps(-0.0));
            let magnitude = _mm512_andnot_si512(sign_bit, _mm512_castps_si512(magnitude));
            let sign = _mm512_and_si512(sign_bit, _mm512_castps_si512(sign));
            _mm512_castsi512_ps(_mm512_or_si512(magnitude, sign))
        })
    }

    #[inline(always)]
    fn select_lt(self, a: __m512, b: __m512, then: __m512, otherwise: __m512) -> __m512 {
        avx512!(_mm512_mask_blend_ps(_mm512_cmp_ps_mask::<_CMP_LT_OQ>(a, b), otherwise, then))
    }

    #[inline(always)]
    fn look_up(self, table: &[f32; 16], index: __m512) -> __m512 {
        let table = self.load(table);
        avx512!(_mm512_permutexvar_ps(_mm512_castps_si512(index), table))
    }

    #[inline(always)]
    fn turn(self, rows: &mut [__m512; MAX_LANES]) {
        // Pairs of rows, then fours: in each quarter of a vector a column of four rows.
        let mut fours = [self.splat(0.0); MAX_LANES];
        for (rows, fours) in rows.chunks_exact(4).zip(fours.chunks_exact_mut(4)) {
            // No closure: it would become a call.
            avx512!({
                let a = _mm512_castps_pd(_mm512_unpacklo_ps(rows[0], rows[1]));
                let b = _mm512_castps_pd(_mm512_unpackhi_ps(rows[0], rows[1]));
                let c = _mm512_castps_pd(_mm512_unpacklo_ps(rows[2], rows[3]));
                let d = _mm512_castps_pd(_mm512_unpackhi_ps(rows[2], rows[3]));
                fours[0] = _mm512_castpd_ps(_mm512_unpacklo_pd(a, c));
                fours[1] = _mm512_castpd_ps(_mm512_unpackhi_pd(a, c));
                fours[2] = _mm512_castpd_ps(_mm512_unpacklo_pd(b, d));
                fours[3] = _mm512_castpd_ps(_mm512_unpackhi_pd(b, d));
            });
        }
        // Then quarters of the same number side by side.
        for column in 0..4 {
            let [a, b, c, d] =
                [fours[column], fours[4 + column], fours[8 + column], fours[12 + column]];
            avx512!({
                let even = [_mm512_shuffle_f32x4::<0x88>(a, b), _mm512_shuffle_f32x4::<0x88>(c, d)];
                let odd = [_mm512_shuffle_f32x4::<0xdd>(a, b), _mm512_shuffle_f32x4::<0xdd>(c, d)];
                rows[column] = _mm512_shuffle_f32x4::<0x88>(even[0], even[1]);
                rows[4 + column] = _mm512_shuffle_f32x4::<0x88>(odd[0], odd[1]);
                rows[8 + column] = _mm512_shuffle_f32x4::<0xdd>(even[0], even[1]);
                rows[12 + column] = _mm512_shuffle_f32x4::<0xdd>(odd[0], odd[1]);
            });
        }
    }

    #[inline(always)]
    fn reduce_min(self, a: __m512) -> f32 {
        avx512!({
            let (low, high) = (_mm512_castps512_ps256(a), _mm512_extractf32x8_ps::<1>(a));
            reduce_min(_mm256_min_ps(low, high))
        })
    }

    #[inline(always)]
    fn reduce_add(self, a: __m512) -> f32 {
        avx512!({
            let (low, high) = (_mm512_castps512_ps256(a), _mm512_extractf32x8_ps::<1>(a));
            reduce_add(_mm256_add_ps(low, high))
        })
    }

    #[inline(always)]
    fn reduce_max(self, a: __m512) -> f32 {
        avx512!({
            let (low, high) = (_mm512_castps512_ps256(a), _mm512_extractf32x8_ps::<1>(a));
            reduce_max(_mm256_max_ps(low, high))
        })
    }
}
