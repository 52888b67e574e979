//! Mapping a file into memory.
#![allow(unsafe_code, reason = "a mapped file can change under the program; see the contract")]

use std::fs::File;
use std::io;
use std::ops::Range;

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

/// Maps the pages of `range` all at once, which costs less than a fault for each of them.
///
/// Systems that cannot do so map them one by one when they are read.
pub(crate) fn populate(map: &Mmap, range: &Range<usize>) {
    #[cfg(target_os = "linux")]
    let _ = map.advise_range(memmap2::Advice::PopulateRead, range.start, range.len());
    #[cfg(not(target_os = "linux"))]
    let _ = (map, range);
}

/// Gives the pages of `range` back: they no longer count as memory of this process, and are read
/// from the file again should anybody ask for them.
pub(crate) fn release(map: &Mmap, range: &Range<usize>) {
    #[cfg(unix)]
    {
        let advice = memmap2::UncheckedAdvice::DontNeed;
        // SAFETY: the pages of a read-only map of a file are never written to, so none holds
        // anything but the bytes of the file, which stay as they are by the contract of `map`.
        let _ = unsafe { map.unchecked_advise_range(advice, range.start, range.len()) };
    }
    #[cfg(not(unix))]
    let _ = (map, range);
}
