//! The index of a sharded checkpoint: which file has which tensor.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read;
use std::path::{Component, Path};

use serde::Deserialize;

use crate::Error;

/// Largest index that is read.
const MAX_INDEX: u64 = 100_000_000;

/// `model.safetensors.index.json`; other keys, such as `metadata`, do not matter.
#[derive(Deserialize)]
struct Index {
    weight_map: BTreeMap<String, String>,
}

/// Tensor names with the file name of their shard, each a plain name in the index's own folder.
///
/// The name itself may be a symbolic link that leads elsewhere: the cache of Hugging Face is made
/// of such links, and who can plant one can plant any file.
pub(crate) fn read_index(path: &Path) -> Result<BTreeMap<String, String>, Error> {
    let failed = |source| Error::Io { action: "read", file: path.to_owned(), source };
    let file = File::open(path).map_err(failed)?;
    let mut bytes = Vec::new();
    file.take(MAX_INDEX + 1).read_to_end(&mut bytes).map_err(failed)?;
    let wrong = |expected: String, found: String| Error::Format {
        file: path.to_owned(),
        what: "the shard index".into(),
        expected,
        found,
    };
    if bytes.len() as u64 > MAX_INDEX {
        return Err(wrong(format!("at most {MAX_INDEX} bytes"), "more".into()));
    }
    let index: Index = serde_json::from_slice(&bytes).map_err(|source| Error::Json {
        file: path.to_owned(),
        what: "the shard index",
        source,
    })?;
    if index.weight_map.is_empty() {
        return Err(wrong("a weight_map of tensors".into(), "an empty one".into()));
    }
    for (tensor, shard) in &index.weight_map {
        if !is_plain_name(shard) {
            return Err(Error::ShardPath {
                file: path.to_owned(),
                tensor: tensor.clone(),
                found: shard.clone(),
            });
        }
    }
    Ok(index.weight_map)
}

/// Whether a name stays in its folder on every system.
fn is_plain_name(name: &str) -> bool {
    let mut components = Path::new(name).components();
    let one = matches!((components.next(), components.next()), (Some(Component::Normal(_)), None));
    one && !name.contains(['/', '\\', ':', '\0'])
}

#[cfg(test)]
mod tests {
    use super::is_plain_name;

    #[test]
    fn names_that_leave_the_folder_are_refused() {
        assert!(is_plain_name("model-00001-of-00002.safetensors"));
        for name in ["", ".", "..", "/etc/passwd", "../x", "a/b", "a\\b", "C:x", "./x", "x\0"] {
            assert!(!is_plain_name(name), "{name:?}");
        }
    }
}
