//! Lines of bytes with their numbers: the ground of the line-based formats.

use std::io::BufRead;

use super::record::Fault;
use super::source::Input;

/// One line without its end (`\n` or `\r\n`).
#[derive(Debug)]
pub(super) struct Line {
    /// Counted from 1.
    pub(super) number: u64,
    /// Its bytes, of any encoding.
    pub(super) bytes: Vec<u8>,
}

impl Line {
    /// The line as text.
    pub(super) fn into_text(self) -> Result<String, Fault> {
        String::from_utf8(self.bytes).map_err(|error| Fault::utf8(self.number, error.utf8_error()))
    }

    /// Whether it holds nothing but blanks.
    pub(super) fn is_blank(&self) -> bool {
        self.bytes.iter().all(u8::is_ascii_whitespace)
    }
}

/// Reads lines of any length. After a failed read it ends.
pub(super) struct LineReader {
    input: Input,
    number: u64,
    ended: bool,
}

impl LineReader {
    /// Lines of `input`.
    pub(super) fn new(input: Input) -> Self {
        Self { input, number: 0, ended: false }
    }
}

impl Iterator for LineReader {
    type Item = Result<Line, Fault>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.ended {
            return None;
        }
        let mut bytes = Vec::new();
        match self.input.read_until(b'\n', &mut bytes) {
            Err(error) => {
                self.ended = true;
                return Some(Err(Fault::read(&error)));
            }
            Ok(0) => {
                self.ended = true;
                return None;
            }
            Ok(_) => {}
        }
        if bytes.ends_with(b"\n") {
            bytes.pop();
            if bytes.ends_with(b"\r") {
                bytes.pop();
            }
        }
        self.number += 1;
        Some(Ok(Line { number: self.number, bytes }))
    }
}
