//! Which of the calls that wait for the encoder are computed next, and together.

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Tokens for each thread up to which calls that wait are computed together: so 64 callers of single sentences get
/// about as many answers a second as a corpus has sentences read.
const TOGETHER: usize = 256;

/// Most tokens of calls that are let in at once, on one thread.
const LET_IN: usize = 512;

/// How many times those must fit into the room that there is.
const BETWEEN: usize = 4;

/// Calls of several threads, computed in the order in which they came.
///
/// Short calls that wait at the same time are computed together, as one batch: then weights are read once for all of
/// them, and threads have sequences of their own. Short calls that come while a long one is computed are let in, as
/// many tokens as the long one has begun. A call that is very long goes back to the end of the queue now and then.
/// Apart from those let in nothing begins before what has begun is done: else a thread that waits for a piece of one
/// pass would begin another, and those behind the first would wait for both.
#[derive(Debug)]
pub(crate) struct Calls<T> {
    state: Mutex<State<T>>,
    sizes: Sizes,
}

#[derive(Clone, Copy, Debug)]
struct Sizes {
    /// Most tokens of calls that are computed together.
    together: usize,
    /// Most tokens of calls that are let in at once.
    let_in: usize,
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
        let sizes = Sizes { together, let_in: together.min(LET_IN) };
        Self { state: Mutex::new(state), sizes }
    }

    /// A call of so many tokens arrives. What is to be computed now, if anything.
    pub(crate) fn arrive(&self, tokens: usize, what: T) -> Option<Group<T>> {
        let mut state = self.lock();
        state.waiting.push_back(Call { tokens, what });
        state.next(self.sizes)
    }

    /// A call that is computed in its turn goes back to the end of the queue with what is left of it.
    pub(crate) fn go_back(&self, tokens: usize, what: T) {
        self.lock().waiting.push_back(Call { tokens, what });
    }

    /// A batch of so many tokens begins, of a group of `all` that is computed in its turn. What is to be let in
    /// now, if anything, and the tokens of the first call that waits and is too long for that.
    pub(crate) fn batch_begins(
        &self,
        tokens: usize,
        all: usize,
    ) -> (Option<Group<T>>, Option<usize>) {
        let mut state = self.lock();
        let Sizes { together, let_in } = self.sizes;
        if all > together {
            state.room = state.room.saturating_add(tokens).min(BETWEEN * let_in);
        }
        let group = state.next(self.sizes);
        let mut waiting = state.waiting.iter().map(|call| call.tokens);
        (group, waiting.find(|tokens| *tokens > let_in))
    }

    /// Computes a group. What is to be computed then, if anything. A panic of `compute` goes no further than to the
    /// calls that it was given.
    pub(crate) fn run(
        &self,
        group: Group<T>,
        compute: impl FnOnce(Entry, Vec<T>),
    ) -> Option<Group<T>> {
        let Group { entry, calls } = group;
        // Its thread has reported a panic; who waits for one of the calls finds it gone.
        let _ = catch_unwind(AssertUnwindSafe(|| compute(entry, calls)));
        let mut state = self.lock();
        match entry {
            Entry::InTurn => (state.in_turn, state.room) = (false, 0),
            Entry::LetIn => state.let_in = false,
        }
        state.next(self.sizes)
    }

    fn lock(&self) -> MutexGuard<'_, State<T>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<T> State<T> {
    /// Takes what may begin now.
    fn next(&mut self, sizes: Sizes) -> Option<Group<T>> {
        if self.let_in {
            return None;
        }
        let (entry, calls) = if self.in_turn {
            (Entry::LetIn, self.take_short(sizes.let_in))
        } else {
            (Entry::InTurn, self.take_first(sizes.together))
        };
        let flag = if self.in_turn { &mut self.let_in } else { &mut self.in_turn };
        if calls.is_empty() {
            return None;
        }
        *flag = true;
        Some(Group { entry, calls })
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

    /// The first of the calls of at most `most` tokens that fit into a part of the room together.
    fn take_short(&mut self, most: usize) -> Vec<T> {
        let mut left = self.room / BETWEEN;
        let (mut calls, mut others) = (Vec::new(), VecDeque::new());
        for call in self.waiting.drain(..) {
            if call.tokens > most {
                others.push_back(call);
            } else if call.tokens <= left {
                left -= call.tokens;
                self.room -= call.tokens;
                calls.push(call.what);
            } else {
                // Others must not take the room that it waits for.
                left = 0;
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

    /// Calls that are told by their tokens, of two threads: 512 tokens together.
    fn calls() -> Calls<usize> {
        Calls::new(2, 2048)
    }

    fn arrive(calls: &Calls<usize>, tokens: usize) -> Option<Group<usize>> {
        calls.arrive(tokens, tokens)
    }

    /// What is let in when a batch begins.
    fn begin(calls: &Calls<usize>, tokens: usize, all: usize) -> Option<Group<usize>> {
        calls.batch_begins(tokens, all).0
    }

    /// The group `entry` ends.
    fn end(calls: &Calls<usize>, entry: Entry) -> Option<Group<usize>> {
        calls.run(Group { entry, calls: vec![] }, |_, _| ())
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
        assert_eq!(arrive(&calls, 100), in_turn(&[100]));
        assert_eq!(begin(&calls, 100, 100), None);
        for tokens in [200, 300, 12, 1, 9000, 5] {
            assert_eq!(arrive(&calls, tokens), None, "{tokens}");
        }
        assert_eq!(end(&calls, Entry::InTurn), in_turn(&[200, 300, 12]));
        assert_eq!(begin(&calls, 512, 512), None);
        assert_eq!(end(&calls, Entry::InTurn), in_turn(&[1]));
        assert_eq!(end(&calls, Entry::InTurn), in_turn(&[9000]));
        assert_eq!(end(&calls, Entry::InTurn), in_turn(&[5]));
        assert_eq!(end(&calls, Entry::InTurn), None);
        assert_eq!(arrive(&calls, 7), in_turn(&[7]));
    }

    #[test]
    fn short_calls_are_let_in_while_a_long_one_is_computed() {
        let calls = calls();
        assert_eq!(arrive(&calls, 9000), in_turn(&[9000]));
        // It has to have begun: a thread that computes a short one could begin it.
        for tokens in [50, 513, 200, 60] {
            assert_eq!(arrive(&calls, tokens), None, "{tokens}");
        }
        // What would fit beside one that waits for more room waits, too.
        assert_eq!(calls.batch_begins(600, 9000), (let_in(&[50]), Some(513)));
        // One group after another.
        assert_eq!(arrive(&calls, 30), None);
        assert_eq!(begin(&calls, 1600, 9000), None);
        assert_eq!(end(&calls, Entry::LetIn), let_in(&[200, 60, 30]));
        assert_eq!(end(&calls, Entry::LetIn), None);
        assert_eq!(begin(&calls, 1600, 9000), None);
        assert_eq!(arrive(&calls, 512), let_in(&[512]));
        assert_eq!(end(&calls, Entry::InTurn), None, "not beside one that was let in");
        assert_eq!(arrive(&calls, 1), None);
        assert_eq!(end(&calls, Entry::LetIn), in_turn(&[513]));
        assert_eq!(end(&calls, Entry::InTurn), in_turn(&[1]));
    }

    #[test]
    fn calls_that_are_let_in_take_no_more_time_than_the_long_one() {
        let calls = calls();
        assert_eq!(arrive(&calls, 1000), in_turn(&[1000]));
        let mut begun = 0;
        let mut given = 0;
        for batch in [400, 300, 200, 100] {
            assert_eq!(begin(&calls, batch, 1000), None);
            begun += batch;
            while arrive(&calls, 50) == let_in(&[50]) {
                given += 50;
                assert_eq!(end(&calls, Entry::LetIn), None);
            }
            assert!(given <= begun && given + 4 * 50 > begun, "{given} of {begun}");
            // The one that was not let in is, beside the next batch.
            assert_eq!(begin(&calls, 200, 1000), let_in(&[50]));
            begun += 200;
            given += 50;
            assert_eq!(end(&calls, Entry::LetIn), None);
        }
        assert_eq!(end(&calls, Entry::InTurn), None);
        // Nor are they saved up.
        assert_eq!(arrive(&calls, 600), in_turn(&[600]));
        assert_eq!(arrive(&calls, 1), None);
        assert_eq!(end(&calls, Entry::InTurn), in_turn(&[1]));
    }

    #[test]
    fn a_very_long_call_goes_behind_those_that_wait() {
        let calls = calls();
        assert_eq!(arrive(&calls, 90_000), in_turn(&[90_000]));
        assert_eq!(calls.batch_begins(2000, 90_000), (None, None));
        for tokens in [9000, 700] {
            assert_eq!(arrive(&calls, tokens), None);
        }
        assert_eq!(arrive(&calls, 3), let_in(&[3]));
        assert_eq!(end(&calls, Entry::LetIn), None);
        assert_eq!(calls.batch_begins(2000, 90_000), (None, Some(9000)));
        calls.go_back(60_000, 60_000);
        for next in [9000, 700, 60_000] {
            assert_eq!(end(&calls, Entry::InTurn), in_turn(&[next]));
        }
        assert_eq!(end(&calls, Entry::InTurn), None);
    }

    #[test]
    fn a_panic_stays_with_its_calls() {
        let calls = calls();
        let first = arrive(&calls, 700).unwrap();
        assert_eq!(begin(&calls, 700, 700), None);
        let short = arrive(&calls, 90).unwrap();
        let next = calls.run(short, |entry, group| {
            assert_eq!(
                (entry, arrive(&calls, 80), arrive(&calls, 800)),
                (Entry::LetIn, None, None)
            );
            assert!(group.is_empty(), "fails");
        });
        assert_eq!(next, let_in(&[80]));
        assert_eq!(end(&calls, Entry::LetIn), None);
        assert_eq!(
            calls.run(first, |_, group| assert!(group.is_empty(), "fails")),
            in_turn(&[800])
        );
        assert_eq!(end(&calls, Entry::InTurn), None);
        assert_eq!(arrive(&calls, 1), in_turn(&[1]));
    }

    #[test]
    fn small_batches_are_kept() {
        let calls = Calls::new(2, 1);
        for tokens in [5, 1, 1] {
            let expected = in_turn(&[5]).filter(|_| tokens == 5);
            assert_eq!(arrive(&calls, tokens), expected);
            assert_eq!(begin(&calls, 5, 5), None);
        }
        assert_eq!(end(&calls, Entry::InTurn), in_turn(&[1]));
        assert_eq!(end(&calls, Entry::InTurn), in_turn(&[1]));
    }
}
