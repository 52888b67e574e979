//! From documents to entities.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use nervio_bert::{Config, TokenClassifier};
use nervio_kernels::{WeightKind, join};
use nervio_ner::{Decoder, LabelSet, Piece, word_labels};
use nervio_tokenizer::{Encoding, Tokenizer};
use nervio_weights::BertTensors;
use rayon::ThreadPool;

use crate::engine::Engine;
use crate::jobs::jobs;
use crate::options::{Compat, RecognizerBuilder, WindowOptions};
use crate::panels;
use crate::plan::{Planned, window_options};
use crate::reading::Reading;
use crate::{Document, Error, Recognition};

/// Bytes of text from which on tokenising and decoding are worth the waking of threads.
const SHARED_BYTES: usize = 1 << 14;

/// A loaded model with its tokenizer, decoder and threads. Share it by reference among threads.
///
/// Threads that call it at the same time have their turn in the order in which they came; long calls make way for
/// each other. Short calls that wait are computed together, and in the middle of long ones, with the bits that they
/// have alone.
///
/// ```no_run
/// use nervio::{ModelSource, Recognizer};
///
/// let recognizer =
///     Recognizer::builder().model(ModelSource::Folder("my-model".into())).build()?;
/// for entity in recognizer.recognize("Me llamo Wolfgang y vivo en Berlín")?.entities {
///     println!("{} {:.3} {}..{}", entity.label, entity.score, entity.start, entity.end);
/// }
/// # Ok::<(), nervio::Error>(())
/// ```
#[derive(Debug)]
pub struct Recognizer {
    pub(crate) engine: Arc<Engine>,
    pub(crate) tokenizer: Tokenizer,
    pub(crate) pool: ThreadPool,
    decoder: Decoder,
    windows: WindowOptions,
    pub(crate) kind: Option<WeightKind>,
    panels: Option<PathBuf>,
    file_bytes: u64,
}

impl Recognizer {
    /// A builder with the defaults: the embedded model where the build has one.
    #[must_use]
    pub fn builder() -> RecognizerBuilder {
        RecognizerBuilder::new()
    }

    pub(crate) fn load(builder: RecognizerBuilder) -> Result<Self, Error> {
        if builder.batch_tokens == 0 {
            return Err(Error::Option {
                option: "--batch-tokens",
                expected: "a number from 1".to_owned(),
                found: "0".to_owned(),
            });
        }
        let (isa, pool) = builder.machine()?;
        let parts = builder.source()?.open(builder.mmap)?;
        let windows = window_options(&builder, &parts.config, &parts.tokenizer)?;
        let tensors = BertTensors::new(&parts.checkpoint)?;
        let panels = panels::find(isa, &builder, &parts, &tensors)?;
        let classifier = pool.install(|| match &panels {
            Some((key, panels)) => TokenClassifier::open_panels(key, &parts.config, panels),
            None => TokenClassifier::load(isa, &parts.config, &tensors, builder.dtype.weights()),
        })?;
        let decoder = Decoder::new(LabelSet::new(&parts.config.labels)?, builder.decoder)?;
        Ok(Self {
            kind: classifier.encoder().kind(),
            file_bytes: parts.checkpoint.total_bytes(),
            panels: panels.map(|(_, panels)| panels.path().to_owned()),
            engine: Arc::new(Engine::new(
                classifier,
                pool.current_num_threads(),
                builder.batch_tokens,
            )),
            tokenizer: parts.tokenizer,
            pool,
            decoder,
            windows,
        })
    }

    /// Recognises the entities of one text.
    ///
    /// # Errors
    ///
    /// When scores of the model that are read are not numbers.
    pub fn recognize(&self, text: &str) -> Result<Recognition, Error> {
        let mut results = self.recognize_batch(&[Document::new(text)]);
        results.pop().unwrap_or_else(|| Ok(Recognition::default()))
    }

    /// Recognises the entities of many documents, answered in their order. A bad document has an
    /// error; the others are answered. Each answer has the same bits as if it were asked alone.
    #[must_use]
    pub fn recognize_batch(&self, documents: &[Document]) -> Vec<Result<Recognition, Error>> {
        let reading = if self.decoder.reads_words() { Reading::Words } else { Reading::Pieces };
        self.run(documents, reading, &|document, planned| self.decode(document, planned))
    }

    /// The tag of each given word, by the scores of its first piece; a word without a piece is
    /// `O`. This is how token classifiers are evaluated.
    #[must_use]
    pub fn label_words(&self, documents: &[Document]) -> Vec<Result<Vec<String>, Error>> {
        self.run(documents, Reading::Words, &|document, planned| self.tags(document, planned))
    }

    /// The tokenizer of the model.
    #[must_use]
    pub fn tokenizer(&self) -> &Tokenizer {
        &self.tokenizer
    }

    /// The config of the model.
    #[must_use]
    pub fn config(&self) -> &Config {
        self.engine.classifier.config()
    }

    /// The labels of the classifier by id.
    #[must_use]
    pub fn labels(&self) -> &[String] {
        &self.config().labels
    }

    /// Threads of the recogniser's pool.
    #[must_use]
    pub fn threads(&self) -> usize {
        self.pool.current_num_threads()
    }

    /// The instruction set in use.
    #[must_use]
    pub fn isa_name(&self) -> String {
        self.engine.classifier.encoder().isa().to_string()
    }

    /// How the encoder's weights are held: `f32`, `f16`, `bf16`, `int8` or `mixed`.
    #[must_use]
    pub fn dtype_name(&self) -> &'static str {
        self.kind.map_or("mixed", WeightKind::name)
    }

    /// The file of panels in use, if the folder has one; see [`RecognizerBuilder::pack`].
    #[must_use]
    pub fn panels(&self) -> Option<&Path> {
        self.panels.as_deref()
    }

    /// Bytes of the checkpoint's files.
    #[must_use]
    pub fn file_bytes(&self) -> u64 {
        self.file_bytes
    }

    /// Bytes that the weights occupy in memory.
    #[must_use]
    pub fn weight_bytes(&self) -> usize {
        self.engine.classifier.bytes()
    }

    /// Tokenises documents, cuts them into windows, scores these, and makes of each document what is asked for.
    fn run<R: Send>(
        &self,
        documents: &[Document],
        reading: Reading,
        finish: &(impl Fn(&Document, &Planned) -> Result<R, Error> + Sync),
    ) -> Vec<Result<R, Error>> {
        let plan = |document| Planned::new(&self.tokenizer, document, &self.windows);
        let bytes: usize = documents.iter().map(|document| document.text.len()).sum();
        if bytes < SHARED_BYTES {
            let mut planned: Vec<_> = documents.iter().map(plan).collect();
            self.score(&mut planned, reading);
            let pairs = documents.iter().zip(planned);
            return pairs.map(|(document, planned)| finish(document, &planned?)).collect();
        }
        let documents: Vec<_> = documents.iter().collect();
        let mut planned = self.pool.install(|| map(documents.clone(), &plan));
        self.score(&mut planned, reading);
        let pairs: Vec<_> = documents.into_iter().zip(planned).collect();
        self.pool.install(|| map(pairs, &|(document, planned)| finish(document, &planned?)))
    }

    /// Fills in the logits of every window.
    fn score(&self, planned: &mut [Result<Planned, Error>], reading: Reading) {
        let labels = self.labels().len();
        let jobs = jobs(planned, &self.tokenizer, reading);
        let (jobs, results) = self.engine.logits(&self.pool, jobs);
        for (job, logits) in jobs.iter().zip(&results) {
            for place in &job.places {
                let plan = &mut planned[place.document];
                match (plan.as_mut(), logits) {
                    (Err(_), _) => {}
                    (Ok(_), Err(error)) => *plan = Err(Error::from(error.clone())),
                    (Ok(plan), Ok(logits)) => {
                        let keep = &plan.windows[place.window].keep;
                        let logits = reading.spread(&plan.encoding, keep, logits, labels);
                        plan.logits[place.window] = logits;
                    }
                }
            }
        }
    }

    fn decode(&self, document: &Document, plan: &Planned) -> Result<Recognition, Error> {
        let pieces = self.pieces(&plan.encoding);
        let text = document.text.as_str();
        let given = document.words.is_some();
        let entities = match self.windows.compat {
            Compat::None => self.decoder.decode(text, &pieces, &plan.logits.concat(), given)?,
            Compat::HuggingFace => {
                let mut entities = Vec::new();
                for (window, logits) in plan.windows.iter().zip(&plan.logits) {
                    let pieces = &pieces[window.pieces.clone()];
                    entities.append(&mut self.decoder.decode(text, pieces, logits, given)?);
                }
                if plan.windows.len() > 1 {
                    entities = nervio_ner::windows::merge_hf(text, entities);
                }
                entities
            }
        };
        let words = document.words.clone().unwrap_or_else(|| plan.encoding.word_ranges());
        Ok(Recognition { entities, words, windows: plan.windows.len(), pieces: plan.pieces() })
    }

    fn tags(&self, document: &Document, plan: &Planned) -> Result<Vec<String>, Error> {
        let count = match &document.words {
            Some(words) => words.len(),
            None => plan.encoding.word_ranges().len(),
        };
        let words: Vec<u32> = plan.encoding.pieces.iter().map(|piece| piece.word).collect();
        let labels = self.labels();
        let tags = word_labels(&words, &plan.logits.concat(), labels.len(), count)?;
        let name = |tag: Option<usize>| tag.map_or("O", |tag| labels[tag].as_str()).to_owned();
        Ok(tags.into_iter().map(name).collect())
    }

    /// The pieces of an encoding as the decoder sees them.
    fn pieces<'a>(&'a self, encoding: &'a Encoding) -> Vec<Piece<'a>> {
        let unknown = self.tokenizer.special().unk;
        let view = |piece: &'a nervio_tokenizer::Piece| Piece {
            token: self.tokenizer.token(piece.id).unwrap_or_default(),
            range: piece.range.clone(),
            word: piece.word,
            is_unknown: piece.id == unknown,
        };
        encoding.pieces.iter().map(view).collect()
    }
}

/// What `work` makes of each item, by all threads of the current pool.
fn map<T: Send, R: Send>(mut items: Vec<T>, work: &(impl Fn(T) -> R + Sync)) -> Vec<R> {
    if items.len() < 2 {
        return items.into_iter().map(work).collect();
    }
    let second = items.split_off(items.len() / 2);
    let (mut left, mut right) = (Vec::new(), Vec::new());
    join(|| left = map(items, work), || right = map(second, work));
    left.append(&mut right);
    left
}
