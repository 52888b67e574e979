//! Every buffer of a forward pass.

use std::ops::Range;

use nervio_kernels::Workspace;

use crate::Config;
use crate::parts::Parts;

/// The buffers of one part of a batch on its way through a layer.
pub(crate) struct PartBuffers<'a> {
    /// `[tokens of the part, hidden]`
    pub(crate) hidden: &'a mut [f32],
    /// `[tokens of the part, 3 hidden]`
    pub(crate) query_key_value: &'a mut [f32],
    /// `[tokens of the part, hidden]`
    pub(crate) context: &'a mut [f32],
    /// `[tokens of the part, hidden]`
    pub(crate) attended: &'a mut [f32],
    /// `[tokens of the part, intermediate]`
    pub(crate) intermediate: &'a mut [f32],
    pub(crate) workspace: &'a mut Workspace,
}

/// The memory of a forward pass: one for each pass that runs at the same time.
///
/// It grows to the largest batch seen and is used again, so that a steady state allocates nothing.
#[derive(Debug, Default)]
pub struct Scratch {
    /// `[tokens, hidden]`
    pub(crate) hidden: Vec<f32>,
    /// `[tokens of the longest part, 3 hidden]`
    query_key_value: Vec<f32>,
    /// `[tokens of the longest part, hidden]`: what attention gathers from the values.
    context: Vec<f32>,
    /// `[tokens of the longest part, hidden]`: after the attention block.
    attended: Vec<f32>,
    /// `[tokens of the longest part, intermediate]`
    intermediate: Vec<f32>,
    /// `[tokens, labels]`
    pub(crate) logits: Vec<f32>,
    pub(crate) parts: Parts,
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
        floats * size_of::<f32>() + self.parts.bytes() + self.workspace.bytes()
    }

    /// Bytes that a batch of `tokens` tokens needs at the most, the kernels' workspace not
    /// counted.
    #[must_use]
    pub fn estimate(config: &Config, tokens: usize) -> usize {
        let floats = 6 * config.hidden_size + config.intermediate_size + config.labels.len();
        tokens * floats * size_of::<f32>()
    }

    /// Makes room for a batch of `tokens` tokens.
    pub(crate) fn resize(&mut self, config: &Config, tokens: usize) {
        self.hidden.resize(tokens * config.hidden_size, 0.0);
        self.logits.resize(tokens * config.labels.len(), 0.0);
    }

    /// The buffers of the part of the batch that lies at `tokens`.
    pub(crate) fn part(&mut self, config: &Config, tokens: Range<usize>) -> PartBuffers<'_> {
        let (hidden, len) = (config.hidden_size, tokens.len());
        PartBuffers {
            hidden: &mut self.hidden[tokens.start * hidden..tokens.end * hidden],
            query_key_value: first(&mut self.query_key_value, len * 3 * hidden),
            context: first(&mut self.context, len * hidden),
            attended: first(&mut self.attended, len * hidden),
            intermediate: first(&mut self.intermediate, len * config.intermediate_size),
            workspace: &mut self.workspace,
        }
    }
}

/// The first `len` elements, after the buffer has grown to them if need be.
fn first(buffer: &mut Vec<f32>, len: usize) -> &mut [f32] {
    if buffer.len() < len {
        buffer.resize(len, 0.0);
    }
    &mut buffer[..len]
}
