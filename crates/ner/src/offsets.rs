//! Offsets for those who do not count bytes.

/// Characters of equal width that follow one another.
#[derive(Clone, Copy, Debug)]
struct Run {
    /// Where the run begins, in bytes, code points and UTF-16 units.
    byte: usize,
    chars: usize,
    utf16: usize,
    /// Bytes of each character.
    width: usize,
}

impl Run {
    /// Code points and UTF-16 units before the character that holds `byte`.
    fn at(&self, byte: usize) -> (usize, usize) {
        let count = (byte - self.byte) / self.width;
        // Beyond the basic plane: four bytes of UTF-8, two units of UTF-16.
        let units = if self.width == 4 { 2 } else { 1 };
        (self.chars + count, self.utf16 + count * units)
    }
}

/// Byte offsets of one text as code points and as UTF-16 units.
///
/// Made in one pass over the text; each question is a binary search among the places where the
/// width of characters changes.
///
/// ```
/// let map = nervio_ner::OffsetMap::new("👍 Berlín");
/// assert_eq!((map.chars(5), map.utf16(5)), (2, 3));
/// ```
#[derive(Clone, Debug)]
pub struct OffsetMap {
    runs: Vec<Run>,
    /// Bytes of the text.
    length: usize,
}

impl OffsetMap {
    /// The map of `text`.
    #[must_use]
    pub fn new(text: &str) -> Self {
        let mut runs: Vec<Run> = Vec::new();
        for (byte, c) in text.char_indices() {
            let width = c.len_utf8();
            match runs.last() {
                Some(run) if run.width == width => {}
                last => {
                    let (chars, utf16) = last.map_or((0, 0), |run| run.at(byte));
                    runs.push(Run { byte, chars, utf16, width });
                }
            }
        }
        Self { runs, length: text.len() }
    }

    /// Code points before `byte`. A byte within a character counts as its first, one beyond the
    /// end as the end.
    #[must_use]
    pub fn chars(&self, byte: usize) -> usize {
        self.at(byte).0
    }

    /// UTF-16 units before `byte`. A byte within a character counts as its first, one beyond the
    /// end as the end.
    #[must_use]
    pub fn utf16(&self, byte: usize) -> usize {
        self.at(byte).1
    }

    fn at(&self, byte: usize) -> (usize, usize) {
        let byte = byte.min(self.length);
        let behind = self.runs.partition_point(|run| run.byte <= byte);
        let run = behind.checked_sub(1).and_then(|index| self.runs.get(index));
        run.map_or((0, 0), |run| run.at(byte))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn offsets_are_lengths_of_prefixes(text in "(?s)[a-cñ日👍\u{301}]{0,40}|.{0,20}") {
            let map = OffsetMap::new(&text);
            for byte in 0..=text.len() + 2 {
                let byte = byte.min(text.len());
                let floor = (0..=byte).rev().find(|at| text.is_char_boundary(*at)).unwrap();
                prop_assert_eq!(map.chars(byte), text[..floor].chars().count());
                prop_assert_eq!(map.utf16(byte), text[..floor].encode_utf16().count());
            }
            prop_assert_eq!(map.chars(usize::MAX), text.chars().count());
        }
    }
}
