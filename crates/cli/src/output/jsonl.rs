//! `jsonl`: one JSON object a document, one a line.

use std::io::Write;

use anyhow::Result;

use super::document::DocumentJson;
use super::{Answer, OffsetUnit, Writer};

/// Writer of JSON lines.
pub(super) struct Jsonl {
    offsets: OffsetUnit,
}

impl Jsonl {
    /// Offsets in `offsets`.
    pub(super) fn new(offsets: OffsetUnit) -> Self {
        Self { offsets }
    }
}

impl Writer for Jsonl {
    fn record(&mut self, out: &mut dyn Write, answer: &Answer<'_>) -> Result<()> {
        serde_json::to_writer(&mut *out, &DocumentJson::new(answer, self.offsets))?;
        Ok(out.write_all(b"\n")?)
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{example, wolfgang, write};
    use super::super::{OffsetUnit, OutputFormat::Jsonl, WriteOptions};
    use crate::input::Id;

    #[test]
    fn a_line_is_an_object_in_the_documented_order() {
        assert_eq!(
            write(Jsonl, WriteOptions::default(), &[wolfgang()]),
            concat!(
                r#"{"id":0,"text":"Me llamo Wolfgang y vivo en Berlín","entities":["#,
                r#"{"label":"PER","score":0.998,"start":9,"end":17,"text":"Wolfgang"},"#,
                r#"{"label":"LOC","score":0.898,"start":28,"end":34,"text":"Berlín"}],"#,
                r#""windows":1}"#,
                "\n"
            )
        );
    }

    #[test]
    fn another_unit_is_named_and_ids_keep_their_kind() {
        let options = WriteOptions { offsets: OffsetUnit::Utf16, ..WriteOptions::default() };
        let examples = [example(Id::Text("a\"b".into()), "👍\nAna", &[("Ana", "PER")])];
        assert_eq!(
            write(Jsonl, options, &examples),
            concat!(
                r#"{"id":"a\"b","text":"👍\nAna","entities":["#,
                r#"{"label":"PER","score":0.998,"start":3,"end":6,"text":"Ana"}],"#,
                r#""windows":1,"offsets":"utf16"}"#,
                "\n"
            )
        );
    }

    #[test]
    fn pieces_without_aggregation_have_their_index() {
        let mut piece = example(Id::Ordinal(0), "Ana", &[("Ana", "B-PER")]);
        piece.recognition.entities[0].index = Some(1);
        let line = write(Jsonl, WriteOptions::default(), &[piece]);
        assert!(line.contains(r#""text":"Ana","index":1}"#), "{line}");
    }
}
