//! How good is a tagger? Reference files, scores that others can compare with, and the mistakes
//! one by one.
//!
//! # The file
//!
//! Named-entity corpora come as columns of text: a word a line, its tag in the last column, blank
//! lines between sentences. [`read_conll`] reads them and refuses what it would misread: a word
//! without a tag, a line with a column too many, bytes that are not UTF-8.
//!
//! # The comparison
//!
//! A [`Comparison`] lays the tags of the reference beside the predicted ones. An entity counts as
//! found if its first word, its last word and its type are all right; precision is the share of
//! the predicted entities that are right, recall the share of the reference that was found, F1
//! their harmonic mean.
//!
//! ```
//! use nervio_eval::{Chunking, Comparison, parse_conll};
//!
//! let sentences = parse_conll("demo", b"Ana B-PER\nL\xc3\xb3pez I-PER\nvive O\nen O\nSevilla B-LOC\n")?;
//! let predicted = [["B-PER", "I-PER", "O", "O", "B-ORG"].map(str::to_owned)];
//!
//! let expected = sentences.iter().map(|sentence| &sentence.tags);
//! let comparison = Comparison::new(expected, &predicted)?;
//! let evaluation = comparison.evaluate(Chunking::Lenient)?;
//! assert_eq!(evaluation.micro().f1, 0.5);
//! assert_eq!(evaluation.types()["PER"].correct, 1);
//! assert_eq!(comparison.accuracy(), 0.8);
//! # Ok::<(), nervio_eval::Error>(())
//! ```
//!
//! # Which entities do the tags spell?
//!
//! Taggers produce sequences that no scheme allows, and scores differ by how these are read.
//!
//! - [`Chunking::Lenient`] is seqeval's default and close to the `CoNLL` script: prefixes of every
//!   scheme, and an `I-` that continues nothing starts an entity. Labels without prefixes are
//!   misread as they are by seqeval: `PER` is a `P` of type `ER`, which groups neighbours all the
//!   same.
//! - [`Chunking::Strict`] is seqeval's `mode="strict"`: what the [`Scheme`] does not allow is no
//!   entity, and a prefix that it does not have is an error. [`Scheme::detect`] tells the scheme
//!   from the tags, where it can be told.
//! - [`Comparison::conlleval`] counts as the Perl script of the shared tasks of 2000 to 2003, which
//!   agrees with the lenient reading on all tags with `B`, `I` and `O`.
//!
//! ```
//! use nervio_eval::{Chunking, Comparison, Scheme};
//!
//! let expected = [["B-PER", "I-PER"].map(str::to_owned)];
//! let predicted = [["I-PER", "I-PER"].map(str::to_owned)];
//! let comparison = Comparison::new(&expected, &predicted)?;
//! assert_eq!(comparison.evaluate(Chunking::Lenient)?.micro().f1, 1.0);
//! assert_eq!(comparison.evaluate(Chunking::Strict(Scheme::Iob2))?.micro().f1, 0.0);
//! # Ok::<(), nervio_eval::Error>(())
//! ```
//!
//! One departure from seqeval: sentences are read one by one. seqeval joins them by an `O`, which
//! differs only for tags that begin with a letter of no scheme and have no type, such as a bare
//! `X`. And where seqeval fails, because there is no entity on either side, there is a report that
//! says so.
//!
//! # What comes out
//!
//! - [`Evaluation::report`] and [`Conlleval::report`] are the texts
//!   of seqeval and of the script to the character, so that tables can be compared with published
//!   ones.
//! - [`Scores`] is the same for programs.
//! - [`Comparison::tag_confusion`] and [`Comparison::type_confusion`] say what was taken for what,
//!   [`Comparison::mistakes`] where: missed, spurious, with the wrong type or the wrong boundary.
//!   [`list_mistakes`] shows them with their words.
//!
//! ```
//! use nervio_eval::{Chunking, Comparison, list_mistakes, parse_conll};
//!
//! let sentences = parse_conll("demo", b"Ana B-PER\nvive O\nen O\nSevilla B-LOC\n")?;
//! let predicted = [["B-PER", "O", "O", "B-ORG"].map(str::to_owned)];
//! let expected = sentences.iter().map(|sentence| &sentence.tags);
//! let comparison = Comparison::new(expected, &predicted)?;
//! let listing = list_mistakes(&sentences, &comparison.mistakes(Chunking::Lenient)?);
//! assert_eq!(listing, "line 1: Ana vive en Sevilla\n  type      LOC Sevilla, found ORG\n");
//! # Ok::<(), nervio_eval::Error>(())
//! ```
#![forbid(unsafe_code)]

mod chunk;
mod comparison;
mod confusion;
mod conll;
mod conlleval;
mod error;
mod evaluation;
mod mistakes;
mod report;
mod scores;

pub use chunk::{Chunking, Scheme, Span};
pub use comparison::Comparison;
pub use confusion::Confusion;
pub use conll::{Sentence, parse_conll, read_conll};
pub use conlleval::Conlleval;
pub use error::{Error, InvalidTag};
pub use evaluation::{Counts, Evaluation, Score};
pub use mistakes::{Mistake, MistakeKind};
pub use report::list_mistakes;
pub use scores::Scores;
