//! The files that name tokens or their ids, written anew.

use std::collections::HashSet;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use serde_json::{Map, Value};

use super::choice::Kept;
use crate::output::write_json;

/// Keys of a configuration that hold the id of a token.
const ID_KEYS: [&str; 4] = ["pad_token_id", "bos_token_id", "eos_token_id", "sep_token_id"];

/// The tokens that the files of a model name one by one: they are never dropped.
pub(super) fn added_tokens(source: &Path) -> Result<HashSet<String>> {
    let mut tokens = HashSet::new();
    let content = |token: &Value| token.get("content").and_then(Value::as_str).map(str::to_owned);
    if let Some((_, json)) = read(source, "tokenizer.json")? {
        tokens.extend(json["added_tokens"].as_array().into_iter().flatten().filter_map(content));
    }
    if let Some((_, json)) = read(source, "tokenizer_config.json")? {
        let decoder = json["added_tokens_decoder"].as_object();
        tokens.extend(decoder.into_iter().flat_map(Map::values).filter_map(content));
    }
    if let Some((_, json)) = read(source, "added_tokens.json")? {
        tokens.extend(json.as_object().into_iter().flat_map(Map::keys).cloned());
    }
    Ok(tokens)
}

/// Writes everything but the weights to `out`.
pub(super) fn write(source: &Path, out: &Path, kept: &Kept) -> Result<()> {
    write_vocab(source, out, kept)?;
    rewrite(source, out, "config.json", |json| {
        json.insert("vocab_size".into(), kept.len().into());
        for key in ID_KEYS {
            if let Some(id) = json.get_mut(key).filter(|id| id.is_u64()) {
                *id = number(id, kept).map_or(Value::Null, Value::from);
            }
        }
        Ok(())
    })?;
    rewrite(source, out, "tokenizer.json", |json| tokenizer_json(json, kept))?;
    rewrite(source, out, "tokenizer_config.json", |json| {
        let Some(Value::Object(decoder)) = json.get_mut("added_tokens_decoder") else {
            return Ok(());
        };
        let renumbered = std::mem::take(decoder)
            .into_iter()
            .filter_map(|(id, token)| Some((kept.new_id(id.parse().ok()?)?.to_string(), token)));
        decoder.extend(renumbered);
        Ok(())
    })?;
    rewrite(source, out, "added_tokens.json", |json| {
        json.values_mut().for_each(|id| renumber(id, kept));
        Ok(())
    })?;
    rewrite(source, out, "special_tokens_map.json", |_| Ok(()))
}

/// The lines of `vocab.txt` that stay; ids behind its end belong to added tokens.
fn write_vocab(source: &Path, out: &Path, kept: &Kept) -> Result<()> {
    let file = source.join("vocab.txt");
    if !file.exists() {
        return Ok(());
    }
    let text = fs::read_to_string(&file).with_context(|| file.display().to_string())?;
    let lines: Vec<&str> = text.split_inclusive('\n').collect();
    let line = |id: &u32| lines.get(*id as usize).map(|line| line.trim_end_matches(['\r', '\n']));
    let mut pruned: String = kept.old().iter().filter_map(line).flat_map(|x| [x, "\n"]).collect();
    if !text.ends_with('\n') {
        pruned.pop();
    }
    let file = out.join("vocab.txt");
    fs::write(&file, pruned).with_context(|| file.display().to_string())
}

/// Vocabulary, added tokens, post-processor and padding of a `tokenizer.json`.
fn tokenizer_json(json: &mut Map<String, Value>, kept: &Kept) -> Result<()> {
    let vocab = json.get_mut("model").and_then(|model| model.get_mut("vocab"));
    let vocab = vocab.and_then(Value::as_object_mut);
    let vocab = vocab.context("model.vocab: expected an object of tokens")?;
    let pairs = std::mem::take(vocab).into_iter();
    vocab.extend(pairs.filter_map(|(token, id)| Some((token, number(&id, kept)?.into()))));
    for token in json.get_mut("added_tokens").and_then(Value::as_array_mut).into_iter().flatten() {
        renumber(&mut token["id"], kept);
    }
    if let Some(Value::Object(processor)) = json.get_mut("post_processor") {
        for key in ["sep", "cls"] {
            if let Some(id) = processor.get_mut(key).and_then(|pair| pair.get_mut(1)) {
                renumber(id, kept);
            }
        }
        let special = processor.get_mut("special_tokens").and_then(Value::as_object_mut);
        for token in special.into_iter().flat_map(Map::values_mut) {
            let ids = token.get_mut("ids").and_then(Value::as_array_mut);
            ids.into_iter().flatten().for_each(|id| renumber(id, kept));
        }
    }
    if let Some(Value::Object(padding)) = json.get_mut("padding")
        && let Some(id) = padding.get_mut("pad_id")
    {
        renumber(id, kept);
    }
    Ok(())
}

/// The new id for an old one, if its token stays.
fn number(id: &Value, kept: &Kept) -> Option<u32> {
    kept.new_id(u32::try_from(id.as_u64()?).ok()?)
}

fn renumber(id: &mut Value, kept: &Kept) {
    if let Some(new) = number(id, kept) {
        *id = new.into();
    }
}

/// Reads a JSON file of a folder, if it is there.
fn read(folder: &Path, name: &str) -> Result<Option<(PathBuf, Value)>> {
    let file = folder.join(name);
    if !file.exists() {
        return Ok(None);
    }
    let bytes = fs::read(&file).with_context(|| file.display().to_string())?;
    let json: Value = serde_json::from_slice(&bytes)
        .with_context(|| format!("{}: not valid JSON", file.display()))?;
    ensure!(json.is_object(), "{}: expected a JSON object", file.display());
    Ok(Some((file, json)))
}

/// Copies a JSON file to `out` with a change, if it is there.
fn rewrite(
    source: &Path,
    out: &Path,
    name: &str,
    change: impl FnOnce(&mut Map<String, Value>) -> Result<()>,
) -> Result<()> {
    let Some((file, mut json)) = read(source, name)? else { return Ok(()) };
    let object = json.as_object_mut().with_context(|| file.display().to_string())?;
    change(object).with_context(|| file.display().to_string())?;
    write_json(&out.join(name), &json)
}
