//! Classes of characters, as Hugging Face's `tokenizers` has them.
//!
//! It takes general categories from the crate `unicode_categories`, decompositions and combining
//! classes from `unicode-normalization-alignments`, both with tables of an old Unicode version, and
//! white space and lower case from the standard library. So do we: newer tables give other words.

use unicode_categories::UnicodeCategories;
pub(crate) use unicode_normalization_alignments::char::{
    canonical_combining_class, decompose_canonical,
};

/// Characters that cleaning drops: NUL, the replacement character, and categories Cc, Cf and Co
/// without tab, line feed and carriage return.
pub(crate) fn is_dropped(c: char) -> bool {
    if c.is_ascii() {
        return c.is_ascii_control() && !matches!(c, '\t' | '\n' | '\r');
    }
    c == '\u{fffd}' || c.is_other_control() || c.is_other_format() || c.is_other_private_use()
}

/// Characters that are words of their own: ASCII symbols and category P.
pub(crate) fn is_punctuation(c: char) -> bool {
    if c.is_ascii() { c.is_ascii_punctuation() } else { c.is_punctuation() }
}

/// Category Mn: what is left of accents when characters are decomposed.
pub(crate) fn is_combining_mark(c: char) -> bool {
    !c.is_ascii() && c.is_mark_nonspacing()
}

/// Characters that a token of a single word may not stand beside: `\w` of regular expressions,
/// which is letters, marks, decimal digits, connectors such as `_`, and the two joiners. Letters are
/// those of the standard library and marks those of the old tables: for characters of the last
/// years `tokenizers`, with a version between, may see it otherwise.
pub(crate) fn is_word_character(c: char) -> bool {
    c.is_alphabetic()
        || c.is_mark()
        || c.is_number_decimal_digit()
        || c.is_punctuation_connector()
        || matches!(c, '\u{200c}' | '\u{200d}')
}

/// Ideographs that are words of their own. The range from 2B920 begins 256 later in Google's
/// code; `tokenizers` has it so.
pub(crate) fn is_cjk(c: char) -> bool {
    matches!(
        c,
        '\u{4e00}'..='\u{9fff}'
            | '\u{3400}'..='\u{4dbf}'
            | '\u{20000}'..='\u{2a6df}'
            | '\u{2a700}'..='\u{2b73f}'
            | '\u{2b740}'..='\u{2b81f}'
            | '\u{2b920}'..='\u{2ceaf}'
            | '\u{f900}'..='\u{faff}'
            | '\u{2f800}'..='\u{2fa1f}'
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all() -> impl Iterator<Item = char> {
        '\0'..=char::MAX
    }

    #[test]
    fn ascii_symbols_are_punctuation_and_currency_is_not() {
        let symbols: String = ('\0'..='\x7f').filter(|c| is_punctuation(*c)).collect();
        assert_eq!(symbols, "!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~");
        assert!("¿¡«»—…’“”‐・。".chars().all(is_punctuation));
        assert!(!"€£½№©°+´¨😀ªº".chars().filter(|c| !c.is_ascii()).any(is_punctuation));
    }

    #[test]
    fn controls_are_dropped_unless_they_are_white_space_of_text() {
        assert!("\0\u{b}\u{c}\u{1c}\u{7f}\u{85}\u{ad}\u{200b}\u{feff}".chars().all(is_dropped));
        assert!("\u{e000}\u{fffd}\u{f0000}\u{10fffd}".chars().all(is_dropped));
        // Unassigned characters and non-characters stay.
        assert!(!"\t\n\r \u{a0}\u{2028}\u{378}\u{fffe}añ".chars().any(is_dropped));
    }

    #[test]
    fn accents_are_combining_marks_and_spacing_marks_are_not() {
        assert!("\u{300}\u{301}\u{303}\u{308}\u{327}\u{fe0f}".chars().all(is_combining_mark));
        assert!(!"aé\u{93f}\u{1d165}\u{20dd}".chars().any(is_combining_mark));
    }

    #[test]
    fn word_characters_are_those_of_regular_expressions() {
        assert!("añ日9٣_‿\u{301}\u{1d165}\u{200d}ⅷ".chars().all(is_word_character));
        assert!(!" .-½²€\u{200b}😀".chars().any(is_word_character));
    }

    #[test]
    fn no_character_has_two_classes() {
        for c in all() {
            let classes = [is_dropped(c), is_punctuation(c), is_combining_mark(c), is_cjk(c)];
            assert!(classes.into_iter().filter(|class| *class).count() <= 1, "{c:?}");
        }
    }

    #[test]
    fn ideographs_begin_and_end_where_tokenizers_has_them() {
        for (first, last) in [('\u{3400}', '\u{4dbf}'), ('\u{2b920}', '\u{2ceaf}')] {
            assert!(is_cjk(first) && is_cjk(last));
        }
        assert!(!"かカ한ไ\u{2b820}\u{2b91f}\u{2ceb0}".chars().any(is_cjk));
    }
}
