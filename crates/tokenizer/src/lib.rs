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
//! # Places
//!
//! Places are those of Hugging Face, in bytes instead of characters. A character that vanished
//! inside of a word lies inside of its range; an accent that was dropped behind the last letter
//! lies behind the range. Where decomposition changes the order of combining marks, the characters
//! move and the places stay.
//!
//! # Special and added tokens
//!
//! `[SEP]` in a text is text like any other: what a person typed is not an order to the
//! model. [`Tokenizer::with_encode_special_tokens`] turns that off, and then the text is cut at
//! special tokens before anything else happens, as transformers does by default. Other added tokens
//! are always cut out; WordPiece itself never makes one.
//!
//! # Files
//!
//! [`Tokenizer::from_folder`] reads the files of a model folder. What they ask for that is not BERT
//! (another model, normaliser or template, ids with gaps, a special token that is missing) is an
//! [`Error`] that names the file and the key; nothing is guessed.
//!
//! # Cost
//!
//! Time and memory grow linearly with the text: a word is looked up in steps no longer than the
//! longest token, and a word too long for WordPiece is not looked up at all. No text makes the
//! tokenizer panic. Memory is taken for a call, not for a word or a character.
#![forbid(unsafe_code)]

mod added;
mod config;
mod encoder;
mod encoding;
mod error;
mod normalize;
mod options;
mod post_processor;
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
