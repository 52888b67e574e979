//! The cache in which Hugging Face's libraries keep the models that they fetched.
//!
//! `models--ORG--NAME` holds `refs/REVISION`, a file with the hash of a commit; `snapshots/COMMIT`,
//! the files of that commit as links; and `blobs`, what the links lead to. The layout and the
//! variables are those of the `huggingface_hub` package. Nothing here touches the network.

use std::env;
use std::ffi::OsString;
use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};

/// The revision that is meant where none is named.
pub const MAIN: &str = "main";

/// The name of a model on a hub, `ORG/NAME`, at a revision: a branch, a tag or a commit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HubName {
    name: String,
    revision: String,
}

impl HubName {
    /// Reads `ORG/NAME` or `ORG/NAME@REVISION`; nothing if it cannot be one.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (name, revision) = text.split_once('@').unwrap_or((text, MAIN));
        let (org, model) = name.split_once('/')?;
        let is_part = |part: &str| {
            let known = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
            (1..=96).contains(&part.len())
                && part.chars().all(known)
                && !part.starts_with(['.', '-'])
                && !part.contains("--")
                && !part.contains("..")
        };
        let is_revision = (1..=96).contains(&revision.len()) && revision.split('/').all(is_part);
        let is_name = is_part(org) && is_part(model) && is_revision;
        is_name.then(|| Self { name: name.to_owned(), revision: revision.to_owned() })
    }

    /// The same model at another revision; nothing if it cannot be one.
    #[must_use]
    pub fn at(&self, revision: &str) -> Option<Self> {
        Self::parse(&format!("{}@{revision}", self.name))
    }

    /// `ORG/NAME`.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The branch, tag or commit.
    #[must_use]
    pub fn revision(&self) -> &str {
        &self.revision
    }

    /// The folder of the model in a cache: `models--ORG--NAME`.
    #[must_use]
    pub fn folder_name(&self) -> String {
        format!("models--{}", self.name.replace('/', "--"))
    }
}

impl fmt::Display for HubName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)?;
        if self.revision == MAIN { Ok(()) } else { write!(f, "@{}", self.revision) }
    }
}

/// Whether `text` is the hash of a commit: 40 digits in hexadecimal.
#[must_use]
pub fn is_commit(text: &str) -> bool {
    text.len() == 40 && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

/// A cache folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HubCache {
    root: PathBuf,
}

impl HubCache {
    /// The cache in a folder.
    #[must_use]
    pub fn new(root: PathBuf) -> Self {
        Self { root }
    }

    /// The cache that the environment names: `HF_HUB_CACHE`, else `hub` in [`hub_home`].
    #[must_use]
    pub fn from_env() -> Option<Self> {
        let named = variable("HF_HUB_CACHE").or_else(|| variable("HUGGINGFACE_HUB_CACHE"));
        Some(Self::new(
            named.map_or_else(
                || hub_home().map(|home| home.join("hub")),
                |path| Some(path.into()),
            )?,
        ))
    }

    /// The folder of the cache.
    #[must_use]
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The folder of a model, be it there or not.
    #[must_use]
    pub fn model(&self, name: &HubName) -> PathBuf {
        self.root.join(name.folder_name())
    }

    /// The folder with the files of a commit, be it there or not.
    #[must_use]
    pub fn snapshot(&self, name: &HubName, commit: &str) -> PathBuf {
        self.model(name).join("snapshots").join(commit)
    }

    /// The file that holds the commit of a branch or a tag.
    #[must_use]
    pub fn reference(&self, name: &HubName) -> PathBuf {
        self.model(name).join("refs").join(name.revision())
    }

    /// The folder with the files of a model at its revision, if it was fetched.
    #[must_use]
    pub fn find(&self, name: &HubName) -> Option<PathBuf> {
        let commit = match fs::read_to_string(self.reference(name)) {
            Ok(commit) => commit.trim().to_owned(),
            Err(_) => name.revision().to_owned(),
        };
        let folder = self.snapshot(name, &commit);
        (is_commit(&commit) && folder.is_dir()).then_some(folder)
    }
}

/// `HF_HOME`, else `huggingface` in the user's cache folder.
#[must_use]
pub fn hub_home() -> Option<PathBuf> {
    if let Some(home) = variable("HF_HOME") {
        return Some(home.into());
    }
    let cache = variable("XDG_CACHE_HOME").map(PathBuf::from);
    Some(cache.or_else(|| Some(env::home_dir()?.join(".cache")))?.join("huggingface"))
}

/// A variable of the environment that is set to something.
fn variable(name: &str) -> Option<OsString> {
    env::var_os(name).filter(|value| !value.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_told_from_paths() {
        let parsed = |text| HubName::parse(text).map(|name| (name.name, name.revision));
        let some = |name: &str, revision: &str| Some((name.to_owned(), revision.to_owned()));
        assert_eq!(parsed("mrm8488/bert-x.y_z"), some("mrm8488/bert-x.y_z", "main"));
        assert_eq!(parsed("a/b@refs/pr/1"), some("a/b", "refs/pr/1"));
        for text in [
            "",
            "a",
            "a/",
            "/b",
            "./a",
            "../a",
            "a/b/c",
            "a/..",
            "a/.b",
            "a b/c",
            "a/b@",
            "a/b@..",
            "a/b@x/../y",
            "a--b/c",
            "a\\b/c",
            "a/-b",
            "~/models",
        ] {
            assert_eq!(parsed(text), None, "{text}");
        }
    }

    #[test]
    fn snapshots_are_found_by_branch_and_by_commit() {
        let folder = tempfile::tempdir().unwrap();
        let cache = HubCache::new(folder.path().to_owned());
        let name = HubName::parse("org/name").unwrap();
        assert_eq!(cache.find(&name), None);
        let commit = "0123456789abcdef0123456789abcdef01234567";
        let snapshot = cache.snapshot(&name, commit);
        fs::create_dir_all(&snapshot).unwrap();
        assert_eq!(cache.find(&name), None);
        assert_eq!(cache.find(&name.at(commit).unwrap()), Some(snapshot.clone()));
        fs::create_dir_all(cache.reference(&name).parent().unwrap()).unwrap();
        fs::write(cache.reference(&name), commit).unwrap();
        assert_eq!(cache.find(&name), Some(snapshot));
        // A reference that leads out of the folder is none.
        fs::write(cache.reference(&name), "../../..").unwrap();
        assert_eq!(cache.find(&name), None);
    }
}
