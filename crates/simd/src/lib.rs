//! Portable SIMD for nervio: one vector trait, one token per instruction set.
//!
//! A kernel is written once, generic over [`Simd`]: a zero-sized *token* that stands for an
//! instruction set and whose methods are its vector operations. A token cannot be made by hand:
//! the only ways to one are [`Isa::run`] and [`Isa::run_floats`], and an [`Isa`] exists only for an
//! instruction set that this processor was seen to support. So every kernel above this crate is
//! safe code, and the intrinsics live here alone.
//!
//! ```
//! use nervio_simd::{Isa, Kernel, Simd};
//!
//! /// `y[i] += a * x[i]`
//! struct Axpy<'a> {
//!     a: f32,
//!     x: &'a [f32],
//!     y: &'a mut [f32],
//! }
//!
//! impl Kernel for Axpy<'_> {
//!     type Output = ();
//!     #[inline(always)]
//!     fn run<S: Simd>(self, simd: S) {
//!         let a = simd.splat(self.a);
//!         for (y, x) in self.y.chunks_mut(S::LANES).zip(self.x.chunks(S::LANES)) {
//!             let sum = simd.mul_add(a, simd.load_partial(x), simd.load_partial(y));
//!             simd.store_partial(sum, y);
//!         }
//!     }
//! }
//!
//! let mut y = vec![1.0; 19];
//! Isa::best().run(Axpy { a: 2.0, x: &[3.0; 19], y: &mut y });
//! assert_eq!(y, vec![7.0; 19]);
//! ```
//!
//! # Instruction sets
//!
//! | level | needs | vector | 8-bit products |
//! | --- | --- | --- | --- |
//! | [`Level::Amx`] | the same as below, AMX with 8-bit integers and bfloat16, and Linux | 16 × f32; matrices of linear layers by `tdpbf16ps`, in pieces | `tdpbusd`; elsewhere `vpdpbusd` |
//! | [`Level::Avx512Vnni`] | x86-64 with AVX-512 F, BW, DQ, VL and VNNI | 16 × f32 | `vpdpbusd` |
//! | [`Level::Avx512`] | x86-64 with AVX-512 F, BW, DQ and VL | 16 × f32 | in pairs, 16 bits |
//! | [`Level::AvxVnni`] | x86-64 with AVX2, FMA, F16C and AVX-VNNI | 8 × f32 | `vpdpbusd` |
//! | [`Level::Avx2`] | x86-64 with AVX2, FMA and F16C | 8 × f32 | in pairs, 16 bits |
//! | [`Level::NeonDot`] | AArch64 with NEON and its dot product | 4 × f32 | `sdot` |
//! | [`Level::Neon`] | AArch64 with NEON | 4 × f32 | in pairs, 16 bits |
//! | [`Level::Portable`] | nothing (`wide`: SSE2, NEON or simd128 as the build has) | 8 × f32 | one by one |
//!
//! `NERVIO_ISA=portable|avx2|avxvnni|avx512|avx512vnni|amx|neon|neondot` forces one; a level that this
//! machine lacks is an error, never a silent fall-back. Results are bit-identical on one level and
//! differ by rounding between levels.
//!
//! # Inlining
//!
//! An intrinsic compiles to one instruction only inside a function that has its target feature
//! enabled. [`Isa::run`] and [`Isa::run_floats`] enter such a function; everything below must be
//! inlined into it. Therefore every [`Kernel::run`] and every helper generic over [`Simd`] carries
//! `#[inline(always)]`, and vectors are never handed to closures.

#![deny(unsafe_code)]

#[cfg(target_arch = "x86_64")]
mod amx;
#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "x86_64")]
mod avx512;
mod floats;
mod isa;
mod matrix;
#[cfg(target_arch = "aarch64")]
mod neon;
#[cfg(not(target_arch = "x86_64"))]
mod no_amx;
mod portable;
#[cfg(target_arch = "x86_64")]
mod processor;
mod simd;

#[cfg(target_arch = "x86_64")]
pub use amx::{Configured, Ring, Tiles};
pub use floats::{Ahead, Floats};
pub use isa::{Isa, IsaError, Level};
pub use matrix::MatMut;
#[cfg(not(target_arch = "x86_64"))]
pub use no_amx::{Configured, Ring, Tiles};
pub use simd::{Kernel, MAX_LANES, Simd};
