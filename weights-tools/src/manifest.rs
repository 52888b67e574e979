//! The committed reference cases: `tests/fixtures/reference/manifest.json`.
//!
//! `weights-tools/python/make_fixtures.py` writes it, with the outputs that PyTorch gave. A case
//! says everything needed to make its model again from a seed, and the digests of the files that
//! Python made.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use serde::Deserialize;
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};

use crate::synth::{Layout, Recipe, Shape, StoredAs, Vocabulary, synth_to_folder};

/// Where the manifest and the files that it names lie, seen from the project's root.
const FIXTURES: &str = "tests/fixtures/reference";

/// The whole manifest.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// Models made from a seed.
    pub cases: Vec<Case>,
    /// Models that lie in a folder.
    pub folders: Vec<Folder>,
}

/// A model made from a seed, and its reference outputs.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Case {
    /// Unique name, `group` or `group/case`.
    pub name: String,
    /// The documents of the reference file.
    pub texts: Vec<String>,
    config: PathBuf,
    set: Map<String, Value>,
    seed: u64,
    dtype: StoredAs,
    shards: usize,
    prefix: bool,
    gamma_beta: bool,
    tokenizer_json: bool,
    lowercase: bool,
    labels: Vec<String>,
    activation_gain: f64,
    vocab: Option<PathBuf>,
    reference: PathBuf,
    sha256: BTreeMap<String, String>,
}

/// A model that lies in a folder, and its reference outputs.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Folder {
    /// Unique name.
    pub name: String,
    folder: PathBuf,
    reference: PathBuf,
}

/// Reads the manifest of the project at `root`.
///
/// # Errors
/// When it cannot be read or is not a manifest.
pub fn load(root: &Path) -> Result<Manifest> {
    let file = root.join(FIXTURES).join("manifest.json");
    let text = fs::read_to_string(&file).with_context(|| file.display().to_string())?;
    serde_json::from_str(&text).with_context(|| format!("{}: not a manifest", file.display()))
}

impl Case {
    /// The reference outputs (the format that `nervio compare` reads).
    #[must_use]
    pub fn reference(&self, root: &Path) -> PathBuf {
        root.join(FIXTURES).join(&self.reference)
    }

    /// The vocabulary file that the case needs, unless it makes its own. It may lie outside of
    /// the project, so ask whether it is there before [`Case::generate`].
    #[must_use]
    pub fn vocabulary(&self, root: &Path) -> Option<PathBuf> {
        self.vocab.as_ref().map(|file| root.join(file))
    }

    /// Makes the model in the new or empty folder `out`.
    ///
    /// # Errors
    /// As [`synth_to_folder`], and when the case's configuration cannot be read.
    pub fn generate(&self, root: &Path, out: &Path) -> Result<()> {
        let mut shape = Shape::from_file(&root.join(FIXTURES).join(&self.config))?;
        for (key, value) in &self.set {
            shape.set(key, value.clone());
        }
        if !self.labels.is_empty() {
            shape.set_labels(&self.labels);
        }
        let recipe = Recipe {
            shape,
            seed: self.seed,
            layout: Layout {
                stored_as: self.dtype,
                shards: self.shards,
                prefix: self.prefix,
                gamma_beta: self.gamma_beta,
            },
            vocabulary: self.vocabulary(root).map_or(Vocabulary::Synthetic, Vocabulary::File),
            lowercase: self.lowercase,
            tokenizer_json: self.tokenizer_json,
            activation_gain: self.activation_gain,
        };
        synth_to_folder(&recipe, out, &|_| ()).with_context(|| format!("case {}", self.name))
    }

    /// Checks that the files of a folder made by [`Case::generate`] are the ones that PyTorch
    /// ran: the same names, the same SHA-256. Only the two configuration files are left out,
    /// whose numbers Python spells in its own way.
    ///
    /// # Errors
    /// When a file is missing, too many or different.
    pub fn verify(&self, folder: &Path) -> Result<()> {
        let mut found = BTreeMap::new();
        for entry in fs::read_dir(folder).with_context(|| folder.display().to_string())? {
            let entry = entry?;
            let name = entry.file_name().to_string_lossy().into_owned();
            if !matches!(name.as_str(), "config.json" | "tokenizer_config.json") {
                found.insert(name, sha256(&entry.path())?);
            }
        }
        ensure!(
            found == self.sha256,
            "case {}: expected {:#?}, found {found:#?}",
            self.name,
            self.sha256
        );
        Ok(())
    }
}

impl Folder {
    /// The model's folder. It may lie outside of the project.
    #[must_use]
    pub fn folder(&self, root: &Path) -> PathBuf {
        root.join(&self.folder)
    }

    /// The reference outputs (the format that `nervio compare` reads).
    #[must_use]
    pub fn reference(&self, root: &Path) -> PathBuf {
        root.join(FIXTURES).join(&self.reference)
    }
}

/// Hexadecimal SHA-256 of a file, read in parts.
fn sha256(file: &Path) -> Result<String> {
    let describe = || file.display().to_string();
    let mut reader = BufReader::with_capacity(1 << 16, File::open(file).with_context(describe)?);
    let mut digest = Sha256::new();
    loop {
        let part = reader.fill_buf().with_context(describe)?;
        if part.is_empty() {
            break;
        }
        digest.update(part);
        let read = part.len();
        reader.consume(read);
    }
    Ok(digest.finalize().iter().map(|byte| format!("{byte:02x}")).collect())
}
