//! WordPiece (Schuster and Nakajima, 2012): the longest token that fits, again and again.

use crate::encoding::Piece;
use crate::normalize::Word;
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
        word: &Word,
        index: u32,
        pieces: &mut Vec<Piece>,
    ) {
        let before = pieces.len();
        if word.characters.len() <= max_chars {
            let mut first = 0;
            while first < word.characters.len() {
                let Some((id, end)) = self.longest(vocab, word, first) else { break };
                let characters = &word.characters[first..end];
                let start = characters.first().map_or(0, |c| c.source.start);
                let stop = characters.last().map_or(0, |c| c.source.end);
                let continuation = first > 0;
                pieces.push(Piece { id, range: start..stop, word: index, continuation });
                first = end;
            }
            if first == word.characters.len() {
                return;
            }
        }
        pieces.truncate(before);
        pieces.push(Piece { id: unknown, range: word.source(), word: index, continuation: false });
    }

    /// The longest token at character `first`, and the character behind it.
    fn longest(&mut self, vocab: &Vocab, word: &Word, first: usize) -> Option<(u32, usize)> {
        let prefix = if first == 0 { "" } else { CONTINUATION };
        let start = word.characters[first].start;
        let room = vocab.longest().saturating_sub(prefix.len());
        let ends = |character: usize| {
            word.characters.get(character + 1).map_or(word.text.len(), |next| next.start)
        };
        self.hashes.clear();
        let mut hash = Hash::START.extend(prefix.as_bytes());
        let mut from = start;
        for character in first..word.characters.len() {
            let end = ends(character);
            if end - start > room {
                break;
            }
            hash = hash.extend(&word.text.as_bytes()[from..end]);
            self.hashes.push(hash);
            from = end;
        }
        let hashes = self.hashes.iter().enumerate().rev();
        hashes.map(|(offset, hash)| (first + offset, *hash)).find_map(|(character, hash)| {
            let rest = &word.text.as_bytes()[start..ends(character)];
            vocab.find(hash, prefix, rest).map(|id| (id, character + 1))
        })
    }
}
