//! The seam for what must never be lost.

use std::fmt::Debug;

use async_trait::async_trait;
use jiff::Timestamp;
use market::{Action, Adjustment, Asset, Bar, ChainId, Entry, Hash, Observation, Remark, Score, Symbol, Timeframe};
use thiserror::Error;

/// Result of a store's operation.
pub type Result<T, E = StoreError> = std::result::Result<T, E>;

/// Names one stored series of bars.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SeriesKey {
    /// The asset.
    pub symbol: Symbol,
    /// Bar length.
    pub timeframe: Timeframe,
    /// How the stored prices are adjusted.
    pub adjustment: Adjustment,
    /// Where the bars came from (`import`, `simulator`, `binance`, ...).
    pub source: String,
}

/// What is stored of one series.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SeriesInfo {
    /// Its name.
    pub key: SeriesKey,
    /// How many bars, revisions not counted.
    pub n_bars: u64,
    /// `open_time` of the first bar.
    pub first_open: Timestamp,
    /// `open_time` of the last bar.
    pub last_open: Timestamp,
    /// Since when it is read, by those who heed what was there when; none: since its bars were known.
    pub joined_at: Option<Timestamp>,
}

/// Which bars to read; the answer ascends by `open_time`, one row a bar: the newest revision known at `as_of`.
#[derive(Debug, Clone)]
pub struct BarQuery<'a> {
    /// The series.
    pub key: &'a SeriesKey,
    /// Only rows with `known_at <= as_of`.
    pub as_of: Timestamp,
    /// Only bars with `open_time >= from`.
    pub from: Option<Timestamp>,
    /// Only bars with `open_time < to`.
    pub to: Option<Timestamp>,
    /// Only the last so many of them.
    pub last: Option<u32>,
}

/// What a `put` did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct PutSummary {
    /// Rows that were new.
    pub inserted: u64,
    /// Rows that were already there, with the same content.
    pub unchanged: u64,
    /// New revisions of rows that were there with another content; the old ones stay.
    pub revised: u64,
}

/// A hole in a series: bars that the calendar expects and nobody gave.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Gap {
    /// `open_time` of the first missing bar.
    pub from: Timestamp,
    /// `close_time` of the last missing bar.
    pub to: Timestamp,
    /// How many bars are missing.
    pub n_bars: u32,
    /// When the gap was seen.
    pub detected_at: Timestamp,
    /// When it was found filled; `None` while it is open.
    pub filled_at: Option<Timestamp>,
}

/// A stored model: artefact bytes and the manifest that names what went into them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ModelRecord {
    /// First 16 hex digits of `sha256`.
    pub id: String,
    /// The class the model was trained on.
    pub asset_class: market::AssetClass,
    /// Base timeframe of its bars.
    pub timeframe: Timeframe,
    /// `ensemble`, `ridge` and so on.
    pub name: String,
    /// When it was trained.
    pub trained_at: Timestamp,
    /// The latest information it was trained on.
    pub trained_through: Timestamp,
    /// Hash of `artefact`.
    pub sha256: Hash,
    /// JSON text.
    pub manifest: String,
    /// The model's bytes.
    pub artefact: Vec<u8>,
}

/// A ledger entry about to be appended. The store gives it `seq`, `prev` and `hash`.
#[derive(Debug, Clone)]
pub struct Draft {
    /// When it is recorded; not before the chain's last entry.
    pub recorded_at: Timestamp,
    /// One JSON object; kept byte for byte.
    pub body: Box<str>,
    /// What queries can find it by.
    pub index: Index,
}

/// What an entry is, as far as queries need to know.
#[derive(Debug, Clone, PartialEq)]
pub enum Index {
    /// The universe and timeframes in force from now on.
    Schedule,
    /// A forecast; each horizon is due at its target time.
    Forecast {
        /// What is forecast.
        symbol: Symbol,
        /// On which timeframe.
        timeframe: Timeframe,
        /// The information cut.
        as_of: Timestamp,
        /// (horizon, target time), ascending.
        targets: Vec<(u32, Timestamp)>,
    },
    /// The outcome of one forecast at one horizon.
    Outcome {
        /// `seq` of the forecast.
        forecast_seq: u64,
        /// The horizon.
        horizon: u32,
        /// The price or value it was judged by.
        price: f64,
        /// How it fared.
        score: Score,
    },
    /// No bar to judge by: the horizon is closed without a score.
    Void {
        /// `seq` of the forecast.
        forecast_seq: u64,
        /// The horizon.
        horizon: u32,
    },
    /// Slots that should have had a forecast and have none.
    Missed {
        /// The asset.
        symbol: Symbol,
        /// The timeframe.
        timeframe: Timeframe,
        /// Close of the first missed bar.
        from: Timestamp,
        /// Close of the last missed bar.
        to: Timestamp,
    },
    /// A model was promoted or demoted.
    Model,
    /// The head was published.
    Checkpoint,
}

impl Index {
    /// The `kind` of the entry's body.
    #[must_use]
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Schedule => "schedule",
            Self::Forecast { .. } => "forecast",
            Self::Outcome { .. } => "outcome",
            Self::Void { .. } => "void",
            Self::Missed { .. } => "missed",
            Self::Model => "model",
            Self::Checkpoint => "checkpoint",
        }
    }
}

/// An entry with what is indexed of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EntryRow {
    /// The entry.
    pub entry: Entry,
    /// The `kind` of its body.
    pub kind: String,
    /// When it was recorded.
    pub recorded_at: Timestamp,
    /// The asset, where the entry is about one; an outcome or void is about its forecast's.
    pub symbol: Option<Symbol>,
    /// The timeframe, likewise.
    pub timeframe: Option<Timeframe>,
    /// The information cut of a forecast.
    pub as_of: Option<Timestamp>,
}

/// Which entries to read; the answer ascends by `seq`, or descends with `newest_first`.
#[derive(Debug, Clone, Default)]
pub struct EntryQuery {
    /// Only entries of this kind.
    pub kind: Option<&'static str>,
    /// Only entries about this asset.
    pub symbol: Option<Symbol>,
    /// Only entries about this timeframe.
    pub timeframe: Option<Timeframe>,
    /// Only forecasts with `as_of` at or before this.
    pub as_of_through: Option<Timestamp>,
    /// Only entries with `seq >= from_seq`.
    pub from_seq: Option<u64>,
    /// Only entries with `seq < to_seq`.
    pub to_seq: Option<u64>,
    /// Newest first instead of oldest first.
    pub newest_first: bool,
    /// At most so many.
    pub limit: u32,
}

/// What is known of one chain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChainInfo {
    /// Its name.
    pub chain: ChainId,
    /// `seq` of the last entry.
    pub seq: u64,
    /// Hash of the last entry.
    pub hash: Hash,
    /// When the last entry was recorded.
    pub recorded_at: Timestamp,
}

/// A horizon whose target time has come and that has neither outcome nor void.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DueOutcome {
    /// The forecast.
    pub forecast: EntryRow,
    /// Its horizons that are due: (horizon, target time), ascending.
    pub due: Vec<(u32, Timestamp)>,
}

/// One scored horizon of one forecast.
#[derive(Debug, Clone, PartialEq)]
pub struct ScoreRow {
    /// `seq` of the outcome.
    pub seq: u64,
    /// `seq` of the forecast.
    pub forecast_seq: u64,
    /// The asset.
    pub symbol: Symbol,
    /// The timeframe.
    pub timeframe: Timeframe,
    /// The horizon.
    pub horizon: u32,
    /// The forecast's information cut.
    pub as_of: Timestamp,
    /// When the forecast was recorded.
    pub issued_at: Timestamp,
    /// When it matured.
    pub target_time: Timestamp,
    /// The price or value it was judged by.
    pub price: f64,
    /// How it fared.
    pub score: Score,
}

/// Which scores to read; the answer ascends by (`as_of`, `symbol`, `horizon`), or descends with `last`.
#[derive(Debug, Clone, Default)]
pub struct ScoreQuery {
    /// Only of this asset.
    pub symbol: Option<Symbol>,
    /// Only of this timeframe.
    pub timeframe: Option<Timeframe>,
    /// Only of this horizon.
    pub horizon: Option<u32>,
    /// Only with `as_of >= from`.
    pub from: Option<Timestamp>,
    /// Only outcomes with `seq > after_seq`.
    pub after_seq: Option<u64>,
    /// Only outcomes with `seq <= through_seq`.
    pub through_seq: Option<u64>,
    /// Only the last so many by `as_of`.
    pub last: Option<u32>,
}

/// A notice in the quality journal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RemarkRow {
    /// Whose data.
    pub source: String,
    /// What was noticed.
    pub remark: Remark,
    /// When first.
    pub first_at: Timestamp,
    /// When last.
    pub last_at: Timestamp,
    /// How often.
    pub n_times: u64,
}

/// Keeps what must never be lost. Every write is one transaction: all of it or nothing.
///
/// Instants are kept to the microsecond; anything finer is cut off. Batches, not rows. "Not there" is `Ok(None)` or an empty list.
#[async_trait]
pub trait Store: Send + Sync + Debug {
    /// Adds assets, or replaces those of the same symbol.
    async fn put_assets(&self, assets: &[Asset]) -> Result<()>;
    /// All assets, in the order they were first put.
    async fn assets(&self) -> Result<Vec<Asset>>;

    /// Says since when a series is there, before its first bars are put: they carry the times of their closes, and nobody
    /// read them then. Of a series with bars it changes nothing.
    async fn join_series(&self, key: &SeriesKey, at: Timestamp) -> Result<()>;
    /// Adds closed bars. A bar with the same `open_time` and other content becomes a new row, which must have a later
    /// `known_at`; the old row stays.
    ///
    /// # Errors
    /// [`StoreError::NotLater`] when a changed bar is not known later than the row it would replace.
    async fn put_bars(&self, key: &SeriesKey, bars: &[Bar]) -> Result<PutSummary>;
    /// Bars as they were known at an instant.
    async fn bars(&self, query: &BarQuery<'_>) -> Result<Vec<Bar>>;
    /// Every row of a series that became known after `after` and by `through`, each revision of a bar by itself; ascending
    /// by `known_at`, then by `open_time`.
    async fn bars_learnt(&self, key: &SeriesKey, after: Timestamp, through: Timestamp) -> Result<Vec<Bar>>;
    /// All series with bars, ascending by key.
    async fn series(&self) -> Result<Vec<SeriesInfo>>;

    /// Adds vintages. The same (`ref_period`, `realtime_start`) again with the same value changes nothing but an open
    /// `realtime_end`; with another value it becomes a new row, which must have a later `known_at`, as bars do.
    ///
    /// # Errors
    /// [`StoreError::NotLater`] when a changed value is not known later than the one it would replace.
    async fn put_observations(&self, series_id: &str, observations: &[Observation]) -> Result<PutSummary>;
    /// Every vintage known at `as_of`, ascending by (`ref_period`, `realtime_start`). An end is told once its day is over
    /// in New York: that a value was replaced is itself something one could not know before.
    async fn observations(&self, series_id: &str, as_of: Timestamp) -> Result<Vec<Observation>>;
    /// Ids of all series with observations, ascending.
    async fn observation_series(&self) -> Result<Vec<String>>;

    /// Adds corporate actions; the same again changes nothing. A split, delisting or rename of the same ex-date with
    /// other terms becomes a new row, which must have a later `known_at`; another dividend is one more dividend.
    ///
    /// # Errors
    /// [`StoreError::NotLater`] when changed terms are not known later than those they would replace.
    async fn put_actions(&self, symbol: &Symbol, actions: &[Action]) -> Result<PutSummary>;
    /// Actions as they were known at `as_of`, ascending by `known_at`.
    async fn actions(&self, symbol: &Symbol, as_of: Timestamp) -> Result<Vec<Action>>;

    /// Replaces the gaps of a series that lie wholly in `[from, to)` by `gaps`: those no longer among them are marked
    /// filled at `now`, those still there keep their `detected_at`, new ones are added.
    async fn put_gaps(
        &self,
        key: &SeriesKey,
        from: Timestamp,
        to: Timestamp,
        gaps: &[Gap],
        now: Timestamp,
    ) -> Result<()>;
    /// All gaps of a series, filled ones too, ascending by `from`.
    async fn gaps(&self, key: &SeriesKey) -> Result<Vec<Gap>>;

    /// Writes into the quality journal what was noticed about a source's data. The same again is counted, not kept twice.
    async fn put_remarks(&self, source: &str, remarks: &[Remark], now: Timestamp) -> Result<()>;
    /// The newest notices about an asset, or with `None` those about sources as a whole; newest first, at most `limit`.
    async fn remarks(&self, symbol: Option<&Symbol>, limit: u32) -> Result<Vec<RemarkRow>>;

    /// Adds a model; the same again changes nothing, but mends a stored one that was damaged.
    ///
    /// # Errors
    /// [`StoreError::Corrupt`] when id, hash and bytes disagree.
    async fn put_model(&self, model: &ModelRecord) -> Result<()>;
    /// One model, its bytes checked against their hash.
    ///
    /// # Errors
    /// [`StoreError::Corrupt`] when they disagree.
    async fn model(&self, id: &str) -> Result<Option<ModelRecord>>;
    /// All models without their artefacts (left empty), newest `trained_at` first.
    async fn models(&self) -> Result<Vec<ModelRecord>>;

    /// Appends entries to a chain, in order, in one transaction, and gives them back.
    ///
    /// # Errors
    /// [`StoreError::OutOfOrder`] when a draft is recorded before the entry it follows; [`StoreError::TooLate`] when a
    /// forecast is not recorded before its target times; [`StoreError::UnknownForecast`] when an outcome or void names no
    /// horizon of a forecast, [`StoreError::AlreadyResolved`] when it names one that has an outcome or void, and
    /// [`StoreError::TooEarly`] when an outcome is recorded before its horizon has matured.
    async fn append(&self, chain: &ChainId, drafts: &[Draft]) -> Result<Vec<Entry>>;
    /// All chains, most recently written last.
    async fn chains(&self) -> Result<Vec<ChainInfo>>;
    /// One chain's head; `None` when it has no entry.
    async fn head(&self, chain: &ChainId) -> Result<Option<ChainInfo>>;
    /// Entries of a chain.
    async fn entries(&self, chain: &ChainId, query: &EntryQuery) -> Result<Vec<EntryRow>>;
    /// Entries whose hash starts with some hex digits, from all chains; at most two, enough to know it is ambiguous.
    async fn entries_by_hash(&self, prefix: &str) -> Result<Vec<(ChainId, EntryRow)>>;
    /// The newest forecast of every asset and timeframe of a chain, in any order.
    async fn latest_forecasts(&self, chain: &ChainId) -> Result<Vec<EntryRow>>;
    /// Forecasts with horizons whose target time is at or before `through` and that are unresolved, ascending by `seq`;
    /// those after `after_seq` where it is given, and at most `limit`.
    async fn due_outcomes(
        &self,
        chain: &ChainId,
        through: Timestamp,
        after_seq: Option<u64>,
        limit: u32,
    ) -> Result<Vec<DueOutcome>>;
    /// The earliest target time of an unresolved horizon.
    async fn next_due(&self, chain: &ChainId) -> Result<Option<Timestamp>>;
    /// Scores of a chain.
    async fn scores(&self, chain: &ChainId, query: &ScoreQuery) -> Result<Vec<ScoreRow>>;

    /// Favourites of an owner, oldest first.
    async fn favourites(&self, owner: &str) -> Result<Vec<Symbol>>;
    /// Adds a favourite; again changes nothing.
    async fn add_favourite(&self, owner: &str, symbol: &Symbol) -> Result<()>;
    /// Removes a favourite; whether there was one.
    async fn remove_favourite(&self, owner: &str, symbol: &Symbol) -> Result<bool>;

    /// A number that is another one after another process has written, and stays the same while only this one does.
    async fn foreign_writes(&self) -> Result<i64>;

    /// Reads and writes one row, to see that both work.
    async fn check(&self) -> Result<()>;
    /// Writes what is pending and closes all connections.
    async fn close(&self);
}

/// What went wrong in a store.
#[derive(Debug, Error)]
pub enum StoreError {
    /// The database was written by a newer version.
    #[error("the database at {path} has schema version {found}, this build knows up to {known}: use a newer auspex")]
    Newer {
        /// Where it is.
        path: String,
        /// Its version.
        found: i64,
        /// Ours.
        known: i64,
    },
    /// The database could not be opened.
    #[error("failed to open the database at {path}")]
    Open {
        /// Where it is.
        path: String,
        /// Why.
        #[source]
        cause: sqlx::Error,
    },
    /// A migration failed.
    #[error("failed to migrate the database")]
    Migrate(#[source] sqlx::migrate::MigrateError),
    /// The disk is full; nothing of the operation was written.
    #[error("failed to {operation}: the disk is full; nothing was written")]
    Full {
        /// What was tried.
        operation: &'static str,
    },
    /// The database refused or could not be reached.
    #[error("failed to {operation}")]
    Database {
        /// What was tried.
        operation: &'static str,
        /// Why.
        #[source]
        cause: sqlx::Error,
    },
    /// A stored row is not what this version writes.
    #[error("the stored {what} is damaged: {reason}")]
    Corrupt {
        /// Which row.
        what: String,
        /// What is wrong with it.
        reason: String,
    },
    /// A changed row would not be known later than the one it replaces.
    #[error("{what} changed but is not known later than the row it would replace")]
    NotLater {
        /// Which row.
        what: String,
    },
    /// Entries must be recorded in order of time.
    #[error("an entry recorded at {recorded_at} cannot follow one recorded at {last} in chain {chain}")]
    OutOfOrder {
        /// The chain.
        chain: ChainId,
        /// The last entry's time.
        last: Timestamp,
        /// The refused one's.
        recorded_at: Timestamp,
    },
    /// A horizon is resolved once.
    #[error("horizon {horizon} of forecast {forecast_seq} in chain {chain} already has an outcome")]
    AlreadyResolved {
        /// The chain.
        chain: ChainId,
        /// The forecast.
        forecast_seq: u64,
        /// The horizon.
        horizon: u32,
    },
    /// A forecast is recorded before the time it speaks of.
    #[error("a forecast recorded at {recorded_at} cannot speak of {target_time} in chain {chain}")]
    TooLate {
        /// The chain.
        chain: ChainId,
        /// The target time that has come already.
        target_time: Timestamp,
        /// The forecast's time.
        recorded_at: Timestamp,
    },
    /// An outcome is recorded when its horizon has matured.
    #[error(
        "horizon {horizon} of forecast {forecast_seq} in chain {chain} matures at {target_time}: \
         it can have no outcome at {recorded_at}"
    )]
    TooEarly {
        /// The chain.
        chain: ChainId,
        /// The forecast.
        forecast_seq: u64,
        /// The horizon.
        horizon: u32,
        /// When it matures.
        target_time: Timestamp,
        /// The outcome's time.
        recorded_at: Timestamp,
    },
    /// An outcome must name a forecast and one of its horizons.
    #[error("chain {chain} has no forecast {forecast_seq} with horizon {horizon}")]
    UnknownForecast {
        /// The chain.
        chain: ChainId,
        /// The forecast.
        forecast_seq: u64,
        /// The horizon.
        horizon: u32,
    },
}

impl StoreError {
    /// Whether trying the same again later may work: the database is away, busy or full.
    #[must_use]
    pub const fn is_retryable(&self) -> bool {
        matches!(self, Self::Full { .. } | Self::Database { .. } | Self::Open { .. })
    }
}
