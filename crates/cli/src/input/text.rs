//! `text`: the whole file is one document, kept to the last character.

use std::io::Read;

use nervio::Document;

use super::record::{Fault, Parsed};
use super::source::Input;

/// Reader of one document a file; an empty file holds none.
pub(super) struct Text(Option<Input>);

impl Text {
    /// The document of `input`.
    pub(super) fn new(input: Input) -> Self {
        Self(Some(input))
    }
}

impl Iterator for Text {
    type Item = Result<Parsed, Fault>;

    fn next(&mut self) -> Option<Self::Item> {
        let mut input = self.0.take()?;
        let mut bytes = Vec::new();
        if let Err(error) = input.read_to_end(&mut bytes) {
            return Some(Err(Fault::read(&error)));
        }
        if bytes.is_empty() {
            return None;
        }
        Some(match String::from_utf8(bytes) {
            Ok(text) => Ok(Parsed { id: None, document: Document::new(text), line: 1 }),
            Err(error) => Err(fault(error.as_bytes(), error.utf8_error())),
        })
    }
}

/// Says on which line, and where in the file, the first bad byte stands.
fn fault(bytes: &[u8], error: std::str::Utf8Error) -> Fault {
    let valid = bytes.get(..error.valid_up_to()).unwrap_or_default();
    let line = 1 + valid.iter().filter(|&&byte| byte == b'\n').count() as u64;
    Fault::utf8(line, error)
}

#[cfg(test)]
mod tests {
    use super::super::{InputFormat::Text, testing::texts};

    #[test]
    fn the_file_is_one_document_as_it_is() {
        assert_eq!(texts(Text, b"uno\r\ndos\n\n"), [Ok("uno\r\ndos\n\n".into())]);
        assert_eq!(texts(Text, b"").len(), 0);
    }

    #[test]
    fn a_bad_byte_is_reported_with_its_line() {
        assert_eq!(texts(Text, b"uno\ndos\n\xFF"), [Err("3: invalid UTF-8 at byte 9".into())]);
    }
}
