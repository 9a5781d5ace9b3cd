//! The market at a glance.

use engine::views::{Issued, NoForecast, Quote};
use market::{Asset, AssetClass};
use serde::Serialize;
use utoipa::ToSchema;

use super::forecast::{Call, ForecastParts, Scale};
use super::price;
use crate::time::Time;

/// The assets of a class, in order of listing.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct SummaryAnswer {
    /// `crypto`, `stocks`, `macro` or `all`.
    pub class: &'static str,
    /// `live`, `replay` or `simulated`: where the forecasts come from.
    pub origin: &'static str,
    /// When this was put together.
    pub timestamp: Time,
    /// One row an asset.
    pub assets: Vec<SummaryRow>,
}

/// One asset at a glance; the forecast is the one of its default timeframe.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct SummaryRow {
    /// The asset.
    pub symbol: String,
    /// Its name.
    pub name: String,
    /// `crypto`, `stocks` or `macro`.
    pub asset_class: &'static str,
    /// The newest price known.
    pub current_price: Option<f64>,
    /// What prices are quoted in.
    pub quote: String,
    /// Change of the price, percent.
    pub change_24h: Option<f64>,
    /// Against what: `rolling_24h`, `previous_close` or `previous_release`.
    pub change_basis: Option<&'static str>,
    /// Volume of the last 24 hours (coins) or session (stocks).
    pub volume: Option<f64>,
    /// The forecast's timeframe.
    pub timeframe: &'static str,
    /// `UP`, `DOWN` or `HOLD`.
    pub forecast_direction: Option<&'static str>,
    /// Calibrated probability of the stated direction, percent.
    pub confidence: Option<f64>,
    /// The median one bar ahead.
    pub predicted_price: Option<f64>,
    /// The 80 % interval in words.
    pub predicted_range: Option<String>,
    /// Where the prices come from.
    pub data_source: Option<String>,
    /// The forecast's information cut.
    pub as_of: Option<Time>,
    /// Whether a newer forecast or price should be here by now; `null` while there is neither.
    pub stale: Option<bool>,
    /// Why something is `null`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// What a row is made from.
#[derive(Debug, Clone, Copy)]
pub struct SummaryParts<'a> {
    /// The asset.
    pub asset: &'a Asset,
    /// The forecast's timeframe.
    pub timeframe: market::Timeframe,
    /// The newest price.
    pub quote: Option<&'a Quote>,
    /// The newest forecast, or why there is none.
    pub issued: Result<&'a Issued, &'a NoForecast>,
    /// Brings prices of `as_of` to the terms of today.
    pub split_factor: f64,
    /// Whether the forecast is stale.
    pub stale: bool,
}

impl SummaryRow {
    /// The row.
    #[must_use]
    pub fn of(parts: &SummaryParts<'_>) -> Self {
        let SummaryParts { asset, quote, .. } = *parts;
        let forecast = parts.issued.ok().and_then(|issued| Some((issued, issued.forecast.horizons.first()?)));
        let call = forecast.map(|(_, headline)| Call::of(asset, headline));
        let scaled = forecast.map(|(issued, headline)| {
            let scale = Scale::of(&ForecastParts {
                asset,
                issued,
                split_factor: parts.split_factor,
                quote,
                bars: &[],
                skill: None,
                stale: parts.stale,
                reason: None,
            });
            (scale.price(headline.quantiles.median()), scale.interval(&headline.quantiles))
        });
        let known = quote.is_some() || forecast.is_some();
        Self {
            symbol: asset.symbol.to_string(),
            name: asset.name.clone(),
            asset_class: asset.class().as_str(),
            current_price: quote.map(|quote| quote.price),
            quote: asset.quote.clone(),
            change_24h: quote.and_then(|quote| quote.change_24h),
            change_basis: quote.map(|quote| quote.change_basis.as_str()),
            volume: quote.and_then(|quote| quote.volume),
            timeframe: parts.timeframe.as_str(),
            forecast_direction: call.map(|call| call.direction.as_str()),
            confidence: call.map(|call| call.confidence),
            predicted_price: scaled.map(|(median, _)| median),
            predicted_range: scaled.map(|(_, interval)| price::range(asset, interval.low, interval.high)),
            data_source: quote
                .map(|quote| quote.data_source.clone())
                .or_else(|| forecast.map(|(issued, _)| issued.forecast.data_source.clone())),
            as_of: forecast.map(|(issued, _)| issued.forecast.as_of.into()),
            stale: known.then(|| quote.is_some_and(|quote| quote.stale) || (forecast.is_some() && parts.stale)),
            reason: reason(parts),
        }
    }
}

fn reason(parts: &SummaryParts<'_>) -> Option<String> {
    let mut missing: Vec<String> = parts.issued.err().map(|cause| cause.reason.clone()).into_iter().collect();
    missing.extend(price::unknown(parts.asset, parts.quote));
    (!missing.is_empty()).then(|| missing.join("; "))
}

/// How many assets of each class a list holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, ToSchema)]
pub struct ClassCounts {
    /// Coins.
    pub crypto_count: usize,
    /// Stocks.
    pub stock_count: usize,
    /// Macro series.
    pub macro_count: usize,
}

impl ClassCounts {
    /// The counts of some assets.
    #[must_use]
    pub fn of<'a>(assets: impl IntoIterator<Item = &'a Asset>) -> Self {
        let mut counts = Self::default();
        for asset in assets {
            match asset.class() {
                AssetClass::Crypto => counts.crypto_count += 1,
                AssetClass::Stocks => counts.stock_count += 1,
                AssetClass::Macro => counts.macro_count += 1,
            }
        }
        counts
    }
}
