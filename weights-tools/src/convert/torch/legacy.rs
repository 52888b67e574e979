//! The format of `torch.save` before 1.6: a magic number, a protocol version, facts of the system,
//! the object and the list of storage keys, each a pickle; then the storages, each a count of
//! elements and their bytes (`torch/serialization.py`, `_legacy_save`).

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};

use super::MAX_PICKLE;
use super::machine::{self, Node, Pickle, Value};
use super::state::{State, byte_length, width};
use crate::convert::SourceTensor;
use crate::convert::reader::{Entry, Reader};

/// `0x1950a86a20f9469cfc6c`, as a pickled integer of ten bytes.
const MAGIC: [u8; 10] = [0x6c, 0xfc, 0x9c, 0x46, 0xf9, 0x20, 0x6a, 0xa8, 0x50, 0x19];
const PROTOCOL: i64 = 1001;

/// An open file of the old format.
pub(super) struct Legacy {
    path: PathBuf,
    file: File,
    state: State,
    /// Where the bytes of each storage begin.
    places: BTreeMap<String, u64>,
    /// The storage that was read last: tensors may share one.
    last: Option<(String, Vec<u8>)>,
}

impl Legacy {
    pub(super) fn open(path: &Path) -> Result<Self> {
        let describe = || path.display().to_string();
        let mut file = File::open(path).with_context(describe)?;
        let mut head = Vec::new();
        file.by_ref().take(MAX_PICKLE).read_to_end(&mut head).with_context(describe)?;
        let mut at = 0;
        let mut next = || -> Result<Pickle> {
            let pickle = machine::read(path, &head[at..], at as u64)?;
            at += pickle.length;
            Ok(pickle)
        };
        check_magic(&next()?).with_context(describe)?;
        let version = next()?.root;
        ensure!(
            version == Value::Int(PROTOCOL),
            "{}: expected protocol version {PROTOCOL}, found {version:?}",
            path.display()
        );
        check_system(&next()?).with_context(describe)?;
        let state = State::new(path, &next()?)?;
        let list = next()?;
        let keys = keys(&list).with_context(describe)?;
        let places = places(&mut file, at as u64, &keys, &state).with_context(describe)?;
        Ok(Self { path: path.to_owned(), file, state, places, last: None })
    }

    /// The bytes of a storage.
    fn storage(&mut self, key: &str, length: u64) -> Result<Vec<u8>> {
        let start = self.places.get(key).context("its storage is not in the file")?;
        self.file.seek(SeekFrom::Start(*start))?;
        let mut bytes = vec![0; usize::try_from(length)?];
        self.file.read_exact(&mut bytes)?;
        Ok(bytes)
    }
}

impl Reader for Legacy {
    fn path(&self) -> &Path {
        &self.path
    }

    fn entries(&self) -> Vec<Entry> {
        self.state.entries()
    }

    fn others(&self) -> Vec<String> {
        self.state.others.clone()
    }

    fn read(&mut self, name: &str) -> Result<SourceTensor> {
        let describe = format!("{}: tensor {name}", self.path.display());
        let placed = self.state.tensors.get(name).with_context(|| describe.clone())?;
        let (storage, view) = (placed.storage.clone(), placed.view.clone());
        if self.last.as_ref().is_none_or(|(last, _)| *last != storage.key) {
            self.last = None;
            let bytes = self.storage(&storage.key, byte_length(&storage)?).context(describe)?;
            self.last = Some((storage.key.clone(), bytes));
        }
        let bytes = self.last.as_ref().map(|(_, bytes)| bytes.as_slice()).unwrap_or_default();
        Ok(SourceTensor {
            name: name.to_owned(),
            dtype: storage.dtype,
            shape: view.shape().to_vec(),
            bytes: view.gather(bytes, width(storage.dtype)),
        })
    }
}

fn check_magic(pickle: &Pickle) -> Result<()> {
    let digits = match pickle.root {
        Value::Node(number) => pickle.nodes.get(number),
        _ => None,
    };
    ensure!(
        digits == Some(&Node::Long(MAGIC.to_vec())),
        "expected the magic number of torch.save in the first pickle, found something else"
    );
    Ok(())
}

/// Refuses files of machines that store numbers the other way round.
fn check_system(pickle: &Pickle) -> Result<()> {
    let Value::Node(root) = pickle.root else { bail!("expected the facts of the system") };
    let Some(Node::Dict(items)) = pickle.nodes.get(root) else {
        bail!("expected a dictionary with the facts of the system");
    };
    let is_order = |key: &Value| {
        let Value::Node(number) = key else { return false };
        pickle.nodes.get(*number) == Some(&Node::Text("little_endian".into()))
    };
    let order = items.iter().find(|(key, _)| is_order(key)).map(|(_, value)| *value);
    ensure!(order == Some(Value::Bool(true)), "expected little_endian True, found {order:?}");
    Ok(())
}

fn keys(pickle: &Pickle) -> Result<Vec<&str>> {
    let Value::Node(root) = pickle.root else { bail!("expected the list of storages") };
    let Some(Node::List(values)) = pickle.nodes.get(root) else {
        bail!("expected a list of storages");
    };
    let key = |value: &Value| match value {
        Value::Node(number) => match pickle.nodes.get(*number) {
            Some(Node::Text(text)) => Ok(text.as_str()),
            _ => bail!("expected texts in the list of storages"),
        },
        _ => bail!("expected texts in the list of storages"),
    };
    values.iter().map(key).collect()
}

/// Walks over the storages and notes where each begins.
fn places(
    file: &mut File,
    mut at: u64,
    keys: &[&str],
    state: &State,
) -> Result<BTreeMap<String, u64>> {
    let end = file.metadata()?.len();
    let storages = &state.storages;
    let mut places = BTreeMap::new();
    for key in keys {
        let storage = storages
            .get(*key)
            .with_context(|| format!("storage {key}: expected a tensor in it, found none"))?;
        file.seek(SeekFrom::Start(at))?;
        let mut count = [0; 8];
        file.read_exact(&mut count).with_context(|| format!("storage {key}: the file is cut"))?;
        let (count, expected) = (u64::from_le_bytes(count), storage.elements);
        ensure!(count == expected, "storage {key}: expected {expected} elements, found {count}");
        let begin = at + 8;
        let after = begin.checked_add(byte_length(storage)?).filter(|after| *after <= end);
        at = after.with_context(|| {
            format!("storage {key}: expected {expected} elements, found the end of the file")
        })?;
        places.insert((*key).to_owned(), begin);
    }
    if let Some(key) = storages.keys().find(|key| !places.contains_key(*key)) {
        bail!("storage {key}: expected in the file, found none");
    }
    Ok(places)
}
