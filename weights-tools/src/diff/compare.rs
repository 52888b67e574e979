//! How two checkpoints differ.

use std::collections::BTreeSet;

use anyhow::Result;
use nervio_weights::{BertTensors, Dtype};
use serde::Serialize;

use super::values::Values;

/// Elements compared at a time.
const PART: usize = 1 << 14;

/// How a tensor of one checkpoint differs from that of the other.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Difference {
    /// Largest difference of two numbers; infinite when one is infinite or NaN and the other not.
    pub max: f64,
    /// Root of the mean squared difference, over the pairs whose difference is finite.
    pub rms: f64,
    /// Cosine of the angle between the two as vectors, over the same pairs; 1 when both are zero.
    pub cosine: f64,
    /// Pairs of which just one is NaN. A NaN equals a NaN.
    pub nan: usize,
}

/// A line of the table.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Row {
    /// The second checkpoint lacks it.
    OnlyInA {
        /// Its canonical name.
        name: String,
    },
    /// The first checkpoint lacks it.
    OnlyInB {
        /// Its canonical name.
        name: String,
    },
    /// The dimensions differ.
    Shape {
        /// Its canonical name.
        name: String,
        /// The dimensions in the first.
        a: Vec<usize>,
        /// The dimensions in the second.
        b: Vec<usize>,
    },
    /// The numbers were compared.
    Compared {
        /// Its canonical name.
        name: String,
        /// The type in the first.
        a: String,
        /// The type in the second.
        b: String,
        /// What was found.
        #[serde(flatten)]
        difference: Difference,
    },
}

impl Row {
    /// The canonical name of the tensor.
    #[must_use]
    pub fn name(&self) -> &str {
        match self {
            Self::OnlyInA { name }
            | Self::OnlyInB { name }
            | Self::Shape { name, .. }
            | Self::Compared { name, .. } => name,
        }
    }

    /// Whether both checkpoints have it with numbers that differ by `tolerance` at most. Types may
    /// differ.
    #[must_use]
    pub fn is_equal(&self, tolerance: f64) -> bool {
        match self {
            Self::Compared { difference, .. } => difference.nan == 0 && difference.max <= tolerance,
            _ => false,
        }
    }
}

/// Compares all tensors of two checkpoints; the rows are sorted by name.
///
/// # Errors
/// When a tensor's type holds no numbers, or 8-bit weights are not in order.
pub fn compare(a: &BertTensors, b: &BertTensors, progress: &dyn Fn(&str)) -> Result<Vec<Row>> {
    let names: BTreeSet<&str> = names(a).chain(names(b)).collect();
    let row = |name: &str| {
        progress(name);
        let name = name.to_owned();
        Ok(match (Values::new(a, &name)?, Values::new(b, &name)?) {
            (Some(a), Some(b)) if a.tensor().shape == b.tensor().shape => Row::Compared {
                name,
                a: type_name(&a),
                b: type_name(&b),
                difference: difference(&a, &b),
            },
            (Some(a), Some(b)) => {
                Row::Shape { name, a: a.tensor().shape.into(), b: b.tensor().shape.into() }
            }
            (Some(_), None) => Row::OnlyInA { name },
            (None, _) => Row::OnlyInB { name },
        })
    };
    names.into_iter().map(row).collect()
}

/// The tensors, without the scales of 8-bit matrices: they are part of those.
fn names(tensors: &BertTensors) -> impl Iterator<Item = &str> {
    tensors.names().filter(|name| {
        let matrix = name.strip_suffix("_scale").and_then(|matrix| tensors.get(matrix));
        matrix.is_none_or(|matrix| matrix.dtype != Dtype::I8)
    })
}

fn type_name(values: &Values<'_>) -> String {
    values.tensor().dtype.to_string()
}

fn difference(a: &Values<'_>, b: &Values<'_>) -> Difference {
    let mut sums = Sums::default();
    let (mut left, mut right) = ([0.0; PART], [0.0; PART]);
    let length = a.len();
    for start in (0..length).step_by(PART) {
        let part = PART.min(length - start);
        a.read(start, &mut left[..part]);
        b.read(start, &mut right[..part]);
        left[..part].iter().zip(&right[..part]).for_each(|(a, b)| sums.add(*a, *b));
    }
    sums.difference()
}

#[derive(Default)]
struct Sums {
    max: f64,
    nan: usize,
    count: usize,
    squares: f64,
    a: f64,
    b: f64,
    product: f64,
}

impl Sums {
    fn add(&mut self, a: f64, b: f64) {
        if a.is_nan() || b.is_nan() {
            self.nan += usize::from(a.is_nan() != b.is_nan());
            return;
        }
        // Infinities of one sign are equal; their difference would be NaN.
        let distance = if a == b { 0.0 } else { (a - b).abs() };
        self.max = self.max.max(distance);
        if a.is_finite() && b.is_finite() {
            self.count += 1;
            self.squares += distance * distance;
            self.a += a * a;
            self.b += b * b;
            self.product += a * b;
        }
    }

    fn difference(&self) -> Difference {
        let norms = self.a.sqrt() * self.b.sqrt();
        let cosine = if self.squares == 0.0 {
            1.0
        } else if norms > 0.0 {
            self.product / norms
        } else {
            0.0
        };
        Difference {
            max: if self.nan > 0 { f64::INFINITY } else { self.max },
            rms: (self.squares / self.count.max(1) as f64).sqrt(),
            cosine,
            nan: self.nan,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use nervio_weights::{Checkpoint, OpenOptions, OwnedTensor, write_file};
    use std::collections::HashMap;

    fn tensors(list: &[OwnedTensor]) -> (tempfile::TempDir, BertTensors) {
        let folder = tempfile::tempdir().unwrap();
        write_file(&folder.path().join("model.safetensors"), list, HashMap::new()).unwrap();
        let checkpoint = Checkpoint::open(folder.path(), &OpenOptions::default()).unwrap();
        (folder, BertTensors::new(&checkpoint).unwrap())
    }

    fn floats(name: &str, values: &[f32]) -> OwnedTensor {
        OwnedTensor::from_f32(name, vec![values.len()], values)
    }

    fn one(a: &[f32], b: &[f32]) -> Difference {
        let (a, b) = (tensors(&[floats("x", a)]), tensors(&[floats("x", b)]));
        match &compare(&a.1, &b.1, &|_| ()).unwrap()[..] {
            [Row::Compared { difference, .. }] => *difference,
            rows => panic!("{rows:?}"),
        }
    }

    #[test]
    fn numbers_are_those_of_hand() {
        let found = one(&[3.0, 4.0], &[4.0, 3.0]);
        assert_eq!((found.max, found.rms, found.nan), (1.0, 1.0, 0));
        assert!((found.cosine - 0.96).abs() < 1e-15);
        assert_eq!(one(&[0.0, -0.0], &[0.0, 0.0]).cosine, 1.0);
        assert_eq!(one(&[0.0], &[1.0]).cosine, 0.0);
        assert_eq!(one(&[], &[]).max, 0.0);
    }

    #[test]
    fn what_is_no_number_equals_itself_alone() {
        let (nan, infinite) = (f32::NAN, f32::INFINITY);
        assert_eq!(one(&[nan, infinite, 1.0], &[nan, infinite, 1.0]).max, 0.0);
        let found = one(&[nan, 1.0], &[0.0, 1.0]);
        assert_eq!((found.max, found.nan, found.rms), (f64::INFINITY, 1, 0.0));
        assert_eq!(one(&[infinite], &[-infinite]).max, f64::INFINITY);
        assert_eq!(one(&[infinite], &[1.0]).max, f64::INFINITY);
    }

    #[test]
    fn spelling_is_no_difference_and_rows_are_sorted() {
        let a = tensors(&[
            floats("bert.embeddings.LayerNorm.gamma", &[1.0]),
            floats("classifier.bias", &[1.0, 2.0]),
            floats("b", &[0.0]),
        ]);
        let b = tensors(&[
            floats("embeddings.LayerNorm.weight", &[1.0]),
            floats("classifier.bias", &[1.0]),
            floats("a", &[0.0]),
        ]);
        let rows = compare(&a.1, &b.1, &|_| ()).unwrap();
        assert_eq!(rows[0], Row::OnlyInB { name: "a".into() });
        assert_eq!(rows[1], Row::OnlyInA { name: "b".into() });
        assert_eq!(rows[2], Row::Shape { name: "classifier.bias".into(), a: vec![2], b: vec![1] });
        assert!(rows[3].is_equal(0.0) && rows[3].name() == "embeddings.LayerNorm.weight");
    }

    #[test]
    fn eight_bit_matrices_are_compared_by_their_numbers() {
        let data = vec![2, 255, 127, 0];
        let integers = OwnedTensor {
            name: "classifier.weight".into(),
            dtype: Dtype::I8,
            shape: vec![2, 2],
            data,
        };
        let a = tensors(&[integers, floats("classifier.weight_scale", &[0.5, 2.0])]);
        let values = [1.0, -0.5, 254.0, 1.0];
        let b = tensors(&[OwnedTensor::from_f32("classifier.weight", vec![2, 2], &values)]);
        let rows = compare(&a.1, &b.1, &|_| ()).unwrap();
        assert_eq!(rows.len(), 1, "the scales are no row: {rows:?}");
        assert!(rows[0].is_equal(1.0) && !rows[0].is_equal(0.99));
    }
}
