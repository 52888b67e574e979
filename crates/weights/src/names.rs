//! The names that BERT checkpoints give their tensors, brought to one form.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use crate::{Checkpoint, Error, Int8Tensor, Tensor};

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

    /// All canonical names, sorted.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.names.keys().map(String::as_str)
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
    /// When either is missing, has another shape or type, or holds a value outside of its range.
    pub fn require_int8(&self, canonical: &str, shape: &[usize]) -> Result<Int8Tensor<'_>, Error> {
        let tensor = self.require(canonical, shape)?;
        let rows = &shape[..shape.len().min(1)];
        Int8Tensor::new(tensor, self.require(&format!("{canonical}_scale"), rows)?)
    }

    /// The bytes of a tensor, if the checkpoint is part of the program.
    #[must_use]
    pub fn part_of_program(&self, canonical: &str) -> Option<Arc<dyn AsRef<[u8]> + Send + Sync>> {
        if !self.checkpoint.is_static() {
            return None;
        }
        self.checkpoint.shared(self.names.get(canonical)?)
    }

    /// [`Checkpoint::will_read`], by the canonical name.
    pub fn will_read(&self, canonical: &str) {
        if let Some(name) = self.names.get(canonical) {
            self.checkpoint.will_read(name);
        }
    }

    /// [`Checkpoint::have_read`], by the canonical name.
    pub fn have_read(&self, canonical: &str) {
        if let Some(name) = self.names.get(canonical) {
            self.checkpoint.have_read(name);
        }
    }

    /// Names in the file of tensors that belong to parts which token classification lacks.
    #[must_use]
    pub fn ignored(&self) -> Vec<&str> {
        let pairs = self.names.iter().filter(|(canonical, _)| is_ignored(canonical));
        pairs.map(|(_, name)| name.as_str()).collect()
    }

    /// Names in the file of tensors that no BERT token classifier has.
    #[must_use]
    pub fn unknown(&self) -> Vec<&str> {
        let unknown = |canonical: &str| !is_ignored(canonical) && !is_weight(canonical);
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
    let last = canonical.rsplit('.').next();
    matches!(last, Some("position_ids" | "token_type_ids"))
        || canonical.starts_with("pooler.")
        || canonical.starts_with("cls.")
}

/// The tables, and the modules with weight and bias that stand outside of the layers.
const TABLES: [&str; 3] = ["word_embeddings", "position_embeddings", "token_type_embeddings"];
const OUTSIDE: [&str; 2] = ["embeddings.LayerNorm", "classifier"];

/// The modules of a layer, `encoder.layer.N.`, all with weight and bias.
const IN_LAYER: [&str; 8] = [
    "attention.self.query",
    "attention.self.key",
    "attention.self.value",
    "attention.output.dense",
    "attention.output.LayerNorm",
    "intermediate.dense",
    "output.dense",
    "output.LayerNorm",
];

/// Whether a token classifier has this weight, or this scale of 8-bit weights.
fn is_weight(canonical: &str) -> bool {
    let Some((module, part)) = canonical.rsplit_once('.') else { return false };
    if let Some(table) = module.strip_prefix("embeddings.")
        && TABLES.contains(&table)
    {
        return matches!(part, "weight" | "weight_scale");
    }
    let in_layer = |rest: &str| {
        rest.split_once('.').is_some_and(|(layer, module)| {
            layer.parse::<u32>().is_ok() && IN_LAYER.contains(&module)
        })
    };
    matches!(part, "weight" | "weight_scale" | "bias")
        && (OUTSIDE.contains(&module)
            || module.strip_prefix("encoder.layer.").is_some_and(in_layer))
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
            ("bert.bert.x", "bert.x"),
            ("my.gamma", "my.gamma"),
        ] {
            assert_eq!(canonical(name), expected);
        }
    }

    #[test]
    fn parts_that_token_classification_lacks_are_ignored() {
        for name in [
            "pooler.dense.weight",
            "cls.predictions.bias",
            "embeddings.position_ids",
            "embeddings.token_type_ids",
        ] {
            assert!(is_ignored(name) && !is_weight(name), "{name}");
        }
        for name in ["classifier.weight", "embeddings.position_embeddings.weight", "clsx.weight"] {
            assert!(!is_ignored(name), "{name}");
        }
    }

    #[test]
    fn weights_are_told_from_strangers() {
        for name in [
            "embeddings.word_embeddings.weight",
            "embeddings.token_type_embeddings.weight_scale",
            "embeddings.LayerNorm.bias",
            "encoder.layer.11.attention.self.query.weight_scale",
            "encoder.layer.0.output.LayerNorm.weight",
            "classifier.bias",
        ] {
            assert!(is_weight(name), "{name}");
        }
        for name in [
            "lstm.weight",
            "embeddings.word_embeddings.bias",
            "encoder.layer.0.crossattention.self.query.weight",
            "encoder.layer.x.output.dense.weight",
            "encoder.layer.0.attention.self.distance_embedding.weight",
            "crf.transitions",
            "weight",
        ] {
            assert!(!is_weight(name) && !is_ignored(name), "{name}");
        }
    }
}
