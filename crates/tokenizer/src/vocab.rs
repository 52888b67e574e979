//! The vocabulary: tokens by id, and ids by token through a hash table of our own.
//!
//! WordPiece looks up ever shorter prefixes of a word. The hash (FNV-1a) grows byte by byte, so
//! one pass over the word gives the hashes of all of its prefixes, and a lookup costs one probe.

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
    /// Bytes of the longest token.
    longest: usize,
}

/// Most tokens in a vocabulary; the largest in use have about a million.
pub(crate) const MAX_TOKENS: usize = 10_000_000;

/// Most bytes of a tokenizer's file, and of all tokens.
pub(crate) const MAX_BYTES: usize = 1 << 30;

impl Vocab {
    /// A vocabulary of these tokens in the order of their ids.
    ///
    /// # Errors
    ///
    /// The ids of a token that occurs twice.
    pub(crate) fn new<'a>(tokens: impl IntoIterator<Item = &'a str>) -> Result<Self, (u32, u32)> {
        let mut vocab =
            Self { text: String::new(), ends: Vec::new(), slots: Vec::new(), longest: 0 };
        for token in tokens {
            vocab.text.push_str(token);
            #[allow(clippy::cast_possible_truncation, reason = "at most MAX_BYTES")]
            vocab.ends.push(vocab.text.len() as u32);
            vocab.longest = vocab.longest.max(token.len());
        }
        vocab.slots = vec![0; (vocab.ends.len() * 2 + 1).next_power_of_two()];
        #[allow(clippy::cast_possible_truncation, reason = "at most MAX_TOKENS")]
        for id in 0..vocab.ends.len() as u32 {
            let token = vocab.token(id).unwrap_or_default();
            let hash = Hash::START.extend(token.as_bytes());
            match vocab.probe(hash, |other| other == token) {
                Ok(first) => return Err((first, id)),
                Err(slot) => vocab.slots[slot] = id + 1,
            }
        }
        Ok(vocab)
    }

    /// Number of tokens.
    pub(crate) fn len(&self) -> usize {
        self.ends.len()
    }

    /// Bytes of the longest token.
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
        self.probe(Hash::START.extend(token.as_bytes()), |other| other == token).ok()
    }

    /// The id of the token that is `prefix` (empty or `##`) and `rest`, whose hash is known.
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
        let vocab = Vocab::new(tokens.iter().map(String::as_str)).unwrap();
        for (id, token) in (0..).zip(&tokens) {
            assert_eq!(vocab.id(token), Some(id));
            assert_eq!(vocab.token(id), Some(token.as_str()));
        }
        assert_eq!((vocab.id("t5000ñ"), vocab.token(5000), vocab.len()), (None, None, 5000));
    }

    #[test]
    fn duplicates_are_told() {
        assert_eq!(Vocab::new(["a", "b", "a"]).unwrap_err(), (0, 2));
    }
}
