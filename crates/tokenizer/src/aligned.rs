//! Normalised text that knows where it came from.

use std::ops::Range;

/// Normalised characters with their places in the original; its memory can be used again.
#[derive(Debug, Default)]
pub(crate) struct Aligned {
    text: String,
    characters: Vec<Character>,
}

/// One normalised character.
#[derive(Clone, Debug)]
pub(crate) struct Character {
    /// Where it starts in the normalised text.
    pub(crate) start: usize,
    /// The bytes of the original text that it came from.
    pub(crate) source: Range<usize>,
}

impl Aligned {
    /// Appends a character.
    #[inline]
    pub(crate) fn push(&mut self, c: char, source: Range<usize>) {
        self.characters.push(Character { start: self.text.len(), source });
        self.text.push(c);
    }

    /// Forgets the text, but not the memory.
    pub(crate) fn clear(&mut self) {
        self.text.clear();
        self.characters.clear();
    }

    /// The normalised text.
    pub(crate) fn text(&self) -> &str {
        &self.text
    }

    /// Its characters.
    pub(crate) fn characters(&self) -> &[Character] {
        &self.characters
    }

    /// The characters of a byte range of the normalised text.
    pub(crate) fn characters_of(&self, range: &Range<usize>) -> &[Character] {
        let before = |place: usize| self.characters.partition_point(|c| c.start < place);
        &self.characters[before(range.start)..before(range.end)]
    }
}

/// The bytes of the original from the first character to the last.
pub(crate) fn source(characters: &[Character]) -> Range<usize> {
    match (characters.first(), characters.last()) {
        (Some(first), Some(last)) => first.source.start..last.source.end,
        _ => 0..0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_has_the_places_of_its_characters() {
        let mut text = Aligned::default();
        for (c, source) in [('ñ', 0..2), ('o', 2..6), (' ', 7..8), ('日', 8..11)] {
            text.push(c, source);
        }
        assert_eq!(text.text(), "ño 日");
        assert_eq!(source(text.characters_of(&(2..4))), 2..8);
        assert_eq!(source(text.characters_of(&(4..7))), 8..11);
        assert_eq!(source(text.characters_of(&(2..2))), 0..0);
        assert_eq!(source(text.characters()), 0..11);
        text.clear();
        assert_eq!((text.text(), text.characters().len()), ("", 0));
    }
}
