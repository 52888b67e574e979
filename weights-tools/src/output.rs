//! Output folders that appear whole or not at all, and the JSON files in them.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result, bail};
use serde_json::Value;

/// Files beside the weights that belong to a model; the first one is always there.
pub(crate) const COMPANIONS: [&str; 6] = [
    "config.json",
    "vocab.txt",
    "tokenizer.json",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "added_tokens.json",
];

/// Runs `fill` on a new hidden folder beside `out`, then renames that folder to `out`.
///
/// A run that fails or is cut leaves no folder of that name. Missing parents are created.
///
/// # Errors
/// When `out` exists and is not an empty folder, when `fill` fails, or when the disk does.
pub fn whole_folder<T>(out: &Path, fill: impl FnOnce(&Path) -> Result<T>) -> Result<T> {
    if out.exists() {
        let mut entries = fs::read_dir(out)
            .with_context(|| format!("{}: exists and is not a folder", out.display()))?;
        if entries.next().is_some() {
            bail!("{}: the folder has files in it; name a new one", out.display());
        }
    }
    let parent = match out.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    let describe = || format!("{}: cannot be made", out.display());
    fs::create_dir_all(parent).with_context(describe)?;
    let hidden =
        tempfile::Builder::new().prefix(".nervio-").tempdir_in(parent).with_context(describe)?;
    // The temporary folder is private to its owner; the one inside it has ordinary permissions.
    let unfinished = hidden.path().join("model");
    fs::create_dir(&unfinished).with_context(describe)?;
    let value = fill(&unfinished)?;
    fs::rename(&unfinished, out).with_context(describe)?;
    Ok(value)
}

/// Writes indented JSON, keys sorted, with a newline at the end.
pub(crate) fn write_json(file: &Path, value: &Value) -> Result<()> {
    let text = serde_json::to_string_pretty(value)? + "\n";
    fs::write(file, text).with_context(|| format!("{}: cannot be written", file.display()))
}

#[cfg(test)]
mod tests {
    use super::whole_folder;
    use std::fs;

    #[test]
    fn a_failed_run_leaves_nothing() {
        let root = tempfile::tempdir().unwrap();
        let out = root.path().join("deep/model");
        let error = whole_folder(&out, |folder| -> anyhow::Result<()> {
            fs::write(folder.join("half"), "x")?;
            anyhow::bail!("cut")
        });
        assert_eq!(error.unwrap_err().to_string(), "cut");
        assert!(!out.exists());
        assert_eq!(fs::read_dir(root.path().join("deep")).unwrap().count(), 0);
    }

    #[test]
    fn a_full_folder_is_never_touched() {
        let root = tempfile::tempdir().unwrap();
        fs::write(root.path().join("mine"), "x").unwrap();
        let error = whole_folder(root.path(), |_| Ok(())).unwrap_err();
        assert!(error.to_string().contains("has files in it"), "{error}");
        assert_eq!(fs::read_dir(root.path()).unwrap().count(), 1);
    }

    #[test]
    fn an_empty_folder_is_filled() {
        let root = tempfile::tempdir().unwrap();
        let out = root.path().join("model");
        fs::create_dir(&out).unwrap();
        whole_folder(&out, |folder| Ok(fs::write(folder.join("a"), "b")?)).unwrap();
        assert_eq!(fs::read_to_string(out.join("a")).unwrap(), "b");
    }
}
