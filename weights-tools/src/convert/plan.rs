//! Which tensor of the checkpoint becomes which of the model, decided before anything is read.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Context, Result, bail, ensure};
use safetensors::Dtype;

use super::config::{Config, numbered};
use super::names::{self, canonical};
use super::reader::{Entry, Naming, Reader};
use crate::synth::{ACTIVATION_GAIN, Shape, tensor_specs};

/// A tensor to write.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Step {
    /// Its name in the checkpoint.
    pub(super) source: String,
    /// Its name in the new file.
    pub(super) name: String,
    pub(super) dtype: Dtype,
    /// Its dimensions in the new file.
    pub(super) shape: Vec<usize>,
    /// Its rows and columns change places.
    pub(super) transposed: bool,
}

/// The whole conversion.
#[derive(Debug)]
pub(super) struct Plan {
    pub(super) steps: Vec<Step>,
    /// Names in the checkpoint that are left out, and why.
    pub(super) dropped: Vec<(String, &'static str)>,
    /// The labels of the classifier; none for an encoder alone.
    pub(super) labels: Option<Vec<String>>,
    pub(super) shape: Shape,
    /// Sentences for the user.
    pub(super) notes: Vec<String>,
}

/// A tensor of the checkpoint under its canonical name.
struct Found {
    entry: Entry,
    transposed: bool,
}

impl Found {
    /// The dimensions that it will have.
    fn shape(&self) -> Vec<usize> {
        let mut shape = self.entry.shape.clone();
        if self.transposed {
            shape.reverse();
        }
        shape
    }
}

impl Plan {
    /// Compares the tensors of a checkpoint with those that its configuration asks for.
    ///
    /// # Errors
    /// When one is missing, there twice, or of another shape or type.
    pub(super) fn new(reader: &dyn Reader, config: &Config, encoder_only: bool) -> Result<Self> {
        let path = reader.path();
        let mut found = collect(reader)?;
        let mut plan = Self {
            steps: Vec::new(),
            dropped: Vec::new(),
            labels: None,
            shape: config.shape.clone(),
            notes: Vec::new(),
        };
        plan.labels = plan.choose_labels(path, config, &found, encoder_only)?;
        plan.shape.set_labels(plan.labels.as_deref().unwrap_or(&numbered(1)));
        let sizes = plan.shape.dimensions().with_context(|| config.path.display().to_string())?;
        let deepest = found.keys().filter_map(|name| names::layer(name)).max();
        if let Some(layer) = deepest.filter(|layer| *layer >= sizes.layers) {
            bail!(
                "{}: tensor encoder.layer.{layer}: expected {} layers, as {} says",
                path.display(),
                sizes.layers,
                config.path.display()
            );
        }
        for spec in tensor_specs(&sizes, ACTIVATION_GAIN) {
            let (name, shape) = (spec.canonical, spec.shape);
            if plan.labels.is_none() && name.starts_with("classifier.") {
                continue;
            }
            let tensor = found.remove(&name).with_context(|| {
                format!("{}: tensor {name}: expected {shape:?}, found none", path.display())
            })?;
            plan.steps.push(step(path, &name, shape, &tensor)?);
        }
        let left = found.into_iter();
        plan.dropped =
            left.map(|(name, tensor)| (tensor.entry.name, names::reason(&name))).collect();
        plan.dropped.extend(reader.others().into_iter().map(|name| (name, "not a tensor")));
        plan.dropped.sort();
        Ok(plan)
    }

    /// The labels of the classifier that is written, or none when there is none to write.
    fn choose_labels(
        &mut self,
        path: &Path,
        config: &Config,
        found: &BTreeMap<String, Found>,
        encoder_only: bool,
    ) -> Result<Option<Vec<String>>> {
        if encoder_only {
            return Ok(None);
        }
        let weight = found.get("classifier.weight");
        let rows = weight.and_then(|tensor| tensor.shape().first().copied());
        match (rows, &config.labels) {
            (None, None) => {
                self.notes.push(
                    "The checkpoint has no classifier: only the encoder was written. It must be \
                     trained for token classification before it can name entities."
                        .into(),
                );
                Ok(None)
            }
            (None, Some(labels)) => bail!(
                "{}: tensor classifier.weight: expected {} rows, one for each label, found none; \
                 --encoder-only writes the encoder without a classifier",
                path.display(),
                labels.len()
            ),
            (Some(rows), None) => {
                ensure!(
                    (1..=1 << 16).contains(&rows),
                    "{}: tensor classifier.weight: expected a row for each label, found {rows}",
                    path.display()
                );
                self.notes.push(format!(
                    "The configuration names no labels: the {rows} of the classifier are called \
                     LABEL_0 and so on; --labels gives them their names."
                ));
                Ok(Some(numbered(rows)))
            }
            (Some(_), Some(labels)) => Ok(Some(labels.clone())),
        }
    }
}

/// All tensors by canonical name.
fn collect(reader: &dyn Reader) -> Result<BTreeMap<String, Found>> {
    let mut found: BTreeMap<String, Found> = BTreeMap::new();
    for entry in reader.entries() {
        let name = canonical(&entry.name, reader.naming());
        let tensor = Found { entry, transposed: name.transposed };
        if let Some(first) = found.insert(name.name.clone(), tensor) {
            bail!(
                "{}: tensor {}: expected once, found also as {}",
                reader.path().display(),
                name.name,
                first.entry.name
            );
        }
    }
    Ok(found)
}

fn step(path: &Path, name: &str, expected: Vec<usize>, tensor: &Found) -> Result<Step> {
    let (entry, shape) = (&tensor.entry, tensor.shape());
    let stored = if tensor.transposed { " (transposed)" } else { "" };
    ensure!(
        shape == expected,
        "{}: tensor {}: expected shape {expected:?}, as the configuration says, found \
         {shape:?}{stored}",
        path.display(),
        entry.name
    );
    ensure!(
        matches!(entry.dtype, Dtype::F32 | Dtype::F16 | Dtype::BF16),
        "{}: tensor {}: expected F32, F16 or BF16, found {}",
        path.display(),
        entry.name,
        entry.dtype
    );
    Ok(Step {
        source: entry.name.clone(),
        name: names::file_name(name),
        dtype: entry.dtype,
        shape,
        transposed: tensor.transposed,
    })
}

impl Step {
    /// Whether the name changed in more than the way that its format spells names.
    pub(super) fn is_renamed(&self, naming: Naming) -> bool {
        naming == Naming::TensorFlow || self.source != self.name
    }
}
