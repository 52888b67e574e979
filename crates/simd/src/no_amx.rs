//! Where there is no AMX.

use std::marker::PhantomData;
use std::ops::Range;

use half::bf16;

use crate::{Ahead, Floats};

/// Two steps in pieces, which nothing splits here.
#[derive(Debug)]
pub struct Ring<'a>(Tiles, PhantomData<&'a mut [bf16]>);

impl<'a> Ring<'a> {
    /// Cannot be called.
    #[must_use]
    pub fn new(tiles: Tiles, _pieces: &'a mut [bf16], _panel: Floats<'_>, _ahead: Ahead) -> Self {
        match tiles {}
    }
}

/// The configuration of tile registers, which there are none of.
#[derive(Debug)]
pub struct Configured(Tiles, PhantomData<*const ()>);

/// Products by tile registers, which no processor of this architecture has: there is no such value.
#[derive(Clone, Copy, Debug)]
pub enum Tiles {}

impl Tiles {
    /// Rows that are multiplied at once.
    pub const ROWS: usize = 16;

    /// Columns of a panel of the right operand.
    pub const COLUMNS: usize = 32;

    /// The length of sums of bytes is a multiple of this.
    pub const BYTE_STEPS: usize = 64;

    /// Depths of products of floats are multiples of this.
    pub const FLOAT_STEPS: usize = 32;

    /// Elements of the room in which weights are split.
    pub const RING_LEN: usize = 2 * 3 * 1024;

    /// Products of pieces in one product of floats.
    #[must_use]
    pub fn piece_products(pieces: usize) -> usize {
        pieces + 2 + usize::from(pieces > 1)
    }

    /// Elements of `rows` rows of `depth` floats in pieces.
    #[must_use]
    pub fn left_len(rows: usize, depth: usize) -> usize {
        rows * depth * 3
    }

    /// Cannot be called.
    #[must_use]
    pub fn configure(self) -> Configured {
        match self {}
    }

    /// Cannot be called.
    pub fn multiply_bytes(
        self,
        _left: (&[u8], usize),
        _right: &[i8],
        _sums: (&mut [i32], bool),
        _next: &[i8],
    ) {
        match self {}
    }

    /// Cannot be called.
    pub fn split_rows(self, _rows: (&[f32], usize), _columns: Range<usize>, _out: &mut [bf16]) {
        match self {}
    }

    /// Cannot be called.
    pub fn multiply_pieces(
        self,
        _left: (&[bf16], usize),
        _right: Floats<'_>,
        _sums: (&mut [f32], bool),
        _ring: &mut Ring<'_>,
        _next: Floats<'_>,
    ) {
        match self {}
    }

    /// Cannot be called.
    #[must_use]
    pub fn spin_bytes(self, _rounds: usize) -> usize {
        match self {}
    }

    /// Cannot be called.
    #[must_use]
    pub fn spin_pieces(self, _rounds: usize) -> usize {
        match self {}
    }
}
