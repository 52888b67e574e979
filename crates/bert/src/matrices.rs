//! The weights of all linear layers, read into one stretch of memory.

use std::ops::Range;
use std::sync::Arc;

use nervio_kernels::{Aligned, PackedMatrix, SharedBytes, WeightKind};
use nervio_simd::Isa;
use rayon::prelude::*;

use crate::LoadError;
use crate::reader::{Panels, WeightReader};

/// Bytes of a cache line, on which all panels begin.
const LINE: usize = 64;

/// The weights of one or more linear layers with the same input, one below the other.
pub(crate) struct MatrixSource {
    /// The modules; `[outputs, inputs]` each.
    pub(crate) names: Vec<String>,
    pub(crate) outputs: usize,
    pub(crate) inputs: usize,
}

impl MatrixSource {
    /// The dimensions of the whole: `[outputs, inputs]`.
    pub(crate) fn shape(&self) -> (usize, usize) {
        (self.names.len() * self.outputs, self.inputs)
    }

    /// Elements of its panels.
    pub(crate) fn panels_len(&self, isa: Isa, kind: WeightKind) -> usize {
        let (rows, inputs) = self.shape();
        PackedMatrix::panel_shape(isa, kind, rows, inputs).iter().product()
    }
}

/// Reads matrices in parallel, packed one behind the other.
///
/// In memory of their own, those smaller than a huge page and the ends of all others would lie in
/// small pages, whose addresses take long to look up when every weight is read once.
pub(crate) fn read_matrices(
    reader: &impl WeightReader,
    sources: &[MatrixSource],
) -> Result<Vec<PackedMatrix>, LoadError> {
    let isa = reader.isa();
    let mut lens = Vec::with_capacity(sources.len());
    for source in sources {
        lens.push(reader.packs(source)?.map_or(0, |kind| {
            (source.panels_len(isa, kind) * kind.bytes()).next_multiple_of(LINE)
        }));
    }
    let mut memory = Aligned::<u8>::new(lens.iter().sum());
    let mut rest = memory.as_mut_slice();
    let mut jobs = Vec::with_capacity(sources.len());
    for (source, len) in sources.iter().zip(&lens) {
        let (room, behind) = rest.split_at_mut(*len);
        jobs.push((source, room));
        rest = behind;
    }
    let read = jobs.into_par_iter().map(|(source, room)| reader.matrix(source, room));
    // One result for each matrix first: whichever thread fails, the first one is named.
    let read: Vec<Result<Panels, LoadError>> = read.collect();
    let memory = Arc::new(memory);
    let mut start = 0;
    let placed = read.into_iter().zip(sources).zip(&lens).map(|((panels, source), len)| {
        let range = start..start + len;
        start += len;
        let matrix = place(isa, panels?, source, &memory, range);
        reader.placed(source, &matrix);
        Ok(matrix)
    });
    placed.collect()
}

/// The matrix whose panels are where they were read to; `range` is its part of `memory`.
fn place(
    isa: Isa,
    panels: Panels,
    source: &MatrixSource,
    memory: &Arc<Aligned<u8>>,
    range: Range<usize>,
) -> PackedMatrix {
    let (kind, columns) = match panels {
        Panels::InPlace(matrix) => return matrix,
        Panels::InRoom(kind, columns) => (kind, columns),
    };
    let range = range.start..range.start + source.panels_len(isa, kind) * kind.bytes();
    let panels: SharedBytes = Arc::new(Stretch { memory: Arc::clone(memory), range });
    PackedMatrix::from_panels(isa, kind, source.shape(), panels, columns)
        .unwrap_or_else(|| unreachable!("a matrix was packed into room of its length"))
}

/// A part of the memory of all matrices.
struct Stretch {
    memory: Arc<Aligned<u8>>,
    range: Range<usize>,
}

impl AsRef<[u8]> for Stretch {
    fn as_ref(&self) -> &[u8] {
        &self.memory.as_slice()[self.range.clone()]
    }
}
