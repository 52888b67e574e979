//! Tokens shared out among threads for a stretch of stages in which they do not look at each other.

use nervio_kernels::{alone, join};

use crate::probe::Probe;
use crate::scratch::LayerBuffers;

/// Runs `work` on the rows of each of some threads at the same time; for one thread on all rows, whose
/// kernels then use all threads.
///
/// Between two kernels threads would wait for one another. Here each keeps its rows in its caches until
/// all of `work` is done. `probe` watches the first of them.
pub(crate) fn by_rows<P: Probe, W>(
    buffers: LayerBuffers<'_>,
    threads: usize,
    probe: Option<&mut P>,
    work: &W,
) where
    W: Fn(LayerBuffers<'_>, Option<&mut P>) + Sync,
{
    if threads < 2 {
        return work(buffers, probe);
    }
    share(buffers, threads, probe, work);
}

fn share<P: Probe, W>(buffers: LayerBuffers<'_>, threads: usize, probe: Option<&mut P>, work: &W)
where
    W: Fn(LayerBuffers<'_>, Option<&mut P>) + Sync,
{
    if threads < 2 {
        return alone(|| work(buffers, probe));
    }
    let half = threads / 2;
    // As `matmul` cuts rows, so that the hidden states of a thread's rows are in its caches.
    let border = buffers.tokens * half / threads;
    let (first, second) = buffers.split(border);
    join(|| share(first, half, probe, work), || share(second, threads - half, None, work));
}
