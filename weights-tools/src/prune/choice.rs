//! Which tokens stay, and the ids that they get.

use std::collections::{BTreeMap, HashSet};

use nervio_tokenizer::Tokenizer;

/// The tokens that stay, by their old ids in ascending order: the new id is the place in this list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Kept {
    old: Vec<u32>,
    new: BTreeMap<u32, u32>,
}

impl Kept {
    /// The tokens with these old ids.
    pub(super) fn new(ids: impl IntoIterator<Item = u32>) -> Self {
        let mut old: Vec<u32> = ids.into_iter().collect();
        old.sort_unstable();
        old.dedup();
        let new = old.iter().zip(0..).map(|(old, new)| (*old, new)).collect();
        Self { old, new }
    }

    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.old.len()
    }

    /// The old ids, ascending.
    pub(super) fn old(&self) -> &[u32] {
        &self.old
    }

    /// The new id of a token.
    pub(super) fn new_id(&self, old: u32) -> Option<u32> {
        self.new.get(&old).copied()
    }
}

/// The tokens to keep: those in `used`, the special and the added ones, and each character that
/// occurs in a used token or can be typed on any keyboard, alone and within a word.
pub(super) fn choose(tokenizer: &Tokenizer, used: &HashSet<u32>, added: &HashSet<String>) -> Kept {
    let special = tokenizer.special();
    let special = [special.cls, special.sep, special.pad, special.unk, special.mask];
    let ids = 0..u32::try_from(tokenizer.vocab_size()).unwrap_or(u32::MAX);
    let text = |id: u32| tokenizer.token(id).unwrap_or_default();
    let seen: HashSet<char> = used.iter().flat_map(|id| bare(text(*id)).chars()).collect();
    let is_character = |token: &str| {
        let mut characters = bare(token).chars();
        let first = characters.next();
        characters.next().is_none()
            && first.is_some_and(|c| c.is_ascii_graphic() || seen.contains(&c))
    };
    Kept::new(ids.filter(|id| {
        let token = text(*id);
        used.contains(id) || special.contains(id) || added.contains(token) || is_character(token)
    }))
}

/// A token without the mark of a continuation.
fn bare(token: &str) -> &str {
    token.strip_prefix("##").filter(|rest| !rest.is_empty()).unwrap_or(token)
}

#[cfg(test)]
mod tests {
    use super::*;
    use nervio_tokenizer::TokenizerOptions;

    #[test]
    fn used_special_and_single_characters_stay() {
        let vocab = "[PAD]\n[unused0]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\ncasa\n##ñas\nñ\n##ñ\n中\n##\n#\na\nperro";
        let options = TokenizerOptions::cased();
        let tokenizer = Tokenizer::from_vocab_bytes("v", vocab.as_bytes(), options).unwrap();
        let used = HashSet::from([tokenizer.id("##ñas").unwrap()]);
        let kept = choose(&tokenizer, &used, &HashSet::new());
        let tokens: Vec<_> = kept.old().iter().map(|id| tokenizer.token(*id).unwrap()).collect();
        assert_eq!(
            tokens,
            ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "##ñas", "ñ", "##ñ", "#", "a"]
        );
        assert_eq!((kept.new_id(0), kept.new_id(1), kept.new_id(2)), (Some(0), None, Some(1)));
        let added = HashSet::from(["perro".to_owned()]);
        assert_eq!(choose(&tokenizer, &used, &added).len(), 11);
    }
}
