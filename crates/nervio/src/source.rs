//! Where a model comes from, and reading its parts.

use std::path::{Path, PathBuf};

use nervio_bert::Config;
use nervio_tokenizer::Tokenizer;
use nervio_weights::hub::{HubCache, HubName};
use nervio_weights::{Checkpoint, OpenOptions};

use crate::Error;

/// Where a model comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ModelSource {
    /// The Spanish model in the binary.
    #[cfg(feature = "embedded-model")]
    Embedded,
    /// A Hugging Face folder: `config.json`, `model.safetensors` (or a sharded index) and
    /// `vocab.txt` or `tokenizer.json`.
    Folder(PathBuf),
}

/// The parts of a model before its weights are packed.
pub(crate) struct Parts {
    pub(crate) config: Config,
    pub(crate) tokenizer: Tokenizer,
    pub(crate) checkpoint: Checkpoint,
}

impl ModelSource {
    /// The model that `name` means: a folder, or else a model of a hub, `ORG/NAME` or
    /// `ORG/NAME@REVISION`, in the cache of Hugging Face's libraries. The network is never asked.
    ///
    /// # Errors
    ///
    /// When there is no such folder and the cache does not hold a model of that name. A path that
    /// cannot be such a name is taken for a folder, whose absence shows when it is opened.
    pub fn named(name: &Path) -> Result<Self, Error> {
        let hub_name = name.to_str().and_then(HubName::parse).filter(|_| !name.exists());
        let Some(hub_name) = hub_name else { return Ok(Self::Folder(name.to_owned())) };
        let cache = HubCache::from_env();
        match cache.as_ref().and_then(|cache| cache.find(&hub_name)) {
            Some(folder) => Ok(Self::Folder(folder)),
            None => Err(Error::NotFetched {
                name: hub_name,
                cache: cache.map_or_else(PathBuf::new, |cache| cache.root().to_owned()),
            }),
        }
    }

    /// The folder, unless the model is part of the program.
    #[must_use]
    pub fn folder(&self) -> Option<&Path> {
        match self {
            #[cfg(feature = "embedded-model")]
            Self::Embedded => None,
            Self::Folder(folder) => Some(folder),
        }
    }

    /// Reads the tokenizer alone, which needs no weights.
    ///
    /// # Errors
    ///
    /// When its files are missing or wrong.
    pub fn tokenizer(&self) -> Result<Tokenizer, Error> {
        match self {
            #[cfg(feature = "embedded-model")]
            Self::Embedded => embedded_tokenizer(),
            Self::Folder(folder) => {
                check_folder(folder)?;
                Ok(Tokenizer::from_folder(folder)?)
            }
        }
    }

    /// Reads config, tokenizer and the header of the weights, and checks that they fit together.
    pub(crate) fn open(&self, mmap: bool) -> Result<Parts, Error> {
        let parts = match self {
            #[cfg(feature = "embedded-model")]
            Self::Embedded => embedded_parts()?,
            Self::Folder(folder) => folder_parts(folder, mmap)?,
        };
        check_vocabulary(&parts)?;
        Ok(parts)
    }
}

#[cfg(feature = "embedded-model")]
fn embedded_parts() -> Result<Parts, Error> {
    use crate::embedded::ES_NER;
    Ok(Parts {
        config: Config::from_bytes(Path::new("embedded config.json"), ES_NER.config)?,
        tokenizer: embedded_tokenizer()?,
        checkpoint: Checkpoint::from_static("embedded model.safetensors", ES_NER.weights)?,
    })
}

#[cfg(feature = "embedded-model")]
fn embedded_tokenizer() -> Result<Tokenizer, Error> {
    use crate::embedded::ES_NER;
    Ok(Tokenizer::from_bytes("embedded vocab.txt", ES_NER.vocab, ES_NER.tokenizer_config)?)
}

fn folder_parts(folder: &Path, mmap: bool) -> Result<Parts, Error> {
    check_folder(folder)?;
    Ok(Parts {
        config: Config::from_file(&folder.join("config.json"))?,
        tokenizer: Tokenizer::from_folder(folder)?,
        checkpoint: Checkpoint::open(folder, &OpenOptions { mmap })?,
    })
}

/// One clear sentence where the path is no folder at all.
pub(crate) fn check_folder(folder: &Path) -> Result<(), Error> {
    let found = match std::fs::metadata(folder) {
        Ok(metadata) if metadata.is_dir() => return Ok(()),
        Ok(_) => "a file".to_owned(),
        Err(error) => error.to_string(),
    };
    Err(Error::Folder { folder: folder.to_owned(), found })
}

/// Every id that the tokenizer can give must be a row of the embedding table.
fn check_vocabulary(parts: &Parts) -> Result<(), Error> {
    let vocab_size = parts.config.vocab_size;
    let found = parts.tokenizer.vocab_size();
    if found == vocab_size {
        return Ok(());
    }
    Err(Error::Vocabulary { file: parts.config.file.clone(), vocab_size, found })
}
