//! Mapping a file into memory.
#![allow(unsafe_code, reason = "a mapped file can change under the program; see the contract")]

use std::fs::File;
use std::io;

use memmap2::Mmap;

/// Maps the whole of a file, read-only.
///
/// The contract that cannot be checked: nobody changes the file while it is mapped. One that is
/// replaced by another of the same name, or removed, stays as it was; one that is cut short raises
/// a signal on access. That is why the map is dropped once the weights are packed, and why it can
/// be avoided altogether ([`OpenOptions::mmap`](crate::OpenOptions::mmap)).
pub(crate) fn map(file: &File) -> io::Result<Mmap> {
    // SAFETY: the bytes are read as plain numbers and every offset into them is checked against
    // the length of the map, so a change of the file gives other numbers, not undefined types.
    unsafe { Mmap::map(file) }
}
