//! `tokenizer.json` of a `BertTokenizerFast`: everything in one file.
//!
//! The format can describe any tokenizer; what this crate does not do is refused by key.

use std::collections::BTreeMap;
use std::path::Path;

use serde::Deserialize;
use serde_json::Value;

use crate::Error;
use crate::added::TokenSpec;
use crate::config::{malformed, wrong};
use crate::options::TokenizerOptions;
use crate::post_processor;
use crate::token_list::TokenList;
use crate::vocab::{CONTINUATION, MAX_TOKENS};

/// What a `tokenizer.json` says, checked.
#[derive(Debug)]
pub(crate) struct TokenizerJson {
    /// The tokens that WordPiece knows, with their ids.
    model: BTreeMap<String, u64>,
    pub(crate) options: TokenizerOptions,
    /// Whether accents are dropped; if it is silent, lower-casing decides.
    pub(crate) strip_accents: Option<bool>,
    pub(crate) added: Vec<Added>,
    /// Roles, such as `cls_token`, with the tokens that the model and the post-processor name.
    pub(crate) roles: [(&'static str, String); 3],
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

/// An added token with its id.
#[derive(Debug, Deserialize)]
pub(crate) struct Added {
    id: u64,
    #[serde(flatten)]
    pub(crate) token: TokenSpec,
}

impl TokenizerJson {
    /// Reads the parsed file.
    ///
    /// # Errors
    ///
    /// When a key asks for anything but a BERT tokenizer.
    pub(crate) fn from_value(file: &Path, json: &Value) -> Result<Self, Error> {
        expect(file, json, ["model", "type"], "WordPiece")?;
        expect(file, json, ["model", "continuing_subword_prefix"], CONTINUATION)?;
        expect(file, json, ["normalizer", "type"], "BertNormalizer")?;
        expect(file, json, ["pre_tokenizer", "type"], "BertPreTokenizer")?;
        let (cls, sep) = post_processor::frame(file, json)?;
        let model: Model = part(file, json, "model")?;
        let normalizer: Normalizer = part(file, json, "normalizer")?;
        let added: Vec<Added> = match json.get("added_tokens") {
            None | Some(Value::Null) => Vec::new(),
            Some(_) => part(file, json, "added_tokens")?,
        };
        if added.iter().any(|added| added.token.content.is_empty()) {
            let expected = "a token that is not empty";
            return Err(wrong(file, "added_tokens: content", expected, &Value::from("")));
        }
        let options = TokenizerOptions {
            lowercase: normalizer.lowercase,
            strip_accents: normalizer.strip_accents.unwrap_or(normalizer.lowercase),
            tokenize_chinese_chars: normalizer.handle_chinese_chars,
            clean_text: normalizer.clean_text,
            max_chars_per_word: model.max_input_chars_per_word,
            ..TokenizerOptions::cased()
        };
        let roles = [("cls_token", cls), ("sep_token", sep), ("unk_token", model.unk_token)];
        let strip_accents = normalizer.strip_accents;
        Ok(Self { model: model.vocab, options, strip_accents, added, roles })
    }

    /// The tokens of the model and those added to them, by id.
    ///
    /// # Errors
    ///
    /// When ids are not 0, 1, 2 and so on, or a token has two.
    pub(crate) fn token_list<'a>(&'a self, file: &'a Path) -> Result<TokenList<'a>, Error> {
        let all = self.ids(file)?;
        let count = all.len();
        if count > MAX_TOKENS {
            return Err(Error::Size { file: file.to_owned(), limit: MAX_TOKENS, found: count });
        }
        let last = count.saturating_sub(1);
        let ids = |found: String| Error::Ids { file: file.to_owned(), last, found };
        let mut tokens = vec![None; count];
        for (token, id) in all {
            let slot = usize::try_from(id).ok().and_then(|id| tokens.get_mut(id));
            match slot {
                None => return Err(ids(format!("{id} for {token:?}"))),
                Some(Some(other)) => return Err(ids(format!("{id} for {other:?} and {token:?}"))),
                Some(slot) => *slot = Some(token),
            }
        }
        let mut list = TokenList::new(file);
        for token in tokens.into_iter().flatten() {
            list.push(token, self.model.contains_key(token));
        }
        Ok(list)
    }

    /// Each token with its id, which two parts of the file may give, but not differently.
    fn ids(&self, file: &Path) -> Result<BTreeMap<&str, u64>, Error> {
        let model = self.model.iter().map(|(token, id)| (token.as_str(), *id));
        let mut all: BTreeMap<&str, u64> = model.collect();
        for Added { id, token } in &self.added {
            if let Some(other) = all.insert(&token.content, *id).filter(|other| other != id) {
                return Err(wrong(
                    file,
                    &format!("added_tokens: {:?}", token.content),
                    &format!("the id that it has in the vocabulary, {other}"),
                    &(*id).into(),
                ));
            }
        }
        Ok(all)
    }
}

/// Refuses a value that this crate does not do; old files leave out those of the model.
fn expect(file: &Path, json: &Value, path: [&str; 2], known: &str) -> Result<(), Error> {
    let [part, key] = path;
    let found = json.get(part).and_then(|part| part.get(key)).unwrap_or(&Value::Null);
    if found.as_str() == Some(known) || (found.is_null() && part == "model") {
        return Ok(());
    }
    Err(wrong(file, &path.join("."), known, found))
}

fn part<'a, T: Deserialize<'a>>(file: &Path, json: &'a Value, key: &str) -> Result<T, Error> {
    T::deserialize(json.get(key).unwrap_or(&Value::Null))
        .map_err(|source| malformed(file, key, source))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::vocab::Vocab;

    fn small() -> Value {
        json!({
            "added_tokens": [{ "id": 1, "content": "[SEP]", "special": true }],
            "normalizer": {
                "type": "BertNormalizer", "clean_text": true, "handle_chinese_chars": true,
                "strip_accents": null, "lowercase": false
            },
            "pre_tokenizer": { "type": "BertPreTokenizer" },
            "post_processor": {
                "type": "BertProcessing", "cls": ["[CLS]", 0], "sep": ["[SEP]", 1]
            },
            "model": { "type": "WordPiece", "unk_token": "?", "vocab": { "[CLS]": 0, "?": 2 } },
        })
    }

    fn read(json: &Value) -> Result<(TokenizerJson, Vocab), String> {
        let file = Path::new("tokenizer.json");
        let read = TokenizerJson::from_value(file, json).map_err(|error| error.to_string())?;
        let vocab = read.token_list(file).and_then(TokenList::into_vocab);
        let vocab = vocab.map_err(|error| error.to_string())?;
        Ok((read, vocab))
    }

    #[test]
    fn a_file_says_everything() {
        let (read, vocab) = read(&small()).unwrap();
        assert_eq!(read.options, TokenizerOptions::cased());
        let tokens: Vec<_> = (0..3).map(|id| vocab.token(id)).collect();
        assert_eq!(tokens, [Some("[CLS]"), Some("[SEP]"), Some("?")]);
        assert_eq!(read.roles.map(|(_, token)| token), ["[CLS]", "[SEP]", "?"]);
        let added: Vec<_> = read.added.into_iter().map(|added| added.token).collect();
        assert_eq!(added, [TokenSpec::plain("[SEP]").into_special()]);
    }

    #[test]
    fn what_this_crate_does_not_do_is_refused_by_key() {
        for (pointer, value, named) in [
            ("/model/type", json!("BPE"), "model.type"),
            ("/model", json!({ "continuing_subword_prefix": "@@" }), "continuing_subword_prefix"),
            ("/model/vocab", json!([]), "model"),
            ("/normalizer/type", json!("Sequence"), "normalizer.type"),
            ("/normalizer/lowercase", json!(1), "normalizer"),
            ("/pre_tokenizer", Value::Null, "pre_tokenizer.type"),
            ("/post_processor", Value::Null, "post_processor.type"),
            ("/added_tokens/0/id", json!(0), "0 for \"[CLS]\" and \"[SEP]\""),
            ("/added_tokens/0/id", json!(3), "from 0 to 2"),
            ("/model/vocab/?", json!(u64::MAX), "18446744073709551615"),
            ("/added_tokens/0/content", json!(""), "added_tokens: content"),
        ] {
            let mut json = small();
            *json.pointer_mut(pointer).unwrap() = value;
            let error = read(&json).unwrap_err();
            assert!(error.contains(named) && error.contains("tokenizer.json"), "{error}");
        }
    }
}
