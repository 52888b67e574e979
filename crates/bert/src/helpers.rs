//! Threads that help each other out at the end of a batch of which each has sequences of its own.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use nervio_kernels::together;

/// Whether a thread that takes sequences of a batch is done with its own. Clones tell the same.
#[derive(Clone, Debug, Default)]
pub(crate) struct Helpers(Arc<AtomicBool>);

impl Helpers {
    /// A batch begins, and every thread has sequences of its own to do.
    pub(crate) fn begin(&self) {
        self.0.store(false, Ordering::Relaxed);
    }

    /// A thread has done all of its sequences.
    pub(crate) fn one_is_done(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    /// Runs a step of a pass, on all threads from when one of them has nothing of its own left. Its results
    /// are the same.
    pub(crate) fn run<R>(&self, step: impl FnOnce() -> R) -> R {
        if self.0.load(Ordering::Relaxed) { together(step) } else { step() }
    }
}

#[cfg(test)]
mod tests {
    use nervio_kernels::{alone, threads};

    use super::*;

    #[test]
    fn a_step_is_shared_once_a_thread_is_done() {
        let (one, other) = (Helpers::default(), Helpers::default());
        let clone = one.clone();
        let pool = rayon::ThreadPoolBuilder::new().num_threads(3).build().unwrap();
        let step = |helpers: &Helpers| pool.install(|| alone(|| (helpers.run(threads), threads())));
        assert_eq!(step(&one), (1, 1));
        clone.one_is_done();
        assert_eq!((step(&one), step(&other)), ((3, 1), (1, 1)));
        one.begin();
        assert_eq!(step(&clone), (1, 1));
    }
}
