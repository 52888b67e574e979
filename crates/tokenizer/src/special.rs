//! Special tokens: which tokens of the vocabulary have a meaning of their own.

use std::collections::BTreeMap;
use std::path::Path;

use serde::Deserialize;
use serde_json::Value;

use crate::Error;
use crate::added::TokenSpec;
use crate::config::wrong;
use crate::options::SpecialTokens;
use crate::vocab::Vocab;

/// The roles of special tokens with the names that BERT gives them.
const ROLES: [(&str, &str); 5] = [
    ("cls_token", "[CLS]"),
    ("sep_token", "[SEP]"),
    ("pad_token", "[PAD]"),
    ("unk_token", "[UNK]"),
    ("mask_token", "[MASK]"),
];

/// Keys that list special tokens without a role.
const EXTRA: [&str; 2] = ["additional_special_tokens", "extra_special_tokens"];

/// The special tokens that the files of a model name.
#[derive(Clone, Debug, Default)]
pub(crate) struct Specials {
    /// Role, such as `cls_token`, to token.
    roles: BTreeMap<&'static str, TokenSpec>,
    /// Those without a role.
    extra: Vec<TokenSpec>,
}

impl Specials {
    /// Reads the keys of `tokenizer_config.json` or `special_tokens_map.json`; what an earlier
    /// file said about a role is replaced.
    ///
    /// # Errors
    ///
    /// When a key holds anything but tokens.
    pub(crate) fn read(&mut self, file: &Path, json: &Value) -> Result<(), Error> {
        for (role, _) in ROLES {
            if let Some(value) = json.get(role).filter(|value| !value.is_null()) {
                self.roles.insert(role, token(file, role, value)?);
            }
        }
        for key in EXTRA {
            // Named extras, an object, are for models of other kinds.
            for value in json.get(key).and_then(Value::as_array).into_iter().flatten() {
                self.extra.push(token(file, key, value)?);
            }
        }
        Ok(())
    }

    /// Names the token of a role unless a file did.
    pub(crate) fn or_insert(&mut self, role: &'static str, content: &str) {
        self.roles.entry(role).or_insert_with(|| TokenSpec::plain(content).into_special());
    }

    /// Gives each role that no file names the token that BERT has for it.
    pub(crate) fn fill(&mut self) {
        for (role, default) in ROLES {
            self.or_insert(role, default);
        }
    }

    /// The tokens without a role.
    pub(crate) fn extra(&self) -> &[TokenSpec] {
        &self.extra
    }

    /// All tokens.
    pub(crate) fn all(&self) -> impl Iterator<Item = &TokenSpec> {
        self.roles.values().chain(&self.extra)
    }

    /// The ids of the roles, each of its own; all roles must be [filled](Self::fill).
    ///
    /// # Errors
    ///
    /// When a token is not in the vocabulary or has two roles.
    pub(crate) fn resolve(&self, file: &Path, vocab: &Vocab) -> Result<SpecialTokens, Error> {
        let mut ids = [0; ROLES.len()];
        for (index, (role, default)) in ROLES.into_iter().enumerate() {
            let file = file.to_owned();
            let token = self.roles.get(role).map_or(default, |spec| &spec.content).to_owned();
            let Some(id) = vocab.id(&token) else {
                return Err(Error::MissingSpecial { file, role, token });
            };
            if let Some(first) = ids[..index].iter().position(|other| *other == id) {
                let (first_role, second_role) = (ROLES[first].0, role);
                return Err(Error::SharedSpecial { file, token, first_role, second_role });
            }
            ids[index] = id;
        }
        let [cls, sep, pad, unk, mask] = ids;
        Ok(SpecialTokens { cls, sep, pad, unk, mask })
    }
}

/// A special token, written as a string or as an object with `content`.
fn token(file: &Path, key: &str, value: &Value) -> Result<TokenSpec, Error> {
    let spec = match value {
        Value::String(content) => Some(TokenSpec::plain(content)),
        Value::Object(_) => TokenSpec::deserialize(value).ok(),
        _ => None,
    };
    let spec = spec.ok_or_else(|| wrong(file, key, "a token, or an object with content", value))?;
    Ok(spec.into_special())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const FILE: &str = "special_tokens_map.json";

    fn read(json: &Value) -> Result<Specials, String> {
        let mut specials = Specials::default();
        specials.read(Path::new(FILE), json).map_err(|error| error.to_string())?;
        Ok(specials)
    }

    #[test]
    fn tokens_have_two_forms_and_defaults() {
        let json = json!({
            "cls_token": "<s>",
            "sep_token": { "content": "</s>", "lstrip": true },
            "mask_token": null,
            "additional_special_tokens": ["<a>", { "content": "<b>" }],
        });
        let mut specials = read(&json).unwrap();
        specials.or_insert("unk_token", "?");
        specials.or_insert("cls_token", "?");
        specials.fill();
        let contents: Vec<_> = specials.all().map(|spec| spec.content.as_str()).collect();
        assert_eq!(contents, ["<s>", "[MASK]", "[PAD]", "</s>", "?", "<a>", "<b>"]);
        assert!(specials.all().all(|spec| spec.special));
        assert!(specials.roles["sep_token"].lstrip && specials.extra().len() == 2);
    }

    #[test]
    fn a_later_file_replaces_a_role() {
        let mut specials = read(&json!({ "cls_token": "a", "sep_token": "b" })).unwrap();
        specials.read(Path::new(FILE), &json!({ "cls_token": "c" })).unwrap();
        let contents: Vec<_> = specials.all().map(|spec| spec.content.as_str()).collect();
        assert_eq!(contents, ["c", "b"]);
    }

    #[test]
    fn anything_else_is_refused_by_key() {
        for (json, key) in [
            (json!({ "cls_token": 7 }), "cls_token"),
            (json!({ "cls_token": { "lstrip": true } }), "cls_token"),
            (json!({ "extra_special_tokens": [null] }), "extra_special_tokens"),
        ] {
            let error = read(&json).unwrap_err();
            assert!(error.contains(key) && error.contains(FILE), "{error}");
        }
    }
}
