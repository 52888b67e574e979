//! `nervio pack`: weights in the order in which the kernels read them, in a file of their own.

use std::io::{self, Write};

use anyhow::Result;
use nervio::{ModelSource, Recognizer};

use crate::args::PackArgs;
use crate::failure::Outcome;

/// Runs the command.
pub(crate) fn run(arguments: &PackArgs) -> Result<Outcome> {
    let source = ModelSource::named(&arguments.folder)?;
    let panels = Recognizer::builder().model(source).dtype(arguments.dtype).pack()?;
    writeln!(
        io::stdout(),
        "{}: {} panels for {}, {}",
        panels.file.display(),
        panels.dtype,
        panels.isa,
        indicatif::BinaryBytes(panels.bytes)
    )?;
    Ok(Outcome::Success)
}
