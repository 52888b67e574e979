//! The shape of a model: a `config.json` and the sizes read from it.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result, bail, ensure};
use serde_json::{Map, Value};

use super::labels::{CONLL_LABELS, label_maps};

/// Shapes known by name: name, configuration, whether its tokenizer lower-cases.
const PRESETS: [(&str, &str, bool); 4] = [
    ("beto", include_str!("../../shapes/beto.json"), false),
    ("beto-uncased", include_str!("../../shapes/beto.json"), true),
    ("mbert", include_str!("../../shapes/mbert.json"), false),
    ("tinybert", include_str!("../../shapes/tinybert.json"), true),
];

/// Largest size accepted for any single dimension; keeps every product within 64 bits.
const MAX_DIMENSION: u64 = 1 << 24;

/// Most encoder layers accepted.
const MAX_LAYERS: usize = 1 << 10;

/// A model configuration: the object of a `config.json`.
#[derive(Debug, Clone, PartialEq)]
pub struct Shape {
    config: Map<String, Value>,
    lowercase: bool,
}

/// The sizes that decide the tensors, all positive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Dimensions {
    /// Rows of the word embedding.
    pub vocabulary: usize,
    /// Width of the residual stream.
    pub hidden: usize,
    /// Encoder layers.
    pub layers: usize,
    /// Width of the feed-forward layer.
    pub intermediate: usize,
    /// Rows of the position embedding.
    pub positions: usize,
    /// Rows of the token type embedding.
    pub types: usize,
    /// Rows of the classifier.
    pub labels: usize,
}

impl Shape {
    /// The shape of that name (`beto`, `beto-uncased`, `mbert`, `tinybert`), if there is one.
    #[must_use]
    pub fn preset(name: &str) -> Option<Self> {
        let (_, json, lowercase) = PRESETS.iter().find(|(preset, ..)| *preset == name)?;
        let config = serde_json::from_str(json).ok()?;
        Some(Self { config, lowercase: *lowercase })
    }

    /// The shape in a `config.json`.
    ///
    /// # Errors
    /// When the file cannot be read or is not a JSON object.
    pub fn from_file(file: &Path) -> Result<Self> {
        let text = fs::read_to_string(file).with_context(|| format!("{}", file.display()))?;
        let config = serde_json::from_str(&text)
            .with_context(|| format!("{}: not a JSON object", file.display()))?;
        Ok(Self { config, lowercase: false })
    }

    /// A preset's name or the path of a `config.json`.
    ///
    /// # Errors
    /// When it is neither.
    pub fn named(name: &str) -> Result<Self> {
        if let Some(shape) = Self::preset(name) {
            return Ok(shape);
        }
        let presets: Vec<&str> = PRESETS.iter().map(|(preset, ..)| *preset).collect();
        Self::from_file(Path::new(name)).with_context(|| {
            format!("shape '{name}' is neither one of {} nor a config.json", presets.join(", "))
        })
    }

    /// Sets one key of the configuration.
    pub fn set(&mut self, key: &str, value: impl Into<Value>) {
        self.config.insert(key.to_owned(), value.into());
    }

    /// Removes one key of the configuration.
    pub fn remove(&mut self, key: &str) {
        self.config.remove(key);
    }

    /// Sets the labels, ids in the order given.
    pub fn set_labels<S: AsRef<str>>(&mut self, labels: &[S]) {
        let (id2label, label2id) = label_maps(labels);
        self.set("id2label", id2label);
        self.set("label2id", label2id);
    }

    /// Whether the preset's tokenizer lower-cases (false for a shape from a file).
    #[must_use]
    pub fn lowercase(&self) -> bool {
        self.lowercase
    }

    /// The configuration as it will be written: architecture named, labels always there.
    #[must_use]
    pub fn completed(&self, dtype: &str) -> Map<String, Value> {
        let mut shape = self.clone();
        if !shape.config.contains_key("id2label") {
            shape.set_labels(&CONLL_LABELS);
        }
        shape.set("architectures", vec!["BertForTokenClassification"]);
        shape.set("model_type", "bert");
        shape.set("dtype", dtype);
        shape.config
    }

    /// The sizes, checked.
    ///
    /// # Errors
    /// When a size is missing, zero or beyond 2^24, when there are more than 1,024 layers, when the
    /// heads do not divide the hidden size, or when `id2label` is not a non-empty object.
    pub fn dimensions(&self) -> Result<Dimensions> {
        let labels = match self.config.get("id2label") {
            None => CONLL_LABELS.len(),
            Some(Value::Object(map)) if !map.is_empty() => map.len(),
            Some(_) => bail!("configuration: id2label is not an object with labels in it"),
        };
        let hidden = self.size("hidden_size", None)?;
        let heads = self.size("num_attention_heads", None)?;
        ensure!(
            hidden.is_multiple_of(heads),
            "configuration: hidden_size {hidden} is not a multiple of num_attention_heads {heads}"
        );
        let layers = self.size("num_hidden_layers", None)?;
        ensure!(
            layers <= MAX_LAYERS,
            "configuration: num_hidden_layers is {layers}, expected 1 to {MAX_LAYERS}"
        );
        Ok(Dimensions {
            vocabulary: self.size("vocab_size", None)?,
            hidden,
            layers,
            intermediate: self.size("intermediate_size", None)?,
            positions: self.size("max_position_embeddings", None)?,
            types: self.size("type_vocab_size", Some(2))?,
            labels,
        })
    }

    fn size(&self, key: &str, default: Option<usize>) -> Result<usize> {
        let value = match (self.config.get(key), default) {
            (Some(value), _) => value,
            (None, Some(default)) => return Ok(default),
            (None, None) => bail!("configuration: {key} is missing"),
        };
        match value.as_u64() {
            Some(size @ 1..=MAX_DIMENSION) => Ok(usize::try_from(size)?),
            _ => bail!("configuration: {key} is {value}, expected 1 to {MAX_DIMENSION}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{PRESETS, Shape};

    #[test]
    fn presets_have_the_published_sizes() {
        let rows = PRESETS.map(|(name, ..)| {
            let d = Shape::preset(name).unwrap().dimensions().unwrap();
            (name, d.vocabulary, d.layers, d.hidden, d.intermediate)
        });
        assert_eq!(
            rows,
            [
                ("beto", 31_002, 12, 768, 3_072),
                ("beto-uncased", 31_002, 12, 768, 3_072),
                ("mbert", 119_547, 12, 768, 3_072),
                ("tinybert", 31_002, 4, 312, 1_200),
            ]
        );
    }

    #[test]
    fn wrong_sizes_are_named() {
        let message = |key: &str, value: i64| {
            let mut shape = Shape::preset("tinybert").unwrap();
            shape.set(key, value);
            shape.dimensions().unwrap_err().to_string()
        };
        assert!(message("vocab_size", 0).contains("vocab_size is 0"));
        assert!(message("hidden_size", -3).contains("hidden_size is -3"));
        assert!(message("intermediate_size", 1 << 40).contains("intermediate_size"));
        assert!(message("num_hidden_layers", 1_025).contains("expected 1 to 1024"));
        assert!(message("num_attention_heads", 5).contains("not a multiple"));
        let mut shape = Shape::preset("tinybert").unwrap();
        shape.set("id2label", "O");
        assert!(shape.dimensions().unwrap_err().to_string().contains("id2label"));
    }

    #[test]
    fn an_unknown_name_is_told() {
        let error = format!("{:#}", Shape::named("betto").unwrap_err());
        assert!(error.contains("'betto' is neither one of beto, beto-uncased"), "{error}");
    }

    #[test]
    fn a_completed_configuration_has_its_labels() {
        let mut shape = Shape::preset("beto").unwrap();
        assert_eq!(shape.completed("float32")["id2label"]["8"], "O");
        shape.set_labels(&["O", "B-a-b"]);
        assert_eq!(shape.completed("float16")["label2id"]["B-a-b"], 1);
        assert_eq!(shape.dimensions().unwrap().labels, 2);
    }
}
