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
    /// Bytes from what one half of a pair of steps asks for to what the next half does.
    pub(super) stride: usize,
    /// What the block asks for first; afterwards, what the next block does.
    pub(super) fetch: *const u8,
    /// Whether the sums begin with zero.
    pub(super) fresh: usize,
    /// The first step of the rows that come after these.
    pub(super) left: *const bf16,
}

// Where the assembly finds them.
const _: () = assert!(
    offset_of!(Work, sums) == 0
        && offset_of!(Work, next) == 8
        && offset_of!(Work, steps) == 16
        && offset_of!(Work, stride) == 24
        && offset_of!(Work, fetch) == 32
        && offset_of!(Work, fresh) == 40
        && offset_of!(Work, left) == 48
);

/// Multiplies a block: two blocks of rows, the first step of a panel, both halves of the ring.
///
/// All in registers: what is stored in parts and loaded as a whole would have to wait for every store
/// before it, among them those of the last sums.
pub(super) type Multiply =
    unsafe fn(*const bf16, *const bf16, *const u8, *mut bf16, *mut bf16, &mut Work);

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

/// Multiplies what is loaded.
macro_rules! products {
    (block) => {
        concat!(
            "tdpbf16ps tmm0, tmm4, tmm6\n",
            "tdpbf16ps tmm1, tmm4, tmm7\n",
            "tdpbf16ps tmm2, tmm5, tmm6\n",
            "tdpbf16ps tmm3, tmm5, tmm7\n",
        )
    };
    (half) => {
        "tdpbf16ps tmm0, tmm4, tmm6\ntdpbf16ps tmm1, tmm4, tmm7\n"
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

/// Stores the upper halves of zmm`$a` and zmm`$b` in turns; changes the first. A shift and a blend are
/// two operations, `vpermt2w` would be three.
macro_rules! upper {
    ($a:literal, $b:literal, $piece:literal, $half:tt, $pair:literal) => {
        concat!("vpsrld zmm", $a, ", zmm", $a, ", 16\n", store!($a, $b, $piece, $half, $pair),)
    };
}

/// Stores the even words of zmm`$a` and the odd ones of zmm`$b`; changes the first.
macro_rules! store {
    ($a:literal, $b:literal, $piece:literal, $half:tt, $pair:literal) => {
        concat!(
            "vmovdqu16 zmm",
            $a,
            "{{k1}}, zmm",
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
    (1, $half:tt, $pair:literal) => {
        concat!(
            "vpmovzxwd zmm0, [{from} + 128 * ",
            $pair,
            " + 32 * ",
            $half,
            "]\n",
            "vpmovzxwd zmm1, [{from} + 128 * ",
            $pair,
            " + 64 + 32 * ",
            $half,
            "]\n",
            "vpslld zmm1, zmm1, 16\n",
            store!(0, 1, 0, $half, $pair),
        )
    };
    (2, $half:tt, $pair:literal) => {
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
    (3, $half:tt, $pair:literal) => {
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

/// Asks for memory while half of a pair of steps is split: for what comes next, or for what lies 16 KB
/// beyond.
///
/// In the first case, many rows ask for each line several times: one that is still under way costs
/// little, and the reads are more evenly spread than with branches.
macro_rules! ask {
    (next, $pieces:tt, $half:tt, $pair:literal) => {
        "prefetcht1 [{fetch}]\nprefetcht1 [{fetch} + 64]\nadd {fetch}, {stride}\n"
    };
    (beyond, 3, $half:tt, $pair:literal) => {
        concat!(
            "prefetcht1 [{from} + 16384 + 256 * ",
            $pair,
            " + 128 * ",
            $half,
            "]\n",
            "prefetcht1 [{from} + 16384 + 256 * ",
            $pair,
            " + 128 * ",
            $half,
            " + 64]\n",
        )
    };
    (beyond, $pieces:tt, $half:tt, $pair:literal) => {
        concat!("prefetcht1 [{from} + 16384 + 128 * ", $pair, " + 64 * ", $half, "]\n")
    };
}

/// Fetches a share of the next step of the left operand into the L1: a tile register that is loaded
/// from the L2 keeps its products waiting.
macro_rules! left_ahead {
    (half, 1, $pair:literal) => {
        ""
    };
    ($rows:ident, 0, $pair:literal) => {
        three_lines!("upper_ahead", $pair)
    };
    (block, 1, $pair:literal) => {
        three_lines!("lower_ahead", $pair)
    };
}

macro_rules! three_lines {
    ($from:literal, $pair:literal) => {
        concat!(
            "prefetcht0 [{",
            $from,
            "} + 192 * ",
            $pair,
            "]\nprefetcht0 [{",
            $from,
            "} + 64 + 192 * ",
            $pair,
            "]\nprefetcht0 [{",
            $from,
            "} + 128 + 192 * ",
            $pair,
            "]\n",
        )
    };
}

/// Splits some pairs of the next step, and fetches what belongs to them.
macro_rules! pairs {
    ($rows:ident, $ask:ident, $pieces:tt, $($pair:literal)*) => {
        concat!($(
            split!($pieces, 0, $pair),
            left_ahead!($rows, 0, $pair),
            ask!($ask, $pieces, 0, $pair),
            split!($pieces, 1, $pair),
            left_ahead!($rows, 1, $pair),
            ask!($ask, $pieces, 1, $pair),
        )*)
    };
}

/// One step: the products of pieces, of which only one changes from each to the next. The numbers are
/// added in the same order whatever the pieces of the right operand; those it lacks are zero.
macro_rules! step {
    ($rows:ident, $ask:ident, 1) => {
        concat!(
            left!($rows, 1), right!(0), products!($rows), pairs!($rows, $ask, 1, 0 1 2 3 4 5),
            left!($rows, 2), products!($rows), pairs!($rows, $ask, 1, 6 7 8 9 10),
            left!($rows, 0), products!($rows), pairs!($rows, $ask, 1, 11 12 13 14 15),
        )
    };
    ($rows:ident, $ask:ident, 2) => {
        concat!(
            left!($rows, 0), right!(1), products!($rows), pairs!($rows, $ask, 2, 0 1 2 3),
            left!($rows, 1), products!($rows), pairs!($rows, $ask, 2, 4 5 6),
            right!(0), products!($rows), pairs!($rows, $ask, 2, 7 8 9),
            left!($rows, 2), products!($rows), pairs!($rows, $ask, 2, 10 11 12),
            left!($rows, 0), products!($rows), pairs!($rows, $ask, 2, 13 14 15),
        )
    };
    ($rows:ident, $ask:ident, 3) => {
        concat!(
            left!($rows, 0), right!(2), products!($rows), pairs!($rows, $ask, 3, 0 1 2 3),
            right!(1), products!($rows), pairs!($rows, $ask, 3, 4 5 6 7),
            left!($rows, 1), products!($rows), pairs!($rows, $ask, 3, 8 9 10 11),
            right!(0), products!($rows), pairs!($rows, $ask, 3, 12 13 14 15),
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
            "mov {stride}, 128\n",
            sums!(load, $rows),
            "jmp 6f\n",
            "5:\n",
            "tilezero tmm0\ntilezero tmm1\ntilezero tmm2\ntilezero tmm3\n",
            "6:\n",
            "mov {fetch}, [{work} + 32]\n",
            "mov {stride}, [{work} + 24]\n",
        )
    };
}

macro_rules! sums {
    (load, half) => {
        "tileloadd tmm0, [{fetch} + {stride}]\ntileloadd tmm1, [{fetch} + {stride} + 64]\n"
    };
    (load, block) => {
        concat!(
            sums!(load, half),
            "tileloadd tmm2, [{fetch} + {stride} + 2048]\n",
            "tileloadd tmm3, [{fetch} + {stride} + 2048 + 64]\n",
        )
    };
    (store, half) => {
        "tilestored [{fetch} + {stride}], tmm0\ntilestored [{fetch} + {stride} + 64], tmm1\n"
    };
    (store, block) => {
        concat!(
            sums!(store, half),
            "tilestored [{fetch} + {stride} + 2048], tmm2\n",
            "tilestored [{fetch} + {stride} + 2048 + 64], tmm3\n",
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
/// pieces of the right operand. Memory is asked for a chunk ahead (`next`) or a little (`beyond`).
macro_rules! block {
    ($name:ident, $rows:ident, $pieces:tt, $ask:ident) => {
        /// Computes the sums of a block, and splits what comes next.
        ///
        /// # Safety
        ///
        /// Tiles are configured; `left` and `lower` have three pieces of the steps of 16 rows each (the
        /// second is read for 32 rows only); `from` has as many steps, and `work.next` one; `now` has the
        /// pieces of the first, `later` has room for another; `work.sums` is `[rows][32]`.
        #[target_feature(enable = "avx512f,avx512bw")]
        pub(super) unsafe fn $name(
            left: *const bf16,
            lower: *const bf16,
            from: *const u8,
            now: *mut bf16,
            later: *mut bf16,
            work: &mut Work,
        ) {
            // SAFETY: reads what is promised, one step of tiles at a time, and changes the sums; splits
            // each step but the first, and the next one. Prefetches read nothing and never fault.
            unsafe {
                tile_asm!(
                    "mov {stride:e}, 0xaaaaaaaa",
                    "kmovd k1, {stride:e}",
                    "vpternlogd zmm31, zmm31, zmm31, 0xff",
                    "vpslld zmm31, zmm31, 16",
                    begin!($rows),
                    "2:",
                    concat!("add {from}, ", step_bytes!($pieces)),
                    "lea {upper_ahead}, [{left} + 3072]",
                    "cmp qword ptr [{work} + 16], 1",
                    "cmove {from}, [{work} + 8]",
                    "cmove {upper_ahead}, [{work} + 48]",
                    "mov {lower_ahead}, {upper_ahead}",
                    "sub {lower_ahead}, {left}",
                    "add {lower_ahead}, {lower}",
                    step!($rows, $ask, $pieces),
                    "add {left}, 3072",
                    "add {lower}, 3072",
                    "xchg {now}, {later}",
                    "dec qword ptr [{work} + 16]",
                    "jnz 2b",
                    "mov [{work} + 32], {fetch}",
                    "mov {fetch}, [{work}]",
                    "mov {stride}, 128",
                    sums!(store, $rows),
                    left = inout(reg) left => _,
                    lower = inout(reg) lower => _,
                    row = in(reg) ROW,
                    from = inout(reg) from => _,
                    now = inout(reg) now => _,
                    later = inout(reg) later => _,
                    work = in(reg) work,
                    fetch = out(reg) _,
                    stride = out(reg) _,
                    upper_ahead = out(reg) _,
                    lower_ahead = out(reg) _,
                    out("zmm0") _, out("zmm1") _, out("zmm2") _, out("zmm3") _, out("zmm4") _,
                    out("zmm5") _, out("zmm31") _, out("k1") _,
                );
            }
        }
    };
}

block!(block_1, block, 1, next);
block!(block_2, block, 2, next);
block!(block_3, block, 3, next);
block!(half_block_1, half, 1, next);
block!(half_block_2, half, 2, next);
block!(half_block_3, half, 3, next);
block!(block_1_beyond, block, 1, beyond);
block!(block_2_beyond, block, 2, beyond);
block!(block_3_beyond, block, 3, beyond);
block!(half_block_1_beyond, half, 1, beyond);
block!(half_block_2_beyond, half, 2, beyond);
block!(half_block_3_beyond, half, 3, beyond);
