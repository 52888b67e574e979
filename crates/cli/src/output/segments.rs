//! A text cut at its entities, for the formats that show it.

use nervio::Entity;

/// A stretch of text that is plain or an entity's.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Segment<'a> {
    pub(super) text: &'a str,
    pub(super) entity: Option<&'a Entity>,
}

/// The stretches of `text` in order; together they are the text. Of overlapping entities a later
/// one keeps what is left of it, be it nothing, so that none goes missing.
pub(super) fn segments<'a>(text: &'a str, entities: &'a [Entity]) -> Vec<Segment<'a>> {
    let mut ordered: Vec<&Entity> = entities.iter().collect();
    ordered.sort_by_key(|entity| entity.start);
    let mut segments = Vec::with_capacity(2 * ordered.len() + 1);
    let mut from = 0;
    for entity in ordered {
        let start = entity.start.max(from);
        let end = entity.end.max(start);
        if start > from {
            let plain = text.get(from..start).unwrap_or_default();
            segments.push(Segment { text: plain, entity: None });
        }
        let covered = text.get(start..end).unwrap_or_default();
        segments.push(Segment { text: covered, entity: Some(entity) });
        from = end;
    }
    let rest = text.get(from..).unwrap_or_default();
    if !rest.is_empty() {
        segments.push(Segment { text: rest, entity: None });
    }
    segments
}

#[cfg(test)]
mod tests {
    use super::super::testing::{example, wolfgang};
    use super::*;
    use crate::input::Id;

    fn shown(text: &str, entities: &[Entity]) -> Vec<String> {
        segments(text, entities)
            .iter()
            .map(|segment| match segment.entity {
                Some(entity) => format!("[{} {}]", segment.text, entity.label),
                None => segment.text.to_owned(),
            })
            .collect()
    }

    #[test]
    fn plain_text_and_entities_alternate() {
        let document = wolfgang();
        assert_eq!(
            shown(&document.text, &document.recognition.entities),
            ["Me llamo ", "[Wolfgang PER]", " y vivo en ", "[Berlín LOC]"]
        );
    }

    #[test]
    fn overlapping_entities_are_all_there() {
        let text = "Ana López de León";
        let document = example(Id::Ordinal(0), text, &[("Ana López", "PER"), (" de León", "LOC")]);
        let mut entities = document.recognition.entities;
        entities[1].start = 4;
        let mut inner = entities[0].clone();
        (inner.start, inner.end, inner.label) = (1, 2, "X".to_owned());
        entities.push(inner);
        assert_eq!(shown(text, &entities), ["[Ana López PER]", "[ X]", "[ de León LOC]"]);
    }
}
