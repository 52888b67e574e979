//! Products of floats in pieces of bfloat16, summed in f32.
//!
//! The product of two numbers is the sum of the products of their pieces. Of the nine of two f32 the
//! six largest are added up; the others add at most 2⁻²¹ of the product, most often less than its
//! last bit. A product of two bfloat16 is exact in f32, so a sum is rounded six times in 32 steps where
//! vectors round it 32 times. (Henry, Tang and Heinecke, "Leveraging the bfloat16 Artificial
//! Intelligence Datatype For Higher-Precision Computations", 2019.)

use half::bf16;

use super::split::{PIECES, STEPS};
use super::step::{
    Multiply, Work, block_1, block_1_beyond, block_2, block_2_beyond, block_3, block_3_beyond,
    half_block_1, half_block_1_beyond, half_block_2, half_block_2_beyond, half_block_3,
    half_block_3_beyond,
};
use super::{COLUMNS, TILE, Tiles};
use crate::{Ahead, Floats};

impl Tiles {
    /// Elements of the room in which weights are split: two steps of tiles.
    pub const RING_LEN: usize = 2 * RING_STEP;

    /// Products of pieces that are added up for one product of an f32 with a number of so many pieces.
    #[must_use]
    pub fn piece_products(pieces: usize) -> usize {
        pieces + 2 + usize::from(pieces > 1)
    }

    /// `sums[r][c]` becomes the sum over k of `left[r][k] * right[k][c]`, and is added to what it was
    /// unless `fresh`.
    ///
    /// `left` is what [`split_rows`](Self::split_rows) gives for each 16 rows, `stride` elements apart,
    /// from the first step of `right` on; `right` is `[steps][32]`; `sums` is `[rows][32]`. Each step of
    /// tiles is split while the one before it is multiplied, which leaves the vectors idle: `ring` must
    /// hold the first, and holds the first of `next` in the end, unless that is empty. On the way memory
    /// is asked for as the ring says.
    ///
    /// # Panics
    ///
    /// When the rows are no multiple of [`ROWS`](Self::ROWS), or zero; the steps none of
    /// [`FLOAT_STEPS`](Self::FLOAT_STEPS), or zero; `next` holds other elements than `right`; or a length
    /// disagrees.
    pub fn multiply_pieces(
        self,
        (left, stride): (&[bf16], usize),
        right: Floats<'_>,
        (sums, fresh): (&mut [f32], bool),
        ring: &mut Ring<'_>,
        next: Floats<'_>,
    ) {
        let steps = right.len() / STEP_LEN;
        assert!(right.len() == steps * STEP_LEN && steps > 0, "whole steps");
        assert!(
            sums.len().is_multiple_of(TILE * COLUMNS) && !sums.is_empty(),
            "whole tiles of rows"
        );
        let blocks = sums.len() / (TILE * COLUMNS);
        let block_len = Self::left_len(TILE, steps * STEPS);
        assert!(block_len <= stride, "blocks of rows lie behind each other");
        let len = (blocks - 1).checked_mul(stride).and_then(|len| len.checked_add(block_len));
        assert!(len.is_some_and(|len| len <= left.len()), "as many rows as sums");
        assert_eq!(next.pieces(), right.pieces(), "the same elements");
        assert!(next.is_empty() || next.len() >= STEP_LEN, "a step to split");
        assert_eq!(ring.pieces.len(), Self::RING_LEN, "room for two steps");
        let multiply: [Multiply; 2] = match (right, ring.ahead) {
            (Floats::F32(_), Ahead::Next) => [block_3, half_block_3],
            (Floats::F16(_), Ahead::Next) => [block_2, half_block_2],
            (Floats::BF16(_), Ahead::Next) => [block_1, half_block_1],
            (Floats::F32(_), Ahead::Beyond) => [block_3_beyond, half_block_3_beyond],
            (Floats::F16(_), Ahead::Beyond) => [block_2_beyond, half_block_2_beyond],
            (Floats::BF16(_), Ahead::Beyond) => [block_1_beyond, half_block_1_beyond],
        };
        // One in each half of a pair of steps.
        let rounds = blocks.div_ceil(2) * steps * STEPS;
        let mut work = Work {
            sums: sums.as_mut_ptr(),
            next: right.as_ptr(),
            steps,
            stride: next.bytes().div_ceil(rounds),
            fetch: next.as_ptr(),
            fresh: usize::from(fresh),
            left: left.as_ptr(),
        };
        let _configured = self.configure();
        for block in (0..blocks).step_by(2) {
            let rows = left[block * stride..].as_ptr();
            let last = block + 2 >= blocks;
            if last && !next.is_empty() {
                work.next = next.as_ptr();
            }
            // The next panel begins with the first rows again.
            work.left = left[if last { 0 } else { (block + 2) * stride }..].as_ptr();
            work.sums = sums[block * TILE * COLUMNS..].as_mut_ptr();
            work.steps = steps;
            let (first, second) = ring.pieces.split_at_mut(RING_STEP);
            let (first, second) = (first.as_mut_ptr(), second.as_mut_ptr());
            let (now, later) = if ring.at == 0 { (first, second) } else { (second, first) };
            let multiply = multiply[usize::from(block + 1 == blocks)];
            // SAFETY: tiles are configured, and `self` proves the features; the lengths were checked
            // above, so `left` has the steps of 16 rows, and of 16 more a stride behind them unless these
            // are the last; `right` and `next` have the steps that are read of them.
            unsafe {
                multiply(rows, rows.wrapping_add(stride), right.as_ptr(), now, later, &mut work);
            }
            ring.at = (ring.at + steps) % 2;
        }
    }
}

/// Elements of one step of a panel.
const STEP_LEN: usize = STEPS * COLUMNS;

/// Elements of its pieces at most.
const RING_STEP: usize = STEP_LEN * PIECES;

/// Two steps in pieces: one that is multiplied next, and room for the one after it.
#[derive(Debug)]
pub struct Ring<'a> {
    pieces: &'a mut [bf16],
    /// Which half comes next.
    at: usize,
    ahead: Ahead,
}

impl<'a> Ring<'a> {
    /// Splits the first step of `panel` into `pieces`, of [`Tiles::RING_LEN`] elements; `ahead` says
    /// which memory products ask for.
    ///
    /// # Panics
    ///
    /// When the panel is shorter than a step, or there is other room.
    pub fn new(tiles: Tiles, pieces: &'a mut [bf16], panel: Floats<'_>, ahead: Ahead) -> Self {
        assert_eq!(pieces.len(), Tiles::RING_LEN, "room for two steps");
        tiles.split_step(panel, pieces);
        Self { pieces, at: 0, ahead }
    }
}

#[cfg(test)]
mod tests {
    use half::f16;

    use super::*;

    fn noise(index: usize) -> f32 {
        let x = (index as u64 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        ((x ^ x >> 29).wrapping_mul(0xbf58_476d_1ce4_e5b9) >> 40) as f32 / (1 << 23) as f32 - 1.0
    }

    fn split_at(all: Floats<'_>, at: usize) -> (Floats<'_>, Floats<'_>) {
        match all {
            Floats::F32(x) => (Floats::F32(&x[..at]), Floats::F32(&x[at..])),
            Floats::F16(x) => (Floats::F16(&x[..at]), Floats::F16(&x[at..])),
            Floats::BF16(x) => (Floats::BF16(&x[..at]), Floats::BF16(&x[at..])),
        }
    }

    fn product(tiles: Tiles, left: &[f32], right: Floats<'_>, depth: usize) -> Vec<f32> {
        let [sums, same] =
            [Ahead::Next, Ahead::Beyond].map(|x| multiply(tiles, left, right, depth, x));
        assert!(sums.iter().zip(&same).all(|(a, b)| a.to_bits() == b.to_bits()));
        sums
    }

    fn multiply(
        tiles: Tiles,
        left: &[f32],
        right: Floats<'_>,
        depth: usize,
        ahead: Ahead,
    ) -> Vec<f32> {
        let rows = left.len() / depth;
        let mut pieces = vec![bf16::ONE; Tiles::left_len(rows.next_multiple_of(TILE), depth)];
        let stride = Tiles::left_len(TILE, depth);
        for (rows, out) in left.chunks(TILE * depth).zip(pieces.chunks_mut(stride)) {
            tiles.split_rows((rows, depth), 0..depth, out);
        }
        let mut sums = vec![f32::NAN; rows.next_multiple_of(TILE) * COLUMNS];
        // In two parts, whose sums go on.
        let (first, rest) = split_at(right, STEP_LEN);
        let mut ring = vec![bf16::ONE; Tiles::RING_LEN];
        let mut ring = Ring::new(tiles, &mut ring, first, ahead);
        tiles.multiply_pieces((&pieces, stride), first, (&mut sums, true), &mut ring, rest);
        if !rest.is_empty() {
            let left = &pieces[Tiles::left_len(TILE, STEPS)..];
            let none = split_at(right, 0).0;
            tiles.multiply_pieces((left, stride), rest, (&mut sums, false), &mut ring, none);
        }
        sums.truncate(rows * COLUMNS);
        sums
    }

    #[test]
    fn sums_of_pieces_are_as_exact_as_those_of_f32() {
        let Some(tiles) = Tiles::new() else { return };
        for (rows, depth) in [(1, 32), (16, 64), (31, 96), (48, 768), (70, 3072)] {
            let left: Vec<f32> = (0..rows * depth).map(noise).collect();
            let right: Vec<f32> = (0..depth * COLUMNS).map(|i| noise(i + 77_777)).collect();
            let sums = product(tiles, &left, Floats::F32(&right), depth);
            for (at, sum) in sums.iter().enumerate() {
                let (row, column) = (at / COLUMNS, at % COLUMNS);
                let (mut exact, mut size, mut single) = (0.0, 0.0, 0.0_f32);
                for k in 0..depth {
                    let (a, b) = (left[row * depth + k], right[k * COLUMNS + column]);
                    exact += f64::from(a) * f64::from(b);
                    size += (f64::from(a) * f64::from(b)).abs();
                    single = a.mul_add(b, single);
                }
                let error = (f64::from(*sum) - exact).abs();
                let allowed = (f64::from(single) - exact).abs() + size * 2.0_f64.powi(-22);
                assert!(error <= allowed, "{rows} x {depth}: {at}: {sum}, not {exact}");
            }
        }
    }

    #[test]
    fn narrow_weights_have_the_bits_of_wide_ones() {
        let Some(tiles) = Tiles::new() else { return };
        let (rows, depth) = (40, 192);
        let left: Vec<f32> = (0..rows * depth).map(|i| noise(i) * 3.0).collect();
        let half: Vec<f16> = (0..depth * COLUMNS).map(|i| f16::from_f32(noise(i + 5))).collect();
        let wide: Vec<f32> = half.iter().map(|x| x.to_f32()).collect();
        let same = |narrow, wide: &[f32]| {
            let [a, b] = [narrow, Floats::F32(wide)].map(|x| product(tiles, &left, x, depth));
            assert_eq!(a, b);
        };
        same(Floats::F16(&half), &wide);
        let brain: Vec<bf16> = wide.iter().map(|x| bf16::from_f32(*x)).collect();
        let wide: Vec<f32> = brain.iter().map(|x| x.to_f32()).collect();
        same(Floats::BF16(&brain), &wide);
    }

    #[test]
    fn a_row_that_is_not_finite_harms_no_other() {
        let Some(tiles) = Tiles::new() else { return };
        let depth = 64;
        let mut left: Vec<f32> = (0..3 * depth).map(noise).collect();
        let right: Vec<f32> = (0..depth * COLUMNS).map(noise).collect();
        for bad in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
            left[depth + 7] = bad;
            let sums = product(tiles, &left, Floats::F32(&right), depth);
            for (row, sums) in sums.chunks(COLUMNS).enumerate() {
                assert!(sums.iter().all(|x| x.is_finite() == (row != 1)), "{bad}: row {row}");
            }
        }
    }

    #[test]
    #[should_panic(expected = "as many rows as sums")]
    fn missing_rows_are_refused() {
        let Some(tiles) = Tiles::new() else { panic!("as many rows as sums: no tiles here") };
        let (left, right) = ([bf16::ONE; 1536], [bf16::ONE; 1024]);
        let (right, mut ring) = (Floats::BF16(&right), [bf16::ONE; Tiles::RING_LEN]);
        let mut ring = Ring::new(tiles, &mut ring, right, Ahead::Next);
        let sums = &mut [0.0; 1024];
        tiles.multiply_pieces((&left, 1536), right, (sums, true), &mut ring, right);
    }
}
