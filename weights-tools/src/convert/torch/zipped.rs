//! The zip format of `torch.save`: `NAME/data.pkl`, and each storage in `NAME/data/KEY`, stored
//! without compression (`caffe2/serialize/inline_container.h`).

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};
use zip::{CompressionMethod, ZipArchive};

use super::state::{State, byte_length, width};
use super::{MAX_PICKLE, machine};
use crate::convert::SourceTensor;
use crate::convert::reader::{Entry, Reader};

/// An open zip file of tensors.
pub(super) struct Zipped {
    path: PathBuf,
    archive: ZipArchive<File>,
    /// The folder within the archive, with its slash.
    root: String,
    state: State,
    /// The storage that was read last: tensors may share one.
    last: Option<(String, Vec<u8>)>,
}

impl Zipped {
    pub(super) fn open(path: &Path) -> Result<Self> {
        let describe = || path.display().to_string();
        let file = File::open(path).with_context(describe)?;
        let mut archive = ZipArchive::new(file)
            .with_context(|| format!("{}: not a whole zip file", path.display()))?;
        let names: Vec<String> = (archive.file_names())
            .map(|name| Ok(name?.into_owned()))
            .collect::<Result<_>>()
            .with_context(describe)?;
        let pickles: Vec<&String> =
            names.iter().filter(|name| name.ends_with("/data.pkl")).collect();
        let [pickle] = pickles.as_slice() else {
            bail!("{}: expected one data.pkl, found {}", path.display(), pickles.len());
        };
        let root = pickle.strip_suffix("data.pkl").unwrap_or_default().to_owned();
        let order = format!("{root}byteorder");
        if archive.index_for_name(&order).is_some() {
            let order = member(&mut archive, &order, 64).with_context(describe)?;
            ensure!(
                order == b"little",
                "{}: expected byteorder little, found {:?}",
                path.display(),
                String::from_utf8_lossy(&order)
            );
        }
        let pickle =
            member(&mut archive, &format!("{root}data.pkl"), MAX_PICKLE).with_context(describe)?;
        let inside = PathBuf::from(format!("{}: data.pkl", path.display()));
        let state = State::new(path, &machine::read(&inside, &pickle, 0)?)?;
        let mut zipped = Self { path: path.to_owned(), archive, root, state, last: None };
        zipped.check_storages().with_context(describe)?;
        Ok(zipped)
    }

    /// Every storage must be there with the length that the pickle names.
    fn check_storages(&mut self) -> Result<()> {
        for placed in self.state.tensors.values() {
            let (key, storage) = (&placed.storage.key, &placed.storage);
            let name = format!("{}data/{key}", self.root);
            let entry = self.archive.by_name(&name).with_context(|| name.clone())?;
            let expected = byte_length(storage)?;
            ensure!(
                entry.size() == expected,
                "{name}: expected {expected} bytes ({} x {}), found {}",
                storage.elements,
                storage.dtype,
                entry.size()
            );
        }
        Ok(())
    }
}

impl Reader for Zipped {
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
        let placed = self.state.tensors.get(name);
        let placed =
            placed.with_context(|| format!("{}: no tensor {name}", self.path.display()))?;
        let key = &placed.storage.key;
        if self.last.as_ref().is_none_or(|(last, _)| last != key) {
            self.last = None;
            let member = member(&mut self.archive, &format!("{}data/{key}", self.root), u64::MAX)
                .with_context(|| format!("{}: tensor {name}", self.path.display()))?;
            self.last = Some((key.clone(), member));
        }
        let storage = self.last.as_ref().map(|(_, bytes)| bytes.as_slice()).unwrap_or_default();
        let dtype = placed.storage.dtype;
        let expected = byte_length(&placed.storage)?;
        ensure!(storage.len() as u64 == expected, "tensor {name}: its storage is cut");
        Ok(SourceTensor {
            name: name.to_owned(),
            dtype,
            shape: placed.view.shape().to_vec(),
            bytes: placed.view.gather(storage, width(dtype)),
        })
    }
}

/// A whole member; the library compares its checksum.
fn member(archive: &mut ZipArchive<File>, name: &str, limit: u64) -> Result<Vec<u8>> {
    let mut entry = archive.by_name(name).with_context(|| name.to_owned())?;
    ensure!(
        entry.compression() == CompressionMethod::Stored,
        "{name}: expected it uncompressed, found {}",
        entry.compression()
    );
    let size = entry.size();
    ensure!(size <= limit, "{name}: expected at most {limit} bytes, found {size}");
    // No capacity from the header: it may claim anything.
    let mut bytes = Vec::new();
    entry.read_to_end(&mut bytes).with_context(|| name.to_owned())?;
    Ok(bytes)
}
