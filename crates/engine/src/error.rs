//! What goes wrong in the engine.

use market::adjustment::ViewError;
use market::{Symbol, Timeframe};
use storage::StoreError;
use thiserror::Error;

use crate::body::BodyError;

/// Result of an engine's operation.
pub type Result<T, E = EngineError> = std::result::Result<T, E>;

/// What goes wrong in the engine.
#[derive(Debug, Error)]
pub enum EngineError {
    /// Nothing of that name is in the universe.
    #[error("{symbol} is not in the universe")]
    UnknownSymbol {
        /// The name.
        symbol: Symbol,
    },
    /// The asset is never forecast on that timeframe.
    #[error("{symbol} is not forecast on {timeframe}")]
    NoSuchForecast {
        /// The asset.
        symbol: Symbol,
        /// The timeframe.
        timeframe: Timeframe,
    },
    /// There are no bars.
    #[error("no {timeframe} bars of {symbol} are stored")]
    NoBars {
        /// The asset.
        symbol: Symbol,
        /// The timeframe.
        timeframe: Timeframe,
    },
    /// A bar that cannot be.
    #[error("refused a bar of {symbol}")]
    BadBar {
        /// The asset.
        symbol: Symbol,
        /// What is wrong with it.
        #[source]
        cause: market::BarError,
    },
    /// An asset that is forecast as one thing is said to be another.
    #[error(
        "{symbol} is forecast as a {listed} in ledger {chain} and cannot become a {said}: bring it in under another \
         symbol, or into another home"
    )]
    KindChange {
        /// The asset.
        symbol: Symbol,
        /// What it is.
        listed: market::AssetKind,
        /// What it is said to be.
        said: market::AssetKind,
        /// The ledger that knows it.
        chain: market::ChainId,
    },
    /// Nothing to train on.
    #[error("nothing to train on: no {asset_class} series with {timeframe} bars is stored")]
    NothingToTrain {
        /// The class.
        asset_class: market::AssetClass,
        /// Base timeframe of its bars.
        timeframe: Timeframe,
    },
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A view cannot be derived.
    #[error(transparent)]
    View(#[from] ViewError),
    /// The arithmetic refused its input.
    #[error("failed to {operation}")]
    Forecast {
        /// What was tried.
        operation: &'static str,
        /// Why.
        #[source]
        cause: forecast::ForecastError,
    },
    /// A stored ledger entry cannot be read.
    #[error("entry {seq} of the ledger cannot be read")]
    Entry {
        /// Its position.
        seq: u64,
        /// Why.
        #[source]
        cause: BodyError,
    },
    /// No ledger entry of that name, or several.
    #[error("{found} ledger entries have an id that starts with {id:?}: one is expected")]
    EntryId {
        /// The id as given.
        id: String,
        /// How many there are.
        found: usize,
    },
    /// The entry is not a forecast.
    #[error("entry {seq} is a {kind}, not a forecast")]
    NotAForecast {
        /// Its position.
        seq: u64,
        /// What it is.
        kind: String,
    },
    /// A forecast names a model that is not stored.
    #[error("model {id} is not stored")]
    NoModel {
        /// Its id.
        id: String,
    },
    /// A replay's range holds nothing to do.
    #[error("nothing to replay: {reason}")]
    NothingToReplay {
        /// What is missing.
        reason: String,
    },
    /// A computation ended without an answer; the cause is in the log.
    #[error("a computation was cut off while it tried to {operation}")]
    CutOff {
        /// What it tried.
        operation: &'static str,
    },
}

impl EngineError {
    /// Whether trying the same again later may work.
    #[must_use]
    pub const fn is_retryable(&self) -> bool {
        match self {
            Self::Store(cause) => cause.is_retryable(),
            _ => false,
        }
    }

    pub(crate) fn forecast(operation: &'static str) -> impl FnOnce(forecast::ForecastError) -> Self {
        move |cause| Self::Forecast { operation, cause }
    }
}
