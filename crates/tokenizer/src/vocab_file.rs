//! `vocab.txt`: a token on each line, its id the number of the line.

use std::path::Path;

use crate::Error;
use crate::vocab::{MAX_BYTES, MAX_TOKENS, Vocab};

/// The tokens of a file; white space at the end of a line, a carriage return among it, is not part
/// of the token (as in the Rust reader of `tokenizers`).
pub(crate) fn lines<'a>(file: &Path, bytes: &'a [u8]) -> Result<Vec<&'a str>, Error> {
    let bytes = bytes.strip_prefix("\u{feff}".as_bytes()).unwrap_or(bytes);
    let text = std::str::from_utf8(bytes).map_err(|error| {
        let valid = &bytes[..error.valid_up_to()];
        Error::NotUtf8 {
            file: file.to_owned(),
            line: valid.iter().filter(|byte| **byte == b'\n').count() + 1,
        }
    })?;
    Ok(text.lines().map(str::trim_end).collect())
}

/// A vocabulary of tokens in the order of their ids; WordPiece does not know those of which
/// `is_added` holds.
pub(crate) fn build(
    file: &Path,
    tokens: &[&str],
    is_added: impl Fn(&str) -> bool,
) -> Result<Vocab, Error> {
    let found = tokens.len();
    if found == 0 || found > MAX_TOKENS {
        return Err(Error::Size { file: file.to_owned(), limit: MAX_TOKENS, found });
    }
    if tokens.iter().map(|token| token.len()).sum::<usize>() > MAX_BYTES {
        return Err(Error::TooLarge { file: file.to_owned(), limit: MAX_BYTES });
    }
    Vocab::new(tokens, is_added).map_err(|(first, second)| Error::Duplicate {
        file: file.to_owned(),
        token: tokens.get(first as usize).copied().unwrap_or_default().to_owned(),
        first,
        second,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse_text(text: &[u8]) -> Result<Vocab, String> {
        let file = Path::new("vocab.txt");
        lines(file, text)
            .and_then(|lines| build(file, &lines, |_| false))
            .map_err(|error| error.to_string())
    }

    #[test]
    fn lines_are_tokens() {
        let vocab = parse_text(b"[PAD]\r\na\r\n\xc3\xb1 \n##b").unwrap();
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
    }
}
