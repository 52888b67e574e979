//! Cuts texts at added tokens.

use std::ops::Range;

use crate::added::AddedToken;
use crate::trie::Trie;
use crate::unicode::is_word_character;

/// A part of a text: plain, or one added token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Part {
    pub(crate) range: Range<usize>,
    pub(crate) token: Option<u32>,
}

/// Finds added tokens in texts.
#[derive(Debug, Default)]
pub(crate) struct Cutter {
    tokens: Vec<AddedToken>,
    patterns: Trie,
    all_special: bool,
}

impl Cutter {
    /// A cutter of these tokens, each looked for as the pattern beside it.
    ///
    /// # Errors
    ///
    /// The content of a token whose pattern is empty or that of another token.
    pub(crate) fn new(
        tokens: impl IntoIterator<Item = (String, AddedToken)>,
    ) -> Result<Self, String> {
        let mut cutter = Self { all_special: true, ..Self::default() };
        for (pattern, token) in tokens {
            if pattern.is_empty() || !cutter.patterns.insert(&pattern, cutter.tokens.len()) {
                return Err(token.content);
            }
            cutter.all_special &= token.special;
            cutter.tokens.push(token);
        }
        Ok(cutter)
    }

    /// Whether no text is ever cut, given that special tokens are plain text (`keep_special`).
    pub(crate) fn is_idle(&self, keep_special: bool) -> bool {
        self.tokens.is_empty() || (keep_special && self.all_special)
    }

    /// Cuts a text at the tokens that stand in it: of those that begin first, the longest. With
    /// `keep_special`, a special token stays plain text as a whole, and so does what it hides.
    ///
    /// As in `tokenizers`, two tokens may share white space: what the first takes to its right, the
    /// second may begin with. A token of nothing but white space that is taken is not cut out.
    pub(crate) fn cut(&self, text: &str, keep_special: bool) -> Vec<Part> {
        let mut parts = Vec::new();
        // Up to where the text is in `parts`, and from where it is searched.
        let (mut done, mut from) = (0, 0);
        while let Some((found, end, index)) = self.patterns.next_match(text.as_bytes(), from) {
            from = end;
            let token = &self.tokens[index];
            if end <= done
                || (token.special && keep_special)
                || (token.single_word && !stands_alone(text, found, end))
            {
                continue;
            }
            let (mut start, mut stop) = (found, end);
            if token.left_strip {
                start = done + text.get(done..found).map_or(0, |before| before.trim_end().len());
            }
            if token.right_strip {
                stop = text.len() - text[end..].trim_start().len();
            }
            if done < start {
                parts.push(Part { range: done..start, token: None });
            }
            parts.push(Part { range: start..stop, token: Some(token.id) });
            done = stop;
        }
        if done < text.len() {
            parts.push(Part { range: done..text.len(), token: None });
        }
        parts
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
    use crate::added::TokenSpec;

    fn special(content: &str, id: u32) -> AddedToken {
        TokenSpec::plain(content).into_special().with_id(id)
    }

    fn cutter(tokens: &[AddedToken]) -> Result<Cutter, String> {
        Cutter::new(tokens.iter().map(|token| (token.content.clone(), token.clone())))
    }

    fn show(text: &str, tokens: &[AddedToken], keep_special: bool) -> Vec<(String, Option<u32>)> {
        let parts = cutter(tokens).unwrap().cut(text, keep_special);
        parts.into_iter().map(|part| (text[part.range].to_owned(), part.token)).collect()
    }

    #[test]
    fn the_first_and_longest_is_cut_out() {
        let tokens = [special("[S]", 1), special("[S]x", 2)];
        let expected = [("a ", None), ("[S]", Some(1)), (" b", None), ("[S]x", Some(2))];
        let expected = expected.map(|(text, id)| (text.to_owned(), id));
        assert_eq!(show("a [S] b[S]x", &tokens, false), expected);
    }

    #[test]
    fn neighbours_and_white_space() {
        let alone = AddedToken { single_word: true, ..special("ab", 1) };
        assert_eq!(
            show("cab ab", &[alone], false),
            [("cab ".into(), None), ("ab".into(), Some(1))]
        );
        let strip = AddedToken { left_strip: true, right_strip: true, ..special("M", 1) };
        assert_eq!(
            show("a  M  b", &[strip], false),
            [("a".into(), None), ("  M  ".into(), Some(1)), ("b".into(), None)]
        );
    }

    #[test]
    fn white_space_that_is_taken_may_begin_the_next_token() {
        let strip = AddedToken { right_strip: true, ..special("M", 1) };
        let tokens = [strip, special(" x", 2), special("\t", 3)];
        let expected =
            [("M  ".to_owned(), Some(1)), (" x".into(), Some(2)), ("M\t".into(), Some(1))];
        assert_eq!(show("M  xM\t", &tokens, false), expected);
        let strips = tokens.map(|token| AddedToken { left_strip: true, ..token });
        let expected = [("M  ".to_owned(), Some(1)), ("x".into(), Some(2))];
        assert_eq!(show("M  x", &strips, false), expected);
    }

    #[test]
    fn special_tokens_that_are_kept_hide_what_they_hold() {
        let plain = TokenSpec::plain("S").with_id(2);
        let tokens = [special("[S]", 1), plain];
        assert_eq!(show("[S]S", &tokens, true), [("[S]".into(), None), ("S".into(), Some(2))]);
        assert!(!cutter(&tokens).unwrap().is_idle(true));
        assert!(cutter(&tokens[..1]).unwrap().is_idle(true));
        assert!(!cutter(&tokens[..1]).unwrap().is_idle(false));
    }

    #[test]
    fn patterns_are_neither_empty_nor_shared() {
        assert_eq!(cutter(&[special("", 1)]).unwrap_err(), "");
        let shared = ["A", "B"].map(|content| ("a".to_owned(), special(content, 1)));
        assert_eq!(Cutter::new(shared).unwrap_err(), "B");
    }
}
