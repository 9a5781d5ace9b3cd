//! Rolling SHA-256 over the rows a series has read.

use std::fmt;

use market::{Bar, Hash};
use sha2::{Digest as _, Sha256};

/// The state of a hash that can be read off at any time.
#[derive(Clone, Default)]
pub(crate) struct Digest(Sha256);

impl Digest {
    /// Takes in one row: little-endian columns in listed order.
    pub(crate) fn row(&mut self, bar: &Bar, split_ratio: f64) {
        let mut bytes = [0; 56];
        bytes[..8].copy_from_slice(&bar.close_time.as_microsecond().to_le_bytes());
        let columns = [bar.open, bar.high, bar.low, bar.close, bar.volume, split_ratio];
        for (place, column) in bytes[8..].chunks_exact_mut(8).zip(columns) {
            place.copy_from_slice(&column.to_le_bytes());
        }
        self.0.update(bytes);
    }

    /// Takes in another digest.
    pub(crate) fn hash(&mut self, hash: &Hash) {
        self.0.update(hash.0);
    }

    /// The hash of everything so far.
    pub(crate) fn finish(&self) -> Hash {
        Hash(self.0.clone().finalize().into())
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Digest({})", self.finish())
    }
}
