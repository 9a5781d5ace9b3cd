//! A forecast is computed again from the rows it names, to see that it was not made up.

use jiff::Timestamp;
use market::{AssetClass, ChainId, Forecast, Origin};

use crate::assemble::{Walk, assemble};
use crate::body::{Body, ForecastBody};
use crate::desk::{Served, Sheet};
use crate::engine::Engine;
use crate::error::{EngineError, Result};
use crate::issue::{forecast_slot, issued_from_row};
use crate::release::Releases;
use crate::schedule::Slot;
use crate::views::Issued;

/// What came of computing a forecast again.
#[derive(Debug, Clone, PartialEq)]
pub struct Rederived {
    /// The entry.
    pub issued: Issued,
    /// The body as stored.
    pub stored: Box<str>,
    /// The body as computed now.
    pub computed: Box<str>,
    /// Whether the rows read are the ones it names.
    pub same_data: bool,
    /// Whether the code is of the version it names.
    pub same_code: bool,
    /// The largest relative difference of any number; 0 when byte-identical.
    pub difference: f64,
}

impl Rederived {
    /// Whether the two bodies are the same bytes.
    #[must_use]
    pub fn is_identical(&self) -> bool {
        self.stored == self.computed
    }

    /// Whether the forecast stands: identical on the same code, within 1e-12 elsewhere.
    #[must_use]
    pub fn stands(&self) -> bool {
        self.is_identical() || (self.same_data && !self.same_code && self.difference <= 1e-12)
    }
}

impl Engine {
    /// Computes a forecast again. `id` is the beginning of its entry's hash.
    ///
    /// # Errors
    /// When the id names no forecast, its model or its rows are not stored, or the arithmetic refuses.
    pub async fn rederive(&self, id: &str) -> Result<Rederived> {
        let found = self.store.entries_by_hash(id).await?;
        let [(chain, row)] = found.as_slice() else {
            return Err(EngineError::EntryId { id: id.chars().take(80).collect(), found: found.len() });
        };
        let issued = issued_from_row(chain, row)?;
        let stored = &issued.forecast;
        let computed = match stored.asset_class {
            AssetClass::Macro => self.rederive_release(stored).await?,
            _ => self.rederive_bars(chain, stored).await?,
        };
        let body = Body::Forecast(Box::new(ForecastBody::from(&computed))).to_json();
        Ok(Rederived {
            same_data: computed.data_hash == stored.data_hash,
            same_code: self.settings.code_version == stored.model.code_version,
            difference: difference(stored, &computed),
            stored: row.entry.body.clone(),
            computed: body,
            issued,
        })
    }

    async fn rederive_release(&self, stored: &Forecast) -> Result<Forecast> {
        let missing = || EngineError::NoBars { symbol: stored.symbol.clone(), timeframe: stored.timeframe };
        let asset = self.asset(&stored.symbol).ok_or_else(missing)?;
        let observations = self.store.observations(&asset.source_symbol, stored.as_of).await?;
        let releases = Releases::new(asset, observations).ok_or_else(missing)?;
        releases.forecast(stored.as_of, stored.issued_at, &self.settings.code_version)
    }

    async fn rederive_bars(&self, chain: &ChainId, stored: &Forecast) -> Result<Forecast> {
        let (class, base) = (stored.asset_class, stored.timeframe.base());
        let walk = Walk { since_joined: chain.origin() != Origin::Replay, ..Walk::default() };
        let assembled = assemble(&*self.store, &self.assets(), class, base, stored.as_of, &walk, None).await?;
        let model = match stored.model.trained_at {
            Some(trained_at) => Some(Served { trained_at, ..self.model_by_id(&stored.model.id).await? }),
            None => None,
        };
        let slot = Slot { symbol: stored.symbol.clone(), timeframe: stored.timeframe, close: stored.as_of };
        let (issued_at, code_version): (Timestamp, String) = (stored.issued_at, self.settings.code_version.clone());
        crate::issue::blocking("rederive a forecast", move || {
            let sheet = Sheet::new(assembled, model);
            let missing = || EngineError::NoBars { symbol: slot.symbol.clone(), timeframe: slot.timeframe };
            let (asset, line) = sheet.line(&slot.symbol).ok_or_else(missing)?;
            let hash = sheet.panel.data_hash();
            forecast_slot(&sheet, asset, line, &slot, issued_at, hash, &code_version)
        })
        .await
    }
}

/// The largest relative difference of the numbers of two forecasts; infinite when their shapes differ.
fn difference(a: &Forecast, b: &Forecast) -> f64 {
    if a.horizons.len() != b.horizons.len() {
        return f64::INFINITY;
    }
    let numbers = |f: &Forecast| -> Vec<f64> {
        let of = |h: &market::HorizonForecast| {
            let mut numbers = vec![h.prob_up, h.baseline_prob_up];
            numbers.extend(h.quantiles.values());
            numbers.extend(h.baseline.values());
            numbers
        };
        f.horizons.iter().flat_map(of).chain([f.reference_price]).collect()
    };
    numbers(a)
        .into_iter()
        .zip(numbers(b))
        .map(|(a, b)| if a == b { 0.0 } else { (a - b).abs() / a.abs().max(b.abs()) })
        .fold(0.0, f64::max)
}
