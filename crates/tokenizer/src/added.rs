//! Added tokens: strings that are cut out of the raw text before anything else happens to it.

use std::ops::Range;

/// A string that is one token wherever it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct AddedToken {
    pub(crate) content: String,
    pub(crate) id: u32,
    /// Only where no word character stands beside it.
    pub(crate) single_word: bool,
    /// White space to its left belongs to it.
    pub(crate) left_strip: bool,
    /// White space to its right belongs to it.
    pub(crate) right_strip: bool,
    /// Looked for in normalised text.
    pub(crate) normalized: bool,
    /// Whether it has a meaning of its own, such as `[SEP]`.
    pub(crate) special: bool,
}

impl AddedToken {
    /// A token that is cut out wherever it stands: of raw text when it is special, else, as
    /// transformers has it, of normalised text.
    pub(crate) fn plain(content: &str, id: u32, special: bool) -> Self {
        Self {
            content: content.to_owned(),
            id,
            single_word: false,
            left_strip: false,
            right_strip: false,
            normalized: !special,
            special,
        }
    }
}

/// A part of a text: plain, or one added token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Part {
    pub(crate) range: Range<usize>,
    pub(crate) token: Option<u32>,
}

/// Cuts a text at the tokens that stand in it: of those that begin first, the longest.
pub(crate) fn cut(text: &str, tokens: &[AddedToken]) -> Vec<Part> {
    let mut parts = Vec::new();
    let mut plain = 0;
    let mut from = 0;
    while let Some((start, token)) = next_match(text, from, tokens) {
        let end = start + token.content.len();
        from = end;
        if token.single_word && !stands_alone(text, start, end) {
            continue;
        }
        let (mut start, mut stop) = (start, end);
        if token.left_strip {
            start = plain + text[plain..start].trim_end().len();
        }
        if token.right_strip {
            stop = text.len() - text[end..].trim_start().len();
        }
        if plain < start {
            parts.push(Part { range: plain..start, token: None });
        }
        parts.push(Part { range: start..stop, token: Some(token.id) });
        plain = stop;
        from = stop;
    }
    if plain < text.len() {
        parts.push(Part { range: plain..text.len(), token: None });
    }
    parts
}

/// The first token at or behind `from`.
fn next_match<'a>(
    text: &str,
    from: usize,
    tokens: &'a [AddedToken],
) -> Option<(usize, &'a AddedToken)> {
    // One scan, whatever the number of matches: a search for each token could read the rest of
    // the text again and again.
    let starts = text.get(from..)?.char_indices().map(|(offset, _)| from + offset);
    starts.into_iter().find_map(|start| {
        let here = tokens.iter().filter(|token| text[start..].starts_with(&token.content));
        here.max_by_key(|token| token.content.len()).map(|token| (start, token))
    })
}

/// Whether no letter, digit or underscore stands beside a range.
fn stands_alone(text: &str, start: usize, end: usize) -> bool {
    let is_word = |c: char| c.is_alphanumeric() || c == '_';
    !text[..start].chars().next_back().is_some_and(is_word)
        && !text[end..].chars().next().is_some_and(is_word)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn token(content: &str, id: u32) -> AddedToken {
        AddedToken::plain(content, id, true)
    }

    fn show(text: &str, tokens: &[AddedToken]) -> Vec<(String, Option<u32>)> {
        cut(text, tokens).into_iter().map(|p| (text[p.range].to_owned(), p.token)).collect()
    }

    #[test]
    fn the_first_and_longest_is_cut_out() {
        let tokens = [token("[S]", 1), token("[S]x", 2)];
        let parts = show("a [S] b[S]x", &tokens);
        let expected = [("a ", None), ("[S]", Some(1)), (" b", None), ("[S]x", Some(2))];
        assert_eq!(parts, expected.map(|(text, id)| (text.to_owned(), id)));
    }

    #[test]
    fn neighbours_and_white_space() {
        let alone = AddedToken { single_word: true, ..token("ab", 1) };
        assert_eq!(show("cab ab", &[alone]), [("cab ".into(), None), ("ab".into(), Some(1))]);
        let strip = AddedToken { left_strip: true, right_strip: true, ..token("M", 1) };
        assert_eq!(
            show("a  M  b", &[strip]),
            [("a".into(), None), ("  M  ".into(), Some(1)), ("b".into(), None)]
        );
    }
}
