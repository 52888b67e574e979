//! From a text's pieces and their logits to its entities.

use crate::aggregate::{self, Rules, Scored};
use crate::entity::check_pieces;
use crate::filter::Filter;
use crate::softmax::{check_shape, softmax_rows};
use crate::{Aggregation, DecoderOptions, Entity, Error, LabelSet, Piece, WordUnit};

/// Turns logits into entities. Has no state but its options: share it among threads.
#[derive(Clone, Debug)]
pub struct Decoder {
    labels: LabelSet,
    rules: Rules,
    filter: Filter,
}

impl Decoder {
    /// A decoder for a classifier with these labels.
    ///
    /// # Errors
    ///
    /// When the options name labels to keep or to leave out that no entity can have, or a score
    /// that is no probability.
    pub fn new(labels: LabelSet, options: DecoderOptions) -> Result<Self, Error> {
        let labels = match options.scheme {
            Some(scheme) => LabelSet::with_scheme(labels.labels(), scheme)?,
            None => labels,
        };
        let rules = Rules {
            aggregation: options.aggregation,
            word_unit: options.word_unit,
            type_change: options.type_change,
        };
        let filter = Filter::new(&labels, options)?;
        Ok(Self { labels, rules, filter })
    }

    /// The labels, as they are read.
    #[must_use]
    pub fn labels(&self) -> &LabelSet {
        &self.labels
    }

    /// Whether [`decode`](Self::decode) looks at the logits of the first piece of each word alone, so that
    /// those of the others may be any numbers.
    #[must_use]
    pub fn reads_words(&self) -> bool {
        match self.rules.aggregation {
            Aggregation::Best | Aggregation::Spark => true,
            // The pipeline's `first`, too, has words of its own: see `hugging_face`.
            Aggregation::None
            | Aggregation::Simple
            | Aggregation::First
            | Aggregation::Average
            | Aggregation::Max => false,
        }
    }

    /// The entities of `text` in its order.
    ///
    /// `logits` is `[pieces, labels]`, row-major, without special tokens. `words_given` says that
    /// the words of the pieces were marked by the caller, so that they are not joined to larger
    /// ones.
    ///
    /// # Errors
    ///
    /// When the logits have another shape or no probabilities, a piece is not a range of the text,
    /// or the words of the pieces are not in order.
    pub fn decode(
        &self,
        text: &str,
        pieces: &[Piece<'_>],
        logits: &[f32],
        words_given: bool,
    ) -> Result<Vec<Entity>, Error> {
        let labels = self.labels.labels().len();
        check_shape(logits, pieces.len(), labels)?;
        check_pieces(text, pieces)?;
        let scores = softmax_rows(logits, labels)?;
        let scored = Scored { labels: &self.labels, text, pieces, scores: &scores };
        let word_unit = if words_given { WordUnit::PreToken } else { self.rules.word_unit };
        let rules = Rules { word_unit, ..self.rules };
        Ok(self.filter.apply(aggregate::entities(&scored, rules)))
    }
}
