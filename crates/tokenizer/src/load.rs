//! From the files of a model to the parts of a tokenizer.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::added::{AddedToken, TokenSpec};
use crate::config::{Settings, read, read_json};
use crate::options::{SpecialTokens, TokenizerOptions};
use crate::token_list::TokenList;
use crate::tokenizer_json::TokenizerJson;
use crate::vocab::Vocab;
use crate::{Error, vocab_file};

/// What a tokenizer is made of.
#[derive(Debug)]
pub(crate) struct Parts {
    pub(crate) vocab: Vocab,
    pub(crate) options: TokenizerOptions,
    pub(crate) special: SpecialTokens,
    /// Added tokens, special ones among them.
    pub(crate) added: Vec<AddedToken>,
    /// The file of the vocabulary, for messages.
    pub(crate) file: PathBuf,
}

/// Reads a model folder: `tokenizer.json`, or else `vocab.txt`, and the small files beside it.
pub(crate) fn folder(folder: &Path) -> Result<Parts, Error> {
    let settings = Settings::from_folder(folder)?;
    let json = folder.join("tokenizer.json");
    if let Some(value) = read_json(&json)? {
        return tokenizer_json(&json, &TokenizerJson::from_value(&json, &value)?, settings);
    }
    let file = folder.join("vocab.txt");
    if let Some(bytes) = read(&file)? {
        let options = settings.options();
        return vocab_txt(&file, &bytes, options, settings);
    }
    Err(Error::NoVocabulary { folder: folder.to_owned() })
}

/// Reads a `vocab.txt`.
pub(crate) fn vocab_txt(
    file: &Path,
    bytes: &[u8],
    options: TokenizerOptions,
    mut settings: Settings,
) -> Result<Parts, Error> {
    settings.specials.fill();
    parts(vocab_file::tokens(file, bytes)?, options, &settings, BTreeMap::new())
}

/// Takes a `tokenizer.json`, as far as the settings do not say otherwise.
fn tokenizer_json(
    file: &Path,
    json: &TokenizerJson,
    mut settings: Settings,
) -> Result<Parts, Error> {
    let mut options = json.options.clone();
    options.model_max_length = settings.model_max_length;
    if !settings.is_generic {
        let mut strip_accents = settings.strip_accents;
        match settings.do_lower_case {
            Some(lowercase) => options.lowercase = lowercase,
            None => strip_accents = strip_accents.or(json.strip_accents),
        }
        options.strip_accents = strip_accents.unwrap_or(options.lowercase);
        if let Some(tokenize_chinese_chars) = settings.tokenize_chinese_chars {
            options.tokenize_chinese_chars = tokenize_chinese_chars;
        }
    }
    for (role, token) in &json.roles {
        settings.specials.or_insert(role, token);
    }
    settings.specials.fill();
    let added = json.added.iter().map(|added| added.token.clone());
    let added = added.map(|token| (token.content.clone(), token)).collect();
    parts(json.token_list(file)?, options, &settings, added)
}

/// Joins a vocabulary with the tokens of the small files; `added` are those that its own file has.
fn parts<'a>(
    mut tokens: TokenList<'a>,
    options: TokenizerOptions,
    settings: &'a Settings,
    mut added: BTreeMap<String, TokenSpec>,
) -> Result<Parts, Error> {
    let file = tokens.file().to_owned();
    let Settings { specials, added: listed, added_file, .. } = settings;
    for (id, token) in listed {
        tokens.add(added_file, &token.content, *id)?;
        added.insert(token.content.clone(), token.clone());
    }
    tokens.add_missing(specials.extra().iter().map(|token| token.content.as_str()));
    for token in specials.all() {
        added.entry(token.content.clone()).or_insert_with(|| token.clone()).special = true;
    }
    let vocab = tokens.into_vocab()?;
    let special = specials.resolve(&file, &vocab)?;
    let with_id = |token: TokenSpec| vocab.id(&token.content).map(|id| token.with_id(id));
    let added = added.into_values().filter_map(with_id).collect();
    Ok(Parts { vocab, options, special, added, file })
}
