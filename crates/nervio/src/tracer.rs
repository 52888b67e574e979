//! Looking into a forward pass: what `nervio dump` writes and `nervio compare` checks.

use nervio_bert::{Batch, Config, Encoder, Probe, Scratch, TokenClassifier};
use nervio_tokenizer::Tokenizer;
use nervio_weights::BertTensors;
use rayon::ThreadPool;

use crate::options::RecognizerBuilder;
use crate::plan::window_ids;
use crate::{Document, Error};

/// What a trace is to hold besides ids and logits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TraceOptions {
    /// The embedding output and the output of each layer.
    pub hidden_states: bool,
    /// The attention probabilities of each layer.
    pub attentions: bool,
}

/// What a forward pass computed for one document.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Trace {
    /// Token ids with `[CLS]` and `[SEP]`; `[tokens]`.
    pub input_ids: Vec<u32>,
    /// `[tokens, labels]`; empty for a model without classifier.
    pub logits: Vec<f32>,
    /// `[tokens, hidden]` each: 0 is the embedding output, `n` the output of layer `n`.
    pub hidden_states: Vec<Vec<f32>>,
    /// `[heads, tokens, tokens]` for each layer.
    pub attentions: Vec<Vec<f32>>,
}

/// A loaded model, with or without classifier, for tracing one document at a time.
#[derive(Debug)]
pub struct Tracer {
    model: Model,
    tokenizer: Tokenizer,
    pool: ThreadPool,
}

#[derive(Debug)]
enum Model {
    Classifier(Box<TokenClassifier>),
    Encoder(Box<Encoder>),
}

impl Tracer {
    pub(crate) fn load(builder: RecognizerBuilder) -> Result<Self, Error> {
        let (isa, pool) = builder.machine()?;
        let parts = builder.source()?.open(builder.mmap)?;
        let tensors = BertTensors::new(&parts.checkpoint)?;
        let dtype = builder.dtype.weights();
        let config = &parts.config;
        let model = pool.install(|| -> Result<Model, Error> {
            Ok(if tensors.get("classifier.weight").is_some() {
                Model::Classifier(Box::new(TokenClassifier::load(isa, config, &tensors, dtype)?))
            } else {
                Model::Encoder(Box::new(Encoder::load(isa, config, &tensors, dtype)?))
            })
        })?;
        Ok(Self { model, tokenizer: parts.tokenizer, pool })
    }

    /// The config of the model.
    #[must_use]
    pub fn config(&self) -> &Config {
        match &self.model {
            Model::Classifier(classifier) => classifier.config(),
            Model::Encoder(encoder) => encoder.config(),
        }
    }

    /// Labels of the classifier; 0 for a model without one.
    #[must_use]
    pub fn labels(&self) -> usize {
        match &self.model {
            Model::Classifier(classifier) => classifier.config().labels.len(),
            Model::Encoder(_) => 0,
        }
    }

    /// Runs one document as one sequence and keeps what `options` ask for.
    ///
    /// # Errors
    ///
    /// When the document has more tokens than the model has positions.
    pub fn trace(&self, document: &Document, options: TraceOptions) -> Result<Trace, Error> {
        document.check()?;
        let encoding = match &document.words {
            Some(words) => self.tokenizer.encode_words(&document.text, words),
            None => self.tokenizer.encode(&document.text),
        };
        let mut batch = Batch::new();
        let pieces = 0..encoding.pieces.len();
        batch.push(self.config(), window_ids(&self.tokenizer, &encoding, pieces))?;
        let mut recorder = Recorder { options, trace: Trace::default() };
        let logits = self.pool.install(|| {
            let mut scratch = Scratch::new();
            match &self.model {
                Model::Classifier(model) => {
                    model.logits(&batch, &mut scratch, &mut recorder).to_vec()
                }
                Model::Encoder(model) => {
                    model.forward(&batch, &mut scratch, &mut recorder);
                    Vec::new()
                }
            }
        });
        Ok(Trace { input_ids: batch.ids().to_vec(), logits, ..recorder.trace })
    }
}

/// Keeps what a probe is shown.
struct Recorder {
    options: TraceOptions,
    trace: Trace,
}

impl Probe for Recorder {
    fn wants_hidden_states(&self) -> bool {
        self.options.hidden_states
    }

    fn hidden_state(&mut self, _: usize, hidden: &[f32]) {
        self.trace.hidden_states.push(hidden.to_vec());
    }

    fn wants_attentions(&self) -> bool {
        self.options.attentions
    }

    fn attention(&mut self, layer: usize, _: usize, _: usize, probabilities: &[f32]) {
        if self.trace.attentions.len() == layer {
            self.trace.attentions.push(Vec::new());
        }
        self.trace.attentions[layer].extend_from_slice(probabilities);
    }
}
