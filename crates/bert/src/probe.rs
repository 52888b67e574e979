//! A window into a forward pass: for tracing, for timing, for learning.

/// A step of the forward pass.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Stage {
    /// Gathering and adding the embeddings of words, positions and token types.
    Embeddings,
    /// Query, key and value as one product.
    QueryKeyValue,
    /// Scaled dot-product attention.
    Attention,
    /// The attention block's dense layer with the residual.
    AttentionOutput,
    /// Layer norms: after the embeddings, attention and feed-forward. By tile registers the last may add up
    /// the sums of [`Output`](Self::Output) on the way.
    LayerNorm,
    /// The wide dense layer with the activation.
    Intermediate,
    /// The dense layer back to the hidden size with the residual.
    Output,
    /// The classifier over labels.
    Classifier,
}

impl Stage {
    /// Every stage, in the order in which a token meets them.
    pub const ALL: [Self; 8] = [
        Self::Embeddings,
        Self::QueryKeyValue,
        Self::Attention,
        Self::AttentionOutput,
        Self::LayerNorm,
        Self::Intermediate,
        Self::Output,
        Self::Classifier,
    ];

    /// A short name, as reports print it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Embeddings => "embeddings",
            Self::QueryKeyValue => "query_key_value",
            Self::Attention => "attention",
            Self::AttentionOutput => "attention_output",
            Self::LayerNorm => "layer_norm",
            Self::Intermediate => "intermediate",
            Self::Output => "output",
            Self::Classifier => "classifier",
        }
    }
}

/// Watches a forward pass. Every method has a default that does nothing.
pub trait Probe: Send {
    /// A stage begins; `layer` is `None` outside the encoder layers. Those of a layer begin and end for each
    /// part in which a batch goes through it; those of self-attention may do so in turns, head by head, and
    /// those of the feed-forward block, a few intermediate states or rows at a time. Where threads take
    /// sequences, rows or states of their own through several stages, these are the times of the first one.
    fn begin(&mut self, stage: Stage, layer: Option<usize>) {
        let _ = (stage, layer);
    }

    /// The stage that began last has ended.
    fn end(&mut self, stage: Stage, layer: Option<usize>) {
        let _ = (stage, layer);
    }

    /// Whether hidden states are to be shown. Then all sequences of a batch go through a layer before any
    /// goes through the next; otherwise threads may take sequences of their own through all of them.
    fn wants_hidden_states(&self) -> bool {
        false
    }

    /// Hidden state `index`, `[tokens, hidden]`: 0 is the embedding output, `n` the output of layer
    /// `n`, as `output_hidden_states` of transformers counts. The last has a row for each of the batch's
    /// outputs. Only if they are wanted.
    fn hidden_state(&mut self, index: usize, hidden: &[f32]) {
        let _ = (index, hidden);
    }

    /// Whether attention probabilities are to be computed once more, by plain loops from queries and keys
    /// computed once more, and shown. Then, too, all sequences go through a layer together.
    fn wants_attentions(&self) -> bool {
        false
    }

    /// The attention probabilities of one head of one sequence, `[tokens, tokens]`.
    fn attention(&mut self, layer: usize, sequence: usize, head: usize, probabilities: &[f32]) {
        let _ = (layer, sequence, head, probabilities);
    }
}

/// Shows a probe the stages of a layer that take turns.
pub(crate) struct Turns<'a, P: Probe> {
    probe: &'a mut P,
    layer: usize,
    stage: Option<Stage>,
}

impl<'a, P: Probe> Turns<'a, P> {
    /// Before the first of them.
    pub(crate) fn new(probe: &'a mut P, layer: usize) -> Self {
        Self { probe, layer, stage: None }
    }

    /// `stage` begins, and the one before it ends, unless they are the same.
    pub(crate) fn turn_to(&mut self, stage: Stage) {
        if self.stage != Some(stage) {
            self.end();
            self.probe.begin(stage, Some(self.layer));
            self.stage = Some(stage);
        }
    }

    /// The last of them ends.
    pub(crate) fn end(&mut self) {
        if let Some(stage) = self.stage.take() {
            self.probe.end(stage, Some(self.layer));
        }
    }
}

/// Watches nothing.
impl Probe for () {}

/// `None` watches nothing.
impl<P: Probe> Probe for Option<&mut P> {
    fn begin(&mut self, stage: Stage, layer: Option<usize>) {
        if let Some(probe) = self {
            probe.begin(stage, layer);
        }
    }

    fn end(&mut self, stage: Stage, layer: Option<usize>) {
        if let Some(probe) = self {
            probe.end(stage, layer);
        }
    }

    fn wants_hidden_states(&self) -> bool {
        self.as_ref().is_some_and(|probe| probe.wants_hidden_states())
    }

    fn hidden_state(&mut self, index: usize, hidden: &[f32]) {
        if let Some(probe) = self {
            probe.hidden_state(index, hidden);
        }
    }

    fn wants_attentions(&self) -> bool {
        self.as_ref().is_some_and(|probe| probe.wants_attentions())
    }

    fn attention(&mut self, layer: usize, sequence: usize, head: usize, probabilities: &[f32]) {
        if let Some(probe) = self {
            probe.attention(layer, sequence, head, probabilities);
        }
    }
}
