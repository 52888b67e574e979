//! Entities as tags of words.

use std::ops::Range;

use crate::Entity;
use crate::scheme::OUTSIDE;

/// One IOB2 tag for each word: of the first entity that shares a character with it, `B-` for the
/// entity's first word and `I-` for the others.
///
/// `words` are byte ranges in the order of the text; the entities may come in any order. Labels
/// are taken for types, so entities of [`Aggregation::None`](crate::Aggregation::None) get two
/// prefixes.
#[must_use]
pub fn iob2_tags(words: &[Range<usize>], entities: &[Entity]) -> Vec<String> {
    let mut entities: Vec<&Entity> = entities.iter().collect();
    entities.sort_by_key(|entity| entity.start);
    let mut entities = entities.into_iter().peekable();
    let mut begun = false;
    let mut tags = Vec::with_capacity(words.len());
    for word in words {
        while entities.next_if(|entity| entity.end <= word.start).is_some() {
            begun = false;
        }
        let shares = |entity: &&&Entity| !word.is_empty() && entity.start < word.end;
        tags.push(match entities.peek().filter(shares) {
            Some(entity) => {
                let prefix = if begun { "I" } else { "B" };
                begun = true;
                format!("{prefix}-{}", entity.label)
            }
            None => OUTSIDE.to_owned(),
        });
    }
    tags
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entity(label: &str, range: Range<usize>) -> Entity {
        let (start, end) = (range.start, range.end);
        Entity { label: label.to_owned(), score: 1.0, start, end, word: String::new(), index: None }
    }

    #[test]
    fn words_are_tagged_by_what_they_share() {
        // "Ana López, de León": the comma is a word, and one word is empty.
        let words = [0..3, 4..10, 10..11, 11..11, 12..14, 15..20];
        let entities = [entity("LOC", 15..20), entity("PER", 0..10)];
        let expected = ["B-PER", "I-PER", "O", "O", "O", "B-LOC"];
        assert_eq!(iob2_tags(&words, &entities), expected);
        // Two halves of one word: the first names it.
        let halves = [entity("PER", 4..6), entity("LOC", 6..11)];
        assert_eq!(iob2_tags(&words, &halves), ["O", "B-PER", "B-LOC", "O", "O", "O"]);
        let neighbours = [entity("PER", 0..3), entity("PER", 4..10)];
        assert_eq!(iob2_tags(&words[..2], &neighbours), ["B-PER", "B-PER"]);
        assert_eq!(iob2_tags(&[], &entities), Vec::<String>::new());
    }
}
