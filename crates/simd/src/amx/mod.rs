//! Intel's matrix extension (AMX): products of blocks of bytes or of bfloat16, summed in 32 bits, by
//! tile registers.
#![allow(unsafe_code, reason = "tile instructions have no intrinsics in stable Rust")]

mod bytes;
mod configured;
mod pieces;
mod split;
mod step;

use core::arch::asm;
use core::arch::x86_64::{__cpuid, __cpuid_count};

pub use configured::Configured;
pub use pieces::Ring;

/// Rows of a tile register, and columns of one of 32-bit sums.
const TILE: usize = 16;

/// Bytes of a row of a tile register.
const ROW: usize = 64;

/// Columns of a block of sums: two tile registers.
const COLUMNS: usize = 2 * TILE;

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
use tile_asm;

/// Repeats `$instruction` on registers alone, at least once.
macro_rules! spin {
    ($instruction:literal, $rounds:expr) => {
        tile_asm!(
            "2:",
            concat!($instruction, " tmm0, tmm4, tmm6"),
            concat!($instruction, " tmm1, tmm4, tmm7"),
            concat!($instruction, " tmm2, tmm5, tmm6"),
            concat!($instruction, " tmm3, tmm5, tmm7"),
            "dec {rounds}",
            "jnz 2b",
            rounds = inout(reg) $rounds => _,
        )
    };
}

/// Proof that the processor has AMX with 8-bit integers and bfloat16, and AVX-512 F and BW, and that
/// the system lets this process use them.
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

    /// The token, where the processor has the tiles and the system grants them.
    pub(crate) fn new() -> Option<Self> {
        (processor_has_tiles() && system_grants_tiles()).then_some(Self(()))
    }

    /// Multiplies tiles of bytes `rounds` times without memory and gives the number of multiplications
    /// and additions of bytes: the roof that no product of tiles can pass.
    #[must_use]
    pub fn spin_bytes(self, rounds: usize) -> usize {
        let _configured = self.configure();
        // SAFETY: tiles are configured.
        unsafe { spin!("tdpbusd", rounds.max(1)) };
        rounds.max(1) * 4 * 2 * TILE * TILE * ROW
    }

    /// The same with tiles of bfloat16.
    #[must_use]
    pub fn spin_pieces(self, rounds: usize) -> usize {
        let _configured = self.configure();
        // SAFETY: tiles are configured.
        unsafe { spin!("tdpbf16ps", rounds.max(1)) };
        rounds.max(1) * 4 * 2 * TILE * TILE * split::STEPS
    }
}

/// Leaf 7 of `cpuid` names AMX-BF16, AMX-TILE and AMX-INT8; the system must have switched both parts
/// of their state on (Intel SDM, volume 1, 13.3 and chapter 18).
fn processor_has_tiles() -> bool {
    const OSXSAVE: u32 = 1 << 27;
    const AMX: u32 = 1 << 22 | 1 << 24 | 1 << 25;
    const STATE: u32 = 0b11 << 17;
    // SAFETY: every x86-64 processor has `cpuid`; a leaf is asked for once the last one is known.
    #[allow(unused_unsafe, reason = "the functions became safe after the oldest supported Rust")]
    let known = unsafe {
        __cpuid(0).eax >= 7 && __cpuid(1).ecx & OSXSAVE != 0 && __cpuid_count(7, 0).edx & AMX == AMX
    };
    let vectors = is_x86_feature_detected!("avx512f") && is_x86_feature_detected!("avx512bw");
    if !known || !vectors {
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
