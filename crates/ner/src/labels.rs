//! The labels of a classifier.

use std::collections::HashMap;

use crate::Error;
use crate::scheme::{OUTSIDE, Prefix, Scheme};

/// What one label says of a word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Tag {
    pub(crate) prefix: Option<Prefix>,
    /// Position in [`LabelSet::types`]; `None` is outside.
    pub(crate) kind: Option<usize>,
}

/// The labels of a classifier by id, read by a tag scheme.
///
/// Any strings will do: a label that follows no scheme is a type.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LabelSet {
    labels: Vec<String>,
    scheme: Scheme,
    tags: Vec<Tag>,
    types: Vec<String>,
}

impl LabelSet {
    /// Labels in the order of their ids, read by the scheme that they seem to follow.
    ///
    /// # Errors
    ///
    /// When there are none.
    pub fn new<S: AsRef<str>>(labels: &[S]) -> Result<Self, Error> {
        Self::with_scheme(labels, Scheme::detect(labels))
    }

    /// Labels in the order of their ids, read by `scheme`.
    ///
    /// # Errors
    ///
    /// When there are none.
    pub fn with_scheme<S: AsRef<str>>(labels: &[S], scheme: Scheme) -> Result<Self, Error> {
        if labels.is_empty() {
            return Err(Error::NoLabels);
        }
        let mut types: Vec<String> = Vec::new();
        let mut known: HashMap<&str, usize> = HashMap::new();
        let mut tags = Vec::with_capacity(labels.len());
        for label in labels {
            let (prefix, kind) = scheme.split(label.as_ref());
            let kind = (kind != OUTSIDE).then(|| {
                *known.entry(kind).or_insert_with(|| {
                    types.push(kind.to_owned());
                    types.len() - 1
                })
            });
            tags.push(Tag { prefix, kind });
        }
        let labels = labels.iter().map(|label| label.as_ref().to_owned()).collect();
        Ok(Self { labels, scheme, tags, types })
    }

    /// The labels by id; at least one.
    #[must_use]
    pub fn labels(&self) -> &[String] {
        &self.labels
    }

    /// The scheme that the labels are read by.
    #[must_use]
    pub fn scheme(&self) -> Scheme {
        self.scheme
    }

    /// The types without their prefixes, each once, in the order of the labels.
    #[must_use]
    pub fn types(&self) -> &[String] {
        &self.types
    }

    /// What each label says, by id.
    pub(crate) fn tags(&self) -> &[Tag] {
        &self.tags
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_come_once_and_without_prefix() {
        let set = LabelSet::new(&["B-LOC", "B-a-b", "I-LOC", "O", "I-a-b", "B-O", "X"]).unwrap();
        assert_eq!(set.scheme(), Scheme::Iob2);
        assert_eq!(set.types(), ["LOC", "a-b", "X"]);
        let kinds: Vec<_> = set.tags().iter().map(|tag| tag.kind).collect();
        assert_eq!(kinds, [Some(0), Some(1), Some(0), None, Some(1), None, Some(2)]);
        assert_eq!(set.tags()[2].prefix, Some(Prefix::Inside));
    }

    #[test]
    fn a_classifier_has_labels() {
        assert_eq!(LabelSet::new::<&str>(&[]), Err(Error::NoLabels));
        assert_eq!(LabelSet::new(&[""]).unwrap().types(), [""]);
    }
}
