//! A file of reference outputs: what another run or another framework computed.

use std::path::Path;

use anyhow::{Context, Result, bail};
use nervio::TraceOptions;
use nervio::weights::{Checkpoint, Dtype, OpenOptions};

use super::part::Part;

/// An open reference file.
pub(super) struct Reference {
    checkpoint: Checkpoint,
    /// The documents, in order.
    pub(super) texts: Vec<String>,
}

impl Reference {
    /// Opens the file and reads its documents.
    ///
    /// # Errors
    /// When it is no safetensors file or names no documents.
    pub(super) fn open(file: &Path) -> Result<Self> {
        let checkpoint = Checkpoint::open_file(file, &OpenOptions { mmap: true })?;
        let metadata = checkpoint.metadata();
        let texts = metadata.get("texts").with_context(|| {
            format!("{}: the metadata `texts` with the documents is missing", file.display())
        })?;
        let texts = serde_json::from_str(texts).with_context(|| {
            format!("{}: the metadata `texts` is no JSON array of strings", file.display())
        })?;
        Ok(Self { checkpoint, texts })
    }

    /// What the file has of any document.
    pub(super) fn layers(&self) -> TraceOptions {
        let has = |part: &str| self.checkpoint.names().any(|name| name.contains(part));
        TraceOptions { hidden_states: has(".hidden_states."), attentions: has(".attentions.") }
    }

    /// The parts that the file has of document `number`, in the order of the model.
    ///
    /// # Errors
    /// When a tensor of the document is none of the format's.
    pub(super) fn parts(&self, number: usize) -> Result<Vec<Part>> {
        let prefix = format!("{number}.");
        let mut parts = Vec::new();
        for name in self.checkpoint.names() {
            match name.strip_prefix(&prefix) {
                None | Some("input_ids") => {}
                Some(rest) => parts.push(Part::from_name(rest).with_context(|| {
                    let file = self.checkpoint.path().display();
                    format!("{file}: tensor {name} is not of the reference format")
                })?),
            }
        }
        parts.sort_unstable();
        Ok(parts)
    }

    /// The token ids of document `number`.
    ///
    /// # Errors
    /// When they are missing, of another type than I64 or no ids.
    pub(super) fn input_ids(&self, number: usize) -> Result<Vec<u32>> {
        let name = format!("{number}.input_ids");
        let file = self.checkpoint.path().display();
        let tensor = self
            .checkpoint
            .get(&name)
            .with_context(|| format!("{file}: tensor {name} is missing"))?;
        if tensor.dtype != Dtype::I64 {
            bail!("{file}: tensor {name}: expected I64, found {:?}", tensor.dtype);
        }
        let (ids, _) = tensor.data.as_chunks::<8>();
        ids.iter()
            .map(|bytes| {
                let id = i64::from_le_bytes(*bytes);
                u32::try_from(id).with_context(|| format!("{file}: tensor {name} holds {id}"))
            })
            .collect()
    }

    /// The numbers of a part that the file has.
    ///
    /// # Errors
    /// When it has another shape or holds no floats.
    pub(super) fn values(&self, number: usize, part: Part, shape: &[usize]) -> Result<Vec<f32>> {
        let name = format!("{number}.{part}");
        let tensor = self.checkpoint.get(&name).with_context(|| {
            format!("{}: tensor {name} is missing", self.checkpoint.path().display())
        })?;
        tensor.expect_shape(shape)?;
        Ok(tensor.floats()?.to_vec())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use nervio::weights::{OwnedTensor, write_file};

    use super::*;

    /// A reference file of one document.
    fn reference(texts: Option<&str>, tensors: &[OwnedTensor]) -> Result<Reference> {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("reference.safetensors");
        let metadata = texts.map(|texts| ("texts".to_owned(), texts.to_owned()));
        write_file(&file, tensors, HashMap::from_iter(metadata)).unwrap();
        Reference::open(&file)
    }

    #[test]
    fn tensors_are_found_by_document() {
        let tensors = [
            OwnedTensor::from_i64("0.input_ids", vec![2], &[4, 5]),
            OwnedTensor::from_f32("0.hidden_states.10", vec![2, 1], &[0.5, 1.5]),
            OwnedTensor::from_f32("0.hidden_states.2", vec![2, 1], &[0.5, 1.5]),
            OwnedTensor::from_f32("1.states", vec![1], &[0.5]),
        ];
        let reference = reference(Some(r#"["Ana"]"#), &tensors).unwrap();
        assert_eq!(reference.texts, ["Ana"]);
        assert_eq!(reference.input_ids(0).unwrap(), [4, 5]);
        assert!(reference.layers().hidden_states && !reference.layers().attentions);
        let parts = [Part::HiddenState(2), Part::HiddenState(10)];
        assert_eq!(reference.parts(0).unwrap(), parts);
        assert_eq!(reference.values(0, parts[0], &[2, 1]).unwrap(), [0.5, 1.5]);
        assert!(reference.values(0, parts[0], &[1, 2]).is_err());
        assert!(reference.parts(1).unwrap_err().to_string().contains("1.states is not of"));
    }

    #[test]
    fn what_is_missing_or_wrong_is_named() {
        let ids = |value| [OwnedTensor::from_i64("0.input_ids", vec![1], &[value])];
        let error = |result: Result<Reference>| result.err().unwrap().to_string();
        assert!(error(reference(None, &ids(4))).contains("`texts` with the documents is missing"));
        assert!(error(reference(Some("{"), &ids(4))).contains("no JSON array of strings"));
        let negative = reference(Some("[]"), &ids(-1)).unwrap();
        assert!(negative.input_ids(0).unwrap_err().to_string().ends_with("0.input_ids holds -1"));
        assert!(negative.input_ids(1).unwrap_err().to_string().contains("1.input_ids is missing"));
    }
}
