//! Tag schemes, word aggregation, long-document windows and entities.
#![forbid(unsafe_code)]
