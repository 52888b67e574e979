//! `hf`: the output schema of Hugging Face's token classification (`@huggingface/tasks`).
//!
//! Per document an array of `{entity_group, score, word, start, end}`, or with `entity` and
//! `index` where pieces are not aggregated; `word` is the re-joined pieces, offsets are code
//! points.

use std::io::Write;

use anyhow::Result;
use serde::Serialize;

use super::offsets::Offsets;
use super::{Answer, OffsetUnit, Writer};

/// Writer of Hugging Face's schema, one array a line.
pub(super) struct HuggingFace;

#[derive(Serialize)]
struct Item<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    entity: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    entity_group: Option<&'a str>,
    score: f32,
    #[serde(skip_serializing_if = "Option::is_none")]
    index: Option<usize>,
    word: &'a str,
    start: usize,
    end: usize,
}

impl Writer for HuggingFace {
    fn record(&mut self, out: &mut dyn Write, answer: &Answer<'_>) -> Result<()> {
        let offsets = Offsets::new(OffsetUnit::Char, answer.text);
        let items: Vec<Item<'_>> = answer
            .recognition
            .entities
            .iter()
            .map(|entity| {
                let (start, end) = offsets.span(entity);
                let label = Some(entity.label.as_str());
                let (piece, group) =
                    if entity.index.is_some() { (label, None) } else { (None, label) };
                Item {
                    entity: piece,
                    entity_group: group,
                    score: entity.score,
                    index: entity.index,
                    word: &entity.word,
                    start,
                    end,
                }
            })
            .collect();
        serde_json::to_writer(&mut *out, &items)?;
        Ok(out.write_all(b"\n")?)
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{example, wolfgang, write};
    use super::super::{OutputFormat::Hf, WriteOptions};
    use crate::input::Id;

    #[test]
    fn groups_and_pieces_follow_the_schema() {
        let mut piece = example(Id::Ordinal(0), "Ana", &[("Ana", "B-PER")]);
        piece.recognition.entities[0].index = Some(1);
        let nothing = example(Id::Ordinal(1), "nada", &[]);
        assert_eq!(
            write(Hf, WriteOptions::default(), &[wolfgang(), piece, nothing]),
            concat!(
                r#"[{"entity_group":"PER","score":0.998,"word":"Wolfgang","start":9,"end":17},"#,
                r#"{"entity_group":"LOC","score":0.898,"word":"Berlín","start":28,"end":34}]"#,
                "\n",
                r#"[{"entity":"B-PER","score":0.998,"index":1,"word":"Ana","start":0,"end":3}]"#,
                "\n[]\n"
            )
        );
    }
}
