//! The encoder with a label for each token: `BertForTokenClassification`.

use std::path::Path;

use nervio_kernels::{Epilogue, matmul};
use nervio_simd::Isa;
use nervio_weights::{BertTensors, Checkpoint};

use crate::encoder::Linear;
use crate::load::{Loader, WeightDtype};
use crate::matrices::{MatrixSource, read_matrices};
use crate::panels::{PanelKey, PanelReader, Recorder};
use crate::probe::{Probe, Stage};
use crate::reader::WeightReader;
use crate::shapes::check_classifier;
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
        check_classifier(config, tensors)?;
        Self::read(isa, config, &Loader { isa, dtype, tensors })
    }

    /// Packs the weights of a checkpoint and writes them to a file of panels.
    ///
    /// # Errors
    ///
    /// As [`load`](Self::load), and when the file cannot be written.
    pub fn write_panels(
        key: &PanelKey,
        config: &Config,
        tensors: &BertTensors,
        path: &Path,
    ) -> Result<Self, LoadError> {
        check_classifier(config, tensors)?;
        let dtype = key.kind.map_or(WeightDtype::Auto, WeightDtype::Fixed);
        let recorder = Recorder::new(Loader { isa: key.isa, dtype, tensors });
        let classifier = Self::read(key.isa, config, &recorder)?;
        recorder.write(path, key)?;
        Ok(classifier)
    }

    /// Uses the weights of a file of panels in place: the file stays mapped for as long as the
    /// classifier lives, and must not be changed that long.
    ///
    /// # Errors
    ///
    /// When the file is not what `key` says, or a tensor of it is missing or has another shape or
    /// type than the config and the layout say.
    pub fn open_panels(
        key: &PanelKey,
        config: &Config,
        panels: &Checkpoint,
    ) -> Result<Self, LoadError> {
        key.check(panels)?;
        Self::read(key.isa, config, &PanelReader { isa: key.isa, file: panels })
    }

    fn read(isa: Isa, config: &Config, reader: &impl WeightReader) -> Result<Self, LoadError> {
        let source = MatrixSource {
            names: vec!["classifier".to_owned()],
            outputs: config.labels.len(),
            inputs: config.hidden_size,
        };
        let mut weights = read_matrices(reader, std::slice::from_ref(&source))?;
        Ok(Self {
            classifier: reader.linear(&source, weights.remove(0))?,
            encoder: Encoder::read(isa, config, reader)?,
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

    /// The score of each label for each of the batch's outputs before softmax, `[outputs, labels]`;
    /// they stay in `scratch` until the next pass.
    pub fn logits<'s>(
        &self,
        batch: &Batch,
        scratch: &'s mut Scratch,
        probe: &mut impl Probe,
    ) -> &'s [f32] {
        self.encoder.forward(batch, scratch, probe);
        let (hidden, logits, workspace) = scratch.head(self.config(), batch.outputs().len());
        probe.begin(Stage::Classifier, None);
        let epilogue = Epilogue::Bias(&self.classifier.bias);
        matmul(self.encoder.isa(), workspace, hidden, &self.classifier.weights, &epilogue, logits);
        probe.end(Stage::Classifier, None);
        logits
    }
}
