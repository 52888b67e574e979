//! Which model is used and how it is run.

use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::str::FromStr;

use anyhow::Result;
use clap::Args;
use clap::builder::{PossibleValuesParser, TypedValueParser};
use nervio::{Compat, Dtype, ModelSource, RecognizerBuilder};

/// The model.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Model")]
pub(crate) struct ModelArgs {
    #[cfg_attr(
        feature = "embedded-model",
        doc = "A Hugging Face model folder [default: the Spanish model in the program]"
    )]
    #[cfg_attr(not(feature = "embedded-model"), doc = "A Hugging Face model folder")]
    #[arg(long, short, value_name = "DIR")]
    pub(crate) model: Option<PathBuf>,
}

impl ModelArgs {
    /// Where the model is.
    ///
    /// # Errors
    /// When none was named and the program holds none.
    #[cfg(feature = "embedded-model")]
    #[allow(clippy::unnecessary_wraps, reason = "fails where no model is built in")]
    pub(crate) fn source(&self) -> Result<ModelSource> {
        Ok(self.model.clone().map_or(ModelSource::Embedded, ModelSource::Folder))
    }

    /// Where the model is.
    ///
    /// # Errors
    /// When none was named: this program holds none to fall back on.
    #[cfg(not(feature = "embedded-model"))]
    pub(crate) fn source(&self) -> Result<ModelSource> {
        self.model.clone().map(ModelSource::Folder).ok_or_else(|| {
            crate::failure::usage(
                "no model given, and this build of nervio holds none: name the folder of a \
                 Hugging Face model with --model DIR, or build with the feature embedded-model",
            )
        })
    }

    /// The model's name for reports: its folder, or `embedded`.
    pub(crate) fn name(&self) -> String {
        self.model.as_ref().map_or("embedded".to_owned(), |folder| folder.display().to_string())
    }
}

/// A model by the name given for it: a folder, or `embedded`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ModelName {
    name: String,
    source: ModelSource,
}

impl ModelName {
    /// The name that stands for the model in the program.
    const EMBEDDED: &str = "embedded";

    /// Reads a name. A folder called `embedded` is written `./embedded`.
    pub(crate) fn parse(name: &str) -> Result<Self, String> {
        let source = if name == Self::EMBEDDED { embedded()? } else { folder(name) };
        Ok(Self { name: name.to_owned(), source })
    }

    /// The name as given.
    pub(crate) fn name(&self) -> String {
        self.name.clone()
    }

    /// Where the model is.
    pub(crate) fn source(&self) -> ModelSource {
        self.source.clone()
    }
}

fn folder(name: &str) -> ModelSource {
    ModelSource::Folder(name.into())
}

/// The model in the program.
#[cfg(feature = "embedded-model")]
#[allow(clippy::unnecessary_wraps, reason = "fails where no model is built in")]
fn embedded() -> Result<ModelSource, String> {
    Ok(ModelSource::Embedded)
}

/// The model in the program.
#[cfg(not(feature = "embedded-model"))]
fn embedded() -> Result<ModelSource, String> {
    Err("this build of nervio holds no model".to_owned())
}

/// The names of [`Dtype`].
pub(super) const DTYPES: [&str; 5] = ["auto", "f32", "f16", "bf16", "int8"];

/// How the model is run.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Engine")]
pub(crate) struct EngineArgs {
    /// How weights are held in memory; auto keeps what the file has
    #[arg(long, value_name = "TYPE", default_value = "auto",
          value_parser = one_of::<Dtype>(&DTYPES))]
    pub(crate) dtype: Dtype,
    /// Read the weights into memory instead of mapping the file
    #[arg(long)]
    pub(crate) no_mmap: bool,
    /// Threads to compute with [default: the processors this process may use]
    #[arg(long, short, value_name = "N", env = "NERVIO_THREADS")]
    pub(crate) threads: Option<NonZeroUsize>,
    /// Pieces computed at once; more is faster up to a point and takes more memory
    #[arg(long, value_name = "N")]
    pub(crate) batch_tokens: Option<NonZeroUsize>,
    /// Longest stretch of pieces seen at once, special tokens included; longer documents are
    /// read in overlapping windows [default: what the model allows]
    #[arg(long, value_name = "N")]
    pub(crate) max_length: Option<NonZeroUsize>,
    /// Pieces that neighbouring windows share
    #[arg(long, value_name = "N")]
    pub(crate) stride: Option<usize>,
    /// Cut long documents as that library does: hf is Hugging Face's pipeline
    #[arg(long, value_name = "LIBRARY", value_parser = one_of::<Compat>(&["hf"]))]
    pub(crate) compat: Option<Compat>,
}

impl EngineArgs {
    /// Puts the choices into a builder.
    pub(crate) fn configure(&self, builder: RecognizerBuilder) -> RecognizerBuilder {
        let mut builder = builder
            .dtype(self.dtype)
            .mmap(!self.no_mmap)
            .threads(self.threads.map(NonZeroUsize::get))
            .max_length(self.max_length.map(NonZeroUsize::get))
            .stride(self.stride);
        if let Some(tokens) = self.batch_tokens {
            builder = builder.batch_tokens(tokens.get());
        }
        if let Some(compat) = self.compat {
            builder = builder.compat(compat);
        }
        builder
    }
}

/// Parses one of the `names` of a type of the library.
pub(super) fn one_of<T>(names: &'static [&'static str]) -> impl TypedValueParser<Value = T>
where
    T: FromStr<Err: Into<Box<dyn std::error::Error + Send + Sync>>> + Clone + Send + Sync + 'static,
{
    PossibleValuesParser::new(names).try_map(|name| name.parse::<T>())
}
