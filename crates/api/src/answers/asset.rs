//! What is traded, and what is known of it.

use engine::views::Quote;
use market::{Asset, Timeframe};
use serde::Serialize;
use utoipa::ToSchema;

use super::price;
use crate::time::Time;

/// The universe.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct AssetsAnswer {
    /// `live`, `replay` or `simulated`.
    pub origin: &'static str,
    /// In order of listing.
    pub assets: Vec<AssetAnswer>,
}

/// One asset.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct AssetAnswer {
    /// The product symbol.
    pub symbol: String,
    /// Its name.
    pub name: String,
    /// `crypto`, `stocks` or `macro`.
    pub class: &'static str,
    /// `coin`, `stable`, `equity`, `etf`, `index` or `series`.
    pub kind: &'static str,
    /// The vendor's spelling.
    pub source_symbol: String,
    /// What prices are quoted in; the unit of a macro series.
    pub quote: String,
    /// The timeframes it is forecast on.
    pub timeframes: Vec<&'static str>,
    /// The one that is meant when none is named.
    pub default_timeframe: &'static str,
}

impl AssetAnswer {
    /// An asset with the timeframes it is forecast on.
    #[must_use]
    pub fn of(asset: &Asset, timeframes: &[Timeframe], default: Timeframe) -> Self {
        Self {
            symbol: asset.symbol.to_string(),
            name: asset.name.clone(),
            class: asset.class().as_str(),
            kind: asset.kind.as_str(),
            source_symbol: asset.source_symbol.clone(),
            quote: asset.quote.clone(),
            timeframes: timeframes.iter().map(|timeframe| timeframe.as_str()).collect(),
            default_timeframe: default.as_str(),
        }
    }
}

/// One asset with its newest price and forecasts.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct AssetDetail {
    /// The asset.
    #[serde(flatten)]
    pub asset: AssetAnswer,
    /// `live`, `replay` or `simulated`.
    pub origin: &'static str,
    /// The newest price known.
    pub current_price: Option<f64>,
    /// When it traded or was released.
    pub event_time: Option<Time>,
    /// Change of the price, percent.
    pub change_24h: Option<f64>,
    /// Against what.
    pub change_basis: Option<&'static str>,
    /// Volume of the last 24 hours (coins) or session (stocks).
    pub volume: Option<f64>,
    /// Where the price comes from.
    pub data_source: Option<String>,
    /// Whether the price is older than it should be; `null` while there is none.
    pub stale: Option<bool>,
    /// The forecasts in force, shortest timeframe first.
    pub forecasts: Vec<ForecastPointer>,
    /// Why something is `null`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// A forecast in force, in short.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct ForecastPointer {
    /// Its timeframe.
    pub timeframe: &'static str,
    /// Its information cut.
    pub as_of: Option<Time>,
    /// When it was written to the ledger.
    pub issued_at: Option<Time>,
    /// The ledger entry's id.
    pub id: Option<String>,
    /// Whether a newer one should be here by now.
    pub stale: Option<bool>,
    /// Why there is none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

impl AssetDetail {
    /// An asset with its newest price.
    #[must_use]
    pub fn of(
        asset: &Asset,
        listed: AssetAnswer,
        quote: Option<&Quote>,
        forecasts: Vec<ForecastPointer>,
        origin: market::Origin,
    ) -> Self {
        let missing = price::unknown(asset, quote);
        Self {
            asset: listed,
            origin: origin.as_str(),
            current_price: quote.map(|quote| quote.price),
            event_time: quote.map(|quote| quote.event_time.into()),
            change_24h: quote.and_then(|quote| quote.change_24h),
            change_basis: quote.map(|quote| quote.change_basis.as_str()),
            volume: quote.and_then(|quote| quote.volume),
            data_source: quote.map(|quote| quote.data_source.clone()),
            stale: quote.map(|quote| quote.stale),
            forecasts,
            reason: (!missing.is_empty()).then(|| missing.join("; ")),
        }
    }
}
