//! What Auspex keeps and what it may forget.
//!
//! [`store`] holds the seam for what must never be lost (bars, observations, actions, gaps, models, the ledger,
//! favourites), [`sqlite`] its embedded implementation; [`cache`] the seam for what may be forgotten; [`events`] the seam
//! that tells the other rooms what happened. [`contract`] holds the suites every implementation must pass.
//!
//! Queries live here and nowhere else. This crate knows neither vendors nor models nor HTTP, and reads no JSON: a ledger
//! body is text to it.

pub mod store;

pub mod sqlite;

pub mod cache;
pub mod events;

pub mod contract;

pub use cache::{Cache, CacheStats, MemoryCache};
pub use events::{Event, EventKind, Events, LocalEvents, Received, Subscription};
pub use sqlite::SqliteStore;
pub use store::{
    BarQuery, ChainInfo, Draft, DueOutcome, EntryQuery, EntryRow, Gap, Index, ModelRecord, PutSummary, RemarkRow,
    ScoreQuery, ScoreRow, SeriesInfo, SeriesKey, Store, StoreError,
};
