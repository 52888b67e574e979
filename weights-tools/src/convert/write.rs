//! Writing the planned tensors, each read when its turn comes.

use std::borrow::Cow;
use std::cell::RefCell;
use std::collections::HashMap;
use std::fs::{self, File};
use std::path::Path;

use anyhow::{Context, Error, Result, ensure};
use safetensors::{Dtype, View};

use super::plan::Step;
use super::reader::Reader;

/// What the views share: the open checkpoint, and the first error of reading it.
struct Shared<'a> {
    reader: RefCell<&'a mut dyn Reader>,
    error: RefCell<Option<Error>>,
    progress: &'a dyn Fn(&str),
}

/// A tensor whose bytes are read when the writer asks for them.
struct Lazy<'a, 'b> {
    step: &'a Step,
    shared: &'a Shared<'b>,
}

impl View for Lazy<'_, '_> {
    fn dtype(&self) -> Dtype {
        self.step.dtype
    }

    fn shape(&self) -> &[usize] {
        &self.step.shape
    }

    fn data(&self) -> Cow<'_, [u8]> {
        if self.shared.error.borrow().is_none() {
            match self.read() {
                Ok(bytes) => return bytes.into(),
                Err(error) => *self.shared.error.borrow_mut() = Some(error),
            }
        }
        // The file is given up; the library cannot be told so.
        Cow::Borrowed(&[])
    }

    fn data_len(&self) -> usize {
        self.step.shape.iter().product::<usize>() * self.step.dtype.bitsize() / 8
    }
}

impl Lazy<'_, '_> {
    fn read(&self) -> Result<Vec<u8>> {
        (self.shared.progress)(&self.step.name);
        let tensor = self.shared.reader.borrow_mut().read(&self.step.source)?;
        let (found, expected) = (tensor.bytes.len(), self.data_len());
        ensure!(
            found == expected && tensor.dtype == self.step.dtype,
            "tensor {}: expected {expected} bytes of {}, found {found} of {}",
            tensor.name,
            self.step.dtype,
            tensor.dtype
        );
        match self.step.shape.as_slice() {
            [rows, columns] if self.step.transposed => {
                Ok(transpose(&tensor.bytes, *columns, *rows, self.step.dtype.bitsize() / 8))
            }
            _ => Ok(tensor.bytes),
        }
    }
}

/// A matrix of elements of `width` bytes, `[rows, columns]`, as `[columns, rows]`.
fn transpose(bytes: &[u8], rows: usize, columns: usize, width: usize) -> Vec<u8> {
    let mut out = Vec::with_capacity(bytes.len());
    for column in 0..columns {
        for row in 0..rows {
            let at = (row * columns + column) * width;
            out.extend_from_slice(&bytes[at..at + width]);
        }
    }
    out
}

/// Writes `model.safetensors`; `progress` is told the name of each tensor before it is read.
///
/// # Errors
/// When a tensor cannot be read or the file not be written.
pub(super) fn write(
    file: &Path,
    steps: &[Step],
    reader: &mut dyn Reader,
    progress: &dyn Fn(&str),
) -> Result<()> {
    let shared = Shared { reader: RefCell::new(reader), error: RefCell::new(None), progress };
    let views = steps.iter().map(|step| (step.name.as_str(), Lazy { step, shared: &shared }));
    let metadata = HashMap::from([("format".to_owned(), "pt".to_owned())]);
    let written = safetensors::serialize_to_file(views, Some(metadata), file);
    if let Some(error) = shared.error.into_inner() {
        return Err(error);
    }
    let describe = || format!("{}: cannot be written", file.display());
    written.with_context(describe)?;
    // The library writes through a temporary file that only its owner may read.
    let ordinary = file.with_extension("permissions");
    let permissions = File::create(&ordinary)?.metadata()?.permissions();
    fs::remove_file(&ordinary)?;
    fs::set_permissions(file, permissions).with_context(describe)
}

#[cfg(test)]
mod tests {
    use super::transpose;

    #[test]
    fn rows_become_columns() {
        assert_eq!(transpose(&[1, 2, 3, 4, 5, 6], 2, 3, 1), [1, 4, 2, 5, 3, 6]);
        assert_eq!(transpose(&[1, 2, 3, 4], 1, 2, 2), [1, 2, 3, 4]);
    }
}
