//! Where bytes come from: an argument, a file or standard input.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Cursor, IsTerminal, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Bytes on their way to a reader.
pub(super) type Input = Box<dyn BufRead + Send>;

/// Bytes read at once; also how finely progress is known.
const BUFFER: usize = 16 * 1024;

/// UTF-8's byte order mark, which some editors put at the start of a file.
const BOM: [u8; 3] = [0xEF, 0xBB, 0xBF];

/// One place that documents come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Source {
    /// A document given on the command line; the first is number 1.
    Argument {
        /// Its place among the texts.
        number: usize,
        /// The document itself.
        text: String,
    },
    /// A file by its path.
    File(PathBuf),
    /// Standard input.
    Stdin,
}

impl Source {
    /// The sources of the command line, in order: texts, then files (`-` is standard input),
    /// else standard input. `None` if that would be a terminal that nobody has been asked to use.
    pub(crate) fn collect(texts: Vec<String>, inputs: &[PathBuf]) -> Option<Vec<Self>> {
        let mut sources: Vec<Self> = texts
            .into_iter()
            .enumerate()
            .map(|(index, text)| Self::Argument { number: index + 1, text })
            .collect();
        sources.extend(inputs.iter().map(|path| Self::of_path(path)));
        if sources.is_empty() {
            if io::stdin().is_terminal() {
                return None;
            }
            sources.push(Self::Stdin);
        }
        Some(sources)
    }

    /// The file of that path; `-` is standard input.
    pub(crate) fn of_path(path: &Path) -> Self {
        if path == Path::new("-") { Self::Stdin } else { Self::File(path.to_owned()) }
    }

    /// The name shown in messages.
    pub(crate) fn name(&self) -> Arc<str> {
        match self {
            Self::Argument { number, .. } => format!("argument {number}").into(),
            Self::File(path) => path.display().to_string().into(),
            Self::Stdin => "<stdin>".into(),
        }
    }

    /// Its size in bytes, known only of regular files.
    pub(crate) fn size(&self) -> Option<u64> {
        match self {
            Self::Argument { .. } => Some(0),
            Self::File(path) => {
                path.metadata().ok().filter(std::fs::Metadata::is_file).map(|file| file.len())
            }
            Self::Stdin => None,
        }
    }
}

/// Bytes read from all sources so far, for a progress bar.
pub(super) type ByteCount = Arc<AtomicU64>;

/// A reader that counts the bytes that go through.
struct Counted<R> {
    inner: R,
    count: ByteCount,
}

impl<R: Read> Read for Counted<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.inner.read(buffer)?;
        self.count.fetch_add(read as u64, Ordering::Relaxed);
        Ok(read)
    }
}

/// Opens a file for a reader and counts what is read of it.
pub(super) fn open(path: &Path, count: &ByteCount) -> io::Result<Input> {
    buffered(Counted { inner: File::open(path)?, count: Arc::clone(count) })
}

/// Standard input for a reader.
pub(super) fn stdin() -> io::Result<Input> {
    buffered(io::stdin())
}

/// Buffers `reader` and leaves out a byte order mark at its start.
pub(super) fn buffered(mut reader: impl Read + Send + 'static) -> io::Result<Input> {
    let mut start = Vec::with_capacity(BOM.len());
    reader.by_ref().take(BOM.len() as u64).read_to_end(&mut start)?;
    if start == BOM {
        start.clear();
    }
    Ok(Box::new(BufReader::with_capacity(BUFFER, Cursor::new(start).chain(reader))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_byte_order_mark_is_left_out_only_at_the_start() {
        let cases: [(&[u8], &[u8]); 4] = [
            (b"\xEF\xBB\xBFab\xEF\xBB\xBF", b"ab\xEF\xBB\xBF"),
            (b"\xEF\xBB", b"\xEF\xBB"),
            (b"", b""),
            (b"abcd", b"abcd"),
        ];
        for (bytes, expected) in cases {
            let mut read = Vec::new();
            buffered(Cursor::new(bytes.to_vec())).unwrap().read_to_end(&mut read).unwrap();
            assert_eq!(read, expected);
        }
    }

    #[test]
    fn texts_come_before_files_and_a_dash_is_standard_input() {
        let sources =
            Source::collect(vec!["Ana".to_owned()], &["-".into(), "a.txt".into()]).unwrap();
        let names: Vec<String> = sources.iter().map(|source| source.name().to_string()).collect();
        assert_eq!(names, ["argument 1", "<stdin>", "a.txt"]);
    }

    #[test]
    fn every_byte_is_counted() {
        let count = ByteCount::default();
        let inner = Cursor::new(vec![b'a'; 100_000]);
        let mut input = buffered(Counted { inner, count: Arc::clone(&count) }).unwrap();
        io::copy(&mut input, &mut io::sink()).unwrap();
        assert_eq!(count.load(Ordering::Relaxed), 100_000);
    }
}
