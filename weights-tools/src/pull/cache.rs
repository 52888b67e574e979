//! Writing to the cache: blobs, the links of a snapshot, the reference.

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use nervio_weights::hub::{HubCache, HubName, is_commit};

use super::verify::Identity;

/// The folder of one model, locked against others who fetch it.
pub(super) struct Store<'a> {
    cache: &'a HubCache,
    name: &'a HubName,
    _lock: File,
}

impl<'a> Store<'a> {
    /// Waits until nobody else fetches this model. The lock ends with the process at the latest.
    pub(super) fn lock(cache: &'a HubCache, name: &'a HubName) -> Result<Self> {
        let file = cache.root().join(".locks").join(name.folder_name()).join("nervio.lock");
        make_parent(&file)?;
        let shown = || format!("{}: cannot be locked", file.display());
        let lock = File::create(&file).with_context(shown)?;
        lock.lock().with_context(shown)?;
        Ok(Self { cache, name, _lock: lock })
    }

    /// Where a blob is, and the file that it is while it is fetched.
    pub(super) fn blob(&self, identity: &Identity) -> Result<(PathBuf, PathBuf)> {
        let blob = self.cache.model(self.name).join("blobs").join(&identity.etag);
        make_parent(&blob)?;
        Ok((blob.clone(), blob.with_extension("incomplete")))
    }

    /// Makes a file of the commit a link to its blob.
    pub(super) fn link(&self, commit: &str, file: &str, identity: &Identity) -> Result<()> {
        let link = self.cache.snapshot(self.name, commit).join(file);
        make_parent(&link)?;
        let shown = || format!("{}: cannot be made", link.display());
        if link.symlink_metadata().is_ok() {
            fs::remove_file(&link).with_context(shown)?;
        }
        #[cfg(unix)]
        std::os::unix::fs::symlink(Path::new("../../blobs").join(&identity.etag), &link)
            .with_context(shown)?;
        // As `huggingface_hub` does where links need rights that few have.
        #[cfg(not(unix))]
        fs::copy(self.blob(identity)?.0, &link).with_context(shown)?;
        Ok(())
    }

    /// Says that the revision is this commit.
    pub(super) fn refer(&self, commit: &str) -> Result<()> {
        if is_commit(self.name.revision()) {
            return Ok(());
        }
        let file = self.cache.reference(self.name);
        make_parent(&file)?;
        let part = file.with_extension("part");
        let write = || fs::write(&part, commit).and_then(|()| fs::rename(&part, &file));
        write().with_context(|| format!("{}: cannot be written", file.display()))
    }
}

/// Makes the folder that a file is to be in.
fn make_parent(file: &Path) -> Result<()> {
    let Some(folder) = file.parent() else { return Ok(()) };
    fs::create_dir_all(folder).with_context(|| format!("{}: cannot be made", folder.display()))
}
