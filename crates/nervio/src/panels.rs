//! Files of panels: written once, found whenever their folder is loaded.

use std::path::PathBuf;

use nervio_bert::{PanelKey, TokenClassifier, WeightDtype, stored_kind};
use nervio_simd::Isa;
use nervio_weights::{BertTensors, Checkpoint, OpenOptions};

use crate::source::Parts;
use crate::{Error, RecognizerBuilder};

/// A file of panels that was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Panels {
    /// Where it is.
    pub file: PathBuf,
    /// How the weights are held: `f32`, `f16`, `bf16`, `int8` or `mixed`.
    pub dtype: &'static str,
    /// The instruction set that it is for.
    pub isa: String,
    /// Its size in bytes.
    pub bytes: u64,
}

/// Packs the weights of the builder's folder and writes them beside the checkpoint.
pub(crate) fn pack(builder: &RecognizerBuilder) -> Result<Panels, Error> {
    let (isa, pool) = builder.machine()?;
    let source = builder.source()?;
    let Some(folder) = source.folder() else {
        return Err(Error::Option {
            option: "--model",
            expected: "a model folder to write to".to_owned(),
            found: "the embedded model".to_owned(),
        });
    };
    let parts = source.open(builder.mmap)?;
    let tensors = BertTensors::new(&parts.checkpoint)?;
    let mut key = unnamed_key(isa, builder, &parts, &tensors);
    key.source = parts.checkpoint.fingerprint();
    let file = folder.join(key.file_name());
    pool.install(|| TokenClassifier::write_panels(&key, &parts.config, &tensors, &file))?;
    let bytes = Checkpoint::open_file(&file, &OpenOptions::default())?.total_bytes();
    let dtype = key.kind.map_or("mixed", nervio_bert::WeightKind::name);
    Ok(Panels { file, dtype, isa: isa.panel_level().to_string(), bytes })
}

/// The file of panels for this machine and the builder's wishes, if its folder has one. Without
/// mapping there is none: its point is that nothing is copied.
pub(crate) fn find(
    isa: Isa,
    builder: &RecognizerBuilder,
    parts: &Parts,
    tensors: &BertTensors,
) -> Result<Option<(PanelKey, Checkpoint)>, Error> {
    let Some(folder) = builder.source()?.folder().filter(|_| builder.mmap) else { return Ok(None) };
    let mut key = unnamed_key(isa, builder, parts, tensors);
    let file = folder.join(key.file_name());
    if !file.exists() {
        return Ok(None);
    }
    key.source = parts.checkpoint.fingerprint();
    Ok(Some((key, Checkpoint::open_file(&file, &OpenOptions::default())?)))
}

/// The key of the panels that the builder asks for, without their source.
fn unnamed_key(
    isa: Isa,
    builder: &RecognizerBuilder,
    parts: &Parts,
    tensors: &BertTensors,
) -> PanelKey {
    let kind = match builder.dtype.weights() {
        WeightDtype::Fixed(kind) => Some(kind),
        WeightDtype::Auto => stored_kind(&parts.config, tensors),
    };
    PanelKey { isa, kind, source: String::new() }
}
