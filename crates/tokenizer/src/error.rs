//! What can be wrong with a tokenizer's files.

use std::path::PathBuf;

/// Why a tokenizer was refused. Every message names the file.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A file cannot be read.
    #[error("cannot read {}", file.display())]
    Read {
        /// The file.
        file: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The folder has no vocabulary.
    #[error("{}: expected tokenizer.json or vocab.txt, found neither", folder.display())]
    NoVocabulary {
        /// The folder.
        folder: PathBuf,
    },
    /// A file is not JSON of the right form, or nested too deep.
    #[error("{}: {part} is malformed", file.display())]
    Json {
        /// The file.
        file: PathBuf,
        /// A key of the file, or the whole.
        part: String,
        /// Where and why.
        source: serde_json::Error,
    },
    /// A key holds something that this tokenizer does not do.
    #[error("{}: {key}: expected {expected}, found {found}", file.display())]
    Key {
        /// The file.
        file: PathBuf,
        /// The key.
        key: String,
        /// What it may hold.
        expected: String,
        /// What it holds.
        found: String,
    },
    /// A line of the vocabulary is not UTF-8.
    #[error("{}: line {line}: expected UTF-8, found other bytes", file.display())]
    NotUtf8 {
        /// The file.
        file: PathBuf,
        /// The line, counted from 1.
        line: usize,
    },
    /// The vocabulary is empty or too large.
    #[error("{}: expected between 1 and {limit} tokens, found {found}", file.display())]
    Size {
        /// The file.
        file: PathBuf,
        /// Most tokens that are read.
        limit: usize,
        /// Tokens in the file.
        found: usize,
    },
    /// A file is larger than any vocabulary.
    #[error("{}: expected at most {limit} bytes, found more", file.display())]
    TooLarge {
        /// The file.
        file: PathBuf,
        /// Most bytes that are read.
        limit: usize,
    },
    /// A token has two ids.
    #[error(
        "{}: token {token:?}: expected once, found on lines {} and {} (ids {first} and {second})",
        file.display(),
        u64::from(*first) + 1,
        u64::from(*second) + 1
    )]
    Duplicate {
        /// The file.
        file: PathBuf,
        /// The token.
        token: String,
        /// One id: its line, counted from 0; tokens of `added_tokens.json` follow the last line.
        first: u32,
        /// The other.
        second: u32,
    },
    /// Ids are not 0, 1, 2 and so on.
    #[error("{}: expected each id from 0 to {last} once, found {found}", file.display())]
    Ids {
        /// The file.
        file: PathBuf,
        /// The largest id that there may be.
        last: usize,
        /// What is wrong.
        found: String,
    },
    /// A special token is not in the vocabulary.
    #[error("{}: special token {token} ({role}) is not in the vocabulary", file.display())]
    MissingSpecial {
        /// The vocabulary's file.
        file: PathBuf,
        /// What the token is for, such as `cls_token`.
        role: &'static str,
        /// The token.
        token: String,
    },
    /// Two special tokens are the same.
    #[error(
        "{}: special token {token}: expected one meaning, found {first_role} and {second_role}",
        file.display()
    )]
    SharedSpecial {
        /// The vocabulary's file.
        file: PathBuf,
        /// The token.
        token: String,
        /// One thing that it is for, such as `cls_token`.
        first_role: &'static str,
        /// The other.
        second_role: &'static str,
    },
}
