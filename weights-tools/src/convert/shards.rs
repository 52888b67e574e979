//! PyTorch's sharded checkpoints: `pytorch_model.bin.index.json` and the files that it names.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};
use serde::Deserialize;

use super::reader::{Entry, Reader};
use super::{SourceTensor, torch};

#[derive(Deserialize)]
struct Index {
    weight_map: BTreeMap<String, String>,
}

/// All shards, open.
pub(super) struct Shards {
    path: PathBuf,
    shards: Vec<Box<dyn Reader>>,
    /// Tensor name to the shard that has it.
    places: BTreeMap<String, usize>,
}

impl Shards {
    pub(super) fn open(path: &Path) -> Result<Self> {
        let describe = || path.display().to_string();
        let text = fs::read_to_string(path).with_context(describe)?;
        let index: Index = serde_json::from_str(&text)
            .with_context(|| format!("{}: not an index of shards", path.display()))?;
        let names: BTreeSet<&String> = index.weight_map.values().collect();
        let mut sharded = Self { path: path.into(), shards: Vec::new(), places: BTreeMap::new() };
        for name in names {
            let plain = Path::new(name).file_name().is_some_and(|file| file == name.as_str());
            ensure!(plain, "{}: expected plain names of files, found {name:?}", path.display());
            let shard = torch::open(&path.with_file_name(name))?;
            sharded.add(shard)?;
        }
        for (name, file) in &index.weight_map {
            let shard = sharded.places.get(name).and_then(|shard| sharded.shards.get(*shard));
            if shard.is_none_or(|shard| shard.path() != path.with_file_name(file)) {
                bail!("{}: tensor {name}: expected in {file}, found none", path.display());
            }
        }
        Ok(sharded)
    }

    fn add(&mut self, shard: Box<dyn Reader>) -> Result<()> {
        for entry in shard.entries() {
            if let Some(first) = self.places.insert(entry.name.clone(), self.shards.len()) {
                bail!(
                    "{}: tensor {}: expected in one shard, found also in {}",
                    shard.path().display(),
                    entry.name,
                    self.shards[first].path().display()
                );
            }
        }
        self.shards.push(shard);
        Ok(())
    }
}

impl Reader for Shards {
    fn path(&self) -> &Path {
        &self.path
    }

    fn entries(&self) -> Vec<Entry> {
        self.shards.iter().flat_map(|shard| shard.entries()).collect()
    }

    fn others(&self) -> Vec<String> {
        self.shards.iter().flat_map(|shard| shard.others()).collect()
    }

    fn read(&mut self, name: &str) -> Result<SourceTensor> {
        let shard = self.places.get(name).and_then(|shard| self.shards.get_mut(*shard));
        shard.with_context(|| format!("{}: no tensor {name}", self.path.display()))?.read(name)
    }
}
