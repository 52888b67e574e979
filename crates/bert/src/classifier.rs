//! The encoder with a label for each token: `BertForTokenClassification`.

use nervio_kernels::{Epilogue, matmul};
use nervio_simd::Isa;
use nervio_weights::BertTensors;

use crate::encoder::Linear;
use crate::load::{Loader, WeightDtype};
use crate::probe::{Probe, Stage};
use crate::{Batch, Config, Encoder, LoadError, Scratch};

/// An encoder and a linear classifier over the labels of the config.
#[derive(Debug)]
pub struct TokenClassifier {
    encoder: Encoder,
    /// `[labels, hidden]`
    classifier: Linear,
}

impl TokenClassifier {
    /// Packs the weights of a checkpoint for `isa`.
    ///
    /// # Errors
    ///
    /// As [`Encoder::load`]; and when the config has no labels, or the classifier is missing or has
    /// another number of them.
    pub fn load(
        isa: Isa,
        config: &Config,
        tensors: &BertTensors,
        dtype: WeightDtype,
    ) -> Result<Self, LoadError> {
        let labels = config.labels.len();
        if labels == 0 {
            return Err(LoadError::NoLabels { file: config.file.clone() });
        }
        tensors.require("classifier.weight", &[labels, config.hidden_size])?;
        let loader = Loader { isa, dtype, tensors };
        Ok(Self {
            classifier: loader.linear(&["classifier"], labels, config.hidden_size)?,
            encoder: Encoder::load(isa, config, tensors, dtype)?,
        })
    }

    /// The encoder without the classifier.
    #[must_use]
    pub fn encoder(&self) -> &Encoder {
        &self.encoder
    }

    /// The sizes and labels of the model.
    #[must_use]
    pub fn config(&self) -> &Config {
        self.encoder.config()
    }

    /// Bytes that the weights occupy in memory.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.encoder.bytes() + self.classifier.weights.bytes()
    }

    /// The score of each label for each token before softmax, `[tokens, labels]`; they stay in
    /// `scratch` until the next pass.
    pub fn logits<'s>(
        &self,
        batch: &Batch,
        scratch: &'s mut Scratch,
        probe: &mut impl Probe,
    ) -> &'s [f32] {
        self.encoder.forward(batch, scratch, probe);
        let Scratch { hidden, logits, workspace, .. } = scratch;
        probe.begin(Stage::Classifier, None);
        let epilogue = Epilogue::Bias(&self.classifier.bias);
        matmul(self.encoder.isa(), workspace, hidden, &self.classifier.weights, &epilogue, logits);
        probe.end(Stage::Classifier, None);
        logits
    }
}
