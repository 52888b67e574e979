//! ONNX files of `BertForTokenClassification` as PyTorch and Optimum export them, also quantised.

mod dequantize;
mod graph;
mod proto;
mod tensor;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use prost::Message;
use safetensors::Dtype;

use self::tensor::Array;
use super::SourceTensor;
use super::reader::{Entry, Reader};

/// The weights of an ONNX file, as floats.
pub(super) struct Onnx {
    path: PathBuf,
    weights: BTreeMap<String, Array>,
}

impl Onnx {
    /// Reads the whole file; weights that were quantised are multiplied out.
    pub(super) fn open(path: &Path) -> Result<Self> {
        let shown = || path.display().to_string();
        let bytes = fs::read(path).with_context(shown)?;
        let model = proto::Model::decode(bytes.as_slice());
        let model = model.with_context(|| format!("{}: not an ONNX file", path.display()))?;
        drop(bytes);
        let graph = model.graph;
        let graph =
            graph.with_context(|| format!("{}: expected a graph, found none", path.display()))?;
        let folder = path.parent().unwrap_or(Path::new("."));
        let weights = graph::weights(&graph, folder).with_context(shown)?;
        Ok(Self { path: path.to_owned(), weights })
    }
}

impl Reader for Onnx {
    fn path(&self) -> &Path {
        &self.path
    }

    fn entries(&self) -> Vec<Entry> {
        let entry = |(name, array): (&String, &Array)| Entry {
            name: name.clone(),
            dtype: Dtype::F32,
            shape: array.shape.clone(),
        };
        self.weights.iter().map(entry).collect()
    }

    fn read(&mut self, name: &str) -> Result<SourceTensor> {
        let shown = || format!("{}: no tensor {name}", self.path.display());
        let array = self.weights.get(name).with_context(shown)?;
        Ok(SourceTensor {
            name: name.to_owned(),
            dtype: Dtype::F32,
            shape: array.shape.clone(),
            bytes: array.floats()?.iter().flat_map(|x| x.to_le_bytes()).collect(),
        })
    }
}
