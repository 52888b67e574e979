//! What starts, continues and ends a span in each scheme (seqeval's `scheme.py`).

use Types::{Any, Different, Same};

use super::Scheme;

/// How the types of two neighbouring tags must relate.
#[derive(Clone, Copy)]
enum Types {
    Same,
    Different,
    Any,
}

/// Two neighbouring tags: the letters the first may have, those of the second, and their types.
struct Pattern(&'static str, &'static str, Types);

/// A tag as a strict reading sees it: its prefix and its type.
#[derive(Clone, Copy)]
pub(super) struct Tag<'a> {
    pub(super) letter: char,
    pub(super) kind: &'a str,
}

/// The three questions about a tag and the one before it.
pub(super) struct Patterns {
    start: &'static [Pattern],
    inside: &'static [Pattern],
    end: &'static [Pattern],
}

impl Patterns {
    /// Whether a span starts at `tag`.
    pub(super) fn start(&self, previous: Tag<'_>, tag: Tag<'_>) -> bool {
        matches(self.start, previous, tag)
    }

    /// Whether the span of `previous` goes on with `tag`.
    pub(super) fn inside(&self, previous: Tag<'_>, tag: Tag<'_>) -> bool {
        matches(self.inside, previous, tag)
    }

    /// Whether the span of `previous` may end before `tag`.
    pub(super) fn end(&self, previous: Tag<'_>, tag: Tag<'_>) -> bool {
        matches(self.end, previous, tag)
    }
}

fn matches(patterns: &[Pattern], previous: Tag<'_>, tag: Tag<'_>) -> bool {
    patterns.iter().any(|Pattern(before, now, types)| {
        let types = match types {
            Same => previous.kind == tag.kind,
            Different => previous.kind != tag.kind,
            Any => true,
        };
        types && before.contains(previous.letter) && now.contains(tag.letter)
    })
}

const ANY: &str = "BEILOSU";

/// The patterns of a scheme.
pub(super) const fn of(scheme: Scheme) -> &'static Patterns {
    match scheme {
        Scheme::Iob1 => &IOB1,
        Scheme::Iob2 => &IOB2,
        Scheme::Ioe1 => &IOE1,
        Scheme::Ioe2 => &IOE2,
        Scheme::Iobes => &IOBES,
        Scheme::Bilou => &BILOU,
    }
}

const IOB1: Patterns = Patterns {
    start: &[Pattern("BO", "I", Any), Pattern("I", "I", Different), Pattern("BI", "B", Same)],
    inside: &[Pattern("BI", "I", Same)],
    end: &[
        Pattern("BI", "I", Different),
        Pattern("BI", "O", Any),
        Pattern("I", "B", Any),
        Pattern("B", "B", Same),
    ],
};

const IOB2: Patterns = Patterns {
    start: &[Pattern(ANY, "B", Any)],
    inside: &[Pattern("BI", "I", Same)],
    end: &[Pattern("BI", "BO", Any), Pattern("BI", "I", Different)],
};

// seqeval itself says that its IOE1 misses cases; they are missed here too.
const IOE1: Patterns = Patterns {
    start: &[Pattern("EO", "I", Any), Pattern("I", "I", Different), Pattern("E", "E", Same)],
    inside: &[Pattern("I", "EI", Same)],
    end: &[Pattern("I", "EI", Different), Pattern("I", "O", Any), Pattern("E", "EI", Same)],
};

const IOE2: Patterns = Patterns {
    start: &[Pattern("EO", "EI", Any), Pattern("I", "EI", Different)],
    inside: &[Pattern("I", "EI", Same)],
    end: &[Pattern("E", ANY, Any)],
};

const IOBES: Patterns = Patterns {
    start: &[Pattern(ANY, "BS", Any)],
    inside: &[Pattern("BI", "EI", Same)],
    end: &[Pattern("ES", ANY, Any)],
};

const BILOU: Patterns = Patterns {
    start: &[Pattern(ANY, "BU", Any)],
    inside: &[Pattern("BI", "IL", Same)],
    end: &[Pattern("LU", ANY, Any)],
};
