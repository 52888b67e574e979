//! Safetensors: already the right format, perhaps in shards or under other names.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use nervio_weights::{Checkpoint, OpenOptions};

use super::SourceTensor;
use super::reader::{Entry, Reader};

/// An open safetensors checkpoint.
pub(super) struct Safe {
    checkpoint: Checkpoint,
    path: PathBuf,
}

impl Safe {
    /// Opens one file, or the index of shards.
    pub(super) fn open(path: &Path) -> Result<Self> {
        let options = OpenOptions::default();
        let is_index = path.extension().is_some_and(|end| end == "json");
        let checkpoint = match path.parent() {
            Some(folder) if is_index => Checkpoint::open(folder, &options)?,
            _ => Checkpoint::open_file(path, &options)?,
        };
        let path = checkpoint.path().to_owned();
        Ok(Self { checkpoint, path })
    }
}

impl Reader for Safe {
    fn path(&self) -> &Path {
        &self.path
    }

    fn entries(&self) -> Vec<Entry> {
        let tensors = self.checkpoint.names().filter_map(|name| self.checkpoint.get(name));
        let entry = |tensor: nervio_weights::Tensor<'_>| Entry {
            name: tensor.name.to_owned(),
            dtype: tensor.dtype,
            shape: tensor.shape.to_vec(),
        };
        tensors.map(entry).collect()
    }

    fn read(&mut self, name: &str) -> Result<SourceTensor> {
        let tensor = self.checkpoint.get(name);
        let tensor =
            tensor.with_context(|| format!("{}: no tensor {name}", self.path.display()))?;
        Ok(SourceTensor {
            name: name.to_owned(),
            dtype: tensor.dtype,
            shape: tensor.shape.to_vec(),
            bytes: tensor.data.to_vec(),
        })
    }
}
