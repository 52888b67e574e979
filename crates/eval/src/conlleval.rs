//! Counting as the Perl script of the `CoNLL` shared tasks does.

use std::collections::BTreeMap;

use crate::Counts;
use crate::report;

/// The counts of the `conlleval` script, which reads both taggings side by side.
///
/// Its rules are those of the lenient reading but for a few: a single (`S`) is no span by itself,
/// `E` before `B` of the same type does not part two spans, `[` and `]` are spans of one word, and
/// a tag without a hyphen has no type.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Conlleval {
    pub(crate) types: BTreeMap<String, Counts>,
    pub(crate) tokens: usize,
    pub(crate) correct_tags: usize,
}

/// A tag as the script sees it, cut at its first hyphen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Tag<'a> {
    prefix: &'a str,
    kind: &'a str,
}

impl<'a> Tag<'a> {
    const OUTSIDE: Self = Self { prefix: "O", kind: "" };

    fn new(tag: &'a str) -> Self {
        let (prefix, kind) = tag.split_once('-').unwrap_or((tag, ""));
        Self { prefix, kind }
    }

    /// Whether the tag is in a span at all.
    fn is_inside(self) -> bool {
        !matches!(self.prefix, "O" | ".")
    }

    /// Whether a span that `self` is in ends before `next`.
    fn ends_before(self, next: Self) -> bool {
        matches!(
            (self.prefix, next.prefix),
            ("B" | "I", "B" | "O") | ("E", "E" | "I" | "O") | ("[" | "]", _)
        ) || (self.is_inside() && self.kind != next.kind)
    }

    /// Whether a span starts at `next`, the tag behind `self`.
    fn starts_at(self, next: Self) -> bool {
        matches!(
            (self.prefix, next.prefix),
            ("B" | "I" | "O", "B") | ("O", "I") | ("E" | "O", "E") | ("E", "I") | (_, "[" | "]")
        ) || (next.is_inside() && self.kind != next.kind)
    }
}

impl Conlleval {
    /// The counts of each type, in the order of their names.
    #[must_use]
    pub const fn types(&self) -> &BTreeMap<String, Counts> {
        &self.types
    }

    /// What the script prints, to the character.
    #[must_use]
    pub fn report(&self) -> String {
        report::conlleval(self)
    }

    /// Reads one sentence; both taggings are equally long.
    pub(crate) fn sentence(&mut self, expected: &[String], predicted: &[String]) {
        let mut last = (Tag::OUTSIDE, Tag::OUTSIDE);
        // Whether both are in a span that started at the same word with the same type.
        let mut agreed = false;
        for (expected, predicted) in expected.iter().zip(predicted) {
            let now = (Tag::new(expected), Tag::new(predicted));
            agreed = self.step(last, now, agreed);
            self.tokens += 1;
            self.correct_tags += usize::from(now.0 == now.1);
            last = now;
        }
        // A sentence ends with a line that counts as outside.
        self.step(last, (Tag::OUTSIDE, Tag::OUTSIDE), agreed);
    }

    /// Goes from the tags of one word (reference, predicted) to those of the next.
    fn step(&mut self, last: (Tag<'_>, Tag<'_>), now: (Tag<'_>, Tag<'_>), agreed: bool) -> bool {
        let ends = (last.0.ends_before(now.0), last.1.ends_before(now.1));
        let starts = (last.0.starts_at(now.0), last.1.starts_at(now.1));
        let mut agreed = agreed;
        if agreed && ends == (true, true) && last.0.kind == last.1.kind {
            agreed = false;
            self.of(last.0).correct += 1;
        } else if ends.0 != ends.1 || now.0.kind != now.1.kind {
            agreed = false;
        }
        if starts == (true, true) && now.0.kind == now.1.kind {
            agreed = true;
        }
        if starts.0 {
            self.of(now.0).expected += 1;
        }
        if starts.1 {
            self.of(now.1).predicted += 1;
        }
        agreed
    }

    /// The counts of a tag's type.
    fn of(&mut self, tag: Tag<'_>) -> &mut Counts {
        self.types.entry(tag.kind.to_owned()).or_default()
    }
}
