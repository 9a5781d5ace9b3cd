//! What the engine shows to the rooms above it: plain values, no JSON.

use jiff::{SignedDuration, Timestamp};
use market::{Adjustment, Asset, AssetClass, Bar, ChainId, Forecast, Hash, Symbol, Timeframe, Verdict};
use storage::ScoreRow;

/// What a price change is measured against.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ChangeBasis {
    /// The price 24 hours before; coins.
    Rolling24h,
    /// The close of the session before; stocks.
    PreviousClose,
    /// The release before; macro series.
    PreviousRelease,
}

impl ChangeBasis {
    /// As in JSON.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Rolling24h => "rolling_24h",
            Self::PreviousClose => "previous_close",
            Self::PreviousRelease => "previous_release",
        }
    }
}

/// The newest price of an asset, or the newest value of a macro series.
#[derive(Debug, Clone, PartialEq)]
pub struct Quote {
    /// The price.
    pub price: f64,
    /// When it traded or was released.
    pub event_time: Timestamp,
    /// Change in percent (for a macro series that is a rate or index: in percent of the value before).
    pub change_24h: Option<f64>,
    /// Against what.
    pub change_basis: ChangeBasis,
    /// Volume over the last 24 hours (coins) or of the last session (stocks).
    pub volume: Option<f64>,
    /// Where it came from.
    pub data_source: String,
    /// Whether it is older than it should be at the present moment.
    pub stale: bool,
}

/// A forecast with its place in the ledger.
#[derive(Debug, Clone, PartialEq)]
pub struct Issued {
    /// The chain.
    pub chain: ChainId,
    /// Its position.
    pub seq: u64,
    /// Its hash; the first 16 digits name it.
    pub hash: Hash,
    /// What it says.
    pub forecast: Forecast,
}

/// Why there is no forecast to show.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NoForecast {
    /// In words.
    pub reason: String,
    /// When it is worth asking again.
    pub retry_after: SignedDuration,
}

/// Bars to read.
#[derive(Debug, Clone)]
pub struct BarsRequest {
    /// The asset.
    pub symbol: Symbol,
    /// Bar length.
    pub timeframe: Timeframe,
    /// Only bars that open at or after this.
    pub from: Option<Timestamp>,
    /// Only bars that open before this.
    pub to: Option<Timestamp>,
    /// As they were known at this instant; now when absent.
    pub as_of: Option<Timestamp>,
    /// The wanted view; the series' natural one when absent.
    pub adjustment: Option<Adjustment>,
    /// At most so many, the newest of the range.
    pub limit: u32,
}

/// Bars that were read.
#[derive(Debug, Clone, PartialEq)]
pub struct BarsAnswer {
    /// Ascending by `open_time`.
    pub bars: Vec<Bar>,
    /// The view they are in.
    pub adjustment: Adjustment,
    /// Where they came from.
    pub data_source: String,
}

/// One asset's track record on one timeframe.
#[derive(Debug, Clone, PartialEq)]
pub struct TrackRecord {
    /// Scored cases at horizon 1, ascending by `as_of`; prices stand in the terms of their target time.
    pub rows: Vec<ScoreRow>,
    /// How many calls were right.
    pub n_hits: usize,
    /// What they amount to.
    pub summary: forecast::score::TrackRecord,
}

/// The record of a class on a timeframe at the horizon its summary names, pooled over its assets.
#[derive(Debug, Clone, PartialEq)]
pub struct PooledRecord {
    /// The class.
    pub asset_class: AssetClass,
    /// The timeframe.
    pub timeframe: Timeframe,
    /// What its cases amount to.
    pub summary: forecast::score::TrackRecord,
}

/// One line of the scoreboard: a class, timeframe and horizon.
#[derive(Debug, Clone, PartialEq)]
pub struct ScoreboardRow {
    /// The class.
    pub asset_class: AssetClass,
    /// The timeframe.
    pub timeframe: Timeframe,
    /// The horizon.
    pub horizon: u32,
    /// How many assets.
    pub n_assets: usize,
    /// What their cases amount to, pooled.
    pub summary: forecast::score::TrackRecord,
    /// The p-value after Benjamini–Hochberg over all lines of the board.
    pub adjusted_p_value: Option<f64>,
    /// The verdict after that adjustment.
    pub verdict: Verdict,
}

/// A model that is served or waits.
#[derive(Debug, Clone, PartialEq)]
pub struct ServedModel {
    /// The class.
    pub asset_class: AssetClass,
    /// Base timeframe of its bars.
    pub timeframe: Timeframe,
    /// Its id; `None` while only the baseline is served.
    pub model_id: Option<String>,
    /// When it was trained.
    pub trained_at: Option<Timestamp>,
    /// The latest information it was trained on.
    pub trained_through: Option<Timestamp>,
    /// What the gates found, or why there is none.
    pub reason: String,
}

/// Whether something works.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Health {
    /// It does.
    Healthy,
    /// It does in part, or its data are old.
    Degraded,
    /// It does not.
    Unhealthy,
}

impl Health {
    /// As in JSON.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Healthy => "healthy",
            Self::Degraded => "degraded",
            Self::Unhealthy => "unhealthy",
        }
    }
}

/// The state of one source of data.
#[derive(Debug, Clone, PartialEq)]
pub struct SourceStatus {
    /// Its name.
    pub source: String,
    /// Whether it works.
    pub health: Health,
    /// When it last gave something.
    pub last_event: Option<Timestamp>,
    /// In words.
    pub detail: String,
}

/// What a home holds and whether it works, from state already known.
#[derive(Debug, Clone, PartialEq)]
pub struct Status {
    /// Whether the database answered when it was last used.
    pub database: Health,
    /// What it last said, when it did not.
    pub database_detail: Option<String>,
    /// What is served for each class and base timeframe.
    pub models: Vec<ServedModel>,
    /// Sources.
    pub sources: Vec<SourceStatus>,
    /// Whether nothing was imported yet: what to do next, in words.
    pub first_run: Option<String>,
    /// When the engine started, on its clock.
    pub started_at: Timestamp,
    /// Work done since the start.
    pub jobs: JobCounts,
}

/// How much work was done since the start.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct JobCounts {
    /// Begun.
    pub total: u64,
    /// Ended well.
    pub completed: u64,
    /// Ended badly.
    pub failed: u64,
    /// Under way.
    pub active: u64,
}

/// An asset with its newest price.
#[derive(Debug, Clone, PartialEq)]
pub struct AssetView {
    /// The asset.
    pub asset: Asset,
    /// Its newest price, if there is any.
    pub quote: Option<Quote>,
}
