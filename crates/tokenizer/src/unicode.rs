//! Classes of characters, as Hugging Face's `tokenizers` has them.
//!
//! It takes general categories from the crate `unicode_categories`, whose tables are of an old
//! Unicode version, and white space from the standard library; so do we.

use unicode_categories::UnicodeCategories;
use unicode_normalization::char::decompose_canonical;

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

/// The canonical decomposition of a character, one by one, as of Unicode 12: later characters
/// that have one are not decomposed by `tokenizers`.
pub(crate) fn decompose(c: char, mut emit: impl FnMut(char)) {
    match c {
        '\u{11938}'
        | '\u{105c9}'
        | '\u{105e4}'
        | '\u{11383}'
        | '\u{11385}'
        | '\u{1138e}'
        | '\u{11391}'
        | '\u{113c5}'
        | '\u{113c7}'
        | '\u{113c8}'
        | '\u{16121}'..='\u{16128}'
        | '\u{16d68}'..='\u{16d6a}' => emit(c),
        _ => decompose_canonical(c, emit),
    }
}
