//! The tokenizer: a vocabulary and its settings, and texts turned into pieces.

use std::fmt;
use std::ops::Range;
use std::path::Path;

use crate::Error;
use crate::added::AddedToken;
use crate::aligned::Aligned;
use crate::config::{Settings, wrong};
use crate::cutter::Cutter;
use crate::encoder::{Encoder, Tables};
use crate::encoding::Encoding;
use crate::load::{self, Parts};
use crate::normalize::{Marks, normalize};
use crate::options::{SpecialTokens, TokenizerOptions};
use crate::vocab::Vocab;

/// A BERT tokenizer. It is never changed; threads may share it.
pub struct Tokenizer {
    vocab: Vocab,
    options: TokenizerOptions,
    special: SpecialTokens,
    /// The added tokens, special ones among them, that are cut out of the text as it came.
    raw: Cutter,
    /// Those that are cut out of normalised text.
    normalized: Cutter,
}

impl Tokenizer {
    /// Reads `tokenizer.json` of a model folder, or else `vocab.txt`; and
    /// `tokenizer_config.json`, `special_tokens_map.json` and `added_tokens.json` where they are.
    ///
    /// As in transformers, `tokenizer.json` is preferred to `vocab.txt`, and a key of
    /// `tokenizer_config.json` to the same setting in `tokenizer.json`: `do_lower_case` there
    /// decides about accents too, unless `strip_accents` stands beside it. Only where
    /// `tokenizer_class` is `PreTrainedTokenizerFast`, `tokenizer.json` decides alone. For a
    /// `vocab.txt` without `do_lower_case` anywhere, text is lower-cased.
    ///
    /// Unlike transformers, which then lower-cases too, a `tokenizer.json` without
    /// `do_lower_case` beside it is believed.
    ///
    /// # Errors
    ///
    /// When a file is missing or malformed, asks for something that BERT tokenizers do not do, a
    /// token occurs twice, or a special token is not in the vocabulary.
    pub fn from_folder(folder: &Path) -> Result<Self, Error> {
        Self::new(load::folder(folder)?)
    }

    /// A tokenizer from the contents of `vocab.txt` and `tokenizer_config.json`; `name` is for
    /// messages.
    ///
    /// # Errors
    ///
    /// As [`from_folder`](Self::from_folder).
    pub fn from_bytes(name: &str, vocab: &[u8], config: &[u8]) -> Result<Self, Error> {
        let settings = Settings::from_bytes(Path::new("tokenizer_config.json"), config)?;
        let options = settings.options();
        Self::new(load::vocab_txt(Path::new(name), vocab, options, settings)?)
    }

    /// A tokenizer from the contents of `vocab.txt`, with BERT's names for special tokens; `name`
    /// is for messages.
    ///
    /// # Errors
    ///
    /// When the vocabulary is malformed or lacks a special token.
    pub fn from_vocab_bytes(
        name: &str,
        vocab: &[u8],
        options: TokenizerOptions,
    ) -> Result<Self, Error> {
        Self::new(load::vocab_txt(Path::new(name), vocab, options, Settings::default())?)
    }

    fn new(parts: Parts) -> Result<Self, Error> {
        let Parts { vocab, options, special, added, file } = parts;
        let (normalized, raw): (Vec<_>, Vec<_>) =
            added.into_iter().partition(|token| token.normalized);
        let refused = |content: String| {
            let key = format!("added token {content:?}");
            let expected = "a text of its own, also when it is normalised";
            wrong(&file, &key, expected, &content.into())
        };
        let raw = raw.into_iter().map(|token| (token.content.clone(), token));
        let raw = Cutter::new(raw).map_err(refused)?;
        let normalized = normalized.into_iter().map(|token| (pattern(&token, &options), token));
        let normalized = Cutter::new(normalized).map_err(refused)?;
        Ok(Self { vocab, options, special, raw, normalized })
    }

    /// The same tokenizer with typed special tokens treated as plain text (`true`, the default) or
    /// as what they stand for (`false`, the default of transformers).
    #[must_use]
    pub fn with_encode_special_tokens(mut self, encode: bool) -> Self {
        self.options.encode_special_tokens = encode;
        self
    }

    /// Splits a text into pieces, without `[CLS]` and `[SEP]` and without truncation.
    #[must_use]
    pub fn encode(&self, text: &str) -> Encoding {
        let mut encoder = Encoder::new(self.tables(), text.len());
        let mut next = 0;
        encoder.part(text, 0..text.len(), || {
            let word = next;
            next += 1;
            word
        });
        encoder.finish()
    }

    /// Splits words that are known, byte ranges of `text`, each by itself. The pieces of a word
    /// carry its index; a word of which nothing is left has none.
    ///
    /// This is `is_split_into_words` of transformers. A range that cuts a character is taken to
    /// hold all of it, and what lies behind the end of the text holds nothing.
    #[must_use]
    pub fn encode_words(&self, text: &str, words: &[Range<usize>]) -> Encoding {
        let mut encoder = Encoder::new(self.tables(), text.len());
        for (index, range) in (0..).zip(words) {
            encoder.part(text, on_borders(text, range), || index);
        }
        encoder.finish()
    }

    fn tables(&self) -> Tables<'_> {
        let Self { vocab, options, special, raw, normalized } = self;
        Tables { vocab, options, unknown: special.unk, raw, normalized }
    }

    /// Number of tokens in the vocabulary.
    #[must_use]
    pub fn vocab_size(&self) -> usize {
        self.vocab.len()
    }

    /// A token by id.
    #[must_use]
    pub fn token(&self, id: u32) -> Option<&str> {
        self.vocab.token(id)
    }

    /// The id of a token.
    #[must_use]
    pub fn id(&self, token: &str) -> Option<u32> {
        self.vocab.id(token)
    }

    /// The ids of the special tokens.
    #[must_use]
    pub fn special(&self) -> &SpecialTokens {
        &self.special
    }

    /// The settings.
    #[must_use]
    pub fn options(&self) -> &TokenizerOptions {
        &self.options
    }
}

impl fmt::Debug for Tokenizer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tokenizer")
            .field("vocab_size", &self.vocab.len())
            .field("options", &self.options)
            .field("special", &self.special)
            .finish_non_exhaustive()
    }
}

/// What an added token looks like in normalised text.
fn pattern(token: &AddedToken, options: &TokenizerOptions) -> String {
    let mut aligned = Aligned::default();
    normalize(&token.content, 0, options, &mut Marks::default(), &mut aligned);
    aligned.text().to_owned()
}

/// The smallest range on character borders that holds what a range holds of a text.
fn on_borders(text: &str, range: &Range<usize>) -> Range<usize> {
    let is_border = |index: &usize| text.is_char_boundary(*index);
    let start = (0..=range.start.min(text.len())).rev().find(is_border).unwrap_or(0);
    let end = (range.end.min(text.len())..text.len()).find(is_border).unwrap_or(text.len());
    start..end.max(start)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use proptest::prelude::*;

    use super::*;

    const VOCAB: &str =
        "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\na\n##b\nñ\n##ñ\ncafe\nÉl\nel\nEl\n.\n[\n]\nSEP";

    fn cased() -> Tokenizer {
        let options = TokenizerOptions::cased();
        Tokenizer::from_vocab_bytes("vocab.txt", VOCAB.as_bytes(), options).unwrap()
    }

    fn folder(files: &[(&str, &str)]) -> Result<Tokenizer, String> {
        let folder = tempfile::tempdir().unwrap();
        for (name, text) in files {
            fs::write(folder.path().join(name), text).unwrap();
        }
        Tokenizer::from_folder(folder.path()).map_err(|error| error.to_string())
    }

    fn show(tokenizer: &Tokenizer, text: &str) -> Vec<(String, Range<usize>, u32)> {
        let pieces = tokenizer.encode(text).pieces.into_iter();
        let token = |id| tokenizer.token(id).unwrap().to_owned();
        pieces.map(|piece| (token(piece.id), piece.range, piece.word)).collect()
    }

    #[test]
    fn pieces_have_words_and_places() {
        let expected = [
            ("ñ", 0..2, 0),
            ("##ñ", 2..4, 0),
            ("##b", 4..5, 0),
            (".", 5..6, 1),
            ("[UNK]", 7..9, 2),
        ];
        let expected = expected.map(|(token, range, word)| (token.to_owned(), range, word));
        assert_eq!(show(&cased(), "ññb. ax"), expected);
    }

    #[test]
    fn typed_special_tokens_are_text_unless_asked_for() {
        let text = "a[SEP]";
        let ids = |tokenizer: &Tokenizer| -> Vec<u32> {
            tokenizer.encode(text).pieces.into_iter().map(|piece| piece.id).collect()
        };
        assert_eq!(ids(&cased()), [5, 14, 16, 15]);
        assert_eq!(ids(&cased().with_encode_special_tokens(false)), [5, 3]);
    }

    #[test]
    fn words_beside_character_borders_are_widened() {
        let tokenizer = cased();
        let found = |range: Range<usize>| tokenizer.encode_words("ñ a", &[range]).word_ranges();
        for range in [0..2, 0..1, 1..2, 1..3] {
            assert_eq!(found(range.clone()).first(), Some(&(0..2)), "{range:?}");
        }
        #[allow(clippy::reversed_empty_ranges, reason = "what is tested")]
        let empty = [2..3, 4..9, 7..9, 2..0, usize::MAX..0];
        assert!(empty.into_iter().all(|range| found(range).is_empty()));
    }

    #[test]
    fn added_tokens_continue_the_vocabulary() {
        let config = ("tokenizer_config.json", r#"{"do_lower_case": false}"#);
        let with =
            |added: &str| folder(&[("vocab.txt", VOCAB), config, ("added_tokens.json", added)]);
        let tokenizer = with(r#"{"<e2>": 18, "[SEP]": 3, "<e1>": 17}"#).unwrap();
        assert_eq!(tokenizer.vocab_size(), 19);
        let expected = [("a", 0..1, 0), ("<e2>", 1..5, 1), ("a", 5..6, 2)];
        let expected = expected.map(|(token, range, word)| (token.to_owned(), range, word));
        assert_eq!(show(&tokenizer, "a<e2>a"), expected);
        for bad in [r#"{"<e1>": 18}"#, r#"{"<e1>": 3}"#, r#"{"": 17}"#, r#"{"<e1>": -1}"#] {
            assert!(with(bad).unwrap_err().contains("added_tokens.json"), "{bad}");
        }
    }

    #[test]
    fn an_added_token_of_an_uncased_model_stands_in_any_case() {
        let with = |added: &str| folder(&[("vocab.txt", VOCAB), ("added_tokens.json", added)]);
        let tokenizer = with(r#"{"<É>": 17}"#).unwrap();
        let expected = [("a", 0..1, 0), ("<É>", 1..5, 1), ("<É>", 5..8, 2)];
        let expected = expected.map(|(token, range, word)| (token.to_owned(), range, word));
        assert_eq!(show(&tokenizer, "a<É><e>"), expected);
        for clash in [r#"{"<é>": 17, "<E>": 18}"#, r#"{"\u0301": 17}"#] {
            let error = with(clash).unwrap_err();
            assert!(error.contains("added token") && error.contains("vocab.txt"), "{error}");
        }
    }

    #[test]
    fn missing_and_shared_special_tokens_are_named() {
        let error = folder(&[("vocab.txt", "[PAD]\n[UNK]\n[CLS]\na\n[MASK]")]).unwrap_err();
        assert!(error.contains("[SEP] (sep_token)") && error.contains("vocab.txt"), "{error}");
        assert!(folder(&[]).unwrap_err().contains("found neither"));
        let config = ("tokenizer_config.json", r#"{"sep_token": "[CLS]"}"#);
        let error = folder(&[("vocab.txt", VOCAB), config]).unwrap_err();
        assert!(error.contains("[CLS]: expected one") && error.contains("sep_token"), "{error}");
    }

    proptest! {
        #[test]
        fn pieces_are_in_order_and_on_borders(text in "(\\PC|[a-zñé́ .\\[\\]\u{1d165}\u{200b}]){0,40}") {
            for options in [TokenizerOptions::cased(), TokenizerOptions::uncased()] {
                let name = "vocab.txt";
                let tokenizer = Tokenizer::from_vocab_bytes(name, VOCAB.as_bytes(), options).unwrap();
                let pieces = tokenizer.encode(&text).pieces;
                prop_assert!(pieces.iter().all(|piece| text.get(piece.range.clone()).is_some()));
                prop_assert!(pieces.is_sorted_by_key(|piece| piece.range.start));
                prop_assert!(pieces.is_sorted_by(|a, b| (0..=1).contains(&(b.word - a.word))));
            }
        }

        #[test]
        fn any_ranges_are_accepted(text in "\\PC{0,20}", ranges in prop::collection::vec((0_usize..90, 0_usize..90), 0..5)) {
            let ranges: Vec<_> = ranges.into_iter().map(|(start, end)| start..end).collect();
            let pieces = cased().encode_words(&text, &ranges).pieces;
            prop_assert!(pieces.iter().all(|piece| (piece.word as usize) < ranges.len()));
        }
    }
}
