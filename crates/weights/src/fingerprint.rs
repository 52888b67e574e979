//! Telling one checkpoint from another without reading all of it.

use sha2::{Digest, Sha256};

use crate::Checkpoint;

/// Tensors of up to this many bytes count whole: biases, layer norms, the classifier.
const WHOLE: usize = 64 << 10;

/// Pieces of the rest, spread evenly over each file, and the bytes of each.
const PIECES: usize = 64;
const PIECE: usize = 4 << 10;

impl Checkpoint {
    /// A SHA-256 over every header, the length of every file, all small tensors and 64 pieces of
    /// 4 KB of each file, in hexadecimal.
    ///
    /// A model that was trained further, converted or quantised has another one. It takes about a
    /// millisecond, where a hash of all weights takes a second; so it does not notice everything:
    /// someone may change a few numbers in the middle of a large matrix.
    #[must_use]
    pub fn fingerprint(&self) -> String {
        let mut hash = Sha256::new();
        for (header, bytes, tensors) in self.contents() {
            hash.update((bytes.len() as u64).to_le_bytes());
            hash.update(header);
            for tensor in tensors.filter(|tensor| tensor.data.len() <= WHOLE) {
                hash.update(tensor.data);
            }
            for piece in 0..PIECES {
                let start = bytes.len().saturating_sub(PIECE) / PIECES * piece;
                hash.update(&bytes[start..bytes.len().min(start + PIECE)]);
            }
        }
        hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
    }
}
