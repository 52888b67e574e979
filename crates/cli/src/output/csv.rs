//! `csv`: one row an entity, under a header row.

use std::io::Write;

use anyhow::Result;

use super::offsets::{Offsets, covered};
use super::{Answer, OffsetUnit, Writer};

/// Writer of comma-separated values.
pub(super) struct Csv {
    offsets: OffsetUnit,
}

impl Csv {
    /// Offsets in `offsets`.
    pub(super) fn new(offsets: OffsetUnit) -> Self {
        Self { offsets }
    }
}

impl Writer for Csv {
    fn begin(&mut self, out: &mut dyn Write) -> Result<()> {
        Ok(out.write_all(b"id,label,score,start,end,text\n")?)
    }

    fn record(&mut self, out: &mut dyn Write, answer: &Answer<'_>) -> Result<()> {
        let offsets = Offsets::new(self.offsets, answer.text);
        let mut rows = ::csv::Writer::from_writer(out);
        for entity in &answer.recognition.entities {
            let (start, end) = offsets.span(entity);
            rows.write_record([
                answer.id.to_string().as_str(),
                &entity.label,
                &entity.score.to_string(),
                &start.to_string(),
                &end.to_string(),
                covered(answer.text, entity),
            ])?;
        }
        Ok(rows.flush()?)
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{example, write};
    use super::super::{OffsetUnit, OutputFormat::Csv, WriteOptions};
    use crate::input::Id;

    #[test]
    fn fields_are_quoted_where_they_must_be() {
        let options = WriteOptions { offsets: OffsetUnit::Byte, ..WriteOptions::default() };
        let text = "á Bar \"El, Sol\" de\nAna";
        let entities = [("Bar \"El, Sol\"", "ORG"), ("de\nAna", "PER")];
        assert_eq!(
            write(Csv, options, &[example(Id::Text("a,1".into()), text, &entities)]),
            concat!(
                "id,label,score,start,end,text\n",
                "\"a,1\",ORG,0.998,3,16,\"Bar \"\"El, Sol\"\"\"\n",
                "\"a,1\",PER,0.898,17,23,\"de\nAna\"\n"
            )
        );
    }
}
