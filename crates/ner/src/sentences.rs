//! Where sentences begin, for cutting long texts.
//!
//! A rule of thumb that would rather miss a border than set a wrong one: after `.`, `!`, `?` or `…`
//! and closing marks, before white space and a capital, a digit or an opening mark; and at blank
//! lines. A period behind one letter or a short capitalised word (`J.`, `Sr.`, `EE.`) may belong to
//! an abbreviation and ends nothing.

use std::ops::Range;

/// Letters of a capitalised word up to which a period behind it may mark an abbreviation.
const ABBREVIATION: usize = 3;

/// The pieces that begin a sentence, rising, the first one not among them. `pieces` are the byte
/// ranges of the pieces in `text`, one behind the other.
///
/// ```
/// use nervio_ner::sentence_starts;
///
/// let text = "Vino el Sr. Gomez. No! Si.";
/// let pieces = [0..4, 5..7, 8..10, 10..11, 12..17, 17..18, 19..21, 21..22, 23..25, 25..26];
/// assert_eq!(sentence_starts(text, &pieces), [6, 8]);
/// ```
#[must_use]
pub fn sentence_starts(text: &str, pieces: &[Range<usize>]) -> Vec<usize> {
    let pairs = pieces.windows(2).enumerate();
    let begins = pairs.filter(|(_, pair)| is_border(text, pair[0].end, pair[1].start));
    begins.map(|(index, _)| index + 1).collect()
}

/// Whether a sentence ends at byte `end` and the next begins at byte `start`.
fn is_border(text: &str, end: usize, start: usize) -> bool {
    let (Some(before), Some(gap), Some(after)) =
        (text.get(..end), text.get(end..start), text.get(start..))
    else {
        return false;
    };
    if gap.is_empty() {
        return false;
    }
    if gap.matches('\n').nth(1).is_some() {
        return true;
    }
    let begins = after.chars().next().is_some_and(|c| {
        c.is_uppercase()
            || c.is_numeric()
            || matches!(c, '¿' | '¡' | '«' | '“' | '"' | '(' | '—' | '-')
    });
    begins && ends_sentence(before)
}

/// Whether what was said so far ends a sentence.
fn ends_sentence(before: &str) -> bool {
    let before = before.trim_end_matches(['"', '»', '”', '’', ')', ']', '\'']);
    match before.chars().next_back() {
        Some('!' | '?' | '…') => true,
        Some('.') => !is_abbreviation(&before[..before.len() - 1]),
        _ => false,
    }
}

/// Whether a text ends with one letter or a short capitalised word.
fn is_abbreviation(before: &str) -> bool {
    let mut letters = before.chars().rev().take_while(|c| c.is_alphabetic());
    // One more than matters, so that a word of a million letters costs nothing.
    let word: Vec<char> = letters.by_ref().take(ABBREVIATION + 1).collect();
    let capitalised = word.last().is_some_and(|c| c.is_uppercase());
    word.len() == 1 || (capitalised && word.len() <= ABBREVIATION)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The sentences of a text whose pieces are its words and punctuation marks.
    fn sentences(text: &str) -> Vec<&str> {
        let mut pieces: Vec<Range<usize>> = Vec::new();
        for (start, c) in text.char_indices().filter(|(_, c)| !c.is_whitespace()) {
            let end = start + c.len_utf8();
            match pieces.last_mut() {
                Some(last) if last.end == start && c.is_alphanumeric() => {
                    if text[last.clone()].chars().all(char::is_alphanumeric) {
                        last.end = end;
                    } else {
                        pieces.push(start..end);
                    }
                }
                _ => pieces.push(start..end),
            }
        }
        let mut starts: Vec<usize> =
            sentence_starts(text, &pieces).into_iter().map(|index| pieces[index].start).collect();
        starts.insert(0, 0);
        starts.push(text.len());
        starts.windows(2).map(|pair| text[pair[0]..pair[1]].trim()).collect()
    }

    #[test]
    fn sentences_are_told_apart() {
        assert_eq!(sentences("Llueve. No sale nadie."), ["Llueve.", "No sale nadie."]);
        assert_eq!(sentences("«¡Ven!» Vino. ¿Y tú?"), ["«¡Ven!»", "Vino.", "¿Y tú?"]);
        assert_eq!(sentences("Uno\n\ndos\ntres"), ["Uno", "dos\ntres"]);
        assert_eq!(sentences("Así fue ( sic ) . La casa"), ["Así fue ( sic ) .", "La casa"]);
    }

    #[test]
    fn abbreviations_and_numbers_end_nothing() {
        for text in
            ["El Sr. Gil", "J. R. R. Tolkien", "EE. UU. Ganó", "a las 3.15 h", "Vino. y se fue"]
        {
            assert_eq!(sentences(text), [text]);
        }
        assert_eq!(sentences(""), [""]);
    }

    #[test]
    fn ranges_that_are_not_of_the_text_begin_nothing() {
        assert!(sentence_starts("ñ. A", &[0..1, 9..12, 2..3]).is_empty());
    }
}
