//! What can go wrong between bars and forecasts.

use jiff::Timestamp;
use market::{AssetClass, BarError, Symbol, Timeframe};
use thiserror::Error;

use crate::model::ModelName;

/// Why there is no panel, no model or no forecast.
#[derive(Debug, Error)]
pub enum ForecastError {
    /// The class is not forecast from bars of this length.
    #[error("{class} is not forecast from {timeframe} bars")]
    NoPanel {
        /// The class.
        class: AssetClass,
        /// The bar length.
        timeframe: Timeframe,
    },
    /// The kind of an asset belongs to another class, or it stands in the panel already.
    #[error("{symbol} cannot join the panel: {reason}")]
    Asset {
        /// The asset.
        symbol: Symbol,
        /// Why not.
        reason: &'static str,
    },
    /// A step, bar or context row that is not later than the one before, or names an unknown asset.
    #[error("rows out of order: {0}")]
    Order(String),
    /// A bar that cannot be.
    #[error("bad bar of {symbol}")]
    Bar {
        /// Whose.
        symbol: Symbol,
        /// What is wrong with it.
        #[source]
        cause: BarError,
    },
    /// Too few rows before `as_of` for the model asked for.
    #[error("not enough history: {0}")]
    NotEnoughHistory(String),
    /// The model does not forecast this asset: a stablecoin, an index, or a kind it was not trained on.
    #[error("{model} does not forecast {symbol}: {reason}")]
    OutsidePool {
        /// The model.
        model: ModelName,
        /// The asset.
        symbol: Symbol,
        /// Why not.
        reason: &'static str,
    },
    /// The model set was trained on other bars than the panel holds, or without this model.
    #[error("the model does not fit the panel: {0}")]
    Mismatch(String),
    /// Parameters nothing can be fitted with.
    #[error("bad parameters: {0}")]
    Parameters(String),
    /// An artefact that is cut, altered, or of another version.
    #[error("bad artefact: {0}")]
    Artefact(String),
    /// The booster refused.
    #[error("the booster failed to {doing}")]
    Booster {
        /// What it was asked to do.
        doing: &'static str,
        /// Its own words.
        #[source]
        cause: hessboost::error::HessboostError,
    },
    /// Something as of an instant changed with what happened after it.
    #[error("{what} of {symbol} at {as_of} reads the future")]
    Leak {
        /// The asset.
        symbol: Symbol,
        /// The information cut.
        as_of: Timestamp,
        /// What changed.
        what: String,
    },
    /// A number that is not finite where a forecast was computed.
    #[error("the forecast of {symbol} is not finite")]
    NotFinite {
        /// The asset.
        symbol: Symbol,
    },
}
