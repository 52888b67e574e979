//! The tensors of a document that can be compared.

use std::fmt;

use nervio::{Config, Trace};

/// One of them; ordered as the model computes them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Part {
    /// The embedding output (0) or the output of a layer, `[tokens, hidden]`.
    HiddenState(usize),
    /// The attention probabilities of a layer, `[heads, tokens, tokens]`.
    Attention(usize),
    /// The scores of the labels, `[tokens, labels]`.
    Logits,
}

impl Part {
    /// The part of that name in the reference format.
    pub(super) fn from_name(name: &str) -> Option<Self> {
        match name.split_once('.') {
            None if name == "logits" => Some(Self::Logits),
            Some(("hidden_states", index)) => index.parse().ok().map(Self::HiddenState),
            Some(("attentions", layer)) => layer.parse().ok().map(Self::Attention),
            _ => None,
        }
    }

    /// What the model computed, with its shape; `None` where the model has no such part.
    pub(super) fn of<'t>(
        self,
        trace: &'t Trace,
        config: &Config,
    ) -> Option<(&'t [f32], Vec<usize>)> {
        let tokens = trace.input_ids.len();
        match self {
            Self::HiddenState(index) => {
                let values = trace.hidden_states.get(index)?;
                Some((values, vec![tokens, config.hidden_size]))
            }
            Self::Attention(layer) => {
                let values = trace.attentions.get(layer)?;
                Some((values, vec![config.num_attention_heads, tokens, tokens]))
            }
            Self::Logits if trace.logits.is_empty() => None,
            Self::Logits => Some((&trace.logits, vec![tokens, config.labels.len()])),
        }
    }
}

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::HiddenState(index) => write!(f, "hidden_states.{index}"),
            Self::Attention(layer) => write!(f, "attentions.{layer}"),
            Self::Logits => f.write_str("logits"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_there_and_back() {
        for name in ["hidden_states.0", "hidden_states.12", "attentions.3", "logits"] {
            assert_eq!(Part::from_name(name).unwrap().to_string(), name);
        }
        for name in ["input_ids", "logits.0", "hidden_states", "hidden_states.x", ""] {
            assert_eq!(Part::from_name(name), None);
        }
    }
}
