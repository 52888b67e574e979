//! Checkpoints, good and hostile, through the public interface.
#![allow(clippy::unwrap_used, clippy::panic, missing_docs, reason = "tests fail by panicking")]

mod bytes;
mod files;
mod headers;
mod names;
mod properties;
mod shards;
mod values;
mod writing;
