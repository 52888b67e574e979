//! `vocab.txt`: a token on each line, its id the number of the line.

use std::path::Path;

use crate::Error;
use crate::token_list::TokenList;
use crate::vocab::MAX_TOKENS;

/// The tokens of a file; white space at the end of a line, a carriage return among it, is not part
/// of the token (as in the Rust reader of `tokenizers`), and neither is a byte order mark.
///
/// # Errors
///
/// When the bytes are not UTF-8.
pub(crate) fn tokens<'a>(file: &'a Path, bytes: &'a [u8]) -> Result<TokenList<'a>, Error> {
    let bytes = bytes.strip_prefix("\u{feff}".as_bytes()).unwrap_or(bytes);
    let text = std::str::from_utf8(bytes).map_err(|error| {
        let valid = &bytes[..error.valid_up_to()];
        Error::NotUtf8 {
            file: file.to_owned(),
            line: valid.iter().filter(|byte| **byte == b'\n').count() + 1,
        }
    })?;
    let mut tokens = TokenList::new(file);
    // One line too many is enough for the list to be refused.
    for line in text.lines().take(MAX_TOKENS + 1) {
        tokens.push(line.trim_end(), true);
    }
    Ok(tokens)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::vocab::Vocab;

    fn parse_text(text: &[u8]) -> Result<Vocab, String> {
        let file = Path::new("vocab.txt");
        tokens(file, text).and_then(TokenList::into_vocab).map_err(|error| error.to_string())
    }

    #[test]
    fn lines_are_tokens() {
        let vocab = parse_text("\u{feff}[PAD]\r\na\r\nñ \n##b".as_bytes()).unwrap();
        let tokens: Vec<_> = (0..4).map(|id| vocab.token(id).unwrap()).collect();
        assert_eq!(tokens, ["[PAD]", "a", "ñ", "##b"]);
    }

    #[test]
    fn an_empty_line_is_an_empty_token_and_a_last_line_break_is_none() {
        assert_eq!(parse_text(b"a\n\nb").unwrap().len(), 3);
        assert_eq!(parse_text(b"a\nb\n").unwrap().len(), 2);
    }

    #[test]
    fn bad_files_are_refused() {
        assert!(parse_text(b"").unwrap_err().contains("between 1 and"));
        assert!(parse_text(b"a\nb\n\xff").unwrap_err().contains("line 3"));
        let error = parse_text(b"a\nb\na").unwrap_err();
        assert!(error.contains("\"a\"") && error.contains("lines 1 and 3"), "{error}");
        let lines = "\n".repeat(MAX_TOKENS + 2);
        assert!(parse_text(lines.as_bytes()).unwrap_err().contains("10000000 tokens"));
    }
}
