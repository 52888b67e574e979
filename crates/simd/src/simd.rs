//! The vector trait that kernels are written over.

use half::{bf16, f16};

/// A piece of work that runs on whichever instruction set it is given.
///
/// Implementations put `#[inline(always)]` on [`run`](Kernel::run): see the crate documentation.
pub trait Kernel {
    /// What the work returns.
    type Output;

    /// Does the work with the operations of `simd`.
    fn run<S: Simd>(self, simd: S) -> Self::Output;
}

/// The operations of one instruction set on vectors of [`LANES`](Simd::LANES) `f32`.
///
/// A value of this type is a proof that the processor supports the instruction set.
/// Loads and stores take slices and panic when the slice is shorter than they need.
pub trait Simd: Copy + Send + Sync + 'static {
    /// A vector of [`LANES`](Simd::LANES) `f32`.
    type Vector: Copy + Send + Sync;

    /// A vector of [`LANES`](Simd::LANES) `i32`, or of as many groups of four bytes.
    type Int: Copy + Send + Sync;

    /// Number of `f32` in a vector.
    const LANES: usize;

    /// Vectors in one row of the matmul's register tile: a packed panel has
    /// `TILE_VECTORS * LANES` columns.
    const TILE_VECTORS: usize;

    /// Most rows in the matmul's register tile, and rows of a packed panel of the left operand: as
    /// many as leave registers for the weights and one broadcast.
    const TILE_ROWS: usize;

    /// Whether [`mul_add`](Simd::mul_add) with a [`splat`](Simd::splat) of a number in memory is one instruction.
    const EMBEDDED_BROADCAST: bool = false;

    /// Whether [`look_up`](Simd::look_up) is one instruction.
    const LOOKS_UP: bool = false;

    /// Whether [`turn`](Simd::turn) stays in registers.
    const TURNS: bool = false;

    /// Most rows of the tile of one vector that widens weights in half precision as it reads them;
    /// 0 where widening them beforehand is faster.
    const TALL_ROWS: usize = 0;

    /// Largest magnitude of the signed bytes of [`dot_quads`](Simd::dot_quads).
    const INT8_LIMIT: i8 = 64;

    /// The least number that [`store_bytes`](Simd::store_bytes) writes: 0 where the other bytes of
    /// [`dot_quads`](Simd::dot_quads) are unsigned, -128 where they are signed too.
    const BYTE_LOW: i32 = 0;

    /// How far the other bytes of [`dot_quad_pairs`](Simd::dot_quad_pairs) may lie above
    /// [`BYTE_LOW`](Simd::BYTE_LOW).
    const BYTE_STEPS: u8 = 255;

    /// Vectors of a panel that the tile of 8-bit products takes at a time: fewer than
    /// [`TILE_VECTORS`](Simd::TILE_VECTORS) where a pair of quads takes more registers than are left.
    const INT8_VECTORS: usize = Self::TILE_VECTORS;

    /// Whether [`dot_pairs`](Simd::dot_pairs) does more products in the same time than
    /// [`mul_add`](Simd::mul_add).
    const DOT_PAIRS_PAY: bool = false;

    /// A vector with `value` in every lane.
    fn splat(self, value: f32) -> Self::Vector;

    /// The first [`LANES`](Simd::LANES) elements of `from`.
    fn load(self, from: &[f32]) -> Self::Vector;

    /// Writes the vector to the first [`LANES`](Simd::LANES) elements of `to`.
    fn store(self, vector: Self::Vector, to: &mut [f32]);

    /// The first [`LANES`](Simd::LANES) half-precision elements of `from`, widened exactly.
    fn load_f16(self, from: &[f16]) -> Self::Vector;

    /// The first [`LANES`](Simd::LANES) bfloat16 elements of `from`, widened exactly.
    fn load_bf16(self, from: &[bf16]) -> Self::Vector;

    /// `value` in every lane.
    fn splat_i32(self, value: i32) -> Self::Int;

    /// The first [`LANES`](Simd::LANES) integers of `from`.
    fn load_i32(self, from: &[i32]) -> Self::Int;

    /// The first [`LANES`](Simd::LANES) groups of four signed bytes of `from`.
    fn load_quads(self, from: &[i8]) -> Self::Int;

    /// The same four bytes in every lane.
    fn splat_quad(self, quad: [u8; 4]) -> Self::Int;

    /// `sums + Σ bytes[i] * signed[i]` over the four bytes of each lane.
    ///
    /// Exact if signed bytes lie within ±[`INT8_LIMIT`](Simd::INT8_LIMIT): the products are added in
    /// pairs in 16 bits on some instruction sets, and `2 * 255 * 64` is the most that they hold. The
    /// other bytes are unsigned where [`BYTE_LOW`](Simd::BYTE_LOW) is 0, else signed.
    fn dot_quads(self, bytes: Self::Int, signed: Self::Int, sums: Self::Int) -> Self::Int;

    /// [`dot_quads`](Simd::dot_quads) of two quads.
    ///
    /// Exact if signed bytes lie within ±[`INT8_LIMIT`](Simd::INT8_LIMIT) and the others at most
    /// [`BYTE_STEPS`](Simd::BYTE_STEPS) above [`BYTE_LOW`](Simd::BYTE_LOW): four products are added in
    /// 16 bits on some instruction sets, and `4 * 126 * 64` fits.
    #[inline(always)]
    fn dot_quad_pairs(
        self,
        bytes: [Self::Int; 2],
        signed: [Self::Int; 2],
        sums: Self::Int,
    ) -> Self::Int {
        self.dot_quads(bytes[1], signed[1], self.dot_quads(bytes[0], signed[0], sums))
    }

    /// The first [`LANES`](Simd::LANES) pairs of `from`.
    fn load_pairs(self, from: &[[i16; 2]]) -> Self::Int;

    /// The same pair in every lane.
    fn splat_pair(self, pair: [i16; 2]) -> Self::Int;

    /// `sums + a[0] * b[0] + a[1] * b[1]` of the pair of 16-bit integers in each lane; exact if it
    /// fits in 32 bits and no number is -32768.
    fn dot_pairs(self, a: Self::Int, b: Self::Int, sums: Self::Int) -> Self::Int;

    /// Writes each lane, rounded to the nearest integer (ties to even), to the first
    /// [`LANES`](Simd::LANES) elements of `to`. Lanes must lie within `±32767`; what others become
    /// is unspecified.
    fn store_words(self, vector: Self::Vector, to: &mut [i16]);

    /// The nearest integers, ties to even. Lanes must lie within `±2^31`.
    fn round_to_i32(self, a: Self::Vector) -> Self::Int;

    /// `a + b` in 32 bits, lane by lane.
    fn add_i32(self, a: Self::Int, b: Self::Int) -> Self::Int;

    /// Writes the lanes of the first vector, then those of the second, as 16-bit integers four pairs
    /// at a time, `stride` pairs from one start to the next. Lanes must lie within `±32767`.
    ///
    /// # Panics
    ///
    /// When `to` is shorter than `(LANES / 4 - 1) * stride + 4`.
    #[inline(always)]
    fn store_words_by_eights(self, halves: [Self::Int; 2], to: &mut [[i16; 2]], stride: usize) {
        let mut numbers = [0.0; 2 * MAX_LANES];
        self.store(self.int_to_f32(halves[0]), &mut numbers);
        self.store(self.int_to_f32(halves[1]), &mut numbers[Self::LANES..]);
        #[allow(clippy::cast_possible_truncation, reason = "whole and within the range of i16")]
        let words = numbers.map(|x| x as i16);
        let fours = words.as_chunks::<2>().0[..Self::LANES].as_chunks::<4>().0;
        for (index, four) in fours.iter().enumerate() {
            to[index * stride..][..4].copy_from_slice(four);
        }
    }

    /// Writes each lane of the first vector and that of the second as a pair of 16-bit integers, to
    /// the first [`LANES`](Simd::LANES) of `to`. Lanes must lie within `±32767`; what others become
    /// is unspecified.
    #[inline(always)]
    fn store_pairs(self, low: Self::Int, high: Self::Int, to: &mut [[i16; 2]]) {
        let mut halves = [[0; MAX_LANES]; 2];
        self.store_words(self.int_to_f32(low), &mut halves[0]);
        self.store_words(self.int_to_f32(high), &mut halves[1]);
        for (lane, pair) in to[..Self::LANES].iter_mut().enumerate() {
            *pair = [halves[0][lane], halves[1][lane]];
        }
    }

    /// `a - b * c` in 32 bits, lane by lane.
    fn sub_product_i32(self, a: Self::Int, b: Self::Int, c: Self::Int) -> Self::Int;

    /// The nearest `f32` of each integer.
    fn int_to_f32(self, a: Self::Int) -> Self::Vector;

    /// Writes each lane, rounded to the nearest integer (ties to even) and cut to the 256 numbers
    /// from [`BYTE_LOW`](Simd::BYTE_LOW) on, to the first [`LANES`](Simd::LANES) bytes of `to`.
    /// Lanes must lie within `±2^31`.
    fn store_bytes(self, vector: Self::Vector, to: &mut [u8]);

    /// Asks for the cache line that holds `first`, to be used at once; nothing is read.
    #[inline(always)]
    fn prefetch<T>(self, first: &T) {
        let _ = first;
    }

    /// Asks for the cache line at that address into the second-level cache; nothing is read, so any
    /// address will do.
    #[inline(always)]
    fn prefetch_later(self, at: *const u8) {
        let _ = at;
    }

    /// `a + b`
    fn add(self, a: Self::Vector, b: Self::Vector) -> Self::Vector;

    /// `a - b`
    fn sub(self, a: Self::Vector, b: Self::Vector) -> Self::Vector;

    /// `a * b`
    fn mul(self, a: Self::Vector, b: Self::Vector) -> Self::Vector;

    /// `a / b`
    fn div(self, a: Self::Vector, b: Self::Vector) -> Self::Vector;

    /// `a * b + c`, with one rounding where the instruction set has it.
    fn mul_add(self, a: Self::Vector, b: Self::Vector, c: Self::Vector) -> Self::Vector;

    /// `a < b ? a : b`, so a NaN in either gives `b`.
    fn min(self, a: Self::Vector, b: Self::Vector) -> Self::Vector;

    /// `a > b ? a : b`, so a NaN in either gives `b`.
    fn max(self, a: Self::Vector, b: Self::Vector) -> Self::Vector;

    /// The nearest integer, ties to even.
    fn round(self, a: Self::Vector) -> Self::Vector;

    /// `2^n` for integral `n` in `[-126, 127]` and 0 for -127; other values give unspecified numbers.
    fn pow2(self, n: Self::Vector) -> Self::Vector;

    /// `a * 2^n` for `n` as in [`pow2`](Simd::pow2); exact where the result is a normal number.
    #[inline(always)]
    fn mul_pow2(self, a: Self::Vector, n: Self::Vector) -> Self::Vector {
        self.mul(a, self.pow2(n))
    }

    /// The magnitude.
    fn abs(self, a: Self::Vector) -> Self::Vector;

    /// The magnitude of `magnitude` with the sign of `sign`.
    fn copysign(self, magnitude: Self::Vector, sign: Self::Vector) -> Self::Vector;

    /// `a < b ? then : otherwise`, lane by lane; a comparison with NaN is false.
    fn select_lt(
        self,
        a: Self::Vector,
        b: Self::Vector,
        then: Self::Vector,
        otherwise: Self::Vector,
    ) -> Self::Vector;

    /// For each lane the element of `table` whose number the four lowest bits of that lane of `index` are.
    #[inline(always)]
    fn look_up(self, table: &[f32; 16], index: Self::Vector) -> Self::Vector {
        let mut lanes = [0.0; MAX_LANES];
        self.store(index, &mut lanes);
        for lane in &mut lanes {
            *lane = table[lane.to_bits() as usize % 16];
        }
        self.load(&lanes)
    }

    /// Makes the columns of a square its rows: lane `j` of vector `i` goes to lane `i` of vector `j`, for
    /// the first [`LANES`](Simd::LANES) vectors. Bits are only moved, whatever numbers they are.
    #[inline(always)]
    fn turn(self, square: &mut [Self::Vector; MAX_LANES]) {
        let mut rows = [[0.0; MAX_LANES]; MAX_LANES];
        for (row, vector) in rows.iter_mut().zip(&square[..Self::LANES]) {
            self.store(*vector, row);
        }
        for (column, vector) in square[..Self::LANES].iter_mut().enumerate() {
            let mut lanes = [0.0; MAX_LANES];
            for (lane, row) in lanes.iter_mut().zip(&rows) {
                *lane = row[column];
            }
            *vector = self.load(&lanes);
        }
    }

    /// The smallest lane; unspecified when a lane is NaN.
    fn reduce_min(self, a: Self::Vector) -> f32;

    /// The sum of all lanes, in an order that depends on the instruction set alone.
    fn reduce_add(self, a: Self::Vector) -> f32;

    /// The largest lane; unspecified when a lane is NaN.
    fn reduce_max(self, a: Self::Vector) -> f32;

    /// Up to [`LANES`](Simd::LANES) elements, with zeros behind a shorter slice.
    #[inline(always)]
    fn load_partial(self, from: &[f32]) -> Self::Vector {
        if from.len() >= Self::LANES {
            return self.load(from);
        }
        let mut lanes = [0.0; MAX_LANES];
        lanes[..from.len()].copy_from_slice(from);
        self.load(&lanes)
    }

    /// Writes as many leading lanes as `to` has room for.
    #[inline(always)]
    fn store_partial(self, vector: Self::Vector, to: &mut [f32]) {
        if to.len() >= Self::LANES {
            return self.store(vector, to);
        }
        let mut lanes = [0.0; MAX_LANES];
        self.store(vector, &mut lanes);
        let len = to.len();
        to.copy_from_slice(&lanes[..len]);
    }
}

/// Lanes of the widest vector of any level.
pub const MAX_LANES: usize = 16;
