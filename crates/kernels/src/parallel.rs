//! Cutting a matrix into pieces for the threads of the current rayon pool.

use std::cell::Cell;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::LocalKey;

use nervio_simd::MatMut;
use rayon::Yield;

use crate::matmul::RowPanels;

/// Rounds without work after which a waiting thread offers its processor to others.
const PATIENCE: usize = 256;

/// Most jobs of others that [`give_way`] does at once.
const JOBS: usize = 64;

thread_local! {
    /// Whether this thread stays awake already, in a pass of its own or waiting for another's work.
    static AWAKE: Cell<bool> = const { Cell::new(false) };
    /// Threads for which kernels that this thread calls are cut, at the most: one where it is alone.
    static MOST: Cell<usize> = const { Cell::new(usize::MAX) };
    /// Whether this thread is in the middle of a pass, whatever it does meanwhile.
    static INSIDE: Cell<bool> = const { Cell::new(false) };
}

/// Changes what this thread knows of itself until it is dropped.
struct Flagged<T: Copy + 'static> {
    flag: &'static LocalKey<Cell<T>>,
    before: T,
}

impl<T: Copy> Flagged<T> {
    fn set(flag: &'static LocalKey<Cell<T>>, value: T) -> Self {
        Self { flag, before: flag.replace(value) }
    }
}

impl<T: Copy> Drop for Flagged<T> {
    fn drop(&mut self) {
        self.flag.set(self.before);
    }
}

/// Runs `work`, a pass, while the other threads of the current rayon pool stay awake.
///
/// Waking a thread takes some 50 µs, as long as a small product, and a forward pass has dozens of
/// them. Until `work` is done the others look for its pieces without going to sleep. Outside a pool
/// and in a pool of one thread this is `work()`.
pub fn keep_awake<R>(work: impl FnOnce() -> R) -> R {
    let Some(here) = rayon::current_thread_index().filter(|_| rayon::current_num_threads() > 1)
    else {
        return work();
    };
    let done = Arc::new(AtomicBool::new(false));
    let _awake = Flagged::set(&AWAKE, true);
    let _inside = Flagged::set(&INSIDE, true);
    // Set when this function is left, however it is. Nobody waits for a thread that has something else to do until
    // then.
    let _guard = SetOnDrop(&done);
    let theirs = Arc::clone(&done);
    rayon::spawn_broadcast(move |context| {
        // In the middle of one pass a thread must not wait for the end of another: that one may
        // need what the first has yet to do.
        if context.index() != here && !AWAKE.get() {
            wait(|| theirs.load(Ordering::Acquire));
        }
    });
    work()
}

/// Does what other threads leave to be done until `done`.
fn wait(done: impl Fn() -> bool) {
    let _awake = Flagged::set(&AWAKE, true);
    let mut idle = 0;
    while !done() {
        if rayon::yield_now() == Some(Yield::Executed) {
            idle = 0;
            continue;
        }
        idle += 1;
        if idle % PATIENCE == 0 {
            std::thread::yield_now();
        } else {
            std::hint::spin_loop();
        }
    }
}

/// Runs both, the second on another thread of the pool if one is free.
///
/// With [`rayon::join`] a thread whose half is done first soon goes to sleep, and products are too
/// short to be woken in between: here it looks for other work until the second half is done too.
pub fn join(first: impl FnOnce() + Send, second: impl FnOnce() + Send) {
    let done = AtomicBool::new(false);
    // Also until rayon has noticed that the second half is done.
    let _awake = Flagged::set(&AWAKE, true);
    let _inside = Flagged::set(&INSIDE, true);
    // What this thread finds of others while it waits is cut as they say.
    let most = MOST.get();
    let _all = Flagged::set(&MOST, usize::MAX);
    rayon::join(
        || {
            {
                let _most = Flagged::set(&MOST, most);
                first();
            }
            // If nobody took the second half, it is found here.
            wait(|| done.load(Ordering::Acquire));
        },
        || {
            let _guard = SetOnDrop(&done);
            let _most = Flagged::set(&MOST, most);
            second();
        },
    );
}

/// Runs `work`, whose kernels are then computed by this thread alone.
///
/// Threads that take some rows or sequences each through several kernels wait for one another at the end
/// instead of after each kernel. What is computed is the same. `work` should not share out anything itself: pieces
/// that others take are not alone.
pub fn alone<R>(work: impl FnOnce() -> R) -> R {
    let _alone = Flagged::set(&MOST, 1);
    let _inside = Flagged::set(&INSIDE, true);
    work()
}

/// Runs `work`, which takes pieces of something until there are no more, on this thread and on all others of
/// the current rayon pool, each [`alone`].
///
/// A thread in the middle of another pass does not take part, since that one would have to wait for all of `work`:
/// it calls `decline` instead, once. Who is done before others stays awake and does what they leave to be done,
/// until each thread has been asked: one that is busy with something else is waited for.
pub fn each_alone(work: &(impl Fn() + Sync), decline: &(impl Fn() + Sync)) {
    let working = AtomicUsize::new(0);
    // To the end, where others may still have to decline.
    let _inside = Flagged::set(&INSIDE, true);
    rayon::scope(|scope| {
        let (here, working) = (rayon::current_thread_index(), &working);
        scope.spawn_broadcast(move |_, context| {
            if Some(context.index()) == here {
                return;
            }
            if INSIDE.get() {
                return decline();
            }
            working.fetch_add(1, Ordering::Relaxed);
            let _guard = SubtractOnDrop(working);
            alone(work);
        });
        alone(work);
        wait(|| working.load(Ordering::Acquire) == 0);
    });
}

/// In the middle of long work on one thread, [`alone`] or in a pool of one, does what others have left to be done
/// meanwhile, if anything: a pass that is shared out may wait for this thread. Elsewhere kernels do so
/// whenever they share work out.
pub fn give_way() {
    if threads() > 1 {
        return;
    }
    let _shared = Flagged::set(&MOST, usize::MAX);
    // Not to wait for the end of another pass: see `keep_awake`.
    let _awake = Flagged::set(&AWAKE, true);
    // Not for ever: a job may put itself back for another thread.
    for _ in 0..JOBS {
        if rayon::yield_now() != Some(Yield::Executed) {
            break;
        }
    }
}

/// In the middle of work [`alone`], runs a step of it whose kernels are cut for `most` threads again, if the pool
/// has as many: some may have nothing else to do any more. What is computed is the same.
pub fn with_threads<R>(most: usize, step: impl FnOnce() -> R) -> R {
    let _shared = Flagged::set(&MOST, most.max(1));
    step()
}

/// Threads that a kernel may use here: those of the current pool, but one inside of [`alone`] and no more than
/// [`with_threads`] says.
#[must_use]
pub fn threads() -> usize {
    rayon::current_num_threads().min(MOST.get())
}

/// Whether this thread is in the middle of a pass, or waits in [`join`]: others may wait for it.
#[must_use]
pub fn is_inside() -> bool {
    INSIDE.get()
}

struct SetOnDrop<'a>(&'a AtomicBool);

impl Drop for SetOnDrop<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Release);
    }
}

struct SubtractOnDrop<'a>(&'a AtomicUsize);

impl Drop for SubtractOnDrop<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Release);
    }
}

/// Multiply-adds (or a like amount of work) below which a second thread costs more than it saves:
/// waking one takes some 10 µs, in which a core does about this many.
pub(crate) const GRAIN: usize = 1 << 18;

/// Runs `work` on each of `parts` stretches of rows of `out`, and on the number of its first row, in parallel.
/// The first stretch falls to this thread.
pub(crate) fn for_each_part<F: Fn(MatMut<'_>, usize) + Sync>(
    out: MatMut<'_>,
    parts: usize,
    work: &F,
) {
    share_rows(out, 0, parts, work);
}

fn share_rows<F: Fn(MatMut<'_>, usize) + Sync>(
    out: MatMut<'_>,
    first: usize,
    parts: usize,
    work: &F,
) {
    if parts < 2 {
        return work(out, first);
    }
    let half = parts / 2;
    let border = out.rows() * half / parts;
    let (top, bottom) = out.split_rows(border);
    join(
        || share_rows(top, first, half, work),
        || share_rows(bottom, first + border, parts - half, work),
    );
}

/// A block of an output matrix with its place in it.
pub(crate) struct Block<'a> {
    /// The elements of the block.
    pub(crate) out: MatMut<'a>,
    /// The row of the whole matrix at which it begins.
    pub(crate) row: usize,
    /// The column of the whole matrix at which it begins.
    pub(crate) column: usize,
}

/// Where a matrix may be cut between rows.
pub(crate) enum RowBorders {
    /// Before every row.
    All,
    /// Before rows whose number is a multiple of this.
    Every(usize),
    /// On borders of row panels.
    Panels(RowPanels),
}

/// How a matrix may be cut.
pub(crate) struct Cut {
    /// Where cuts between rows may fall.
    pub(crate) rows: RowBorders,
    /// Cuts between columns fall on multiples of this.
    pub(crate) column_step: usize,
    /// Work for one element of the output, in multiply-adds.
    pub(crate) cost: usize,
    /// About how many pieces to cut.
    pub(crate) pieces: usize,
}

/// Runs `work` on blocks that together cover `out`, in parallel where that pays. Cuts fall between
/// columns as long as there are any to cut between.
///
/// Which element is computed how must not depend on the cuts: then the result is the same for any
/// number of threads.
pub(crate) fn for_each_block<F: Fn(Block<'_>) + Sync>(out: MatMut<'_>, cut: &Cut, work: &F) {
    divide(Block { out, row: 0, column: 0 }, cut, cut.pieces, work);
}

fn divide<F: Fn(Block<'_>) + Sync>(block: Block<'_>, cut: &Cut, pieces: usize, work: &F) {
    let Block { out, row, column } = block;
    let (rows, columns) = (out.rows(), out.columns());
    let amount = rows.saturating_mul(columns).saturating_mul(cut.cost);
    let row_cut = match &cut.rows {
        RowBorders::All => middle(rows, 1),
        RowBorders::Every(step) => middle(rows, *step),
        RowBorders::Panels(panels) => panels.middle(row, row + rows).map(|border| border - row),
    };
    let column_cut = middle(columns, cut.column_step);
    if pieces < 2 || amount < 2 * GRAIN || (row_cut.is_none() && column_cut.is_none()) {
        return work(Block { out, row, column });
    }
    let (first, second) = match (row_cut.filter(|_| column_cut.is_none()), column_cut) {
        (Some(at), _) => {
            let (top, bottom) = out.split_rows(at);
            (Block { out: top, row, column }, Block { out: bottom, row: row + at, column })
        }
        (None, Some(at)) => {
            let (left, right) = out.split_columns(at);
            (Block { out: left, row, column }, Block { out: right, row, column: column + at })
        }
        (None, None) => return work(Block { out, row, column }),
    };
    let half = pieces.div_ceil(2);
    join(|| divide(first, cut, half, work), || divide(second, cut, half, work));
}

/// The multiple of `step` nearest the middle of `len`, if it cuts off something on both sides.
fn middle(len: usize, step: usize) -> Option<usize> {
    let at = len.div_ceil(step) / 2 * step;
    (at > 0 && at < len).then_some(at)
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicUsize;
    use std::sync::{Barrier, Mutex, mpsc};
    use std::thread;
    use std::time::Duration;

    use super::*;

    #[test]
    fn work_runs_once_and_its_pieces_are_shared() {
        for threads in [1, 2, 4] {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            let sum = pool.install(|| keep_awake(|| rayon::join(|| 1, || rayon::join(|| 2, || 3))));
            assert_eq!(sum, (1, (2, 3)));
        }
        assert_eq!(keep_awake(|| 7), 7);
    }

    #[test]
    fn a_pass_does_not_wait_for_a_thread_that_is_busy_with_something_else() {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(2).build().unwrap();
        let (go_on, wait) = mpsc::channel::<()>();
        let (busy, is_busy) = mpsc::channel();
        pool.spawn(move || {
            busy.send(()).unwrap();
            let _ = wait.recv();
        });
        is_busy.recv().unwrap();
        let (sender, receiver) = mpsc::channel();
        pool.spawn(move || sender.send(keep_awake(|| 7)).unwrap());
        assert_eq!(receiver.recv_timeout(Duration::from_secs(20)), Ok(7));
        go_on.send(()).unwrap();
    }

    #[test]
    fn a_pass_does_not_wait_for_the_end_of_another() {
        // Two passes begin on threads of their own, and other threads have the second halves of their
        // products: meanwhile each may find that the other wants it to stay awake.
        let pool = Arc::new(rayon::ThreadPoolBuilder::new().num_threads(4).build().unwrap());
        let both = Arc::new(Barrier::new(2));
        let (sender, receiver) = mpsc::channel();
        for _ in 0..2 {
            let (pool, both, sender) = (pool.clone(), both.clone(), sender.clone());
            thread::spawn(move || {
                let taken = AtomicBool::new(false);
                let first = || {
                    while !taken.load(Ordering::Acquire) {
                        thread::yield_now();
                    }
                };
                let second = || {
                    taken.store(true, Ordering::Release);
                    thread::sleep(Duration::from_millis(50));
                };
                pool.install(|| {
                    both.wait();
                    keep_awake(|| join(first, second));
                });
                sender.send(()).unwrap();
            });
        }
        for _ in 0..2 {
            receiver.recv_timeout(Duration::from_secs(20)).expect("both passes end");
        }
    }

    #[test]
    fn a_thread_is_alone_until_its_work_is_left() {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(2).build().unwrap();
        let left = pool.install(|| {
            let caught = std::panic::catch_unwind(|| alone(|| assert_eq!(alone(threads), 2)));
            assert!(caught.is_err(), "one thread");
            assert_eq!((alone(|| (alone(threads), threads())), threads()), ((1, 1), 2));
            let step = |most| (with_threads(most, threads), threads());
            assert_eq!(alone(|| [0, 2, 9].map(step)), [(1, 1), (2, 1), (2, 1)]);
            threads()
        });
        assert_eq!(left, 2);
    }

    #[test]
    fn all_threads_run_the_same_work_alone() {
        for count in [1, 2, 3] {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(count).build().unwrap();
            let together = Barrier::new(count);
            let seen = Mutex::new(Vec::new());
            let work = || {
                // Nobody goes on before all have begun.
                together.wait();
                seen.lock().unwrap().push((rayon::current_thread_index(), threads()));
            };
            pool.install(|| keep_awake(|| each_alone(&work, &|| ())));
            let mut seen = seen.into_inner().unwrap();
            seen.sort_unstable();
            assert_eq!(seen, (0..count).map(|index| (Some(index), 1)).collect::<Vec<_>>());
        }
    }

    #[test]
    fn a_thread_in_the_middle_of_a_pass_leaves_the_work_of_each_to_others() {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(2).build().unwrap();
        let (both, begun, done) = (Barrier::new(2), Barrier::new(2), AtomicBool::new(false));
        let (workers, declined) = (Mutex::new(Vec::new()), AtomicUsize::new(0));
        let work = || workers.lock().unwrap().push(rayon::current_thread_index());
        let decline = || _ = declined.fetch_add(1, Ordering::Relaxed);
        let pass = || {
            alone(|| {
                both.wait();
                begun.wait();
                while !done.load(Ordering::Acquire) {
                    give_way();
                }
            });
        };
        thread::scope(|scope| {
            scope.spawn(|| pool.install(pass));
            scope.spawn(|| {
                pool.install(|| {
                    both.wait();
                    begun.wait();
                    each_alone(&work, &decline);
                    done.store(true, Ordering::Release);
                });
            });
        });
        assert_eq!((workers.into_inner().unwrap().len(), declined.into_inner()), (1, 1));
    }

    #[test]
    fn a_thread_that_is_alone_gives_way_to_others() {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(1).build().unwrap();
        let (done, seen) = (&AtomicBool::new(false), &Mutex::new(Vec::new()));
        pool.in_place_scope(|scope| {
            let note = move || seen.lock().unwrap().push((MOST.get() == 1, AWAKE.get()));
            scope.spawn(move |_| {
                alone(|| {
                    while !done.load(Ordering::Acquire) {
                        give_way();
                    }
                    note();
                });
            });
            scope.spawn(move |_| {
                note();
                done.store(true, Ordering::Release);
            });
        });
        // The other's work is shared out as usual, and may not wait for passes.
        assert_eq!(*seen.lock().unwrap(), [(false, true), (true, false)]);
    }

    #[test]
    fn nobody_stays_awake_after_a_panic() {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(2).build().unwrap();
        let awake = || pool.broadcast(|_| AWAKE.get()).contains(&true);
        pool.install(|| {
            keep_awake(|| while pool.broadcast(|_| AWAKE.get()).contains(&false) {});
        });
        let failing = || pool.install(|| keep_awake(|| panic!("the work failed")));
        let failing = std::panic::AssertUnwindSafe(failing);
        assert!(std::panic::catch_unwind(failing).is_err());
        let start = std::time::Instant::now();
        while awake() {
            assert!(start.elapsed() < Duration::from_secs(20), "still awake");
        }
    }

    #[test]
    fn both_halves_are_done_when_they_are_joined() {
        let sum = AtomicUsize::new(0);
        let add = |x| _ = sum.fetch_add(x, Ordering::Relaxed);
        for threads in [1, 2, 3] {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            for round in 0..1000 {
                sum.store(0, Ordering::Relaxed);
                pool.install(|| {
                    join(|| join(|| add(1), || add(10)), || join(|| add(100), || add(1000)))
                });
                assert_eq!(sum.load(Ordering::Relaxed), 1111, "{threads} threads, round {round}");
            }
        }
        // Outside a pool the global one does the work.
        join(|| add(1), || add(2));
        assert_eq!(sum.load(Ordering::Relaxed), 1114);
    }

    #[test]
    fn a_panic_of_either_half_reaches_the_other() {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(2).build().unwrap();
        for half in 0..2 {
            let fail = |at| move || assert_ne!(at, half, "half {half} failed");
            let both = || pool.install(|| join(fail(0), fail(1)));
            let caught = std::panic::catch_unwind(std::panic::AssertUnwindSafe(both));
            let message = *caught.unwrap_err().downcast::<String>().unwrap();
            assert!(message.contains(&format!("half {half} failed")), "{message}");
        }
    }

    #[test]
    fn blocks_cover_everything_once_and_fall_on_steps() {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(4).build().unwrap();
        for (rows, columns) in [(1, 1), (6, 16), (7, 17), (50, 100), (1000, 3), (0, 5)] {
            for pieces in [1, 4, 16] {
                let mut buffer = vec![0.0; rows * columns];
                let panels = RowPanels::new(rows, 6);
                let cut =
                    Cut { rows: RowBorders::Panels(panels), column_step: 16, cost: GRAIN, pieces };
                pool.install(|| {
                    for_each_block(MatMut::new(&mut buffer, columns), &cut, &|mut block| {
                        assert_eq!(panels.start(panels.at(block.row)), block.row);
                        assert_eq!(block.column % 16, 0);
                        for row in 0..block.out.rows() {
                            block.out.row(row).iter_mut().for_each(|x| *x += 1.0);
                        }
                    });
                });
                assert!(buffer.iter().all(|x| *x == 1.0));
            }
        }
    }
}
