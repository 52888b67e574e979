//! Which format a checkpoint has: by the names in its folder, or by the file itself.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

use super::onnx::Onnx;
use super::reader::Reader;
use super::safe::Safe;
use super::shards::Shards;
use super::{tensorflow, torch};

/// Files that hold a checkpoint, best first.
const FILES: [&str; 4] = [
    "model.safetensors",
    "model.safetensors.index.json",
    "pytorch_model.bin",
    "pytorch_model.bin.index.json",
];

/// The folder of the configuration, and the open checkpoint.
pub(super) fn open(source: &Path) -> Result<(PathBuf, Box<dyn Reader>)> {
    if source.is_dir() {
        let file = find(source)?;
        return Ok((source.to_owned(), open_file(&file)?));
    }
    // TensorFlow names a checkpoint by what its files have in common.
    let mut index = source.as_os_str().to_owned();
    index.push(".index");
    let file = if source.exists() { source.to_owned() } else { PathBuf::from(index) };
    let folder = match source.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder.to_owned(),
        _ => PathBuf::from("."),
    };
    let shown = if file.exists() { file } else { source.to_owned() };
    Ok((model_folder(folder), open_file(&shown)?))
}

/// The folder of the model that a checkpoint belongs to: exports lie in `onnx` within it.
fn model_folder(folder: PathBuf) -> PathBuf {
    let parent = folder.parent().filter(|parent| parent.join("config.json").exists());
    match parent {
        Some(parent) if folder.ends_with("onnx") && !folder.join("config.json").exists() => {
            parent.to_owned()
        }
        _ => folder,
    }
}

/// The checkpoint in a folder.
fn find(folder: &Path) -> Result<PathBuf> {
    if let Some(file) = FILES.iter().map(|name| folder.join(name)).find(|file| file.exists()) {
        return Ok(file);
    }
    let describe = || folder.display().to_string();
    let mut names = Vec::new();
    for entry in fs::read_dir(folder).with_context(describe)? {
        names.push(entry.with_context(describe)?.file_name().to_string_lossy().into_owned());
    }
    for suffix in [".index", ".onnx"] {
        let mut found: Vec<&String> = names.iter().filter(|name| name.ends_with(suffix)).collect();
        found.sort_unstable();
        match found.as_slice() {
            [] => {}
            [name] => return Ok(folder.join(name)),
            [first, second, ..] => bail!(
                "{}: expected one checkpoint, found {first} and {second}; name the file",
                folder.display()
            ),
        }
    }
    if folder.join("onnx").is_dir() && !folder.ends_with("onnx") {
        return find(&folder.join("onnx"));
    }
    bail!(
        "{}: expected model.safetensors, pytorch_model.bin, an index of either, a TensorFlow \
         checkpoint (*.ckpt.index) or *.onnx, found none",
        folder.display()
    )
}

fn open_file(file: &Path) -> Result<Box<dyn Reader>> {
    let name = file.file_name().unwrap_or_default().to_string_lossy();
    if name.ends_with(".safetensors") || name.ends_with(".safetensors.index.json") {
        Ok(Box::new(Safe::open(file)?))
    } else if name.ends_with(".index.json") {
        Ok(Box::new(Shards::open(file)?))
    } else if name.ends_with(".index") {
        Ok(Box::new(tensorflow::Bundle::open(file)?))
    } else if name.ends_with(".onnx") {
        Ok(Box::new(Onnx::open(file)?))
    } else {
        torch::open(file)
    }
}
