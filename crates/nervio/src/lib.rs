//! Named entities from text: a recogniser over a hand-written BERT encoder.
#![forbid(unsafe_code)]
