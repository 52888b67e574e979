//! CoNLL files, seqeval and conlleval scores, confusion and error listings.
#![forbid(unsafe_code)]
