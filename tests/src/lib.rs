//! Helpers shared by the whole-program tests.
#![forbid(unsafe_code)]

use std::path::{Path, PathBuf};

/// The root of the project.
#[must_use]
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// A path below `../shared`, the data that is too large or not free to commit; `None` when it is
/// not there, which is printed, and fails if `NERVIO_REQUIRE_SHARED` is 1.
///
/// # Panics
///
/// When the data is required and missing.
#[must_use]
pub fn shared(path: &str) -> Option<PathBuf> {
    let path = root().join("../shared").join(path);
    if path.exists() {
        return Some(path);
    }
    let required = std::env::var("NERVIO_REQUIRE_SHARED").is_ok_and(|value| value == "1");
    assert!(!required, "{} is required and missing", path.display());
    println!("skipped: {} is not there", path.display());
    None
}
