//! Writing safetensors files.

use std::collections::{BTreeMap, HashMap};
use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use safetensors::tensor::TensorInfo;
use serde::ser::{Serialize, SerializeMap, Serializer};

use crate::header::{MAX_HEADER, METADATA, byte_len, check_name};
use crate::storage::{io_error, regular_len};
use crate::{Dtype, Error};

/// A tensor to be written.
#[derive(Clone, Debug, PartialEq)]
pub struct OwnedTensor {
    /// Its name.
    pub name: String,
    /// The type of its elements.
    pub dtype: Dtype,
    /// Its dimensions.
    pub shape: Vec<usize>,
    /// Its elements, little-endian, row-major.
    pub data: Vec<u8>,
}

impl OwnedTensor {
    /// A tensor of f32.
    #[must_use]
    pub fn from_f32(name: impl Into<String>, shape: Vec<usize>, values: &[f32]) -> Self {
        let data = values.iter().flat_map(|value| value.to_le_bytes()).collect();
        Self { name: name.into(), dtype: Dtype::F32, shape, data }
    }

    /// A tensor of i64.
    #[must_use]
    pub fn from_i64(name: impl Into<String>, shape: Vec<usize>, values: &[i64]) -> Self {
        let data = values.iter().flat_map(|value| value.to_le_bytes()).collect();
        Self { name: name.into(), dtype: Dtype::I64, shape, data }
    }
}

/// A tensor to be written, its elements elsewhere.
#[derive(Clone, Copy, Debug)]
pub struct TensorView<'a> {
    /// Its name.
    pub name: &'a str,
    /// The type of its elements.
    pub dtype: Dtype,
    /// Its dimensions.
    pub shape: &'a [usize],
    /// Its elements, little-endian, row-major.
    pub data: &'a [u8],
}

impl<'a> From<&'a OwnedTensor> for TensorView<'a> {
    fn from(tensor: &'a OwnedTensor) -> Self {
        let OwnedTensor { name, dtype, shape, data } = tensor;
        Self { name, dtype: *dtype, shape, data }
    }
}

/// Writes a safetensors file whole or not at all: beside its place first, then renamed.
///
/// The same tensors and metadata give the same bytes. Tensors are ordered as the `safetensors`
/// package does, widest type first and then by name, which aligns the data of each to its type.
///
/// # Errors
///
/// When a name occurs twice or is none, when a tensor's data does not fit its shape, when the
/// header would be too long to be read again, when something that is no file has that name, or when
/// the file cannot be written; then no file of that name appears, and one that was there stays.
pub fn write_file(
    path: &Path,
    tensors: &[OwnedTensor],
    metadata: HashMap<String, String>,
) -> Result<(), Error> {
    let mut order: Vec<TensorView<'_>> = tensors.iter().map(TensorView::from).collect();
    order.sort_by(|a, b| b.dtype.cmp(&a.dtype).then_with(|| a.name.cmp(b.name)));
    write(path, &order, metadata, 8)
}

/// As [`write_file`], but the tensors lie in the order given and the data begins on a border of
/// 4,096 bytes: tensors that are multiples of 64 bytes long, and come first, begin on a cache line
/// when the file is mapped.
///
/// # Errors
///
/// As [`write_file`].
pub fn write_in_order(
    path: &Path,
    tensors: &[TensorView<'_>],
    metadata: HashMap<String, String>,
) -> Result<(), Error> {
    write(path, tensors, metadata, 4096)
}

/// Writes the file; the data begins at a multiple of `alignment`.
fn write(
    path: &Path,
    tensors: &[TensorView<'_>],
    metadata: HashMap<String, String>,
    alignment: usize,
) -> Result<(), Error> {
    check(path, tensors)?;
    let header = header(path, tensors, &metadata.into_iter().collect(), alignment)?;
    // A rename would replace a device, too.
    if let Ok(there) = fs::metadata(path) {
        regular_len(path, &there)?;
    }
    write_whole(path, |out| {
        out.write_all(&(header.len() as u64).to_le_bytes())?;
        out.write_all(&header)?;
        tensors.iter().try_for_each(|tensor| out.write_all(tensor.data))
    })
    .map_err(io_error("write", path))
}

/// Refuses what a reader would refuse.
fn check(path: &Path, tensors: &[TensorView<'_>]) -> Result<(), Error> {
    let mut names: Vec<&str> = tensors.iter().map(|tensor| tensor.name).collect();
    names.sort_unstable();
    let twice = names.windows(2).find(|pair| pair[0] == pair[1]).map(|pair| pair[0]);
    if let Some(key) = twice {
        let (file, key) = (path.to_owned(), key.to_owned());
        return Err(Error::DuplicateKey { file, what: "the header", key });
    }
    for tensor in tensors {
        check_name(path, tensor.name)?;
        let expected = byte_len(path, tensor.name, tensor.shape, tensor.dtype)?;
        if tensor.data.len() != expected {
            return Err(Error::Length {
                file: path.to_owned(),
                tensor: tensor.name.to_owned(),
                expected,
                found: format!("{} bytes of data", tensor.data.len()),
            });
        }
    }
    Ok(())
}

/// The JSON of the header, padded so that the data begins at a multiple of `alignment`.
fn header(
    path: &Path,
    tensors: &[TensorView<'_>],
    metadata: &BTreeMap<String, String>,
    alignment: usize,
) -> Result<Vec<u8>, Error> {
    let mut json = serde_json::to_vec(&Header { tensors, metadata })
        .map_err(|error| io_error("write", path)(error.into()))?;
    // In front of it are 8 bytes with its length.
    json.resize((8 + json.len()).next_multiple_of(alignment) - 8, b' ');
    if json.len() as u64 > MAX_HEADER {
        return Err(Error::TooLong {
            file: path.to_owned(),
            what: "the header".into(),
            limit: MAX_HEADER,
            found: json.len() as u64,
        });
    }
    Ok(json)
}

/// Metadata and tensors with their offsets, in order.
struct Header<'a> {
    tensors: &'a [TensorView<'a>],
    metadata: &'a BTreeMap<String, String>,
}

impl Serialize for Header<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        if !self.metadata.is_empty() {
            map.serialize_entry(METADATA, self.metadata)?;
        }
        let mut begin = 0;
        for tensor in self.tensors {
            let end = begin + tensor.data.len();
            let info = TensorInfo {
                dtype: tensor.dtype,
                shape: tensor.shape.to_vec(),
                data_offsets: (begin, end),
            };
            map.serialize_entry(tensor.name, &info)?;
            begin = end;
        }
        map.end()
    }
}

/// A file that is removed unless it was given its name.
struct Part(PathBuf);

impl Drop for Part {
    fn drop(&mut self) {
        // The error that matters has been returned; after a rename there is nothing to remove.
        let _ = fs::remove_file(&self.0);
    }
}

/// Fills a new file beside `path`, sees it on the disk, and renames it to `path`.
fn write_whole(
    path: &Path,
    fill: impl FnOnce(&mut BufWriter<File>) -> io::Result<()>,
) -> io::Result<()> {
    let Some(name) = path.file_name() else {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "expected the name of a file"));
    };
    let (file, part) = create_part(path, name)?;
    let mut out = BufWriter::new(file);
    fill(&mut out)?;
    out.into_inner().map_err(io::IntoInnerError::into_error)?.sync_all()?;
    fs::rename(&part.0, path)
}

/// Creates a file that did not exist, so that two writers of one path do not share it.
fn create_part(path: &Path, name: &std::ffi::OsStr) -> io::Result<(File, Part)> {
    for number in 0_u32.. {
        let mut part = name.to_owned();
        part.push(format!(".{}-{number}.part", std::process::id()));
        let part = path.with_file_name(part);
        match File::create_new(&part) {
            Ok(file) => return Ok((file, Part(part))),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(error),
        }
    }
    Err(io::ErrorKind::AlreadyExists.into())
}
