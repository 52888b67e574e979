//! Which entities are reported.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use clap::Args;
use nervio::{Aggregation, DecoderOptions, Scheme};

use super::model::one_of;

/// The names of [`Aggregation`].
const AGGREGATIONS: [&str; 7] = ["best", "none", "simple", "first", "average", "max", "spark"];

/// The names of [`Scheme`].
const SCHEMES: [&str; 7] = ["iob1", "iob2", "ioe1", "ioe2", "iobes", "bilou", "none"];

/// From labels of pieces to entities, and which of them are kept.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Entities")]
pub(crate) struct DecodingArgs {
    /// How labels of pieces become entities: best is nervio's own, spark is Spark NLP's, the
    /// others are Hugging Face's
    #[arg(long, value_name = "STRATEGY", default_value = "best",
          value_parser = one_of::<Aggregation>(&AGGREGATIONS))]
    pub(crate) aggregation: Aggregation,
    /// How the model's labels mark where entities begin and end [default: by the labels]
    #[arg(long, value_name = "SCHEME", value_parser = one_of::<Scheme>(&SCHEMES))]
    pub(crate) scheme: Option<Scheme>,
    /// Report only these labels, as in PER,LOC
    #[arg(long, value_name = "LABELS", value_delimiter = ',')]
    pub(crate) labels: Option<Vec<String>>,
    /// Leave these labels out
    #[arg(long, value_name = "LABELS", value_delimiter = ',')]
    pub(crate) exclude_labels: Vec<String>,
    /// Leave out entities with a lower score (0 to 1)
    #[arg(long, value_name = "X", value_parser = score)]
    pub(crate) min_score: Option<f32>,
    /// Rename labels by a JSON file, as in {"PER": "PERSON"}
    #[arg(long, value_name = "FILE")]
    pub(crate) label_map: Option<PathBuf>,
}

impl DecodingArgs {
    /// The library's options.
    ///
    /// # Errors
    /// When the label map cannot be read.
    pub(crate) fn options(&self) -> Result<DecoderOptions> {
        let label_map = self.label_map.as_deref().map(read_label_map).transpose()?;
        Ok(DecoderOptions {
            aggregation: self.aggregation,
            scheme: self.scheme,
            labels: self.labels.clone(),
            exclude_labels: self.exclude_labels.clone(),
            min_score: self.min_score,
            label_map: label_map.unwrap_or_default(),
            ..DecoderOptions::default()
        })
    }
}

/// A number from 0 to 1.
fn score(text: &str) -> Result<f32, String> {
    match text.parse::<f32>() {
        Ok(score) if (0.0..=1.0).contains(&score) => Ok(score),
        _ => Err("expected a number from 0 to 1".to_owned()),
    }
}

/// Reads `{"PER": "PERSON"}`.
fn read_label_map(path: &Path) -> Result<BTreeMap<String, String>> {
    let context = || format!("cannot read the label map {}", path.display());
    let json = fs::read(path).with_context(context)?;
    serde_json::from_slice(&json).context("expected a JSON object of strings").with_context(context)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_label_map_is_an_object_of_strings() {
        let file = tempfile::NamedTempFile::new().unwrap();
        fs::write(file.path(), r#"{"PER":"PERSON"}"#).unwrap();
        assert_eq!(read_label_map(file.path()).unwrap()["PER"], "PERSON");
        fs::write(file.path(), r#"["PER"]"#).unwrap();
        let error = format!("{:#}", read_label_map(file.path()).unwrap_err());
        assert!(error.contains("expected a JSON object of strings"), "{error}");
        let missing = read_label_map(Path::new("missing.json")).unwrap_err();
        assert!(missing.to_string().contains("missing.json"));
    }
}
