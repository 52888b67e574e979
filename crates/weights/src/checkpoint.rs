//! A checkpoint: one safetensors file, or a folder of shards with an index.

use std::collections::BTreeMap;
use std::io;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::header::Header;
use crate::index::read_index;
use crate::storage::{Storage, io_error};
use crate::{Error, Tensor};

/// The names that Hugging Face folders use.
const SINGLE: &str = "model.safetensors";
const INDEX: &str = "model.safetensors.index.json";

/// How to open the files of a checkpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OpenOptions {
    /// Map the files (the default) or read them into memory.
    ///
    /// Whoever maps a file promises that nobody changes it in place until the checkpoint is
    /// dropped. One that is cut short before ends the process with a signal (SIGBUS); one that was
    /// read into memory may change at any time. Replacing a mapped file by another of the same
    /// name, or removing it, is safe.
    pub mmap: bool,
}

impl Default for OpenOptions {
    fn default() -> Self {
        Self { mmap: true }
    }
}

/// The tensors of a model: checked when opened, read when asked for. Clones share the files.
///
/// Tensors borrow from the checkpoint, which holds the maps. Whoever has copied what it needs drops
/// the checkpoint, all its clones and views, and with the last of them the maps: a loaded nervio
/// model holds nothing of its files, and nothing done to them can disturb it.
#[derive(Clone, Debug)]
pub struct Checkpoint {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    /// The file, or the index of the shards: what messages about missing tensors name.
    path: PathBuf,
    files: Vec<OneFile>,
    /// Tensor name to the file that has it.
    place: BTreeMap<String, usize>,
}

/// One safetensors file, checked.
#[derive(Debug)]
struct OneFile {
    path: PathBuf,
    storage: Storage,
    header: Header,
}

impl OneFile {
    fn new(path: PathBuf, storage: Storage) -> Result<Self, Error> {
        let header = Header::parse(&path, storage.bytes())?;
        Ok(Self { path, storage, header })
    }

    /// Where the bytes of a tensor lie in the file.
    fn range(&self, name: &str) -> Option<Range<usize>> {
        let (begin, end) = self.header.tensors.get(name)?.data_offsets;
        let start = self.header.data_start;
        Some(start + begin..start + end)
    }
}

/// The bytes of one tensor, with the files that hold them.
struct TensorBytes {
    inner: Arc<Inner>,
    file: usize,
    range: Range<usize>,
}

impl AsRef<[u8]> for TensorBytes {
    fn as_ref(&self) -> &[u8] {
        &self.inner.files[self.file].storage.bytes()[self.range.clone()]
    }
}

impl Checkpoint {
    /// Opens `model.safetensors` of a folder or, where there is none, the shards of
    /// `model.safetensors.index.json`.
    ///
    /// The index must name its shards by plain file names: no path, absolute or with `..`, is
    /// followed. A shard, as any file here, may be a symbolic link that leads elsewhere, since the
    /// cache of Hugging Face is made of links to `../../blobs`; who can plant a link in the folder
    /// can plant any file. Every tensor of the index must be in its shard, and none in two. Tensors
    /// that the index leaves out are there all the same, as transformers has them.
    ///
    /// # Errors
    ///
    /// When there is neither, or a file breaks the format; see [`Error`].
    pub fn open(folder: &Path, options: &OpenOptions) -> Result<Self, Error> {
        let single = folder.join(SINGLE);
        if is_there(&single)? {
            return Self::open_file(&single, options);
        }
        let index = folder.join(INDEX);
        if is_there(&index)? {
            return Self::open_shards(folder, &index, options);
        }
        let others = ["pytorch_model.bin", "tf_model.h5", "model.ckpt.index", "model.onnx"];
        let found = others.iter().find(|name| folder.join(name).exists());
        let found = found.map_or("neither".to_owned(), |name| {
            format!("{name}, which must be converted to safetensors first")
        });
        Err(Error::NoWeights { folder: folder.to_owned(), found })
    }

    /// Opens one safetensors file.
    ///
    /// # Errors
    ///
    /// When it cannot be read or breaks the format.
    pub fn open_file(file: &Path, options: &OpenOptions) -> Result<Self, Error> {
        Self::from_storage(file, Storage::open(file, options)?)
    }

    /// A checkpoint that is part of the program; `name` is for messages.
    ///
    /// # Errors
    ///
    /// When the bytes break the format.
    pub fn from_static(name: &str, bytes: &'static [u8]) -> Result<Self, Error> {
        Self::from_storage(Path::new(name), Storage::Static(bytes))
    }

    /// A checkpoint in memory; `name` is for messages.
    ///
    /// # Errors
    ///
    /// When the bytes break the format.
    pub fn from_bytes(name: &str, bytes: Vec<u8>) -> Result<Self, Error> {
        Self::from_storage(Path::new(name), Storage::Owned(bytes))
    }

    fn from_storage(path: &Path, storage: Storage) -> Result<Self, Error> {
        let file = OneFile::new(path.to_owned(), storage)?;
        let place = file.header.tensors.keys().map(|name| (name.clone(), 0)).collect();
        Ok(Self { inner: Arc::new(Inner { path: path.to_owned(), files: vec![file], place }) })
    }

    fn open_shards(folder: &Path, index: &Path, options: &OpenOptions) -> Result<Self, Error> {
        let weight_map = read_index(index)?;
        let mut files: Vec<OneFile> = Vec::new();
        let mut place: BTreeMap<String, usize> = BTreeMap::new();
        let mut shards: Vec<&String> = weight_map.values().collect();
        shards.sort_unstable();
        shards.dedup();
        for shard in shards {
            let path = folder.join(shard);
            let file = OneFile::new(path.clone(), Storage::open(&path, options)?)?;
            for name in file.header.tensors.keys() {
                if let Some(first) = place.insert(name.clone(), files.len()) {
                    return Err(Error::InTwoShards {
                        tensor: name.clone(),
                        first: files[first].path.clone(),
                        second: path,
                    });
                }
            }
            files.push(file);
        }
        for (name, shard) in &weight_map {
            let path = folder.join(shard);
            if place.get(name).is_none_or(|file| files[*file].path != path) {
                return Err(Error::NotInShard {
                    file: index.to_owned(),
                    tensor: name.clone(),
                    shard: path,
                });
            }
        }
        Ok(Self { inner: Arc::new(Inner { path: index.to_owned(), files, place }) })
    }

    /// The file, or the index of the shards.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.inner.path
    }

    /// The names of all tensors, sorted.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.inner.place.keys().map(String::as_str)
    }

    /// A tensor by its name in the file.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<Tensor<'_>> {
        let (name, file) = self.inner.place.get_key_value(name)?;
        let file = &self.inner.files[*file];
        let info = file.header.tensors.get(name)?;
        Some(Tensor {
            name,
            dtype: info.dtype,
            shape: &info.shape,
            data: file.storage.bytes().get(file.range(name)?)?,
            file: &file.path,
        })
    }

    /// The bytes of a tensor, kept alive with the checkpoint's files. The contract of
    /// [`OpenOptions::mmap`] then holds for as long as they live.
    #[must_use]
    pub fn shared(&self, name: &str) -> Option<Arc<dyn AsRef<[u8]> + Send + Sync>> {
        let file = *self.inner.place.get(name)?;
        let range = self.inner.files[file].range(name)?;
        Some(Arc::new(TensorBytes { inner: Arc::clone(&self.inner), file, range }))
    }

    /// Whether the checkpoint is part of the program, so that nothing can happen to it.
    #[must_use]
    pub fn is_static(&self) -> bool {
        self.inner.files.iter().all(|file| matches!(file.storage, Storage::Static(_)))
    }

    /// The header, the whole and the tensors of each file.
    pub(crate) fn contents(
        &self,
    ) -> impl Iterator<Item = (&[u8], &[u8], impl Iterator<Item = Tensor<'_>>)> {
        self.inner.files.iter().map(|file| {
            let bytes = file.storage.bytes();
            let tensors = file.header.tensors.keys().filter_map(|name| self.get(name));
            (&bytes[..file.header.data_start], bytes, tensors)
        })
    }

    /// Says that all of a tensor will be read soon: of a mapped file, its pages are mapped at once.
    pub fn will_read(&self, name: &str) {
        if let Some((file, range)) = self.find(name) {
            file.storage.will_read(&range);
        }
    }

    /// Says that a tensor has been read: of a mapped file, its pages no longer count as memory of
    /// this process. It can be read again all the same.
    pub fn have_read(&self, name: &str) {
        if let Some((file, range)) = self.find(name) {
            file.storage.have_read(&range);
        }
    }

    /// The file that has a tensor, and where.
    fn find(&self, name: &str) -> Option<(&OneFile, Range<usize>)> {
        let file = &self.inner.files[*self.inner.place.get(name)?];
        Some((file, file.range(name)?))
    }

    /// The string metadata of all files together.
    #[must_use]
    pub fn metadata(&self) -> BTreeMap<&str, &str> {
        let files = self.inner.files.iter().flat_map(|file| &file.header.metadata);
        files.map(|(key, value)| (key.as_str(), value.as_str())).collect()
    }

    /// Bytes of all files.
    #[must_use]
    pub fn total_bytes(&self) -> u64 {
        self.inner.files.iter().map(|file| file.storage.bytes().len() as u64).sum()
    }
}

/// Whether the folder has an entry of that name, be it a link that leads nowhere: opening it says so.
fn is_there(path: &Path) -> Result<bool, Error> {
    match path.symlink_metadata() {
        Ok(_) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(io_error("open", path)(error)),
    }
}
