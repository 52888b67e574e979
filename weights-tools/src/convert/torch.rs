//! PyTorch's checkpoints: `torch.save` of a dictionary of tensors, as a zip file (since 1.6) or as
//! a row of pickles (before). Pickles are read, never run.

mod legacy;
mod machine;
mod opcodes;
mod state;
mod strided;
mod zipped;

use std::fs::File;
use std::io::Read;
use std::path::Path;

use anyhow::{Context, Result, bail};

use super::reader::Reader;

/// Most bytes of one pickle. That of a large BERT takes a hundredth.
const MAX_PICKLE: u64 = 16 << 20;

/// Opens a file that `torch.save` wrote, in either format.
///
/// # Errors
/// When it is neither, is cut, or holds anything but dictionaries of tensors and plain values.
pub(crate) fn open(path: &Path) -> Result<Box<dyn Reader>> {
    let describe = || path.display().to_string();
    let mut file = File::open(path).with_context(describe)?;
    let mut start = Vec::new();
    file.by_ref().take(4).read_to_end(&mut start).with_context(describe)?;
    match start.as_slice() {
        b"PK\x03\x04" => Ok(Box::new(zipped::Zipped::open(path)?)),
        [0x80, ..] => Ok(Box::new(legacy::Legacy::open(path)?)),
        _ => bail!(
            "{}: expected a file of torch.save (a zip file or a pickle), found the bytes {start:02x?}",
            path.display()
        ),
    }
}
