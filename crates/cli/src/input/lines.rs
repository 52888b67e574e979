//! `lines`: every line is a document, an empty line too, so that answers line up with lines.

use nervio::Document;

use super::line_reader::LineReader;
use super::record::{Fault, Parsed};
use super::source::Input;

/// Reader of one document a line.
pub(super) struct Lines(LineReader);

impl Lines {
    /// Documents of `input`.
    pub(super) fn new(input: Input) -> Self {
        Self(LineReader::new(input))
    }
}

impl Iterator for Lines {
    type Item = Result<Parsed, Fault>;

    fn next(&mut self) -> Option<Self::Item> {
        Some(self.0.next()?.and_then(|line| {
            let number = line.number;
            let document = Document::new(line.into_text()?);
            Ok(Parsed { id: None, document, line: number })
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::super::{InputFormat::Lines, testing::texts};

    #[test]
    fn lines_end_with_lf_crlf_or_the_file() {
        let read = texts(Lines, "uno\r\n\ndos\0\ntres".as_bytes());
        assert_eq!(
            read,
            [Ok("uno".into()), Ok(String::new()), Ok("dos\0".into()), Ok("tres".into())]
        );
        assert_eq!(texts(Lines, b"").len(), 0);
    }

    #[test]
    fn a_line_that_is_not_utf8_is_reported_and_the_rest_is_read() {
        let read = texts(Lines, b"\xEF\xBB\xBFuno\nd\xFFs\ntres\n");
        assert_eq!(
            read,
            [Ok("uno".into()), Err("2: invalid UTF-8 at byte 2".into()), Ok("tres".into())]
        );
    }

    #[test]
    fn a_line_may_be_very_long() {
        let read = texts(Lines, &vec![b'a'; 3_000_000]);
        assert_eq!(read[0].as_ref().unwrap().len(), 3_000_000);
    }
}
