//! candle: the BERT of candle-transformers, with a linear layer for the labels.

use std::collections::{BTreeSet, HashMap};
use std::fs;
use std::path::Path;

use anyhow::{Context, Result, ensure};
use candle_core::{DType, Device, Tensor, safetensors, utils};
use candle_nn::{Linear, Module, VarBuilder, linear};
use candle_transformers::models::bert::{BertModel, Config};
use serde_json::Value;

use crate::{Batch, Engine};

/// A model in f32.
pub(crate) struct Candle {
    bert: BertModel,
    classifier: Linear,
}

impl Candle {
    /// Reads a model folder. The environment has to give the number of threads, as
    /// `RAYON_NUM_THREADS`: candle has no other way.
    pub(crate) fn load(folder: &Path, threads: usize) -> Result<Self> {
        let found = utils::get_num_threads();
        ensure!(found == threads, "RAYON_NUM_THREADS: expected {threads}, found {found}");
        let config = fs::read_to_string(folder.join("config.json")).context("config.json")?;
        let config: Config = serde_json::from_str(&config).context("config.json")?;
        let tensors = read_tensors(folder)?;
        let weight = tensors.get("classifier.weight").context("no classifier.weight")?;
        let (labels, hidden) = weight.dims2()?;
        let weights = VarBuilder::from_tensors(tensors, DType::F32, &Device::Cpu);
        let classifier = linear(hidden, labels, weights.pp("classifier"))?;
        Ok(Self { bert: BertModel::load(weights, &config)?, classifier })
    }
}

impl Engine for Candle {
    fn run(&mut self, batch: &Batch) -> Result<Vec<f32>> {
        let shape = (batch.sequences, batch.tokens);
        let ids = Tensor::from_slice(&batch.ids, shape, &Device::Cpu)?;
        let kinds = ids.zeros_like()?;
        let hidden = self.bert.forward(&ids, &kinds, None)?;
        Ok(self.classifier.forward(&hidden)?.flatten_all()?.to_vec1()?)
    }
}

/// All tensors of a folder, of one file or of shards, under the names that candle asks for.
fn read_tensors(folder: &Path) -> Result<HashMap<String, Tensor>> {
    let mut files = BTreeSet::from(["model.safetensors".to_owned()]);
    if let Ok(index) = fs::read_to_string(folder.join("model.safetensors.index.json")) {
        let index: Value = serde_json::from_str(&index).context("model.safetensors.index.json")?;
        let shards = index["weight_map"].as_object().context("no weight_map")?;
        files = shards.values().filter_map(Value::as_str).map(str::to_owned).collect();
    }
    let mut tensors = HashMap::new();
    for file in files {
        for (name, tensor) in safetensors::load(folder.join(&file), &Device::Cpu)? {
            tensors.insert(canonical(&name), tensor);
        }
    }
    Ok(tensors)
}

/// The name of a tensor without `bert.` and with today's names of the layer norm.
fn canonical(name: &str) -> String {
    name.strip_prefix("bert.")
        .unwrap_or(name)
        .replace("LayerNorm.gamma", "LayerNorm.weight")
        .replace("LayerNorm.beta", "LayerNorm.bias")
}
