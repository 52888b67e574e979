//! The tokens of a model in the order of their ids, gathered from its files.

use std::collections::HashSet;
use std::path::Path;

use crate::Error;
use crate::config::wrong;
use crate::vocab::{MAX_BYTES, MAX_TOKENS, Vocab};

/// Tokens with ids 0, 1, 2 and so on, on their way to a vocabulary.
#[derive(Debug)]
pub(crate) struct TokenList<'a> {
    /// The file of the vocabulary, for messages.
    file: &'a Path,
    tokens: Vec<&'a str>,
    /// For each whether WordPiece knows it.
    in_model: Vec<bool>,
}

impl<'a> TokenList<'a> {
    /// No tokens yet.
    pub(crate) fn new(file: &'a Path) -> Self {
        Self { file, tokens: Vec::new(), in_model: Vec::new() }
    }

    /// The file of the vocabulary.
    pub(crate) fn file(&self) -> &'a Path {
        self.file
    }

    /// The next token, and whether WordPiece knows it.
    pub(crate) fn push(&mut self, token: &'a str, in_model: bool) {
        self.tokens.push(token);
        self.in_model.push(in_model);
    }

    /// An added token, which `source` says has this id: it continues the ids or repeats one.
    ///
    /// # Errors
    ///
    /// When the token is empty, or the id is neither its own nor the next one.
    pub(crate) fn add(&mut self, source: &Path, token: &'a str, id: u64) -> Result<(), Error> {
        let next = self.tokens.len();
        let index = usize::try_from(id).unwrap_or(usize::MAX);
        match self.tokens.get(index) {
            Some(known) if *known == token && !token.is_empty() => Ok(()),
            None if index == next && !token.is_empty() => {
                self.push(token, false);
                Ok(())
            }
            _ => {
                let key = format!("token {token:?}");
                let expected = format!("its id in the vocabulary, or the next one, {next}");
                Err(wrong(source, &key, &expected, &id.into()))
            }
        }
    }

    /// Added tokens without an id: those that are not there yet follow the last.
    pub(crate) fn add_missing(&mut self, tokens: impl Iterator<Item = &'a str>) {
        let mut tokens = tokens.peekable();
        if tokens.peek().is_none() {
            return;
        }
        let mut known: HashSet<&str> = self.tokens.iter().copied().collect();
        for token in tokens {
            if known.insert(token) {
                self.push(token, false);
            }
        }
    }

    /// The vocabulary.
    ///
    /// # Errors
    ///
    /// When there are no tokens or too many, or one occurs twice.
    pub(crate) fn into_vocab(self) -> Result<Vocab, Error> {
        let Self { file, tokens, in_model } = self;
        let found = tokens.len();
        if found == 0 || found > MAX_TOKENS {
            return Err(Error::Size { file: file.to_owned(), limit: MAX_TOKENS, found });
        }
        if tokens.iter().map(|token| token.len()).sum::<usize>() > MAX_BYTES {
            return Err(Error::TooLarge { file: file.to_owned(), limit: MAX_BYTES });
        }
        Vocab::new(&tokens, &in_model).map_err(|(first, second)| Error::Duplicate {
            file: file.to_owned(),
            token: tokens.get(first as usize).copied().unwrap_or_default().to_owned(),
            first,
            second,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn added_tokens_continue_the_ids_or_repeat_one() {
        let mut list = TokenList::new(Path::new("vocab.txt"));
        list.push("a", true);
        let source = Path::new("added_tokens.json");
        list.add(source, "a", 0).unwrap();
        list.add(source, "b", 1).unwrap();
        for (token, id) in [("a", 1), ("b", 0), ("c", 3), ("", 2), ("c", u64::MAX)] {
            let error = list.add(source, token, id).unwrap_err().to_string();
            assert!(error.contains("added_tokens.json") && error.contains("or the next one, 2"));
        }
        list.add_missing(["a", "<c>", "<c>"].into_iter());
        let vocab = list.into_vocab().unwrap();
        let ids = ["a", "b", "<c>"].map(|token| vocab.id(token));
        assert_eq!((ids, vocab.len(), vocab.longest()), ([Some(0), Some(1), Some(2)], 3, 1));
    }

    #[test]
    fn a_vocabulary_has_tokens_and_each_once() {
        let mut list = TokenList::new(Path::new("vocab.txt"));
        for token in ["a", "b", "a"] {
            list.push(token, true);
        }
        let error = list.into_vocab().unwrap_err().to_string();
        assert!(error.contains("\"a\"") && error.contains("lines 1 and 3"), "{error}");
        let error = TokenList::new(Path::new("vocab.txt")).into_vocab().unwrap_err().to_string();
        assert!(error.contains("vocab.txt: expected between 1 and"), "{error}");
    }
}
