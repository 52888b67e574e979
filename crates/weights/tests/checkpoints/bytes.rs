//! Safetensors files made by hand.

use nervio_weights::{Checkpoint, Error};

/// A file with this header and this data.
pub(crate) fn file(header: &str, data: &[u8]) -> Vec<u8> {
    [&(header.len() as u64).to_le_bytes()[..], header.as_bytes(), data].concat()
}

/// The header of one tensor.
pub(crate) fn tensor(name: &str, dtype: &str, shape: &str, begin: usize, end: usize) -> String {
    format!(r#""{name}":{{"dtype":"{dtype}","shape":{shape},"data_offsets":[{begin},{end}]}}"#)
}

/// A file with one tensor `x`.
pub(crate) fn one(dtype: &str, shape: &str, data: &[u8]) -> Vec<u8> {
    file(&format!("{{{}}}", tensor("x", dtype, shape, 0, data.len())), data)
}

pub(crate) fn open(bytes: Vec<u8>) -> Checkpoint {
    Checkpoint::from_bytes("weights", bytes).unwrap()
}

/// Why a file is refused. The message must be one line that names the file.
pub(crate) fn refused(bytes: Vec<u8>) -> Error {
    let error = Checkpoint::from_bytes("weights", bytes).unwrap_err();
    let message = error.to_string();
    assert!(message.starts_with("weights: "), "{message}");
    assert!(!message.contains(char::is_control), "{message:?}");
    assert!(message.len() < 1000, "{} bytes", message.len());
    error
}

/// Fails unless `result` is an error of this variant, with these words in its message.
macro_rules! assert_error {
    ($error:expr, $variant:pat, $($words:expr),*) => {{
        let error: nervio_weights::Error = $error;
        assert!(matches!(error, $variant), "{error:?}");
        let message = error.to_string();
        $(assert!(message.contains($words), "{message:?} has no {:?}", $words);)*
    }};
}
pub(crate) use assert_error;
