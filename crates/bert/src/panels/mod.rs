//! Panels in a file: weights as the kernels read them, packed once for all processes of a machine.
//!
//! A file of panels is a safetensors file, `model.avx2.f32.panels.safetensors` beside the checkpoint
//! that it was made from. Its metadata names the instruction set, the width of the panels, the type
//! of the weights and the fingerprint of the source; where one differs, the file is refused. The
//! panels of a matrix `X.weight` are the tensor `X.panels`; those of matrices that are multiplied as
//! one are under their names with `+` between them. Vectors and tables keep their names. All lie
//! on cache lines, so they are used in place, and processes that map the file share its pages.

mod read;
mod write;

use nervio_kernels::WeightKind;
use nervio_simd::Isa;
use nervio_weights::Checkpoint;

use crate::LoadError;

pub(crate) use read::PanelReader;
pub(crate) use write::Recorder;

/// The layout of panels that this version writes and reads; another one is refused.
const LAYOUT: &str = "1";

/// What a file of panels is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PanelKey {
    /// The instruction set.
    pub isa: Isa,
    /// How the weights are held; `None` where they are not all held alike.
    pub kind: Option<WeightKind>,
    /// [`Checkpoint::fingerprint`] of the source.
    pub source: String,
}

impl PanelKey {
    /// The name of the file: `model.avx2.f32.panels.safetensors`.
    #[must_use]
    pub fn file_name(&self) -> String {
        format!("model.{}.{}.panels.safetensors", self.isa.panel_level(), self.dtype())
    }

    fn dtype(&self) -> &'static str {
        match self.kind {
            Some(kind) => kind.name(),
            None => "mixed",
        }
    }

    /// The metadata of the file.
    fn metadata(&self) -> [(&'static str, String); 5] {
        [
            ("nervio.panels", LAYOUT.to_owned()),
            ("instruction_set", self.isa.panel_level().to_string()),
            ("panel_width", self.isa.panel_width().to_string()),
            ("dtype", self.dtype().to_owned()),
            ("source", self.source.clone()),
        ]
    }

    /// Refuses a file that is for anything else.
    pub(crate) fn check(&self, panels: &Checkpoint) -> Result<(), LoadError> {
        let found = panels.metadata();
        for (key, expected) in self.metadata() {
            let found = found.get(key).copied();
            if found != Some(&expected) {
                return Err(LoadError::Panels {
                    file: panels.path().to_owned(),
                    key,
                    expected,
                    found: found.map_or("nothing".to_owned(), str::to_owned),
                });
            }
        }
        Ok(())
    }
}

fn panels_name(names: &[String]) -> String {
    format!("{}.panels", names.join("+"))
}

fn scales_name(name: &str) -> String {
    format!("{name}_scale")
}

fn sums_name(name: &str) -> String {
    format!("{name}_sum")
}
