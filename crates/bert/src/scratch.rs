//! Every buffer of a forward pass.

use nervio_kernels::Workspace;

use crate::Config;

/// The memory of a forward pass: one for each pass that runs at the same time.
///
/// It grows to the largest batch seen and is used again, so that a steady state allocates nothing.
#[derive(Debug, Default)]
pub struct Scratch {
    /// `[tokens, hidden]`
    pub(crate) hidden: Vec<f32>,
    /// `[tokens, 3 hidden]`
    pub(crate) query_key_value: Vec<f32>,
    /// `[tokens, hidden]`: what attention gathers from the values.
    pub(crate) context: Vec<f32>,
    /// `[tokens, hidden]`: after the attention block.
    pub(crate) attended: Vec<f32>,
    /// `[tokens, intermediate]`
    pub(crate) intermediate: Vec<f32>,
    /// `[tokens, labels]`
    pub(crate) logits: Vec<f32>,
    pub(crate) workspace: Workspace,
}

impl Scratch {
    /// Empty buffers.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Bytes held at the moment.
    #[must_use]
    pub fn bytes(&self) -> usize {
        let buffers = [
            &self.hidden,
            &self.query_key_value,
            &self.context,
            &self.attended,
            &self.intermediate,
            &self.logits,
        ];
        let floats: usize = buffers.iter().map(|buffer| buffer.capacity()).sum();
        floats * size_of::<f32>() + self.workspace.bytes()
    }

    /// Bytes that a batch of `tokens` tokens needs, attention's blocks of scores not counted.
    #[must_use]
    pub fn estimate(config: &Config, tokens: usize) -> usize {
        let floats = 6 * config.hidden_size + config.intermediate_size + config.labels.len();
        tokens * floats * size_of::<f32>()
    }

    /// Gives every buffer the length that `tokens` tokens need.
    pub(crate) fn resize(&mut self, config: &Config, tokens: usize) {
        let hidden = tokens * config.hidden_size;
        self.hidden.resize(hidden, 0.0);
        self.query_key_value.resize(3 * hidden, 0.0);
        self.context.resize(hidden, 0.0);
        self.attended.resize(hidden, 0.0);
        self.intermediate.resize(tokens * config.intermediate_size, 0.0);
        self.logits.resize(tokens * config.labels.len(), 0.0);
    }
}
