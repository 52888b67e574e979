//! Intel's matrix extension (AMX): products of blocks of bytes, summed in 32 bits, by tile registers.
#![allow(unsafe_code, reason = "tile instructions have no intrinsics in stable Rust")]

use core::arch::asm;
use core::arch::x86_64::{__cpuid, __cpuid_count};

/// Rows of a tile register, and columns of one of 32-bit sums.
const TILE: usize = 16;

/// Bytes of a row of a tile register.
const ROW: usize = 64;

/// Columns of a block of sums: two tile registers.
const COLUMNS: usize = 2 * TILE;

/// Steps of k that one multiplication of tiles takes.
const STEPS: usize = 64;

/// Bytes of a cache line.
const LINE: usize = 64;

/// `asm!` with instructions that change tile registers.
macro_rules! tile_asm {
    ($($part:tt)*) => {
        asm!(
            $($part)*
            out("tmm0") _, out("tmm1") _, out("tmm2") _, out("tmm3") _,
            out("tmm4") _, out("tmm5") _, out("tmm6") _, out("tmm7") _,
            options(nostack),
        )
    };
}

/// Proof that the processor has AMX with 8-bit integers and that the system lets this process use it.
#[derive(Clone, Copy, Debug)]
pub struct Tiles(());

/// The memory operand of `ldtilecfg`.
#[repr(C, align(64))]
struct TileConfig {
    palette: u8,
    start_row: u8,
    reserved: [u8; 14],
    /// Bytes of a row of each register.
    row_bytes: [u16; 16],
    rows: [u8; 16],
}

/// All eight registers of 16 rows of 64 bytes.
static CONFIG: TileConfig = TileConfig {
    palette: 1,
    start_row: 0,
    reserved: [0; 14],
    row_bytes: [64, 64, 64, 64, 64, 64, 64, 64, 0, 0, 0, 0, 0, 0, 0, 0],
    rows: [16, 16, 16, 16, 16, 16, 16, 16, 0, 0, 0, 0, 0, 0, 0, 0],
};

impl Tiles {
    /// Rows that are multiplied at once; the left operand has room for a multiple of them.
    pub const ROWS: usize = TILE;

    /// Columns of a panel of the right operand.
    pub const COLUMNS: usize = COLUMNS;

    /// The length of sums is a multiple of this.
    pub const STEPS: usize = STEPS;

    /// The token, where the processor has the tiles and the system grants them.
    pub(crate) fn new() -> Option<Self> {
        (processor_has_tiles() && system_grants_tiles()).then_some(Self(()))
    }

    /// `sums[r][c]` = the sum over k of `left[r][k] * right[k / 4][c][k % 4]`, in 32
    /// bits that hold every sum of up to 65,793 steps.
    ///
    /// `left` is `[rows][depth]`, `right` `[depth / 4][32][4]`, `sums` `[rows][32]`. The lines of
    /// `next` are asked for on the way, spread evenly, for they are what is read next.
    ///
    /// # Panics
    ///
    /// When `rows` is no multiple of [`ROWS`](Self::ROWS), `depth` none of [`STEPS`](Self::STEPS),
    /// or a length disagrees.
    pub fn multiply(self, left: &[u8], right: &[i8], sums: &mut [i32], next: &[i8]) {
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
        // SAFETY: `self` proves that tiles can be used; the configuration is valid and 64 bytes.
        unsafe { tile_asm!("ldtilecfg [{}]", in(reg) &raw const CONFIG,) };
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
        // SAFETY: as above. Gives the registers back, which the system need not save any more.
        unsafe { tile_asm!("tilerelease",) };
    }

    /// Multiplies tiles `rounds` times without memory and gives the number of multiplications and
    /// additions of bytes: the roof that no product of tiles can pass.
    #[must_use]
    pub fn spin(self, rounds: usize) -> usize {
        // SAFETY: `self` proves that tiles can be used; the configuration is valid and 64 bytes, and
        // the loop ends after `rounds`, at least one.
        unsafe {
            tile_asm!(
                "ldtilecfg [{config}]",
                "2:",
                "tdpbusd tmm0, tmm4, tmm6",
                "tdpbusd tmm1, tmm4, tmm7",
                "tdpbusd tmm2, tmm5, tmm6",
                "tdpbusd tmm3, tmm5, tmm7",
                "dec {rounds}",
                "jnz 2b",
                "tilerelease",
                config = in(reg) &raw const CONFIG,
                rounds = inout(reg) rounds.max(1) => _,
            );
        }
        rounds.max(1) * 4 * 2 * TILE * TILE * STEPS
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

/// Leaf 7 of `cpuid` names AMX-TILE and AMX-INT8; the system must have switched both parts of its
/// state on (Intel SDM, volume 1, 13.3 and chapter 18).
fn processor_has_tiles() -> bool {
    const OSXSAVE: u32 = 1 << 27;
    const TILE_AND_INT8: u32 = 0b11 << 24;
    const STATE: u32 = 0b11 << 17;
    // SAFETY: every x86-64 processor has `cpuid`; a leaf is asked for once the last one is known.
    #[allow(unused_unsafe, reason = "the functions became safe after the oldest supported Rust")]
    let known = unsafe {
        __cpuid(0).eax >= 7
            && __cpuid(1).ecx & OSXSAVE != 0
            && __cpuid_count(7, 0).edx & TILE_AND_INT8 == TILE_AND_INT8
    };
    if !known {
        return false;
    }
    let enabled: u32;
    // SAFETY: the bit above says that the system has enabled `xgetbv`.
    unsafe {
        asm!("xgetbv", in("ecx") 0, out("eax") enabled, out("edx") _, options(nomem, nostack));
    }
    enabled & STATE == STATE
}

/// Linux lets a process use tiles once it has asked (`arch_prctl(2)`), since they make the state of
/// a thread larger; threads that it starts afterwards may too, and those that it has.
#[cfg(target_os = "linux")]
fn system_grants_tiles() -> bool {
    const ARCH_PRCTL: i64 = 158;
    const REQUEST_PERMISSION: i64 = 0x1023;
    const TILE_DATA: i64 = 18;
    let result: i64;
    // SAFETY: a system call that touches no memory of this process; it clobbers `rcx` and `r11`.
    unsafe {
        asm!(
            "syscall",
            inout("rax") ARCH_PRCTL => result,
            in("rdi") REQUEST_PERMISSION,
            in("rsi") TILE_DATA,
            out("rcx") _,
            out("r11") _,
            options(nostack),
        );
    }
    result == 0
}

/// How other systems are asked is not known here.
#[cfg(not(target_os = "linux"))]
fn system_grants_tiles() -> bool {
    false
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
            tiles.multiply(&left, &right, &mut sums, &right[..right.len() / 2]);
            for (at, sum) in sums.iter().enumerate() {
                let (row, column) = (at / COLUMNS, at % COLUMNS);
                let product = |k: usize| {
                    let weight = right[(k / 4 * COLUMNS + column) * 4 + k % 4];
                    i32::from(left[row * depth + k]) * i32::from(weight)
                };
                assert_eq!(*sum, (0..depth).map(product).sum::<i32>(), "{rows} x {depth}: {at}");
            }
        }
        assert_eq!(tiles.spin(3), 3 * 4 * 2 * 16 * 16 * 64);
    }

    #[test]
    #[should_panic(expected = "whole steps")]
    fn a_part_of_a_step_is_refused() {
        let Some(tiles) = Tiles::new() else { panic!("whole steps: this processor has no tiles") };
        tiles.multiply(&[0; 16 * 32], &[0; 32 * 32], &mut [0; 16 * 32], &[]);
    }
}
