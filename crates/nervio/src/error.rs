//! Everything that can go wrong between a model folder and its answers.

use std::path::PathBuf;

use nervio_weights::hub::HubName;

/// Why a model could not be loaded or a document not answered.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The model folder is not there, or is not a folder.
    #[error("model folder {}: expected a folder with config.json, model.safetensors and vocab.txt or tokenizer.json, found {found}", folder.display())]
    Folder {
        /// The path given.
        folder: PathBuf,
        /// What is there.
        found: String,
    },
    /// There is no such folder, and the cache of the hub has no such model.
    #[error("{name}: expected a model folder, or a model in the cache {}, found neither; `nervio-weights pull {name}` fetches it", cache.display())]
    NotFetched {
        /// The name given.
        name: HubName,
        /// Where models of the hub are kept.
        cache: PathBuf,
    },
    /// `config.json` was refused.
    #[error(transparent)]
    Config(#[from] nervio_bert::ConfigError),
    /// The weights file was refused.
    #[error(transparent)]
    Weights(#[from] nervio_weights::Error),
    /// The weights do not make the model of the config.
    #[error(transparent)]
    Load(#[from] nervio_bert::LoadError),
    /// The tokenizer's files were refused.
    #[error(transparent)]
    Tokenizer(#[from] nervio_tokenizer::Error),
    /// The vocabulary and the embedding table disagree.
    #[error("{}: vocab_size is {vocab_size}, but the vocabulary has {found} tokens; expected at most as many tokens as the embedding has rows, and each special token among them", file.display())]
    Vocabulary {
        /// The config file.
        file: PathBuf,
        /// Rows of the embedding table.
        vocab_size: usize,
        /// Tokens of the vocabulary.
        found: usize,
    },
    /// The labels or the options of the decoder were refused.
    #[error(transparent)]
    Decoder(#[from] nervio_ner::Error),
    /// The instruction set asked for is not there.
    #[error(transparent)]
    Isa(#[from] nervio_simd::IsaError),
    /// The thread pool could not be made.
    #[error("cannot start {threads} threads")]
    Threads {
        /// How many were asked for.
        threads: usize,
        /// Why not.
        source: rayon::ThreadPoolBuildError,
    },
    /// An option of the builder makes no sense.
    #[error("{option}: expected {expected}, found {found}")]
    Option {
        /// Its name, as the command line spells it.
        option: &'static str,
        /// What it may be.
        expected: String,
        /// What it is.
        found: String,
    },
    /// A document does not fit the encoder.
    #[error(transparent)]
    Batch(#[from] nervio_bert::BatchError),
    /// The pre-split words of a document are not ranges of its text.
    #[error("word {index}: {start}..{end} is not a range of the text behind the word before it")]
    Words {
        /// Which word.
        index: usize,
        /// Its first byte.
        start: usize,
        /// The byte behind its last.
        end: usize,
    },
}
