//! The `nervio-weights` command.
#![forbid(unsafe_code)]

fn main() {}
