//! The configuration of the converted model: `config.json`, or Google's `bert_config.json`.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};
use serde_json::{Map, Value};

use crate::synth::Shape;

/// Most labels that are accepted.
const MAX_LABELS: usize = 1 << 16;

/// Files that hold a configuration, best first.
const FILES: [&str; 2] = ["config.json", "bert_config.json"];

/// The configuration beside a checkpoint.
#[derive(Debug)]
pub(super) struct Config {
    pub(super) path: PathBuf,
    pub(super) shape: Shape,
    /// Labels by id, if the configuration or the command line names them or their number.
    pub(super) labels: Option<Vec<String>>,
}

impl Config {
    /// Reads the configuration of a folder; `labels` of the command line win.
    pub(super) fn read(folder: &Path, labels: Option<Vec<String>>) -> Result<Self> {
        let path = FILES.iter().map(|name| folder.join(name)).find(|path| path.exists());
        let path = path.with_context(|| {
            format!("{}: expected config.json or bert_config.json, found neither", folder.display())
        })?;
        let text = fs::read_to_string(&path).with_context(|| path.display().to_string())?;
        let map: Map<String, Value> = serde_json::from_str(&text)
            .with_context(|| format!("{}: not a JSON object", path.display()))?;
        let model = map.get("model_type").filter(|model| *model != "bert");
        if let Some(model) = model {
            bail!("{}: model_type: expected \"bert\", found {model}", path.display());
        }
        let labels = match labels {
            Some(labels) => Some(labels),
            None => own_labels(&map).with_context(|| path.display().to_string())?,
        };
        let mut shape = Shape::from_file(&path)?;
        // The word for the type of the weights before `dtype`, which is written anew.
        shape.remove("torch_dtype");
        shape.remove("num_labels");
        Ok(Self { path, shape, labels })
    }
}

/// The labels of a configuration in the order of their ids.
fn own_labels(map: &Map<String, Value>) -> Result<Option<Vec<String>>> {
    match (map.get("id2label"), map.get("num_labels")) {
        (Some(Value::Object(pairs)), _) => {
            let label = |id: usize| {
                let label = pairs.get(&id.to_string()).and_then(Value::as_str);
                let label = label.with_context(|| format!("id2label: expected a label {id}"))?;
                Ok(label.to_owned())
            };
            Ok(Some((0..pairs.len()).map(label).collect::<Result<_>>()?))
        }
        (Some(other), _) if !other.is_null() => {
            bail!("id2label: expected an object, found {other}")
        }
        (_, Some(number)) if !number.is_null() => {
            let count = number.as_u64().and_then(|count| usize::try_from(count).ok());
            let count = count.filter(|count| (1..=MAX_LABELS).contains(count));
            let count = count.with_context(|| {
                format!("num_labels: expected 1 to {MAX_LABELS}, found {number}")
            })?;
            Ok(Some(numbered(count)))
        }
        _ => Ok(None),
    }
}

/// The labels that transformers makes up: `LABEL_0` and so on.
pub(super) fn numbered(count: usize) -> Vec<String> {
    (0..count).map(|id| format!("LABEL_{id}")).collect()
}

/// The labels of the command line: a file with one on each line, or a list with commas.
pub(super) fn parse_labels(argument: &str) -> Result<Vec<String>> {
    let file = Path::new(argument);
    let labels: Vec<String> = if file.is_file() {
        let text = fs::read_to_string(file).with_context(|| argument.to_owned())?;
        let lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
        lines.map(Into::into).collect()
    } else {
        argument.split(',').map(|label| label.trim().to_owned()).collect()
    };
    ensure!(
        !labels.is_empty() && labels.iter().all(|label| !label.is_empty()),
        "--labels {argument}: expected a file with a label on each line, or labels with commas"
    );
    let mut sorted: Vec<&String> = labels.iter().collect();
    sorted.sort_unstable();
    if let Some(pair) = sorted.windows(2).find(|pair| pair[0] == pair[1]) {
        bail!("--labels: expected each label once, found {} twice", pair[0]);
    }
    Ok(labels)
}
