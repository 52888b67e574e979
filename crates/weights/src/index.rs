//! The index of a sharded checkpoint: which file has which tensor.

use std::collections::BTreeMap;
use std::io::Read;
use std::path::{Component, Path};

use serde::Deserialize;

use crate::Error;
use crate::header::check_name;
use crate::json::{UniqueMap, parse};
use crate::storage::open_regular;

/// Largest index that is read.
const MAX_INDEX: u64 = 100_000_000;

/// What messages call it.
const WHAT: &str = "the shard index";

/// `model.safetensors.index.json`; other keys, such as `metadata`, do not matter.
#[derive(Deserialize)]
struct Index {
    weight_map: UniqueMap<String>,
}

/// Tensor names with the file name of their shard, each a plain name in the index's own folder.
pub(crate) fn read_index(path: &Path) -> Result<BTreeMap<String, String>, Error> {
    let (file, len) = open_regular(path)?;
    let too_long = |found| Error::TooLong {
        file: path.to_owned(),
        what: WHAT.into(),
        limit: MAX_INDEX,
        found,
    };
    if len > MAX_INDEX {
        return Err(too_long(len));
    }
    let mut bytes = Vec::new();
    let read = file.take(MAX_INDEX + 1).read_to_end(&mut bytes);
    read.map_err(|source| Error::Io { action: "read", file: path.to_owned(), source })?;
    if bytes.len() as u64 > MAX_INDEX {
        return Err(too_long(bytes.len() as u64));
    }
    let index: Index = parse(path, WHAT, "a JSON object with a weight_map of file names", &bytes)?;
    let weight_map = index.weight_map.into_unique(path, "weight_map")?;
    if weight_map.is_empty() {
        return Err(Error::EmptyIndex { file: path.to_owned() });
    }
    for (tensor, shard) in &weight_map {
        check_name(path, tensor)?;
        if !is_plain_name(shard) {
            return Err(Error::ShardPath {
                file: path.to_owned(),
                tensor: tensor.clone(),
                found: shard.clone(),
            });
        }
    }
    Ok(weight_map)
}

/// Whether a name stays in its folder on every system.
fn is_plain_name(name: &str) -> bool {
    let mut components = Path::new(name).components();
    let one = matches!((components.next(), components.next()), (Some(Component::Normal(_)), None));
    one && name.len() <= 255 && !name.contains(['/', '\\', ':']) && !name.contains(char::is_control)
}

#[cfg(test)]
mod tests {
    use super::is_plain_name;

    #[test]
    fn names_that_leave_the_folder_are_refused() {
        assert!(is_plain_name("model-00001-of-00002.safetensors"));
        assert!(is_plain_name("..model"));
        for name in [
            "",
            ".",
            "..",
            "/",
            "/etc/passwd",
            "../x",
            "a/b",
            "a/",
            "a/..",
            "a\\b",
            "..\\x",
            "C:x",
            "./x",
            "x\0",
            "a\nb",
        ] {
            assert!(!is_plain_name(name), "{name:?}");
        }
        assert!(!is_plain_name(&"x".repeat(256)));
    }
}
