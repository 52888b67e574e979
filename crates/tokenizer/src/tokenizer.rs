//! The tokenizer: from a folder of files to pieces.

use std::fmt;
use std::ops::Range;
use std::path::Path;

use crate::added::{AddedToken, cut};
use crate::config::{ROLES, Settings, parse, read, wrong};
use crate::encoding::{Encoding, Piece};
use crate::normalize::{Word, for_each_word};
use crate::options::{SpecialTokens, TokenizerOptions};
use crate::tokenizer_json::TokenizerJson;
use crate::vocab::Vocab;
use crate::wordpiece::WordPiece;
use crate::{Error, vocab_file};

/// A BERT tokenizer. It is never changed; threads may share it.
pub struct Tokenizer {
    vocab: Vocab,
    options: TokenizerOptions,
    special: SpecialTokens,
    /// Added tokens, special ones among them.
    added: Vec<AddedToken>,
    /// Those of them that are cut out of the raw text.
    cut_out: Vec<AddedToken>,
}

impl Tokenizer {
    /// Reads `tokenizer.json` of a model folder, or else `vocab.txt`; and
    /// `tokenizer_config.json`, `special_tokens_map.json` and `added_tokens.json` where they are.
    ///
    /// As in transformers, `tokenizer.json` is preferred to `vocab.txt`, and a key of
    /// `tokenizer_config.json` to the same setting in `tokenizer.json`. For a `vocab.txt` without
    /// `do_lower_case` anywhere, text is lower-cased.
    ///
    /// # Errors
    ///
    /// When a file is missing or malformed, asks for something that BERT tokenizers do not do, a
    /// token occurs twice, or a special token is not in the vocabulary.
    pub fn from_folder(folder: &Path) -> Result<Self, Error> {
        let settings = Settings::from_folder(folder)?;
        let json = folder.join("tokenizer.json");
        if json.exists() {
            let parsed = TokenizerJson::from_value(&json, &parse(&json, &read(&json)?)?)?;
            return Self::from_json(&json, parsed, &settings);
        }
        let vocab = folder.join("vocab.txt");
        if vocab.exists() {
            return Self::from_vocab(&vocab, &read(&vocab)?, settings.options(), &settings);
        }
        Err(Error::NoVocabulary { folder: folder.to_owned() })
    }

    /// A tokenizer from the contents of `vocab.txt` and `tokenizer_config.json`; `name` is for
    /// messages.
    ///
    /// # Errors
    ///
    /// As [`from_folder`](Self::from_folder).
    pub fn from_bytes(name: &str, vocab: &[u8], config: &[u8]) -> Result<Self, Error> {
        let settings = Settings::from_bytes(Path::new("tokenizer_config.json"), config)?;
        Self::from_vocab(Path::new(name), vocab, settings.options(), &settings)
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
        Self::from_vocab(Path::new(name), vocab, options, &Settings::default())
    }

    fn from_vocab(
        file: &Path,
        bytes: &[u8],
        options: TokenizerOptions,
        settings: &Settings,
    ) -> Result<Self, Error> {
        let vocab = vocab_file::parse(file, bytes)?;
        let special = special_tokens(file, &vocab, settings)?;
        let mut added = Vec::new();
        for (content, id) in &settings.added {
            if vocab.id(content) != Some(*id) || content.is_empty() {
                let key = format!("added_tokens.json: {content:?}");
                let expected = "a token of the vocabulary with its id there";
                return Err(wrong(file, &key, expected, &(*id).into()));
            }
            added.push(AddedToken::plain(content, *id, false));
        }
        for id in special.all() {
            if let Some(content) = vocab.token(id) {
                added.push(AddedToken::plain(content, id, true));
            }
        }
        Ok(Self::new(vocab, options, special, added))
    }

    fn from_json(file: &Path, json: TokenizerJson, settings: &Settings) -> Result<Self, Error> {
        let mut options = json.options;
        if let Some(lowercase) = settings.do_lower_case {
            options.lowercase = lowercase;
        }
        if let Some(strip_accents) = settings.strip_accents {
            options.strip_accents = strip_accents;
        }
        if let Some(tokenize_chinese_chars) = settings.tokenize_chinese_chars {
            options.tokenize_chinese_chars = tokenize_chinese_chars;
        }
        options.model_max_length = settings.model_max_length;
        let mut settings = settings.clone();
        settings.special.entry("unk_token").or_insert(json.unknown);
        let special = special_tokens(file, &json.vocab, &settings)?;
        Ok(Self::new(json.vocab, options, special, json.added))
    }

    fn new(
        vocab: Vocab,
        options: TokenizerOptions,
        special: SpecialTokens,
        added: Vec<AddedToken>,
    ) -> Self {
        let encode = options.encode_special_tokens;
        let tokenizer = Self { vocab, options, special, added, cut_out: Vec::new() };
        tokenizer.with_encode_special_tokens(encode)
    }

    /// The same tokenizer with typed special tokens treated as plain text (`true`, the default) or
    /// as what they stand for (`false`, the default of transformers).
    #[must_use]
    pub fn with_encode_special_tokens(mut self, encode: bool) -> Self {
        self.options.encode_special_tokens = encode;
        let is_cut = |token: &&AddedToken| !(encode && token.special);
        self.cut_out = self.added.iter().filter(is_cut).cloned().collect();
        self
    }

    /// Splits a text into pieces, without `[CLS]` and `[SEP]` and without truncation.
    #[must_use]
    pub fn encode(&self, text: &str) -> Encoding {
        let mut encoder = Encoder::new(self, text.len());
        let mut next = 0;
        encoder.text(text, 0..text.len(), || {
            let word = next;
            next += 1;
            word
        });
        encoder.finish()
    }

    /// Splits words that are known, byte ranges of `text`, each by itself. The pieces of a word
    /// carry its index; a word of which nothing is left has none.
    ///
    /// This is `is_split_into_words` of transformers.
    ///
    /// # Panics
    ///
    /// When a range is not on character borders inside of `text`.
    #[must_use]
    pub fn encode_words(&self, text: &str, words: &[Range<usize>]) -> Encoding {
        let mut encoder = Encoder::new(self, text.len());
        for (index, range) in (0..).zip(words) {
            encoder.text(text, range.clone(), || index);
        }
        encoder.finish()
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

fn special_tokens(file: &Path, vocab: &Vocab, settings: &Settings) -> Result<SpecialTokens, Error> {
    let [cls, sep, pad, unk, mask] = ROLES.map(|(role, default)| {
        let token = settings.token(role, default);
        vocab.id(&token).ok_or(Error::MissingSpecial { file: file.to_owned(), role, token })
    });
    Ok(SpecialTokens { cls: cls?, sep: sep?, pad: pad?, unk: unk?, mask: mask? })
}

/// The buffers of one call.
struct Encoder<'a> {
    tokenizer: &'a Tokenizer,
    word: Word,
    wordpiece: WordPiece,
    pieces: Vec<Piece>,
}

impl<'a> Encoder<'a> {
    fn new(tokenizer: &'a Tokenizer, bytes: usize) -> Self {
        // About a piece for each four bytes of text.
        let pieces = Vec::with_capacity(bytes / 4);
        Self { tokenizer, word: Word::default(), wordpiece: WordPiece::default(), pieces }
    }

    /// Splits a part of the text; `next_word` gives the index of each word found.
    fn text(&mut self, text: &str, range: Range<usize>, mut next_word: impl FnMut() -> u32) {
        if self.tokenizer.cut_out.is_empty() {
            return self.plain(text, range, &mut next_word);
        }
        for part in cut(&text[range.clone()], &self.tokenizer.cut_out) {
            let place = range.start + part.range.start..range.start + part.range.end;
            match part.token {
                None => self.plain(text, place, &mut next_word),
                Some(id) => {
                    let word = next_word();
                    self.pieces.push(Piece { id, range: place, word, continuation: false });
                }
            }
        }
    }

    fn plain(&mut self, text: &str, range: Range<usize>, next_word: &mut impl FnMut() -> u32) {
        let Self { tokenizer, word, wordpiece, pieces } = self;
        let Tokenizer { vocab, options, special, .. } = tokenizer;
        let start = range.start;
        for_each_word(&text[range], start, options, word, &mut |word| {
            let max_chars = options.max_chars_per_word;
            wordpiece.split(vocab, special.unk, max_chars, word, next_word(), pieces);
        });
    }

    fn finish(self) -> Encoding {
        Encoding { pieces: self.pieces }
    }
}
