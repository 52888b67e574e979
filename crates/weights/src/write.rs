//! Writing safetensors files.

use std::collections::HashMap;
use std::fs;
use std::path::Path;

use safetensors::tensor::TensorView;

use crate::{Dtype, Error};

/// A tensor to be written.
#[derive(Clone, Debug)]
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

/// Writes a safetensors file whole or not at all: beside its place first, then renamed.
///
/// # Errors
///
/// When a tensor's data does not fit its shape, or the file cannot be written.
pub fn write_file(
    path: &Path,
    tensors: &[OwnedTensor],
    metadata: HashMap<String, String>,
) -> Result<(), Error> {
    let failed = |source| Error::Io { action: "write", file: path.to_owned(), source };
    let views = tensors
        .iter()
        .map(|tensor| {
            let view = TensorView::new(tensor.dtype, tensor.shape.clone(), &tensor.data);
            view.map(|view| (tensor.name.as_str(), view)).map_err(|error| Error::Format {
                file: path.to_owned(),
                what: format!("tensor {}", tensor.name),
                expected: format!("data for shape {:?} of {:?}", tensor.shape, tensor.dtype),
                found: error.to_string(),
            })
        })
        .collect::<Result<Vec<_>, _>>()?;
    let bytes = safetensors::serialize(views, Some(metadata))
        .map_err(|error| failed(std::io::Error::other(error)))?;
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(format!(".{}.part", std::process::id()));
    let part = path.with_file_name(name);
    fs::write(&part, bytes).and_then(|()| fs::rename(&part, path)).map_err(|source| {
        // The error that matters is the first; there may be no half file to remove.
        let _ = fs::remove_file(&part);
        failed(source)
    })
}
