//! Products of blocks of bytes, summed in 32 bits.

use core::arch::asm;

use super::{COLUMNS, ROW, TILE, Tiles, tile_asm};

/// Bytes of a cache line.
const LINE: usize = 64;

/// Steps of k that one multiplication of tiles takes.
const STEPS: usize = ROW;

impl Tiles {
    /// The length of sums of bytes is a multiple of this.
    pub const BYTE_STEPS: usize = STEPS;

    /// `sums[r][c]` becomes the sum over k of `left[r][k] * right[k / 4][c][k % 4]`, and is added to what it was
    /// unless `fresh`; 32 bits hold every sum of up to 65,793 steps.
    ///
    /// `left` holds tiles, `[steps / 64][16][64]` for each 16 rows, `stride` bytes apart, from the first step of
    /// `right` on; `right` is `[steps / 4][32][4]`, `sums` `[rows][32]`. The lines of `next` are asked for on the
    /// way, spread evenly, for they are what is read next.
    ///
    /// # Panics
    ///
    /// When the rows are no multiple of [`ROWS`](Self::ROWS), the steps none of [`BYTE_STEPS`](Self::BYTE_STEPS),
    /// or a length disagrees.
    pub fn multiply_bytes(
        self,
        (left, stride): (&[u8], usize),
        right: &[i8],
        (sums, fresh): (&mut [i32], bool),
        next: &[i8],
    ) {
        let steps = right.len() / COLUMNS;
        assert!(steps.is_multiple_of(STEPS) && right.len() == steps * COLUMNS, "whole steps");
        assert!(sums.len().is_multiple_of(TILE * COLUMNS), "whole tiles of rows");
        if steps == 0 && fresh {
            sums.fill(0);
        }
        if sums.is_empty() || steps == 0 {
            return;
        }
        let (blocks, block_len) = (sums.len() / (TILE * COLUMNS), TILE * steps);
        assert!(block_len <= stride, "blocks of rows lie behind each other");
        let len = (blocks - 1).checked_mul(stride).and_then(|len| len.checked_add(block_len));
        assert!(len.is_some_and(|len| len <= left.len()), "as many rows as sums");
        let rounds = blocks.div_ceil(2) * (steps / STEPS);
        let mut work = Work {
            steps,
            fresh,
            lines: next.len().div_ceil(LINE).div_ceil(rounds),
            fetch: next.as_ptr(),
        };
        let _configured = self.configure();
        for (pair, sums) in sums.chunks_mut(2 * TILE * COLUMNS).enumerate() {
            let left = left[2 * pair * stride..].as_ptr();
            // SAFETY: tiles are configured; the lengths were checked above, so `left` has the steps of 16
            // rows, and of 16 more a stride behind them if there are sums of 32; `right` has as many.
            unsafe {
                let multiply = if sums.len() == TILE * COLUMNS { half_block } else { block };
                multiply(left, stride, right.as_ptr(), sums.as_mut_ptr(), &mut work);
            }
        }
    }
}

/// What a block of sums needs beside its operands.
struct Work {
    /// Steps of k, at least one tile of them.
    steps: usize,
    /// Whether the sums begin with zero.
    fresh: bool,
    /// Lines to ask for in every round.
    lines: usize,
    /// What the block asks for first; afterwards, what the next block does.
    fetch: *const i8,
}

/// What blocks of 32 rows (`block`) and of 16 (`half`) have to do, each as one piece of assembly.
macro_rules! part {
    (clear, half) => {
        "tilezero tmm0\ntilezero tmm1"
    };
    (clear, block) => {
        concat!(part!(clear, half), "\ntilezero tmm2\ntilezero tmm3")
    };
    (load, half) => {
        "tileloadd tmm0, [{sums} + {wide_row}]\ntileloadd tmm1, [{sums} + {wide_row} + 64]"
    };
    (load, block) => {
        concat!(
            part!(load, half),
            "\ntileloadd tmm2, [{sums} + {wide_row} + 2048]",
            "\ntileloadd tmm3, [{sums} + {wide_row} + 2048 + 64]",
        )
    };
    (store, half) => {
        "tilestored [{sums} + {wide_row}], tmm0\ntilestored [{sums} + {wide_row} + 64], tmm1"
    };
    (store, block) => {
        concat!(
            part!(store, half),
            "\ntilestored [{sums} + {wide_row} + 2048], tmm2",
            "\ntilestored [{sums} + {wide_row} + 2048 + 64], tmm3",
        )
    };
    // What is left to multiply once the first product is under way.
    (rest, half) => {
        "tdpbusd tmm1, tmm4, tmm7"
    };
    (rest, block) => {
        concat!(
            "tileloadd tmm5, [{lower} + {row}]\n",
            part!(rest, half),
            "\ntdpbusd tmm2, tmm5, tmm6\ntdpbusd tmm3, tmm5, tmm7",
        )
    };
}

/// Defines a function for blocks of 32 rows (`block`) or 16 (`half`) and 32 columns.
macro_rules! block {
    ($name:ident, $rows:tt) => {
        /// Computes the sums of a block.
        ///
        /// # Safety
        ///
        /// Tiles are configured; `left`, and `stride` bytes behind it if the block has 32 rows, is
        /// `[work.steps / 64][16][64]`, `right` `[work.steps / 4][32][4]` and `sums` `[rows][32]`, with
        /// `work.steps` a multiple of 64 and not zero.
        unsafe fn $name(
            left: *const u8,
            stride: usize,
            right: *const i8,
            sums: *mut i32,
            work: &mut Work,
        ) {
            // SAFETY: reads what is promised, one step of tiles at a time, and changes the sums. Prefetches
            // read nothing and never fault.
            unsafe {
                tile_asm!(
                    "test {line:e}, {line:e}",
                    "jnz 2f",
                    part!(load, $rows),
                    "jmp 3f",
                    "2:",
                    part!(clear, $rows),
                    "3:",
                    "tileloadd tmm4, [{left} + {row}]",
                    "tileloadd tmm6, [{right} + {wide_row}]",
                    "tileloadd tmm7, [{right} + {wide_row} + 64]",
                    "tdpbusd tmm0, tmm4, tmm6",
                    "mov {line}, {lines}",
                    "test {line}, {line}",
                    "jz 5f",
                    "4:",
                    "prefetcht1 [{fetch}]",
                    "add {fetch}, 64",
                    "dec {line}",
                    "jnz 4b",
                    "5:",
                    part!(rest, $rows),
                    "add {left}, 1024",
                    "add {lower}, 1024",
                    "add {right}, 2048",
                    "dec {rounds}",
                    "jnz 3b",
                    part!(store, $rows),
                    left = inout(reg) left => _,
                    lower = inout(reg) left.wrapping_add(stride) => _,
                    right = inout(reg) right => _,
                    sums = in(reg) sums,
                    row = in(reg) ROW,
                    wide_row = in(reg) 2 * ROW,
                    rounds = inout(reg) work.steps / STEPS => _,
                    lines = in(reg) work.lines,
                    line = inout(reg) usize::from(work.fresh) => _,
                    fetch = inout(reg) work.fetch,
                );
            }
        }
    };
}

block!(block, block);
block!(half_block, half);

#[cfg(test)]
mod tests {
    use super::*;

    fn left(r: usize, k: usize) -> u8 {
        ((r * 37 + k * 11) % 256) as u8
    }

    /// Rows as tiles, with room for more behind each 16.
    fn tiles_of(rows: usize, depth: usize, stride: usize) -> Vec<u8> {
        let mut tiles = vec![77; rows / TILE * stride];
        for (r, k) in (0..rows).flat_map(|r| (0..depth).map(move |k| (r, k))) {
            tiles[r / TILE * stride + (k / STEPS * TILE + r % TILE) * STEPS + k % STEPS] =
                left(r, k);
        }
        tiles
    }

    #[test]
    fn blocks_are_the_sums_of_the_products() {
        let Some(tiles) = Tiles::new() else { return };
        for (rows, depth) in
            [(16, 64), (32, 64), (48, 192), (96, 768), (16, 3072), (32, 0), (0, 64)]
        {
            let stride = TILE * (depth + STEPS);
            let rows_in_tiles = tiles_of(rows, depth, stride);
            let right: Vec<i8> = (0..depth * COLUMNS).map(|i| (i * 91 % 256) as u8 as i8).collect();
            let mut sums = vec![7; rows * COLUMNS];
            // In two parts, whose sums go on.
            let cut = (depth / 2).next_multiple_of(STEPS);
            for part in [0..cut, cut..depth] {
                let right = &right[part.start * COLUMNS..part.end * COLUMNS];
                let left = rows_in_tiles.get(TILE * part.start..).unwrap_or(&[]);
                let next = &right[..right.len() / 2];
                tiles.multiply_bytes((left, stride), right, (&mut sums, part.start == 0), next);
            }
            for (at, sum) in sums.iter().enumerate() {
                let (row, column) = (at / COLUMNS, at % COLUMNS);
                let product = |k: usize| {
                    let weight = right[(k / 4 * COLUMNS + column) * 4 + k % 4];
                    i32::from(left(row, k)) * i32::from(weight)
                };
                assert_eq!(*sum, (0..depth).map(product).sum::<i32>(), "{rows} x {depth}: {at}");
            }
        }
        assert_eq!(tiles.spin_bytes(3), 3 * 4 * 2 * 16 * 16 * 64);
    }

    #[test]
    #[should_panic(expected = "whole steps")]
    fn a_part_of_a_step_is_refused() {
        let Some(tiles) = Tiles::new() else { panic!("whole steps: this processor has no tiles") };
        let sums = &mut [0; 16 * 32];
        tiles.multiply_bytes((&[0; 16 * 32], 16 * 32), &[0; 32 * 32], (sums, true), &[]);
    }

    #[test]
    #[should_panic(expected = "as many rows as sums")]
    fn fewer_rows_than_sums_are_refused() {
        let Some(tiles) = Tiles::new() else { panic!("as many rows as sums: there are no tiles") };
        let sums = &mut [0; 48 * 32];
        tiles.multiply_bytes((&[0; 2 * 1024], 1024), &[0; 64 * 32], (sums, true), &[]);
    }
}
