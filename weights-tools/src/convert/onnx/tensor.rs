//! The numbers of an ONNX tensor: in the message, as raw bytes, or in a file beside.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::{Component, Path};

use anyhow::{Context, Result, bail, ensure};
use half::{bf16, f16};

use super::proto::Tensor;

/// `TensorProto.DataType`.
const FLOAT: i32 = 1;
const UINT8: i32 = 2;
const INT8: i32 = 3;
const INT32: i32 = 6;
const FLOAT16: i32 = 10;
const BFLOAT16: i32 = 16;
const UINT4: i32 = 21;
const INT4: i32 = 22;

/// Numbers with a shape.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Array {
    pub(super) shape: Vec<usize>,
    pub(super) values: Values,
}

/// Floats, or integers still to be dequantised.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Values {
    Float(Vec<f32>),
    Int(Vec<i32>),
}

impl Array {
    /// The floats of an array.
    pub(super) fn floats(&self) -> Result<&[f32]> {
        match &self.values {
            Values::Float(values) => Ok(values),
            Values::Int(_) => bail!("expected floats, found integers"),
        }
    }

    /// The integers of an array.
    pub(super) fn ints(&self) -> Result<&[i32]> {
        match &self.values {
            Values::Int(values) => Ok(values),
            Values::Float(_) => bail!("expected integers, found floats"),
        }
    }

    /// A matrix with rows and columns exchanged.
    pub(super) fn transposed(&self) -> Result<Self> {
        let [rows, columns] = self.shape[..] else {
            bail!("expected a matrix to transpose, found shape {:?}", self.shape)
        };
        fn swap<T: Copy>(values: &[T], rows: usize, columns: usize) -> Vec<T> {
            (0..columns).flat_map(|c| (0..rows).map(move |r| values[r * columns + c])).collect()
        }
        let values = match &self.values {
            Values::Float(values) => Values::Float(swap(values, rows, columns)),
            Values::Int(values) => Values::Int(swap(values, rows, columns)),
        };
        Ok(Self { shape: vec![columns, rows], values })
    }
}

/// Whether the tensor has a type that weights can have; shapes and indices are of others.
pub(super) fn is_numeric(tensor: &Tensor) -> bool {
    matches!(tensor.data_type, FLOAT | UINT8 | INT8 | INT32 | FLOAT16 | BFLOAT16 | UINT4 | INT4)
}

/// Reads a tensor; `folder` is where files beside the model are.
///
/// # Errors
/// When its data does not fit its shape, is of another type, or lies in a file outside.
pub(super) fn read(tensor: &Tensor, folder: &Path) -> Result<Array> {
    read_unnamed(tensor, folder).with_context(|| format!("tensor {}", tensor.name))
}

fn read_unnamed(tensor: &Tensor, folder: &Path) -> Result<Array> {
    ensure!(
        is_numeric(tensor),
        "expected floats or integers of up to 32 bits, found data type {}",
        tensor.data_type
    );
    let shape: Vec<usize> = tensor
        .dims
        .iter()
        .map(|dim| usize::try_from(*dim).with_context(|| format!("dimension {dim}")))
        .collect::<Result<_>>()?;
    let count = shape.iter().try_fold(1_usize, |count, dim| count.checked_mul(*dim));
    let count = count.filter(|count| *count < 1 << 40);
    let count = count.with_context(|| format!("shape {shape:?}: too large"))?;
    let external;
    let raw = if tensor.data_location == 1 {
        external = read_external(tensor, folder)?;
        Some(external.as_slice())
    } else {
        Some(tensor.raw_data.as_slice()).filter(|raw| !raw.is_empty())
    };
    let values = match raw {
        Some(raw) => from_bytes(tensor.data_type, raw, count)?,
        None => from_fields(tensor)?,
    };
    let found = match &values {
        Values::Float(values) => values.len(),
        Values::Int(values) => values.len(),
    };
    ensure!(found == count, "expected {count} elements for shape {shape:?}, found {found}");
    Ok(Array { shape, values })
}

/// Little-endian elements, of 4 bits two to a byte, low half first.
fn from_bytes(data_type: i32, raw: &[u8], count: usize) -> Result<Values> {
    let pairs = || raw.as_chunks::<2>().0.iter().map(|bytes| u16::from_le_bytes(*bytes));
    let fours = || raw.as_chunks::<4>().0.iter();
    let width = match data_type {
        FLOAT | INT32 => 4,
        FLOAT16 | BFLOAT16 => 2,
        _ => 1,
    };
    let expected =
        if matches!(data_type, UINT4 | INT4) { count.div_ceil(2) } else { count * width };
    ensure!(raw.len() == expected, "expected {expected} bytes of data, found {}", raw.len());
    Ok(match data_type {
        FLOAT => Values::Float(fours().map(|bytes| f32::from_le_bytes(*bytes)).collect()),
        FLOAT16 => Values::Float(pairs().map(|bits| f16::from_bits(bits).to_f32()).collect()),
        BFLOAT16 => Values::Float(pairs().map(|bits| bf16::from_bits(bits).to_f32()).collect()),
        INT32 => Values::Int(fours().map(|bytes| i32::from_le_bytes(*bytes)).collect()),
        UINT8 => Values::Int(raw.iter().map(|byte| i32::from(*byte)).collect()),
        INT8 => Values::Int(raw.iter().map(|byte| i32::from(byte.cast_signed())).collect()),
        UINT4 => Values::Int(halves(raw).take(count).collect()),
        INT4 => Values::Int(halves(raw).map(|half| (half ^ 8) - 8).take(count).collect()),
        other => bail!("expected floats or integers of up to 32 bits, found data type {other}"),
    })
}

/// The halves of bytes, low one first.
pub(super) fn halves(bytes: &[u8]) -> impl Iterator<Item = i32> {
    bytes.iter().flat_map(|byte| [i32::from(byte & 15), i32::from(byte >> 4)])
}

/// Elements in the typed fields of the message.
fn from_fields(tensor: &Tensor) -> Result<Values> {
    let ints = &tensor.int32_data;
    let bits = |int: &i32| u16::try_from(*int).context("expected 16 bits, found more");
    Ok(match tensor.data_type {
        FLOAT => Values::Float(tensor.float_data.clone()),
        FLOAT16 => Values::Float(
            ints.iter().map(|x| Ok(f16::from_bits(bits(x)?).to_f32())).collect::<Result<_>>()?,
        ),
        BFLOAT16 => Values::Float(
            ints.iter().map(|x| Ok(bf16::from_bits(bits(x)?).to_f32())).collect::<Result<_>>()?,
        ),
        UINT8 | INT8 | INT32 => Values::Int(ints.clone()),
        other => bail!("expected raw data for data type {other}, found none"),
    })
}

/// Data in a file beside the model: `location`, `offset` and `length`.
fn read_external(tensor: &Tensor, folder: &Path) -> Result<Vec<u8>> {
    let value = |key: &str| {
        tensor.external_data.iter().find(|pair| pair.key == key).map(|pair| pair.value.as_str())
    };
    let number = |key: &str| -> Result<Option<u64>> {
        let parse = |text: &str| {
            text.parse().with_context(|| format!("external {key}: expected a number, found {text}"))
        };
        value(key).map(parse).transpose()
    };
    let location = value("location").context("expected the location of external data")?;
    let is_inside = Path::new(location).components().all(|c| matches!(c, Component::Normal(_)));
    ensure!(
        is_inside && !location.is_empty(),
        "external location: expected a file in the model's folder, found {location:?}"
    );
    let path = folder.join(location);
    let shown = || path.display().to_string();
    let mut file = File::open(&path).with_context(shown)?;
    let size = file.metadata().with_context(shown)?.len();
    let offset = number("offset")?.unwrap_or(0);
    let length = number("length")?.unwrap_or_else(|| size.saturating_sub(offset));
    let end = offset.checked_add(length).filter(|end| *end <= size);
    ensure!(
        end.is_some(),
        "{}: expected {length} bytes from byte {offset} on, found {size} bytes in all",
        path.display()
    );
    let mut data = vec![0; usize::try_from(length)?];
    file.seek(SeekFrom::Start(offset)).with_context(shown)?;
    file.read_exact(&mut data).with_context(shown)?;
    Ok(data)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tensor(data_type: i32, dims: &[i64], raw_data: &[u8]) -> Tensor {
        Tensor { data_type, dims: dims.into(), raw_data: raw_data.into(), ..Tensor::default() }
    }

    fn values(data_type: i32, dims: &[i64], raw: &[u8]) -> Values {
        read(&tensor(data_type, dims, raw), Path::new(".")).unwrap().values
    }

    #[test]
    fn every_type_is_read() {
        assert_eq!(values(FLOAT, &[1], &1.5_f32.to_le_bytes()), Values::Float(vec![1.5]));
        assert_eq!(values(FLOAT16, &[1], &[0, 0x3e]), Values::Float(vec![1.5]));
        assert_eq!(values(BFLOAT16, &[1], &[0xc0, 0x3f]), Values::Float(vec![1.5]));
        assert_eq!(values(INT8, &[2], &[255, 1]), Values::Int(vec![-1, 1]));
        assert_eq!(values(UINT8, &[2], &[255, 1]), Values::Int(vec![255, 1]));
        assert_eq!(values(UINT4, &[3], &[0x9f, 0x02]), Values::Int(vec![15, 9, 2]));
        assert_eq!(values(INT4, &[3], &[0x9f, 0x02]), Values::Int(vec![-1, -7, 2]));
        assert_eq!(values(INT32, &[1], &(-3_i32).to_le_bytes()), Values::Int(vec![-3]));
    }

    #[test]
    fn data_that_does_not_fit_is_refused() {
        for (tensor, expected) in [
            (tensor(FLOAT, &[2], &[0; 4]), "expected 8 bytes of data, found 4"),
            (tensor(FLOAT, &[-1], &[0; 4]), "dimension -1"),
            (tensor(FLOAT, &[1 << 40, 1 << 40], &[0; 4]), "too large"),
            (tensor(FLOAT, &[3], &[]), "expected 3 elements"),
            (tensor(7, &[1], &[0; 8]), "data type 7"),
        ] {
            let error = format!("{:#}", read(&tensor, Path::new(".")).unwrap_err());
            assert!(error.contains(expected), "{error}");
        }
    }

    #[test]
    fn external_data_stays_in_the_folder() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("data"), [0, 0, 0, 0, 0, 0, 0xc0, 0x3f]).unwrap();
        let external = |pairs: &[(&str, &str)]| {
            let pair = |(key, value): &(&str, &str)| super::super::proto::Pair {
                key: (*key).to_owned(),
                value: (*value).to_owned(),
            };
            let external_data = pairs.iter().map(pair).collect();
            let tensor = Tensor { external_data, data_location: 1, ..tensor(FLOAT, &[1], &[]) };
            read(&tensor, folder.path()).map_err(|error| format!("{error:#}"))
        };
        let found = external(&[("location", "data"), ("offset", "4"), ("length", "4")]);
        assert_eq!(found.unwrap().values, Values::Float(vec![1.5]));
        for (pairs, expected) in [
            (&[("location", "../data")][..], "in the model's folder"),
            (&[("location", "/etc/passwd")], "in the model's folder"),
            (&[("offset", "4")], "expected the location"),
            (&[("location", "data"), ("offset", "8"), ("length", "4")], "found 8 bytes in all"),
            (
                &[("location", "data"), ("length", "18446744073709551615"), ("offset", "1")],
                "in all",
            ),
            (&[("location", "none")], "none"),
        ] {
            let error = external(pairs).unwrap_err();
            assert!(error.contains(expected), "{error}");
        }
    }
}
