//! A product whose columns are computed in an order of the caller's.

use std::ops::Range;

use nervio_simd::{Isa, MatMut};

use super::block::{DEPTH, Left, Product};
use super::epilogue::Epilogue;
use super::packed_matrix::{PackedMatrix, WeightKind};
use super::plan::{shares, spread, tile_rows};
use super::row_panels::RowPanels;
use super::steps::Steps;
use super::widening::stretch;
use super::{SUPER_ROWS, multiply_packed, pack_operand};
use crate::parallel::Block;
use crate::workspace::LeafBuffers;

/// A left operand of few rows, packed once for all columns of the weights.
pub(crate) struct ByColumns<'a> {
    isa: Isa,
    weights: &'a PackedMatrix,
    /// `[outputs]`
    bias: &'a [f32],
    left: Left<'a>,
    rows: RowPanels,
}

impl<'a> ByColumns<'a> {
    /// Most rows: as many as stay near while some columns are computed.
    pub(crate) const MOST_ROWS: usize = SUPER_ROWS;

    /// Packs `left`, `[rows, inputs]`.
    pub(crate) fn pack(
        isa: Isa,
        left: &'a [f32],
        (weights, bias): (&'a PackedMatrix, &'a [f32]),
        buffers: &'a mut LeafBuffers,
    ) -> Self {
        let count = left.len() / weights.depth();
        let rows = RowPanels::new(count, tile_rows(isa, weights, count));
        let shares = shares(isa, weights, count, 1);
        let left = pack_operand(isa, buffers, left, rows, weights, shares);
        Self { isa, weights, bias, left, rows }
    }

    /// `out = left · weights[columns]ᵀ + bias[columns]`, `[rows, columns]`, for some panels of columns.
    /// `then` is the column with which the panel begins that is read next, if it is known.
    ///
    /// # Panics
    ///
    /// When the columns do not begin with a panel.
    pub(crate) fn multiply(
        &self,
        columns: Range<usize>,
        then: Option<usize>,
        out: &mut [f32],
        buffers: &mut LeafBuffers,
    ) {
        let (width, depth) = (self.weights.panel_width(), self.weights.depth());
        assert!(columns.start.is_multiple_of(width), "columns begin with a panel");
        let int8 = self.weights.kind() == WeightKind::Int8;
        let first = Steps { start: 0, end: if int8 { depth } else { depth.min(DEPTH) }, depth };
        let then = then.map(|column| first.bytes(self.weights.panels(), column / width, width));
        let epilogue = Epilogue::Bias(&self.bias[columns.clone()]);
        let product = Product {
            left: self.left,
            panels: self.weights.panels_of(columns.start / width..columns.end.div_ceil(width)),
            epilogue: &epilogue,
            rows: self.rows,
            first_row: 0,
            depth,
            columns: columns.len(),
            stretch: stretch(self.isa),
            spread: spread(self.isa, self.weights, self.rows),
            then: then.unwrap_or(&[]),
        };
        let block = Block { out: MatMut::new(out, columns.len()), row: 0, column: 0 };
        multiply_packed(self.isa, &product, block, buffers);
    }
}
