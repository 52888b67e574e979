//! From the values of a pickle to tensors with names.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use anyhow::{Context, Result, bail, ensure};
use safetensors::Dtype;

use super::machine::{Node, Pickle, Storage, Value};
use super::strided::Strided;
use crate::convert::reader::Entry;

/// Keys under which training scripts keep the weights beside other things.
const WRAPPERS: [&str; 3] = ["state_dict", "model_state_dict", "model"];

/// A tensor by its name: where its elements are.
#[derive(Debug)]
pub(super) struct Placed {
    pub(super) storage: Storage,
    pub(super) view: Strided,
}

/// The tensors of a file.
#[derive(Debug, Default)]
pub(super) struct State {
    pub(super) tensors: BTreeMap<String, Placed>,
    /// All storages that the pickle names, by key; some may hold none of the tensors.
    pub(super) storages: BTreeMap<String, Storage>,
    /// Keys whose values are no tensors.
    pub(super) others: Vec<String>,
}

impl State {
    /// Takes the tensors out of a dictionary, or out of the dictionary in it under `state_dict`.
    ///
    /// # Errors
    /// When there is no dictionary of tensors, a name occurs twice, two storages of one key
    /// differ, or a tensor does not lie within its storage.
    pub(super) fn new(path: &Path, pickle: &Pickle) -> Result<Self> {
        Self::collect(pickle).with_context(|| path.display().to_string())
    }

    fn collect(pickle: &Pickle) -> Result<Self> {
        let items = weights(pickle).context("expected a dictionary of tensors")?;
        let mut state = Self { storages: storages(pickle)?, ..Self::default() };
        let mut others = BTreeSet::new();
        for (key, value) in items {
            let Some(name) = text(pickle, *key) else {
                bail!("expected names as keys of the dictionary of tensors, found something else");
            };
            let Some(Node::Tensor(tensor)) = node(pickle, *value) else {
                others.insert(name);
                continue;
            };
            let Some(Node::Storage(storage)) = pickle.nodes.get(tensor.storage) else {
                bail!("tensor {name}: expected a storage");
            };
            let view = Strided::new(tensor, storage).with_context(|| format!("tensor {name}"))?;
            let placed = Placed { storage: storage.clone(), view };
            let twice = state.tensors.insert(name.to_owned(), placed).is_some();
            ensure!(!twice, "tensor {name}: expected once, found twice");
        }
        state.others = others.into_iter().map(Into::into).collect();
        Ok(state)
    }

    /// What is known of each tensor.
    pub(super) fn entries(&self) -> Vec<Entry> {
        let entry = |(name, placed): (&String, &Placed)| Entry {
            name: name.clone(),
            dtype: placed.storage.dtype,
            shape: placed.view.shape().to_vec(),
        };
        self.tensors.iter().map(entry).collect()
    }
}

/// All storages of a pickle by key.
fn storages(pickle: &Pickle) -> Result<BTreeMap<String, Storage>> {
    let mut storages: BTreeMap<String, Storage> = BTreeMap::new();
    for node in &pickle.nodes {
        let Node::Storage(storage) = node else { continue };
        let first = storages.entry(storage.key.clone()).or_insert_with(|| storage.clone());
        ensure!(
            first == storage,
            "storage {}: expected {} x {} as before, found {} x {}",
            storage.key,
            first.elements,
            first.dtype,
            storage.elements,
            storage.dtype
        );
    }
    Ok(storages)
}

/// Bytes of a storage.
///
/// # Errors
/// When they are more than the machine can address.
pub(super) fn byte_length(storage: &Storage) -> Result<u64> {
    let length = storage.elements.checked_mul(width(storage.dtype) as u64);
    length.with_context(|| format!("storage {}: {} elements", storage.key, storage.elements))
}

/// Bytes of one element.
pub(super) fn width(dtype: Dtype) -> usize {
    dtype.bitsize() / 8
}

/// The items of the root, or of a dictionary within it under one of the known keys.
fn weights(pickle: &Pickle) -> Option<&[(Value, Value)]> {
    let Some(Node::Dict(root)) = node(pickle, pickle.root) else { return None };
    for wrapper in WRAPPERS {
        let item = root.iter().find(|(key, _)| text(pickle, *key) == Some(wrapper));
        if let Some(Node::Dict(inner)) = item.and_then(|(_, value)| node(pickle, *value)) {
            return Some(inner);
        }
    }
    Some(root)
}

fn node(pickle: &Pickle, value: Value) -> Option<&Node> {
    if let Value::Node(number) = value { pickle.nodes.get(number) } else { None }
}

fn text(pickle: &Pickle, value: Value) -> Option<&str> {
    match node(pickle, value) {
        Some(Node::Text(text)) => Some(text),
        _ => None,
    }
}
