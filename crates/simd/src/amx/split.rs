//! Floats as sums of bfloat16, which tile registers multiply.
//!
//! The significand of an f32 has 24 bits, that of a bfloat16 8: every finite f32 is the sum of three
//! pieces, cut off one after the other, without any error (but for pieces below 2⁻¹²⁶, which tile
//! registers take for zero). An f16 is the sum of two pieces, a bfloat16 one. A number that is not
//! finite has a piece that is none.

use core::arch::asm;
use core::arch::x86_64::{
    __m512, __m512i, _MM_HINT_T0, _mm_prefetch, _mm256_loadu_si256, _mm512_and_si512,
    _mm512_castps_si512, _mm512_castsi512_ps, _mm512_cvtepu16_epi32, _mm512_cvtph_ps,
    _mm512_loadu_ps, _mm512_loadu_si512, _mm512_permutex2var_epi16, _mm512_set1_epi32,
    _mm512_slli_epi32, _mm512_storeu_si512, _mm512_sub_ps,
};

use std::ops::Range;

use half::{bf16, f16};

use super::{COLUMNS, ROW, TILE, Tiles};
use crate::Floats;

/// Steps of k that one multiplication of tiles takes.
pub(super) const STEPS: usize = ROW / size_of::<bf16>();

/// Elements of a tile register: 16 rows of 32.
const TILE_LEN: usize = TILE * STEPS;

/// Elements of a row that are split before those of the next row: what is written meanwhile lies
/// close together.
const SPAN: usize = 2 * STEPS;

/// Pieces of an f32.
pub(super) const PIECES: usize = 3;

impl Floats<'_> {
    /// Where they begin.
    pub(super) fn as_ptr(self) -> *const u8 {
        match self {
            Self::F32(x) => x.as_ptr().cast(),
            Self::F16(x) => x.as_ptr().cast(),
            Self::BF16(x) => x.as_ptr().cast(),
        }
    }

    /// Bytes of all together.
    pub(super) fn bytes(self) -> usize {
        match self {
            Self::F32(x) => size_of_val(x),
            Self::F16(x) => size_of_val(x),
            Self::BF16(x) => size_of_val(x),
        }
    }
}

/// Floats that can be split.
trait Widen: Copy {
    /// How many pieces make up such a number.
    const PIECES: usize;

    /// 16 elements as f32.
    ///
    /// # Safety
    ///
    /// The processor has AVX-512 F; `from` has 16 elements.
    unsafe fn widen(from: *const Self) -> __m512;
}

impl Widen for f32 {
    const PIECES: usize = PIECES;
    #[inline]
    #[target_feature(enable = "avx512f")]
    unsafe fn widen(from: *const Self) -> __m512 {
        // SAFETY: the caller's promise.
        unsafe { _mm512_loadu_ps(from) }
    }
}

impl Widen for f16 {
    const PIECES: usize = 2;
    #[inline]
    #[target_feature(enable = "avx512f")]
    unsafe fn widen(from: *const Self) -> __m512 {
        // SAFETY: the caller's promise.
        unsafe { _mm512_cvtph_ps(_mm256_loadu_si256(from.cast())) }
    }
}

impl Widen for bf16 {
    const PIECES: usize = 1;
    #[inline]
    #[target_feature(enable = "avx512f")]
    unsafe fn widen(from: *const Self) -> __m512 {
        // SAFETY: the caller's promise.
        let words = unsafe { _mm512_cvtepu16_epi32(_mm256_loadu_si256(from.cast())) };
        _mm512_castsi512_ps(_mm512_slli_epi32::<16>(words))
    }
}

impl Tiles {
    /// Depths of products of floats are multiples of this.
    pub const FLOAT_STEPS: usize = STEPS;

    /// Elements of `rows` rows (a multiple of [`ROWS`](Self::ROWS)) of `depth` floats in pieces.
    #[must_use]
    pub fn left_len(rows: usize, depth: usize) -> usize {
        rows * depth * PIECES
    }

    /// Splits the elements `columns` of up to 16 rows, `stride` elements apart, into `out`,
    /// `[columns / 32][3][16][32]`; rows that are not there are left as they were.
    ///
    /// # Panics
    ///
    /// When a length disagrees, or the columns are no multiple of [`FLOAT_STEPS`](Self::FLOAT_STEPS).
    pub fn split_rows(
        self,
        (rows, stride): (&[f32], usize),
        columns: Range<usize>,
        out: &mut [bf16],
    ) {
        let depth = columns.len();
        assert!(depth > 0 && depth.is_multiple_of(STEPS), "whole steps");
        assert!(rows.len().is_multiple_of(stride) && rows.len() <= TILE * stride, "up to 16 rows");
        assert_eq!(out.len(), Self::left_len(TILE, depth), "room for 16 rows");
        for start in (0..depth).step_by(SPAN) {
            let span = columns.start + start..(columns.start + start + SPAN).min(columns.end);
            let out = &mut out[Self::left_len(TILE, start)..];
            for (r, row) in rows.chunks_exact(stride).enumerate() {
                let row = &row[span.clone()];
                // SAFETY: `self` proves the features; `row` is whole steps, and `out` has as many of
                // three tiles each, of which row `r` is written.
                unsafe { split_row(row.as_ptr(), row.len(), out.as_mut_ptr().add(r * STEPS)) };
            }
        }
    }

    /// Splits the first step of a column panel, `[32][32]`, into `out`, of which
    /// `[pieces][2][16][16][2]` is written: tiles of 16 pairs of steps by 16 columns.
    pub(super) fn split_step(self, panel: Floats<'_>, out: &mut [bf16]) {
        let len = STEPS * COLUMNS;
        assert!(panel.len() >= len && out.len() >= len * panel.pieces(), "a whole step");
        // SAFETY: `self` proves the features; the lengths were checked.
        unsafe {
            match panel {
                Floats::F32(panel) => split_step(panel.as_ptr(), out.as_mut_ptr()),
                Floats::F16(panel) => split_step(panel.as_ptr(), out.as_mut_ptr()),
                Floats::BF16(panel) => split_step(panel.as_ptr(), out.as_mut_ptr()),
            }
        }
    }
}

/// The upper halves of the 32-bit elements of two vectors: all of the first, then all of the second.
static SIDE_BY_SIDE: [i16; 32] = {
    let mut order = [0; 32];
    let mut i = 0;
    while i < 32 {
        order[i] = 2 * i as i16 + 1;
        i += 1;
    }
    order
};

/// The same, in turns.
static IN_TURNS: [i16; 32] = {
    let mut order = [0; 32];
    let mut i = 0;
    while i < 16 {
        order[2 * i] = 2 * i as i16 + 1;
        order[2 * i + 1] = 32 + 2 * i as i16 + 1;
        i += 1;
    }
    order
};

/// What is left of each element without its first bfloat16.
#[inline]
#[target_feature(enable = "avx512f,avx512bw")]
fn cut(x: __m512) -> __m512 {
    let first = _mm512_and_si512(_mm512_castps_si512(x), _mm512_set1_epi32(0xffff_0000_u32 as i32));
    _mm512_sub_ps(x, _mm512_castsi512_ps(first))
}

/// The upper halves of both, in `order`.
#[inline]
#[target_feature(enable = "avx512f,avx512bw")]
fn upper(a: __m512, b: __m512, order: __m512i) -> __m512i {
    _mm512_permutex2var_epi16(_mm512_castps_si512(a), order, _mm512_castps_si512(b))
}

/// Writes as many pieces of two vectors, `stride` elements apart.
///
/// # Safety
///
/// The processor has AVX-512 F and BW; `out` has room for 32 elements at each place.
#[inline]
#[target_feature(enable = "avx512f,avx512bw")]
unsafe fn store_pieces(
    [mut a, mut b]: [__m512; 2],
    pieces: usize,
    order: __m512i,
    out: *mut bf16,
    stride: usize,
) {
    for piece in 0..pieces {
        // SAFETY: the caller's promise.
        unsafe { _mm512_storeu_si512(out.add(piece * stride).cast(), upper(a, b, order)) };
        if piece + 1 < pieces {
            (a, b) = (cut(a), cut(b));
        }
    }
}

/// Asks for what the same step of the same row of the next span is read from and written to: rows
/// often come from the caches of another core, and the room for their pieces from the L3.
#[inline]
#[target_feature(enable = "avx512f,avx512bw")]
fn ask_for_next(from: *const f32, out: *mut bf16) {
    let from = from.wrapping_add(SPAN);
    let out = out.wrapping_add(SPAN * PIECES * TILE);
    for line in 0..STEPS / TILE {
        _mm_prefetch::<_MM_HINT_T0>(from.wrapping_add(line * TILE).cast());
    }
    for piece in 0..PIECES {
        let line = out.wrapping_add(piece * TILE_LEN);
        // SAFETY: a prefetch reads nothing and never faults; processors with tile registers have this one.
        unsafe {
            asm!("prefetchw [{line}]", line = in(reg) line, options(nostack, preserves_flags))
        };
    }
}

/// One row of the left operand.
///
/// # Safety
///
/// The processor has AVX-512 F and BW; `row` is of `depth` elements; `out` is row `r` of the first of
/// `depth / 32` times three tiles.
#[target_feature(enable = "avx512f,avx512bw")]
unsafe fn split_row(row: *const f32, depth: usize, out: *mut bf16) {
    // SAFETY: reads `depth` elements, 32 at a time, and writes a row of three tiles for each.
    unsafe {
        let order = _mm512_loadu_si512(SIDE_BY_SIDE.as_ptr().cast());
        for step in 0..depth / STEPS {
            let at = row.add(step * STEPS);
            let pair = [_mm512_loadu_ps(at), _mm512_loadu_ps(at.add(TILE))];
            let out = out.add(step * PIECES * TILE_LEN);
            ask_for_next(at, out);
            store_pieces(pair, PIECES, order, out, TILE_LEN);
        }
    }
}

/// One step of tiles of the right operand.
///
/// # Safety
///
/// The processor has AVX-512 F and BW; `panel` is `[32][32]`, steps by columns, and `out`
/// `[pieces][2][16][16][2]`.
#[target_feature(enable = "avx512f,avx512bw")]
unsafe fn split_step<T: Widen>(panel: *const T, out: *mut bf16) {
    // SAFETY: reads 32 steps of 32 columns and writes two tiles for each piece.
    unsafe {
        let order = _mm512_loadu_si512(IN_TURNS.as_ptr().cast());
        for pair in 0..TILE {
            for half in 0..2 {
                let from = panel.add(2 * pair * COLUMNS + half * TILE);
                let both = [T::widen(from), T::widen(from.add(COLUMNS))];
                let out = out.add(half * TILE_LEN + pair * STEPS);
                store_pieces(both, T::PIECES, order, out, 2 * TILE_LEN);
            }
        }
    }
}
