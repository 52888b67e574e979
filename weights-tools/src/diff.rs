//! `nervio-weights diff`: two checkpoints, tensor by tensor.
//!
//! Names are compared in Hugging Face's form without `bert.`, so that spelling makes no difference;
//! 8-bit matrices are compared by the numbers that they stand for.

mod command;
mod compare;
mod values;

pub use command::{Args, run};
pub use compare::{Difference, Row, compare};
