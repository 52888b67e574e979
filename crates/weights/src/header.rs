//! The header of a safetensors file: parsed strictly, so that nothing behind it needs a check.
//!
//! The format: 8 bytes with the length of the header, little-endian; the header, a JSON object of
//! tensors by name; the data. Tensors lie one behind the other without gaps and end where the file
//! ends. Keys are unique. The `safetensors` crate has the types; its own reader keeps the last of
//! two equal keys and says less about a mistake.

use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;

use safetensors::tensor::TensorInfo;
use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};

use crate::json::{UniqueMap, parse, printable, value_of};
use crate::{Dtype, Error};

/// Largest header that is read or written, as in the reference implementation.
pub(crate) const MAX_HEADER: u64 = 100_000_000;

/// Bytes in front of the header.
const PREFIX: usize = 8;

/// Longest name of a tensor; Hugging Face's have up to about 100 bytes.
const MAX_NAME: usize = 1024;

/// Most dimensions of a tensor, as in PyTorch.
const MAX_RANK: usize = 64;

/// What messages call it.
const WHAT: &str = "the header";

/// The key of the string metadata.
pub(crate) const METADATA: &str = "__metadata__";

/// A checked header: each tensor's range lies inside the file and fits its shape and type.
#[derive(Debug)]
pub(crate) struct Header {
    pub(crate) tensors: BTreeMap<String, TensorInfo>,
    pub(crate) metadata: BTreeMap<String, String>,
    /// Where the data begins in the file.
    pub(crate) data_start: usize,
}

impl Header {
    /// Parses and checks the header of a whole file.
    pub(crate) fn parse(file: &Path, bytes: &[u8]) -> Result<Self, Error> {
        let json = header_bytes(file, bytes)?;
        let raw: RawHeader = parse(file, WHAT, "a JSON object of tensors by name", json)?;
        if json.first() != Some(&b'{') {
            return Err(Error::Json {
                file: file.to_owned(),
                what: WHAT,
                expected: "a JSON object from the first byte on",
                reason: "it begins with a blank".into(),
            });
        }
        let data_start = PREFIX + json.len();
        let metadata = raw.metadata.into_unique(file, WHAT)?.remove(METADATA).unwrap_or_default();
        let header = Self {
            tensors: raw.tensors.into_unique(file, WHAT)?,
            metadata: metadata.into_unique(file, METADATA)?,
            data_start,
        };
        for (name, info) in &header.tensors {
            check_name(file, name)?;
            if info.shape.len() > MAX_RANK {
                return Err(Error::Rank {
                    file: file.to_owned(),
                    tensor: name.clone(),
                    limit: MAX_RANK,
                    found: info.shape.len(),
                });
            }
        }
        header.check_layout(file, bytes.len() - data_start)?;
        Ok(header)
    }

    /// Each tensor is as long as its shape says, and together they cover the data exactly once.
    fn check_layout(&self, file: &Path, data_len: usize) -> Result<(), Error> {
        let mut order: Vec<_> = self.tensors.iter().collect();
        order.sort_by_key(|(_, info)| info.data_offsets);
        let mut expected = 0;
        for (name, info) in order {
            let (file, tensor) = (file.to_owned(), name.clone());
            let (begin, end) = info.data_offsets;
            let len = byte_len(&file, name, &info.shape, info.dtype)?;
            if begin < expected {
                return Err(Error::Overlap { file, tensor, expected, begin, end });
            }
            if begin > expected {
                return Err(Error::Hole { file, tensor, expected, begin, end });
            }
            if end.checked_sub(begin) != Some(len) {
                let found = format!("offsets {begin}..{end}");
                return Err(Error::Length { file, tensor, expected: len, found });
            }
            if end > data_len {
                return Err(Error::Truncated { file, tensor, expected: end, found: data_len });
            }
            expected = end;
        }
        if expected != data_len {
            return Err(Error::Trailing { file: file.to_owned(), expected, found: data_len });
        }
        Ok(())
    }
}

/// The JSON of the header.
fn header_bytes<'a>(file: &Path, bytes: &'a [u8]) -> Result<&'a [u8], Error> {
    let Some((prefix, rest)) = bytes.split_first_chunk::<PREFIX>() else {
        return Err(Error::TooShort { file: file.to_owned(), found: bytes.len() });
    };
    let len = u64::from_le_bytes(*prefix);
    if len > MAX_HEADER {
        return Err(Error::TooLong {
            file: file.to_owned(),
            what: WHAT.into(),
            limit: MAX_HEADER,
            found: len,
        });
    }
    let json = usize::try_from(len).ok().and_then(|len| rest.get(..len));
    json.ok_or_else(|| Error::HeaderCut { file: file.to_owned(), expected: len, found: rest.len() })
}

/// Refuses names that are empty, reserved or absurdly long, or look different from what they are.
pub(crate) fn check_name(file: &Path, name: &str) -> Result<(), Error> {
    if name.len() > MAX_NAME {
        return Err(Error::TooLong {
            file: file.to_owned(),
            what: format!("tensor name {}", printable(name, 40)),
            limit: MAX_NAME as u64,
            found: name.len() as u64,
        });
    }
    if name.is_empty() || name == METADATA || name.contains(char::is_control) {
        return Err(Error::Name { file: file.to_owned(), tensor: name.to_owned() });
    }
    Ok(())
}

/// Bytes of a tensor by shape and type, unless they overflow or are no whole number.
pub(crate) fn byte_len(
    file: &Path,
    name: &str,
    shape: &[usize],
    dtype: Dtype,
) -> Result<usize, Error> {
    let elements = shape.iter().try_fold(1_usize, |len, dim| len.checked_mul(*dim));
    let bits = elements.and_then(|elements| elements.checked_mul(dtype.bitsize()));
    match bits {
        Some(bits) if bits.is_multiple_of(8) => Ok(bits / 8),
        _ => Err(Error::Size {
            file: file.to_owned(),
            tensor: name.to_owned(),
            shape: shape.to_vec(),
            dtype,
        }),
    }
}

/// The header as it stands: the metadata, which is under one key, and the tensors.
#[derive(Default)]
struct RawHeader {
    metadata: UniqueMap<UniqueMap<String>>,
    tensors: UniqueMap<TensorInfo>,
}

impl<'de> Deserialize<'de> for RawHeader {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Entries;

        impl<'de> Visitor<'de> for Entries {
            type Value = RawHeader;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object of tensors by name")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<RawHeader, A::Error> {
                let mut header = RawHeader::default();
                while let Some(key) = map.next_key::<String>()? {
                    if key == METADATA {
                        let value = value_of(&key, &mut map)?;
                        header.metadata.insert(key, value);
                    } else {
                        let value = value_of(&key, &mut map)?;
                        header.tensors.insert(key, value);
                    }
                }
                Ok(header)
            }
        }

        deserializer.deserialize_map(Entries)
    }
}
