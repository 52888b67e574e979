//! TensorFlow's checkpoints (tensor bundles): `NAME.index`, a sorted string table of entries, and
//! `NAME.data-00000-of-0000N`, the bytes of the tensors
//! (`tensorflow/core/util/tensor_bundle/tensor_bundle.h`).

mod proto;
mod table;

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};
use prost::Message;
use safetensors::Dtype;

use self::proto::{Entry as Slot, Header};
use super::SourceTensor;
use super::reader::{Entry, Naming, Reader};

/// Most bytes of an index; that of a large BERT takes a thousandth.
const MAX_INDEX: u64 = 64 << 20;

/// Most files that the data may be in.
const MAX_SHARDS: i32 = 1 << 12;

/// Added to a rotated checksum, as LevelDB does (`tsl/lib/hash/crc32c.h`).
const MASK_DELTA: u32 = 0xa282_ead8;

/// Where a tensor lies.
#[derive(Debug)]
struct Place {
    dtype: Dtype,
    shape: Vec<usize>,
    shard: usize,
    offset: u64,
    length: usize,
    crc32c: u32,
}

/// An open tensor bundle.
pub(super) struct Bundle {
    path: PathBuf,
    shards: Vec<(PathBuf, File)>,
    tensors: BTreeMap<String, Place>,
    others: Vec<String>,
}

impl Bundle {
    /// Opens `NAME.index` and the data files beside it.
    ///
    /// # Errors
    /// When a file is missing or cut, a checksum does not fit, or a tensor does not lie within
    /// its file.
    pub(super) fn open(path: &Path) -> Result<Self> {
        let describe = || path.display().to_string();
        let file = File::open(path).with_context(describe)?;
        let mut bytes = Vec::new();
        file.take(MAX_INDEX + 1).read_to_end(&mut bytes).with_context(describe)?;
        ensure!(
            bytes.len() as u64 <= MAX_INDEX,
            "{}: expected at most {MAX_INDEX} bytes, found more",
            path.display()
        );
        let entries = table::read(&bytes).with_context(describe)?;
        let Some((key, header)) = entries.first() else {
            bail!("{}: expected the header of a tensor bundle, found no entries", path.display());
        };
        ensure!(key.is_empty(), "{}: expected the header of a tensor bundle", path.display());
        let shards = open_shards(path, header)?;
        let mut bundle =
            Self { path: path.into(), shards, tensors: BTreeMap::new(), others: Vec::new() };
        for (key, value) in &entries[1..] {
            let name = String::from_utf8_lossy(key).into_owned();
            let place = bundle.place(value);
            match place.with_context(|| format!("{}: tensor {name}", path.display()))? {
                Some(place) => drop(bundle.tensors.insert(name, place)),
                None => bundle.others.push(name),
            }
        }
        Ok(bundle)
    }

    /// Checks an entry; none for a tensor that cannot be a weight (texts, slices).
    fn place(&self, value: &[u8]) -> Result<Option<Place>> {
        let slot = Slot::decode(value).context("not an entry of a tensor bundle")?;
        let Some(dtype) = dtype(slot.dtype) else { return Ok(None) };
        if !slot.slices.is_empty() {
            bail!("expected a whole tensor, found one in slices, which is not supported");
        }
        let shape = slot.shape.unwrap_or_default();
        ensure!(!shape.unknown_rank, "expected its dimensions, found an unknown rank");
        let shape: Vec<usize> = shape
            .dim
            .iter()
            .map(|dim| {
                let size = usize::try_from(dim.size).ok();
                size.with_context(|| format!("expected a size, found {}", dim.size))
            })
            .collect::<Result<_>>()?;
        let count = shape.iter().try_fold(1_usize, |all, size| all.checked_mul(*size));
        let expected = count.and_then(|count| count.checked_mul(dtype.bitsize() / 8));
        let length = usize::try_from(slot.size).ok();
        ensure!(
            expected.is_some() && expected == length,
            "expected the bytes of {shape:?} x {dtype}, found {}",
            slot.size
        );
        let shard = usize::try_from(slot.shard_id).ok().filter(|id| *id < self.shards.len());
        let shard = shard.with_context(|| {
            format!("expected one of {} data files, found {}", self.shards.len(), slot.shard_id)
        })?;
        let (file, data) = &self.shards[shard];
        let (offset, end) = (slot.offset, slot.offset.checked_add(slot.size));
        let size = data.metadata().with_context(|| file.display().to_string())?.len();
        let offset = u64::try_from(offset).ok();
        let fits = end.is_some_and(|end| end.cast_unsigned() <= size);
        let (Some(offset), true) = (offset, fits) else {
            bail!(
                "expected {} bytes at {} within {}, found its end at {size}",
                slot.size,
                slot.offset,
                file.display()
            );
        };
        let length = length.unwrap_or_default();
        Ok(Some(Place { dtype, shape, shard, offset, length, crc32c: slot.crc32c }))
    }
}

impl Reader for Bundle {
    fn path(&self) -> &Path {
        &self.path
    }

    fn naming(&self) -> Naming {
        Naming::TensorFlow
    }

    fn entries(&self) -> Vec<Entry> {
        let entry = |(name, place): (&String, &Place)| Entry {
            name: name.clone(),
            dtype: place.dtype,
            shape: place.shape.clone(),
        };
        self.tensors.iter().map(entry).collect()
    }

    fn others(&self) -> Vec<String> {
        self.others.clone()
    }

    fn read(&mut self, name: &str) -> Result<SourceTensor> {
        let place = self.tensors.get(name);
        let place = place.with_context(|| format!("{}: no tensor {name}", self.path.display()))?;
        let (path, file) = &mut self.shards[place.shard];
        let describe = || format!("{}: tensor {name}", path.display());
        file.seek(SeekFrom::Start(place.offset)).with_context(describe)?;
        let mut bytes = vec![0; place.length];
        file.read_exact(&mut bytes).with_context(describe)?;
        let found = masked_crc32c(&bytes);
        ensure!(
            found == place.crc32c,
            "{}: expected the checksum {:08x}, found {found:08x}",
            describe(),
            place.crc32c
        );
        let (name, dtype, shape) = (name.to_owned(), place.dtype, place.shape.clone());
        Ok(SourceTensor { name, dtype, shape, bytes })
    }
}

/// The checksum as bundles and tables store it.
fn masked_crc32c(bytes: &[u8]) -> u32 {
    crc32c::crc32c(bytes).rotate_right(15).wrapping_add(MASK_DELTA)
}

/// The data files of a bundle.
fn open_shards(path: &Path, header: &[u8]) -> Result<Vec<(PathBuf, File)>> {
    let header = Header::decode(header)
        .with_context(|| format!("{}: not the header of a tensor bundle", path.display()))?;
    ensure!(header.endianness == 0, "{}: expected little-endian numbers", path.display());
    let count = header.num_shards;
    ensure!(
        (1..=MAX_SHARDS).contains(&count),
        "{}: expected 1 to {MAX_SHARDS} data files, found {count}",
        path.display()
    );
    let open = |shard: i32| {
        let data = path.with_extension(format!("data-{shard:05}-of-{count:05}"));
        let file = File::open(&data).with_context(|| data.display().to_string())?;
        Ok((data, file))
    };
    (0..count).map(open).collect()
}

/// The type of that number in `tensorflow/core/framework/types.proto`, if weights can have it.
fn dtype(number: i32) -> Option<Dtype> {
    Some(match number {
        1 => Dtype::F32,
        2 => Dtype::F64,
        3 => Dtype::I32,
        9 => Dtype::I64,
        14 => Dtype::BF16,
        19 => Dtype::F16,
        _ => return None,
    })
}
