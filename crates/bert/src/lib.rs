//! A BERT encoder with a token-classification head over packed batches.
#![forbid(unsafe_code)]
