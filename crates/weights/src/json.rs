//! JSON from files that nobody vouches for: bounded depth, unique keys, short messages.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::fmt;
use std::path::Path;

use serde::de::{Deserialize, DeserializeOwned, Deserializer, Error as _, MapAccess, Visitor};

use crate::Error;

/// Levels of nesting that are read; a header has three, an index two.
const MAX_DEPTH: usize = 32;

/// Characters of a parser's message that are shown; it may quote the file at any length.
const MAX_REASON: usize = 200;

/// Reads a whole JSON text; `what` and `expected` are for messages.
pub(crate) fn parse<T: DeserializeOwned>(
    file: &Path,
    what: &'static str,
    expected: &'static str,
    json: &[u8],
) -> Result<T, Error> {
    if !is_shallow(json) {
        return Err(Error::TooDeep { file: file.to_owned(), what, limit: MAX_DEPTH });
    }
    serde_json::from_slice(json).map_err(|error| Error::Json {
        file: file.to_owned(),
        what,
        expected,
        reason: printable(&error.to_string(), MAX_REASON),
    })
}

/// The beginning of a text from a file, without characters that a terminal obeys.
pub(crate) fn printable(text: &str, limit: usize) -> String {
    let visible = |c: char| if c.is_control() { char::REPLACEMENT_CHARACTER } else { c };
    let mut short: String = text.chars().take(limit).map(visible).collect();
    if text.chars().nth(limit).is_some() {
        short.push('…');
    }
    short
}

/// Whether no bracket outside of a string is nested deeper than [`MAX_DEPTH`].
fn is_shallow(json: &[u8]) -> bool {
    let (mut depth, mut in_string, mut escaped) = (0_usize, false, false);
    for byte in json {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if in_string => escaped = true,
            b'"' => in_string = !in_string,
            b'{' | b'[' if !in_string => depth += 1,
            b'}' | b']' if !in_string => depth = depth.saturating_sub(1),
            _ => {}
        }
        if depth > MAX_DEPTH {
            return false;
        }
    }
    true
}

/// A JSON object that remembers the first key that came twice.
#[derive(Debug)]
pub(crate) struct UniqueMap<V> {
    pub(crate) entries: BTreeMap<String, V>,
    duplicate: Option<String>,
}

impl<V> Default for UniqueMap<V> {
    fn default() -> Self {
        Self { entries: BTreeMap::new(), duplicate: None }
    }
}

impl<V> UniqueMap<V> {
    /// Adds an entry; of two with one key the first stays.
    pub(crate) fn insert(&mut self, key: String, value: V) {
        match self.entries.entry(key) {
            Entry::Vacant(entry) => {
                entry.insert(value);
            }
            Entry::Occupied(entry) => {
                self.duplicate.get_or_insert_with(|| entry.key().clone());
            }
        }
    }

    /// The entries, if no key came twice; `what` names the object.
    pub(crate) fn into_unique(
        self,
        file: &Path,
        what: &'static str,
    ) -> Result<BTreeMap<String, V>, Error> {
        match self.duplicate {
            None => Ok(self.entries),
            Some(key) => Err(Error::DuplicateKey {
                file: file.to_owned(),
                what,
                key: printable(&key, MAX_REASON),
            }),
        }
    }
}

impl<'de, V: Deserialize<'de>> Deserialize<'de> for UniqueMap<V> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Entries<V>(UniqueMap<V>);

        impl<'de, V: Deserialize<'de>> Visitor<'de> for Entries<V> {
            type Value = UniqueMap<V>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(mut self, mut map: A) -> Result<Self::Value, A::Error> {
                while let Some(key) = map.next_key::<String>()? {
                    let value = value_of(&key, &mut map)?;
                    self.0.insert(key, value);
                }
                Ok(self.0)
            }
        }

        deserializer.deserialize_map(Entries(Self::default()))
    }
}

/// The value of a key just read; an error names the key.
pub(crate) fn value_of<'de, A, V>(key: &str, map: &mut A) -> Result<V, A::Error>
where
    A: MapAccess<'de>,
    V: Deserialize<'de>,
{
    map.next_value()
        .map_err(|error| A::Error::custom(format!("{}: {error}", printable(key, MAX_REASON / 2))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn brackets_in_strings_are_not_nesting() {
        let brackets = "[".repeat(MAX_DEPTH + 1);
        assert!(is_shallow(format!("[\"{brackets}\\\"{brackets}\\\\\"]").as_bytes()));
        assert!(!is_shallow(brackets.as_bytes()));
        assert!(is_shallow("[".repeat(MAX_DEPTH).as_bytes()));
        assert!(is_shallow("[]".repeat(1000).as_bytes()));
    }

    #[test]
    fn the_first_duplicate_is_reported() {
        let map: UniqueMap<u8> = serde_json::from_str(r#"{"a":1,"b":2,"b":3,"a":4}"#).unwrap();
        assert_eq!(map.entries["b"], 2);
        let error = map.into_unique(Path::new("f"), "the map").unwrap_err();
        assert_eq!(error.to_string(), "f: the map: expected unique keys, found b twice");
    }

    #[test]
    fn messages_are_short_and_harmless() {
        assert_eq!(printable("a\u{1b}[2J\0b", 9), "a\u{fffd}[2J\u{fffd}b");
        assert_eq!(printable("ñandú", 3), "ñan…");
        assert_eq!(printable("ñandú", 5), "ñandú");
    }

    #[test]
    fn a_mistake_names_its_key() {
        let error =
            parse::<UniqueMap<u8>>(Path::new("f"), "the map", "numbers", br#"{"a":1,"b":"x"}"#);
        let message = error.unwrap_err().to_string();
        assert!(message.starts_with("f: the map: expected numbers, found a mistake: b: invalid"));
        assert!(message.ends_with("at line 1 column 14"), "{message}");
    }
}
