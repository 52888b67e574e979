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
//! Pieces come in the order of the text. Two pieces share a range where one character became
//! several, as a Hangul syllable does in an uncased model. Words do not overlap; only added tokens
//! that take the white space beside them may share it, or take an ideograph too, behind and before
//! which normalisation puts a blank.
//!
//! # Characters
//!
//! Hugging Face's tables of accents and punctuation are of an old Unicode version, and its letter
//! case is of a new one; this crate has the same, compared for every code point. So ids do not
//! change when Unicode does, and a mark of a script that is too new counts as a letter.
//!
//! # Special and added tokens
//!
//! `[SEP]` in a text is text like any other: what a person typed is not an order to the
//! model. [`Tokenizer::with_encode_special_tokens`] turns that off, and then the text is cut at
//! special tokens before anything else happens, as transformers does by default.
//!
//! Other added tokens are always cut out; WordPiece itself never makes one. Those that are
//! `normalized`, which is what `add_tokens` of transformers makes, are looked for in normalised
//! text and normalised themselves: an uncased model finds `<E1>` in `<e1>`. The flags `lstrip`,
//! `rstrip` and `single_word` do what they do there. Two tokens that normalise to the same text are
//! an [`Error`]: transformers takes now one and now the other.
//!
//! # Files
//!
//! [`Tokenizer::from_folder`] reads the files of a model folder and says which is preferred. The id
//! of a token in `vocab.txt` is the number of its line, counted from 0; white space at the end of a
//! line, and so the carriage return of Windows, is not part of the token, nor is a byte order mark.
//!
//! What files ask for that is not BERT (another model, normaliser or template, ids with gaps, a
//! token that occurs twice, a special token that is missing) is an [`Error`] that names the file and
//! the key or the lines; nothing is guessed. Files are bounded at 64 MiB and 10 million tokens.
//!
//! # Cost
//!
//! Time and memory grow linearly with the text: a word is looked up in steps no longer than the
//! longest token, and a word too long for WordPiece is not looked up at all. No text makes the
//! tokenizer panic. Memory is taken for a call, not for a word or a character.
//!
//! # The parts
//!
//! A call goes through `encoder`, which joins `cutter` (added tokens), `normalize` (steps 1 to 4),
//! `pretokenize` (5) and `wordpiece` (6) over `vocab`, a hash table; `unicode` knows the characters.
//! Loading goes through `load`, which joins what `vocab_file`, `tokenizer_json` and `config` read.
#![forbid(unsafe_code)]

mod added;
mod aligned;
mod config;
mod cutter;
mod encoder;
mod encoding;
mod error;
mod load;
mod normalize;
mod options;
mod post_processor;
mod pretokenize;
mod special;
mod token_list;
mod tokenizer;
mod tokenizer_json;
mod trie;
mod unicode;
mod vocab;
mod vocab_file;
mod wordpiece;

pub use encoding::{Encoding, Piece};
pub use error::Error;
pub use options::{SpecialTokens, TokenizerOptions};
pub use tokenizer::Tokenizer;
