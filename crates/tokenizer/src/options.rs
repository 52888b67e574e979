//! How text is normalised and split.

/// The settings of a BERT tokenizer, resolved.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TokenizerOptions {
    /// Lower-case every character.
    pub lowercase: bool,
    /// Decompose characters and drop combining marks.
    pub strip_accents: bool,
    /// Make each CJK ideograph a word.
    pub tokenize_chinese_chars: bool,
    /// Drop control characters and make every white space a blank.
    pub clean_text: bool,
    /// Treat special tokens that a user typed, such as `[SEP]`, as plain text.
    pub encode_special_tokens: bool,
    /// A word of more characters is one unknown token.
    pub max_chars_per_word: usize,
    /// Longest sequence that the tokenizer's config names, special tokens counted.
    pub model_max_length: Option<usize>,
}

impl TokenizerOptions {
    /// The settings of a cased model.
    #[must_use]
    pub fn cased() -> Self {
        Self {
            lowercase: false,
            strip_accents: false,
            tokenize_chinese_chars: true,
            clean_text: true,
            encode_special_tokens: true,
            max_chars_per_word: 100,
            model_max_length: None,
        }
    }

    /// The settings of an uncased model, which are also transformers' defaults.
    #[must_use]
    pub fn uncased() -> Self {
        Self { lowercase: true, strip_accents: true, ..Self::cased() }
    }
}

/// The ids of the tokens that have a meaning of their own; they can be anywhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SpecialTokens {
    /// Begins each sequence.
    pub cls: u32,
    /// Ends each sequence.
    pub sep: u32,
    /// Fills up batches in systems that pad.
    pub pad: u32,
    /// Stands for a word that has no pieces.
    pub unk: u32,
    /// Stands for a hidden word in pre-training.
    pub mask: u32,
}
