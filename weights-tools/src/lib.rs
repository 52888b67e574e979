//! Making, converting and quantising checkpoints.
#![forbid(unsafe_code)]
