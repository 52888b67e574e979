//! Threads that help each other out at the end of a batch of which each has sequences of its own.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use nervio_kernels::with_threads;

/// How many of the threads that take sequences of a batch are not done with theirs. Clones tell the same.
#[derive(Clone, Debug, Default)]
pub(crate) struct Helpers(Arc<Threads>);

#[derive(Debug, Default)]
struct Threads {
    all: AtomicUsize,
    busy: AtomicUsize,
}

impl Helpers {
    /// A batch begins, of which each of `threads` threads is about to take sequences of its own.
    pub(crate) fn begin(&self, threads: usize) {
        self.0.all.store(threads, Ordering::Relaxed);
        self.0.busy.store(threads, Ordering::Relaxed);
    }

    /// A thread has nothing more to do of its own, or is in the middle of another pass and takes nothing.
    pub(crate) fn one_is_done(&self) {
        // More threads may come than there was something for.
        let one_less = |busy: usize| busy.checked_sub(1);
        let _ = self.0.busy.fetch_update(Ordering::Relaxed, Ordering::Relaxed, one_less);
    }

    /// Runs a step of a pass, on more threads than one from when there are two for each that is not done with
    /// its sequences. Its results are the same.
    pub(crate) fn run<R>(&self, step: impl FnOnce() -> R) -> R {
        let all = self.0.all.load(Ordering::Relaxed);
        let each = all / self.0.busy.load(Ordering::Relaxed).max(1);
        if each > 1 { with_threads(each, step) } else { step() }
    }
}

#[cfg(test)]
mod tests {
    use nervio_kernels::{alone, threads};

    use super::*;

    #[test]
    fn a_step_is_shared_once_enough_threads_are_done() {
        let (one, other) = (Helpers::default(), Helpers::default());
        let pool = rayon::ThreadPoolBuilder::new().num_threads(5).build().unwrap();
        let step = |helpers: &Helpers| pool.install(|| alone(|| (helpers.run(threads), threads())));
        assert_eq!(step(&one), (1, 1));
        one.begin(5);
        let clone = one.clone();
        for each in [1, 1, 1, 2, 5] {
            assert_eq!((step(&one), step(&other)), ((each, 1), (1, 1)));
            clone.one_is_done();
        }
        // A pass of all threads stays one.
        assert_eq!(pool.install(|| other.run(threads)), 5);
        one.begin(5);
        assert_eq!(step(&clone), (1, 1));
    }
}
