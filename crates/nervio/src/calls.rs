//! Which of the calls that wait for the encoder are computed next, and together.

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Tokens for each thread up to which calls that wait are computed together: from there on nothing is gained.
const TOGETHER: usize = 256;

/// How many times the tokens of calls that are let in between must fit into those of short calls together.
const BETWEEN: usize = 4;

/// Calls of several threads, computed in the order in which they came.
///
/// Short calls that wait at the same time are computed together, as one batch: then weights are read once for all of
/// them, and threads have sequences of their own. Short calls that come while a long one is computed are let in
/// between its layers, as long as they take no more time than it. Apart from those nothing begins before what
/// has begun is done: else a thread that waits for a piece of one pass would begin another, and those
/// behind the first would wait for both.
#[derive(Debug)]
pub(crate) struct Calls<T> {
    state: Mutex<State<T>>,
    /// Most tokens of calls that are computed together.
    together: usize,
}

#[derive(Debug)]
struct State<T> {
    waiting: VecDeque<Call<T>>,
    /// Whether calls are computed in their turn.
    in_turn: bool,
    /// Whether calls that were let in are computed.
    let_in: bool,
    /// Tokens of short calls that may still be let in.
    room: usize,
}

#[derive(Debug)]
struct Call<T> {
    tokens: usize,
    what: T,
}

/// How calls came to be computed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Entry {
    /// When nothing else was.
    InTurn,
    /// While a long call is.
    LetIn,
}

/// Calls that are to be computed now, together.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Group<T> {
    pub(crate) entry: Entry,
    pub(crate) calls: Vec<T>,
}

impl<T> Calls<T> {
    /// No calls yet. `batch_tokens` are the most that go through the encoder at once.
    pub(crate) fn new(threads: usize, batch_tokens: usize) -> Self {
        let state = State { waiting: VecDeque::new(), in_turn: false, let_in: false, room: 0 };
        let together = threads.saturating_mul(TOGETHER).min(batch_tokens / 2);
        Self { state: Mutex::new(state), together }
    }

    /// Computes a group, and then those that could not begin before. A panic of `compute` goes no further than to
    /// the calls that it was given.
    pub(crate) fn run(&self, group: Group<T>, compute: impl Fn(Entry, Vec<T>)) {
        let mut next = Some(group);
        while let Some(Group { entry, calls }) = next {
            // Its thread has reported a panic; who waits for one of the calls finds it gone.
            let _ = catch_unwind(AssertUnwindSafe(|| compute(entry, calls)));
            next = self.end(entry);
        }
    }

    /// A call of so many tokens comes. What is to be computed now, if anything.
    pub(crate) fn come(&self, tokens: usize, what: T) -> Option<Group<T>> {
        let mut state = self.lock();
        state.waiting.push_back(Call { tokens, what });
        state.next(self.together)
    }

    /// A group that is computed in its turn begins with so many tokens. What is to be let in now, if anything.
    pub(crate) fn begin(&self, tokens: usize) -> Option<Group<T>> {
        let mut state = self.lock();
        state.room = if tokens > self.together { tokens } else { 0 };
        state.next(self.together)
    }

    /// A group is done. What is to be computed now, if anything.
    fn end(&self, entry: Entry) -> Option<Group<T>> {
        let mut state = self.lock();
        match entry {
            Entry::InTurn => (state.in_turn, state.room) = (false, 0),
            Entry::LetIn => state.let_in = false,
        }
        state.next(self.together)
    }

    fn lock(&self) -> MutexGuard<'_, State<T>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<T> State<T> {
    /// Takes what may begin now.
    fn next(&mut self, together: usize) -> Option<Group<T>> {
        if self.let_in {
            return None;
        }
        let (entry, calls) = if self.in_turn {
            (Entry::LetIn, self.take_short(together / BETWEEN))
        } else {
            (Entry::InTurn, self.take_first(together))
        };
        let flag = if self.in_turn { &mut self.let_in } else { &mut self.in_turn };
        *flag = !calls.is_empty();
        (!calls.is_empty()).then_some(Group { entry, calls })
    }

    /// The first call, and those behind it that fit in beside it.
    fn take_first(&mut self, together: usize) -> Vec<T> {
        let (mut calls, mut tokens) = (Vec::new(), 0_usize);
        while let Some(call) = self.waiting.front() {
            tokens = tokens.saturating_add(call.tokens);
            if tokens > together && !calls.is_empty() {
                break;
            }
            calls.extend(self.waiting.pop_front().map(|call| call.what));
        }
        calls
    }

    /// The first calls of at most so many tokens together, wherever they are.
    fn take_short(&mut self, most: usize) -> Vec<T> {
        let mut left = most.min(self.room);
        let (mut calls, mut others) = (Vec::new(), VecDeque::new());
        for call in self.waiting.drain(..) {
            if call.tokens <= left {
                left -= call.tokens;
                self.room -= call.tokens;
                calls.push(call.what);
            } else {
                others.push_back(call);
            }
        }
        self.waiting = others;
        calls
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Calls that are told by their tokens, of two threads: 512 tokens together, 128 between.
    fn calls() -> Calls<usize> {
        Calls::new(2, 2048)
    }

    fn come(calls: &Calls<usize>, tokens: usize) -> Option<Group<usize>> {
        calls.come(tokens, tokens)
    }

    fn in_turn(calls: &[usize]) -> Option<Group<usize>> {
        Some(Group { entry: Entry::InTurn, calls: calls.to_vec() })
    }

    fn let_in(calls: &[usize]) -> Option<Group<usize>> {
        Some(Group { entry: Entry::LetIn, calls: calls.to_vec() })
    }

    #[test]
    fn calls_that_wait_are_computed_together_in_their_order() {
        let calls = calls();
        assert_eq!(come(&calls, 100), in_turn(&[100]));
        assert_eq!(calls.begin(100), None);
        for tokens in [200, 300, 12, 1, 9000, 5] {
            assert_eq!(come(&calls, tokens), None, "{tokens}");
        }
        assert_eq!(calls.end(Entry::InTurn), in_turn(&[200, 300, 12]));
        assert_eq!(calls.end(Entry::InTurn), in_turn(&[1]));
        assert_eq!(calls.end(Entry::InTurn), in_turn(&[9000]));
        assert_eq!(calls.end(Entry::InTurn), in_turn(&[5]));
        assert_eq!(calls.end(Entry::InTurn), None);
        assert_eq!(come(&calls, 7), in_turn(&[7]));
    }

    #[test]
    fn short_calls_are_let_in_while_a_long_one_is_computed() {
        let calls = calls();
        assert_eq!(come(&calls, 9000), in_turn(&[9000]));
        // It has to have begun: a thread that computes a short one could begin it.
        assert_eq!(come(&calls, 50), None);
        assert_eq!(come(&calls, 129), None);
        assert_eq!(come(&calls, 60), None);
        assert_eq!(come(&calls, 40), None);
        assert_eq!(calls.begin(600), let_in(&[50, 60]));
        // One group after another.
        assert_eq!(come(&calls, 30), None);
        assert_eq!(calls.begin(600), None);
        assert_eq!(calls.end(Entry::LetIn), let_in(&[40, 30]));
        assert_eq!(calls.end(Entry::LetIn), None);
        assert_eq!(come(&calls, 128), let_in(&[128]));
        assert_eq!(calls.end(Entry::InTurn), None, "not beside one that was let in");
        assert_eq!(come(&calls, 1), None);
        assert_eq!(calls.end(Entry::LetIn), in_turn(&[129, 1]));
    }

    #[test]
    fn calls_that_are_let_in_take_no_more_time_than_the_long_one() {
        let calls = calls();
        assert_eq!(come(&calls, 600), in_turn(&[600]));
        assert_eq!(calls.begin(600), None);
        for _ in 0..6 {
            assert_eq!(come(&calls, 100), let_in(&[100]));
            assert_eq!(calls.end(Entry::LetIn), None);
        }
        assert_eq!(come(&calls, 1), None);
        // There is room again beside its next batch, unless that is a short one.
        assert_eq!(calls.begin(600), let_in(&[1]));
        assert_eq!(calls.end(Entry::LetIn), None);
        assert_eq!(calls.begin(512), None);
        assert_eq!(come(&calls, 2), None);
        assert_eq!(calls.end(Entry::InTurn), in_turn(&[2]));
    }

    #[test]
    fn one_thread_computes_whatever_comes_meanwhile_and_panics_stay_with_their_calls() {
        let calls = calls();
        let done = Mutex::new(Vec::new());
        let first = come(&calls, 700).unwrap();
        calls.run(first, |entry, group| {
            if group == [700] {
                for tokens in [300, 200, 2000, 9] {
                    assert_eq!(come(&calls, tokens), None);
                }
            }
            done.lock().unwrap().push((entry, group.clone()));
            assert!(!group.contains(&200), "two calls fail");
        });
        let groups = [&[700][..], &[300, 200], &[2000], &[9]];
        assert_eq!(*done.lock().unwrap(), groups.map(|group| (Entry::InTurn, group.to_vec())));
        assert_eq!(come(&calls, 1), in_turn(&[1]));
    }

    #[test]
    fn small_batches_are_kept() {
        let calls = Calls::new(2, 1);
        assert_eq!(calls.come(5, 'a'), Some(Group { entry: Entry::InTurn, calls: vec!['a'] }));
        assert_eq!((calls.begin(5), calls.come(1, 'b'), calls.come(1, 'c')), (None, None, None));
        for name in ['b', 'c'] {
            let next = Some(Group { entry: Entry::InTurn, calls: vec![name] });
            assert_eq!(calls.end(Entry::InTurn), next);
        }
    }
}
