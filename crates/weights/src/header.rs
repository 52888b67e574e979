//! The header of a safetensors file: parsed strictly, so that nothing behind it needs a check.
//!
//! The format: 8 bytes with the length of the header, little-endian; the header, a JSON object of
//! tensors by name; the data. Tensors lie one behind the other without gaps and end where the file
//! ends. Keys are unique.

use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;

use safetensors::tensor::TensorInfo;
use serde::de::{Deserialize, Deserializer, Error as _, MapAccess, Visitor};

use crate::Error;

/// Largest header that is read, as in the reference implementation.
const MAX_HEADER: u64 = 100_000_000;

/// Bytes in front of the header.
const PREFIX: usize = 8;

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
        let raw: RawHeader = serde_json::from_slice(json).map_err(|source| Error::Json {
            file: file.to_owned(),
            what: "the header",
            source,
        })?;
        let data_start = PREFIX + json.len();
        let header = Self { tensors: raw.tensors, metadata: raw.metadata, data_start };
        header.check(file, bytes.len() - data_start)?;
        Ok(header)
    }

    /// Each tensor is as long as its shape says, and together they cover the data exactly once.
    fn check(&self, file: &Path, data_len: usize) -> Result<(), Error> {
        let mut order: Vec<_> = self.tensors.iter().collect();
        order.sort_by_key(|(_, info)| info.data_offsets);
        let mut next = 0;
        for (name, info) in order {
            let wrong = |expected: String, found: String| Error::Format {
                file: file.to_owned(),
                what: format!("tensor {name:?}"),
                expected,
                found,
            };
            let (begin, end) = info.data_offsets;
            let len = byte_len(info).ok_or_else(|| {
                wrong("a size that fits in memory".into(), format!("shape {:?}", info.shape))
            })?;
            if begin != next {
                return Err(wrong(
                    format!("its data to begin at {next}, where the tensor before it ends"),
                    format!("offsets {begin}..{end}"),
                ));
            }
            if end.checked_sub(begin) != Some(len) {
                return Err(wrong(
                    format!("{len} bytes for shape {:?} of {:?}", info.shape, info.dtype),
                    format!("offsets {begin}..{end}"),
                ));
            }
            if end > data_len {
                return Err(wrong(
                    format!("its data to end within the {data_len} bytes of data in the file"),
                    format!("offsets {begin}..{end}; is the file cut short?"),
                ));
            }
            next = end;
        }
        if next != data_len {
            return Err(Error::Format {
                file: file.to_owned(),
                what: "the data".into(),
                expected: format!("{next} bytes, as the header says"),
                found: format!("{data_len}"),
            });
        }
        Ok(())
    }
}

/// The JSON of the header.
fn header_bytes<'a>(file: &Path, bytes: &'a [u8]) -> Result<&'a [u8], Error> {
    let wrong = |expected: String, found: String| Error::Format {
        file: file.to_owned(),
        what: "the header".into(),
        expected,
        found,
    };
    let Some((prefix, rest)) = bytes.split_first_chunk::<PREFIX>() else {
        return Err(wrong(
            "a safetensors file, which begins with 8 bytes of length".into(),
            format!("{} bytes", bytes.len()),
        ));
    };
    let len = u64::from_le_bytes(*prefix);
    if len > MAX_HEADER {
        return Err(wrong(format!("at most {MAX_HEADER} bytes"), format!("a length of {len}")));
    }
    let json = usize::try_from(len).ok().and_then(|len| rest.get(..len));
    json.ok_or_else(|| {
        wrong(format!("{len} bytes, as its length says"), format!("{} in the file", rest.len()))
    })
}

/// Bytes of a tensor by shape and type, unless they overflow or are no whole number.
fn byte_len(info: &TensorInfo) -> Option<usize> {
    let elements = info.shape.iter().try_fold(1_usize, |len, dim| len.checked_mul(*dim))?;
    let bits = elements.checked_mul(info.dtype.bitsize())?;
    bits.is_multiple_of(8).then_some(bits / 8)
}

/// The header as it stands, with every key seen once.
struct RawHeader {
    tensors: BTreeMap<String, TensorInfo>,
    metadata: BTreeMap<String, String>,
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
                let mut header = RawHeader { tensors: BTreeMap::new(), metadata: BTreeMap::new() };
                let mut has_metadata = false;
                while let Some(name) = map.next_key::<String>()? {
                    let twice = if name == "__metadata__" {
                        header.metadata = map.next_value()?;
                        std::mem::replace(&mut has_metadata, true)
                    } else {
                        if name.is_empty() || name.contains('\0') {
                            return Err(A::Error::custom(format!(
                                "tensor name {name:?}: expected a name without NUL"
                            )));
                        }
                        header.tensors.insert(name.clone(), map.next_value()?).is_some()
                    };
                    if twice {
                        return Err(A::Error::custom(format!("key {name:?} occurs twice")));
                    }
                }
                Ok(header)
            }
        }

        deserializer.deserialize_map(Entries)
    }
}
