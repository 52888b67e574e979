//! Added tokens: strings that are cut out of the raw text before anything else happens to it.

use std::ops::Range;

use crate::unicode::is_word_character;

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

/// Finds added tokens in texts.
#[derive(Clone, Debug)]
pub(crate) struct Cutter {
    tokens: Vec<AddedToken>,
    /// Whether a token begins with this byte: few do, so most of a text is passed over quickly.
    begins: [bool; 256],
}

impl Cutter {
    /// A cutter of these tokens.
    pub(crate) fn new(tokens: Vec<AddedToken>) -> Self {
        let mut begins = [false; 256];
        for first in tokens.iter().filter_map(|token| token.content.bytes().next()) {
            begins[usize::from(first)] = true;
        }
        Self { tokens, begins }
    }

    /// Whether there is nothing to look for.
    pub(crate) fn is_empty(&self) -> bool {
        self.tokens.is_empty()
    }

    /// Cuts a text at the tokens that stand in it: of those that begin first, the longest.
    pub(crate) fn cut(&self, text: &str) -> Vec<Part> {
        let mut parts = Vec::new();
        let mut plain = 0;
        let mut from = 0;
        while let Some((found, token)) = self.next_match(text, from) {
            let end = found + token.content.len();
            from = end;
            if token.single_word && !stands_alone(text, found, end) {
                continue;
            }
            let (mut start, mut stop) = (found, end);
            if token.left_strip {
                start = plain + text[plain..found].trim_end().len();
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

    /// The first token at or behind `from`, found in one scan whatever the number of tokens.
    fn next_match(&self, text: &str, from: usize) -> Option<(usize, &AddedToken)> {
        let bytes = text.as_bytes();
        // A token begins with the first byte of a character, so a match is on character borders.
        let starts = (from..bytes.len()).filter(|start| self.begins[usize::from(bytes[*start])]);
        starts.into_iter().find_map(|start| {
            let begins = |token: &&AddedToken| bytes[start..].starts_with(token.content.as_bytes());
            let longest = self.tokens.iter().filter(begins).max_by_key(|token| token.content.len());
            longest.map(|token| (start, token))
        })
    }
}

/// Whether no letter, digit or the like stands beside a range.
fn stands_alone(text: &str, start: usize, end: usize) -> bool {
    !text[..start].chars().next_back().is_some_and(is_word_character)
        && !text[end..].chars().next().is_some_and(is_word_character)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn token(content: &str, id: u32) -> AddedToken {
        AddedToken::plain(content, id, true)
    }

    fn show(text: &str, tokens: &[AddedToken]) -> Vec<(String, Option<u32>)> {
        Cutter::new(tokens.to_vec())
            .cut(text)
            .into_iter()
            .map(|p| (text[p.range].to_owned(), p.token))
            .collect()
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
