//! Mapping a file into memory.
#![allow(unsafe_code, reason = "a mapped file can change under the program; see the contract")]

use std::fs::File;
use std::io;

use memmap2::Mmap;

/// Maps the whole of a file, read-only.
///
/// The contract, which is the caller's and cannot be checked: nobody changes the file while it is
/// mapped. One that is replaced by another of the same name, or removed, stays as it was; one that
/// is cut short raises a signal (SIGBUS) on access. That is why the map is dropped once the weights
/// are packed, and why it can be avoided altogether
/// ([`OpenOptions::mmap`](crate::OpenOptions::mmap)).
pub(crate) fn map(file: &File) -> io::Result<Mmap> {
    // SAFETY: the file must not be modified while it is mapped, as `OpenOptions::mmap` asks of
    // whoever opens a checkpoint. The map is read-only and all offsets into it are checked against
    // its length. Its bytes are only ever read as numbers, of which any bit pattern is valid.
    unsafe { Mmap::map(file) }
}
