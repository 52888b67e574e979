//! `json`: one array with an object a document, written as a stream.

use std::io::Write;

use anyhow::Result;

use super::document::DocumentJson;
use super::{Answer, OffsetUnit, Writer};

/// The commas and brackets of a JSON array whose items come one at a time, one a line.
#[derive(Debug, Default)]
pub(super) struct ArrayStream {
    has_items: bool,
}

impl ArrayStream {
    /// Opens the array.
    pub(super) fn begin(&self, out: &mut dyn Write) -> Result<()> {
        Ok(out.write_all(b"[")?)
    }

    /// Adds an item.
    pub(super) fn item(&mut self, out: &mut dyn Write, item: &impl serde::Serialize) -> Result<()> {
        out.write_all(if self.has_items { b",\n" } else { b"\n" })?;
        self.has_items = true;
        Ok(serde_json::to_writer(out, item)?)
    }

    /// Closes the array.
    pub(super) fn end(&self, out: &mut dyn Write) -> Result<()> {
        Ok(out.write_all(if self.has_items { b"\n]\n" } else { b"]\n" })?)
    }
}

/// Writer of one JSON array.
pub(super) struct JsonArray {
    offsets: OffsetUnit,
    array: ArrayStream,
}

impl JsonArray {
    /// Offsets in `offsets`.
    pub(super) fn new(offsets: OffsetUnit) -> Self {
        Self { offsets, array: ArrayStream::default() }
    }
}

impl Writer for JsonArray {
    fn begin(&mut self, out: &mut dyn Write) -> Result<()> {
        self.array.begin(out)
    }

    fn record(&mut self, out: &mut dyn Write, answer: &Answer<'_>) -> Result<()> {
        self.array.item(out, &DocumentJson::new(answer, self.offsets))
    }

    fn end(&mut self, out: &mut dyn Write) -> Result<()> {
        self.array.end(out)
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{wolfgang, write};
    use super::super::{OutputFormat::Json, WriteOptions};

    #[test]
    fn any_number_of_documents_is_valid_json() {
        for count in 0..3 {
            let examples: Vec<_> = (0..count).map(|_| wolfgang()).collect();
            let written = write(Json, WriteOptions::default(), &examples);
            let value: serde_json::Value = serde_json::from_str(&written).unwrap();
            assert_eq!(value.as_array().unwrap().len(), count);
        }
    }
}
