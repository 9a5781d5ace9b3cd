//! Storing a model set.

use market::Hash;

use super::ModelSet;
use crate::error::ForecastError;

/// A model set as stored: a manifest and the bytes it describes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Artefact {
    /// JSON: versions, seed, data hash, linear coefficients, residual tables, and each part's offset, length, SHA-256.
    pub manifest: String,
    /// XGBoost UBJSON models, one after the other.
    pub bytes: Vec<u8>,
}

impl Artefact {
    /// SHA-256 over the manifest, which names the SHA-256 of every part: the model's identity.
    #[must_use]
    pub fn hash(&self) -> Hash {
        Hash::of(self.manifest.as_bytes())
    }
}

impl ModelSet {
    /// The set as it is stored.
    ///
    /// # Errors
    /// When a booster cannot be written.
    pub fn to_artefact(&self) -> Result<Artefact, ForecastError> {
        Err(ForecastError::Artefact("nothing fitted".to_owned()))
    }

    /// The set that was stored.
    ///
    /// # Errors
    /// When the bytes are cut or altered, or the versions are not ours.
    pub fn from_artefact(manifest: &str, bytes: &[u8]) -> Result<Self, ForecastError> {
        Err(ForecastError::Artefact(format!("{} and {} bytes", manifest.len(), bytes.len())))
    }
}
