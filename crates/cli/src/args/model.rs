//! Which model is used and how it is run.

use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
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
        doc = "A Hugging Face model folder, or the ORG/NAME of a model in the cache of its hub \
               [default: the Spanish model in the program]"
    )]
    #[cfg_attr(
        not(feature = "embedded-model"),
        doc = "A Hugging Face model folder, or the ORG/NAME of a model in the cache of its hub"
    )]
    #[arg(long, short, value_name = "DIR")]
    pub(crate) model: Option<PathBuf>,
}

impl ModelArgs {
    /// Where the model is.
    ///
    /// # Errors
    /// When there is no model of that name.
    #[cfg(feature = "embedded-model")]
    pub(crate) fn source(&self) -> Result<ModelSource> {
        Ok(match &self.model {
            Some(name) => ModelSource::named(name)?,
            None => ModelSource::Embedded,
        })
    }

    /// Where the model is.
    ///
    /// # Errors
    /// When there is no model of that name, or none was named: this program holds none.
    #[cfg(not(feature = "embedded-model"))]
    pub(crate) fn source(&self) -> Result<ModelSource> {
        let name = self.model.as_ref().ok_or_else(|| {
            crate::failure::usage(
                "no model given, and this build of nervio holds none: name the folder of a \
                 Hugging Face model with --model DIR, or build with the feature embedded-model",
            )
        })?;
        Ok(ModelSource::named(name)?)
    }

    /// The model's name for reports: its folder, or `embedded`.
    pub(crate) fn name(&self) -> String {
        self.model.as_ref().map_or("embedded".to_owned(), |folder| folder.display().to_string())
    }
}

impl ModelArgs {
    /// The name that stands for the model in the program; a folder called so is `./embedded`.
    const EMBEDDED: &str = "embedded";

    /// The model of a name in a list of models.
    pub(crate) fn of_name(name: &Path) -> Self {
        Self { model: (name != Path::new(Self::EMBEDDED)).then(|| name.to_owned()) }
    }
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
