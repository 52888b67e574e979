//! Which entities are reported, and under which names.

use std::collections::BTreeSet;

use crate::scheme::OUTSIDE;
use crate::{Aggregation, DecoderOptions, Entity, Error, LabelSet, Scheme};

/// Renames and filters entities.
#[derive(Clone, Debug)]
pub(crate) struct Filter {
    options: DecoderOptions,
    /// How to take the prefix off an entity's label; types have none.
    scheme: Scheme,
}

impl Filter {
    /// The filter of `options` for a classifier.
    ///
    /// # Errors
    ///
    /// When a list holds a label that no entity can have, or the bound is no probability.
    pub(crate) fn new(labels: &LabelSet, options: DecoderOptions) -> Result<Self, Error> {
        if let Some(found) = options.min_score.filter(|score| !(0.0..=1.0).contains(score)) {
            return Err(Error::MinScore { found });
        }
        let tags = options.aggregation == Aggregation::None;
        let scheme = if tags { labels.scheme() } else { Scheme::None };
        let filter = Self { options, scheme };
        let known = filter.names(labels);
        let keep = filter.options.labels.iter().flatten().map(|label| ("labels", label));
        let exclude = filter.options.exclude_labels.iter().map(|label| ("exclude_labels", label));
        for (what, label) in keep.chain(exclude) {
            if label != OUTSIDE && !known.contains(label) {
                let expected = known.into_iter().collect::<Vec<_>>().join(", ");
                return Err(Error::Name { what, expected, found: label.clone() });
            }
        }
        Ok(filter)
    }

    /// Every name that the lists may hold, after renaming.
    fn names(&self, labels: &LabelSet) -> BTreeSet<String> {
        let mut names = BTreeSet::new();
        for label in labels.labels() {
            // Hugging Face's rule and Spark's take for a type what follows the hyphen, whatever
            // the scheme.
            let cut = label.split_once('-').map_or(label.as_str(), |(_, kind)| kind);
            for name in [cut, labels.scheme().split(label).1] {
                names.insert(self.rename(name));
            }
            if self.options.aggregation == Aggregation::None {
                names.insert(self.rename(label));
            }
        }
        names.remove(OUTSIDE);
        names
    }

    /// The entities that pass, renamed.
    pub(crate) fn apply(&self, mut entities: Vec<Entity>) -> Vec<Entity> {
        entities.retain_mut(|entity| {
            if !self.options.label_map.is_empty() {
                entity.label = self.rename(&entity.label);
            }
            self.passes(entity)
        });
        entities
    }

    /// The new name of a label; a tag keeps its prefix where only its type is renamed.
    fn rename(&self, label: &str) -> String {
        let map = &self.options.label_map;
        if let Some(name) = map.get(label) {
            return name.clone();
        }
        let kind = self.kind(label);
        match map.get(kind) {
            Some(name) => label[..label.len() - kind.len()].to_owned() + name,
            None => label.to_owned(),
        }
    }

    /// The type of a label.
    fn kind<'a>(&self, label: &'a str) -> &'a str {
        self.scheme.split(label).1
    }

    fn passes(&self, entity: &Entity) -> bool {
        let kind = self.kind(&entity.label);
        let listed =
            |list: &Vec<String>| list.iter().any(|name| *name == entity.label || name == kind);
        self.options.labels.as_ref().is_none_or(listed)
            && !listed(&self.options.exclude_labels)
            && self.options.min_score.is_none_or(|score| entity.score >= score)
    }
}
