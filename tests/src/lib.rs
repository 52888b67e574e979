//! Helpers shared by the whole-program tests.
#![forbid(unsafe_code)]
