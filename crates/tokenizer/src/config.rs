//! `tokenizer_config.json`, `special_tokens_map.json` and `added_tokens.json`.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{ErrorKind, Read};
use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde_json::Value;

use crate::Error;
use crate::added::TokenSpec;
use crate::options::TokenizerOptions;
use crate::special::Specials;
use crate::vocab::MAX_BYTES;

/// What the small files beside a vocabulary say; every key may be absent.
#[derive(Clone, Debug, Default)]
pub(crate) struct Settings {
    pub(crate) do_lower_case: Option<bool>,
    pub(crate) strip_accents: Option<bool>,
    pub(crate) tokenize_chinese_chars: Option<bool>,
    pub(crate) model_max_length: Option<usize>,
    pub(crate) specials: Specials,
    /// Added tokens by id, and the file that lists them.
    pub(crate) added: BTreeMap<u64, TokenSpec>,
    pub(crate) added_file: PathBuf,
    /// Whether the tokenizer's class is one that takes all from `tokenizer.json`.
    pub(crate) is_generic: bool,
}

impl Settings {
    /// Reads what is there in a folder. As in transformers, `added_tokens_decoder` of
    /// `tokenizer_config.json` stands for the two other files, which are older; without it
    /// `special_tokens_map.json` is preferred.
    pub(crate) fn from_folder(folder: &Path) -> Result<Self, Error> {
        let mut settings = Self::default();
        let config = folder.join("tokenizer_config.json");
        let mut lists_added = false;
        if let Some(json) = read_json(&config)? {
            settings.tokenizer_config(&config, &json)?;
            lists_added = json.get("added_tokens_decoder").is_some_and(|list| !list.is_null());
        }
        if lists_added {
            return Ok(settings);
        }
        let map = folder.join("special_tokens_map.json");
        if let Some(json) = read_json(&map)? {
            settings.specials.read(&map, &json)?;
        }
        let added = folder.join("added_tokens.json");
        if let Some(json) = read_json(&added)? {
            settings.added_tokens(added, json)?;
        }
        Ok(settings)
    }

    /// Reads a `tokenizer_config.json`.
    pub(crate) fn from_bytes(file: &Path, bytes: &[u8]) -> Result<Self, Error> {
        let mut settings = Self::default();
        settings.tokenizer_config(file, &parse(file, bytes)?)?;
        Ok(settings)
    }

    fn tokenizer_config(&mut self, file: &Path, json: &Value) -> Result<(), Error> {
        if !json.is_object() {
            return Err(wrong(file, "the file", "a JSON object", json));
        }
        let switch = |key: &str| match json.get(key) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::Bool(value)) => Ok(Some(*value)),
            Some(other) => Err(wrong(file, key, "true, false or null", other)),
        };
        for key in ["do_basic_tokenize", "clean_text"] {
            if switch(key)? == Some(false) {
                return Err(wrong(file, key, "true", &Value::Bool(false)));
            }
        }
        self.do_lower_case = switch("do_lower_case")?;
        self.strip_accents = switch("strip_accents")?;
        self.tokenize_chinese_chars = switch("tokenize_chinese_chars")?;
        self.model_max_length = match json.get("model_max_length") {
            None | Some(Value::Null) => None,
            Some(value) => length(file, value)?,
        };
        let class = json.get("tokenizer_class").and_then(Value::as_str);
        self.is_generic = matches!(class, Some("PreTrainedTokenizerFast" | "TokenizersBackend"));
        if let Some(list) = json.get("added_tokens_decoder").filter(|list| !list.is_null()) {
            self.added = BTreeMap::deserialize(list)
                .map_err(|source| malformed(file, "added_tokens_decoder", source))?;
            file.clone_into(&mut self.added_file);
        }
        self.specials.read(file, json)
    }

    /// Tokens with their ids, as `added_tokens.json` has them.
    fn added_tokens(&mut self, file: PathBuf, json: Value) -> Result<(), Error> {
        let tokens = BTreeMap::<String, u64>::deserialize(json)
            .map_err(|source| malformed(&file, "the file", source))?;
        for (content, id) in tokens {
            if let Some(other) = self.added.insert(id, TokenSpec::plain(&content)) {
                let key = format!("token {content:?}");
                let expected = format!("an id of its own, not that of {:?}", other.content);
                return Err(wrong(&file, &key, &expected, &id.into()));
            }
        }
        self.added_file = file;
        Ok(())
    }

    /// The options that transformers makes of these settings for a `vocab.txt`: lower-casing is
    /// its default, and accents are stripped when letters are lower-cased.
    pub(crate) fn options(&self) -> TokenizerOptions {
        let lowercase = self.do_lower_case.unwrap_or(true);
        TokenizerOptions {
            lowercase,
            strip_accents: self.strip_accents.unwrap_or(lowercase),
            tokenize_chinese_chars: self.tokenize_chinese_chars.unwrap_or(true),
            model_max_length: self.model_max_length,
            ..TokenizerOptions::cased()
        }
    }
}

/// A length in tokens; transformers writes 1e30 for "none".
fn length(file: &Path, value: &Value) -> Result<Option<usize>, Error> {
    const NONE: f64 = 1e9;
    match value.as_f64() {
        Some(length) if length >= NONE => Ok(None),
        #[allow(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "between 1 and 1e9"
        )]
        Some(length) if length >= 1.0 => Ok(Some(length as usize)),
        _ => Err(wrong(file, "model_max_length", "a number from 1", value)),
    }
}

/// A [`Error::Key`] with the value cut to a readable length.
pub(crate) fn wrong(file: &Path, key: &str, expected: &str, found: &Value) -> Error {
    let mut found = found.to_string();
    if found.chars().count() > 80 {
        found = found.chars().take(80).chain("…".chars()).collect();
    }
    Error::Key { file: file.to_owned(), key: key.into(), expected: expected.into(), found }
}

/// Parses JSON.
pub(crate) fn parse(file: &Path, bytes: &[u8]) -> Result<Value, Error> {
    serde_json::from_slice(bytes).map_err(|source| malformed(file, "the file", source))
}

/// An [`Error::Json`].
pub(crate) fn malformed(file: &Path, part: &str, source: serde_json::Error) -> Error {
    Error::Json { file: file.to_owned(), part: part.to_owned(), source }
}

/// The JSON of a file, if there is one.
pub(crate) fn read_json(file: &Path) -> Result<Option<Value>, Error> {
    read(file)?.map(|bytes| parse(file, &bytes)).transpose()
}

/// The bytes of a file, if there is one.
pub(crate) fn read(file: &Path) -> Result<Option<Vec<u8>>, Error> {
    let mut bytes = Vec::new();
    let limit = MAX_BYTES as u64 + 1;
    match File::open(file).and_then(|open| open.take(limit).read_to_end(&mut bytes)) {
        Ok(_) if bytes.len() > MAX_BYTES => {
            Err(Error::TooLarge { file: file.to_owned(), limit: MAX_BYTES })
        }
        Ok(_) => Ok(Some(bytes)),
        Err(source) if source.kind() == ErrorKind::NotFound => Ok(None),
        Err(source) => Err(Error::Read { file: file.to_owned(), source }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(json: &str) -> Result<Settings, String> {
        Settings::from_bytes(Path::new("tokenizer_config.json"), json.as_bytes())
            .map_err(|error| error.to_string())
    }

    #[test]
    fn absent_keys_have_the_defaults_of_transformers() {
        let options = settings("{}").unwrap().options();
        assert_eq!(options, TokenizerOptions::uncased());
        let options =
            settings(r#"{"do_lower_case": false, "model_max_length": 512}"#).unwrap().options();
        assert!(!options.lowercase && !options.strip_accents);
        assert_eq!(options.model_max_length, Some(512));
        assert_eq!(settings(r#"{"model_max_length": 1e30}"#).unwrap().model_max_length, None);
    }

    #[test]
    fn added_tokens_are_listed_by_id() {
        let json = r#"{"added_tokens_decoder": {"7": {"content": "<e>", "rstrip": true}}}"#;
        let settings = settings(json).unwrap();
        assert!(settings.added[&7].content == "<e>" && settings.added[&7].rstrip);
        assert_eq!(settings.added_file, Path::new("tokenizer_config.json"));
    }

    #[test]
    fn odd_values_are_refused_by_key() {
        for (json, key) in [
            (r#"{"do_lower_case": "yes"}"#, "do_lower_case"),
            (r#"{"do_basic_tokenize": false}"#, "do_basic_tokenize"),
            (r#"{"model_max_length": 0}"#, "model_max_length"),
            (r#"{"cls_token": 7}"#, "cls_token"),
            (r#"{"added_tokens_decoder": {"7": "<e>"}}"#, "added_tokens_decoder"),
            (r#"{"added_tokens_decoder": {"x": {"content": "<e>"}}}"#, "added_tokens_decoder"),
            ("{", "tokenizer_config.json"),
        ] {
            let error = settings(json).unwrap_err();
            assert!(error.contains(key), "{json}: {error}");
        }
    }
}
