//! What happens to a tile of sums before it is stored.

use crate::activation::Activation;

/// The last step of a product, done on the tile while it is in registers.
#[derive(Clone, Copy, Debug)]
pub enum Epilogue<'a> {
    /// The sums as they are.
    None,
    /// `sum + bias[column]`; `[n]`.
    Bias(&'a [f32]),
    /// `activation(sum + bias[column])`; `[n]`.
    BiasActivation(&'a [f32], Activation),
    /// `sum + bias[column] + residual[row, column]`; `[n]` and `[m, n]`.
    BiasResidual(&'a [f32], &'a [f32]),
}

impl<'a> Epilogue<'a> {
    /// The bias, if there is one; `[n]`.
    pub(crate) fn bias(&self) -> Option<&'a [f32]> {
        match *self {
            Self::None => None,
            Self::Bias(bias) | Self::BiasActivation(bias, _) | Self::BiasResidual(bias, _) => {
                Some(bias)
            }
        }
    }

    /// The residual, if there is one; `[m, n]`.
    pub(crate) fn residual(&self) -> Option<&'a [f32]> {
        match *self {
            Self::BiasResidual(_, residual) => Some(residual),
            _ => None,
        }
    }

    /// The activation, if there is one.
    pub(crate) fn activation(&self) -> Option<Activation> {
        match *self {
            Self::BiasActivation(_, activation) => Some(activation),
            _ => None,
        }
    }

    /// Panics unless the lengths fit a result of `n` columns and `len` elements.
    pub(crate) fn check(&self, n: usize, len: usize) {
        assert!(self.bias().is_none_or(|bias| bias.len() == n), "matmul: one bias a column");
        assert!(
            self.residual().is_none_or(|residual| residual.len() == len),
            "matmul: a residual of the result's shape"
        );
    }
}
