//! Sentences with chosen probabilities.
#![allow(dead_code, reason = "each test file uses a part")]

use nervio_ner::{Decoder, DecoderOptions, Entity, Error, LabelSet, Piece};

/// A word piece of a text: what the vocabulary calls it, the text it covers, and labels with their
/// weights; every other label weighs 0.01.
pub(crate) type Row<'a, 'w> = (&'a str, &'a str, &'w [(&'w str, f32)]);

/// A sentence with its rows.
pub(crate) struct Sentence<'a> {
    pub(crate) text: &'a str,
    pub(crate) labels: Vec<&'a str>,
    pub(crate) pieces: Vec<Piece<'a>>,
    pub(crate) logits: Vec<f32>,
}

impl<'a> Sentence<'a> {
    /// Finds the rows one after another in `text`; `##` continues a word. `labels` are parted by
    /// blanks.
    pub(crate) fn new(text: &'a str, labels: &'a str, rows: &[Row<'a, '_>]) -> Self {
        let labels: Vec<&str> = labels.split(' ').collect();
        let (mut pieces, mut logits) = (Vec::new(), Vec::new());
        let (mut from, mut words) = (0, 0);
        for (token, covered, weights) in rows {
            let start = from + text[from..].find(covered).unwrap();
            from = start + covered.len();
            words += u32::from(!token.starts_with("##"));
            pieces.push(Piece {
                token,
                range: start..from,
                word: words - 1,
                is_unknown: *token == "[UNK]",
            });
            let weight = |label: &&str| weights.iter().find(|(name, _)| name == label);
            logits.extend(labels.iter().map(|label| weight(label).map_or(0.01, |(_, w)| *w).ln()));
        }
        Self { text, labels, pieces, logits }
    }

    /// One piece for each blank-separated word, with one tag each at 0.9.
    pub(crate) fn tagged(text: &'a str, labels: &'a str, tags: &'a str) -> Self {
        let weights: Vec<[(&str, f32); 1]> = tags.split(' ').map(|tag| [(tag, 0.9)]).collect();
        let rows: Vec<Row<'a, '_>> = text
            .split(' ')
            .zip(&weights)
            .map(|(word, weights)| (word, word, weights.as_slice()))
            .collect();
        Sentence::new(text, labels, &rows)
    }

    /// Decodes by `options`.
    pub(crate) fn decode(&self, options: &DecoderOptions) -> Result<Vec<Entity>, Error> {
        let decoder = Decoder::new(LabelSet::new(&self.labels)?, options.clone())?;
        decoder.decode(self.text, &self.pieces, &self.logits, false)
    }

    /// Entities as `LABEL[start,end)score`, the score with four digits.
    pub(crate) fn show(&self, options: &DecoderOptions) -> String {
        let entities = self.decode(options).unwrap();
        let show = |e: &Entity| format!("{}[{},{}){:.4}", e.label, e.start, e.end, e.score);
        entities.iter().map(show).collect::<Vec<_>>().join(" ")
    }

    /// Entities as `LABEL:text`.
    pub(crate) fn texts(&self, options: &DecoderOptions) -> String {
        let entities = self.decode(options).unwrap();
        let show = |e: &Entity| format!("{}:{}", e.label, &self.text[e.start..e.end]);
        entities.iter().map(show).collect::<Vec<_>>().join(" ")
    }
}
