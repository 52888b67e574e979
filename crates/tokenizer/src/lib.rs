//! BERT normalisation, pre-tokenisation and WordPiece with offsets into the original text.
#![forbid(unsafe_code)]
