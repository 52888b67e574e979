//! What counts as one word.

use std::ops::Range;

use crate::{Piece, WordUnit};

/// A word: a run of pieces and the bytes they cover.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Unit {
    pub(super) pieces: Range<usize>,
    pub(super) bytes: Range<usize>,
}

/// The words of a text, by the word ids of its pieces and by what is written together.
pub(super) fn units(text: &str, pieces: &[Piece<'_>], unit: WordUnit) -> Vec<Unit> {
    let words = by_id(pieces);
    match unit {
        WordUnit::PreToken => words,
        WordUnit::Compound => compounds(text, &words),
    }
}

/// One unit for each word id.
fn by_id(pieces: &[Piece<'_>]) -> Vec<Unit> {
    let mut units: Vec<Unit> = Vec::new();
    let mut word = None;
    for (index, piece) in pieces.iter().enumerate() {
        match units.last_mut() {
            Some(unit) if word == Some(piece.word) => {
                unit.pieces.end = index + 1;
                unit.bytes.end = unit.bytes.end.max(piece.range.end);
            }
            _ => units.push(Unit { pieces: index..index + 1, bytes: piece.range.clone() }),
        }
        word = Some(piece.word);
    }
    units
}

/// Joins words that a mark without blanks ties together.
fn compounds(text: &str, words: &[Unit]) -> Vec<Unit> {
    let mut units = Vec::with_capacity(words.len());
    let mut first = 0;
    while first < words.len() {
        let end = compound_end(text, &words[first..]) + first;
        let (head, tail) = (&words[first], &words[end - 1]);
        units.push(Unit {
            pieces: head.pieces.start..tail.pieces.end,
            bytes: head.bytes.start..tail.bytes.end.max(head.bytes.end),
        });
        first = end;
    }
    units
}

/// How many of `words`, at least one, the compound has that begins with the first of them.
fn compound_end(text: &str, words: &[Unit]) -> usize {
    let spelled = |index: usize| words.get(index).map(|word| &text[word.bytes.clone()]);
    let mut end = 1;
    let mut abbreviation = spelled(0).is_some_and(is_initial);
    while let (Some(left), Some(mark), Some(right)) =
        (spelled(end - 1), spelled(end), spelled(end + 1))
    {
        if !ties(left, mark, right) || !touch(text, &words[end - 1..end + 2]) {
            break;
        }
        abbreviation &= mark == "." && is_initial(right);
        end += 2;
    }
    let stopped = spelled(end) == Some(".") && touch(text, &words[end - 1..=end]);
    // The initial of a name is followed by the name.
    let whole = end > 1 || spelled(0).is_some_and(is_capital) && words.len() > 2;
    if abbreviation && stopped && whole { end + 1 } else { end }
}

/// Whether `mark` between two words makes one of them.
fn ties(left: &str, mark: &str, right: &str) -> bool {
    let mut chars = mark.chars();
    let (Some(mark), None) = (chars.next(), chars.next()) else { return false };
    let before = |class: fn(char) -> bool| left.chars().next_back().is_some_and(class);
    let after = |class: fn(char) -> bool| right.chars().next().is_some_and(class);
    match mark {
        // `Berlín.Ana` are two sentences whose blank was forgotten.
        '.' if before(char::is_lowercase) && after(char::is_uppercase) => false,
        '\'' | '’' | 'ʼ' | '-' | '‐' | '‑' | '.' | '&' | '/' | '·' | '@' | '_' | '+' => {
            is_word(left) && is_word(right)
        }
        ',' | ':' => before(char::is_numeric) && after(char::is_numeric),
        _ => false,
    }
}

/// Whether a word has letters or digits, but is no ideograph: those are words by themselves.
fn is_word(word: &str) -> bool {
    word.chars().any(char::is_alphanumeric) && !word.chars().all(is_ideograph)
}

fn is_ideograph(c: char) -> bool {
    matches!(c, '\u{3400}'..='\u{4dbf}' | '\u{4e00}'..='\u{9fff}' | '\u{f900}'..='\u{faff}'
        | '\u{20000}'..='\u{323af}')
}

/// Whether a part of an abbreviation may be followed by a period that belongs to it: one letter,
/// or one doubled as the Spanish plural does (`EE.UU.`).
fn is_initial(part: &str) -> bool {
    let mut chars = part.chars();
    match (chars.next(), chars.next(), chars.next()) {
        (Some(letter), None, None) => letter.is_alphabetic(),
        (Some(letter), Some(second), None) => letter.is_uppercase() && letter == second,
        _ => false,
    }
}

/// Whether a word is one capital letter.
fn is_capital(word: &str) -> bool {
    let mut chars = word.chars();
    chars.next().is_some_and(char::is_uppercase) && chars.next().is_none()
}

/// Whether no white space parts the words; a gap without any is characters that the tokenizer
/// dropped.
fn touch(text: &str, words: &[Unit]) -> bool {
    words.windows(2).all(|pair| {
        let gap = text.get(pair[0].bytes.end..pair[1].bytes.start);
        gap.is_some_and(|gap| !gap.contains(char::is_whitespace))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::Words;

    fn compounds(text: &str) -> Vec<String> {
        let words = Words::pre_tokens(text);
        let units = units(text, &words.pieces(), WordUnit::Compound);
        units.iter().map(|unit| text[unit.bytes.clone()].to_owned()).collect()
    }

    #[test]
    fn words_tied_by_a_mark_are_one() {
        for one in [
            "O'Brien",
            "New-York",
            "l'Hospitalet",
            "l’Hospitalet",
            "3.5",
            "1,000",
            "AT&T",
            "km/h",
            "col·legi",
            "U.S",
            "www.elpais.es",
            "Rolls-Royce-Phantom",
            "A\u{ad}-b",
            "5€-10€",
            "I+D",
            "10:30",
            "ana_b@correo.es",
        ] {
            assert_eq!(compounds(one), [one]);
        }
        assert_eq!(compounds("Madrid,Sevilla"), ["Madrid", ",", "Sevilla"]);
        assert_eq!(compounds("a--b"), ["a", "-", "-", "b"]);
        assert_eq!(compounds("- a -b c- 'd'"), ["-", "a", "-", "b", "c", "-", "'", "d", "'"]);
        assert_eq!(compounds("New - York"), ["New", "-", "York"]);
        assert_eq!(compounds("a\u{a0}-b"), ["a", "-", "b"]);
        assert_eq!(compounds("(¿O'Brien?)"), ["(", "¿", "O'Brien", "?", ")"]);
        assert_eq!(compounds("@ana :b"), ["@", "ana", ":", "b"]);
        assert_eq!(compounds("Berlín.Ana"), ["Berlín", ".", "Ana"]);
        assert_eq!(compounds("東京-大阪"), ["東", "京", "-", "大", "阪"]);
    }

    #[test]
    fn only_abbreviations_keep_their_last_period() {
        assert_eq!(compounds("en U.S."), ["en", "U.S."]);
        assert_eq!(compounds("EE.UU."), ["EE.UU."]);
        assert_eq!(compounds("S.A.,"), ["S.A.", ","]);
        assert_eq!(compounds("Berlín."), ["Berlín", "."]);
        assert_eq!(compounds("New-York."), ["New-York", "."]);
        assert_eq!(compounds("3.5."), ["3.5", "."]);
        assert_eq!(compounds("J. R. Smith"), ["J.", "R.", "Smith"]);
        assert_eq!(compounds("la C."), ["la", "C", "."]);
        assert_eq!(compounds("J . Smith"), ["J", ".", "Smith"]);
        assert_eq!(compounds("y a. La"), ["y", "a", ".", "La"]);
        assert_eq!(compounds("U.S .A"), ["U.S", ".", "A"]);
        assert_eq!(compounds("x-y."), ["x-y", "."]);
        assert_eq!(compounds(""), Vec::<String>::new());
    }

    #[test]
    fn word_ids_make_words_whatever_their_length() {
        let words = Words::new("Ana ab", &[("Ana", 0, 0..3), ("a", 1, 4..5), ("##b", 1, 5..6)]);
        let found = units(words.text, &words.pieces(), WordUnit::PreToken);
        let expected = [Unit { pieces: 0..1, bytes: 0..3 }, Unit { pieces: 1..3, bytes: 4..6 }];
        assert_eq!(found, expected);
    }
}
