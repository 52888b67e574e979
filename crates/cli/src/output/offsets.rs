//! Offsets in the unit the user asked for.

use nervio::{Entity, OffsetMap};

/// What offsets count.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum OffsetUnit {
    /// Unicode code points, as in Python
    #[default]
    Char,
    /// Bytes of UTF-8, as in Rust and Go
    Byte,
    /// UTF-16 code units, as in JavaScript, Java and C#
    Utf16,
}

impl OffsetUnit {
    /// The unit's name for the output; the default goes without saying.
    pub(crate) fn name_unless_default(self) -> Option<&'static str> {
        match self {
            Self::Char => None,
            Self::Byte => Some("byte"),
            Self::Utf16 => Some("utf16"),
        }
    }
}

/// Turns byte offsets of one text into offsets of a unit.
pub(crate) struct Offsets {
    unit: OffsetUnit,
    map: OffsetMap,
}

impl Offsets {
    /// Offsets of `text` in `unit`.
    pub(crate) fn new(unit: OffsetUnit, text: &str) -> Self {
        Self { unit, map: OffsetMap::new(text) }
    }

    /// The byte offset `byte` in the unit.
    pub(crate) fn at(&self, byte: usize) -> usize {
        match self.unit {
            OffsetUnit::Byte => byte,
            OffsetUnit::Char => self.map.chars(byte),
            OffsetUnit::Utf16 => self.map.utf16(byte),
        }
    }

    /// Start and end of an entity in the unit; the end is exclusive.
    pub(crate) fn span(&self, entity: &Entity) -> (usize, usize) {
        (self.at(entity.start), self.at(entity.end))
    }
}

/// The stretch of `text` that an entity covers.
pub(crate) fn covered<'t>(text: &'t str, entity: &Entity) -> &'t str {
    text.get(entity.start..entity.end).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::super::testing::example;
    use super::*;
    use crate::input::Id;

    #[test]
    fn an_emoji_counts_one_two_or_four() {
        let text = "👍 Berlín";
        let example = example(Id::Ordinal(0), text, &[("Berlín", "LOC")]);
        let entity = &example.recognition.entities[0];
        let span = |unit| Offsets::new(unit, text).span(entity);
        assert_eq!(span(OffsetUnit::Char), (2, 8));
        assert_eq!(span(OffsetUnit::Byte), (5, 12));
        assert_eq!(span(OffsetUnit::Utf16), (3, 9));
        assert_eq!(covered(text, entity), "Berlín");
    }
}
