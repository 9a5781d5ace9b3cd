//! What can be set about the engine.

use jiff::SignedDuration;
use market::{AssetClass, ChainId, Symbol, Timeframe};

/// What can be set about the engine.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The chain forecasts are written to.
    pub chain: ChainId,
    /// Only bars of these classes are read; all when empty.
    pub classes: Vec<AssetClass>,
    /// Only these assets are forecast; all when empty.
    pub symbols: Vec<Symbol>,
    /// Only these timeframes are forecast; all of the class when empty.
    pub timeframes: Vec<Timeframe>,
    /// Seed of training's row samples.
    pub seed: u64,
    /// At most so many rows train one booster.
    pub max_rows: usize,
    /// Months between trainings from scratch; between them the linear stages are refitted each month.
    pub booster_refit_months: u32,
    /// Months of purged walk-forward that a model is judged on before it is served.
    pub gate_months: u32,
    /// How much older than one bar data may be before they are shown as stale.
    pub stale_after: SignedDuration,
    /// How long after its target time a forecast waits for a bar before its horizon is void.
    pub void_after: SignedDuration,
    /// Version of the code, as forecasts name it.
    pub code_version: String,
}

impl Settings {
    /// The defaults, writing to `chain`.
    #[must_use]
    pub fn new(chain: ChainId) -> Self {
        Self {
            chain,
            classes: Vec::new(),
            symbols: Vec::new(),
            timeframes: Vec::new(),
            seed: 20_260_101,
            max_rows: 60_000,
            booster_refit_months: 12,
            gate_months: 12,
            stale_after: SignedDuration::from_mins(15),
            void_after: SignedDuration::from_hours(72),
            code_version: env!("CARGO_PKG_VERSION").to_owned(),
        }
    }

    /// Whether a timeframe of an asset is forecast.
    #[must_use]
    pub fn covers(&self, symbol: &Symbol, timeframe: Timeframe) -> bool {
        (self.symbols.is_empty() || self.symbols.contains(symbol))
            && (self.timeframes.is_empty() || self.timeframes.contains(&timeframe))
    }
}
