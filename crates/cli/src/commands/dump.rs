//! `nervio dump`: what a forward pass computes, in a safetensors file that any framework reads.

use std::collections::HashMap;

use anyhow::{Context, Result};
use nervio::weights::{OwnedTensor, write_file};
use nervio::{Config, Recognizer, Trace, TraceOptions};

use super::for_each_record;
use crate::args::DumpArgs;
use crate::failure::Outcome;

/// Runs the command.
pub(crate) fn run(arguments: &DumpArgs) -> Result<Outcome> {
    let builder = Recognizer::builder().model(arguments.model.source()?);
    let tracer = arguments.engine.configure(builder).build_tracer()?;
    let options =
        TraceOptions { hidden_states: arguments.hidden_states, attentions: arguments.attentions };
    let mut texts = Vec::new();
    let mut tensors = Vec::new();
    let outcome = for_each_record(&arguments.input, |record| {
        let trace =
            tracer.trace(&record.document, options).with_context(|| record.origin.to_string())?;
        tensors.extend(trace_tensors(texts.len(), &trace, tracer.config(), tracer.labels()));
        texts.push(record.document.text);
        Ok(())
    })?;
    let metadata = HashMap::from([("texts".to_owned(), serde_json::to_string(&texts)?)]);
    write_file(&arguments.output, &tensors, metadata)?;
    Ok(outcome)
}

/// The tensors of document `number` under the names of the format.
fn trace_tensors(number: usize, trace: &Trace, config: &Config, labels: usize) -> Vec<OwnedTensor> {
    let tokens = trace.input_ids.len();
    let ids: Vec<i64> = trace.input_ids.iter().map(|&id| i64::from(id)).collect();
    let mut tensors =
        vec![OwnedTensor::from_i64(format!("{number}.input_ids"), vec![tokens], &ids)];
    let mut push = |name: &str, shape: Vec<usize>, values: &[f32]| {
        tensors.push(OwnedTensor::from_f32(format!("{number}.{name}"), shape, values));
    };
    if labels > 0 {
        push("logits", vec![tokens, labels], &trace.logits);
    }
    for (layer, values) in trace.hidden_states.iter().enumerate() {
        push(&format!("hidden_states.{layer}"), vec![tokens, config.hidden_size], values);
    }
    for (layer, values) in trace.attentions.iter().enumerate() {
        let shape = vec![config.num_attention_heads, tokens, tokens];
        push(&format!("attentions.{layer}"), shape, values);
    }
    tensors
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tensors_have_the_names_and_shapes_of_the_format() {
        let config = Config::from_bytes(
            "config.json".as_ref(),
            br#"{"hidden_size": 4, "num_attention_heads": 2}"#,
        );
        let trace = Trace {
            input_ids: vec![4, 5],
            logits: vec![0.5; 6],
            hidden_states: vec![vec![0.0; 8]; 2],
            attentions: vec![vec![0.0; 8]],
        };
        let tensors = trace_tensors(1, &trace, &config.unwrap(), 3);
        let shown: Vec<String> =
            tensors.iter().map(|tensor| format!("{} {:?}", tensor.name, tensor.shape)).collect();
        assert_eq!(
            shown,
            [
                "1.input_ids [2]",
                "1.logits [2, 3]",
                "1.hidden_states.0 [2, 4]",
                "1.hidden_states.1 [2, 4]",
                "1.attentions.0 [2, 2, 2]"
            ]
        );
        assert_eq!(tensors[0].data, [4, 0, 0, 0, 0, 0, 0, 0, 5, 0, 0, 0, 0, 0, 0, 0]);
    }
}
