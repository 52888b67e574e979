//! Which instruction set runs: detected once, or forced by `NERVIO_ISA`.

use std::fmt;
use std::str::FromStr;
use std::sync::OnceLock;

#[cfg(target_arch = "x86_64")]
use crate::amx::Tiles;
#[cfg(target_arch = "x86_64")]
use crate::avx2::Avx2;
#[cfg(target_arch = "x86_64")]
use crate::avx512::Avx512;
#[cfg(target_arch = "aarch64")]
use crate::neon::Neon;
#[cfg(not(target_arch = "x86_64"))]
use crate::no_amx::Tiles;
use crate::portable::Portable;
#[cfg(target_arch = "x86_64")]
use crate::processor::is_intel;
use crate::{Kernel, Simd};

/// The environment variable that forces a level.
const VARIABLE: &str = "NERVIO_ISA";

/// The name of an instruction set, supported here or not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Level {
    /// `wide` over whatever the build targets.
    Portable,
    /// x86-64 with AVX2, FMA and F16C.
    Avx2,
    /// The same with AVX-VNNI for 8-bit products.
    AvxVnni,
    /// x86-64 with AVX-512 F, BW, DQ and VL.
    Avx512,
    /// The same with AVX-512 VNNI for 8-bit products.
    Avx512Vnni,
    /// The same with AMX for the products of linear layers.
    Amx,
    /// AArch64 with NEON.
    Neon,
    /// The same with the dot product of bytes for 8-bit products.
    NeonDot,
}

impl Level {
    /// Every level that the project has; those of one architecture slowest first.
    pub const ALL: [Self; 8] = [
        Self::Portable,
        Self::Avx2,
        Self::AvxVnni,
        Self::Avx512,
        Self::Avx512Vnni,
        Self::Amx,
        Self::Neon,
        Self::NeonDot,
    ];
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Portable => "portable",
            Self::Avx2 => "avx2",
            Self::AvxVnni => "avxvnni",
            Self::Avx512 => "avx512",
            Self::Avx512Vnni => "avx512vnni",
            Self::Amx => "amx",
            Self::Neon => "neon",
            Self::NeonDot => "neondot",
        })
    }
}

impl FromStr for Level {
    type Err = IsaError;

    fn from_str(name: &str) -> Result<Self, IsaError> {
        Self::ALL
            .into_iter()
            .find(|level| level.to_string() == name)
            .ok_or_else(|| IsaError::Unknown(name.to_owned()))
    }
}

/// Why an instruction set was refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum IsaError {
    /// The name is not one of [`Level::ALL`].
    Unknown(String),
    /// The processor, or this build, lacks the level.
    Unsupported(Level),
}

impl fmt::Display for IsaError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unknown(name) => {
                let known = Level::ALL.map(|level| level.to_string()).join(", ");
                write!(
                    f,
                    "{VARIABLE}: no instruction set is called {name:?}; expected one of {known}"
                )
            }
            Self::Unsupported(level) => {
                write!(f, "{VARIABLE}: this machine does not support {level}; it has ")?;
                let has: Vec<_> = Isa::supported().map(|isa| isa.level().to_string()).collect();
                f.write_str(&has.join(", "))
            }
        }
    }
}

impl std::error::Error for IsaError {}

/// An instruction set that this processor supports.
#[derive(Clone, Copy, Debug)]
pub struct Isa(Token);

/// One variant per leg, each holding the leg's proof.
#[derive(Clone, Copy, Debug)]
enum Token {
    Portable(Portable),
    #[cfg(target_arch = "x86_64")]
    Avx2(Avx2<false>),
    #[cfg(target_arch = "x86_64")]
    AvxVnni(Avx2<true>),
    #[cfg(target_arch = "x86_64")]
    Avx512(Avx512<false>),
    #[cfg(target_arch = "x86_64")]
    Avx512Vnni(Avx512<true>),
    #[cfg(target_arch = "x86_64")]
    Amx(Avx512<true>, Tiles),
    #[cfg(target_arch = "aarch64")]
    Neon(Neon<false>),
    #[cfg(target_arch = "aarch64")]
    NeonDot(Neon<true>),
}

impl Isa {
    /// The instruction set of `level`, if this processor has it.
    #[must_use]
    pub fn new(level: Level) -> Option<Self> {
        match level {
            Level::Portable => Some(Self(Token::Portable(Portable::new()))),
            #[cfg(target_arch = "x86_64")]
            Level::Avx2 => Avx2::new().map(|token| Self(Token::Avx2(token))),
            #[cfg(target_arch = "x86_64")]
            Level::AvxVnni => Avx2::new().map(|token| Self(Token::AvxVnni(token))),
            #[cfg(target_arch = "x86_64")]
            Level::Avx512 => Avx512::new().map(|token| Self(Token::Avx512(token))),
            #[cfg(target_arch = "x86_64")]
            Level::Avx512Vnni => Avx512::new().map(|token| Self(Token::Avx512Vnni(token))),
            #[cfg(target_arch = "x86_64")]
            Level::Amx => Some(Self(Token::Amx(Avx512::new()?, Tiles::new()?))),
            #[cfg(target_arch = "aarch64")]
            Level::Neon => Neon::new().map(|token| Self(Token::Neon(token))),
            #[cfg(target_arch = "aarch64")]
            Level::NeonDot => Neon::new().map(|token| Self(Token::NeonDot(token))),
            // Levels of other architectures.
            _ => None,
        }
    }

    /// Every instruction set of this processor, slowest first.
    pub fn supported() -> impl Iterator<Item = Self> {
        Level::ALL.into_iter().filter_map(Self::new)
    }

    /// The fastest instruction set of this processor, detected once per process.
    #[must_use]
    pub fn best() -> Self {
        static BEST: OnceLock<Isa> = OnceLock::new();
        *BEST.get_or_init(|| {
            Self::supported().last().unwrap_or(Self(Token::Portable(Portable::new())))
        })
    }

    /// The instruction set that `NERVIO_ISA` names, else [`Isa::best`].
    ///
    /// # Errors
    ///
    /// When the variable holds an unknown name or a level that this processor lacks.
    pub fn from_env() -> Result<Self, IsaError> {
        match std::env::var(VARIABLE) {
            Ok(name) if !name.is_empty() => {
                let level = name.parse()?;
                Self::new(level).ok_or(IsaError::Unsupported(level))
            }
            Err(std::env::VarError::NotUnicode(name)) => {
                Err(IsaError::Unknown(name.to_string_lossy().into_owned()))
            }
            _ => Ok(Self::best()),
        }
    }

    /// The name of this instruction set.
    #[must_use]
    pub fn level(self) -> Level {
        match self.0 {
            Token::Portable(_) => Level::Portable,
            #[cfg(target_arch = "x86_64")]
            Token::Avx2(_) => Level::Avx2,
            #[cfg(target_arch = "x86_64")]
            Token::AvxVnni(_) => Level::AvxVnni,
            #[cfg(target_arch = "x86_64")]
            Token::Avx512(_) => Level::Avx512,
            #[cfg(target_arch = "x86_64")]
            Token::Avx512Vnni(_) => Level::Avx512Vnni,
            #[cfg(target_arch = "x86_64")]
            Token::Amx(..) => Level::Amx,
            #[cfg(target_arch = "aarch64")]
            Token::Neon(_) => Level::Neon,
            #[cfg(target_arch = "aarch64")]
            Token::NeonDot(_) => Level::NeonDot,
        }
    }

    /// The instruction set under whose name packed weights are kept in files: tile registers read the
    /// panels of vectors.
    #[must_use]
    pub fn panel_level(self) -> Level {
        match self.level() {
            Level::Amx => Level::Avx512Vnni,
            level => level,
        }
    }

    /// Columns of a packed matmul panel: [`Simd::TILE_VECTORS`] × [`Simd::LANES`].
    #[must_use]
    pub fn panel_width(self) -> usize {
        self.run(Sizes).panel_width
    }

    /// Rows of the matmul's register tile: [`Simd::TILE_ROWS`].
    #[must_use]
    pub fn tile_rows(self) -> usize {
        self.run(Sizes).tile_rows
    }

    /// Rows of the matmul's tall register tile, 0 if there is none: [`Simd::TALL_ROWS`].
    #[must_use]
    pub fn tall_rows(self) -> usize {
        self.run(Sizes).tall_rows
    }

    /// Largest magnitude of a packed 8-bit weight: [`Simd::INT8_LIMIT`].
    #[must_use]
    pub fn int8_limit(self) -> i8 {
        self.run(Sizes).int8_limit
    }

    /// Steps from the least byte of a quantised activation to the largest: [`Simd::BYTE_STEPS`].
    #[must_use]
    pub fn byte_steps(self) -> u8 {
        self.run(Sizes).byte_steps
    }

    /// Whether 16-bit products are faster than those of f32: [`Simd::DOT_PAIRS_PAY`].
    #[must_use]
    pub fn dot_pairs_pay(self) -> bool {
        self.run(Sizes).dot_pairs_pay
    }

    /// Whether a core multiplies so much faster than it reads memory that two cores should not both read
    /// the same weights for a few rows each, and that widening these costs it much. So it is with AVX-512 on Intel's servers: two multiply-adds of
    /// 16 floats a cycle, beside some 16 GB/s (Emerald Rapids); on Zen 4 one a cycle, beside 30. Other
    /// processors by Intel with AVX-512 are taken to be alike.
    #[must_use]
    pub fn outruns_memory(self) -> bool {
        match self.0 {
            #[cfg(target_arch = "x86_64")]
            Token::Avx512(_) | Token::Avx512Vnni(_) | Token::Amx(..) => is_intel(),
            _ => false,
        }
    }

    /// Products by tile registers, if this instruction set has them.
    #[must_use]
    pub fn tiles(self) -> Option<Tiles> {
        match self.0 {
            #[cfg(target_arch = "x86_64")]
            Token::Amx(_, tiles) => Some(tiles),
            _ => None,
        }
    }

    /// Runs `kernel` with this instruction set enabled.
    #[inline]
    pub fn run<K: Kernel>(self, kernel: K) -> K::Output {
        match self.0 {
            Token::Portable(token) => kernel.run(token),
            #[cfg(target_arch = "x86_64")]
            Token::Avx2(token) => token.run(kernel),
            #[cfg(target_arch = "x86_64")]
            Token::AvxVnni(token) => token.run(kernel),
            #[cfg(target_arch = "x86_64")]
            Token::Avx512(token) => token.run(kernel),
            #[cfg(target_arch = "x86_64")]
            Token::Avx512Vnni(token) | Token::Amx(token, _) => token.run(kernel),
            #[cfg(target_arch = "aarch64")]
            Token::Neon(token) => token.run(kernel),
            #[cfg(target_arch = "aarch64")]
            Token::NeonDot(token) => token.run(kernel),
        }
    }

    /// Runs a kernel of floats: as [`run`](Isa::run), but instruction sets that differ in products of integers
    /// alone share a leg, so that the kernel's code exists once for all of them.
    ///
    /// The bits of floats are those of [`run`](Isa::run). Integers that were packed for this instruction set are
    /// not for such a kernel: [`Simd::INT8_LIMIT`] and its like are those of the leg.
    #[inline]
    pub fn run_floats<K: Kernel>(self, kernel: K) -> K::Output {
        match self.0 {
            Token::Portable(token) => kernel.run(token),
            #[cfg(target_arch = "x86_64")]
            Token::Avx2(token) => token.run(kernel),
            #[cfg(target_arch = "x86_64")]
            Token::AvxVnni(token) => token.floats().run(kernel),
            #[cfg(target_arch = "x86_64")]
            Token::Avx512(token) => token.run(kernel),
            #[cfg(target_arch = "x86_64")]
            Token::Avx512Vnni(token) | Token::Amx(token, _) => token.floats().run(kernel),
            #[cfg(target_arch = "aarch64")]
            Token::Neon(token) => token.run(kernel),
            #[cfg(target_arch = "aarch64")]
            Token::NeonDot(token) => token.floats().run(kernel),
        }
    }
}

/// Asks a leg for its constants.
struct Sizes;

/// What [`Sizes`] answers.
struct LegSizes {
    panel_width: usize,
    tile_rows: usize,
    tall_rows: usize,
    int8_limit: i8,
    byte_steps: u8,
    dot_pairs_pay: bool,
}

impl Kernel for Sizes {
    type Output = LegSizes;
    #[inline(always)]
    fn run<S: Simd>(self, _: S) -> LegSizes {
        LegSizes {
            panel_width: S::TILE_VECTORS * S::LANES,
            tile_rows: S::TILE_ROWS,
            tall_rows: S::TALL_ROWS,
            int8_limit: S::INT8_LIMIT,
            byte_steps: S::BYTE_STEPS,
            dot_pairs_pay: S::DOT_PAIRS_PAY,
        }
    }
}

impl PartialEq for Isa {
    fn eq(&self, other: &Self) -> bool {
        self.level() == other.level()
    }
}

impl Eq for Isa {}

impl fmt::Display for Isa {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.level().fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_machine_has_the_portable_leg() {
        assert!(Isa::supported().any(|isa| isa.level() == Level::Portable));
    }

    #[test]
    fn kernels_of_floats_find_panels_as_this_level_packs_them() {
        for isa in Isa::supported() {
            let (own, shared) = (isa.run(Sizes), isa.run_floats(Sizes));
            let layout = |sizes: LegSizes| (sizes.panel_width, sizes.tile_rows, sizes.tall_rows);
            assert_eq!(layout(own), layout(shared), "{isa}");
        }
    }

    #[test]
    #[cfg(target_arch = "x86_64")]
    fn only_wide_vectors_outrun_memory() {
        let system = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
        for isa in Isa::supported() {
            let wide = isa.level() >= Level::Avx512;
            assert!(wide || !isa.outruns_memory(), "{isa}");
            if wide && system.contains("vendor_id") {
                assert_eq!(isa.outruns_memory(), system.contains("GenuineIntel"), "{isa}");
            }
        }
    }

    #[test]
    fn names_round_trip_and_unknown_names_are_refused() {
        for level in Level::ALL {
            assert_eq!(level.to_string().parse(), Ok(level));
        }
        let error = "sse9".parse::<Level>().unwrap_err().to_string();
        assert!(error.contains("sse9") && error.contains("portable"), "{error}");
    }
}
