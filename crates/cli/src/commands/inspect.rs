//! `nervio inspect`: what a model folder holds and what it will take.

use std::io::{self, BufWriter, Write};

use anyhow::Result;
use nervio::{Config, Inspection, ModelSource, TensorInfo, TensorUse};
use serde::Serialize;

use crate::args::InspectArgs;
use crate::failure::Outcome;

/// Runs the command.
pub(crate) fn run(arguments: &InspectArgs) -> Result<Outcome> {
    let source = ModelSource::named(&arguments.folder)?;
    let inspection = nervio::inspect(source.folder().unwrap_or(&arguments.folder))?;
    let mut out = BufWriter::new(io::stdout().lock());
    if arguments.json {
        super::write_json(&mut out, &Description::new(&inspection))?;
    } else {
        write_config(&mut out, &inspection.config)?;
        write_tensors(&mut out, &inspection.tensors)?;
        write_memory(&mut out, &inspection)?;
    }
    out.flush()?;
    Ok(Outcome::Success)
}

/// The configuration, one line a key.
fn write_config(out: &mut dyn Write, config: &Config) -> Result<()> {
    let lines = [
        ("layers", config.num_hidden_layers.to_string()),
        ("hidden size", config.hidden_size.to_string()),
        ("attention heads", config.num_attention_heads.to_string()),
        ("intermediate size", config.intermediate_size.to_string()),
        ("activation", config.hidden_act.to_string()),
        ("vocabulary", config.vocab_size.to_string()),
        ("longest sequence", config.max_position_embeddings.to_string()),
        ("token types", config.type_vocab_size.to_string()),
        ("layer norm epsilon", format!("{:e}", config.layer_norm_eps)),
        ("labels", config.labels.join(" ")),
    ];
    writeln!(out, "{}", config.file.display())?;
    for (name, value) in lines {
        writeln!(out, "  {name:18}  {value}")?;
    }
    Ok(writeln!(out)?)
}

/// The tensors, one line each.
fn write_tensors(out: &mut dyn Write, tensors: &[TensorInfo]) -> Result<()> {
    let width = tensors.iter().map(|tensor| tensor.name.len()).max().unwrap_or(0);
    for tensor in tensors {
        let shape = shape(&tensor.shape);
        let note = match tensor.use_ {
            TensorUse::Weight => "",
            TensorUse::Ignored => "  not needed",
            TensorUse::Unknown => "  unknown",
        };
        let size = bytes(tensor.bytes);
        writeln!(
            out,
            "{:width$}  {:>4}  {shape:>14}  {size:>10}{note}",
            tensor.name, tensor.dtype
        )?;
    }
    Ok(writeln!(out)?)
}

/// Sizes and the memory it takes.
fn write_memory(out: &mut dyn Write, inspection: &Inspection) -> Result<()> {
    let parameters: usize = weights(inspection).map(|t| t.shape.iter().product::<usize>()).sum();
    let file: u64 = inspection.tensors.iter().map(|tensor| tensor.bytes).sum();
    let memory = inspection.weight_bytes + inspection.scratch_bytes;
    writeln!(out, "{} tensors, {} in all", inspection.tensors.len(), bytes(file))?;
    writeln!(out, "{parameters} parameters in use")?;
    writeln!(
        out,
        "memory: weights {}, buffers of a batch of {} tokens at most {}, together {}",
        bytes(inspection.weight_bytes),
        nervio::DEFAULT_BATCH_TOKENS,
        bytes(inspection.scratch_bytes),
        bytes(memory)
    )?;
    Ok(())
}

/// The tensors that the model uses.
fn weights(inspection: &Inspection) -> impl Iterator<Item = &TensorInfo> {
    inspection.tensors.iter().filter(|tensor| tensor.use_ == TensorUse::Weight)
}

/// `768x3072`.
fn shape(sizes: &[usize]) -> String {
    sizes.iter().map(ToString::to_string).collect::<Vec<_>>().join("x")
}

/// A size for people: `1.2 MiB`.
fn bytes(count: u64) -> String {
    indicatif::BinaryBytes(count).to_string()
}

/// The JSON form of an inspection.
#[derive(Serialize)]
struct Description<'a> {
    config: ConfigJson<'a>,
    tensors: Vec<TensorJson<'a>>,
    weight_bytes: u64,
    scratch_bytes: u64,
}

/// The configuration under the keys of `config.json`.
#[derive(Serialize)]
struct ConfigJson<'a> {
    num_hidden_layers: usize,
    hidden_size: usize,
    num_attention_heads: usize,
    intermediate_size: usize,
    hidden_act: String,
    vocab_size: usize,
    max_position_embeddings: usize,
    type_vocab_size: usize,
    layer_norm_eps: f32,
    labels: &'a [String],
}

#[derive(Serialize)]
struct TensorJson<'a> {
    name: &'a str,
    dtype: &'a str,
    shape: &'a [usize],
    bytes: u64,
    #[serde(rename = "use")]
    use_: &'static str,
}

impl<'a> Description<'a> {
    fn new(inspection: &'a Inspection) -> Self {
        let config = &inspection.config;
        let tensors = inspection.tensors.iter().map(|tensor| TensorJson {
            name: &tensor.name,
            dtype: &tensor.dtype,
            shape: &tensor.shape,
            bytes: tensor.bytes,
            use_: match tensor.use_ {
                TensorUse::Weight => "weight",
                TensorUse::Ignored => "ignored",
                TensorUse::Unknown => "unknown",
            },
        });
        Self {
            config: ConfigJson {
                num_hidden_layers: config.num_hidden_layers,
                hidden_size: config.hidden_size,
                num_attention_heads: config.num_attention_heads,
                intermediate_size: config.intermediate_size,
                hidden_act: config.hidden_act.to_string(),
                vocab_size: config.vocab_size,
                max_position_embeddings: config.max_position_embeddings,
                type_vocab_size: config.type_vocab_size,
                layer_norm_eps: config.layer_norm_eps,
                labels: &config.labels,
            },
            tensors: tensors.collect(),
            weight_bytes: inspection.weight_bytes,
            scratch_bytes: inspection.scratch_bytes,
        }
    }
}
