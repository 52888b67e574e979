//! Products of blocks of bytes, summed in 32 bits.

use core::arch::asm;

use super::{COLUMNS, ROW, TILE, Tiles, tile_asm};

/// Bytes of a cache line.
const LINE: usize = 64;

/// Steps of k that one multiplication of tiles takes.
const STEPS: usize = 64;

impl Tiles {
    /// The length of sums of bytes is a multiple of this.
    pub const BYTE_STEPS: usize = STEPS;

    /// `sums[r][c]` = the sum over k of `left[r][k] * right[k / 4][c][k % 4]`, in 32
    /// bits that hold every sum of up to 65,793 steps.
    ///
    /// `left` is `[rows][depth]`, `right` `[depth / 4][32][4]`, `sums` `[rows][32]`. The lines of
    /// `next` are asked for on the way, spread evenly, for they are what is read next.
    ///
    /// # Panics
    ///
    /// When `rows` is no multiple of [`ROWS`](Self::ROWS), `depth` none of [`BYTE_STEPS`](Self::BYTE_STEPS),
    /// or a length disagrees.
    pub fn multiply_bytes(self, left: &[u8], right: &[i8], sums: &mut [i32], next: &[i8]) {
        let (depth, rows) = (right.len() / COLUMNS, sums.len() / COLUMNS);
        assert!(depth.is_multiple_of(STEPS) && right.len() == depth * COLUMNS, "whole steps");
        assert!(rows.is_multiple_of(TILE) && sums.len() == rows * COLUMNS, "whole tiles of rows");
        assert_eq!(Some(left.len()), rows.checked_mul(depth), "as many rows as sums");
        if sums.is_empty() || depth == 0 {
            return sums.fill(0);
        }
        let rounds = rows.div_ceil(2 * TILE) * (depth / STEPS);
        let mut fetch =
            Fetch { at: next.as_ptr(), lines: next.len().div_ceil(LINE).div_ceil(rounds) };
        let _configured = self.configure();
        let blocks = left.chunks(2 * TILE * depth).zip(sums.chunks_mut(2 * TILE * COLUMNS));
        for (left, sums) in blocks {
            // SAFETY: tiles are configured; the lengths were checked above, so each chunk is of 16 or
            // 32 rows of `depth` bytes beside as many rows of 32 sums, and `right` has `depth` steps.
            unsafe {
                if sums.len() == TILE * COLUMNS {
                    half_block(left.as_ptr(), right.as_ptr(), depth, sums.as_mut_ptr(), &mut fetch);
                } else {
                    block(left.as_ptr(), right.as_ptr(), depth, sums.as_mut_ptr(), &mut fetch);
                }
            }
        }
    }
}

/// Memory that is asked for little by little.
struct Fetch {
    at: *const i8,
    /// Lines to ask for in every round.
    lines: usize,
}

/// 32 rows and 32 columns.
///
/// # Safety
///
/// Tiles are configured; `left` is `[32][depth]`, `right` `[depth / 4][32][4]` and `sums` `[32][32]`,
/// with `depth` a multiple of 64 and not zero.
unsafe fn block(
    left: *const u8,
    right: *const i8,
    depth: usize,
    sums: *mut i32,
    fetch: &mut Fetch,
) {
    // SAFETY: reads 32 rows of `left` and all of `right`, 64 steps at a time; writes 32 rows of
    // `sums`. Prefetches read nothing and never fault.
    unsafe {
        tile_asm!(
            "tilezero tmm0",
            "tilezero tmm1",
            "tilezero tmm2",
            "tilezero tmm3",
            "2:",
            "tileloadd tmm6, [{right} + {right_row}]",
            "tileloadd tmm4, [{left} + {left_row}]",
            "tdpbusd tmm0, tmm4, tmm6",
            "tileloadd tmm7, [{right} + {right_row} + 64]",
            "tdpbusd tmm1, tmm4, tmm7",
            "tileloadd tmm5, [{lower} + {left_row}]",
            "tdpbusd tmm2, tmm5, tmm6",
            "tdpbusd tmm3, tmm5, tmm7",
            "mov {line}, {lines}",
            "test {line}, {line}",
            "jz 4f",
            "3:",
            "prefetcht1 [{fetch}]",
            "add {fetch}, 64",
            "dec {line}",
            "jnz 3b",
            "4:",
            "add {left}, 64",
            "add {lower}, 64",
            "add {right}, 2048",
            "dec {rounds}",
            "jnz 2b",
            "tilestored [{sums} + {right_row}], tmm0",
            "tilestored [{sums} + {right_row} + 64], tmm1",
            "add {sums}, 2048",
            "tilestored [{sums} + {right_row}], tmm2",
            "tilestored [{sums} + {right_row} + 64], tmm3",
            left = inout(reg) left => _,
            lower = inout(reg) left.add(TILE * depth) => _,
            right = inout(reg) right => _,
            sums = inout(reg) sums => _,
            left_row = in(reg) depth,
            right_row = in(reg) 2 * ROW,
            rounds = inout(reg) depth / STEPS => _,
            lines = in(reg) fetch.lines,
            line = out(reg) _,
            fetch = inout(reg) fetch.at,
        );
    }
}

/// 16 rows and 32 columns.
///
/// # Safety
///
/// As for [`block`], with 16 rows.
unsafe fn half_block(
    left: *const u8,
    right: *const i8,
    depth: usize,
    sums: *mut i32,
    fetch: &mut Fetch,
) {
    // SAFETY: reads 16 rows of `left` and all of `right`, 64 steps at a time; writes 16 rows of
    // `sums`. Prefetches read nothing and never fault.
    unsafe {
        tile_asm!(
            "tilezero tmm0",
            "tilezero tmm1",
            "2:",
            "tileloadd tmm4, [{left} + {left_row}]",
            "tileloadd tmm6, [{right} + {right_row}]",
            "tdpbusd tmm0, tmm4, tmm6",
            "tileloadd tmm7, [{right} + {right_row} + 64]",
            "tdpbusd tmm1, tmm4, tmm7",
            "mov {line}, {lines}",
            "test {line}, {line}",
            "jz 4f",
            "3:",
            "prefetcht1 [{fetch}]",
            "add {fetch}, 64",
            "dec {line}",
            "jnz 3b",
            "4:",
            "add {left}, 64",
            "add {right}, 2048",
            "dec {rounds}",
            "jnz 2b",
            "tilestored [{sums} + {right_row}], tmm0",
            "tilestored [{sums} + {right_row} + 64], tmm1",
            left = inout(reg) left => _,
            right = inout(reg) right => _,
            sums = in(reg) sums,
            left_row = in(reg) depth,
            right_row = in(reg) 2 * ROW,
            rounds = inout(reg) depth / STEPS => _,
            lines = in(reg) fetch.lines,
            line = out(reg) _,
            fetch = inout(reg) fetch.at,
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_are_the_sums_of_the_products() {
        let Some(tiles) = Tiles::new() else { return };
        for (rows, depth) in
            [(16, 64), (32, 64), (48, 192), (96, 768), (16, 3072), (32, 0), (0, 64)]
        {
            let left: Vec<u8> = (0..rows * depth).map(|i| (i * 37 % 256) as u8).collect();
            let right: Vec<i8> = (0..depth * COLUMNS).map(|i| (i * 91 % 256) as u8 as i8).collect();
            let mut sums = vec![7; rows * COLUMNS];
            tiles.multiply_bytes(&left, &right, &mut sums, &right[..right.len() / 2]);
            for (at, sum) in sums.iter().enumerate() {
                let (row, column) = (at / COLUMNS, at % COLUMNS);
                let product = |k: usize| {
                    let weight = right[(k / 4 * COLUMNS + column) * 4 + k % 4];
                    i32::from(left[row * depth + k]) * i32::from(weight)
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
        tiles.multiply_bytes(&[0; 16 * 32], &[0; 32 * 32], &mut [0; 16 * 32], &[]);
    }
}
