//! The forward pass of `BertModel` (Devlin et al., arXiv 1810.04805; `modeling_bert.py`), without
//! the pooler.

use std::sync::{Mutex, PoisonError};

use nervio_kernels::{
    AttentionNumbers, AttentionShape, Epilogue, FeedForward, FeedForwardStep, Norm, PackedMatrix,
    SelfAttention, SelfAttentionStep, WeightKind, attention_probabilities, feed_forward, give_way,
    layer_norm, matmul, row_threads, self_attention, thread_rows, threads,
};
use nervio_simd::Isa;
use nervio_weights::BertTensors;

use crate::by_rows::by_rows;
use crate::by_sequences::Terms;
use crate::embeddings::Embeddings;
use crate::load::{Loader, WeightDtype};
use crate::matrices::{MatrixSource, read_matrices};
use crate::parts::Part;
use crate::probe::{Probe, Stage, Turns};
use crate::reader::WeightReader;
use crate::scratch::{LayerBuffers, PassBuffers};
use crate::shapes::check_encoder;
use crate::{Batch, Config, LoadError, Scratch};

/// A dense layer: `[outputs, inputs]` weights and a bias for each output.
#[derive(Debug)]
pub(crate) struct Linear {
    pub(crate) weights: PackedMatrix,
    pub(crate) bias: Vec<f32>,
}

/// The parameters of a layer norm; `[hidden]` each.
#[derive(Debug)]
pub(crate) struct LayerNorm {
    pub(crate) weight: Vec<f32>,
    pub(crate) bias: Vec<f32>,
}

impl LayerNorm {
    fn kernel(&self, eps: f32) -> Norm<'_> {
        Norm { weight: &self.weight, bias: &self.bias, eps }
    }
}

/// `BertLayer`: attention and feed-forward, each with residual and layer norm.
#[derive(Debug)]
struct Layer {
    /// `[3 hidden, hidden]`: query, key and value as one product.
    query_key_value: Linear,
    /// `[hidden, hidden]`
    attention_output: Linear,
    attention_norm: LayerNorm,
    /// `[intermediate, hidden]`
    intermediate: Linear,
    /// `[hidden, intermediate]`
    output: Linear,
    output_norm: LayerNorm,
}

/// A BERT encoder: embeddings and layers. It owns its weights, so nothing of the checkpoint stays
/// open or mapped, unless they are those of a file of panels; it is never changed, so threads may
/// share it.
#[derive(Debug)]
pub struct Encoder {
    isa: Isa,
    config: Config,
    embeddings: Embeddings,
    layers: Vec<Layer>,
}

impl Encoder {
    /// Packs the weights of a checkpoint for `isa`.
    ///
    /// # Errors
    ///
    /// When a tensor is missing, has another shape than the config says, has a type that weights
    /// cannot have, or holds a NaN or an infinity.
    pub fn load(
        isa: Isa,
        config: &Config,
        tensors: &BertTensors,
        dtype: WeightDtype,
    ) -> Result<Self, LoadError> {
        check_encoder(config, tensors)?;
        Self::read(isa, config, &Loader { isa, dtype, tensors })
    }

    /// Reads the matrices and tables in parallel, then the vectors of each layer.
    pub(crate) fn read(
        isa: Isa,
        config: &Config,
        reader: &impl WeightReader,
    ) -> Result<Self, LoadError> {
        let layers = 0..config.num_hidden_layers;
        let sources: Vec<_> = layers.flat_map(|layer| Layer::sources(config, layer)).collect();
        let (embeddings, matrices) =
            rayon::join(|| Embeddings::load(reader, config), || read_matrices(reader, &sources));
        let mut linears = sources.iter().zip(matrices?);
        let mut layers = Vec::with_capacity(config.num_hidden_layers);
        for layer in 0..config.num_hidden_layers {
            let mut linear = || match linears.next() {
                Some((source, weights)) => reader.linear(source, weights),
                None => unreachable!("every layer has its matrices"),
            };
            let linears = [linear()?, linear()?, linear()?, linear()?];
            layers.push(Layer::new(reader, config, layer, linears)?);
        }
        Ok(Self { isa, config: config.clone(), embeddings: embeddings?, layers })
    }

    /// The sizes and labels of the model.
    #[must_use]
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// The instruction set that the weights are packed for.
    #[must_use]
    pub fn isa(&self) -> Isa {
        self.isa
    }

    /// How the weights of the dense layers are held; `None` when they are not all held alike.
    #[must_use]
    pub fn kind(&self) -> Option<WeightKind> {
        let mut kinds = self.layers.iter().flat_map(Layer::linears).map(|x| x.weights.kind());
        let first = kinds.next()?;
        kinds.all(|kind| kind == first).then_some(first)
    }

    /// Bytes that the weights occupy in memory.
    #[must_use]
    pub fn bytes(&self) -> usize {
        let layers = self.layers.iter().flat_map(Layer::linears).map(|x| x.weights.bytes());
        let tables = self.embeddings.words.bytes() + self.embeddings.positions.bytes();
        layers.sum::<usize>() + tables
    }

    /// Runs the encoder. The last hidden state of the batch's outputs, `[outputs, hidden]`, is returned and
    /// stays in `scratch` until the next pass.
    ///
    /// A token's result depends on its own sequence and the instruction set alone: it has the same
    /// bits in any batch and on any number of threads.
    pub fn forward<'s>(
        &self,
        batch: &Batch,
        scratch: &'s mut Scratch,
        probe: &mut impl Probe,
    ) -> &'s [f32] {
        let Scratch { pass, shares, .. } = scratch;
        // A probe is shown sequences in the order of the batch.
        let together = probe.wants_hidden_states() || probe.wants_attentions();
        if !together && shares.deal(batch, &self.config, self.terms()) {
            shares.run(probe, &|batch, pass, mut probe| self.pass(batch, pass, &mut probe));
            shares.collect(batch, &self.config, pass.hidden(&self.config, batch.outputs().len()));
        } else {
            self.pass(batch, pass, probe);
        }
        pass.hidden(&self.config, batch.outputs().len())
    }

    /// When sequences are dealt out: a thread may have some from as many tokens on as in the most exacting of
    /// all products.
    fn terms(&self) -> Terms {
        let linears = self.layers.iter().flat_map(Layer::linears);
        let fewest = linears.map(|linear| thread_rows(self.isa, &linear.weights)).max();
        Terms::new(threads(), fewest.unwrap_or(1), self.isa.tiles().is_some())
    }

    /// Takes all sequences of a batch through the layers together.
    fn pass(&self, batch: &Batch, pass: &mut PassBuffers, probe: &mut impl Probe) {
        let (config, tokens) = (&self.config, batch.tokens());
        let hidden = pass.hidden(config, tokens);
        probe.begin(Stage::Embeddings, None);
        self.embeddings.gather(batch, hidden);
        probe.end(Stage::Embeddings, None);
        self.norm(hidden, &self.embeddings.layer_norm, config.layer_norm_eps, probe, None);
        if probe.wants_hidden_states() {
            probe.hidden_state(0, hidden);
        }
        // Taken out for the pass, so that the buffers beside them can be changed.
        let mut parts = std::mem::take(&mut pass.parts);
        parts.cut(batch, threads());
        for (index, layer) in self.layers.iter().enumerate() {
            let is_last = index + 1 == self.layers.len();
            for part in parts.iter() {
                let outputs = is_last.then(|| batch.outputs_of(part.tokens.clone()));
                let kept = outputs.clone().map(|outputs| &batch.outputs()[outputs]);
                self.layer(index, layer, &part, kept, pass, probe);
                if let Some(outputs) = outputs {
                    pass.move_hidden(config, part.tokens.start, outputs);
                }
            }
            if probe.wants_hidden_states() {
                let rows = if is_last { batch.outputs().len() } else { tokens };
                probe.hidden_state(index + 1, pass.hidden(config, rows));
            }
        }
        pass.parts = parts;
    }

    /// `BertLayer` over one part of a batch, in place. If only some tokens are read after it, no others
    /// are computed behind attention, which reads all; their rows are then the first of the part.
    fn layer(
        &self,
        index: usize,
        layer: &Layer,
        part: &Part<'_>,
        kept: Option<&[usize]>,
        pass: &mut PassBuffers,
        probe: &mut impl Probe,
    ) {
        let mut buffers = pass.part(&self.config, part.tokens.clone());
        let helpers = buffers.helpers;
        helpers.run(|| self.attend(index, layer, part, &mut buffers, probe));
        if let Some(kept) = kept {
            buffers = buffers.keep(kept, part.tokens.start);
        }
        let threads = layer.sharing_threads(self.isa, buffers.tokens);
        by_rows(buffers, threads, Some(probe), &|mut rows, mut probe| {
            helpers.run(|| self.attention_output(index, layer, &mut rows, &mut probe));
            helpers.run(|| self.feed_forward(index, layer, &mut rows, &mut probe));
        });
        // Not once this thread is helped: those who help look for whatever others have left.
        helpers.run(give_way);
    }

    /// `BertSelfAttention`: reads `hidden`, writes `context`.
    fn attend(
        &self,
        index: usize,
        layer: &Layer,
        part: &Part<'_>,
        buffers: &mut LayerBuffers<'_>,
        probe: &mut impl Probe,
    ) {
        if probe.wants_attentions() {
            self.show_attentions(index, layer, part, buffers, probe);
        }
        let LayerBuffers { hidden, query_key_value, context, workspace, .. } = buffers;
        let block = SelfAttention {
            weights: &layer.query_key_value.weights,
            bias: &layer.query_key_value.bias,
            shape: self.shape(),
            numbers: layer.attention_numbers(self.isa),
        };
        let mut turns = Turns::new(probe, index);
        let mut watch = |step| {
            turns.turn_to(match step {
                SelfAttentionStep::QueryKeyValue => Stage::QueryKeyValue,
                SelfAttentionStep::Attention => Stage::Attention,
            });
        };
        let rows = (&**hidden, &mut **context);
        self_attention(self.isa, workspace, &block, rows, part.ends, query_key_value, &mut watch);
        turns.end();
    }

    /// `BertSelfOutput`: reads `context` and `hidden`, writes `attended`.
    fn attention_output(
        &self,
        index: usize,
        layer: &Layer,
        buffers: &mut LayerBuffers<'_>,
        probe: &mut impl Probe,
    ) {
        let LayerBuffers { hidden, context, attended, workspace, .. } = buffers;
        let at = Some(index);
        probe.begin(Stage::AttentionOutput, at);
        let linear = &layer.attention_output;
        let epilogue = Epilogue::BiasResidual(&linear.bias, hidden);
        matmul(self.isa, workspace, context, &linear.weights, &epilogue, attended);
        probe.end(Stage::AttentionOutput, at);
        self.norm(attended, &layer.attention_norm, self.config.layer_norm_eps, probe, at);
    }

    /// `BertIntermediate` and `BertOutput`: reads `attended`, writes `hidden`.
    fn feed_forward(
        &self,
        index: usize,
        layer: &Layer,
        buffers: &mut LayerBuffers<'_>,
        probe: &mut impl Probe,
    ) {
        let LayerBuffers { hidden, attended, intermediate, workspace, .. } = buffers;
        let block = FeedForward {
            intermediate: &layer.intermediate.weights,
            intermediate_bias: &layer.intermediate.bias,
            activation: self.config.hidden_act,
            output: &layer.output.weights,
            output_bias: &layer.output.bias,
            norm: layer.output_norm.kernel(self.config.layer_norm_eps),
        };
        // Of the threads of a pass, one watches.
        let turns = Mutex::new(Turns::new(probe, index));
        let turns_now = || turns.lock().unwrap_or_else(PoisonError::into_inner);
        let watch = |step| {
            turns_now().turn_to(match step {
                FeedForwardStep::Intermediate => Stage::Intermediate,
                FeedForwardStep::Output => Stage::Output,
                FeedForwardStep::LayerNorm => Stage::LayerNorm,
            });
        };
        feed_forward(self.isa, workspace, &block, (attended, hidden), intermediate, &watch);
        turns_now().end();
    }

    fn norm(
        &self,
        x: &mut [f32],
        norm: &LayerNorm,
        eps: f32,
        probe: &mut impl Probe,
        layer: Option<usize>,
    ) {
        probe.begin(Stage::LayerNorm, layer);
        layer_norm(self.isa, x, &norm.kernel(eps));
        probe.end(Stage::LayerNorm, layer);
    }

    /// Computes queries and keys once more, and from them attention probabilities by plain loops, for a probe
    /// that asks.
    fn show_attentions(
        &self,
        index: usize,
        layer: &Layer,
        part: &Part<'_>,
        buffers: &mut LayerBuffers<'_>,
        probe: &mut impl Probe,
    ) {
        let LayerBuffers { hidden, query_key_value: qkv, workspace, .. } = buffers;
        let Linear { weights, bias } = &layer.query_key_value;
        matmul(self.isa, workspace, hidden, weights, &Epilogue::Bias(bias), qkv);
        let mut start = 0;
        for (sequence, end) in part.ends.iter().enumerate() {
            for head in 0..self.config.num_attention_heads {
                let probabilities =
                    attention_probabilities(self.shape(), qkv, start, end - start, head);
                probe.attention(index, part.first_sequence + sequence, head, &probabilities);
            }
            start = *end;
        }
    }

    fn shape(&self) -> AttentionShape {
        AttentionShape { heads: self.config.num_attention_heads, head_dim: self.config.head_dim() }
    }
}

impl Layer {
    /// Where the weights have 8 bits, queries, keys and values need no more than 16.
    fn attention_numbers(&self, isa: Isa) -> AttentionNumbers {
        if self.query_key_value.weights.kind() == WeightKind::Int8 && isa.dot_pairs_pay() {
            AttentionNumbers::Int16
        } else {
            AttentionNumbers::F32
        }
    }

    /// How many threads take rows of their own, of `rows`, from the output of attention to the end of the
    /// layer: all of them, or one where a product in between is better cut otherwise.
    ///
    /// By vectors, rows of a thread's own gain nothing, and a thread that is done helps others out, whose
    /// cores may be slower. Whole sequences of its own gain everywhere: see
    /// [`Shares`](crate::by_sequences::Shares).
    fn sharing_threads(&self, isa: Isa, rows: usize) -> usize {
        let all = threads();
        let linears = [&self.attention_output, &self.intermediate, &self.output];
        let own_rows = |linear: &Linear| row_threads(isa, &linear.weights, rows) == all;
        let pays = isa.tiles().is_some() && linears.into_iter().all(own_rows);
        if pays { all } else { 1 }
    }

    /// The weights of layer `layer`, in the order of [`linears`](Self::linears).
    fn sources(config: &Config, layer: usize) -> [MatrixSource; 4] {
        let (hidden, intermediate) = (config.hidden_size, config.intermediate_size);
        let source = |modules: &[&str], outputs, inputs| MatrixSource {
            names: modules.iter().map(|module| module_name(layer, module)).collect(),
            outputs,
            inputs,
        };
        let attention = ["query", "key", "value"].map(|x| format!("attention.self.{x}"));
        [
            source(&attention.each_ref().map(String::as_str), hidden, hidden),
            source(&["attention.output.dense"], hidden, hidden),
            source(&["intermediate.dense"], intermediate, hidden),
            source(&["output.dense"], hidden, intermediate),
        ]
    }

    /// The layer with these linear ones, in the order of [`linears`](Self::linears).
    fn new(
        reader: &impl WeightReader,
        config: &Config,
        layer: usize,
        [query_key_value, attention_output, intermediate, output]: [Linear; 4],
    ) -> Result<Self, LoadError> {
        let norm = |module| reader.layer_norm(&module_name(layer, module), config.hidden_size);
        Ok(Self {
            query_key_value,
            attention_output,
            attention_norm: norm("attention.output.LayerNorm")?,
            intermediate,
            output,
            output_norm: norm("output.LayerNorm")?,
        })
    }

    fn linears(&self) -> [&Linear; 4] {
        [&self.query_key_value, &self.attention_output, &self.intermediate, &self.output]
    }
}

/// The name of a module of a layer.
fn module_name(layer: usize, module: &str) -> String {
    format!("encoder.layer.{layer}.{module}")
}
