//! The embedding table without the rows of the tokens that go; everything else as it is.

use std::collections::HashMap;
use std::path::Path;

use anyhow::{Context, Result, ensure};
use nervio_weights::{BertTensors, Checkpoint, OpenOptions, OwnedTensor, write_file};

use super::choice::Kept;

/// The table, and the scales of its rows if it is of 8-bit integers.
const TABLE: &str = "embeddings.word_embeddings.weight";
const SCALES: &str = "embeddings.word_embeddings.weight_scale";

/// What became of the weights.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Sizes {
    pub(super) rows_before: usize,
    pub(super) bytes_before: u64,
    pub(super) bytes_after: u64,
}

/// Writes `model.safetensors`; parts that token classification lacks are left out.
pub(super) fn write(source: &Path, out: &Path, kept: &Kept) -> Result<Sizes> {
    let checkpoint = Checkpoint::open(source, &OpenOptions::default())?;
    let tensors = BertTensors::new(&checkpoint)?;
    let table = tensors
        .get(TABLE)
        .with_context(|| format!("{}: tensor {TABLE} is missing", checkpoint.path().display()))?;
    let (name, rows) = (table.name, table.shape.first().copied().unwrap_or(0));
    let highest = kept.old().last().map_or(0, |id| *id as usize + 1);
    ensure!(
        table.shape.len() == 2 && rows >= highest,
        "{}: tensor {name}: expected a row for each of {highest} tokens, found shape {:?}",
        checkpoint.path().display(),
        table.shape
    );
    let scales = tensors.get(SCALES).map(|tensor| tensor.name);
    let ignored = tensors.ignored();
    let mut written = Vec::new();
    for key in checkpoint.names().filter(|key| !ignored.contains(key)) {
        let Some(tensor) = checkpoint.get(key) else { continue };
        let (mut shape, mut data) = (tensor.shape.to_vec(), tensor.data.to_vec());
        if key == name || Some(key) == scales {
            ensure!(shape[0] == rows, "tensor {key}: expected {rows} rows, found {}", shape[0]);
            data = select(&data, data.len() / rows.max(1), kept);
            shape[0] = kept.len();
        }
        written.push(OwnedTensor { name: key.to_owned(), dtype: tensor.dtype, shape, data });
    }
    let file = out.join("model.safetensors");
    let metadata = checkpoint.metadata().into_iter();
    let metadata: HashMap<_, _> = metadata.map(|(k, v)| (k.to_owned(), v.to_owned())).collect();
    write_file(&file, &written, metadata)?;
    let bytes_after = Checkpoint::open_file(&file, &OpenOptions::default())?.total_bytes();
    Ok(Sizes { rows_before: rows, bytes_before: checkpoint.total_bytes(), bytes_after })
}

/// The rows that stay, of `width` bytes each.
fn select(data: &[u8], width: usize, kept: &Kept) -> Vec<u8> {
    kept.old().iter().flat_map(|id| &data[*id as usize * width..][..width]).copied().collect()
}
