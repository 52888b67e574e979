//! Matmul, attention, layer norm and activations of a BERT encoder, each with a scalar reference.
#![forbid(unsafe_code)]
