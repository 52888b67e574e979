//! The `nervio` command.
#![forbid(unsafe_code)]

fn main() {}
