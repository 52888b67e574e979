//! The sizes and labels of a model: `config.json`, checked.

use std::path::{Path, PathBuf};

use nervio_kernels::Activation;
use serde_json::{Map, Value};

use crate::ConfigError;

/// Largest size that a config may name. The tensors bound each size much tighter; this keeps
/// products of sizes far from overflow until they are compared.
const MAX_SIZE: u64 = 1 << 24;

/// What `BertConfig` of `transformers/models/bert/configuration_bert.py` says about the encoder.
///
/// Keys that are absent have the defaults of that file.
#[derive(Clone, Debug, PartialEq)]
pub struct Config {
    /// Rows of the word embedding table.
    pub vocab_size: usize,
    /// Width of every hidden state.
    pub hidden_size: usize,
    /// Number of encoder layers.
    pub num_hidden_layers: usize,
    /// Heads of each attention layer; they divide `hidden_size`.
    pub num_attention_heads: usize,
    /// Width inside the feed-forward block.
    pub intermediate_size: usize,
    /// Activation of the feed-forward block.
    pub hidden_act: Activation,
    /// Rows of the position embedding table: the longest sequence, special tokens included.
    pub max_position_embeddings: usize,
    /// Rows of the token type embedding table.
    pub type_vocab_size: usize,
    /// Added to variances before the square root.
    pub layer_norm_eps: f32,
    /// The labels of the classifier by id; empty when the config has none.
    pub labels: Vec<String>,
    /// The file that the config was read from, for messages.
    pub file: PathBuf,
}

impl Config {
    /// Reads and checks `config.json` of a model folder.
    ///
    /// # Errors
    ///
    /// When the file cannot be read, is not a JSON object, or a key holds something else than
    /// expected; the message names the file, the key, and what was expected.
    pub fn from_file(file: &Path) -> Result<Self, ConfigError> {
        let bytes = std::fs::read(file)
            .map_err(|source| ConfigError::Read { file: file.to_owned(), source })?;
        Self::from_bytes(file, &bytes)
    }

    /// Checks a config whose text is in memory; `file` is for messages.
    ///
    /// # Errors
    ///
    /// As [`Config::from_file`].
    pub fn from_bytes(file: &Path, bytes: &[u8]) -> Result<Self, ConfigError> {
        let json: Value = serde_json::from_slice(bytes)
            .map_err(|source| ConfigError::Json { file: file.to_owned(), source })?;
        let Value::Object(map) = json else {
            return Err(ConfigError::NotAnObject { file: file.to_owned() });
        };
        let keys = Keys { file, map: &map };
        keys.check_architecture()?;
        let config = Self {
            vocab_size: keys.size("vocab_size", 30_522)?,
            hidden_size: keys.size("hidden_size", 768)?,
            num_hidden_layers: keys.size("num_hidden_layers", 12)?,
            num_attention_heads: keys.size("num_attention_heads", 12)?,
            intermediate_size: keys.size("intermediate_size", 3072)?,
            hidden_act: keys.activation()?,
            max_position_embeddings: keys.size("max_position_embeddings", 512)?,
            type_vocab_size: keys.size("type_vocab_size", 2)?,
            layer_norm_eps: keys.eps()?,
            labels: keys.labels()?,
            file: file.to_owned(),
        };
        if !config.hidden_size.is_multiple_of(config.num_attention_heads) {
            let heads = config.num_attention_heads;
            return Err(keys.wrong(
                "hidden_size",
                format!("a multiple of num_attention_heads, {heads}"),
                &config.hidden_size.into(),
            ));
        }
        Ok(config)
    }

    /// Width of one head: `hidden_size / num_attention_heads`.
    #[must_use]
    pub fn head_dim(&self) -> usize {
        self.hidden_size / self.num_attention_heads
    }
}

/// Typed access to the keys of a config.
struct Keys<'a> {
    file: &'a Path,
    map: &'a Map<String, Value>,
}

impl Keys<'_> {
    fn wrong(&self, key: &str, expected: impl Into<String>, found: &Value) -> ConfigError {
        let mut found = found.to_string();
        if found.chars().count() > 80 {
            found = found.chars().take(80).chain("…".chars()).collect();
        }
        ConfigError::Key {
            file: self.file.to_owned(),
            key: key.into(),
            expected: expected.into(),
            found,
        }
    }

    /// The value of a key, unless it is absent or null.
    fn get(&self, key: &str) -> Option<&Value> {
        self.map.get(key).filter(|value| !value.is_null())
    }

    /// Only what the encoder computes: absolute positions, no decoder, BERT.
    fn check_architecture(&self) -> Result<(), ConfigError> {
        let expect = |key: &str, expected: &str| match self.get(key) {
            Some(value) if value != expected => {
                Err(self.wrong(key, format!("{expected:?}"), value))
            }
            _ => Ok(()),
        };
        expect("model_type", "bert")?;
        expect("position_embedding_type", "absolute")?;
        for key in ["is_decoder", "add_cross_attention"] {
            if let Some(value) = self.get(key).filter(|value| **value != Value::Bool(false)) {
                return Err(self.wrong(key, "false: only encoders are supported", value));
            }
        }
        Ok(())
    }

    fn size(&self, key: &str, default: usize) -> Result<usize, ConfigError> {
        let Some(value) = self.get(key) else { return Ok(default) };
        value
            .as_u64()
            .filter(|size| (1..=MAX_SIZE).contains(size))
            .and_then(|size| usize::try_from(size).ok())
            .ok_or_else(|| self.wrong(key, format!("a whole number from 1 to {MAX_SIZE}"), value))
    }

    fn activation(&self) -> Result<Activation, ConfigError> {
        let Some(value) = self.get("hidden_act") else { return Ok(Activation::Gelu) };
        let name = value
            .as_str()
            .ok_or_else(|| self.wrong("hidden_act", "the name of an activation", value))?;
        name.parse()
            .map_err(|source| ConfigError::Activation { file: self.file.to_owned(), source })
    }

    fn eps(&self) -> Result<f32, ConfigError> {
        let Some(value) = self.get("layer_norm_eps") else { return Ok(1e-12) };
        let eps = value.as_f64().filter(|eps| (0.0..=1.0).contains(eps));
        #[allow(clippy::cast_possible_truncation, reason = "transformers holds it in f32 as well")]
        eps.map(|eps| eps as f32)
            .ok_or_else(|| self.wrong("layer_norm_eps", "a number from 0 to 1", value))
    }

    /// `id2label`, or `label2id` turned round; ids must be 0, 1, 2 and so on.
    fn labels(&self) -> Result<Vec<String>, ConfigError> {
        let (key, pairs) = if let Some(value) = self.get("id2label") {
            ("id2label", self.id2label(value)?)
        } else if let Some(value) = self.get("label2id") {
            ("label2id", self.label2id(value)?)
        } else {
            return Ok(Vec::new());
        };
        let count = pairs.len();
        let mut labels = vec![None; count];
        for (id, label) in pairs {
            let slot = usize::try_from(id).ok().and_then(|id| labels.get_mut(id));
            match slot {
                Some(slot @ None) => *slot = Some(label),
                _ => {
                    let expected = format!("each id from 0 to {} once", count.saturating_sub(1));
                    return Err(self.wrong(key, expected, &Value::from(id)));
                }
            }
        }
        Ok(labels.into_iter().flatten().collect())
    }

    fn id2label(&self, value: &Value) -> Result<Vec<(u64, String)>, ConfigError> {
        let wrong = |found: &Value| {
            self.wrong("id2label", "an object of labels by id, such as {\"0\": \"O\"}", found)
        };
        let map = value.as_object().ok_or_else(|| wrong(value))?;
        map.iter()
            .map(|(id, label)| {
                let id = id.parse().map_err(|_| wrong(&Value::from(id.as_str())))?;
                Ok((id, label.as_str().ok_or_else(|| wrong(label))?.to_owned()))
            })
            .collect()
    }

    fn label2id(&self, value: &Value) -> Result<Vec<(u64, String)>, ConfigError> {
        let wrong = |found: &Value| {
            self.wrong("label2id", "an object of ids by label, such as {\"O\": 0}", found)
        };
        let map = value.as_object().ok_or_else(|| wrong(value))?;
        map.iter()
            .map(|(label, id)| Ok((id.as_u64().ok_or_else(|| wrong(id))?, label.clone())))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(json: &str) -> Result<Config, String> {
        Config::from_bytes(Path::new("config.json"), json.as_bytes()).map_err(|error| {
            let source = std::error::Error::source(&error).map(ToString::to_string);
            format!("{error} {}", source.unwrap_or_default())
        })
    }

    #[test]
    fn absent_keys_have_the_defaults_of_transformers() {
        let config = parse("{}").unwrap();
        assert_eq!((config.vocab_size, config.hidden_size, config.head_dim()), (30_522, 768, 64));
        assert_eq!((config.layer_norm_eps, config.labels.len()), (1e-12, 0));
    }

    #[test]
    fn labels_come_in_the_order_of_their_ids() {
        let config = parse(
            r#"{"id2label": {"10": "k", "2":"c","1":"b","0":"a","3":"d","4":"e","5":"f","6":"g","7":"h","8":"i","9":"j"}}"#,
        );
        assert_eq!(config.unwrap().labels.concat(), "abcdefghijk");
        assert_eq!(parse(r#"{"label2id": {"B-X": 1, "O": 0}}"#).unwrap().labels, ["O", "B-X"]);
    }

    #[test]
    fn every_odd_value_is_refused_by_key() {
        for (json, key) in [
            (r#"{"hidden_size": 0}"#, "hidden_size"),
            (r#"{"hidden_size": -8}"#, "hidden_size"),
            (r#"{"hidden_size": 1e308}"#, "hidden_size"),
            (r#"{"hidden_size": 1000000000000}"#, "hidden_size"),
            (r#"{"hidden_size": 10, "num_attention_heads": 3}"#, "num_attention_heads"),
            (r#"{"num_attention_heads": 0}"#, "num_attention_heads"),
            (r#"{"num_hidden_layers": "twelve"}"#, "num_hidden_layers"),
            (r#"{"vocab_size": 3.5}"#, "vocab_size"),
            (r#"{"layer_norm_eps": "small"}"#, "layer_norm_eps"),
            (r#"{"layer_norm_eps": -1}"#, "layer_norm_eps"),
            (r#"{"hidden_act": "geglu"}"#, "geglu"),
            (r#"{"hidden_act": {}}"#, "hidden_act"),
            (r#"{"model_type": "roberta"}"#, "roberta"),
            (r#"{"position_embedding_type": "relative_key"}"#, "relative_key"),
            (r#"{"is_decoder": true}"#, "is_decoder"),
            (r#"{"id2label": ["O"]}"#, "id2label"),
            (r#"{"id2label": {"0": "O", "2": "B"}}"#, "id2label"),
            (r#"{"id2label": {"x": "O"}}"#, "id2label"),
            (r#"{"id2label": {"0": 1}}"#, "id2label"),
            (r#"{"label2id": {"O": 0, "B": 0}}"#, "label2id"),
            ("[]", "object"),
            ("{", "config.json"),
        ] {
            let error = parse(json).unwrap_err();
            assert!(error.contains(key) && error.contains("config.json"), "{json}: {error}");
        }
        let deep = "[".repeat(100_000);
        assert!(parse(&deep).unwrap_err().contains("recursion"));
    }
}
