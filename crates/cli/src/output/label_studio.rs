//! `labelstudio`: tasks with predictions for Label Studio's import.
//!
//! They fit a labelling set-up of `<Labels name="label" toName="text">` over
//! `<Text name="text" value="$text"/>`.

use std::io::Write;

use anyhow::Result;
use serde::Serialize;

use super::json::ArrayStream;
use super::offsets::{Offsets, covered};
use super::{Answer, Id, OffsetUnit, Writer};

/// What the predictions say they come from.
const MODEL_VERSION: &str = concat!("nervio ", env!("CARGO_PKG_VERSION"));

/// Writer of Label Studio tasks.
pub(super) struct LabelStudio {
    offsets: OffsetUnit,
    array: ArrayStream,
}

impl LabelStudio {
    /// Offsets in `offsets`; Label Studio counts code points.
    pub(super) fn new(offsets: OffsetUnit) -> Self {
        Self { offsets, array: ArrayStream::default() }
    }
}

#[derive(Serialize)]
struct Task<'a> {
    data: Data<'a>,
    predictions: [Prediction<'a>; 1],
}

#[derive(Serialize)]
struct Data<'a> {
    id: &'a Id,
    text: &'a str,
}

#[derive(Serialize)]
struct Prediction<'a> {
    model_version: &'static str,
    /// The mean of the entities' scores, by which Label Studio can order tasks.
    #[serde(skip_serializing_if = "Option::is_none")]
    score: Option<f32>,
    result: Vec<Region<'a>>,
}

#[derive(Serialize)]
struct Region<'a> {
    id: String,
    from_name: &'static str,
    to_name: &'static str,
    #[serde(rename = "type")]
    kind: &'static str,
    score: f32,
    value: Value<'a>,
}

#[derive(Serialize)]
struct Value<'a> {
    start: usize,
    end: usize,
    text: &'a str,
    labels: [&'a str; 1],
}

impl<'a> Task<'a> {
    fn new(answer: &Answer<'a>, unit: OffsetUnit) -> Self {
        let offsets = Offsets::new(unit, answer.text);
        let entities = &answer.recognition.entities;
        let total: f32 = entities.iter().map(|entity| entity.score).sum();
        let regions = entities.iter().enumerate().map(|(number, entity)| {
            let (start, end) = offsets.span(entity);
            let text = covered(answer.text, entity);
            Region {
                id: format!("e{number}"),
                from_name: "label",
                to_name: "text",
                kind: "labels",
                score: entity.score,
                value: Value { start, end, text, labels: [&entity.label] },
            }
        });
        let prediction = Prediction {
            model_version: MODEL_VERSION,
            score: (!entities.is_empty()).then(|| total / entities.len() as f32),
            result: regions.collect(),
        };
        Self { data: Data { id: answer.id, text: answer.text }, predictions: [prediction] }
    }
}

impl Writer for LabelStudio {
    fn begin(&mut self, out: &mut dyn Write) -> Result<()> {
        self.array.begin(out)
    }

    fn record(&mut self, out: &mut dyn Write, answer: &Answer<'_>) -> Result<()> {
        self.array.item(out, &Task::new(answer, self.offsets))
    }

    fn end(&mut self, out: &mut dyn Write) -> Result<()> {
        self.array.end(out)
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{example, write};
    use super::super::{OutputFormat::Labelstudio, WriteOptions};
    use crate::input::Id;

    #[test]
    fn a_task_has_its_regions() {
        let examples = [
            example(Id::Text("a".into()), "👍 Ana", &[("Ana", "PER")]),
            example(Id::Ordinal(1), "nada", &[]),
        ];
        let version = env!("CARGO_PKG_VERSION");
        let expected = format!(
            concat!(
                "[\n",
                r#"{{"data":{{"id":"a","text":"👍 Ana"}},"predictions":[{{"#,
                r#""model_version":"nervio {}","score":0.998,"result":[{{"id":"e0","#,
                r#""from_name":"label","to_name":"text","type":"labels","score":0.998,"#,
                r#""value":{{"start":2,"end":5,"text":"Ana","labels":["PER"]}}}}]}}]}},"#,
                "\n",
                r#"{{"data":{{"id":1,"text":"nada"}},"predictions":[{{"#,
                r#""model_version":"nervio {}","result":[]}}]}}"#,
                "\n]\n"
            ),
            version, version
        );
        assert_eq!(write(Labelstudio, WriteOptions::default(), &examples), expected);
    }
}
