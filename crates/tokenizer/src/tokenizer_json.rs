//! `tokenizer.json` of a `BertTokenizerFast`: everything in one file.
//!
//! The format can describe any tokenizer; what this crate does not do is refused by key.

use std::collections::BTreeMap;
use std::path::Path;

use serde::Deserialize;
use serde_json::Value;

use crate::Error;
use crate::added::AddedToken;
use crate::config::wrong;
use crate::options::TokenizerOptions;
use crate::vocab::{CONTINUATION, MAX_TOKENS, Vocab};
use crate::vocab_file;

/// What a `tokenizer.json` says, checked.
#[derive(Debug)]
pub(crate) struct TokenizerJson {
    pub(crate) vocab: Vocab,
    pub(crate) options: TokenizerOptions,
    pub(crate) added: Vec<AddedToken>,
    /// The unknown token.
    pub(crate) unknown: String,
}

#[derive(Deserialize)]
struct Model {
    vocab: BTreeMap<String, u64>,
    #[serde(default = "default_unknown")]
    unk_token: String,
    #[serde(default = "default_max_chars")]
    max_input_chars_per_word: usize,
}

fn default_unknown() -> String {
    "[UNK]".to_owned()
}

fn default_max_chars() -> usize {
    100
}

#[derive(Deserialize)]
struct Normalizer {
    clean_text: bool,
    handle_chinese_chars: bool,
    strip_accents: Option<bool>,
    lowercase: bool,
}

#[derive(Deserialize)]
struct Added {
    id: u64,
    content: String,
    #[serde(default)]
    single_word: bool,
    #[serde(default)]
    lstrip: bool,
    #[serde(default)]
    rstrip: bool,
    #[serde(default)]
    special: bool,
}

impl TokenizerJson {
    pub(crate) fn from_value(file: &Path, json: &Value) -> Result<Self, Error> {
        expect(file, json, &["model", "type"], &["WordPiece"])?;
        expect(file, json, &["model", "continuing_subword_prefix"], &[CONTINUATION])?;
        expect(file, json, &["normalizer", "type"], &["BertNormalizer"])?;
        expect(file, json, &["pre_tokenizer", "type"], &["BertPreTokenizer"])?;
        expect(file, json, &["post_processor", "type"], &["TemplateProcessing", "BertProcessing"])?;
        let model: Model = part(file, json, "model")?;
        let normalizer: Normalizer = part(file, json, "normalizer")?;
        let added: Vec<Added> = match json.get("added_tokens") {
            None | Some(Value::Null) => Vec::new(),
            Some(_) => part(file, json, "added_tokens")?,
        };
        let options = TokenizerOptions {
            lowercase: normalizer.lowercase,
            strip_accents: normalizer.strip_accents.unwrap_or(normalizer.lowercase),
            tokenize_chinese_chars: normalizer.handle_chinese_chars,
            clean_text: normalizer.clean_text,
            max_chars_per_word: model.max_input_chars_per_word,
            ..TokenizerOptions::cased()
        };
        let vocab = vocabulary(file, &model.vocab, &added)?;
        let added = added.into_iter().map(|token| added_token(file, &vocab, token));
        let added = added.collect::<Result<_, _>>()?;
        Ok(Self { vocab, options, added, unknown: model.unk_token })
    }
}

/// The tokens of the model and those added behind them, by id.
fn vocabulary(file: &Path, model: &BTreeMap<String, u64>, added: &[Added]) -> Result<Vocab, Error> {
    let mut all: BTreeMap<&str, u64> =
        model.iter().map(|(token, id)| (token.as_str(), *id)).collect();
    for token in added {
        if let Some(id) = all.insert(&token.content, token.id).filter(|id| *id != token.id) {
            return Err(wrong(
                file,
                &format!("added_tokens: {:?}", token.content),
                &format!("the id that it has in the vocabulary, {id}"),
                &token.id.into(),
            ));
        }
    }
    let count = all.len();
    let ids =
        |found: String| Error::Ids { file: file.to_owned(), last: count.saturating_sub(1), found };
    if count > MAX_TOKENS {
        return Err(Error::Size { file: file.to_owned(), limit: MAX_TOKENS, found: count });
    }
    let mut tokens = vec![None; count];
    for (token, id) in all {
        let slot = usize::try_from(id).ok().and_then(|id| tokens.get_mut(id));
        match slot {
            None => return Err(ids(format!("{id} for {token:?}"))),
            Some(Some(other)) => return Err(ids(format!("{id} for {other:?} and {token:?}"))),
            Some(slot) => *slot = Some(token),
        }
    }
    let tokens: Vec<&str> = tokens.into_iter().flatten().collect();
    vocab_file::build(file, &tokens)
}

fn added_token(file: &Path, vocab: &Vocab, token: Added) -> Result<AddedToken, Error> {
    if token.content.is_empty() {
        let found = Value::from(token.content);
        return Err(wrong(file, "added_tokens: content", "a token that is not empty", &found));
    }
    let id = vocab.id(&token.content).unwrap_or_default();
    Ok(AddedToken {
        content: token.content,
        id,
        single_word: token.single_word,
        left_strip: token.lstrip,
        right_strip: token.rstrip,
        special: token.special,
    })
}

/// Refuses a value that is there and is not among those that this crate does.
fn expect(file: &Path, json: &Value, path: &[&str], known: &[&str]) -> Result<(), Error> {
    let value = path.iter().try_fold(json, |value, key| value.get(key));
    // Old files have no type in the model.
    let found = value.unwrap_or(&Value::Null);
    if found.as_str().is_some_and(|found| known.contains(&found)) {
        return Ok(());
    }
    if found.is_null() && path[0] == "model" {
        return Ok(());
    }
    Err(wrong(file, &path.join("."), &known.join(" or "), found))
}

fn part<'a, T: Deserialize<'a>>(file: &Path, json: &'a Value, key: &str) -> Result<T, Error> {
    T::deserialize(json.get(key).unwrap_or(&Value::Null))
        .map_err(|source| Error::Json { file: file.to_owned(), source })
}
