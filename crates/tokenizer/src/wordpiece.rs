//! WordPiece (Schuster and Nakajima, 2012): the longest token that fits, again and again.

use crate::aligned::{Aligned, source};
use crate::encoding::Piece;
use crate::vocab::{CONTINUATION, Hash, Vocab};

/// The hashes of the prefixes of a word's rest, kept between words for their memory.
#[derive(Debug, Default)]
pub(crate) struct WordPiece {
    hashes: Vec<Hash>,
}

impl WordPiece {
    /// Appends the pieces of one word; a word that has none, or too many characters, is unknown as
    /// a whole.
    pub(crate) fn split(
        &mut self,
        vocab: &Vocab,
        unknown: u32,
        max_chars: usize,
        word: &Aligned,
        index: u32,
        pieces: &mut Vec<Piece>,
    ) {
        let before = pieces.len();
        if word.characters().len() <= max_chars {
            let mut first = 0;
            while first < word.characters().len() {
                let Some((id, end)) = self.longest(vocab, word, first) else { break };
                let range = source(&word.characters()[first..end]);
                pieces.push(Piece { id, range, word: index, continuation: first > 0 });
                first = end;
            }
            if first == word.characters().len() {
                return;
            }
        }
        pieces.truncate(before);
        let range = source(word.characters());
        pieces.push(Piece { id: unknown, range, word: index, continuation: false });
    }

    /// The longest token at character `first`, and the character behind it.
    fn longest(&mut self, vocab: &Vocab, word: &Aligned, first: usize) -> Option<(u32, usize)> {
        let prefix = if first == 0 { "" } else { CONTINUATION };
        let start = word.characters()[first].start;
        let room = vocab.longest().saturating_sub(prefix.len());
        let ends = |character: usize| {
            word.characters().get(character + 1).map_or(word.text().len(), |next| next.start)
        };
        self.hashes.clear();
        let mut hash = Hash::START.extend(prefix.as_bytes());
        let mut from = start;
        for character in first..word.characters().len() {
            let end = ends(character);
            if end - start > room {
                break;
            }
            hash = hash.extend(&word.text().as_bytes()[from..end]);
            self.hashes.push(hash);
            from = end;
        }
        let hashes = self.hashes.iter().enumerate().rev();
        hashes.map(|(offset, hash)| (first + offset, *hash)).find_map(|(character, hash)| {
            let rest = &word.text().as_bytes()[start..ends(character)];
            vocab.find(hash, prefix, rest).map(|id| (id, character + 1))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const UNKNOWN: u32 = 0;

    /// The tokens of a word with the places of their characters, counted as bytes.
    fn split(tokens: &[&str], max_chars: usize, text: &str) -> Vec<(String, usize, usize)> {
        let tokens = [&["[UNK]"], tokens].concat();
        let vocab = Vocab::new(&tokens, &vec![true; tokens.len()]).unwrap();
        let mut word = Aligned::default();
        for (start, c) in text.char_indices() {
            word.push(c, start..start + c.len_utf8());
        }
        let mut pieces = Vec::new();
        WordPiece::default().split(&vocab, UNKNOWN, max_chars, &word, 0, &mut pieces);
        let token = |id| vocab.token(id).unwrap().to_owned();
        let piece = |piece: Piece| (token(piece.id), piece.range.start, piece.range.end);
        pieces.into_iter().map(piece).collect()
    }

    #[test]
    fn the_longest_token_is_taken_again_and_again() {
        let tokens = ["ca", "cañ", "##a", "##ñon", "##on", "##ones"];
        let expected = [("cañ".to_owned(), 0, 4), ("##ones".to_owned(), 4, 8)];
        assert_eq!(split(&tokens, 100, "cañones"), expected);
    }

    #[test]
    fn a_rest_without_a_token_makes_the_whole_word_unknown() {
        // `ca` and `##ñon` would fit, but the longest first token leaves a rest that does not.
        let expected = [("[UNK]".to_owned(), 0, 6)];
        assert_eq!(split(&["ca", "cañ", "##ñon"], 100, "cañon"), expected);
        assert_eq!(split(&["canon"], 100, "cañon"), expected);
        assert_eq!(split(&["cañ", "on"], 100, "cañon"), expected);
    }

    #[test]
    fn characters_are_counted_not_bytes() {
        assert_eq!(split(&["ñ", "##ñ"], 3, "ñññ").len(), 3);
        assert_eq!(split(&["ñ", "##ñ"], 3, "ññññ"), [("[UNK]".to_owned(), 0, 8)]);
    }

    #[test]
    fn an_empty_token_and_a_lone_prefix_match_nothing() {
        assert_eq!(split(&["", "##", "a"], 100, "ab"), [("[UNK]".to_owned(), 0, 2)]);
    }
}
