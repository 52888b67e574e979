//! What the loops of a block leave open: how a tile of floats, or of bytes, is multiplied.

use std::ops::Range;

use nervio_simd::Simd;

use super::block::{Left, Product, TileJob};
use super::int8::multiply_int8;
use super::steps::{Right, Steps};
use super::tile::multiply;
use super::widening::{Begun, Room};

/// The kind of both operands. A type, so that the loops exist for the tiles of one kind at a time, and those
/// for floats once for all instruction sets that differ in products of bytes.
pub(crate) trait Operands {
    /// Makes column panel `panel` ready: multiplies `tiles` of rows by all stretches of `steps` but the last.
    fn begin<'a, S: Simd, const V: usize, const P: usize>(
        s: S,
        product: &Product<'a>,
        steps: Steps,
        panel: usize,
        tiles: Range<usize>,
        next: &'a [u8],
        room: &'a mut Room<'_>,
    ) -> Begun<'a>;

    /// The sums of a whole tile over the steps that are left.
    fn sums<S: Simd, const R: usize, const V: usize, const P: usize>(
        s: S,
        product: &Product<'_>,
        job: &TileJob<'_>,
    ) -> [[S::Vector; V]; R];
}

/// `f32`, or half precision that is widened.
pub(crate) struct Floats;

impl Operands for Floats {
    #[inline(always)]
    fn begin<'a, S: Simd, const V: usize, const P: usize>(
        s: S,
        product: &Product<'a>,
        steps: Steps,
        panel: usize,
        tiles: Range<usize>,
        next: &'a [u8],
        room: &'a mut Room<'_>,
    ) -> Begun<'a> {
        product.all_but_last::<S, V, P>(s, steps, panel, tiles, next, room)
    }

    #[inline(always)]
    fn sums<S: Simd, const R: usize, const V: usize, const P: usize>(
        s: S,
        product: &Product<'_>,
        job: &TileJob<'_>,
    ) -> [[S::Vector; V]; R] {
        let Begun { all, steps, right, .. } = job.begun;
        let (Left::Float(left), Right::Float(right)) = (product.left, *right) else {
            unreachable!("floats are multiplied by floats")
        };
        let left = left.steps(steps, job.panel, S::TILE_ROWS);
        let sums = job.begun.sums::<S, R, V>(s, job.index);
        multiply::<S, R, V, P>(s, left, right, sums, steps.ahead(all, job.ahead, V * S::LANES))
    }
}

/// Bytes.
pub(crate) struct Bytes;

impl Operands for Bytes {
    #[inline(always)]
    fn begin<'a, S: Simd, const V: usize, const P: usize>(
        s: S,
        product: &Product<'a>,
        steps: Steps,
        panel: usize,
        _: Range<usize>,
        next: &'a [u8],
        _: &'a mut Room<'_>,
    ) -> Begun<'a> {
        Begun::whole(steps, steps.right(s, product.panels, panel, V * S::LANES, &mut []), next)
    }

    #[inline(always)]
    fn sums<S: Simd, const R: usize, const V: usize, const P: usize>(
        s: S,
        product: &Product<'_>,
        job: &TileJob<'_>,
    ) -> [[S::Vector; V]; R] {
        let Begun { steps, right, .. } = job.begun;
        let (Left::Int8(left), Right::Int8(right)) = (product.left, *right) else {
            unreachable!("bytes are multiplied by bytes")
        };
        let values = steps.left(left.values, job.panel, S::TILE_ROWS);
        let rows = &left.scales[job.panel * S::TILE_ROWS..][..S::TILE_ROWS];
        multiply_int8::<S, R, V, P>(s, values, rows, right, job.ahead)
    }
}
