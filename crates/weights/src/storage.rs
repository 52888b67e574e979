//! Where the bytes of a weights file live.

use std::fs::File;
use std::io::{self, Read};
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
        let failed = |action| move |source| Error::Io { action, file: path.to_owned(), source };
        let mut file = File::open(path).map_err(failed("open"))?;
        let metadata = file.metadata().map_err(failed("read"))?;
        if !metadata.is_file() {
            let source = io::Error::new(io::ErrorKind::InvalidInput, "not a regular file");
            return Err(failed("read")(source));
        }
        // An empty map is an error of its own on some systems.
        if options.mmap && metadata.len() > 0 {
            return mmap::map(&file).map(Self::Mapped).map_err(failed("map"));
        }
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes).map_err(failed("read"))?;
        Ok(Self::Owned(bytes))
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        match self {
            Self::Mapped(map) => map,
            Self::Owned(bytes) => bytes,
            Self::Static(bytes) => bytes,
        }
    }
}
