//! All records of all sources, one after another.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use nervio::Document;

use super::record::{Fault, Parsed};
use super::source::{self, ByteCount};
use super::{
    Id, InputFormat, Item, Origin, ReadOptions, Reader, Record, RecordError, Source, reader,
};

/// The records of the sources in order. A source that cannot be opened is an error of its own
/// and the next one follows.
pub(crate) struct Records {
    sources: VecDeque<Source>,
    options: ReadOptions,
    bytes_read: ByteCount,
    current: Option<(Arc<str>, Reader)>,
    count: u64,
}

impl Records {
    /// The records of `sources`.
    pub(crate) fn new(sources: Vec<Source>, options: ReadOptions) -> Self {
        let bytes_read = ByteCount::default();
        Self { sources: sources.into(), options, bytes_read, current: None, count: 0 }
    }

    /// The reader of `source` in the asked or guessed format.
    fn open(&self, source: Source) -> std::io::Result<Reader> {
        let format = self.options.format;
        match source {
            Source::Argument { text, .. } => {
                let parsed = Parsed { id: None, document: Document::new(text), line: 0 };
                Ok(Box::new(std::iter::once(Ok(parsed))))
            }
            Source::Stdin => {
                Ok(reader(source::stdin()?, format.unwrap_or(InputFormat::Lines), &self.options))
            }
            Source::File(path) => {
                let input = source::open(&path, &self.bytes_read)?;
                let format = format.unwrap_or_else(|| InputFormat::of_path(&path));
                Ok(reader(input, format, &self.options))
            }
        }
    }

    /// Gives a parsed record its name and its place. A bad one takes a number too, so that the
    /// numbers of the others do not depend on it.
    fn finish(&mut self, source: Arc<str>, parsed: Result<Parsed, Fault>) -> Item {
        let number = self.count;
        self.count += 1;
        match parsed {
            Ok(Parsed { id, document, line }) => {
                let origin = Origin { source, line: (line > 0).then_some(line) };
                let bytes_read = self.bytes_read.load(Ordering::Relaxed);
                let id = id.unwrap_or(Id::Ordinal(number));
                Ok(Record { id, document, origin, bytes_read })
            }
            Err(Fault { line, message }) => {
                Err(RecordError { origin: Origin { source, line }, message })
            }
        }
    }
}

impl Iterator for Records {
    type Item = Item;

    fn next(&mut self) -> Option<Item> {
        loop {
            if let Some((name, reader)) = &mut self.current {
                if let Some(parsed) = reader.next() {
                    let name = Arc::clone(name);
                    return Some(self.finish(name, parsed));
                }
                self.current = None;
            }
            let source = self.sources.pop_front()?;
            let name = source.name();
            match self.open(source) {
                Ok(reader) => self.current = Some((name, reader)),
                Err(error) => {
                    let origin = Origin { source: name, line: None };
                    let message = format!("cannot open: {error}");
                    return Some(Err(RecordError { origin, message }));
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_follow_each_other_and_a_missing_one_is_an_error() {
        let folder = tempfile::tempdir().unwrap();
        let lines = folder.path().join("a.txt");
        let json = folder.path().join("b.jsonl");
        std::fs::write(&lines, b"uno\n\xFF\n").unwrap();
        std::fs::write(&json, "{\"text\":\"dos\"}\n").unwrap();
        let sources = vec![
            Source::File(lines),
            Source::File(folder.path().join("missing")),
            Source::File(json),
            Source::Argument { number: 1, text: "tres".into() },
        ];
        let items: Vec<Item> = Records::new(sources, ReadOptions::default()).collect();
        let shown: Vec<String> = items
            .iter()
            .map(|item| match item {
                Ok(record) => format!("{} {}", record.id, record.document.text),
                Err(error) => {
                    let message = error.to_string();
                    message.rsplit_once('/').unwrap().1.chars().take(16).collect()
                }
            })
            .collect();
        assert_eq!(shown, ["0 uno", "a.txt:2: invalid", "missing: cannot ", "2 dos", "3 tres"]);
    }
}
