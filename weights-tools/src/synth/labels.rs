//! Label sets and their two maps in `config.json`.

use serde_json::{Map, Value};

/// The nine labels of CoNLL-2002 in alphabetical order: the default.
pub const CONLL_LABELS: [&str; 9] =
    ["B-LOC", "B-MISC", "B-ORG", "B-PER", "I-LOC", "I-MISC", "I-ORG", "I-PER", "O"];

/// The `id2label` and `label2id` objects of these labels, ids in the order given.
pub(super) fn label_maps<S: AsRef<str>>(labels: &[S]) -> (Map<String, Value>, Map<String, Value>) {
    let mut id2label = Map::new();
    let mut label2id = Map::new();
    for (id, label) in labels.iter().enumerate() {
        id2label.insert(id.to_string(), Value::from(label.as_ref()));
        label2id.insert(label.as_ref().to_owned(), Value::from(id));
    }
    (id2label, label2id)
}
