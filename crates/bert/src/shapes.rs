//! The matrices that a model consists of.

use nervio_kernels::WeightKind;
use nervio_weights::{BertTensors, Dtype};

use crate::{Config, LoadError};

/// The modules of the encoder with their dimensions: tables `[rows, hidden]`, linear layers
/// `[outputs, inputs]`.
struct Modules {
    tables: Vec<(String, [usize; 2])>,
    linears: Vec<(String, [usize; 2])>,
}

impl Modules {
    fn new(config: &Config) -> Self {
        let (hidden, intermediate) = (config.hidden_size, config.intermediate_size);
        let rows = [config.vocab_size, config.max_position_embeddings, config.type_vocab_size];
        let tables = ["word", "position", "token_type"].into_iter().zip(rows);
        let parts = [
            ("attention.self.query", [hidden, hidden]),
            ("attention.self.key", [hidden, hidden]),
            ("attention.self.value", [hidden, hidden]),
            ("attention.output.dense", [hidden, hidden]),
            ("intermediate.dense", [intermediate, hidden]),
            ("output.dense", [hidden, intermediate]),
        ];
        let layers = 0..config.num_hidden_layers;
        let linears = layers.flat_map(|layer| {
            parts.map(|(part, shape)| (format!("encoder.layer.{layer}.{part}"), shape))
        });
        Self {
            tables: tables
                .map(|(table, rows)| (format!("embeddings.{table}_embeddings"), [rows, hidden]))
                .collect(),
            linears: linears.collect(),
        }
    }
}

/// Compares every dimension of the config with the tensors, before anything is allocated.
pub(crate) fn check_encoder(config: &Config, tensors: &BertTensors) -> Result<(), LoadError> {
    let modules = Modules::new(config);
    for (name, shape) in modules.tables {
        tensors.require(&format!("{name}.weight"), &shape)?;
    }
    for (name, shape) in modules.linears {
        tensors.require(&format!("{name}.weight"), &shape)?;
        tensors.require(&format!("{name}.bias"), &shape[..1])?;
    }
    Ok(())
}

/// As [`check_encoder`], with the classifier.
pub(crate) fn check_classifier(config: &Config, tensors: &BertTensors) -> Result<(), LoadError> {
    let labels = config.labels.len();
    if labels == 0 {
        return Err(LoadError::NoLabels { file: config.file.clone() });
    }
    tensors.require("classifier.weight", &[labels, config.hidden_size])?;
    check_encoder(config, tensors)
}

/// The type in which a checkpoint stores all tables and linear layers of a token classifier, if it
/// is one type; that of token types does not count, since one row of it is used.
#[must_use]
pub fn stored_kind(config: &Config, tensors: &BertTensors) -> Option<WeightKind> {
    let modules = Modules::new(config);
    let tables = modules.tables.iter().filter(|(name, _)| !name.contains("token_type"));
    let names = tables.chain(&modules.linears).map(|(name, _)| name.as_str());
    let mut kinds = names.chain(["classifier"]).map(|name| {
        Some(match tensors.get(&format!("{name}.weight"))?.dtype {
            Dtype::F32 => WeightKind::F32,
            Dtype::F16 => WeightKind::F16,
            Dtype::BF16 => WeightKind::BF16,
            Dtype::I8 => WeightKind::Int8,
            _ => return None,
        })
    });
    let first = kinds.next()?;
    kinds.all(|kind| kind == first).then_some(first)?
}
