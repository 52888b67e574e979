//! BERT normalisation, pre-tokenisation and WordPiece with offsets into the original text.
//!
//! The ids and ranges are those of Hugging Face's fast `BertTokenizer`, for `vocab.txt` and for
//! `tokenizer.json` of that type. A text goes through these steps, in one pass:
//!
//! 1. **Clean**: control characters vanish, white space of any kind separates words.
//! 2. **Ideographs**: each CJK character is a word.
//! 3. **Accents** (uncased models): characters are decomposed and combining marks dropped.
//! 4. **Lower case** (uncased models).
//! 5. **Punctuation**: each mark is a word.
//! 6. **WordPiece**: from the left, the longest token of the vocabulary that fits; pieces after the
//!    first begin with `##`. A word with a rest that no token fits is one unknown token, and so is
//!    a word of more than 100 characters.
//!
//! Every piece keeps the bytes of the original text that it came from, whatever normalisation made
//! of them: `&text[piece.range]` is what a person would underline.
//!
//! ```
//! use nervio_tokenizer::{Tokenizer, TokenizerOptions};
//!
//! let vocab = "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\nvi\n##vo\nen\nmala\n##ga\n.";
//! let uncased = TokenizerOptions::uncased();
//! let tokenizer = Tokenizer::from_vocab_bytes("vocab.txt", vocab.as_bytes(), uncased)?;
//!
//! let text = "Vivo en Málaga.";
//! let encoding = tokenizer.encode(text);
//! let pieces: Vec<_> = encoding.pieces.iter().map(|piece| &text[piece.range.clone()]).collect();
//! assert_eq!(pieces, ["Vi", "vo", "en", "Mála", "ga", "."]);
//! assert_eq!(encoding.word_ranges().len(), 4);
//! # Ok::<(), nervio_tokenizer::Error>(())
//! ```
//!
//! Time and memory grow linearly with the text: a word is looked up in steps no longer than the
//! longest token.
#![forbid(unsafe_code)]

mod added;
mod config;
mod encoding;
mod error;
mod normalize;
mod options;
mod tokenizer;
mod tokenizer_json;
mod unicode;
mod vocab;
mod vocab_file;
mod wordpiece;

pub use encoding::{Encoding, Piece};
pub use error::Error;
pub use options::{SpecialTokens, TokenizerOptions};
pub use tokenizer::Tokenizer;
