//! Whether a file is the one that the hub has.

use std::fs::File;
use std::io::{self, BufReader, Read};
use std::path::Path;

use anyhow::{Context, Result, ensure};
use sha1::Sha1;
use sha2::{Digest, Sha256};

/// What identifies a file on the hub.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Identity {
    /// The entity tag: the SHA-256 of a large file, the hash that git gives a small one.
    pub(super) etag: String,
    /// Its length in bytes, if the hub says it.
    pub(super) size: Option<u64>,
}

impl Identity {
    /// Checks length and checksum of a file.
    ///
    /// # Errors
    /// When either differs, or the entity tag is no checksum.
    pub(super) fn check(&self, name: &str, file: &Path) -> Result<()> {
        let length = file.metadata().with_context(|| file.display().to_string())?.len();
        if let Some(size) = self.size {
            ensure!(length == size, "{name}: expected {size} bytes, found {length}");
        }
        let found = match self.etag.len() {
            64 => hash::<Sha256>(file, b""),
            40 => hash::<Sha1>(file, format!("blob {length}\0").as_bytes()),
            other => anyhow::bail!(
                "{name}: expected an entity tag of 40 or 64 digits to verify the file by, found \
                 {other} characters"
            ),
        };
        let found = found.with_context(|| file.display().to_string())?;
        ensure!(
            found == self.etag,
            "{name}: expected a file with the checksum {}, found {found}",
            self.etag
        );
        Ok(())
    }
}

/// The hash of a prefix and a file, in hexadecimal.
fn hash<D: Digest>(file: &Path, prefix: &[u8]) -> io::Result<String> {
    let mut hash = D::new();
    hash.update(prefix);
    let mut reader = BufReader::new(File::open(file)?);
    let mut buffer = vec![0; 1 << 20];
    loop {
        let length = reader.read(&mut buffer)?;
        if length == 0 {
            break;
        }
        hash.update(&buffer[..length]);
    }
    Ok(hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_known_by_either_hash() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("file");
        std::fs::write(&file, "hello\n").unwrap();
        let check = |etag: &str, size| {
            let identity = Identity { etag: etag.to_owned(), size };
            identity.check("file", &file).map_err(|error| error.to_string())
        };
        // What `git hash-object` and `sha256sum` print.
        let git = "ce013625030ba8dba906f756967f9e9ca394464a";
        let sha256 = "5891b5b522d5df086d0ff0b110fbd9d21bb4fc7163af34d08286a2e846f6be03";
        assert_eq!(check(git, Some(6)), Ok(()));
        assert_eq!(check(sha256, None), Ok(()));
        assert!(check(git, Some(7)).unwrap_err().contains("expected 7 bytes, found 6"));
        assert!(check(&sha256.replace('5', "6"), None).unwrap_err().contains("checksum"));
        assert!(check("abc", None).unwrap_err().contains("found 3 characters"));
    }
}
