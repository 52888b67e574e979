//! Pieces joined to a string again, by the `WordPiece` decoder of Hugging Face's tokenizers.

/// What the decoder tidies, each within one piece and in this order (`decoders/wordpiece.rs`).
const TIDIED: [(&str, &str); 11] = [
    (" .", "."),
    (" ?", "?"),
    (" !", "!"),
    (" ,", ","),
    (" ' ", "'"),
    (" n't", "n't"),
    (" 'm", "'m"),
    (" do not", " don't"),
    (" 's", "'s"),
    (" 've", "'ve"),
    (" 're", "'re"),
];

/// Joins pieces: `##` continues, all others follow a blank, unless the decoder tidies it away.
pub(crate) fn join<S: AsRef<str>>(pieces: impl IntoIterator<Item = S>) -> String {
    let mut joined = String::new();
    for (index, piece) in pieces.into_iter().enumerate() {
        let piece = piece.as_ref();
        match piece.strip_prefix("##").filter(|_| index > 0) {
            Some(rest) => joined.push_str(&tidy(rest.to_owned())),
            None if index > 0 => joined.push_str(&tidy(format!(" {piece}"))),
            None => joined.push_str(&tidy(piece.to_owned())),
        }
    }
    joined
}

fn tidy(mut piece: String) -> String {
    for (untidy, tidy) in TIDIED {
        if piece.contains(untidy) {
            piece = piece.replace(untidy, tidy);
        }
    }
    piece
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_are_joined_as_hugging_face_does() {
        assert_eq!(join(["U", ".", "S", "."]), "U. S.");
        assert_eq!(join(["New", "-", "York"]), "New - York");
        assert_eq!(join(["O", "'", "Brien"]), "O ' Brien");
        assert_eq!(join(["«", "New", "»"]), "« New »");
        assert_eq!(join(["##e", "##f", "g"]), "##ef g");
        assert_eq!(join(["Wolf", "##gang", ",", "?", "!"]), "Wolfgang,?!");
        assert_eq!(join(["I", "'m", "'s", "n't"]), "I'm'sn't");
        assert_eq!(join::<&str>([]), "");
    }
}
