//! Added tokens: strings that are one token wherever they stand, whatever WordPiece would do.

use serde::Deserialize;

/// An added token as the files of a model describe it; what they leave out has the defaults of
/// transformers.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
pub(crate) struct TokenSpec {
    pub(crate) content: String,
    #[serde(default)]
    pub(crate) single_word: bool,
    #[serde(default)]
    pub(crate) lstrip: bool,
    #[serde(default)]
    pub(crate) rstrip: bool,
    #[serde(default)]
    pub(crate) normalized: Option<bool>,
    #[serde(default)]
    pub(crate) special: bool,
}

impl TokenSpec {
    /// A token of which only the text is known.
    pub(crate) fn plain(content: &str) -> Self {
        Self { content: content.to_owned(), ..Self::default() }
    }

    /// The same token with a meaning of its own.
    pub(crate) fn into_special(self) -> Self {
        Self { special: true, ..self }
    }

    /// The token with its id.
    pub(crate) fn with_id(self, id: u32) -> AddedToken {
        AddedToken {
            content: self.content,
            id,
            single_word: self.single_word,
            left_strip: self.lstrip,
            right_strip: self.rstrip,
            normalized: self.normalized.unwrap_or(!self.special),
            special: self.special,
        }
    }
}

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
    /// Looked for in normalised text, normalised itself; else in the text as it came.
    pub(crate) normalized: bool,
    /// Whether it has a meaning of its own, such as `[SEP]`.
    pub(crate) special: bool,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn special_tokens_stand_in_raw_text_and_others_in_normalised_text() {
        let plain = TokenSpec::plain("<e>").with_id(7);
        assert!(plain.normalized && !plain.special && plain.id == 7);
        let special = TokenSpec::plain("<e>").into_special().with_id(7);
        assert!(!special.normalized && special.special);
        let spec: TokenSpec =
            serde_json::from_str(r#"{"content": "x", "normalized": false, "lstrip": true}"#)
                .unwrap();
        let token = spec.with_id(1);
        assert!(!token.normalized && token.left_strip && !token.right_strip && !token.special);
    }
}
