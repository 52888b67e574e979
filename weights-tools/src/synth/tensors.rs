//! The tensors of a `BertForTokenClassification` and how each is filled.

use super::random::Law;
use super::shape::Dimensions;

/// Deviation of the activation function's inputs unless another is asked for: some inputs of a
/// few thousand lie beyond ±6.
pub const ACTIVATION_GAIN: f64 = 1.75;

/// One tensor to make.
#[derive(Debug, Clone, PartialEq)]
pub struct TensorSpec {
    /// Hugging Face name without `bert.`, with `LayerNorm.weight`/`LayerNorm.bias`.
    pub canonical: String,
    /// Rows and columns, or the length of a vector.
    pub shape: Vec<usize>,
    /// How its numbers are spread.
    pub law: Law,
}

const WORD_EMBEDDING: Law = Law { centre: 0.0, scale: 0.08 };
const OTHER_EMBEDDING: Law = Law { centre: 0.0, scale: 0.03 };
const NORM_WEIGHT: Law = Law { centre: 1.0, scale: 0.25 };
const BIAS: Law = Law { centre: 0.0, scale: 0.1 };

/// Every tensor of a model of these sizes, in the order of the forward pass; `activation_gain` is
/// the standard deviation of the activation function's inputs.
#[must_use]
pub fn tensor_specs(sizes: &Dimensions, activation_gain: f64) -> Vec<TensorSpec> {
    let (hidden, wide) = (sizes.hidden, sizes.intermediate);
    let mut list = List::default();
    list.embedding("embeddings.word_embeddings", sizes.vocabulary, hidden, WORD_EMBEDDING);
    list.embedding("embeddings.position_embeddings", sizes.positions, hidden, OTHER_EMBEDDING);
    list.embedding("embeddings.token_type_embeddings", sizes.types, hidden, OTHER_EMBEDDING);
    list.layer_norm("embeddings.LayerNorm", hidden);
    for layer in 0..sizes.layers {
        let at = |part: &str| format!("encoder.layer.{layer}.{part}");
        list.linear(&at("attention.self.query"), hidden, hidden, 1.7);
        list.linear(&at("attention.self.key"), hidden, hidden, 1.7);
        list.linear(&at("attention.self.value"), hidden, hidden, 1.0);
        list.linear(&at("attention.output.dense"), hidden, hidden, 0.3);
        list.layer_norm(&at("attention.output.LayerNorm"), hidden);
        list.linear(&at("intermediate.dense"), wide, hidden, activation_gain);
        list.linear(&at("output.dense"), hidden, wide, 0.3);
        list.layer_norm(&at("output.LayerNorm"), hidden);
    }
    list.linear("classifier", sizes.labels, hidden, 2.5);
    list.0
}

#[derive(Default)]
struct List(Vec<TensorSpec>);

impl List {
    fn push(&mut self, canonical: String, shape: Vec<usize>, law: Law) {
        self.0.push(TensorSpec { canonical, shape, law });
    }

    fn embedding(&mut self, name: &str, rows: usize, hidden: usize, law: Law) {
        self.push(format!("{name}.weight"), vec![rows, hidden], law);
    }

    fn layer_norm(&mut self, name: &str, hidden: usize) {
        self.push(format!("{name}.weight"), vec![hidden], NORM_WEIGHT);
        self.push(format!("{name}.bias"), vec![hidden], BIAS);
    }

    /// A uniform law of half-width `a` has variance `a² / 3`.
    fn linear(&mut self, name: &str, outputs: usize, inputs: usize, gain: f64) {
        let scale = (gain * (3.0 / inputs as f64).sqrt()) as f32;
        self.push(format!("{name}.weight"), vec![outputs, inputs], Law { centre: 0.0, scale });
        self.push(format!("{name}.bias"), vec![outputs], BIAS);
    }
}

#[cfg(test)]
mod tests {
    use super::{ACTIVATION_GAIN, tensor_specs};
    use crate::synth::Shape;

    #[test]
    fn beto_has_its_published_parameters() {
        let sizes = Shape::preset("beto").unwrap().dimensions().unwrap();
        let specs = tensor_specs(&sizes, ACTIVATION_GAIN);
        assert_eq!(specs.len(), 5 + 12 * 16 + 2);
        let parameters: usize = specs.iter().map(|s| s.shape.iter().product::<usize>()).sum();
        // BERT-base without pooler: 85,054,464 in the layers, embeddings and the classifier.
        let embeddings = (31_002 + 512 + 2 + 2) * 768;
        assert_eq!(parameters, 85_054_464 + embeddings + 9 * 769);
    }
}
