//! The innermost loop of products in pieces, in assembly: one step of tiles is multiplied while the
//! next is split.

use core::arch::asm;
use core::mem::offset_of;

use half::bf16;

use super::{ROW, tile_asm};

/// What a block of sums needs beside its operands.
#[repr(C)]
pub(super) struct Work {
    /// `[rows][32]`
    pub(super) sums: *mut f32,
    /// The step that is split while the last one is multiplied.
    pub(super) next: *const u8,
    /// Steps of tiles, at least one.
    pub(super) steps: usize,
    /// Lines to ask for after each group of products.
    pub(super) lines: usize,
    /// Where they begin.
    pub(super) fetch: *const u8,
    /// Whether the sums begin with zero.
    pub(super) fresh: usize,
    /// The order in which two vectors are shuffled.
    pub(super) order: &'static [i16; 32],
}

// Where the assembly finds them.
const _: () = assert!(
    offset_of!(Work, sums) == 0
        && offset_of!(Work, next) == 8
        && offset_of!(Work, steps) == 16
        && offset_of!(Work, lines) == 24
        && offset_of!(Work, fetch) == 32
        && offset_of!(Work, fresh) == 40
        && offset_of!(Work, order) == 48
);

/// Multiplies a block: two blocks of rows, the first step of a panel, both halves of the ring.
pub(super) type Multiply = unsafe fn([*const bf16; 2], *const u8, [*mut bf16; 2], &mut Work);

/// Loads piece `$piece` of both blocks of rows.
macro_rules! left {
    (block, $piece:literal) => {
        concat!(
            "tileloadd tmm4, [{left} + {row} + 1024 * ",
            $piece,
            "]\n",
            "tileloadd tmm5, [{lower} + {row} + 1024 * ",
            $piece,
            "]\n",
        )
    };
    (half, $piece:literal) => {
        concat!("tileloadd tmm4, [{left} + {row} + 1024 * ", $piece, "]\n")
    };
}

/// Loads piece `$piece` of both halves of the columns.
macro_rules! right {
    ($piece:literal) => {
        concat!(
            "tileloadd tmm6, [{now} + {row} + 2048 * ",
            $piece,
            "]\n",
            "tileloadd tmm7, [{now} + {row} + 2048 * ",
            $piece,
            " + 1024]\n",
        )
    };
}

/// Multiplies what is loaded, and asks for some lines.
macro_rules! products {
    (block) => {
        concat!(
            "tdpbf16ps tmm0, tmm4, tmm6\n",
            "tdpbf16ps tmm1, tmm4, tmm7\n",
            "tdpbf16ps tmm2, tmm5, tmm6\n",
            "tdpbf16ps tmm3, tmm5, tmm7\n",
            fetch!(),
        )
    };
    (half) => {
        concat!("tdpbf16ps tmm0, tmm4, tmm6\ntdpbf16ps tmm1, tmm4, tmm7\n", fetch!())
    };
}

macro_rules! fetch {
    () => {
        concat!(
            "mov {count}, [{work} + 24]\n",
            "test {count}, {count}\n",
            "jz 4f\n",
            "3:\n",
            "prefetcht1 [{fetch}]\n",
            "add {fetch}, 64\n",
            "dec {count}\n",
            "jnz 3b\n",
            "4:\n",
        )
    };
}

/// Cuts the upper halves off zmm`$a` and zmm`$b`: what is left is in zmm`$c` and zmm`$d`.
macro_rules! cut {
    ($a:literal, $b:literal, $c:literal, $d:literal) => {
        concat!(
            "vpandd zmm",
            $c,
            ", zmm",
            $a,
            ", zmm31\n",
            "vpandd zmm",
            $d,
            ", zmm",
            $b,
            ", zmm31\n",
            "vsubps zmm",
            $c,
            ", zmm",
            $a,
            ", zmm",
            $c,
            "\n",
            "vsubps zmm",
            $d,
            ", zmm",
            $b,
            ", zmm",
            $d,
            "\n",
        )
    };
}

/// Stores the upper halves of zmm`$a` and zmm`$b` in turns; changes the first.
macro_rules! upper {
    ($a:literal, $b:literal, $piece:literal, $half:literal, $pair:literal) => {
        concat!(
            "vpermt2w zmm",
            $a,
            ", zmm30, zmm",
            $b,
            "\n",
            "vmovups [{later} + 2048 * ",
            $piece,
            " + 1024 * ",
            $half,
            " + 64 * ",
            $pair,
            "], zmm",
            $a,
            "\n",
        )
    };
}

/// Splits 16 columns of a pair of steps.
macro_rules! split {
    (1, $half:literal, $pair:literal) => {
        concat!(
            "vmovups ymm0, [{from} + 128 * ",
            $pair,
            " + 32 * ",
            $half,
            "]\n",
            "vmovups ymm1, [{from} + 128 * ",
            $pair,
            " + 64 + 32 * ",
            $half,
            "]\n",
            upper!(0, 1, 0, $half, $pair),
        )
    };
    (2, $half:literal, $pair:literal) => {
        concat!(
            "vcvtph2ps zmm0, [{from} + 128 * ",
            $pair,
            " + 32 * ",
            $half,
            "]\n",
            "vcvtph2ps zmm1, [{from} + 128 * ",
            $pair,
            " + 64 + 32 * ",
            $half,
            "]\n",
            cut!(0, 1, 2, 3),
            upper!(0, 1, 0, $half, $pair),
            upper!(2, 3, 1, $half, $pair),
        )
    };
    (3, $half:literal, $pair:literal) => {
        concat!(
            "vmovups zmm0, [{from} + 256 * ",
            $pair,
            " + 64 * ",
            $half,
            "]\n",
            "vmovups zmm1, [{from} + 256 * ",
            $pair,
            " + 128 + 64 * ",
            $half,
            "]\n",
            cut!(0, 1, 2, 3),
            upper!(0, 1, 0, $half, $pair),
            cut!(2, 3, 4, 5),
            upper!(2, 3, 1, $half, $pair),
            upper!(4, 5, 2, $half, $pair),
        )
    };
}

/// Splits some pairs of the next step.
macro_rules! pairs {
    ($pieces:tt, $($pair:literal)*) => {
        concat!($(split!($pieces, 0, $pair), split!($pieces, 1, $pair),)*)
    };
}

/// One step: the products of pieces, of which only one changes from each to the next. The numbers are
/// added in the same order whatever the pieces of the right operand; those it lacks are zero.
macro_rules! step {
    ($rows:ident, 1) => {
        concat!(
            left!($rows, 1), right!(0), products!($rows), pairs!(1, 0 1 2 3 4 5),
            left!($rows, 2), products!($rows), pairs!(1, 6 7 8 9 10),
            left!($rows, 0), products!($rows), pairs!(1, 11 12 13 14 15),
        )
    };
    ($rows:ident, 2) => {
        concat!(
            left!($rows, 0), right!(1), products!($rows), pairs!(2, 0 1 2 3),
            left!($rows, 1), products!($rows), pairs!(2, 4 5 6),
            right!(0), products!($rows), pairs!(2, 7 8 9),
            left!($rows, 2), products!($rows), pairs!(2, 10 11 12),
            left!($rows, 0), products!($rows), pairs!(2, 13 14 15),
        )
    };
    ($rows:ident, 3) => {
        concat!(
            left!($rows, 0), right!(2), products!($rows), pairs!(3, 0 1 2 3),
            right!(1), products!($rows), pairs!(3, 4 5 6 7),
            left!($rows, 1), products!($rows), pairs!(3, 8 9 10 11),
            right!(0), products!($rows), pairs!(3, 12 13 14 15),
            left!($rows, 2), products!($rows),
            left!($rows, 0), products!($rows),
        )
    };
}

/// Loads the sums, or clears them.
macro_rules! begin {
    ($rows:ident) => {
        concat!(
            "cmp qword ptr [{work} + 40], 0\n",
            "jne 5f\n",
            "mov {fetch}, [{work}]\n",
            "mov {count}, 128\n",
            sums!(load, $rows),
            "jmp 6f\n",
            "5:\n",
            "tilezero tmm0\ntilezero tmm1\ntilezero tmm2\ntilezero tmm3\n",
            "6:\n",
            "mov {fetch}, [{work} + 32]\n",
        )
    };
}

macro_rules! sums {
    (load, half) => {
        "tileloadd tmm0, [{fetch} + {count}]\ntileloadd tmm1, [{fetch} + {count} + 64]\n"
    };
    (load, block) => {
        concat!(
            sums!(load, half),
            "tileloadd tmm2, [{fetch} + {count} + 2048]\n",
            "tileloadd tmm3, [{fetch} + {count} + 2048 + 64]\n",
        )
    };
    (store, half) => {
        "tilestored [{fetch} + {count}], tmm0\ntilestored [{fetch} + {count} + 64], tmm1\n"
    };
    (store, block) => {
        concat!(
            sums!(store, half),
            "tilestored [{fetch} + {count} + 2048], tmm2\n",
            "tilestored [{fetch} + {count} + 2048 + 64], tmm3\n",
        )
    };
}

/// Bytes of one step of a panel.
macro_rules! step_bytes {
    (3) => {
        "4096"
    };
    ($pieces:tt) => {
        "2048"
    };
}

/// Defines a function for blocks of 32 rows (`block`) or 16 (`half`) and 32 columns, with `$pieces`
/// pieces of the right operand.
macro_rules! block {
    ($name:ident, $rows:ident, $pieces:tt) => {
        /// Computes the sums of a block, and splits what comes next.
        ///
        /// # Safety
        ///
        /// Tiles are configured; `left` has three pieces of the steps of 16 rows each (the second is
        /// read for 32 rows only); `from` has as many steps, and `work.next` one; the first half of the
        /// ring has the pieces of the first, the second has room for another; `work.sums` is `[rows][32]`.
        #[target_feature(enable = "avx512f,avx512bw")]
        pub(super) unsafe fn $name(
            left: [*const bf16; 2],
            from: *const u8,
            ring: [*mut bf16; 2],
            work: &mut Work,
        ) {
            // SAFETY: reads what is promised, one step of tiles at a time, and changes the sums; splits
            // each step but the first, and the next one. Prefetches read nothing and never fault.
            unsafe {
                tile_asm!(
                    "mov {count}, [{work} + 48]",
                    "vmovups zmm30, [{count}]",
                    "vpternlogd zmm31, zmm31, zmm31, 0xff",
                    "vpslld zmm31, zmm31, 16",
                    begin!($rows),
                    "2:",
                    concat!("add {from}, ", step_bytes!($pieces)),
                    "cmp qword ptr [{work} + 16], 1",
                    "cmove {from}, [{work} + 8]",
                    step!($rows, $pieces),
                    "add {left}, 3072",
                    "add {lower}, 3072",
                    "xchg {now}, {later}",
                    "dec qword ptr [{work} + 16]",
                    "jnz 2b",
                    "mov [{work} + 32], {fetch}",
                    "mov {fetch}, [{work}]",
                    "mov {count}, 128",
                    sums!(store, $rows),
                    left = inout(reg) left[0] => _,
                    lower = inout(reg) left[1] => _,
                    row = in(reg) ROW,
                    from = inout(reg) from => _,
                    now = inout(reg) ring[0] => _,
                    later = inout(reg) ring[1] => _,
                    work = in(reg) work,
                    fetch = out(reg) _,
                    count = out(reg) _,
                    out("zmm0") _, out("zmm1") _, out("zmm2") _, out("zmm3") _, out("zmm4") _,
                    out("zmm5") _, out("zmm30") _, out("zmm31") _,
                );
            }
        }
    };
}

block!(block_1, block, 1);
block!(block_2, block, 2);
block!(block_3, block, 3);
block!(half_block_1, half, 1);
block!(half_block_2, half, 2);
block!(half_block_3, half, 3);
