//! A model against gold tags, for tools that change models.

use std::path::Path;

use anyhow::{Context, Result};
use indicatif::{ProgressBar, ProgressStyle};
use nervio::{Document, ModelSource, Recognizer};
use nervio_eval::{Chunking, Comparison, Sentence};

/// Sentences labelled between two steps of the progress bar.
const CHUNK: usize = 256;

/// What a model made of the sentences.
pub(crate) struct Evaluated {
    /// F1 of all entities, as a fraction of 1.
    pub(crate) f1: f64,
    /// The label of each word of each sentence.
    pub(crate) labels: Vec<Vec<String>>,
}

impl Evaluated {
    /// Labels the words of some sentences with the model of a folder.
    ///
    /// # Errors
    /// When the model cannot be loaded or gives no numbers.
    pub(crate) fn new(folder: &Path, sentences: &[Sentence]) -> Result<Self> {
        let source = ModelSource::Folder(folder.to_owned());
        let recognizer = Recognizer::builder().model(source).build()?;
        let bar = ProgressBar::new(sentences.len() as u64);
        bar.set_style(ProgressStyle::with_template("{bar:40} {pos}/{len} sentences  {msg}")?);
        bar.set_message(folder.display().to_string());
        let mut labels = Vec::with_capacity(sentences.len());
        for chunk in sentences.chunks(CHUNK) {
            let documents: Vec<Document> =
                chunk.iter().map(|sentence| Document::from_words(&sentence.words)).collect();
            for tags in recognizer.label_words(&documents) {
                labels.push(tags.with_context(|| folder.display().to_string())?);
            }
            bar.set_position(labels.len() as u64);
        }
        bar.finish_and_clear();
        let gold = sentences.iter().map(|sentence| &sentence.tags);
        let f1 = Comparison::new(gold, &labels)?.evaluate(Chunking::Lenient)?.micro().f1;
        Ok(Self { f1, labels })
    }

    /// The share of words that another model labels alike; 1 where there are none.
    pub(crate) fn agreement(&self, other: &Self) -> f64 {
        let words = || self.labels.iter().flatten().zip(other.labels.iter().flatten());
        let count = words().count();
        let same = words().filter(|(a, b)| a == b).count();
        if count == 0 { 1.0 } else { same as f64 / count as f64 }
    }
}
