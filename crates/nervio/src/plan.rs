//! Documents cut into windows.

use std::ops::Range;

use nervio_bert::Config;
use nervio_ner::sentence_starts;
use nervio_ner::windows::{self, Window};
use nervio_tokenizer::{Encoding, Tokenizer};

use crate::options::{Compat, WindowOptions};
use crate::{Document, Error};

/// A document in pieces, with the windows it is read in and, later, its logits.
pub(crate) struct Planned {
    pub(crate) encoding: Encoding,
    pub(crate) windows: Vec<Window>,
    /// For each window the logits of the pieces it keeps, `[kept, labels]`; see
    /// [`Reading::spread`](crate::reading::Reading::spread).
    pub(crate) logits: Vec<Vec<f32>>,
}

impl Planned {
    /// Tokenises a document and cuts it into windows.
    pub(crate) fn new(
        tokenizer: &Tokenizer,
        document: &Document,
        options: &WindowOptions,
    ) -> Result<Self, Error> {
        document.check()?;
        let encoding = match &document.words {
            Some(words) => tokenizer.encode_words(&document.text, words),
            None => tokenizer.encode(&document.text),
        };
        let windows = plan(&document.text, &encoding, options)?;
        let logits = vec![Vec::new(); windows.len()];
        Ok(Self { encoding, windows, logits })
    }

    /// Number of pieces in the document.
    pub(crate) fn pieces(&self) -> usize {
        self.encoding.pieces.len()
    }
}

fn plan(text: &str, encoding: &Encoding, options: &WindowOptions) -> Result<Vec<Window>, Error> {
    let pieces = encoding.pieces.len();
    match options.compat {
        Compat::None => {
            let words: Vec<u32> = encoding.pieces.iter().map(|piece| piece.word).collect();
            let starts = if pieces > options.capacity { starts(text, encoding) } else { vec![] };
            Ok(windows::plan_sentences(&words, options.capacity, options.overlap, &starts)?)
        }
        Compat::HuggingFace => {
            let windows = windows::plan_hf(pieces, options.capacity, options.overlap)?;
            let whole = |range: Range<usize>| Window { keep: range.clone(), pieces: range };
            Ok(windows.into_iter().map(whole).collect())
        }
    }
}

/// The pieces that begin a sentence.
fn starts(text: &str, encoding: &Encoding) -> Vec<usize> {
    let ranges: Vec<_> = encoding.pieces.iter().map(|piece| piece.range.clone()).collect();
    sentence_starts(text, &ranges)
}

/// The token ids of one window: `[CLS]`, its pieces, `[SEP]`.
pub(crate) fn window_ids<'a>(
    tokenizer: &'a Tokenizer,
    encoding: &'a Encoding,
    pieces: Range<usize>,
) -> impl Iterator<Item = u32> + 'a {
    let special = tokenizer.special();
    let inner = encoding.pieces[pieces].iter().map(|piece| piece.id);
    std::iter::once(special.cls).chain(inner).chain(std::iter::once(special.sep))
}

/// The longest window that a model can read, from its config and its tokenizer.
pub(crate) fn window_options(
    builder: &crate::RecognizerBuilder,
    config: &Config,
    tokenizer: &Tokenizer,
) -> Result<WindowOptions, Error> {
    let length = tokenizer.options().model_max_length;
    WindowOptions::new(builder, config.max_position_embeddings, length)
}
