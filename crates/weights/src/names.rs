//! The names that BERT checkpoints give their tensors, brought to one form.

use std::collections::BTreeMap;
use std::path::Path;

use crate::tensor::Int8Tensor;
use crate::{Checkpoint, Dtype, Error, Tensor};

/// The tensors of a checkpoint under the names of Hugging Face's `BertForTokenClassification`,
/// without the `bert.` prefix and with `LayerNorm.weight` and `LayerNorm.bias` (which old
/// checkpoints call `gamma` and `beta`).
#[derive(Debug)]
pub struct BertTensors {
    checkpoint: Checkpoint,
    /// Canonical name to the name in the file.
    names: BTreeMap<String, String>,
}

impl BertTensors {
    /// Maps the names of a checkpoint.
    ///
    /// # Errors
    ///
    /// [`Error::TwoNames`] when a weight is there twice, such as with and without prefix.
    pub fn new(checkpoint: &Checkpoint) -> Result<Self, Error> {
        let mut names = BTreeMap::new();
        for name in checkpoint.names() {
            let canonical = canonical(name);
            if let Some(first) = names.insert(canonical.clone(), name.to_owned()) {
                return Err(Error::TwoNames {
                    file: checkpoint.path().to_owned(),
                    first,
                    second: name.to_owned(),
                    canonical,
                });
            }
        }
        Ok(Self { checkpoint: checkpoint.clone(), names })
    }

    /// A tensor by its canonical name.
    #[must_use]
    pub fn get(&self, canonical: &str) -> Option<Tensor<'_>> {
        self.checkpoint.get(self.names.get(canonical)?)
    }

    /// A tensor that must be there with a certain shape.
    ///
    /// # Errors
    ///
    /// [`Error::Missing`] or [`Error::Shape`].
    pub fn require(&self, canonical: &str, shape: &[usize]) -> Result<Tensor<'_>, Error> {
        let tensor = self.get(canonical).ok_or_else(|| Error::Missing {
            file: self.path().to_owned(),
            tensor: canonical.to_owned(),
            expected: shape.to_vec(),
        })?;
        tensor.expect_shape(shape)?;
        Ok(tensor)
    }

    /// A matrix of 8-bit integers, `[rows, columns]`, with the scales beside it in
    /// `<name>_scale`, F32 `[rows]`.
    ///
    /// # Errors
    ///
    /// When either is missing, has another shape or type, or a scale is not finite.
    pub fn require_int8(&self, canonical: &str, shape: &[usize]) -> Result<Int8Tensor<'_>, Error> {
        let tensor = self.require(canonical, shape)?;
        if tensor.dtype != Dtype::I8 {
            return Err(tensor.wrong_dtype("I8"));
        }
        let scales = self.require(&format!("{canonical}_scale"), &shape[..shape.len().min(1)])?;
        if scales.dtype != Dtype::F32 {
            return Err(scales.wrong_dtype("F32"));
        }
        let scales = scales.floats()?;
        scales.check_finite()?;
        Ok(Int8Tensor::new(tensor, scales.to_vec()))
    }

    /// Names in the file of tensors that belong to parts which token classification lacks.
    #[must_use]
    pub fn ignored(&self) -> Vec<&str> {
        let pairs = self.names.iter().filter(|(canonical, _)| is_ignored(canonical));
        pairs.map(|(_, name)| name.as_str()).collect()
    }

    /// Names in the file of tensors that no BERT model has.
    #[must_use]
    pub fn unknown(&self) -> Vec<&str> {
        let unknown = |canonical: &str| !is_ignored(canonical) && !is_bert(canonical);
        let pairs = self.names.iter().filter(|(canonical, _)| unknown(canonical));
        pairs.map(|(_, name)| name.as_str()).collect()
    }

    /// The file, or the index of the shards.
    #[must_use]
    pub fn path(&self) -> &Path {
        self.checkpoint.path()
    }
}

/// The canonical name of a tensor.
fn canonical(name: &str) -> String {
    let name = name.strip_prefix("bert.").unwrap_or(name);
    if let Some(stem) = name.strip_suffix("LayerNorm.gamma") {
        return format!("{stem}LayerNorm.weight");
    }
    if let Some(stem) = name.strip_suffix("LayerNorm.beta") {
        return format!("{stem}LayerNorm.bias");
    }
    name.to_owned()
}

/// The pooler, the pre-training heads, and buffers that old versions saved.
fn is_ignored(canonical: &str) -> bool {
    canonical.starts_with("pooler.")
        || canonical.starts_with("cls.")
        || canonical == "embeddings.position_ids"
        || canonical == "embeddings.token_type_ids"
}

fn is_bert(canonical: &str) -> bool {
    ["embeddings.", "encoder.layer.", "classifier."].iter().any(|part| canonical.starts_with(part))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_brought_to_one_form() {
        for (name, expected) in [
            ("bert.embeddings.LayerNorm.gamma", "embeddings.LayerNorm.weight"),
            ("encoder.layer.0.output.LayerNorm.beta", "encoder.layer.0.output.LayerNorm.bias"),
            ("classifier.weight", "classifier.weight"),
            ("bert.encoder.layer.1.output.dense.bias", "encoder.layer.1.output.dense.bias"),
        ] {
            assert_eq!(canonical(name), expected);
        }
    }

    #[test]
    fn parts_are_told_apart() {
        assert!(is_ignored("pooler.dense.weight") && is_ignored("cls.predictions.bias"));
        assert!(is_bert("classifier.bias") && !is_bert("lstm.weight"));
    }
}
