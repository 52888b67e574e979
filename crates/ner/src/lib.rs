//! Tag schemes, word aggregation, long-document windows and entities.
//!
//! A token classifier gives every word piece of a text one number for each label. This crate makes
//! entities of these numbers. It knows nothing of tensors or tokenizers: what it needs of a piece
//! is its spelling, the bytes it covers and the word it belongs to ([`Piece`]).
//!
//! ```
//! use nervio_ner::{Decoder, DecoderOptions, LabelSet, Piece};
//!
//! let labels = LabelSet::new(&["O", "B-PER", "I-PER", "B-LOC", "I-LOC"])?;
//! let decoder = Decoder::new(labels, DecoderOptions::default())?;
//!
//! let text = "Ana O'Brien";
//! let piece = |token, range, word| Piece { token, range, word, is_unknown: false };
//! let pieces = [
//!     piece("Ana", 0..3, 0),
//!     piece("O", 4..5, 1),
//!     piece("'", 5..6, 2),
//!     piece("Bri", 6..9, 3),
//!     piece("##en", 9..11, 3),
//! ];
//! let logits = [
//!     0.0, 9.0, 1.0, 0.0, 0.0, // Ana: B-PER
//!     0.0, 4.0, 5.0, 0.0, 0.0, // O: a person, B or I
//!     9.0, 0.0, 0.0, 0.0, 0.0, // ': O, but inside of a word
//!     0.0, 0.0, 0.0, 0.0, 9.0, // Bri: I-LOC, likewise
//!     9.0, 0.0, 0.0, 0.0, 0.0,
//! ];
//! let entities = decoder.decode(text, &pieces, &logits, false)?;
//! assert_eq!(entities.len(), 1);
//! assert_eq!(entities[0].label, "PER");
//! assert_eq!(&text[entities[0].start..entities[0].end], "Ana O'Brien");
//! # Ok::<(), nervio_ner::Error>(())
//! ```
//!
//! # From pieces to entities
//!
//! Three questions have to be answered, and every system answers them in its own way
//! ([`Aggregation`]).
//!
//! *What is a word?* A classifier is trained on the first piece of each word; what it says of the
//! others was never asked for. [`Aggregation::Best`] goes by the word ids that the tokenizer gave
//! its pieces. Where nobody has marked the words, BERT's tokenizer takes every punctuation mark
//! for one, although training data does not: so words that a mark ties together without a blank
//! are one again, [`WordUnit::Compound`]. Apostrophes, hyphens, periods, `&`, `/`, `·`, `@`, `_`
//! and `+` tie words that hold letters or digits; commas and colons tie digits. A period between a
//! small and a capital letter ends a sentence. A last period belongs to an abbreviation of single
//! or doubled letters (`U.S.`, `EE.UU.`) and to a capital before further words (`J. Smith`), any
//! other to the sentence. These rules were checked on the words of CoNLL-2002: of some 320 lone
//! capitals with a period, all but 3 are in names, and none is parted from its period.
//! Hugging Face's strategies find words by comparing the length of a piece with that of the text
//! it covers, which fails where the tokenizer dropped a character; here they do so too.
//!
//! *Which type has it?* `B-PER` and `I-PER` are labels by themselves to the classifier, so that
//! their probabilities can both be lower than that of `O` although `PER` is likelier than not. The
//! default adds up the probabilities of a type under all its prefixes, its mass, and takes the
//! largest; the score of an entity is the mean mass of its words. The prefix is that of the
//! likeliest label of the type.
//!
//! *Where does an entity end?* By the tag scheme ([`Scheme`]), which the labels show: `B` begins,
//! `S` and `U` are alone, `E` and `L` end. What a scheme forbids (an `I` with nothing before it) is
//! read as what it must have been meant to say. An `I` of another type than the word before goes on
//! with the entity, and the words vote on one type ([`TypeChange`]; the other choice is a border
//! there): on the development set of CoNLL-2002 Spanish that raises F1 by 0.9. The end moves over
//! combining marks that a tokenizer stripped: no half letters.
//!
//! What that is worth: the development set of CoNLL-2002 Spanish as running text, its words joined
//! by blanks, scored by exact offsets with one model. F1 is 85.2 with the default (84.3 without
//! the vote, and 82.8 with [`WordUnit::PreToken`] besides); 82.8, 82.6, 82.9 and 63.5 with Hugging
//! Face's first, average, max and simple.
//!
//! # Long texts
//!
//! An encoder reads some 500 pieces at once. [`windows::plan`] cuts longer texts between words
//! into windows that overlap, and says which logits to take from which, so that every word is
//! judged once, where it has most context. Decoding then sees one text.
//! [`windows::plan_sentences`] cuts where [`sentence_starts`] finds sentences and overlaps only
//! within one that is longer than a window. Taggers are trained on sentences, and that is how they
//! judge best and most steadily: of the first 20,000 words of esp.testa as one text, windows of 512
//! that overlap give the Spanish model F1 66 and answers of which a quarter change with the overlap.
//!
//! # Offsets
//!
//! Everything counts bytes of UTF-8. [`OffsetMap`] translates to code points (Python) and UTF-16
//! units (JavaScript, Java). Offsets are always on character boundaries.
//!
//! # Hostile input
//!
//! Any label, any text and any number can be given: the answer is entities or an [`Error`], never
//! a panic, and the time it takes grows with the text and no faster.
#![forbid(unsafe_code)]

mod aggregate;
mod decoder;
mod entity;
mod error;
mod filter;
mod join;
mod labels;
mod names;
mod offsets;
mod options;
mod scheme;
mod sentences;
mod softmax;
mod tags;
#[cfg(test)]
mod testing;
pub mod windows;
mod word_labels;

pub use decoder::Decoder;
pub use entity::{Entity, Piece};
pub use error::Error;
pub use labels::LabelSet;
pub use offsets::OffsetMap;
pub use options::{Aggregation, DecoderOptions, TypeChange, WordUnit};
pub use scheme::{Prefix, Scheme};
pub use sentences::sentence_starts;
pub use softmax::softmax_rows;
pub use tags::iob2_tags;
pub use word_labels::word_labels;
