//! What training yields for one class and base timeframe: all fitted models at all anchors.

use jiff::Timestamp;
use market::{AssetClass, Hash, Timeframe};

use crate::error::ForecastError;
use crate::model::{ModelName, Prediction};
use crate::panel::Panel;

/// How to fit.
#[derive(Debug, Clone, PartialEq)]
pub struct FitParams {
    /// Seed of row sampling and of the boosters.
    pub seed: u64,
    /// Read nothing after this instant; by default the panel's last close.
    pub through: Option<Timestamp>,
    /// At most this many sampled rows a booster.
    pub max_rows: usize,
    /// The models wanted; those they are made of are fitted with them.
    pub models: Vec<ModelName>,
}

impl Default for FitParams {
    fn default() -> Self {
        Self { seed: 0, through: None, max_rows: 60_000, models: ModelName::ALL.to_vec() }
    }
}

/// A model set as stored: a manifest and the bytes it describes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Artefact {
    /// JSON: versions, seed, data hash, linear coefficients, residual tables, and each part's offset, length, SHA-256.
    pub manifest: String,
    /// XGBoost UBJSON models, one after the other.
    pub bytes: Vec<u8>,
}

impl Artefact {
    /// SHA-256 over the manifest's and the parts' bytes: the model's identity.
    #[must_use]
    pub fn hash(&self) -> Hash {
        Hash::of(self.manifest.as_bytes())
    }
}

/// All fitted models of one class and base timeframe.
#[derive(Debug, Clone)]
pub struct ModelSet {
    class: AssetClass,
    base: Timeframe,
    trained_through: Timestamp,
}

impl ModelSet {
    /// Fits on every series of the panel.
    ///
    /// # Errors
    /// When no pool has enough history, or a booster refuses.
    pub fn fit(panel: &Panel, params: &FitParams) -> Result<Self, ForecastError> {
        Err(ForecastError::NotEnoughHistory(format!("{} {} {}", panel.class(), panel.base(), params.max_rows)))
    }

    /// The same boosters with HAR, ridge and residuals fitted anew on what is known at `through`.
    ///
    /// # Errors
    /// When the panel is another, or no pool has enough history.
    pub fn refit_linear(&self, panel: &Panel, through: Timestamp) -> Result<Self, ForecastError> {
        Err(ForecastError::Mismatch(format!("{} {through}", panel.class())))
    }

    /// The distributions at `horizons` (bars of the base timeframe ahead) as of the close of an asset's row.
    ///
    /// # Errors
    /// When the asset is outside the pools, or its history is too short.
    pub fn predict(
        &self,
        panel: &Panel,
        asset: usize,
        row: usize,
        model: ModelName,
        horizons: &[u32],
    ) -> Result<Vec<Prediction>, ForecastError> {
        Err(ForecastError::Mismatch(format!("{} {asset} {row} {model} {horizons:?}", panel.class())))
    }

    /// The class.
    #[must_use]
    pub const fn class(&self) -> AssetClass {
        self.class
    }

    /// The length of the bars.
    #[must_use]
    pub const fn base(&self) -> Timeframe {
        self.base
    }

    /// The latest information the models have seen.
    #[must_use]
    pub const fn trained_through(&self) -> Timestamp {
        self.trained_through
    }

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
