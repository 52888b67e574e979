//! Which instruction set runs: detected once, or forced by `NERVIO_ISA`.

use std::fmt;
use std::str::FromStr;
use std::sync::OnceLock;

#[cfg(target_arch = "x86_64")]
use crate::avx2::Avx2;
use crate::portable::Portable;
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
}

impl Level {
    /// Every level that the project has, slowest first.
    pub const ALL: [Self; 2] = [Self::Portable, Self::Avx2];
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Portable => "portable",
            Self::Avx2 => "avx2",
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
    Avx2(Avx2),
}

impl Isa {
    /// The instruction set of `level`, if this processor has it.
    #[must_use]
    pub fn new(level: Level) -> Option<Self> {
        match level {
            Level::Portable => Some(Self(Token::Portable(Portable::new()))),
            #[cfg(target_arch = "x86_64")]
            Level::Avx2 => Avx2::new().map(|token| Self(Token::Avx2(token))),
            #[cfg(not(target_arch = "x86_64"))]
            Level::Avx2 => None,
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
        }
    }

    /// Columns of a packed matmul panel: [`Simd::TILE_VECTORS`] × [`Simd::LANES`].
    #[must_use]
    pub fn panel_width(self) -> usize {
        struct PanelWidth;
        impl Kernel for PanelWidth {
            type Output = usize;
            #[inline(always)]
            fn run<S: Simd>(self, _: S) -> usize {
                S::TILE_VECTORS * S::LANES
            }
        }
        self.run(PanelWidth)
    }

    /// Runs `kernel` with this instruction set enabled.
    #[inline]
    pub fn run<K: Kernel>(self, kernel: K) -> K::Output {
        match self.0 {
            Token::Portable(token) => kernel.run(token),
            #[cfg(target_arch = "x86_64")]
            Token::Avx2(token) => token.run(kernel),
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
    fn names_round_trip_and_unknown_names_are_refused() {
        for level in Level::ALL {
            assert_eq!(level.to_string().parse(), Ok(level));
        }
        let error = "sse9".parse::<Level>().unwrap_err().to_string();
        assert!(error.contains("sse9") && error.contains("portable"), "{error}");
    }
}
