//! The choices that a caller has.

use std::fmt;
use std::str::FromStr;

use nervio_bert::{WeightDtype, WeightKind};
use nervio_ner::DecoderOptions;
use nervio_simd::Isa;
use rayon::{ThreadPool, ThreadPoolBuilder};

use crate::{Error, ModelSource, Panels, Recognizer, Tracer};

/// Tokens computed at once, special tokens counted, unless the caller says otherwise. More gains
/// nothing: from here on the products run at their full speed.
pub const DEFAULT_BATCH_TOKENS: usize = 2048;

/// Share of a window that it has in common with its neighbour, unless the caller says otherwise.
const DEFAULT_OVERLAP: usize = 4;

/// Special tokens around each sequence: `[CLS]` and `[SEP]`.
pub(crate) const SPECIAL_TOKENS: usize = 2;

/// Whose rule long documents follow.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Compat {
    /// Windows cut at word borders; each word is judged where it has most context.
    #[default]
    None,
    /// The stride rule of the transformers pipeline: each window is decoded by itself and of
    /// entities that overlap the longer is kept.
    HuggingFace,
}

impl FromStr for Compat {
    type Err = Error;

    fn from_str(name: &str) -> Result<Self, Error> {
        match name {
            "none" => Ok(Self::None),
            "hf" => Ok(Self::HuggingFace),
            _ => Err(Error::Option {
                option: "--compat",
                expected: "none or hf".to_owned(),
                found: format!("{name:?}"),
            }),
        }
    }
}

impl fmt::Display for Compat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::None => "none",
            Self::HuggingFace => "hf",
        })
    }
}

/// How weights are held in memory, by name: `auto`, `f32`, `f16`, `bf16` or `int8`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Dtype {
    /// As the checkpoint stores them.
    #[default]
    Auto,
    /// 32-bit floats.
    F32,
    /// Half precision; sums are f32.
    F16,
    /// bfloat16; sums are f32.
    BF16,
    /// 8-bit integers with a scale for each row; activations are 8-bit too, with a scale for each
    /// token, and sums 32-bit integers.
    Int8,
}

impl Dtype {
    /// Every choice with its name.
    pub const ALL: [(&'static str, Self); 5] = [
        ("auto", Self::Auto),
        ("f32", Self::F32),
        ("f16", Self::F16),
        ("bf16", Self::BF16),
        ("int8", Self::Int8),
    ];

    pub(crate) fn weights(self) -> WeightDtype {
        match self {
            Self::Auto => WeightDtype::Auto,
            Self::F32 => WeightDtype::Fixed(WeightKind::F32),
            Self::F16 => WeightDtype::Fixed(WeightKind::F16),
            Self::BF16 => WeightDtype::Fixed(WeightKind::BF16),
            Self::Int8 => WeightDtype::Fixed(WeightKind::Int8),
        }
    }
}

impl FromStr for Dtype {
    type Err = Error;

    fn from_str(name: &str) -> Result<Self, Error> {
        let known = Self::ALL.into_iter().find(|(known, _)| *known == name);
        known.map(|(_, dtype)| dtype).ok_or_else(|| Error::Option {
            option: "--dtype",
            expected: Self::ALL.map(|(name, _)| name).join(", "),
            found: format!("{name:?}"),
        })
    }
}

impl fmt::Display for Dtype {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = Self::ALL.into_iter().find(|(_, dtype)| dtype == self).map(|(name, _)| name);
        f.write_str(name.unwrap_or_default())
    }
}

/// Makes a [`Recognizer`] or a [`Tracer`].
#[derive(Clone, Debug)]
pub struct RecognizerBuilder {
    pub(crate) source: Option<ModelSource>,
    pub(crate) dtype: Dtype,
    pub(crate) mmap: bool,
    pub(crate) threads: Option<usize>,
    pub(crate) decoder: DecoderOptions,
    pub(crate) batch_tokens: usize,
    pub(crate) max_length: Option<usize>,
    pub(crate) stride: Option<usize>,
    pub(crate) compat: Compat,
}

impl RecognizerBuilder {
    pub(crate) fn new() -> Self {
        #[cfg(feature = "embedded-model")]
        let source = Some(ModelSource::Embedded);
        #[cfg(not(feature = "embedded-model"))]
        let source = None;
        Self {
            source,
            dtype: Dtype::default(),
            mmap: true,
            threads: None,
            decoder: DecoderOptions::default(),
            batch_tokens: DEFAULT_BATCH_TOKENS,
            max_length: None,
            stride: None,
            compat: Compat::default(),
        }
    }

    /// The model; by default the embedded one.
    #[must_use]
    pub fn model(mut self, source: ModelSource) -> Self {
        self.source = Some(source);
        self
    }

    /// How weights are held in memory.
    #[must_use]
    pub fn dtype(mut self, dtype: Dtype) -> Self {
        self.dtype = dtype;
        self
    }

    /// Whether the weights file is mapped while it is loaded (the default) or read. Once loaded,
    /// nothing of it stays open either way. A file of panels ([`pack`](Self::pack)) is used only
    /// mapped, and stays so.
    #[must_use]
    pub fn mmap(mut self, mmap: bool) -> Self {
        self.mmap = mmap;
        self
    }

    /// Threads of the recogniser's own pool; by default `NERVIO_THREADS`, else the processors that
    /// this process may use.
    #[must_use]
    pub fn threads(mut self, threads: Option<usize>) -> Self {
        self.threads = threads;
        self
    }

    /// How pieces become entities and which of them are given.
    #[must_use]
    pub fn decoder(mut self, options: DecoderOptions) -> Self {
        self.decoder = options;
        self
    }

    /// Tokens computed at once, special tokens counted: in one batch, or in one for each thread (then of 128
    /// at the least, unless this is less). A longer sequence is a batch by itself. Answers do not depend
    /// on it.
    #[must_use]
    pub fn batch_tokens(mut self, tokens: usize) -> Self {
        self.batch_tokens = tokens;
        self
    }

    /// Longest window in tokens, special tokens counted; by default the rows of the model's
    /// position table, or the tokenizer's `model_max_length` if that is less.
    #[must_use]
    pub fn max_length(mut self, tokens: Option<usize>) -> Self {
        self.max_length = tokens;
        self
    }

    /// Word pieces that neighbouring windows have in common; by default a quarter of a window.
    #[must_use]
    pub fn stride(mut self, pieces: Option<usize>) -> Self {
        self.stride = pieces;
        self
    }

    /// Whose rule long documents follow.
    #[must_use]
    pub fn compat(mut self, compat: Compat) -> Self {
        self.compat = compat;
        self
    }

    /// Loads the model.
    ///
    /// # Errors
    ///
    /// When a file of the model is missing or wrong, or an option makes no sense.
    pub fn build(self) -> Result<Recognizer, Error> {
        Recognizer::load(self)
    }

    /// Packs the weights of the model's folder for this machine's instruction set and writes them to
    /// a file of panels beside the checkpoint. A recogniser that is built from the folder later, with
    /// the same `dtype`, maps that file: it starts at once, and processes share the memory. Answers
    /// have the same bits either way.
    ///
    /// The file must not be changed in place while a recogniser uses it; replacing it, as this does,
    /// or removing it is safe.
    ///
    /// # Errors
    ///
    /// As [`build`](Self::build), and when the file cannot be written or the model is no folder.
    pub fn pack(&self) -> Result<Panels, Error> {
        crate::panels::pack(self)
    }

    /// Loads the model for looking into its forward pass; it may be an encoder without classifier.
    ///
    /// # Errors
    ///
    /// As [`build`](Self::build).
    pub fn build_tracer(self) -> Result<Tracer, Error> {
        Tracer::load(self)
    }

    pub(crate) fn source(&self) -> Result<&ModelSource, Error> {
        self.source.as_ref().ok_or_else(|| Error::Option {
            option: "--model",
            expected: "a model folder: this build has no embedded model".to_owned(),
            found: "none".to_owned(),
        })
    }

    /// The instruction set and the threads to run on.
    pub(crate) fn machine(&self) -> Result<(Isa, ThreadPool), Error> {
        let isa = Isa::from_env()?;
        let threads = self.threads.map_or_else(default_threads, Ok)?;
        if threads == 0 || threads > MAX_THREADS {
            return Err(Error::Option {
                option: "--threads",
                expected: format!("a number from 1 to {MAX_THREADS}"),
                found: threads.to_string(),
            });
        }
        let pool = ThreadPoolBuilder::new()
            .num_threads(threads)
            .thread_name(|index| format!("nervio-{index}"))
            .build()
            .map_err(|source| Error::Threads { threads, source })?;
        Ok((isa, pool))
    }
}

/// More threads than any machine has cores are a slip of the keyboard.
const MAX_THREADS: usize = 4096;

/// `NERVIO_THREADS`, else the processors that this process may use.
fn default_threads() -> Result<usize, Error> {
    match std::env::var("NERVIO_THREADS") {
        Ok(value) if !value.is_empty() => value.parse().map_err(|_| Error::Option {
            option: "NERVIO_THREADS",
            expected: "a number of threads".to_owned(),
            found: format!("{value:?}"),
        }),
        _ => Ok(std::thread::available_parallelism().map_or(1, usize::from)),
    }
}

/// How long windows are and how much they overlap, in word pieces.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct WindowOptions {
    /// Most pieces in a window.
    pub(crate) capacity: usize,
    /// Pieces that neighbouring windows have in common.
    pub(crate) overlap: usize,
    pub(crate) compat: Compat,
}

impl WindowOptions {
    /// The builder's wishes within the limits of the model.
    pub(crate) fn new(
        builder: &RecognizerBuilder,
        positions: usize,
        model_max_length: Option<usize>,
    ) -> Result<Self, Error> {
        let limit = model_max_length.map_or(positions, |length| length.min(positions));
        let length = builder.max_length.unwrap_or(limit);
        if length <= SPECIAL_TOKENS || length > positions {
            return Err(Error::Option {
                option: "--max-length",
                expected: format!(
                    "a number from {} to {positions}, the model's max_position_embeddings",
                    SPECIAL_TOKENS + 1
                ),
                found: length.to_string(),
            });
        }
        let capacity = length - SPECIAL_TOKENS;
        let overlap = builder.stride.unwrap_or(capacity / DEFAULT_OVERLAP);
        if overlap >= capacity {
            return Err(Error::Option {
                option: "--stride",
                expected: format!("less than the {capacity} word pieces of a window"),
                found: overlap.to_string(),
            });
        }
        Ok(Self { capacity, overlap, compat: builder.compat })
    }
}
