//! Where the bytes of a weights file live.

use std::fs::{self, File};
use std::io::{self, Read};
use std::ops::Range;
use std::path::Path;

use memmap2::Mmap;

use crate::{Error, OpenOptions, mmap};

/// The bytes of one file.
#[derive(Debug)]
pub(crate) enum Storage {
    /// Mapped from the file system.
    Mapped(Mmap),
    /// Read into memory of our own.
    Owned(Vec<u8>),
    /// Part of the program.
    Static(&'static [u8]),
}

impl Storage {
    /// Opens a file as the options say.
    pub(crate) fn open(path: &Path, options: &OpenOptions) -> Result<Self, Error> {
        let (file, len) = open_regular(path)?;
        // An empty map is an error of its own on some systems.
        let storage = if options.mmap && len > 0 {
            Self::Mapped(mmap::map(&file).map_err(io_error("map", path))?)
        } else {
            Self::Owned(read(file, len).map_err(io_error("read", path))?)
        };
        if storage.bytes().len() as u64 != len {
            return Err(Error::Changed { file: path.to_owned(), expected: len });
        }
        Ok(storage)
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        match self {
            Self::Mapped(map) => map,
            Self::Owned(bytes) => bytes,
            Self::Static(bytes) => bytes,
        }
    }

    /// Says that the bytes of `range` will all be read soon.
    pub(crate) fn will_read(&self, range: &Range<usize>) {
        if let Self::Mapped(map) = self {
            mmap::populate(map, range);
        }
    }

    /// Says that the bytes of `range` have been read and will hardly be read again.
    pub(crate) fn have_read(&self, range: &Range<usize>) {
        if let Self::Mapped(map) = self {
            mmap::release(map, range);
        }
    }
}

/// Reads `len` bytes, fewer if the file has become shorter, one more if it has become longer.
fn read(file: File, len: u64) -> io::Result<Vec<u8>> {
    let capacity = usize::try_from(len).map_err(|_| io::ErrorKind::OutOfMemory)?;
    let mut bytes = Vec::new();
    bytes.try_reserve_exact(capacity).map_err(|_| io::ErrorKind::OutOfMemory)?;
    file.take(len.saturating_add(1)).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// Opens a file and tells its length. Links are followed; what is no file at all is not opened,
/// since opening a pipe waits for its other end.
pub(crate) fn open_regular(path: &Path) -> Result<(File, u64), Error> {
    regular_len(path, &fs::metadata(path).map_err(io_error("open", path))?)?;
    let file = File::open(path).map_err(io_error("open", path))?;
    // Again on the open file: the name may have changed hands in between.
    let len = regular_len(path, &file.metadata().map_err(io_error("read", path))?)?;
    Ok((file, len))
}

/// The length of what is there, if it is a file.
pub(crate) fn regular_len(path: &Path, metadata: &fs::Metadata) -> Result<u64, Error> {
    if metadata.is_file() {
        return Ok(metadata.len());
    }
    let found =
        if metadata.is_dir() { "a folder" } else { "something else, such as a pipe or a device" };
    Err(Error::NotAFile { file: path.to_owned(), found })
}

/// Names the file in an error of the system.
pub(crate) fn io_error(action: &'static str, path: &Path) -> impl Fn(io::Error) -> Error {
    move |source| Error::Io { action, file: path.to_owned(), source }
}
