//! `jsonl`: one JSON object a line, the text in one of its fields.

use nervio::Document;
use serde_json::Value;

use super::ReadOptions;
use super::line_reader::{Line, LineReader};
use super::record::{Fault, Id, Parsed};
use super::source::Input;

/// Reader of one JSON object a line; blank lines are passed over.
pub(super) struct Jsonl {
    lines: LineReader,
    text_field: String,
    id_field: String,
    id_required: bool,
}

impl Jsonl {
    /// Documents of `input`; the fields are `text` and `id` unless named.
    pub(super) fn new(input: Input, options: &ReadOptions) -> Self {
        Self {
            lines: LineReader::new(input),
            text_field: options.text_field.clone().unwrap_or_else(|| "text".to_owned()),
            id_field: options.id_field.clone().unwrap_or_else(|| "id".to_owned()),
            id_required: options.id_field.is_some(),
        }
    }

    /// The document of one line.
    fn parse(&self, line: Line) -> Result<Parsed, Fault> {
        let number = line.number;
        let fault = |message: String| Fault::at(number, message);
        let text = line.into_text()?;
        let value = serde_json::from_str(&text).map_err(|error| fault(not_json(&error)))?;
        let Value::Object(mut object) = value else {
            return Err(fault(format!("{} where a JSON object is expected", kind(&value))));
        };
        let text = match object.remove(&self.text_field) {
            Some(Value::String(text)) => text,
            Some(other) => return Err(fault(wrong_kind(&self.text_field, &other, "a string"))),
            None => return Err(fault(format!("no field {:?}", self.text_field))),
        };
        let id = match object.remove(&self.id_field) {
            Some(Value::String(text)) => Some(Id::Text(text)),
            Some(Value::Number(number)) => Some(Id::Number(number)),
            None | Some(Value::Null) if !self.id_required => None,
            None => return Err(fault(format!("no field {:?}", self.id_field))),
            Some(other) => {
                return Err(fault(wrong_kind(&self.id_field, &other, "a string or a number")));
            }
        };
        Ok(Parsed { id, document: Document::new(text), line: number })
    }
}

impl Iterator for Jsonl {
    type Item = Result<Parsed, Fault>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            match self.lines.next()? {
                Ok(line) if line.is_blank() => {}
                Ok(line) => return Some(self.parse(line)),
                Err(fault) => return Some(Err(fault)),
            }
        }
    }
}

/// What is wrong with a line that is no JSON, with the column but without serde's line number,
/// which would always be 1.
fn not_json(error: &serde_json::Error) -> String {
    let message = error.to_string();
    let reason = message.split_once(" at line ").map_or(message.as_str(), |(reason, _)| reason);
    format!("not valid JSON: {reason} at column {}", error.column())
}

/// A field that holds something else than expected.
fn wrong_kind(field: &str, value: &Value, expected: &str) -> String {
    format!("field {field:?} is {}, expected {expected}", kind(value))
}

/// The kind of a JSON value, for messages.
fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "an array",
        Value::Object(_) => "an object",
    }
}

#[cfg(test)]
mod tests {
    use super::super::{
        InputFormat::Jsonl,
        testing::{read, texts},
    };
    use super::*;

    #[test]
    fn every_bad_record_is_named_and_the_rest_is_read() {
        let input = concat!(
            "{\"text\":\"uno\"}\n\n{\"txt\":\"x\"}\n{\"text\":3}\n[1]\n{\"text\":\n",
            "{\"text\":\"dos\",\"id\":[1]}\n{\"text\":\"tres\"}"
        );
        let expected = [
            Ok("uno".into()),
            Err("3: no field \"text\"".into()),
            Err("4: field \"text\" is a number, expected a string".into()),
            Err("5: an array where a JSON object is expected".into()),
            Err("6: not valid JSON: EOF while parsing a value at column 8".into()),
            Err("7: field \"id\" is an array, expected a string or a number".into()),
            Ok("tres".into()),
        ];
        assert_eq!(texts(Jsonl, input.as_bytes()), expected);
    }

    #[test]
    fn ids_are_kept_as_they_are() {
        let options = ReadOptions {
            text_field: Some("t".into()),
            id_field: Some("n".into()),
            ..ReadOptions::default()
        };
        let input = b"{\"t\":\"a\",\"n\":\"x-1\"}\n{\"t\":\"b\",\"n\":7}\n{\"t\":\"c\"}\n";
        let read = read(Jsonl, input, &options);
        assert_eq!(read[0].as_ref().unwrap().id, Some(Id::Text("x-1".into())));
        assert_eq!(read[1].as_ref().unwrap().id, Some(Id::Number(7.into())));
        assert_eq!(read[2].as_ref().unwrap_err().message, "no field \"n\"");
    }

    #[test]
    fn deep_nesting_is_an_error_of_its_line() {
        let deep = format!("{{\"text\":{}", "[".repeat(100_000));
        let read = texts(Jsonl, deep.as_bytes());
        assert!(read[0].as_ref().unwrap_err().contains("recursion limit"), "{read:?}");
    }

    #[test]
    fn bytes_that_are_not_utf8_are_an_error_of_their_line() {
        let read = texts(Jsonl, b"{\"text\":\"\xC3\"}\n{\"text\":\"dos\"}\n");
        assert!(read[0].as_ref().unwrap_err().starts_with("1: invalid UTF-8"));
        assert_eq!(read[1], Ok("dos".into()));
    }
}
