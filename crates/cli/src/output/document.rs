//! The JSON object of one document, shared by `jsonl` and `json`.

use serde::Serialize;

use super::offsets::{OffsetUnit, Offsets, covered};
use super::{Answer, Id};

/// `{"id":…,"text":…,"entities":[…],"windows":1}`.
#[derive(Debug, Serialize)]
pub(crate) struct DocumentJson<'a> {
    id: &'a Id,
    text: &'a str,
    entities: Vec<EntityJson<'a>>,
    windows: usize,
    /// The unit of `start` and `end`, said only where it is not code points.
    #[serde(skip_serializing_if = "Option::is_none")]
    offsets: Option<&'static str>,
}

/// `{"label":"PER","score":0.998,"start":9,"end":17,"text":"Wolfgang"}`.
#[derive(Debug, Serialize)]
struct EntityJson<'a> {
    label: &'a str,
    score: f32,
    start: usize,
    end: usize,
    text: &'a str,
    /// The piece's position, counting `[CLS]` as 0; only without aggregation.
    #[serde(skip_serializing_if = "Option::is_none")]
    index: Option<usize>,
}

impl<'a> DocumentJson<'a> {
    /// The object of `answer` with offsets in `unit`.
    pub(crate) fn new(answer: &Answer<'a>, unit: OffsetUnit) -> Self {
        let offsets = Offsets::new(unit, answer.text);
        let entities = answer.recognition.entities.iter().map(|entity| {
            let (start, end) = offsets.span(entity);
            let text = covered(answer.text, entity);
            let index = entity.index;
            EntityJson { label: &entity.label, score: entity.score, start, end, text, index }
        });
        Self {
            id: answer.id,
            text: answer.text,
            entities: entities.collect(),
            windows: answer.recognition.windows,
            offsets: unit.name_unless_default(),
        }
    }
}
