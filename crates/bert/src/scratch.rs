//! Every buffer of a forward pass.

use std::ops::Range;

use nervio_kernels::{Aligned, Workspace};

use crate::Config;
use crate::by_sequences::Shares;
use crate::helpers::Helpers;
use crate::parts::Parts;

/// The buffers of some tokens on their way through a layer.
pub(crate) struct LayerBuffers<'a> {
    pub(crate) tokens: usize,
    /// `[tokens, hidden]`
    pub(crate) hidden: &'a mut [f32],
    /// `[tokens, 3 hidden]`
    pub(crate) query_key_value: &'a mut [f32],
    /// `[tokens, hidden]`
    pub(crate) context: &'a mut [f32],
    /// `[tokens, hidden]`
    pub(crate) attended: &'a mut [f32],
    /// `[tokens, intermediate]`
    pub(crate) intermediate: &'a mut [f32],
    pub(crate) workspace: &'a Workspace,
    pub(crate) helpers: &'a Helpers,
}

impl<'a> LayerBuffers<'a> {
    /// Those of some of the tokens alone, counted from `first` on and rising: their rows of `hidden` and
    /// `context` move to the front, and the others are lost.
    pub(crate) fn keep(self, outputs: &[usize], first: usize) -> Self {
        if outputs.len() == self.tokens {
            return self;
        }
        for rows in [&mut *self.hidden, &mut *self.context] {
            let width = rows.len() / self.tokens;
            for (to, token) in outputs.iter().enumerate() {
                let from = (token - first) * width;
                rows.copy_within(from..from + width, to * width);
            }
        }
        self.split(outputs.len()).0
    }

    /// Those of the first `border` tokens, and those of the others.
    pub(crate) fn split(self, border: usize) -> (Self, Self) {
        let Self { tokens, workspace, helpers, .. } = self;
        let Self { hidden, query_key_value, context, attended, intermediate, .. } = self;
        let rows = [hidden, query_key_value, context, attended, intermediate];
        let [h, q, c, a, i] = rows.map(|rows| {
            let width = rows.len() / tokens.max(1);
            rows.split_at_mut(width * border)
        });
        let of = |tokens, rows: [&'a mut [f32]; 5]| {
            let [hidden, query_key_value, context, attended, intermediate] = rows;
            Self {
                tokens,
                hidden,
                query_key_value,
                context,
                attended,
                intermediate,
                workspace,
                helpers,
            }
        };
        (of(border, [h.0, q.0, c.0, a.0, i.0]), of(tokens - border, [h.1, q.1, c.1, a.1, i.1]))
    }
}

/// The memory of a forward pass: one for each pass that runs at the same time.
///
/// It grows to the largest batch seen and is used again, so that a steady state allocates nothing.
/// Every buffer begins on a cache line: otherwise each vector would lie across two of them.
#[derive(Debug, Default)]
pub struct Scratch {
    /// Those of all sequences.
    pub(crate) pass: PassBuffers,
    /// Those of the sequences of each thread.
    pub(crate) shares: Shares,
    /// `[outputs, labels]`
    logits: Aligned<f32>,
}

/// The buffers of sequences that go through the layers together.
#[derive(Debug, Default)]
pub(crate) struct PassBuffers {
    /// `[tokens, hidden]`
    hidden: Aligned<f32>,
    /// `[tokens of the longest part, 3 hidden]`; not written where heads are computed one by one.
    query_key_value: Aligned<f32>,
    /// `[tokens of the longest part, hidden]`: what attention gathers from the values.
    context: Aligned<f32>,
    /// `[tokens of the longest part, hidden]`: after the attention block.
    attended: Aligned<f32>,
    /// `[tokens of the longest part, intermediate]`
    intermediate: Aligned<f32>,
    pub(crate) parts: Parts,
    workspace: Workspace,
    /// Threads with other sequences of the same batch.
    helpers: Helpers,
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
        let pass = self.pass.bytes() + self.pass.workspace.bytes();
        pass + self.shares.bytes() + self.logits.bytes()
    }

    /// Bytes that a batch of `tokens` tokens needs at the most, the kernels' workspace not
    /// counted. One that has seen batches of which threads took sequences of their own, and others, holds
    /// the buffers of both.
    #[must_use]
    pub fn estimate(config: &Config, tokens: usize) -> usize {
        // Where threads have sequences of their own, hidden states are held twice.
        let floats = 7 * config.hidden_size + config.intermediate_size + config.labels.len();
        tokens * floats * size_of::<f32>()
    }

    /// The buffers of the classifier for as many tokens: hidden states, `[tokens, hidden]`, and logits,
    /// `[tokens, labels]`.
    pub(crate) fn head(
        &mut self,
        config: &Config,
        tokens: usize,
    ) -> (&[f32], &mut [f32], &Workspace) {
        let hidden = self.pass.hidden.first(tokens * config.hidden_size);
        let logits = self.logits.first(tokens * config.labels.len());
        (hidden, logits, &self.pass.workspace)
    }
}

impl PassBuffers {
    /// Empty buffers of a thread whose pass is one of several with the same workspace and helpers.
    pub(crate) fn sharing(workspace: &Workspace, helpers: &Helpers) -> Self {
        Self { workspace: workspace.clone(), helpers: helpers.clone(), ..Self::default() }
    }

    /// Bytes held at the moment, the kernels' workspace not counted.
    pub(crate) fn bytes(&self) -> usize {
        let Self { hidden, query_key_value, context, attended, intermediate, .. } = self;
        let buffers = [hidden, query_key_value, context, attended, intermediate];
        let buffers: usize = buffers.iter().map(|buffer| buffer.bytes()).sum();
        buffers + self.parts.bytes()
    }

    /// The hidden states of the first `tokens` tokens, `[tokens, hidden]`.
    pub(crate) fn hidden(&mut self, config: &Config, tokens: usize) -> &mut [f32] {
        self.hidden.first(tokens * config.hidden_size)
    }

    /// Moves as many hidden states as `to` has, from token `from` on, to `to` before it.
    pub(crate) fn move_hidden(&mut self, config: &Config, from: usize, to: Range<usize>) {
        let (size, end) = (config.hidden_size, from + to.len());
        let hidden = self.hidden.first(end * size);
        hidden.copy_within(from * size.., to.start * size);
    }

    /// The buffers of the part of the batch that lies at `tokens`.
    pub(crate) fn part(&mut self, config: &Config, tokens: Range<usize>) -> LayerBuffers<'_> {
        let (hidden, len) = (config.hidden_size, tokens.len());
        LayerBuffers {
            tokens: len,
            hidden: &mut self.hidden.first(tokens.end * hidden)[tokens.start * hidden..],
            query_key_value: self.query_key_value.first(len * 3 * hidden),
            context: self.context.first(len * hidden),
            attended: self.attended.first(len * hidden),
            intermediate: self.intermediate.first(len * config.intermediate_size),
            workspace: &self.workspace,
            helpers: &self.helpers,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    #[test]
    fn buffers_begin_on_cache_lines_and_have_the_lengths_asked_for() {
        let json = br#"{"hidden_size": 12, "num_hidden_layers": 1, "num_attention_heads": 2,
            "intermediate_size": 20, "max_position_embeddings": 8, "type_vocab_size": 1,
            "vocab_size": 5, "hidden_act": "gelu", "id2label": {"0": "O", "1": "B-LOC"}}"#;
        let config = Config::from_bytes(Path::new("config.json"), json).unwrap();
        let mut scratch = Scratch::new();
        for tokens in [7, 3, 100] {
            let begins = |buffer: &[f32]| buffer.as_ptr().addr().is_multiple_of(64);
            let part = scratch.pass.part(&config, 0..tokens);
            for (buffer, width) in [
                (&*part.hidden, 12),
                (&*part.query_key_value, 36),
                (&*part.context, 12),
                (&*part.attended, 12),
                (&*part.intermediate, 20),
            ] {
                assert!(begins(buffer) && buffer.len() == tokens * width, "{tokens} x {width}");
            }
            part.context[tokens * 12 - 12] = 7.0;
            let (first, last) = part.split(tokens - 1);
            assert_eq!((first.tokens, last.tokens), (tokens - 1, 1));
            assert_eq!((first.hidden.len(), last.hidden.len()), (12 * (tokens - 1), 12));
            assert_eq!(
                (first.intermediate.len(), last.query_key_value.len()),
                (20 * (tokens - 1), 36)
            );
            assert_eq!((last.context[0], last.attended.len()), (7.0, 12));
            let (hidden, logits, _) = scratch.head(&config, tokens);
            assert!(begins(hidden) && begins(logits));
            assert_eq!((hidden.len(), logits.len()), (tokens * 12, tokens * 2));
        }
    }
}
