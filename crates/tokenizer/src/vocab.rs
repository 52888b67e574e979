//! The vocabulary: tokens by id, and ids by token through a hash table of our own.
//!
//! WordPiece looks up ever shorter prefixes of a word. The hash (FNV-1a) grows byte by byte, so
//! one pass over the word gives the hashes of all of its prefixes, and a lookup costs one probe.

use std::collections::HashMap;

/// The state of the hash before the first byte (FNV-1a, 64 bits).
const FNV_OFFSET: u64 = 0xcbf2_9ce4_8422_2325;
const FNV_PRIME: u64 = 0x0100_0000_01b3;

/// What marks a piece that continues a word.
pub(crate) const CONTINUATION: &str = "##";

/// A hash that is being computed.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Hash(u64);

impl Hash {
    /// The hash of nothing.
    pub(crate) const START: Self = Self(FNV_OFFSET);

    /// The hash of these bytes behind those before.
    #[inline]
    pub(crate) fn extend(self, bytes: &[u8]) -> Self {
        Self(
            bytes
                .iter()
                .fold(self.0, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(FNV_PRIME)),
        )
    }

    /// The bits that place an entry: the low ones of FNV are mixed worst.
    fn slot(self) -> usize {
        #[allow(clippy::cast_possible_truncation, reason = "only some bits are needed")]
        let bits = (self.0 ^ (self.0 >> 32)) as usize;
        bits
    }
}

/// Tokens with ids 0, 1, 2 and so on.
#[derive(Debug)]
pub(crate) struct Vocab {
    /// All tokens one behind the other.
    text: String,
    /// Where each token ends in `text`.
    ends: Vec<u32>,
    /// Open addressing: an id plus one, or zero for a free slot; a power of two, at most half full.
    slots: Vec<u32>,
    /// Tokens that WordPiece does not know: they are only found whole, in the raw text.
    added: HashMap<String, u32>,
    /// Bytes of the longest token that WordPiece knows.
    longest: usize,
}

/// Most tokens in a vocabulary; the largest in use have about a million.
pub(crate) const MAX_TOKENS: usize = 10_000_000;

/// Most bytes of a tokenizer's file, and of all tokens; the largest in use have about 20 million.
/// Parsed JSON takes up to 16 times the room, so this bounds the memory that a bad file can claim.
pub(crate) const MAX_BYTES: usize = 64 << 20;

impl Vocab {
    /// A vocabulary of these tokens in the order of their ids, and for each whether WordPiece knows
    /// it.
    ///
    /// # Errors
    ///
    /// The ids of a token that occurs twice.
    pub(crate) fn new(tokens: &[&str], in_model: &[bool]) -> Result<Self, (u32, u32)> {
        let mut vocab = Self {
            text: tokens.concat(),
            ends: Vec::with_capacity(tokens.len()),
            slots: vec![0; (tokens.len() * 2 + 1).next_power_of_two()],
            added: HashMap::new(),
            longest: 0,
        };
        let mut end = 0;
        for ((id, token), in_model) in (0_u32..).zip(tokens).zip(in_model) {
            end += token.len();
            #[allow(clippy::cast_possible_truncation, reason = "at most MAX_BYTES")]
            vocab.ends.push(end as u32);
            if let Some(first) = vocab.id(token) {
                return Err((first, id));
            }
            if !in_model {
                vocab.added.insert((*token).to_owned(), id);
                continue;
            }
            vocab.longest = vocab.longest.max(token.len());
            let hash = Hash::START.extend(token.as_bytes());
            if let Err(slot) = vocab.probe(hash, |other| other == *token) {
                vocab.slots[slot] = id + 1;
            }
        }
        Ok(vocab)
    }

    /// Number of tokens.
    pub(crate) fn len(&self) -> usize {
        self.ends.len()
    }

    /// Bytes of the longest token that WordPiece knows.
    pub(crate) fn longest(&self) -> usize {
        self.longest
    }

    /// A token by id.
    pub(crate) fn token(&self, id: u32) -> Option<&str> {
        let index = id as usize;
        let end = *self.ends.get(index)? as usize;
        let start = index.checked_sub(1).map_or(0, |before| self.ends[before] as usize);
        self.text.get(start..end)
    }

    /// The id of a token.
    pub(crate) fn id(&self, token: &str) -> Option<u32> {
        let known = self.probe(Hash::START.extend(token.as_bytes()), |other| other == token).ok();
        known.or_else(|| self.added.get(token).copied())
    }

    /// The id of the token that is `prefix` (empty or `##`) and `rest`, whose hash is known;
    /// never an added one.
    #[inline]
    pub(crate) fn find(&self, hash: Hash, prefix: &str, rest: &[u8]) -> Option<u32> {
        let equal = |token: &str| {
            token.len() == prefix.len() + rest.len()
                && token.as_bytes().ends_with(rest)
                && token.starts_with(prefix)
        };
        self.probe(hash, equal).ok()
    }

    /// The id in the chain of `hash` that `equal` accepts, or the free slot at its end.
    #[inline]
    fn probe(&self, hash: Hash, equal: impl Fn(&str) -> bool) -> Result<u32, usize> {
        let mask = self.slots.len() - 1;
        let mut slot = hash.slot() & mask;
        loop {
            match self.slots[slot].checked_sub(1) {
                None => return Err(slot),
                Some(id) if self.token(id).is_some_and(&equal) => return Ok(id),
                Some(_) => slot = (slot + 1) & mask,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_are_found_by_either_way() {
        let tokens: Vec<String> = (0..5000).map(|i| format!("t{i}ñ")).collect();
        let tokens: Vec<&str> = tokens.iter().map(String::as_str).collect();
        let vocab = Vocab::new(&tokens, &[true; 5000]).unwrap();
        for (id, token) in (0..).zip(tokens) {
            assert_eq!(vocab.id(token), Some(id));
            assert_eq!(vocab.token(id), Some(token));
        }
        assert_eq!((vocab.id("t5000ñ"), vocab.token(5000), vocab.len()), (None, None, 5000));
    }

    #[test]
    fn added_tokens_are_no_word_pieces() {
        let vocab = Vocab::new(&["a", "added"], &[true, false]).unwrap();
        let find = |token: &[u8]| vocab.find(Hash::START.extend(token), "", token);
        assert_eq!((find(b"a"), find(b"added"), vocab.longest()), (Some(0), None, 1));
        assert_eq!((vocab.id("added"), vocab.token(1)), (Some(1), Some("added")));
    }

    #[test]
    fn duplicates_are_told() {
        assert_eq!(Vocab::new(&["a", "b", "a"], &[true; 3]).unwrap_err(), (0, 2));
        assert_eq!(Vocab::new(&["b", "b"], &[false; 2]).unwrap_err(), (0, 1));
    }
}
